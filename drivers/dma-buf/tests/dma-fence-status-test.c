// SPDX-License-Identifier: GPL-2.0
/*
 * Status, errors, timestamps, and misuse. What a fence tells about how its work
 * ended is kept in the fence, not by its issuer. Misuse is tested for what it
 * does, which is what it has always done: nobody relies on it, but nobody wants
 * it to crash either. The warnings that this provokes are announced in the log,
 * see mock_warn_begin().
 */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/timer.h>

#include "mock-issuer.h"

static struct dma_fence *fence_create(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, mock_lock_flags(test)), 1);
}

static int get_status_locked(struct dma_fence *fence)
{
	unsigned long flags;
	int status;

	dma_fence_lock_irqsave(fence, flags);
	status = dma_fence_get_status_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);

	return status;
}

static void dma_fence_test_status_of_success(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	KUNIT_EXPECT_EQ(test, get_status_locked(fence), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, get_status_locked(fence), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_status_of_failure(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	dma_fence_set_error(fence, -EIO);
	/* Not valid before the signal. */
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	KUNIT_EXPECT_EQ(test, get_status_locked(fence), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	KUNIT_EXPECT_EQ(test, get_status_locked(fence), -EIO);
	dma_fence_put(fence);
}

static void dma_fence_test_status_asks_signaled(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_SIGNALED_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 0);
	mock_issuer_complete(issuer);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_status_set_by_enable_signaling(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ENABLE_FAILS | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	issuer->enable_error = -ECANCELED;
	KUNIT_EXPECT_EQ(test, -ENOENT,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ECANCELED);
	dma_fence_put(fence);
}

static void dma_fence_test_error_outlives_issuer(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	dma_fence_set_error(fence, -ENODEV);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, cb.error, -ENODEV);

	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
}

static void dma_fence_test_timestamp_is_time_of_signal(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	ktime_t before, after;

	KUNIT_EXPECT_FALSE(test, test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags));
	before = ktime_get();
	dma_fence_signal(fence);
	after = ktime_get();
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags));
	KUNIT_EXPECT_GE(test, dma_fence_timestamp(fence), before);
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(fence), after);
	dma_fence_put(fence);
}

static void dma_fence_test_timestamp_is_that_given(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	KUNIT_EXPECT_FALSE(test, mock_signal_timestamp(fence, 12345));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 12345);
	dma_fence_put(fence);
}

static void dma_fence_test_timestamp_is_that_given_locked(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	KUNIT_EXPECT_FALSE(test, mock_signal_timestamp_locked(fence, 12345));
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 12345);
	dma_fence_put(fence);
}

static void dma_fence_test_timestamp_outlives_issuer(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_signal_timestamp(fence, 12345);
	mock_issuer_destroy(issuer);
	mock_fence_use(test, fence);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 12345);
	dma_fence_put(fence);
}

/*
 * Between the two flags of a signal. i915 sets the first without the lock, and
 * somebody who signals with the lock held may be preempted, with PREEMPT_RT.
 */

struct late_timestamp {
	struct timer_list timer;
	struct dma_fence *fence;
};

static void set_timestamp(struct dma_fence *fence)
{
	fence->timestamp = 12345;
	smp_mb__before_atomic(); /* pairs with dma_fence_timestamp() */
	set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
}

/* An end to the test of a kernel that spins. */
static void set_timestamp_late(struct timer_list *timer)
{
	set_timestamp(container_of(timer, struct late_timestamp, timer)->fence);
}

static void nobody_spins_for_a_timestamp(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test), *merged;
	struct late_timestamp late = { .fence = fence };
	ktime_t before = ktime_get(), timestamp;

	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
	timer_setup_on_stack(&late.timer, set_timestamp_late, 0);
	mod_timer(&late.timer, jiffies + HZ);

	timestamp = dma_fence_timestamp(fence);
	merged = dma_fence_unwrap_merge(fence);

	KUNIT_EXPECT_TRUE_MSG(test, timer_delete_sync(&late.timer), "waited for the timestamp");
	mock_timer_destroy(&late.timer);
	/* It is at most that old. */
	KUNIT_EXPECT_GE(test, timestamp, before);
	KUNIT_EXPECT_LE(test, timestamp, ktime_get());
	KUNIT_EXPECT_NOT_NULL(test, merged);
	dma_fence_put(merged);

	set_timestamp(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 12345);
	dma_fence_put(fence);
}

struct preempted {
	struct dma_fence *fence;
	struct completion locked, done;
	bool asked;
	ktime_t timestamp, took;
};

static int preempted_signaler(void *data)
{
	struct preempted *p = data;
	unsigned long flags;

	dma_fence_lock_irqsave(p->fence, flags);
	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &p->fence->flags);
	complete(&p->locked);
	while (!READ_ONCE(p->asked))
		cpu_relax();
	set_timestamp(p->fence);
	dma_fence_unlock_irqrestore(p->fence, flags);

	return 0;
}

static int preempting_reader(void *data)
{
	struct preempted *p = data;
	ktime_t start;

	sched_set_fifo(current);
	wait_for_completion(&p->locked);
	start = ktime_get();
	WRITE_ONCE(p->asked, true);
	p->timestamp = dma_fence_timestamp(p->fence);
	p->took = ktime_sub(ktime_get(), start);
	complete(&p->done);

	return 0;
}

/*
 * Both are on one CPU. A reader that spins keeps the signaler off it, until the
 * scheduler, after most of a second, lets others in.
 */
