// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * The fences of bind jobs, which invalidate the TLB when the job is done. There
 * is no GuC, so that an invalidation is over as soon as it begins.
 */

#include <linux/delay.h>

#include <drm/drm_kunit_helpers.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"

struct pt_test {
	struct xe_device *xe;
	struct dma_fence job;
};

static int pt_test_init(struct kunit *test)
{
	struct pt_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = test->priv;
	t->xe->info.force_execlist = true;
	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(t->xe), 0);

	xe_fence_test_wake_up(t->xe);
	xe_fence_test_init_foreign(&t->job);
	test->priv = t;
	return 0;
}

/* What xe_device_destroy() does, among other things. */
static void pt_test_free(struct pt_test *t)
{
	if (!t->xe)
		return;
	xe_device_fini_workqueues(t->xe);
	xe_fence_test_let_sleep(t->xe->drm.dev);
	t->xe = NULL;
}

static void pt_test_exit(struct kunit *test)
{
	pt_test_free(test->priv);
}

/* The fence of a bind job, as xe_pt_update_ops_run() makes it. */
static struct dma_fence *create_fence(struct kunit *test)
{
	struct invalidation_fence *ifence = kzalloc(sizeof(*ifence), GFP_KERNEL);
	struct pt_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, ifence);
	KUNIT_EXPECT_EQ(test, offsetof(struct invalidation_fence, base.base), 0);
	invalidation_fence_init(xe_device_get_gt(t->xe, 0), ifence,
				dma_fence_get(&t->job), 0, SZ_64K, 1);
	return &ifence->base.base;
}

/* The job is done: nobody else has a reference to its fence any more. */
static void expect_job_put(struct kunit *test)
{
	struct pt_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, kref_read(&t->job.refcount), 1);
}

static void xe_pt_test_signaled_after_the_job(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	flush_workqueue(t->xe->unordered_wq);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	dma_fence_signal(&t->job);
	flush_workqueue(t->xe->unordered_wq);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	expect_job_put(test);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

static void xe_pt_test_job_fails(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	dma_fence_set_error(&t->job, -EIO);
	dma_fence_signal(&t->job);
	/* There is nothing to invalidate. */
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	expect_job_put(test);
	xe_fence_test_use(test, fence, -EIO);
	xe_fence_test_last_put(test, fence);
}

static void xe_pt_test_job_is_done_already(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct dma_fence *fence;

	dma_fence_signal(&t->job);
	fence = create_fence(test);
	expect_job_put(test);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

/* Nobody but the work that invalidates knows the fence. */
static void xe_pt_test_dropped_before_the_job_is_done(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	dma_fence_put(fence);
	dma_fence_signal(&t->job);
	flush_workqueue(t->xe->unordered_wq);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
}

struct late_work {
	struct work_struct work;
	bool done;
};

static void late_work_fn(struct work_struct *work)
{
	msleep(50);
	WRITE_ONCE(container_of(work, struct late_work, work)->done, true);
}

/* The GT is freed before the workqueues of the device are destroyed. */
static void xe_pt_test_gt_waits_for_the_work(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct xe_device *xe = t->xe;
	struct device *dev = xe->drm.dev;
	struct workqueue_struct *wq;
	struct late_work late = {};

	pt_test_free(t);
	wq = alloc_workqueue("pt-test", 0, 0);
	KUNIT_ASSERT_NOT_NULL(test, wq);
	xe->unordered_wq = wq;
	INIT_WORK_ONSTACK(&late.work, late_work_fn);
	queue_work(wq, &late.work);

	drm_kunit_helper_free_device(test, dev);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(late.done));
	destroy_workqueue(wq);
	destroy_work_on_stack(&late.work);
}

/* Somebody holds a fence of a device that is unbound, for ever. */
static void xe_pt_test_held_while_the_device_goes(struct kunit *test)
{
	struct pt_test *t = test->priv;
	struct device *dev = t->xe->drm.dev;
	struct dma_fence *fence = create_fence(test);

	/* The work is not done yet: it is waited for. */
	dma_fence_signal(&t->job);
	pt_test_free(t);
	synchronize_rcu();
	drm_kunit_helper_free_device(test, dev);

	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
	rcu_barrier();
}

static struct kunit_case pt_test_cases[] = {
	KUNIT_CASE(xe_pt_test_signaled_after_the_job),
	KUNIT_CASE(xe_pt_test_job_fails),
	KUNIT_CASE(xe_pt_test_job_is_done_already),
	KUNIT_CASE(xe_pt_test_dropped_before_the_job_is_done),
	KUNIT_CASE(xe_pt_test_gt_waits_for_the_work),
	KUNIT_CASE(xe_pt_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite pt_suite = {
	.name = "xe_pt_invalidation",
	.test_cases = pt_test_cases,
	.init = pt_test_init,
	.exit = pt_test_exit,
};

kunit_test_suites(&pt_suite);
