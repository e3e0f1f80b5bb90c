// SPDX-License-Identifier: GPL-2.0
/*
 * Seqnos. Which of two fences of a context is the later one is asked long after
 * they have signaled, so their width is recorded in the fence: to compare them
 * takes no ops.
 */

#include <kunit/test.h>

#include <linux/dma-fence.h>

#include "mock-issuer.h"

static const struct seqno_param {
	const char *name;
	unsigned int flags;
	u64 first, second;
	bool first_later, second_later;
} seqno_params[] = {
	{ "32 bits, next", 0, 1, 2, false, true },
	{ "32 bits, same", 0, 7, 7, false, false },
	{ "32 bits, wraps around", 0, 0xffffffff, 0, false, true },
	{ "32 bits, far apart", 0, 0x7fffffff, 0xfffffffe, false, true },
	{ "32 bits, upper half ignored", 0, 1ull << 32, 1, false, true },
	{ "32 bits, wraps around into upper half", 0, 0xffffffff, 1ull << 32,
	  false, true },
	{ "64 bits, next", MOCK_SEQNO64, 1, 2, false, true },
	{ "64 bits, same", MOCK_SEQNO64, 7, 7, false, false },
	{ "64 bits, lower half full", MOCK_SEQNO64, 0xffffffff, 0, true, false },
	{ "64 bits, next in upper half", MOCK_SEQNO64, 0xffffffff, 1ull << 32,
	  false, true },
	{ "64 bits, upper half counts", MOCK_SEQNO64, 1ull << 32, 1, true, false },
	{ "64 bits, does not wrap around", MOCK_SEQNO64, U64_MAX, 0, true, false },
};

KUNIT_ARRAY_PARAM_DESC(seqno, seqno_params, name);

static void expect_order(struct kunit *test, struct dma_fence *first,
			 struct dma_fence *second)
{
	const struct seqno_param *param = test->param_value;

	KUNIT_EXPECT_EQ(test, dma_fence_is_later(first, second), param->first_later);
	KUNIT_EXPECT_EQ(test, dma_fence_is_later(second, first), param->second_later);
	KUNIT_EXPECT_EQ(test, dma_fence_is_later_or_same(first, second),
			param->first_later);
	KUNIT_EXPECT_EQ(test, dma_fence_is_later_or_same(second, first),
			param->second_later);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later_or_same(first, first));
	KUNIT_EXPECT_EQ(test, param->first_later,
			__dma_fence_is_later(first, param->first, param->second));
	KUNIT_EXPECT_EQ(test, param->second_later,
			__dma_fence_is_later(first, param->second, param->first));
}

static void dma_fence_test_order(struct kunit *test)
{
	const struct seqno_param *param = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, param->flags);
	struct dma_fence *first = mock_fence_create(issuer, param->first);
	struct dma_fence *second = mock_fence_create(issuer, param->second);

	expect_order(test, first, second);
	dma_fence_signal(first);
	expect_order(test, first, second);
	dma_fence_signal(second);
	expect_order(test, first, second);

	mock_issuer_destroy(issuer);
	expect_order(test, first, second);
	dma_fence_put(first);
	dma_fence_put(second);
}

/* The later one of two, as far as it has not signaled yet. */
static void dma_fence_test_later_is_the_one_to_wait_for(struct kunit *test)
{
	const struct seqno_param *param = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, param->flags);
	struct dma_fence *first = mock_fence_create(issuer, param->first);
	struct dma_fence *second = mock_fence_create(issuer, param->second);
	struct dma_fence *later, *earlier;

	if (param->first_later == param->second_later) {
		/* Of equals it is the second that is given. */
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(first, second), second);
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(second, first), first);
		later = second;
		earlier = first;
	} else {
		later = param->first_later ? first : second;
		earlier = param->first_later ? second : first;
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(first, second), later);
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(second, first), later);
		dma_fence_signal(earlier);
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(first, second), later);
		KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(second, first), later);
	}

	dma_fence_signal(earlier);
	dma_fence_signal(later);
	KUNIT_EXPECT_NULL(test, dma_fence_later(first, second));
	KUNIT_EXPECT_NULL(test, dma_fence_later(second, first));

	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_NULL(test, dma_fence_later(first, second));
	dma_fence_put(first);
	dma_fence_put(second);
}

/* One who has left the same context is compared with one who has not. */
static void dma_fence_test_order_with_detached(struct kunit *test)
{
	const struct seqno_param *param = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, param->flags);
	struct mock_issuer *heir = mock_issuer_create(test, param->flags);
	struct dma_fence *first, *second;

	heir->context = issuer->context;
	first = mock_fence_create(issuer, param->first);
	second = mock_fence_create(heir, param->second);

	dma_fence_signal(first);
	mock_issuer_destroy(issuer);
	expect_order(test, first, second);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_later(first, second),
			    param->first_later ? NULL : second);

	dma_fence_signal(second);
	dma_fence_put(first);
	dma_fence_put(second);
}

static void dma_fence_test_width_is_a_flag(struct kunit *test)
{
	struct dma_fence *narrow, *wide;

	narrow = mock_fence_create_orphan(test, mock_lock_flags(test));
	wide = mock_fence_create_orphan(test, MOCK_SEQNO64 | mock_lock_flags(test));

	KUNIT_EXPECT_FALSE(test, test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &narrow->flags));
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &wide->flags));
	dma_fence_put(narrow);
	dma_fence_put(wide);
}

/* What issuers keep in the flags of their fences is none of the core's. */
static void dma_fence_test_user_bits_are_the_issuers(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	unsigned long mask = ~0ul << DMA_FENCE_FLAG_USER_BITS;

	KUNIT_EXPECT_EQ(test, fence->flags & mask, 0);
	fence->flags |= mask;
	dma_fence_enable_signaling(fence);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, fence->flags & mask, mask);
	mock_issuer_destroy(issuer);
	mock_fence_use(test, fence);
	KUNIT_EXPECT_EQ(test, fence->flags & mask, mask);
	dma_fence_put(fence);
}

static void dma_fence_test_contexts_are_unique(struct kunit *test)
{
	u64 first = dma_fence_context_alloc(3);
	u64 second = dma_fence_context_alloc(1);
	u64 third = dma_fence_context_alloc(1);

	KUNIT_EXPECT_NE(test, first, 0);
	KUNIT_EXPECT_GE(test, second, first + 3);
	KUNIT_EXPECT_GE(test, third, second + 1);
}

static struct kunit_case dma_fence_seqno_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_order, seqno_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_later_is_the_one_to_wait_for, seqno_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_order_with_detached, seqno_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_width_is_a_flag, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_user_bits_are_the_issuers, mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_contexts_are_unique),
	{}
};

static struct kunit_suite dma_fence_seqno_test_suite = {
	.name = "dma_fence_seqno",
	.test_cases = dma_fence_seqno_tests,
};

kunit_test_suite(dma_fence_seqno_test_suite);