static void reader_lends_its_priority_to_the_signaler(struct kunit *test)
{
	struct preempted p = { .fence = fence_create(test) };
	struct task_struct *reader, *signaler;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		dma_fence_signal(p.fence);
		dma_fence_put(p.fence);
		kunit_skip(test, "whoever holds a spinlock is not preempted");
	}

	init_completion(&p.locked);
	init_completion(&p.done);
	reader = kthread_create_on_cpu(preempting_reader, &p, 0, "reader/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, reader);
	wake_up_process(reader);
	signaler = kthread_create_on_cpu(preempted_signaler, &p, 0, "signaler/%u");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, signaler);
	wake_up_process(signaler);

	wait_for_completion(&p.done);
	KUNIT_EXPECT_EQ(test, p.timestamp, 12345);
	KUNIT_EXPECT_LT(test, ktime_to_ms(p.took), 400);
	dma_fence_put(p.fence);
}

/* From here on: misuse. */

static void dma_fence_test_second_signal_is_refused(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};
	unsigned long flags;
	bool locked;

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_FALSE(test, mock_signal_timestamp(fence, 12345));
	KUNIT_EXPECT_TRUE(test, dma_fence_check_and_signal(fence));
	KUNIT_EXPECT_TRUE(test, mock_signal_timestamp(fence, 1));

	dma_fence_lock_irqsave(fence, flags);
	locked = dma_fence_check_and_signal_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	KUNIT_EXPECT_TRUE(test, locked);

	/* And changes nothing. */
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 12345);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_get_and_put_of_null(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, dma_fence_get(NULL));
	dma_fence_put(NULL);
}

static void dma_fence_test_callback_removed_twice(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	dma_fence_signal(fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	dma_fence_put(fence);
}

static void dma_fence_test_error_set_after_signal(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	dma_fence_signal(fence);
	mock_warn_begin(test, "dma_fence_set_error");
	dma_fence_set_error(fence, -EIO);
	mock_warn_end(test);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -EIO);
	dma_fence_put(fence);
}

static void dma_fence_test_error_that_is_none(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	mock_warn_begin(test, "dma_fence_set_error");
	dma_fence_set_error(fence, 5);
	mock_warn_end(test);
	KUNIT_EXPECT_EQ(test, fence->error, 5);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* Whoever waits for the fence learns that nobody is going to signal it. */
static void dma_fence_test_released_with_callbacks_pending(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb[2] = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb[0].base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb[1].base, mock_cb_func));

	mock_warn_begin(test, "dma_fence_release");
	dma_fence_put(fence);
	mock_warn_end(test);

	KUNIT_EXPECT_EQ(test, atomic_read(&cb[0].count), 1);
	KUNIT_EXPECT_EQ(test, cb[0].error, -EDEADLK);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb[1].count), 1);
	KUNIT_EXPECT_EQ(test, cb[1].error, -EDEADLK);
	/* The warning names the culprit. */
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->get_driver_name), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->get_timeline_name), 1);
}

static void dma_fence_test_release_op_with_callbacks_pending(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_RELEASE | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));

	mock_warn_begin(test, "dma_fence_release");
	dma_fence_put(fence);
	mock_warn_end(test);

	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -EDEADLK);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->release), 1);
}

static void dma_fence_test_timestamp_before_signal(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	ktime_t before = ktime_get();
	ktime_t timestamp;

	mock_warn_begin(test, "dma_fence_timestamp");
	timestamp = dma_fence_timestamp(fence);
	mock_warn_end(test);
	KUNIT_EXPECT_GE(test, timestamp, before);
	KUNIT_EXPECT_LE(test, timestamp, ktime_get());
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_callback_without_function(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	mock_warn_begin(test, "dma_fence_add_callback");
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &cb.base, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(NULL, &cb.base, mock_cb_func),
			-EINVAL);
	mock_warn_end(test);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_negative_timeout(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	mock_warn_begin(test, "dma_fence_wait_timeout, dma_fence_wait_any_timeout");
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, -1), -EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(&fence, 1, false, -1, NULL),
			-EINVAL);
	mock_warn_end(test);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_wait_for_any_of_none(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);

	mock_warn_begin(test, "dma_fence_wait_any_timeout");
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(&fence, 0, false, 1, NULL),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(NULL, 1, false, 1, NULL),
			-EINVAL);
	mock_warn_end(test);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_order_across_contexts(struct kunit *test)
{
	struct dma_fence *first = fence_create(test);
	struct dma_fence *second = fence_create(test);

	mock_warn_begin(test, "dma_fence_is_later, dma_fence_later");
	KUNIT_EXPECT_FALSE(test, dma_fence_is_later(first, second));
	KUNIT_EXPECT_NULL(test, dma_fence_later(first, second));
	mock_warn_end(test);

	dma_fence_signal(first);
	dma_fence_signal(second);
	dma_fence_put(first);
	dma_fence_put(second);
}

static struct kunit_case dma_fence_status_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_status_of_success, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_status_of_failure, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_status_asks_signaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_status_set_by_enable_signaling,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_error_outlives_issuer, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_timestamp_is_time_of_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_timestamp_is_that_given, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_timestamp_is_that_given_locked,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_timestamp_outlives_issuer, mock_lock_gen_params),
	KUNIT_CASE_PARAM(nobody_spins_for_a_timestamp, mock_lock_gen_params),
	KUNIT_CASE_PARAM(reader_lends_its_priority_to_the_signaler, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_second_signal_is_refused, mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_get_and_put_of_null),
	KUNIT_CASE_PARAM(dma_fence_test_callback_removed_twice, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_error_set_after_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_error_that_is_none, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_released_with_callbacks_pending,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_release_op_with_callbacks_pending,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_timestamp_before_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_callback_without_function, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_negative_timeout, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_for_any_of_none, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_order_across_contexts, mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_status_test_suite = {
	.name = "dma_fence_status",
	.test_cases = dma_fence_status_tests,
};

kunit_test_suite(dma_fence_status_test_suite);
