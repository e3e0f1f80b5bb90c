// SPDX-License-Identifier: GPL-2.0
/*
 * Ops and detaching. A fence whose ops have neither wait nor release forgets
 * them when it signals: under the fence lock, and after the signaled flag. One
 * RCU grace period later nothing reaches the issuer any more, who may be gone by
 * then. Whoever follows ops does so in an RCU read-side critical section, and
 * copes with NULL.
 */

#include <kunit/test.h>

#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "mock-issuer.h"

static bool ops_is_null(struct dma_fence *fence)
{
	return !rcu_access_pointer(fence->ops);
}

static void dma_fence_test_initialized_by_init_alone(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence zero = {};
	struct dma_fence *fence;

	KUNIT_EXPECT_FALSE(test, dma_fence_was_initialized(&zero));

	fence = mock_fence_create(issuer, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(fence));

	/* Whether a fence was initialized can't be asked of ops any more. */
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(fence));
	dma_fence_put(fence);

	issuer = mock_issuer_create(test, MOCK_SEQNO64 | mock_lock_flags(test));
	fence = mock_fence_create(issuer, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(fence));
	dma_fence_put(fence);
}

/* Nothing of what was in the memory before is taken for a state of the fence. */
static void dma_fence_test_init_in_used_memory(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	unsigned long flags = fence->flags;
	spinlock_t *lock = NULL;

	if (issuer->flags & MOCK_EXTERN_LOCK)
		lock = &issuer->lock;

	memset(fence, 0xff, sizeof(*fence));
	dma_fence_init(fence, &issuer->ops, lock, issuer->context, 1);
	KUNIT_EXPECT_EQ(test, fence->flags, flags);
	KUNIT_EXPECT_EQ(test, fence->error, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal(fence));
	KUNIT_EXPECT_TRUE(test, ops_is_null(fence));
	dma_fence_put(fence);
}

static void dma_fence_test_ops_set_until_signal(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(fence->ops), &issuer->ops);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(fence->ops), &issuer->ops);

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* All the ways in which a fence gets signaled. */

static void way_signal(struct mock_issuer *issuer, struct dma_fence *fence)
{
	dma_fence_signal(fence);
}

static void way_signal_timestamp(struct mock_issuer *issuer, struct dma_fence *fence)
{
	dma_fence_signal_timestamp(fence, ktime_get());
}

static void way_signal_locked(struct mock_issuer *issuer, struct dma_fence *fence)
{
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	dma_fence_signal_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
}

static void way_signal_timestamp_locked(struct mock_issuer *issuer,
					struct dma_fence *fence)
{
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	dma_fence_signal_timestamp_locked(fence, ktime_get());
	dma_fence_unlock_irqrestore(fence, flags);
}

static void way_signaled_op(struct mock_issuer *issuer, struct dma_fence *fence)
{
	mock_issuer_complete(issuer);
	dma_fence_is_signaled(fence);
}

static void way_signaled_op_locked(struct mock_issuer *issuer,
				   struct dma_fence *fence)
{
	unsigned long flags;

	mock_issuer_complete(issuer);
	dma_fence_lock_irqsave(fence, flags);
	dma_fence_is_signaled_locked(fence);
	dma_fence_unlock_irqrestore(fence, flags);
}

static void way_get_status(struct mock_issuer *issuer, struct dma_fence *fence)
{
	mock_issuer_complete(issuer);
	dma_fence_get_status(fence);
}

static void way_set_deadline(struct mock_issuer *issuer, struct dma_fence *fence)
{
	mock_issuer_complete(issuer);
	dma_fence_set_deadline(fence, ktime_get());
}

static void way_enable_fails(struct mock_issuer *issuer, struct dma_fence *fence)
{
	issuer->flags |= MOCK_ENABLE_FAILS;
	dma_fence_enable_signaling(fence);
}

static void way_add_callback_fails(struct mock_issuer *issuer,
				   struct dma_fence *fence)
{
	struct mock_cb cb = {};

