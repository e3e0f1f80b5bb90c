// SPDX-License-Identifier: GPL-2.0
/*
 * What callers may rely on who were written for the kernel without detached
 * fences, or for later ones: NULL where it was taken, names and forms of both.
 * What must not compile any more is not here.
 */

#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/file.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include "mock-issuer.h"

static struct dma_fence *live_fence(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, 0), 1);
}

/* As panthor does for a job without a stream. */
static void free_takes_null(struct kunit *test)
{
	dma_fence_free(NULL);
}

static void references_take_null(struct kunit *test)
{
	struct dma_fence __rcu *none = NULL;

	dma_fence_put(NULL);
	KUNIT_EXPECT_NULL(test, dma_fence_get(NULL));
	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu_safe(&none));
	rcu_read_unlock();
}

/* As in later kernels; here nobody asks without a fence. */
static void null_was_not_initialized(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, dma_fence_was_initialized(NULL));
}

static void signal_refuses_null(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, dma_fence_signal(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp(NULL, 0), -EINVAL);
	/* There is nothing left to signal. */
	KUNIT_EXPECT_TRUE(test, dma_fence_check_and_signal(NULL));
}

static void waiting_warns_of_null(struct kunit *test)
{
	struct mock_cb cb = {};

	mock_warn_begin(test, "dma_fence_add_callback, dma_fence_wait_any_timeout");
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_fence_add_callback(NULL, &cb.base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dma_fence_wait_any_timeout(NULL, 1, false, 0, NULL));
	mock_warn_end(test);
}

static void null_is_no_container(struct kunit *test)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *fence = NULL;
	unsigned int i;

	KUNIT_EXPECT_NULL(test, to_dma_fence_array(NULL));
	KUNIT_EXPECT_NULL(test, dma_fence_array_first(NULL));
	KUNIT_EXPECT_NULL(test, dma_fence_array_next(NULL, 0));
	dma_fence_array_for_each(fence, i, NULL)
		KUNIT_FAIL(test, "a fence in no array");

	KUNIT_EXPECT_NULL(test, to_dma_fence_chain(NULL));
	KUNIT_EXPECT_NULL(test, dma_fence_chain_contained(NULL));
	KUNIT_EXPECT_NULL(test, dma_fence_chain_walk(NULL));
	fence = NULL;
	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&fence, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&fence, 1), -EINVAL);
	dma_fence_chain_for_each(fence, NULL)
		KUNIT_FAIL(test, "a fence in no chain");
	dma_fence_chain_free(NULL);

	dma_fence_unwrap_for_each(fence, &cursor, NULL)
		KUNIT_FAIL(test, "a fence in nothing");
}

static void chain_begins_with_null(struct kunit *test)
{
	struct dma_fence *fence = live_fence(test);
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, NULL, dma_fence_get(fence), 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&chain->base));
	dma_fence_put(&chain->base);
	dma_fence_put(fence);
}

static void merge_leaves_null_out(struct kunit *test)
{
	struct dma_fence *fence = live_fence(test);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(NULL, fence, NULL);
	KUNIT_EXPECT_PTR_EQ(test, merged, fence);
	dma_fence_put(merged);

	merged = dma_fence_unwrap_merge(NULL, NULL);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(merged), 1);
	dma_fence_put(merged);

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void sync_file_takes_null(struct kunit *test)
{
	struct sync_file *sync_file = sync_file_create(NULL);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_EXPECT_NULL(test, sync_file->fence);
	/* At once, as the file was never open. */
	__fput_sync(sync_file->file);
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(-1));
}

static const char *compat_get_name(struct dma_fence *fence)
{
	return "compat";
}

/* As in drivers written for 6.12. */
static const struct dma_fence_ops compat_wide_ops = {
	.use_64bit_seqno = true,
	.get_driver_name = compat_get_name,
	.get_timeline_name = compat_get_name,
};

static const struct dma_fence_ops compat_ops = {
	.get_driver_name = compat_get_name,
	.get_timeline_name = compat_get_name,
};

static bool is_wide(struct dma_fence *fence)
{
	return test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &fence->flags);
}

static struct dma_fence *compat_alloc(struct kunit *test)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);

	return fence;
}

/* Ends the fence as well. */
static void expect_wide(struct kunit *test, struct dma_fence *fence, bool wide)
{
	/* Not asked of the ops, which are gone. */
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, is_wide(fence), wide);
	KUNIT_EXPECT_EQ(test, __dma_fence_is_later(fence, 1ull << 32, 1), wide);
	dma_fence_put(fence);
}

static void ops_may_ask_for_wide_seqnos(struct kunit *test)
{
	const struct dma_fence_ops *volatile unknown = &compat_wide_ops;
	struct dma_fence *fence;

	/* Seen by the compiler ... */
	fence = compat_alloc(test);
	dma_fence_init(fence, &compat_wide_ops, NULL, 1, 1);
	expect_wide(test, fence, true);
	fence = compat_alloc(test);
	dma_fence_init(fence, &compat_ops, NULL, 1, 1);
	expect_wide(test, fence, false);

	/* ... and not. */
	fence = compat_alloc(test);
	dma_fence_init(fence, unknown, NULL, 1, 1);
	expect_wide(test, fence, true);
	unknown = &compat_ops;
	fence = compat_alloc(test);
	dma_fence_init(fence, unknown, NULL, 1, 1);
	expect_wide(test, fence, false);
}

