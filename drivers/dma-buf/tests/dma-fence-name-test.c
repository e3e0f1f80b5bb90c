// SPDX-License-Identifier: GPL-2.0
/*
 * Names. The names of driver and timeline are the issuer's, and are read inside
 * an RCU read-side critical section. A fence that has signaled answers with
 * fixed strings, whatever has become of its issuer. The tracepoints read the names,
 * too, and may be switched on at any time.
 */

#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>

#include <trace/events/dma_fence.h>

#include "mock-issuer.h"

static void dma_fence_test_names_are_the_issuers(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	mock_expect_names(test, fence, "mock-driver", "mock-timeline");

	/* They are asked for each time, and may change. */
	strscpy(issuer->driver_name, "other-driver");
	strscpy(issuer->timeline_name, "other-timeline");
	mock_expect_names(test, fence, "other-driver", "other-timeline");

	/* The names are not what finds out that the work is done. */
	mock_issuer_complete(issuer);
	mock_expect_names(test, fence, "other-driver", "other-timeline");
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_names_are_fixed_after_signal(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_signal(fence);
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
	mock_issuer_destroy(issuer);
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_driver_name), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_timeline_name), 0);
	dma_fence_put(fence);
}

/*
 * A fence that keeps its ops for their release or wait is no exception: user
 * space does not see which kind it is.
 */
static void dma_fence_test_names_are_fixed_with_ops_kept(struct kunit *test)
{
	static const unsigned int kinds[] = { MOCK_RELEASE, MOCK_WAIT };
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct mock_issuer *issuer =
			mock_issuer_create(test, kinds[i] | mock_lock_flags(test));
		struct dma_fence *fence = mock_fence_create(issuer, 1);

		mock_expect_names(test, fence, "mock-driver", "mock-timeline");
		dma_fence_signal(fence);
		mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
		KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->get_driver_name), 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->get_timeline_name), 1);
		dma_fence_put(fence);
	}
}

struct name_cb {
	struct dma_fence_cb base;
	char driver[32];
	char timeline[32];
};

static void name_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct name_cb *seen = container_of(cb, struct name_cb, base);
	const char __rcu *name;

	rcu_read_lock();
	name = dma_fence_driver_name(fence);
	strscpy(seen->driver, rcu_dereference(name));
	name = dma_fence_timeline_name(fence);
	strscpy(seen->timeline, rcu_dereference(name));
	rcu_read_unlock();
}

static void dma_fence_test_names_are_fixed_in_callbacks(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct name_cb cb = {};

	KUNIT_ASSERT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, name_cb_func));
	dma_fence_signal(fence);
	KUNIT_EXPECT_STREQ(test, cb.driver, "detached-driver");
	KUNIT_EXPECT_STREQ(test, cb.timeline, "signaled-timeline");
	dma_fence_put(fence);
}

/*
 * A name that was read just before the signal is good until the end of the
 * section that it was read in.
 */
static void dma_fence_test_name_is_good_until_end_of_section(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	const char __rcu *name;
	char copy[32];

	rcu_read_lock();
	name = dma_fence_driver_name(fence);
	dma_fence_signal(fence);
	strscpy(copy, rcu_dereference(name));
	rcu_read_unlock();
	mock_issuer_destroy(issuer);

	KUNIT_EXPECT_STREQ(test, copy, "mock-driver");
	dma_fence_put(fence);
}

static void dma_fence_test_names_of_stub(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_get_stub();

	mock_expect_names(test, stub, "detached-driver", "signaled-timeline");
	dma_fence_put(stub);
}

static void dma_fence_test_describe_unsignaled(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 0xffffffffff);

	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, true));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_describe_signaled(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 7);

	dma_fence_signal(fence);
	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, false));
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, false));
	dma_fence_put(fence);
}

/* Describe is what finds out: the names still belong to the state shown. */
static void dma_fence_test_describe_done(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 7);

	mock_issuer_complete(issuer);
	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, false));
	dma_fence_put(fence);
}

