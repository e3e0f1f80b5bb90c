// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting. The waiters put callbacks on their stacks: as with
 * dma_fence_remove_callback(), these are neither running nor will they run when
 * a waiter returns. A waiter wakes up after the signal, by when the issuer may be
 * gone, with the lock that it brought.
 */

#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>

#include "mock-issuer.h"

#define LONG_TIME (30 * HZ)

static struct dma_fence *fence_create(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, mock_lock_flags(test)), 1);
}

/* Only for a fence that has not signaled. */
static bool has_callbacks(struct dma_fence *fence)
{
	return !list_empty(&fence->cb_list);
}

static void dma_fence_test_wait_on_signaled(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 3), 3);
	/* For consistency with other functions that take a timeout. */
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 0), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_wait_times_out(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	unsigned long start = jiffies;

	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 0), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 2), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, true, 2), 0);
	KUNIT_EXPECT_GE(test, jiffies - start, 4);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	/* The callbacks were on the stacks of calls that have returned. */
	KUNIT_EXPECT_FALSE(test, has_callbacks(fence));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_signal_wakes_waiter(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_waiter *waiter;

	waiter = mock_waiter_start(test, fence, false, LONG_TIME);
	KUNIT_EXPECT_TRUE(test, has_callbacks(fence));
	dma_fence_signal(fence);
	KUNIT_EXPECT_GT(test, mock_waiter_join(waiter), 0);
	dma_fence_put(fence);
}

static void dma_fence_test_signal_wakes_waiter_without_timeout(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_waiter *waiter;

	waiter = mock_waiter_start(test, fence, true, MAX_SCHEDULE_TIMEOUT);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, mock_waiter_join(waiter), MAX_SCHEDULE_TIMEOUT);
	dma_fence_put(fence);
}

static void dma_fence_test_signal_wakes_all_waiters(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_waiter *waiters[4];
	int i;

	for (i = 0; i < ARRAY_SIZE(waiters); i++)
		waiters[i] = mock_waiter_start(test, fence, i & 1, LONG_TIME);
	dma_fence_signal(fence);
	for (i = 0; i < ARRAY_SIZE(waiters); i++)
		KUNIT_EXPECT_GT(test, mock_waiter_join(waiters[i]), 0);
	dma_fence_put(fence);
}

static void dma_fence_test_waiter_is_interrupted(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_waiter *waiter;

	waiter = mock_waiter_start(test, fence, true, LONG_TIME);
	mock_waiter_interrupt(waiter);
	KUNIT_EXPECT_EQ(test, mock_waiter_join(waiter), -ERESTARTSYS);
	KUNIT_EXPECT_FALSE(test, has_callbacks(fence));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_waiter_is_not_interrupted(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_waiter *waiter;

	waiter = mock_waiter_start(test, fence, false, LONG_TIME);
	mock_waiter_interrupt(waiter);
	schedule_timeout_uninterruptible(2);
	KUNIT_EXPECT_TRUE(test, has_callbacks(fence));
	dma_fence_signal(fence);
	KUNIT_EXPECT_GT(test, mock_waiter_join(waiter), 0);
	dma_fence_put(fence);
}

/* That a fence has signaled is found before that there is an interruption. */
static void dma_fence_test_wait_with_pending_interruption(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	signed long live, live_poll, live_unintr, signaled, signaled_poll;

	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	live = dma_fence_wait_timeout(fence, true, 3);
	live_poll = dma_fence_wait_timeout(fence, true, 0);
	live_unintr = dma_fence_wait_timeout(fence, false, 0);
	dma_fence_signal(fence);
	signaled = dma_fence_wait_timeout(fence, true, 3);
	signaled_poll = dma_fence_wait_timeout(fence, true, 0);
	flush_signals(current);
	disallow_signal(SIGUSR1);

	KUNIT_EXPECT_EQ(test, live, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, live_poll, -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, live_unintr, 0);
	KUNIT_EXPECT_EQ(test, signaled, 3);
	KUNIT_EXPECT_EQ(test, signaled_poll, 1);
	dma_fence_put(fence);
}

static void dma_fence_test_wait_enables_signaling(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ENABLE_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->enable_signaling), 1);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_wait_when_enable_signaling_fails(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ENABLE_FAILS | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 3), 3);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	dma_fence_put(fence);
}

/* Others, with a wait of their own, are asked to wait. */
static void dma_fence_test_wait_op_wakes_up(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_WAIT | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_waiter *waiter;

	waiter = mock_waiter_start(test, fence, false, LONG_TIME);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->wait), 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_GT(test, mock_waiter_join(waiter), 0);
	dma_fence_put(fence);
}

