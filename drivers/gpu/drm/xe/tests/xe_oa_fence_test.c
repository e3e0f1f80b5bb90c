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
	xe->unordered_wq = alloc_workqueue("oa-fence-test", 0, 0);
	KUNIT_ASSERT_NOT_NULL(test, xe->unordered_wq);
	return 0;
}

static void oa_fence_test_exit(struct kunit *test)
{
	struct xe_device *xe = test->priv;

	if (xe)
		destroy_workqueue(xe->unordered_wq);
}

/* A fence of a configuration whose job is done: the job's callback is called. */
static struct dma_fence *create_fence(struct kunit *test)
{
	struct xe_oa_fence *ofence = kzalloc(sizeof(*ofence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ofence);
	xe_oa_fence_init(ofence, test->priv);
	/* The work has the first. */
	dma_fence_get(&ofence->base);
	xe_oa_config_cb(dma_fence_get_stub(), &ofence->cb);
	return &ofence->base;
}

static void signaled_some_time_after_the_job(struct kunit *test)
{
	ktime_t start = ktime_get();
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, offsetof(struct xe_oa_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	KUNIT_EXPECT_GE(test, ktime_us_delta(dma_fence_timestamp(fence), start),
			NOA_PROGRAM_ADDITIONAL_DELAY_US);
	flush_workqueue(((struct xe_device *)test->priv)->unordered_wq);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

/* The stream is closed at once, and nobody but the work knows the fence. */
static void dropped_before_it_is_signaled(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct xe_device *xe = test->priv;
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	dma_fence_put(fence);
	flush_workqueue(xe->unordered_wq);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
}

/* Somebody holds a fence of a device that is unbound, for ever. */
static void held_while_the_device_goes(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct xe_device *xe = test->priv;

	/* What xe_device_destroy() does, with the fence not yet signaled. */
	destroy_workqueue(xe->unordered_wq);
	test->priv = NULL;
	synchronize_rcu();
	drm_kunit_helper_free_device(test, xe->drm.dev);

	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
	rcu_barrier();
}

static struct kunit_case oa_fence_test_cases[] = {
	KUNIT_CASE(signaled_some_time_after_the_job),
	KUNIT_CASE(dropped_before_it_is_signaled),
	KUNIT_CASE(held_while_the_device_goes),
	{}
};

static struct kunit_suite oa_fence_suite = {
	.name = "xe_oa_fence",
	.test_cases = oa_fence_test_cases,
	.init = oa_fence_test_init,
	.exit = oa_fence_test_exit,
};

kunit_test_suites(&oa_fence_suite);