	issuer->flags |= MOCK_ENABLE_FAILS;
	KUNIT_EXPECT_EQ(issuer->test, -ENOENT,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
}

static void way_wait_fails(struct mock_issuer *issuer, struct dma_fence *fence)
{
	issuer->flags |= MOCK_ENABLE_FAILS;
	KUNIT_EXPECT_EQ(issuer->test, dma_fence_wait(fence, false), 0);
}

static const struct way {
	const char *name;
	void (*signal)(struct mock_issuer *issuer, struct dma_fence *fence);
	unsigned int flags;
} ways[] = {
	{ "dma_fence_signal", way_signal },
	{ "dma_fence_signal, external lock", way_signal, MOCK_EXTERN_LOCK },
	{ "dma_fence_signal_timestamp", way_signal_timestamp },
	{ "dma_fence_signal_locked", way_signal_locked },
	{ "dma_fence_signal_locked, external lock", way_signal_locked, MOCK_EXTERN_LOCK },
	{ "dma_fence_signal_timestamp_locked", way_signal_timestamp_locked },
	{ "signaled op, dma_fence_is_signaled", way_signaled_op },
	{ "signaled op, dma_fence_is_signaled_locked", way_signaled_op_locked },
	{ "signaled op, dma_fence_get_status", way_get_status },
	{ "signaled op, dma_fence_get_status, external lock", way_get_status,
	  MOCK_EXTERN_LOCK },
	{ "signaled op, dma_fence_set_deadline", way_set_deadline },
	{ "enable_signaling op, dma_fence_enable_sw_signaling", way_enable_fails },
	{ "enable_signaling op, dma_fence_add_callback", way_add_callback_fails },
	{ "enable_signaling op, dma_fence_wait", way_wait_fails },
};

KUNIT_ARRAY_PARAM_DESC(way, ways, name);

/* The first signal sets ops to NULL, whoever makes it, and however. */
static void dma_fence_test_ops_null_after_signal(struct kunit *test)
{
	const struct way *way = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB | way->flags);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_FALSE(test, ops_is_null(fence));
	way->signal(issuer, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_TRUE(test, ops_is_null(fence));

	mock_issuer_destroy(issuer);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
}

struct ops_cb {
	struct dma_fence_cb base;
	bool signaled;
	bool ops_null;
};

static void ops_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct ops_cb *seen = container_of(cb, struct ops_cb, base);

	seen->signaled = dma_fence_test_signaled_flag(fence);
	seen->ops_null = ops_is_null(fence);
	dma_fence_assert_held(fence);
}

/*
 * Ops turn NULL under the fence lock, before the first callback runs: no
 * callback can tell the issuer's fence from that of an issuer who is gone.
 */
static void dma_fence_test_ops_null_in_callbacks(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct ops_cb cb = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, ops_cb_func), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, cb.signaled);
	KUNIT_EXPECT_TRUE(test, cb.ops_null);
	dma_fence_put(fence);
}

/*
 * Somebody looks at the flag just before the signal, and follows ops just after.
 * What he sees is put together by hand, without the race: no flag, and no ops
 * either. NULL alone has to tell him that the fence has signaled.
 */
static void dma_fence_test_ops_null_means_signaled(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	RCU_INIT_POINTER(fence->ops, NULL);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_set_deadline(fence, ktime_get());
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
	KUNIT_EXPECT_FALSE(test, dma_fence_is_container(fence));
	KUNIT_EXPECT_NULL(test, dma_fence_later(fence, fence));
	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, false));

	rcu_assign_pointer(fence->ops, &issuer->ops);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/* The deprecated callbacks keep working: their issuers outlive their fences. */
static void dma_fence_test_ops_kept_after_signal(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_signal(fence);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(fence->ops), &issuer->ops);
	mock_fence_use(test, fence);
	way_signal_locked(issuer, fence);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(fence->ops), &issuer->ops);
	dma_fence_put(fence);
}

/* What is asked of a fence with these callbacks is what was always asked. */
static void dma_fence_test_ops_kept_not_asked_after_signal(struct kunit *test)
{
	unsigned int flags = mock_attached_flags(test);
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_signal(fence);
	mock_issuer_retire(issuer);
	mock_fence_use(test, fence);

	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_driver_name), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_timeline_name), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->enable_signaling), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release), 0);
	/* Only wait and release. */
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), atomic_read(&calls->wait));
	if (flags & MOCK_WAIT)
		KUNIT_EXPECT_GT(test, atomic_read(&calls->wait), 0);

	dma_fence_put(fence);
	mock_expect_releases(test, calls, 1);
}

static void dma_fence_test_release_called_by_last_put(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_RELEASE | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_get(fence);
	dma_fence_signal(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release), 0);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release), 1);
}

static void dma_fence_test_release_called_without_signal(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_RELEASE | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);

	dma_fence_put(mock_fence_create(issuer, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release), 1);
}

