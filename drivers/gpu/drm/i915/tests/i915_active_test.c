// SPDX-License-Identifier: MIT
/*
 * A tracker of fences that moves from one to the next, with the locks of both, and how
 * i915 tells its requests from the fences of others.
 */

#include <kunit/test.h>

#include "i915_request.h"
#include "mock-issuer.h"

/**
 * struct active_test - a tracker that counts
 * @base: the tracker
 * @called: how often a fence has told it that it has signaled
 * @retired: how often that was the one that it tracked
 */
struct active_test {
	struct i915_active_fence base;
	int called;
	int retired;
};

static void active_test_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct active_test *t = container_of(cb, typeof(*t), base.cb);

	t->called++;
	t->retired += active_fence_cb(fence, cb);
}

static struct active_test *create_tracker(struct kunit *test)
{
	struct active_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	__i915_active_fence_init(&t->base, NULL, active_test_func);
	return t;
}

/* Each with a lock of its own, as requests have, in the fence or outside of it. */
static struct dma_fence *create_fence(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, mock_lock_flags(test)), 1);
}

static void moves_to_the_next(struct kunit *test)
{
	struct active_test *t = create_tracker(test);
	struct dma_fence *first = create_fence(test), *second = create_fence(test);

	KUNIT_EXPECT_NULL(test, __i915_active_fence_set(&t->base, first));
	KUNIT_EXPECT_FALSE(test, list_empty(&first->cb_list));
	/* with a reference */
	KUNIT_EXPECT_PTR_EQ(test, __i915_active_fence_set(&t->base, second), first);
	mock_expect_refs(test, first, 2);
	dma_fence_put(first);
	KUNIT_EXPECT_TRUE(test, list_empty(&first->cb_list));
	KUNIT_EXPECT_FALSE(test, list_empty(&second->cb_list));

	dma_fence_signal(first);
	KUNIT_EXPECT_EQ(test, t->called, 0);
	dma_fence_signal(second);
	KUNIT_EXPECT_EQ(test, t->called, 1);
	KUNIT_EXPECT_EQ(test, t->retired, 1);
	KUNIT_EXPECT_FALSE(test, i915_active_fence_isset(&t->base));
	dma_fence_put(first);
	dma_fence_put(second);
}

static void stays_at_the_same(struct kunit *test)
{
	struct active_test *t = create_tracker(test);
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_NULL(test, __i915_active_fence_set(&t->base, fence));
	KUNIT_EXPECT_PTR_EQ(test, __i915_active_fence_set(&t->base, fence), fence);
	dma_fence_put(fence);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, t->retired, 1);
	dma_fence_put(fence);
}

static void begins_anew_after_a_signal(struct kunit *test)
{
	struct active_test *t = create_tracker(test);
	struct dma_fence *first = create_fence(test), *second = create_fence(test);

	KUNIT_EXPECT_NULL(test, __i915_active_fence_set(&t->base, first));
	dma_fence_signal(first);
	KUNIT_EXPECT_NULL(test, __i915_active_fence_set(&t->base, second));
	mock_expect_refs(test, first, 1);
	dma_fence_signal(second);
	KUNIT_EXPECT_EQ(test, t->retired, 2);
	dma_fence_put(first);
	dma_fence_put(second);
}

static void request_is_recognised_before_and_after_its_signal(struct kunit *test)
{
	struct i915_request *rq = kunit_kzalloc(test, sizeof(*rq), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rq);
	spin_lock_init(&rq->lock);
	dma_fence_init(&rq->fence, &i915_fence_ops, &rq->lock, 0, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_i915(&rq->fence));
	dma_fence_signal(&rq->fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_i915(&rq->fence));
	/* It is no request but for that: it must not be released. */
}

static void other_is_no_request(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_FALSE(test, dma_fence_is_i915(fence));
	dma_fence_signal(fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_i915(fence));
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_i915(fence));
	dma_fence_put(fence);
}

static struct kunit_case active_cases[] = {
	KUNIT_CASE_PARAM(moves_to_the_next, mock_lock_gen_params),
	KUNIT_CASE_PARAM(stays_at_the_same, mock_lock_gen_params),
	KUNIT_CASE_PARAM(begins_anew_after_a_signal, mock_lock_gen_params),
	KUNIT_CASE(request_is_recognised_before_and_after_its_signal),
	KUNIT_CASE_PARAM(other_is_no_request, mock_lock_gen_params),
	{}
};

static struct kunit_suite active_suite = {
	.name = "i915_active",
	.test_cases = active_cases,
};

kunit_test_suite(active_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
