// SPDX-License-Identifier: MIT
/*
 * An asynchronous wait for the fence of another driver, which ends in time or does not.
 */

#include <kunit/test.h>

#include "mock-issuer.h"

static int sw_fence_test_notify(struct i915_sw_fence *fence,
				enum i915_sw_fence_notify state)
{
	return NOTIFY_DONE;
}

/* Wait for @fence, for at most @timeout jiffies. */
static struct i915_sw_fence *wait_for(struct kunit *test, struct dma_fence *fence,
				      unsigned long timeout)
{
	struct i915_sw_fence *sw = kunit_kzalloc(test, sizeof(*sw), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sw);
	i915_sw_fence_init(sw, sw_fence_test_notify);
	KUNIT_EXPECT_EQ(test, i915_sw_fence_await_dma_fence(sw, fence, timeout, GFP_KERNEL), 1);
	i915_sw_fence_commit(sw);
	KUNIT_EXPECT_FALSE(test, i915_sw_fence_done(sw));

	return sw;
}

static void that_takes_too_long_fails(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct i915_sw_fence *sw = wait_for(test, fence, 2);

	mock_wait_until(test, i915_sw_fence_done(sw));
	KUNIT_EXPECT_EQ(test, sw->error, -ETIMEDOUT);

	dma_fence_signal(fence);
	mock_expect_refs(test, fence, 1);
	i915_sw_fence_fini(sw);
	dma_fence_put(fence);
}

static void that_ends_in_time_succeeds(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct i915_sw_fence *sw = wait_for(test, fence, 10 * HZ);

	dma_fence_signal(fence);
	mock_wait_until(test, i915_sw_fence_done(sw));
	KUNIT_EXPECT_EQ(test, sw->error, 0);
	mock_expect_refs(test, fence, 1);
	mock_issuer_destroy(issuer);
	i915_sw_fence_fini(sw);
	dma_fence_put(fence);
}

static struct kunit_case sw_fence_cases[] = {
	KUNIT_CASE_PARAM(that_takes_too_long_fails, mock_lock_gen_params),
	KUNIT_CASE_PARAM(that_ends_in_time_succeeds, mock_lock_gen_params),
	{}
};

static struct kunit_suite sw_fence_suite = {
	.name = "i915_sw_fence",
	.test_cases = sw_fence_cases,
};

kunit_test_suite(sw_fence_suite);