static void init_evaluates_its_arguments_once(struct kunit *test)
{
	struct dma_fence *fences[2] = { compat_alloc(test) };
	const struct dma_fence_ops *ops[] = { &compat_wide_ops, NULL };
	int fence = 0, op = 0, context = 0, seqno = 0;

	dma_fence_init(fences[fence++], ops[op++], NULL, context++, seqno++);
	KUNIT_EXPECT_EQ(test, fence, 1);
	KUNIT_EXPECT_EQ(test, op, 1);
	KUNIT_EXPECT_EQ(test, context, 1);
	KUNIT_EXPECT_EQ(test, seqno, 1);
	expect_wide(test, fences[0], true);
}

/* A table of functions, or a binding of another language, wants their addresses. */
static void init_has_an_address(struct kunit *test)
{
	void (*volatile init)(struct dma_fence *fence, const struct dma_fence_ops *ops,
			      spinlock_t *lock, u64 context, u64 seqno) = dma_fence_init;
	struct dma_fence *fence = compat_alloc(test);

	init(fence, &compat_ops, NULL, 3, 4);
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(fence));
	KUNIT_EXPECT_EQ(test, fence->context, 3);
	KUNIT_EXPECT_EQ(test, fence->seqno, 4);
	expect_wide(test, fence, false);

	fence = compat_alloc(test);
	init(fence, &compat_wide_ops, NULL, 1, 1);
	expect_wide(test, fence, true);

	init = &dma_fence_init64;
	fence = compat_alloc(test);
	init(fence, &compat_ops, NULL, 1, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(fence));
	expect_wide(test, fence, true);
}

static void check_and_signal_tells_who_was_first(struct kunit *test)
{
	/* Drivers from outside the tree probe for the type as well. */
	bool (*volatile signal)(struct dma_fence *fence) = dma_fence_check_and_signal;
	bool (*volatile signal_locked)(struct dma_fence *fence) =
		dma_fence_check_and_signal_locked;
	struct dma_fence *fence = live_fence(test);
	unsigned long flags;
	bool was, again;

	KUNIT_EXPECT_FALSE(test, signal(fence));
	KUNIT_EXPECT_TRUE(test, signal(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);

	fence = live_fence(test);
	dma_fence_lock_irqsave(fence, flags);
	was = signal_locked(fence);
	again = signal_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_EXPECT_FALSE(test, was);
	KUNIT_EXPECT_TRUE(test, again);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

/* The results that 6.12 has and later kernels have not. */
static void second_signal_is_an_error(struct kunit *test)
{
	struct dma_fence *fence = live_fence(test);
	unsigned long flags;
	int ret;

	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_signal_timestamp(fence, 1), -EINVAL);

	dma_fence_lock_irqsave(fence, flags);
	ret = dma_fence_signal_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_EXPECT_EQ(test, ret, -EINVAL);
	dma_fence_put(fence);
}

static void signaling_is_enabled_by_either_name(struct kunit *test)
{
	void (*volatile enable)(struct dma_fence *fence) = dma_fence_enable_signaling;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ENABLE_CB);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	enable(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->enable_signaling), 1);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->enable_signaling), 1);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* How a driver finds out at compile time what it is compiled for. */
static void helpers_are_known_to_the_preprocessor(struct kunit *test)
{
#ifndef dma_fence_lock_irqsave
	KUNIT_FAIL(test, "no macro dma_fence_lock_irqsave");
#endif
}

static struct kunit_case dma_fence_compat_cases[] = {
	KUNIT_CASE(free_takes_null),
	KUNIT_CASE(references_take_null),
	KUNIT_CASE(null_was_not_initialized),
	KUNIT_CASE(signal_refuses_null),
	KUNIT_CASE(waiting_warns_of_null),
	KUNIT_CASE(null_is_no_container),
	KUNIT_CASE(chain_begins_with_null),
	KUNIT_CASE(merge_leaves_null_out),
	KUNIT_CASE(sync_file_takes_null),
	KUNIT_CASE(ops_may_ask_for_wide_seqnos),
	KUNIT_CASE(init_evaluates_its_arguments_once),
	KUNIT_CASE(init_has_an_address),
	KUNIT_CASE(check_and_signal_tells_who_was_first),
	KUNIT_CASE(second_signal_is_an_error),
	KUNIT_CASE(signaling_is_enabled_by_either_name),
	KUNIT_CASE(helpers_are_known_to_the_preprocessor),
	{}
};

static struct kunit_suite dma_fence_compat_suite = {
	.name = "dma_fence_compat",
	.test_cases = dma_fence_compat_cases,
};

kunit_test_suite(dma_fence_compat_suite);
