// SPDX-License-Identifier: MIT
/*
 * A device of amdgpu without hardware, see amdgpu_mock.h.
 *
 * amdgpu_ring_init() and the fence driver set up the rings as on any device, but
 * for the memory: what the writeback pages, the ring buffers and the IB pools are
 * in is kmalloc'ed, and freed with the device. From then on KASAN reports who
 * follows a fence to them.
 */

#include <linux/debug_locks.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <drm/drm_drv.h>
#include <drm/drm_kunit_helpers.h>

#include "amdgpu.h"
#include "amdgpu_reset.h"
#include "amdgpu_mock.h"

#define MOCK_WB		32
#define MOCK_MAX_DW	256
#define MOCK_IB_POOL	SZ_4K
#define MOCK_VRAM	SZ_32M
#define MOCK_GART	SZ_16M
#define MOCK_GWS	64

static struct amdgpu_mock *to_amdgpu_mock(struct amdgpu_device *adev)
{
	return dev_get_drvdata(adev->dev);
}

static u64 mock_ring_get_ptr(struct amdgpu_ring *ring)
{
	return ring->wptr;
}

static void mock_ring_set_wptr(struct amdgpu_ring *ring)
{
}

static void mock_ring_emit_ib(struct amdgpu_ring *ring, struct amdgpu_job *job,
			      struct amdgpu_ib *ib, u32 flags)
{
	atomic_inc(&to_amdgpu_mock(ring->adev)->ibs);
}

static void mock_ring_emit_fence(struct amdgpu_ring *ring, u64 addr,
				 u64 seq, unsigned int flags)
{
	struct amdgpu_mock *mock = to_amdgpu_mock(ring->adev);

	mock->addr = addr;
	mock->seq = seq;
	mock->flags = flags;
	atomic_inc(&mock->emitted);
}

static void mock_ring_emit_vm_flush(struct amdgpu_ring *ring, unsigned int vmid,
				    u64 pd_addr)
{
	atomic_inc(&to_amdgpu_mock(ring->adev)->vm_flushes);
}

static int mock_ring_preempt_ib(struct amdgpu_ring *ring)
{
	return to_amdgpu_mock(ring->adev)->preempt_error;
}

/* Called before anything is written to the ring for a job. */
static void mock_ring_begin_use(struct amdgpu_ring *ring)
{
	struct amdgpu_mock *mock = to_amdgpu_mock(ring->adev);

	atomic_inc(&mock->used);
	if (mock->on_begin_use)
		mock->on_begin_use(mock, ring);
}

static void mock_ring_end_use(struct amdgpu_ring *ring)
{
}

static void mock_ring_soft_recovery(struct amdgpu_ring *ring, unsigned int vmid)
{
	struct amdgpu_mock *mock = to_amdgpu_mock(ring->adev);

	if (mock->on_soft_recovery)
		mock->on_soft_recovery(ring);
}

static int mock_ring_reset(struct amdgpu_ring *ring, unsigned int vmid)
{
	struct amdgpu_mock *mock = to_amdgpu_mock(ring->adev);

	atomic_inc(&mock->resets);
	return mock->reset_error;
}

static const struct amdgpu_ring_funcs mock_sdma_funcs = {
	.type = AMDGPU_RING_TYPE_SDMA,
	.align_mask = 0xf,
	.support_64bit_ptrs = true,
	.get_rptr = mock_ring_get_ptr,
	.get_wptr = mock_ring_get_ptr,
	.set_wptr = mock_ring_set_wptr,
	.emit_frame_size = 16,
	.emit_ib_size = 4,
	.emit_ib = mock_ring_emit_ib,
	.emit_fence = mock_ring_emit_fence,
	.emit_vm_flush = mock_ring_emit_vm_flush,
	.insert_nop = amdgpu_ring_insert_nop,
	.begin_use = mock_ring_begin_use,
	.end_use = mock_ring_end_use,
	.preempt_ib = mock_ring_preempt_ib,
	.soft_recovery = mock_ring_soft_recovery,
	.reset = mock_ring_reset,
};

static const struct amdgpu_ring_funcs mock_kiq_funcs = {
	.type = AMDGPU_RING_TYPE_KIQ,
	.align_mask = 0xf,
	.support_64bit_ptrs = true,
	.get_rptr = mock_ring_get_ptr,
	.get_wptr = mock_ring_get_ptr,
	.set_wptr = mock_ring_set_wptr,
	.emit_frame_size = 16,
	.emit_ib_size = 4,
	.emit_ib = mock_ring_emit_ib,
	.emit_fence = mock_ring_emit_fence,
	.insert_nop = amdgpu_ring_insert_nop,
};

