// SPDX-License-Identifier: MIT
/*
 * How i915 looks for its requests in containers of others.
 */

#include <kunit/test.h>

#include "mock-issuer.h"

static void chain_is_recognised(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct i915_sched_attr attr = {};
	struct dma_fence_chain *chain;

	chain = dma_fence_chain_alloc();
	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, NULL, dma_fence_get(fence), 1);
	KUNIT_EXPECT_TRUE(test, __dma_fence_is_chain(&chain->base));
	KUNIT_EXPECT_FALSE(test, __dma_fence_is_chain(fence));
	/* There is no request in it, which is all that can be done without a GPU. */
	i915_gem_fence_wait_priority(&chain->base, &attr);

	dma_fence_signal(fence);
	KUNIT_EXPECT_FALSE(test, __dma_fence_is_chain(fence));
	dma_fence_put(&chain->base);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

static struct kunit_case gem_wait_cases[] = {
	KUNIT_CASE_PARAM(chain_is_recognised, mock_lock_gen_params),
	{}
};

static struct kunit_suite gem_wait_suite = {
	.name = "i915_gem_wait",
	.test_cases = gem_wait_cases,
};

kunit_test_suite(gem_wait_suite);
