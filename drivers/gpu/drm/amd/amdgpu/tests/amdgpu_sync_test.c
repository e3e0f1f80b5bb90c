// SPDX-License-Identifier: MIT
/*
 * What amdgpu syncs to, and what becomes of it when a job can't remember it.
 */

#include <linux/dma-resv.h>

#include "amdgpu.h"
#include "amdgpu_mock.h"
#include "amdgpu_object.h"
#include "amdgpu_sync.h"
#include "amdgpu_vm.h"

struct sync_test {
	struct amdgpu_mock *mock;
	struct drm_sched_entity entity;
	struct dma_resv resv;
};

static void sync_test_destroy(void *data)
{
	struct sync_test *t = data;

	drm_sched_entity_destroy(&t->entity);
	dma_resv_fini(&t->resv);
}

static int sync_test_init(struct kunit *test)
{
	struct sync_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct drm_gpu_scheduler *sched;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	sched = &t->mock->ring->sched;
	KUNIT_ASSERT_EQ(test, 0, drm_sched_entity_init(&t->entity, DRM_SCHED_PRIORITY_NORMAL,
						       &sched, 1, NULL));
	dma_resv_init(&t->resv);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sync_test_destroy, t));

	test->priv = t;
	return 0;
}

static struct amdgpu_job *create_job(struct kunit *test, void *owner)
{
	struct sync_test *t = test->priv;
	struct amdgpu_job *job = NULL;

	KUNIT_ASSERT_EQ(test, 0,
			amdgpu_job_alloc(t->mock->adev, NULL, &t->entity, owner, 1, &job, 0));
	return job;
}

static void add_fence(struct kunit *test, struct dma_resv *resv, struct dma_fence *fence,
		      enum dma_resv_usage usage)
{
	dma_resv_lock(resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, fence, usage);
	dma_resv_unlock(resv);
}

static void amdgpu_sync_test_not_pushed_to_a_full_job(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct amdgpu_job *job = create_job(test, NULL);
	struct amdgpu_sync sync;

	amdgpu_sync_create(&sync);
	KUNIT_ASSERT_EQ(test, amdgpu_sync_fence(&sync, fence, GFP_KERNEL), 0);
	amdgpu_mock_fill_dependencies(test, job);
	KUNIT_EXPECT_EQ(test, amdgpu_sync_push_to_job(&sync, job), -EBUSY);
	/* It is still in there, and ours. */
	mock_expect_refs(test, fence, 2);
	amdgpu_sync_free(&sync);
	amdgpu_job_free(job);
	dma_fence_signal(fence);
	amdgpu_mock_last_put(test, fence);
}

/* The one of a VM update, which waits for page tables that are being moved. */
static void amdgpu_sync_test_not_waited_for_by_a_full_job(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct amdgpu_job *job = create_job(test, NULL);
	struct amdgpu_vm_update_params params = { .job = job };
	struct amdgpu_bo_vm *pt = kunit_kzalloc(test, sizeof(*pt), GFP_KERNEL);
	struct dma_resv *resv;

	KUNIT_ASSERT_NOT_NULL(test, pt);
	resv = &pt->bo.tbo.base._resv;
	dma_resv_init(resv);
	pt->bo.tbo.base.resv = resv;
	add_fence(test, resv, fence, DMA_RESV_USAGE_KERNEL);
	amdgpu_mock_fill_dependencies(test, job);
	KUNIT_EXPECT_EQ(test, -EBUSY, amdgpu_vm_sdma_funcs.update(&params, pt, 0, 0, 1, 0, 0));
	/* That of the reservation object, and ours */
	mock_expect_refs(test, fence, 2);
	dma_resv_fini(resv);
	amdgpu_job_free(job);
	dma_fence_signal(fence);
	amdgpu_mock_last_put(test, fence);
}

/* Is what is in the reservation object synced to? */
static bool synced_to(struct kunit *test, struct amdgpu_device *adev,
		      enum amdgpu_sync_mode mode, void *owner)
{
	struct sync_test *t = test->priv;
	struct amdgpu_sync sync;
	bool any;

	amdgpu_sync_create(&sync);
	dma_resv_lock(&t->resv, NULL);
	KUNIT_EXPECT_EQ(test, amdgpu_sync_resv(adev, &sync, &t->resv, mode, owner), 0);
	dma_resv_unlock(&t->resv);
	any = !hash_empty(sync.fences);
	amdgpu_sync_free(&sync);
	return any;
}