static int mock_irq_set(struct amdgpu_device *adev, struct amdgpu_irq_src *source,
			unsigned int type, enum amdgpu_interrupt_state state)
{
	to_amdgpu_mock(adev)->irq_state = state;
	return 0;
}

static const struct amdgpu_irq_src_funcs mock_irq_funcs = {
	.set = mock_irq_set,
};

static void mock_flush_gpu_tlb_pasid(struct amdgpu_device *adev, u16 pasid,
				     u32 flush_type, bool all_hub, u32 inst)
{
	struct amdgpu_mock *mock = to_amdgpu_mock(adev);

	mock->pasid = pasid;
	atomic_inc(&mock->flushes);
}

static const struct amdgpu_gmc_funcs mock_gmc_funcs = {
	.flush_gpu_tlb_pasid = mock_flush_gpu_tlb_pasid,
};

static void mock_kiq_invalidate_tlbs(struct amdgpu_ring *ring, u16 pasid,
				     u32 flush_type, bool all_hub)
{
	mock_flush_gpu_tlb_pasid(ring->adev, pasid, flush_type, all_hub, 0);
}

static const struct kiq_pm4_funcs mock_kiq_pm4_funcs = {
	.kiq_invalidate_tlbs = mock_kiq_invalidate_tlbs,
	.invalidate_tlbs_size = 2,
};

static void mock_ring_create(struct amdgpu_mock *mock, struct amdgpu_ring *ring,
			     const struct amdgpu_ring_funcs *funcs, const char *name)
{
	struct kunit *test = mock->test;

	ring->funcs = funcs;
	strscpy(ring->name, name);
	/* Not to be allocated from the memory of a GPU. */
	ring->ring_obj = (struct amdgpu_bo *)mock;
	KUNIT_ASSERT_EQ(test, 0, amdgpu_ring_init(mock->adev, ring, MOCK_MAX_DW, &mock->irq_src,
						  0, AMDGPU_RING_PRIO_DEFAULT, NULL));
	ring->ring = kvzalloc(ring->ring_size, GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, ring->ring);
	ring->sched.ready = true;
}

static void mock_sched_create(struct amdgpu_mock *mock, struct amdgpu_ring *ring)
{
	struct drm_sched_init_args args = {
		.ops = &amdgpu_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = ring->num_hw_submission,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.timeout_wq = mock->adev->reset_domain->wq,
		.name = ring->name,
		.dev = mock->dev,
	};

	KUNIT_ASSERT_EQ(mock->test, drm_sched_init(&ring->sched, &args), 0);
}

static void mock_ring_destroy(struct amdgpu_ring *ring)
{
	kvfree((void *)ring->ring);
	ring->ring = NULL;
	ring->ring_obj = NULL;
	amdgpu_ring_fini(ring);
}

