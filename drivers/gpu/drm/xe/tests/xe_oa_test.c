// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * The fences of OA configurations: of their job, the test has the fence.
 */

#include <drm/drm_kunit_helpers.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"

static int oa_fence_test_init(struct kunit *test)
{
	struct xe_device *xe;

	xe_kunit_helper_xe_device_test_init(test);
	xe = test->priv;
	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(xe), 0);
	return 0;
}

static void oa_fence_test_exit(struct kunit *test)
{
	struct xe_device *xe = test->priv;

	if (xe)
		xe_device_fini_workqueues(xe);
}

/* A fence of a configuration whose job is not done yet. */
static struct xe_oa_fence *create_pending(struct kunit *test)
{
	struct xe_oa_fence *ofence = kzalloc(sizeof(*ofence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ofence);
	xe_oa_fence_init(ofence, test->priv);
	/* The work has the first. */
	dma_fence_get(&ofence->base);
	return ofence;
}

/* A fence of a configuration whose job is done: the job's callback is called. */
static struct dma_fence *create_fence_of(struct kunit *test, struct dma_fence *job)
{
	struct xe_oa_fence *ofence = create_pending(test);

	xe_oa_config_cb(job, &ofence->cb);
	return &ofence->base;
}

static struct dma_fence *create_fence(struct kunit *test)
{
	return create_fence_of(test, dma_fence_get_stub());
}

static void xe_oa_test_signaled_some_time_after_the_job(struct kunit *test)
{
	ktime_t start = ktime_get();
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, offsetof(struct xe_oa_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);

	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	KUNIT_EXPECT_GE(test, ktime_us_delta(dma_fence_timestamp(fence), start),
			NOA_PROGRAM_ADDITIONAL_DELAY_US);
	flush_workqueue(((struct xe_device *)test->priv)->unordered_wq);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

/* The stream is closed at once, and nobody but the work knows the fence. */
static void xe_oa_test_dropped_before_it_is_signaled(struct kunit *test)
{
	struct xe_oa_fence *ofence = create_pending(test);
	struct xe_device *xe = test->priv;
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(&ofence->base, &cb), 0);
	dma_fence_put(&ofence->base);
	xe_oa_config_cb(dma_fence_get_stub(), &ofence->cb);
	flush_workqueue(xe->unordered_wq);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
}

/* Somebody holds a fence of a device that is unbound, for ever. */
static void xe_oa_test_held_while_the_device_goes(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct xe_device *xe = test->priv;

	/* What xe_device_destroy() does, with the fence not yet signaled. */
	xe_device_fini_workqueues(xe);
	test->priv = NULL;
	synchronize_rcu();
	drm_kunit_helper_free_device(test, xe->drm.dev);

	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
	rcu_barrier();
}

static void xe_oa_test_job_fails(struct kunit *test)
{
	struct dma_fence *job = dma_fence_allocate_private_stub(ktime_get());
	struct xe_device *xe = test->priv;
	struct dma_fence *fence;

	KUNIT_ASSERT_NOT_NULL(test, job);
	job->error = -ECANCELED;
	fence = create_fence_of(test, job);
	flush_workqueue(xe->unordered_wq);
	xe_fence_test_use(test, fence, -ECANCELED);
	xe_fence_test_last_put(test, fence);
}

struct late_work {
	struct work_struct work;
	bool done;
};

static void late_work_fn(struct work_struct *work)
{
	usleep_range(2000, 3000);
	WRITE_ONCE(container_of(work, struct late_work, work)->done, true);
}

/* The device is unbound, but something keeps it: all of its work is over then. */
static void xe_oa_test_held_while_the_module_goes(struct kunit *test)
{
	struct xe_device *xe = test->priv;
	struct workqueue_struct *wqs[] = {
		xe->preempt_fence_wq, xe->ordered_wq, xe->unordered_wq, xe->destroy_wq,
	};
	struct dma_fence *fence = create_fence(test);
	struct late_work late[ARRAY_SIZE(wqs)] = {};

	for (int i = 0; i < ARRAY_SIZE(wqs); i++) {
		INIT_WORK_ONSTACK(&late[i].work, late_work_fn);
		queue_work(wqs[i], &late[i].work);
	}
	xe_device_module_exit();
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	for (int i = 0; i < ARRAY_SIZE(wqs); i++) {
		KUNIT_EXPECT_TRUE(test, READ_ONCE(late[i].done));
		flush_work(&late[i].work);
		destroy_work_on_stack(&late[i].work);
	}
	flush_workqueue(xe->unordered_wq);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

static struct kunit_case oa_fence_test_cases[] = {
	KUNIT_CASE(xe_oa_test_signaled_some_time_after_the_job),
	KUNIT_CASE(xe_oa_test_dropped_before_it_is_signaled),
	KUNIT_CASE(xe_oa_test_job_fails),
	KUNIT_CASE(xe_oa_test_held_while_the_module_goes),
	KUNIT_CASE(xe_oa_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite oa_fence_suite = {
	.name = "xe_oa_fence",
	.test_cases = oa_fence_test_cases,
	.init = oa_fence_test_init,
	.exit = oa_fence_test_exit,
};

kunit_test_suites(&oa_fence_suite);