/* Owners are those of one device. */
static void amdgpu_sync_test_own_jobs_are_left_out(struct kunit *test)
{
	struct sync_test *t = test->priv;
	struct amdgpu_device *adev = t->mock->adev;
	/* Not to be followed. */
	struct amdgpu_device *other = (struct amdgpu_device *)t;
	struct amdgpu_job *job;
	struct dma_fence *fence;
	int owner, another;

	job = create_job(test, &owner);
	drm_sched_job_arm(&job->base);
	fence = dma_fence_get(&job->base.s_fence->finished);
	add_fence(test, &t->resv, fence, DMA_RESV_USAGE_WRITE);

	KUNIT_EXPECT_FALSE(test, synced_to(test, adev, AMDGPU_SYNC_NE_OWNER, &owner));
	KUNIT_EXPECT_TRUE(test, synced_to(test, adev, AMDGPU_SYNC_NE_OWNER, &another));
	KUNIT_EXPECT_TRUE(test, synced_to(test, other, AMDGPU_SYNC_NE_OWNER, &owner));
	KUNIT_EXPECT_TRUE(test, synced_to(test, adev, AMDGPU_SYNC_EQ_OWNER, &owner));
	KUNIT_EXPECT_FALSE(test, synced_to(test, adev, AMDGPU_SYNC_EQ_OWNER, &another));
	KUNIT_EXPECT_TRUE(test, synced_to(test, other, AMDGPU_SYNC_EQ_OWNER, &another));

	/* R7: and of one that is done it is not asked whose it was. */
	dma_fence_signal(&job->base.s_fence->scheduled);
	dma_fence_signal(fence);
	KUNIT_EXPECT_FALSE(test, synced_to(test, adev, AMDGPU_SYNC_NE_OWNER, &another));
	KUNIT_EXPECT_FALSE(test, synced_to(test, other, AMDGPU_SYNC_EQ_OWNER, &another));
	amdgpu_job_free(job);
	dma_fence_put(fence);
}

static struct dma_fence *never_run(struct drm_sched_job *job)
{
	return NULL;
}

static const struct drm_sched_backend_ops foreign_sched_ops = {
	.run_job = never_run,
};

/*
 * The scheduler of another driver is not in a ring of amdgpu. Here it is in what
 * would pass for one of the same device, so that one can see who looks.
 */
static void amdgpu_sync_test_jobs_of_another_driver_are_synced_to(struct kunit *test)
{
	const struct drm_sched_init_args args = {
		.ops = &foreign_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "foreign",
	};
	struct sync_test *t = test->priv;
	struct amdgpu_device *adev = t->mock->adev;
	struct amdgpu_ring *ring = kunit_kzalloc(test, sizeof(*ring), GFP_KERNEL);
	struct drm_sched_entity *entity = kunit_kzalloc(test, sizeof(*entity), GFP_KERNEL);
	struct drm_sched_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct drm_gpu_scheduler *sched;
	struct dma_fence *fence;
	int owner;

	KUNIT_ASSERT_NOT_NULL(test, ring);
	KUNIT_ASSERT_NOT_NULL(test, entity);
	KUNIT_ASSERT_NOT_NULL(test, job);
	ring->adev = adev;
	sched = &ring->sched;
	KUNIT_ASSERT_EQ(test, drm_sched_init(sched, &args), 0);
	KUNIT_ASSERT_EQ(test, 0, drm_sched_entity_init(entity, DRM_SCHED_PRIORITY_NORMAL,
						       &sched, 1, NULL));
	KUNIT_ASSERT_EQ(test, drm_sched_job_init(job, entity, 1, &owner, 0), 0);
	drm_sched_job_arm(job);
	fence = dma_fence_get(&job->s_fence->finished);
	add_fence(test, &t->resv, fence, DMA_RESV_USAGE_WRITE);

	KUNIT_EXPECT_TRUE(test, synced_to(test, adev, AMDGPU_SYNC_NE_OWNER, &owner));

	dma_fence_signal(&job->s_fence->scheduled);
	dma_fence_signal(fence);
	drm_sched_job_cleanup(job);
	drm_sched_entity_destroy(entity);
	drm_sched_fini(sched);
	dma_fence_put(fence);
}

static struct kunit_case sync_test_cases[] = {
	KUNIT_CASE(amdgpu_sync_test_not_pushed_to_a_full_job),
	KUNIT_CASE(amdgpu_sync_test_not_waited_for_by_a_full_job),
	KUNIT_CASE(amdgpu_sync_test_own_jobs_are_left_out),
	KUNIT_CASE(amdgpu_sync_test_jobs_of_another_driver_are_synced_to),
	{}
};

static struct kunit_suite sync_test_suite = {
	.name = "amdgpu_sync",
	.test_cases = sync_test_cases,
	.init = sync_test_init,
};

kunit_test_suite(sync_test_suite);