static void mock_ib_pool_create(struct amdgpu_mock *mock, struct amdgpu_sa_manager *pool)
{
	pool->cpu_ptr = kzalloc(MOCK_IB_POOL, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(mock->test, pool->cpu_ptr);
	drm_suballoc_manager_init(&pool->base, MOCK_IB_POOL, 256);
}

static void mock_ib_pool_destroy(struct amdgpu_sa_manager *pool)
{
	drm_suballoc_manager_fini(&pool->base);
	kfree(pool->cpu_ptr);
}

static void amdgpu_mock_unload_action(void *data)
{
	struct amdgpu_mock *mock = data;
	struct amdgpu_device *adev = mock->adev;
	struct amdgpu_vmid *vmid = &adev->vm_manager.id_mgr[0].ids[0];
	int i;

	/*
	 * What amdgpu_pci_remove() and the last put of the device come to, as far
	 * as there is anything here, in that order.
	 */
	if (!drm_dev_is_unplugged(adev_to_drm(adev))) {
		amdgpu_mock_complete(mock->ring, mock->ring->fence_drv.sync_seq);
		amdgpu_mock_complete(mock->other, mock->other->fence_drv.sync_seq);
		amdgpu_mock_complete(mock->kiq, mock->kiq->fence_drv.sync_seq);
	}
	amdgpu_fence_driver_hw_fini(adev);
	amdgpu_fence_driver_fini_rings(adev);
	amdgpu_ttm_fini(adev);
	mock_ring_destroy(mock->ring);
	mock_ring_destroy(mock->other);
	mock_ring_destroy(mock->kiq);
	kfree(mock->wb);
	for (i = 0; i < AMDGPU_IB_POOL_MAX; i++)
		mock_ib_pool_destroy(&adev->ib_pools[i]);
	amdgpu_fence_driver_sw_fini(adev);
	dma_fence_put(vmid->last_flush);
	dma_fence_put(vmid->pasid_mapping);
	mutex_destroy(&adev->vm_manager.id_mgr[0].lock);
	xa_destroy(&adev->vm_manager.pasids);
	amdgpu_reset_put_reset_domain(adev->reset_domain);

	mock->adev = NULL;
	mock->ring = NULL;
	mock->other = NULL;
	mock->kiq = NULL;
	drm_kunit_helper_free_device(mock->test, mock->dev);

	/*
	 * Lockdep turns itself off when it has something to report, without a word
	 * to KUnit: let the test fail whose doing it was.
	 */
	KUNIT_EXPECT_TRUE_MSG(mock->test, debug_locks || !mock->debug_locks,
			      "lock debugging has found something, see the log");
}

/**
 * amdgpu_mock_create - create a device
 * @test: the running test
 *
 * Return: The device, which the test may amdgpu_mock_unload(), else its end does.
 */
struct amdgpu_mock *amdgpu_mock_create(struct kunit *test)
{
	struct amdgpu_device *adev;
	struct amdgpu_mock *mock;
	struct drm_device *drm;
	int i;

	mock = kunit_kzalloc(test, sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->test = test;
	mock->debug_locks = debug_locks;

	mock->dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mock->dev);
	/* Its macro is for those whose drm_device comes first. */
	drm = __drm_kunit_helper_alloc_drm_device(test, mock->dev, sizeof(*adev),
						  offsetof(struct amdgpu_device, ddev), DRIVER_GEM);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, drm);
	adev = drm_to_adev(drm);
	mock->adev = adev;
	adev->dev = mock->dev;
	dev_set_drvdata(mock->dev, mock);

	/* There is no HDP cache to be flushed. */
	adev->flags = AMD_IS_APU;
	adev->gmc.gmc_funcs = &mock_gmc_funcs;
	adev->fence_context = dma_fence_context_alloc(AMDGPU_MAX_RINGS);
	xa_init_flags(&adev->vm_manager.pasids, XA_FLAGS_LOCK_IRQ);
	mutex_init(&adev->vm_manager.id_mgr[0].lock);
	adev->reset_domain = amdgpu_reset_create_reset_domain(SINGLE_DEVICE, "amdgpu-mock");
	KUNIT_ASSERT_NOT_NULL(test, adev->reset_domain);

	spin_lock_init(&adev->irq.lock);
	adev->irq.installed = true;
	mock->irq_src.num_types = 1;
	mock->irq_src.enabled_types = &mock->irq_enabled;
	mock->irq_src.funcs = &mock_irq_funcs;

	mock->wb = kcalloc(MOCK_WB, 8 * sizeof(u32), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock->wb);
	spin_lock_init(&adev->wb.lock);
	adev->wb.wb = mock->wb;
	adev->wb.num_wb = MOCK_WB;
	for (i = 0; i < AMDGPU_IB_POOL_MAX; i++)
		mock_ib_pool_create(mock, &adev->ib_pools[i]);

	/* The first to be torn down may wait for the second. */
	mock->ring = &adev->sdma.instance[0].ring;
	mock_ring_create(mock, mock->ring, &mock_sdma_funcs, "sdma0");
	mock_sched_create(mock, mock->ring);
	mock->other = &adev->sdma.instance[1].ring;
	mock_ring_create(mock, mock->other, &mock_sdma_funcs, "sdma1");
	mock_sched_create(mock, mock->other);

	mock->kiq = &adev->gfx.kiq[0].ring;
	mock->kiq->no_scheduler = true;
	mock_ring_create(mock, mock->kiq, &mock_kiq_funcs, "kiq0");
	spin_lock_init(&adev->gfx.kiq[0].ring_lock);
	adev->gfx.kiq[0].pmf = &mock_kiq_pm4_funcs;

	amdgpu_fence_driver_sw_init(adev);
	amdgpu_fence_driver_hw_init(adev);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, amdgpu_mock_unload_action, mock));

	return mock;
}

