// SPDX-License-Identifier: MIT
/*
 * i915 signals its requests in two steps, and somebody may come in between.
 */

#include <kunit/test.h>

#include "mock-issuer.h"

/* The second step, as signal_irq_work() does it. */
static void signal_the_rest(struct dma_fence *fence)
{
	struct list_head cb_list;
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	list_replace(&fence->cb_list, &cb_list);
	__dma_fence_signal__timestamp(fence, ktime_get());
	__dma_fence_signal__notify(fence, &cb_list);
	dma_fence_unlock_irqrestore(fence, flags);
}

/* Requests have a release. */
static struct dma_fence *create_fence(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, mock_lock_flags(test) |
						    MOCK_RELEASE), 1);
}

static void calls_all_callbacks_in_the_second_step(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct mock_cb cbs[2] = {};

	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, 0, dma_fence_add_callback(fence, &cbs[i].base,
								mock_cb_func));
	KUNIT_EXPECT_TRUE(test, __dma_fence_signal(fence));
	KUNIT_EXPECT_FALSE(test, __dma_fence_signal(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&cbs[0].count), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_callbacks_done(fence));

	signal_the_rest(fence);
	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&cbs[i].count), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_callbacks_done(fence));
	dma_fence_put(fence);
}

static void callback_removed_in_between_is_not_called(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct mock_cb cbs[2] = {};

	for (int i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, 0, dma_fence_add_callback(fence, &cbs[i].base,
								mock_cb_func));
	KUNIT_EXPECT_TRUE(test, __dma_fence_signal(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &cbs[0].base));
	signal_the_rest(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&cbs[0].count), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&cbs[1].count), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cbs[1].base));
	dma_fence_put(fence);
}

static struct kunit_case breadcrumbs_cases[] = {
	KUNIT_CASE_PARAM(calls_all_callbacks_in_the_second_step, mock_lock_gen_params),
	KUNIT_CASE_PARAM(callback_removed_in_between_is_not_called, mock_lock_gen_params),
	{}
};

static struct kunit_suite breadcrumbs_suite = {
	.name = "i915_breadcrumbs",
	.test_cases = breadcrumbs_cases,
};

kunit_test_suite(breadcrumbs_suite);