/*
 * The issuer signals, waits for a grace period and is gone, all before the
 * waiter gets a CPU: it must not go for the lock to take its callback off.
 */
static void dma_fence_test_waiter_wakes_up_after_issuer_freed(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_waiter *waiters[3];
	int i;

	for (i = 0; i < ARRAY_SIZE(waiters); i++)
		waiters[i] = mock_waiter_start(test, fence, i & 1, LONG_TIME);
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);
	for (i = 0; i < ARRAY_SIZE(waiters); i++)
		KUNIT_EXPECT_GT(test, mock_waiter_join(waiters[i]), 0);
	dma_fence_put(fence);
}

/* Timeout and signal come at about the same time, whichever is first. */
static void dma_fence_test_waiter_times_out_while_issuer_leaves(struct kunit *test)
{
	int i;

	for (i = 0; i < 20; i++) {
		struct mock_issuer *issuer =
			mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
		struct dma_fence *fence = mock_fence_create(issuer, 1);
		struct mock_waiter *waiter;
		long ret;

		waiter = mock_waiter_start(test, fence, false, 1 + i % 3);
		schedule_timeout_uninterruptible(1);
		dma_fence_signal(fence);
		mock_issuer_destroy(issuer);

		ret = mock_waiter_join(waiter);
		KUNIT_EXPECT_GE(test, ret, 0);
		KUNIT_EXPECT_LE(test, ret, 3);
		dma_fence_put(fence);
	}
}

static void dma_fence_test_wait_any_times_out(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fences[3];
	u32 idx = U32_MAX;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = mock_fence_create(issuer, i);

	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
							    false, 0, &idx));
	KUNIT_EXPECT_EQ(test, 0, dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
							    true, 2, &idx));
	KUNIT_EXPECT_EQ(test, idx, U32_MAX);

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		KUNIT_EXPECT_FALSE(test, has_callbacks(fences[i]));
		dma_fence_signal(fences[i]);
		dma_fence_put(fences[i]);
	}
}

static void dma_fence_test_wait_any_finds_the_first(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fences[4];
	u32 idx;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = mock_fence_create(issuer, i);
	dma_fence_signal(fences[1]);
	dma_fence_signal(fences[3]);

	idx = U32_MAX;
	KUNIT_EXPECT_EQ(test, 1, dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
							    false, 0, &idx));
	KUNIT_EXPECT_EQ(test, idx, 1);
	idx = U32_MAX;
	KUNIT_EXPECT_EQ(test, 5, dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
							    false, 5, &idx));
	KUNIT_EXPECT_EQ(test, idx, 1);
	KUNIT_EXPECT_FALSE(test, has_callbacks(fences[0]));
	KUNIT_EXPECT_FALSE(test, has_callbacks(fences[2]));

	dma_fence_signal(fences[0]);
	dma_fence_signal(fences[2]);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_put(fences[i]);
}

/* Signaled fences of issuers who are gone, among others that are alive. */
static void dma_fence_test_wait_any_with_detached(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fences[3];
	u32 idx = U32_MAX;

	fences[0] = mock_fence_create(issuer, 1);
	fences[1] = mock_fence_create_orphan(test, MOCK_ALL_CB | issuer->flags);
	fences[2] = mock_fence_create(issuer, 2);

	KUNIT_EXPECT_EQ(test, 5, dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
							    false, 5, &idx));
	KUNIT_EXPECT_EQ(test, idx, 1);
	KUNIT_EXPECT_FALSE(test, has_callbacks(fences[0]));

	dma_fence_signal(fences[0]);
	dma_fence_signal(fences[2]);
	dma_fence_put(fences[0]);
	dma_fence_put(fences[1]);
	dma_fence_put(fences[2]);
}

static void dma_fence_test_wait_any_without_index(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, 1, dma_fence_wait_any_timeout(&fence, 1, false, 0, NULL));
	KUNIT_EXPECT_EQ(test, 5, dma_fence_wait_any_timeout(&fence, 1, false, 5, NULL));
	dma_fence_put(fence);
}

static struct kunit_case dma_fence_wait_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_wait_on_signaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_times_out, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_wakes_waiter, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_wakes_waiter_without_timeout,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_wakes_all_waiters, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_waiter_is_interrupted, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_waiter_is_not_interrupted, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_with_pending_interruption,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_enables_signaling, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_when_enable_signaling_fails,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_op_wakes_up, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_waiter_wakes_up_after_issuer_freed,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_waiter_times_out_while_issuer_leaves,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_any_times_out, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_any_finds_the_first, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_any_with_detached, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_any_without_index, mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_wait_test_suite = {
	.name = "dma_fence_wait",
	.test_cases = dma_fence_wait_tests,
};

kunit_test_suite(dma_fence_wait_test_suite);
