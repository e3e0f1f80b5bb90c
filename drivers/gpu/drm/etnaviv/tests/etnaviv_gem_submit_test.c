// SPDX-License-Identifier: GPL-2.0
/*
 * Submits by the driver's own ioctl, to its own scheduler. The GPU is plain memory,
 * and is done with its jobs when the test says so.
 */

#include <drm/drm_kunit_helpers.h>

#include <linux/dma-mapping.h>
#include <linux/mman.h>
#include <linux/pm_runtime.h>

#include "etnaviv_mmu.h"
#include "mock-issuer.h"

/**
 * struct submit_test - what a case of this suite has
 * @drm: the device
 * @priv: of it
 * @mmu_global: likewise
 * @mmu: the address space of the only client, never freed
 * @gpu: the GPU, with its scheduler
 * @ring: its ring buffer
 * @ctx: the client
 * @file: its file
 * @user: a page of its memory
 */
struct submit_test {
	struct drm_device *drm;
	struct etnaviv_drm_private priv;
	struct etnaviv_iommu_global mmu_global;
	struct etnaviv_iommu_context mmu;
	struct etnaviv_gpu gpu;
	u64 ring[SZ_4K / sizeof(u64)];
	struct etnaviv_file_private ctx;
	struct drm_file file;
	unsigned long user;
};

static int submit_test_init(struct kunit *test)
{
	struct drm_gpu_scheduler *sched;
	struct etnaviv_gpu *gpu;
	struct submit_test *t;
	struct device *dev;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);

	/* The ioctl asks for nothing from user space, but there has to be one. */
	t->user = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, t->user, 0);

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, 0, dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(32)));
	t->drm = __drm_kunit_helper_alloc_drm_device(test, dev, sizeof(*t->drm), 0,
						     DRIVER_GEM);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->drm);
	t->drm->dev_private = &t->priv;

	t->mmu_global.version = ETNAVIV_IOMMU_V2;
	t->mmu.global = &t->mmu_global;
	kref_init(&t->mmu.refcount);

	gpu = &t->gpu;
	gpu->drm = t->drm;
	gpu->dev = dev;
	gpu->state = ETNA_GPU_STATE_RUNNING;
	gpu->mmu_context = &t->mmu;
	mutex_init(&gpu->lock);
	mutex_init(&gpu->sched_lock);
	gpu->buffer.vaddr = t->ring;
	gpu->buffer.size = sizeof(t->ring);
	gpu->buffer.user_size = 16;	/* a WAIT and a LINK */
	spin_lock_init(&gpu->event_spinlock);
	init_completion(&gpu->event_free);
	for (int i = 0; i < ETNA_NR_EVENTS; i++)
		complete(&gpu->event_free);
	gpu->fence_context = dma_fence_context_alloc(1);
	xa_init_flags(&gpu->user_fences, XA_FLAGS_ALLOC);
	spin_lock_init(&gpu->fence_spinlock);
	init_waitqueue_head(&gpu->fence_event);

	t->priv.cmdbuf_suballoc = etnaviv_cmdbuf_suballoc_new(dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->priv.cmdbuf_suballoc);
	gpu->buffer.suballoc = t->priv.cmdbuf_suballoc;
	t->priv.mmu_global = &t->mmu_global;
	t->priv.gpu[0] = gpu;

	pm_runtime_set_active(dev);
	pm_runtime_get_noresume(dev);
	pm_runtime_enable(dev);

	test->priv = t;
	KUNIT_ASSERT_EQ(test, 0, etnaviv_sched_init(gpu));

	sched = &gpu->sched;
	KUNIT_ASSERT_EQ(test, 0, drm_sched_entity_init(&t->ctx.sched_entity[0],
						       DRM_SCHED_PRIORITY_NORMAL,
						       &sched, 1, NULL));
	t->ctx.mmu = &t->mmu;
	t->file.driver_priv = &t->ctx;
	spin_lock_init(&t->file.table_lock);

	return 0;
}

static void submit_test_exit(struct kunit *test)
{
	struct submit_test *t = test->priv;

	if (!t)
		return;
	drm_sched_entity_destroy(&t->ctx.sched_entity[0]);
	etnaviv_sched_fini(&t->gpu);
	pm_runtime_disable(t->gpu.dev);
	pm_runtime_put_noidle(t->gpu.dev);
	etnaviv_cmdbuf_suballoc_destroy(t->priv.cmdbuf_suballoc);
	xa_destroy(&t->gpu.user_fences);
	KUNIT_EXPECT_EQ_MSG(test, kref_read(&t->mmu.refcount), 1,
			    "a submit has been freed too often, or not at all");
}

/* Submit a job of no commands. */
static int submit(struct submit_test *t, u32 *id)
{
	struct drm_etnaviv_gem_submit args = {
		.exec_state = t->gpu.exec_state,
		.bos = t->user,
		.relocs = t->user,
		.pmrs = t->user,
		.stream = t->user,
	};
	int ret;

	ret = etnaviv_ioctl_gem_submit(t->drm, &args, &t->file);
	*id = args.fence;
	return ret;
}