/* Tracepoints */

static void trace_switch_off(void *unused)
{
	mock_trace_switch(false);
}

static void trace_start(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_EVENT_TRACING))
		kunit_skip(test, "needs CONFIG_EVENT_TRACING");

	KUNIT_ASSERT_EQ(test, mock_trace_switch(true), 0);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, trace_switch_off, NULL));
}

/* One of each name, since the last time. */
static bool names_asked(struct mock_calls *calls)
{
	return atomic_xchg(&calls->get_driver_name, 0) &&
	       atomic_xchg(&calls->get_timeline_name, 0);
}

/* As long as a fence has not signaled the events say whose it is. */
static void dma_fence_test_events_name_the_issuer(struct kunit *test)
{
	struct mock_issuer *issuer;
	struct mock_calls *calls;
	struct dma_fence *fence;

	trace_start(test);
	issuer = mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	calls = mock_issuer_calls(issuer);

	fence = mock_fence_create(issuer, 1);
	KUNIT_EXPECT_TRUE_MSG(test, names_asked(calls), "dma_fence_init");
	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_TRUE_MSG(test, names_asked(calls), "dma_fence_enable_signal");
	trace_dma_fence_emit(fence);
	KUNIT_EXPECT_TRUE_MSG(test, names_asked(calls), "dma_fence_emit");
	dma_fence_wait_timeout(fence, false, 0);
	KUNIT_EXPECT_TRUE_MSG(test, names_asked(calls), "dma_fence_wait_start");

	/* So does that of the signaler himself, who has not detached it yet. */
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE_MSG(test, names_asked(calls), "dma_fence_signaled");

	dma_fence_put(fence);
}

/* From then on they ask nobody any more, up to that of the last put. */
static void dma_fence_test_events_leave_the_issuer_alone(struct kunit *test)
{
	struct mock_issuer *issuer;
	struct mock_calls *calls;
	struct dma_fence *fence;

	trace_start(test);
	issuer = mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	calls = mock_issuer_calls(issuer);
	fence = mock_fence_create(issuer, 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, names_asked(calls));

	trace_dma_fence_emit(fence);
	KUNIT_EXPECT_EQ(test, mock_calls_total(calls), 0);
	mock_issuer_retire(issuer);
	trace_dma_fence_emit(fence);
	if (MOCK_ENABLE_EVENT_OF_ANY)
		trace_dma_fence_enable_signal(fence);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, mock_calls_total(calls), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
}

/* Nor do they ask an issuer who has to stay for its release or wait. */
static void dma_fence_test_events_of_signaled_with_ops_kept(struct kunit *test)
{
	struct mock_issuer *issuer;
	struct mock_calls *calls;
	struct dma_fence *fence;

	trace_start(test);
	issuer = mock_issuer_create(test, MOCK_WAIT | MOCK_RELEASE | mock_lock_flags(test));
	calls = mock_issuer_calls(issuer);
	fence = mock_fence_create(issuer, 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, names_asked(calls));

	trace_dma_fence_emit(fence);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_driver_name), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_timeline_name), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release), 1);
}

static void dma_fence_test_events_of_detached(struct kunit *test)
{
	const struct mock_use *use = test->param_value;
	struct dma_fence *fence;

	trace_start(test);
	fence = mock_fence_create_orphan(test, MOCK_ALL_CB | MOCK_EXTERN_LOCK);
	trace_dma_fence_emit(fence);
	use->use(test, fence);
	dma_fence_put(fence);
}

/* They can be switched on when nobody is left to name. */
static void dma_fence_test_events_switched_on_after_issuer_freed(struct kunit *test)
{
	struct dma_fence *fence;

	fence = mock_fence_create_orphan(test, MOCK_ALL_CB | mock_lock_flags(test));
	trace_start(test);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
}