static void dma_fence_test_last_put_without_signal(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);

	dma_fence_put(mock_fence_create(issuer, 1));
	KUNIT_EXPECT_EQ(test, mock_calls_total(calls), 0);
}

static void dma_fence_test_signaled_asked_until_true(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_SIGNALED_CB | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 2);

	/* The flag alone asks nobody. */
	mock_issuer_complete(issuer);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 2);

	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 3);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 3);
	dma_fence_put(fence);
}

static void dma_fence_test_enable_signaling_called_once(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ENABLE_CB | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb[2] = {};

	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->enable_signaling), 1);
	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb[0].base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb[1].base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 1), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->enable_signaling), 1);

	dma_fence_signal(fence);
	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->enable_signaling), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_set_deadline_called_until_signal(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_DEADLINE_CB | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	dma_fence_set_deadline(fence, ktime_get());
	dma_fence_set_deadline(fence, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 2);

	dma_fence_signal(fence);
	dma_fence_set_deadline(fence, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 2);
	dma_fence_put(fence);
}

/* The work is done, and the question finds it out: no hint is given any more. */
static void dma_fence_test_set_deadline_not_called_if_done(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	mock_issuer_complete(issuer);
	dma_fence_set_deadline(fence, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	dma_fence_put(fence);
}

static void dma_fence_test_wait_called_before_and_after_signal(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_WAIT | mock_lock_flags(test));
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 1), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->wait), 1);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 5), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->wait), 2);
	dma_fence_put(fence);
}

/* Stubs are signaled from the beginning, so nobody has a use for their ops. */
static void dma_fence_test_stub_has_no_ops(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_get_stub();

	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(stub));
	KUNIT_EXPECT_TRUE(test, ops_is_null(stub));
	mock_fence_use(test, stub);
	dma_fence_put(stub);
}

static void dma_fence_test_private_stub_has_no_ops(struct kunit *test)
{
	ktime_t now = ktime_get();
	struct dma_fence *stub = dma_fence_allocate_private_stub(now);

	KUNIT_ASSERT_NOT_NULL(test, stub);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(stub));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(stub), now);
	KUNIT_EXPECT_TRUE(test, ops_is_null(stub));
	mock_fence_use(test, stub);
	dma_fence_put(stub);
}

/*
 * The memory of the issuer, with its ops, names and lock, is freed one grace
 * period after the signal: KASAN reports whoever still goes there.
 */
static void use_after_issuer_freed(struct kunit *test, unsigned int flags)
{
	const struct mock_use *use = test->param_value;
	struct dma_fence *fence = mock_fence_create_orphan(test, MOCK_ALL_CB | flags);

	use->use(test, fence);
	dma_fence_put(fence);
}

static void dma_fence_test_use_after_issuer_freed_inline_lock(struct kunit *test)
{
	use_after_issuer_freed(test, 0);
}

static void dma_fence_test_use_after_issuer_freed_extern_lock(struct kunit *test)
{
	use_after_issuer_freed(test, MOCK_EXTERN_LOCK);
}

/* The same for one who has been used in earnest before, then failed its work. */
static void dma_fence_test_use_after_issuer_freed_with_error(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	mock_expect_names(test, fence, "mock-driver", "mock-timeline");
	dma_fence_set_deadline(fence, ktime_get());
	dma_fence_set_error(fence, -ENODEV);
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);

	mock_fence_use(test, fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_put(fence);
}

/* The issuer counts, and is not called after a grace period, by anybody. */
static void no_call_after_grace_period(struct kunit *test, unsigned int flags)
{
	const struct mock_use *use = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB | flags);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	/* That it counts at all. */
	mock_expect_names(test, fence, "mock-driver", "mock-timeline");
	dma_fence_enable_signaling(fence);
	dma_fence_set_deadline(fence, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_driver_name), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->get_timeline_name), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->enable_signaling), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->signaled), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	dma_fence_signal(fence);
	mock_issuer_retire(issuer);

	use->use(test, fence);
	dma_fence_put(fence);

	/* Nor before: the test was the only one to ask. */
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
	KUNIT_EXPECT_EQ(test, mock_calls_total(calls), 5);
}

static void dma_fence_test_no_call_after_grace_period_inline_lock(struct kunit *test)
{
	no_call_after_grace_period(test, 0);
}

static void dma_fence_test_no_call_after_grace_period_extern_lock(struct kunit *test)
{
	no_call_after_grace_period(test, MOCK_EXTERN_LOCK);
}