/**
 * amdgpu_mock_unload - unload the driver
 * @mock: the device, whose jobs have been freed
 *
 * What has been emitted is completed, unless the device is unplugged.
 */
void amdgpu_mock_unload(struct amdgpu_mock *mock)
{
	kunit_release_action(mock->test, amdgpu_mock_unload_action, mock);
}

/**
 * amdgpu_mock_unplug - pull the device out
 * @mock: the device
 */
void amdgpu_mock_unplug(struct amdgpu_mock *mock)
{
	/* The core of drm_dev_unplug(), the rest is for registered ones. */
	adev_to_drm(mock->adev)->unplugged = true;
}

/**
 * amdgpu_mock_add_memory - give a device memory to manage
 * @mock: the device, of which there must be no BO when it goes
 *
 * BOs can be created in VRAM, in the GTT and of GWS, as on any device that has just
 * been initialized; nobody can look into the VRAM.
 */
void amdgpu_mock_add_memory(struct amdgpu_mock *mock)
{
	struct amdgpu_device *adev = mock->adev;

	spin_lock_init(&adev->mm_stats.lock);
	mock->dev->dma_parms = &mock->dma_parms;
	adev->gmc.real_vram_size = MOCK_VRAM;
	adev->gmc.mc_vram_size = MOCK_VRAM;
	adev->gmc.gart_size = MOCK_GART;
	adev->gds.gws_size = MOCK_GWS;
	KUNIT_ASSERT_EQ(mock->test, amdgpu_ttm_init(adev), 0);
}

/**
 * amdgpu_mock_emit - emit a fence without a job
 * @mock: the device
 *
 * Return: A reference to the fence.
 */
struct dma_fence *amdgpu_mock_emit(struct amdgpu_mock *mock)
{
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(mock->test, amdgpu_fence_emit(mock->ring, &fence, NULL, 0), 0);
	return fence;
}

/**
 * amdgpu_mock_fill_dependencies - leave no room for a dependency
 * @test: the running test
 * @job: the job, to which nothing has been added
 *
 * Lack of memory can't be had on demand. That drm_sched_job_add_dependency() finds
 * no index for the fence, in its xa_limit_32b, ends the same way, by -EBUSY.
 */
void amdgpu_mock_fill_dependencies(struct kunit *test, struct amdgpu_job *job)
{
	struct xarray *xa = &job->base.dependencies;
	struct dma_fence *stub = dma_fence_get_stub();

	/* Just behind the limit, so that there are nodes for what is in front of it. */
	KUNIT_ASSERT_NULL(test, xa_store(xa, 1UL << 32, stub, GFP_KERNEL));
	for (unsigned long i = 0; i < 1UL << 32; i += 1UL << (32 - 32 % XA_CHUNK_SHIFT)) {
		XA_STATE(xas, xa, i);

		xas_lock(&xas);
		xas_load(&xas);
		xas_clear_mark(&xas, XA_FREE_MARK);
		xas_unlock(&xas);
	}
}

/**
 * amdgpu_mock_awake - count what keeps the device awake
 * @mock: the device
 *
 * Each fence on a ring holds one reference of runtime PM.
 *
 * Return: The count of runtime PM, 0 without CONFIG_PM.
 */
int amdgpu_mock_awake(struct amdgpu_mock *mock)
{
#ifdef CONFIG_PM
	return atomic_read(&mock->dev->power.usage_count);
#else
	return 0;
#endif
}

/**
 * amdgpu_mock_use - what somebody does with a signaled fence that he holds
 * @test: the running test
 * @fence: the fence
 * @status: what dma_fence_get_status() has to say
 *
 * KASAN lets the test fail if it leads to a device that is gone.
 */
void amdgpu_mock_use(struct kunit *test, struct dma_fence *fence, int status)
{
	KUNIT_ASSERT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), status);
	mock_fence_use(test, fence);
}

/**
 * amdgpu_mock_last_put - put a fence that nobody else holds
 * @test: the running test
 * @fence: the fence
 */
void amdgpu_mock_last_put(struct kunit *test, struct dma_fence *fence)
{
	/* A worker may be about to put the reference that it signaled with. */
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