struct signaled_probe {
	struct dma_fence *fence;
	int count;
	bool signaled;
	bool has_timestamp;
	bool has_ops;
};

static void signaled_probe(void *data, MOCK_TRACE_FENCE *fence)
{
	struct signaled_probe *seen = data;

	if (fence != seen->fence)
		return;

	seen->count++;
	seen->signaled = dma_fence_test_signaled_flag(fence);
	seen->has_timestamp = test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
	seen->has_ops = rcu_access_pointer(fence->ops);
}

/*
 * The order of things in a signal, as seen from the middle of it: the flag comes
 * first, and the ops go last. Whoever finds no ops may conclude that the fence
 * has signaled.
 */
static void dma_fence_test_signaled_event_between_flag_and_detaching(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct signaled_probe seen = { .fence = fence };

	if (!IS_ENABLED(CONFIG_TRACEPOINTS)) {
		dma_fence_put(fence);
		kunit_skip(test, "needs CONFIG_TRACEPOINTS");
	}

	KUNIT_ASSERT_EQ(test, register_trace_dma_fence_signaled(signaled_probe, &seen), 0);
	dma_fence_signal(fence);
	dma_fence_signal(fence);
	unregister_trace_dma_fence_signaled(signaled_probe, &seen);
	tracepoint_synchronize_unregister();

	KUNIT_EXPECT_EQ(test, seen.count, 1);
	KUNIT_EXPECT_TRUE(test, seen.signaled);
	KUNIT_EXPECT_EQ(test, seen.has_timestamp, MOCK_EVENT_HAS_TIMESTAMP);
	KUNIT_EXPECT_TRUE(test, seen.has_ops);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));
	dma_fence_put(fence);
}

static int switch_thread(void *data)
{
	int *switched = data;

	while (!kthread_should_stop()) {
		if (mock_trace_switch(*switched & 1))
			break;
		WRITE_ONCE(*switched, *switched + 1);
		schedule_timeout_uninterruptible(1);
	}
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);

	return 0;
}

/* The events are switched on and off all the time, while fences come and go. */
static void dma_fence_test_events_switched_while_fences_signal(struct kunit *test)
{
	unsigned long deadline = jiffies + 10 * HZ;
	struct task_struct *task;
	int switched = 1;

	trace_start(test);
	task = kthread_run(switch_thread, &switched, "dma-fence-switch");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	while (READ_ONCE(switched) < 20 && time_before(jiffies, deadline)) {
		struct mock_issuer *issuer =
			mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
		struct dma_fence *fence = mock_fence_create(issuer, 1);
		struct mock_waiter *waiter;

		/* On one CPU nobody else runs unless somebody sleeps. */
		waiter = mock_waiter_start(test, fence, false, 10 * HZ);
		if (num_online_cpus() < 2)
			schedule_timeout_uninterruptible(1);
		dma_fence_signal(fence);
		mock_issuer_destroy(issuer);
		KUNIT_EXPECT_GT(test, mock_waiter_join(waiter), 0);
		dma_fence_put(fence);
	}

	kthread_stop(task);
	KUNIT_EXPECT_GE(test, switched, 20);
}

static struct kunit_case dma_fence_name_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_names_are_the_issuers, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_names_are_fixed_after_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_names_are_fixed_with_ops_kept,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_names_are_fixed_in_callbacks,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_name_is_good_until_end_of_section,
			 mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_names_of_stub),
	KUNIT_CASE_PARAM(dma_fence_test_describe_unsignaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_describe_signaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_describe_done, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_name_the_issuer, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_leave_the_issuer_alone,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_of_signaled_with_ops_kept,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_of_detached, mock_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_switched_on_after_issuer_freed,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signaled_event_between_flag_and_detaching,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_events_switched_while_fences_signal,
			 mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_name_test_suite = {
	.name = "dma_fence_name",
	.test_cases = dma_fence_name_tests,
};

kunit_test_suite(dma_fence_name_test_suite);