/* The counting of late calls is worth nothing if it can't count. */
static void dma_fence_test_late_calls_are_counted(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	mock_issuer_retire(issuer);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 1);
	mock_expect_names(test, fence, "mock-driver", "mock-timeline");
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 3);

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/*
 * Issuers come and go, while somebody else uses their fences: those who got
 * hold of ops, names or lock just before the signal are inside a read-side
 * section, for which the issuer waits.
 */

/* On one CPU nobody else runs unless somebody sleeps. */
static void let_others_run(void)
{
	if (num_online_cpus() < 2)
		schedule_timeout_uninterruptible(1);
	else
		cond_resched();
}

struct ops_race {
	struct kunit *test;
	struct dma_fence __rcu *fence;
};

static int ops_race_thread(void *data)
{
	struct ops_race *race = data;
	const char __rcu *name;
	struct dma_fence *fence;
	size_t length = 0;

#if IS_ENABLED(CONFIG_KUNIT)
	/* Let the test fail if KASAN finds something here. */
	current->kunit_test = race->test;
#endif
	while (!kthread_should_stop()) {
		struct mock_cb cb = {};

		rcu_read_lock();
		fence = dma_fence_get_rcu_safe(&race->fence);
		rcu_read_unlock();
		if (!fence) {
			let_others_run();
			continue;
		}

		rcu_read_lock();
		name = dma_fence_driver_name(fence);
		length += strlen(rcu_dereference(name));
		name = dma_fence_timeline_name(fence);
		length += strlen(rcu_dereference(name));
		rcu_read_unlock();

		dma_fence_set_deadline(fence, 0);
		dma_fence_get_status(fence);
		if (!dma_fence_add_callback(fence, &cb.base, mock_cb_func))
			dma_fence_remove_callback(fence, &cb.base);
		dma_fence_wait_timeout(fence, false, 0);

		/* NULL says that the fence has signaled ... */
		if (ops_is_null(fence)) {
			/* ... for the flag was set before that. */
			smp_rmb();
			if (!dma_fence_test_signaled_flag(fence))
				KUNIT_FAIL(race->test, "no ops, but not signaled");
		}
		dma_fence_put(fence);
		let_others_run();
	}
#if IS_ENABLED(CONFIG_KUNIT)
	current->kunit_test = NULL;
#endif
	return length > INT_MAX;
}

static void dma_fence_test_use_while_issuer_leaves(struct kunit *test)
{
	struct ops_race race = { .test = test };
	struct task_struct *task;
	int i;

	task = kthread_run(ops_race_thread, &race, "dma-fence-ops-race");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (i = 0; i < 50; i++) {
		struct mock_issuer *issuer =
			mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
		struct dma_fence *fence = mock_fence_create(issuer, i);

		rcu_assign_pointer(race.fence, fence);
		let_others_run();
		udelay(i);

		dma_fence_signal(fence);
		mock_issuer_destroy(issuer);
		let_others_run();

		RCU_INIT_POINTER(race.fence, NULL);
		dma_fence_put(fence);
	}

	KUNIT_EXPECT_EQ(test, kthread_stop(task), 0);
}

static struct kunit_case dma_fence_ops_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_initialized_by_init_alone, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_init_in_used_memory, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_set_until_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_null_after_signal, way_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_null_in_callbacks, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_null_means_signaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_kept_after_signal, mock_attached_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_ops_kept_not_asked_after_signal,
			 mock_attached_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_release_called_by_last_put, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_release_called_without_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_last_put_without_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signaled_asked_until_true, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_enable_signaling_called_once,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_set_deadline_called_until_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_set_deadline_not_called_if_done,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_called_before_and_after_signal,
			 mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_stub_has_no_ops),
	KUNIT_CASE(dma_fence_test_private_stub_has_no_ops),
	KUNIT_CASE_PARAM(dma_fence_test_use_after_issuer_freed_inline_lock,
			 mock_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_after_issuer_freed_extern_lock,
			 mock_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_after_issuer_freed_with_error,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_no_call_after_grace_period_inline_lock,
			 mock_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_no_call_after_grace_period_extern_lock,
			 mock_use_gen_params),
	KUNIT_CASE(dma_fence_test_late_calls_are_counted),
	KUNIT_CASE_PARAM(dma_fence_test_use_while_issuer_leaves, mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_ops_test_suite = {
	.name = "dma_fence_ops",
	.test_cases = dma_fence_ops_tests,
};

kunit_test_suite(dma_fence_ops_test_suite);