/* What the interrupt does when the GPU is done with all that it has got so far. */
static int complete_jobs(struct submit_test *t)
{
	struct etnaviv_gpu *gpu = &t->gpu;
	struct dma_fence *fence;
	int n = 0;

	mutex_lock(&gpu->lock);
	for (int i = 0; i < ETNA_NR_EVENTS; i++) {
		fence = gpu->event[i].fence;
		if (!fence)
			continue;
		gpu->event[i].fence = NULL;
		gpu->completed_fence = fence->seqno;
		dma_fence_signal(fence);
		clear_bit(i, gpu->event_bitmap);
		complete(&gpu->event_free);
		pm_runtime_put_noidle(gpu->dev);
		n++;
	}
	mutex_unlock(&gpu->lock);

	return n;
}

/* @n jobs are run, completed and freed. */
static void expect_jobs(struct kunit *test, int n)
{
	struct submit_test *t = test->priv;
	int done = 0;

	mock_wait_until(test, (done += complete_jobs(t)) >= n);
	KUNIT_EXPECT_EQ(test, done, n);
	mock_wait_until(test, kref_read(&t->mmu.refcount) == 1);
}

/*
 * Give the first and the last number to @fence, and have all those between look as if
 * they were taken as well.
 */
static void take_all_ids(struct kunit *test, struct xarray *xa, struct dma_fence *fence)
{
	static const u32 ids[] = { 0, U32_MAX };
	struct xa_node *node;

	for (int i = 0; i < ARRAY_SIZE(ids); i++)
		KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(xa, ids[i], fence, GFP_KERNEL)));

	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		XA_STATE(xas, xa, ids[i]);

		xas_lock(&xas);
		xas_load(&xas);
		for (node = xas.xa_node; node; node = xa_parent_locked(xa, node))
			bitmap_zero(node->marks[(__force unsigned int)XA_FREE_MARK],
				    XA_CHUNK_SIZE);
		xas_unlock(&xas);
	}
}

static void that_gets_no_id_fails_and_is_freed_once(struct kunit *test)
{
	struct submit_test *t = test->priv;
	struct dma_fence *other = mock_fence_create_orphan(test, 0);
	u32 id = 0;

	take_all_ids(test, &t->gpu.user_fences, other);
	KUNIT_EXPECT_EQ(test, submit(t, &id), -EBUSY);
	KUNIT_EXPECT_EQ(test, kref_read(&t->mmu.refcount), 1);

	/* It is not in the scheduler, and took nobody's number with it. */
	KUNIT_EXPECT_EQ(test, complete_jobs(t), 0);
	KUNIT_EXPECT_PTR_EQ(test, xa_load(&t->gpu.user_fences, 0), other);
	KUNIT_EXPECT_PTR_EQ(test, xa_load(&t->gpu.user_fences, U32_MAX), other);

	/* The next one is none the worse for it. */
	xa_destroy(&t->gpu.user_fences);
	KUNIT_EXPECT_EQ(test, submit(t, &id), 0);
	expect_jobs(test, 1);
	dma_fence_put(other);
}

static void whose_id_wraps_around_succeeds(struct kunit *test)
{
	struct submit_test *t = test->priv;
	u32 id = 0;

	t->gpu.next_user_fence = U32_MAX;
	KUNIT_EXPECT_EQ(test, submit(t, &id), 0);
	KUNIT_EXPECT_EQ(test, id, U32_MAX);
	KUNIT_EXPECT_EQ(test, submit(t, &id), 0);
	KUNIT_EXPECT_EQ(test, id, 0);
	expect_jobs(test, 2);
}

static void that_is_done_gives_its_id_back(struct kunit *test)
{
	static const u32 ids[] = { 0, S32_MAX, (u32)S32_MAX + 1, U32_MAX };
	struct submit_test *t = test->priv;
	u32 id = 0;

	for (int i = 0; i < ARRAY_SIZE(ids); i++) {
		t->gpu.next_user_fence = ids[i];
		KUNIT_EXPECT_EQ(test, submit(t, &id), 0);
		KUNIT_EXPECT_EQ(test, id, ids[i]);
		KUNIT_EXPECT_NOT_NULL(test, xa_load(&t->gpu.user_fences, id));
		expect_jobs(test, 1);
		mock_wait_until(test, xa_empty(&t->gpu.user_fences));
	}
}

static struct kunit_case submit_cases[] = {
	KUNIT_CASE(that_gets_no_id_fails_and_is_freed_once),
	KUNIT_CASE(whose_id_wraps_around_succeeds),
	KUNIT_CASE(that_is_done_gives_its_id_back),
	{}
};

static struct kunit_suite submit_suite = {
	.name = "etnaviv_submit",
	.init = submit_test_init,
	.exit = submit_test_exit,
	.test_cases = submit_cases,
};

kunit_test_suite(submit_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
