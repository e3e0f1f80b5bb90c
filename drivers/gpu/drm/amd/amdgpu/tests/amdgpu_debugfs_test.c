// SPDX-License-Identifier: MIT
/*
 * The preemption of a ring, which takes all fences off and signals them in the end.
 * The hardware that is preempted just forgets what it has been doing.
 */

#include <linux/rcupdate.h>

#include "amdgpu_mock.h"

struct preempt_test {
	struct amdgpu_mock *mock;
	struct drm_sched_entity entity;
};

static void preempt_test_entity_destroy(void *data)
{
	struct preempt_test *t = data;
	struct amdgpu_ring *ring = t->mock->ring;
	unsigned long end = jiffies + 5 * HZ;

	/* What a test that failed has left. */
	amdgpu_mock_complete_all(ring);
	drm_sched_entity_destroy(&t->entity);
	/* drm_sched_fini() leaks jobs that are yet to be freed. */
	while (!list_empty(&ring->sched.pending_list) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	flush_work(&ring->sched.work_free_job);
}

static int preempt_test_init(struct kunit *test)
{
	struct drm_gpu_scheduler *sched;
	struct preempt_test *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	sched = &t->mock->ring->sched;
	KUNIT_ASSERT_EQ(test, 0, drm_sched_entity_init(&t->entity, DRM_SCHED_PRIORITY_NORMAL,
						       &sched, 1, NULL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, preempt_test_entity_destroy, t));

	test->priv = t;
	return 0;
}

/* Submit a job, and wait until the hardware has it. */
static struct dma_fence *run_job(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct amdgpu_job *job = NULL;
	struct dma_fence *finished;

	KUNIT_ASSERT_EQ(test, 0, amdgpu_job_alloc_with_ib(t->mock->adev, &t->entity, t, 256,
							  AMDGPU_IB_POOL_DELAYED, &job, 0));
	job->ibs[0].length_dw = 16;
	finished = amdgpu_job_submit(job);
	mock_wait_until(test, rcu_access_pointer(to_drm_sched_fence(finished)->parent));
	return finished;
}

static int preempt(struct kunit *test)
{
	struct preempt_test *t = test->priv;

	return amdgpu_debugfs_ib_preempt(t->mock->adev, t->mock->ring->idx);
}

/*
 * A fence without a job, which nobody emits anew. A job would be run with the list
 * of jobs locked, and may sleep.
 */
static void amdgpu_preempt_test_taken_off_by_a_preemption(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *fence = amdgpu_mock_emit(t->mock);

	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before + IS_ENABLED(CONFIG_PM));
	KUNIT_EXPECT_EQ(test, preempt(test), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->ring), 0);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	amdgpu_mock_last_put(test, fence);
}

/* It is done by the time of the preemption. */
static void amdgpu_preempt_test_nothing_to_preempt(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *finished = run_job(test);

	amdgpu_mock_complete(t->mock->ring, t->mock->seq);
	KUNIT_EXPECT_EQ(test, preempt(test), 0);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 1);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	dma_fence_put(finished);
}

/* The ring goes on with what it is at. */
static void amdgpu_preempt_test_preemption_fails(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *finished = run_job(test);

	t->mock->preempt_error = -EIO;
	KUNIT_EXPECT_EQ(test, preempt(test), -EIO);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->ring), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	amdgpu_mock_complete_all(t->mock->ring);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(finished);

	KUNIT_EXPECT_EQ(test, amdgpu_debugfs_ib_preempt(t->mock->adev, AMDGPU_MAX_RINGS), -EINVAL);
	KUNIT_EXPECT_EQ(test, amdgpu_debugfs_ib_preempt(t->mock->adev, t->mock->kiq->idx), -EINVAL);
}

static struct kunit_case preempt_test_cases[] = {
	KUNIT_CASE(amdgpu_preempt_test_taken_off_by_a_preemption),
	KUNIT_CASE(amdgpu_preempt_test_nothing_to_preempt),
	KUNIT_CASE(amdgpu_preempt_test_preemption_fails),
	{}
};

static struct kunit_suite preempt_test_suite = {
	.name = "amdgpu_preempt",
	.test_cases = preempt_test_cases,
	.init = preempt_test_init,
};

kunit_test_suite(preempt_test_suite);
