// SPDX-License-Identifier: GPL-2.0
/*
 * Locks. A fence whose issuer brings no lock uses the one inside itself, which
 * costs no space. Nobody but the helpers knows where the lock is. One that the
 * issuer brought is left alone once a grace period has passed since the signal:
 * whoever takes it looks at the signaled state before, in the same RCU read-side
 * critical section. So the issuer may free it after synchronize_rcu().
 */

#include <kunit/test.h>

#include <linux/align.h>
#include <linux/debug_locks.h>
#include <linux/dma-fence.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/tracepoint.h>

#include "mock-issuer.h"

/*
 * One cache line on 64-bit: the lock is where there was a pointer to one, which
 * is as large. A lock with what debugging or PREEMPT_RT add to it takes more,
 * but is all that does.
 */
static void dma_fence_test_size_is_64_bytes(struct kunit *test)
{
	size_t lock = max(sizeof(spinlock_t), sizeof(spinlock_t *));

	if (!IS_ENABLED(CONFIG_64BIT))
		kunit_skip(test, "64-bit only");

	KUNIT_EXPECT_EQ(test, sizeof(struct dma_fence), 56 + ALIGN(lock, 8));
}

static void dma_fence_test_init_without_lock_uses_inline_lock(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_INLINE_LOCK_BIT, &fence->flags));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);

	dma_fence_signal(fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	dma_fence_put(fence);
}

static void dma_fence_test_init_with_lock_uses_that_lock(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_EXTERN_LOCK);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_FALSE(test, test_bit(DMA_FENCE_FLAG_INLINE_LOCK_BIT, &fence->flags));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &issuer->lock);

	dma_fence_signal(fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &issuer->lock);
	dma_fence_put(fence);
}

static void dma_fence_test_init64_takes_either_lock(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_SEQNO64 | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	bool external = issuer->flags & MOCK_EXTERN_LOCK;

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence),
			    external ? &issuer->lock : &fence->inline_lock);
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal(fence));
	dma_fence_put(fence);
}

static void dma_fence_test_extern_lock_is_shared(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_EXTERN_LOCK);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	unsigned long flags;

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(a), dma_fence_spinlock(b));

	/* Issuers signal many at once. */
	dma_fence_lock_irqsave(a, flags);
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal_locked(a));
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal_locked(b));
	dma_fence_unlock_irqrestore(a, flags);

	dma_fence_put(a);
	dma_fence_put(b);
}

static void dma_fence_test_inline_lock_is_private(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);

	KUNIT_EXPECT_PTR_NE(test, dma_fence_spinlock(a), dma_fence_spinlock(b));

	dma_fence_signal(a);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(b));
	dma_fence_signal(b);
	dma_fence_put(a);
	dma_fence_put(b);
}

/* Whoever only asks does not wait for those who work on fences of the timeline. */
static void dma_fence_test_questions_are_answered_without_lock(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	unsigned long flags;
	signed long polled = 0;
	bool signaled;
	int status;

	dma_fence_lock_irqsave(fence, flags);
	signaled = dma_fence_is_signaled(fence);
	status = dma_fence_get_status(fence);
	if (MOCK_POLLS_WITHOUT_LOCK)
		polled = dma_fence_default_wait(fence, false, 0);
	dma_fence_unlock_irqrestore(fence, flags);

	KUNIT_EXPECT_FALSE(test, signaled);
	KUNIT_EXPECT_EQ(test, status, 0);
	KUNIT_EXPECT_EQ(test, polled, 0);

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void dma_fence_test_lock_helpers_lock(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	spinlock_t *lock = dma_fence_spinlock(fence);	/* either kind */
	bool locked = true, unlocked = true;
	bool irqs_were_disabled;
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	dma_fence_assert_held(fence);
	if (IS_ENABLED(CONFIG_LOCKDEP) && debug_locks)
		locked = lockdep_is_held(lock);
	irqs_were_disabled = irqs_disabled();
	dma_fence_unlock_irqrestore(fence, flags);
	if (IS_ENABLED(CONFIG_LOCKDEP) && debug_locks)
		unlocked = !lockdep_is_held(lock);

	KUNIT_EXPECT_TRUE(test, locked);
	KUNIT_EXPECT_TRUE(test, unlocked);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		KUNIT_EXPECT_TRUE(test, irqs_were_disabled);
		KUNIT_EXPECT_FALSE(test, irqs_disabled());
	}

	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/*
 * Each caller of dma_fence_init() has a lockdep class of its own, so that one
 * issuer may signal the fences of another under the lock of its own.
 */
static void dma_fence_test_inline_locks_of_two_issuers_nest(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *outer = mock_fence_create(issuer, 1);
	struct mock_fence *inner;
	unsigned long flags;

	inner = kzalloc(sizeof(*inner), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, inner);
	inner->issuer = issuer;
	inner->calls = issuer->calls;
	dma_fence_init(&inner->base, &issuer->ops, NULL, dma_fence_context_alloc(1), 1);

	/* If the classes are the same, the mock finds that lockdep complains. */
	dma_fence_lock_irqsave(outer, flags);
	dma_fence_signal_timestamp(&inner->base, ktime_get());
	dma_fence_unlock_irqrestore(outer, flags);

	dma_fence_signal(outer);
	dma_fence_put(outer);
	dma_fence_put(&inner->base);
}

static void dma_fence_test_signal_completes_notification(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_FALSE(test, test_bit(DMA_FENCE_FLAG_CALLBACKS_DONE_BIT, &fence->flags));
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_CALLBACKS_DONE_BIT, &fence->flags));
	dma_fence_put(fence);
}

/*
 * The lock of a fence whose signaling has completed is not taken: the test has
 * it, so whoever takes it hangs, or makes lock debugging complain, which the
 * mock lets the test fail for.
 */
static void use_with_lock_held(struct kunit *test, unsigned int flags)
{
	const struct mock_use *use = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB | flags);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	unsigned long irqflags;

	dma_fence_signal(fence);

	dma_fence_lock_irqsave(fence, irqflags);
	/* With PREEMPT_RT this is not atomic context yet. */
	preempt_disable();
	use->use(test, fence);
	preempt_enable();
	dma_fence_unlock_irqrestore(fence, irqflags);

	dma_fence_put(fence);
}

static void dma_fence_test_use_while_inline_lock_held(struct kunit *test)
{
	use_with_lock_held(test, 0);
}

static void dma_fence_test_use_while_extern_lock_held(struct kunit *test)
{
	use_with_lock_held(test, MOCK_EXTERN_LOCK);
}

static void dma_fence_test_use_attached_while_extern_lock_held(struct kunit *test)
{
	use_with_lock_held(test, MOCK_EXTERN_LOCK | MOCK_RELEASE);
}

/*
 * The lock goes away, while the issuer stays: a fence that keeps its ops for
 * their release does not keep the lock.
 */
static void dma_fence_test_use_after_lock_freed(struct kunit *test)
{
	const struct mock_use *use = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB | MOCK_RELEASE);
	struct mock_fence *mock;
	spinlock_t *lock;	/* in a block of its own */

	lock = kmalloc(sizeof(*lock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, lock);
	spin_lock_init(lock);

	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->issuer = issuer;
	mock->calls = issuer->calls;
	dma_fence_init(&mock->base, &issuer->ops, lock, issuer->context, 1);

	dma_fence_signal(&mock->base);
	synchronize_rcu();
	kfree(lock);

	use->use(test, &mock->base);
	dma_fence_put(&mock->base);
	KUNIT_EXPECT_EQ(test, atomic_read(&issuer->calls->release), 1);
}

/*
 * An issuer that runs the callbacks by itself says when it is done with them:
 * until then the lock is needed, and is there, from then on it is not.
 */
static void dma_fence_test_lock_left_alone_when_callbacks_done(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb early = {}, late = {};
	unsigned long flags;
	bool early_removed, late_removed;

	KUNIT_ASSERT_EQ(test, 0,
			dma_fence_add_callback(fence, &early.base, mock_cb_func));
	KUNIT_ASSERT_EQ(test, 0,
			dma_fence_add_callback(fence, &late.base, mock_cb_func));

	/* The first step: signaled, the callbacks have yet to run. */
	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
	early_removed = dma_fence_remove_callback(fence, &early.base);

	/* The second. */
	dma_fence_lock_irqsave(fence, flags);
	list_del_init(&late.base.node);
	late.base.func(fence, &late.base);
	dma_fence_set_callbacks_done(fence);
	late_removed = dma_fence_remove_callback(fence, &late.base);
	dma_fence_unlock_irqrestore(fence, flags);

	KUNIT_EXPECT_TRUE(test, early_removed);
	KUNIT_EXPECT_EQ(test, atomic_read(&early.count), 0);
	KUNIT_EXPECT_FALSE(test, late_removed);
	KUNIT_EXPECT_EQ(test, atomic_read(&late.count), 1);
	dma_fence_put(fence);
}

/*
 * What goes on between two looks at a fence, on one CPU and without a race: lock
 * debugging has an event for each lock that is about to be taken, and for each
 * rcu_read_lock(). There the test sees who takes the lock of its fence, and whether
 * in a read-side section, and does itself what somebody else might do just then.
 */
struct lock_watch {
	struct dma_fence *fence;
	struct task_struct *task;
	const void *lock;	/* what lockdep knows it by */
	bool signal_at_section;
	bool signal_at_lock;
	bool busy;
	unsigned int sections;
	unsigned int locked;
	unsigned int outside;
};

#if defined(CONFIG_LOCKDEP) && defined(CONFIG_TRACEPOINTS)
static struct tracepoint *lock_event;

static void lock_event_find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "lock_acquire"))
		lock_event = tp;
}

static void lock_event_probe(void *data, struct lockdep_map *lock,
			     unsigned int subclass, int trylock, int read,
			     int check, struct lockdep_map *nest_lock,
			     unsigned long ip)
{
	struct lock_watch *watch = data;
	bool signal = false;

	if (current != watch->task || !in_task() || watch->busy)
		return;

	watch->busy = true;
	if (lock == watch->lock) {
		watch->locked++;
		if (!rcu_read_lock_held())
			watch->outside++;
		signal = watch->signal_at_lock;
	} else if (lock == &rcu_lock_map && !rcu_read_lock_held()) {
		watch->sections++;
		signal = watch->signal_at_section;
	}
	if (signal) {
		watch->signal_at_lock = false;
		watch->signal_at_section = false;
		dma_fence_signal(watch->fence);
	}
	watch->busy = false;
}

static void lock_watch_stop(void *data)
{
	tracepoint_probe_unregister(lock_event, lock_event_probe, data);
	tracepoint_synchronize_unregister();
}

static void lock_watch_start(struct kunit *test, struct lock_watch *watch,
			     struct dma_fence *fence)
{
	for_each_kernel_tracepoint(lock_event_find, NULL);
	KUNIT_ASSERT_NOT_NULL(test, lock_event);

	watch->fence = fence;
	watch->task = current;
	watch->lock = &dma_fence_spinlock(fence)->dep_map;
	KUNIT_ASSERT_EQ(test, 0, tracepoint_probe_register(lock_event, lock_event_probe,
							   watch));
}
#else
static void lock_watch_stop(void *data)
{
}

static void lock_watch_start(struct kunit *test, struct lock_watch *watch,
			     struct dma_fence *fence)
{
}
#endif

/* Everything that takes the lock of a fence which somebody else may signal. */

static long path_signal(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_check_and_signal(fence);
}

static long path_signal_timestamp(struct dma_fence *fence, struct mock_cb *cb)
{
	return mock_signal_timestamp(fence, ktime_get());
}

static long path_enable(struct dma_fence *fence, struct mock_cb *cb)
{
	dma_fence_enable_signaling(fence);
	return 0;
}

static long path_add(struct dma_fence *fence, struct mock_cb *cb)
{
	struct mock_cb other = {};
	long ret = dma_fence_add_callback(fence, &other.base, mock_cb_func);

	/* It is on our stack. */
	if (!ret)
		dma_fence_remove_callback(fence, &other.base);
	return ret;
}

static long path_remove(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_remove_callback(fence, &cb->base);
}

static long path_default_wait(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_default_wait(fence, false, 2);
}

static long path_is_signaled(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_is_signaled(fence);
}

static long path_get_status(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_get_status(fence);
}

static long path_set_deadline(struct dma_fence *fence, struct mock_cb *cb)
{
	dma_fence_set_deadline(fence, ktime_get());
	return 0;
}

static long path_lock(struct dma_fence *fence, struct mock_cb *cb)
{
	unsigned long flags;

	if (!dma_fence_lock_unsignaled(fence, &flags))
		return false;

	dma_fence_unlock_unsignaled(fence, flags);

	return true;
}

static const struct path {
	const char *name;
	long (*take)(struct dma_fence *fence, struct mock_cb *cb);
	/* What it returns for a live fence, and if somebody else signals it. */
	long live, signaled;
	/* It waits for callbacks that are running. */
	bool waits;
	/* The issuer says that the work is done. */
	bool done;
} paths[] = {
	{ "dma_fence_check_and_signal", path_signal, false, true, true },
	{ "dma_fence_signal_timestamp", path_signal_timestamp, false, true, true },
	{ "dma_fence_lock_unsignaled", path_lock, true, false },
	{ "dma_fence_enable_signaling", path_enable, 0, 0 },
	{ "dma_fence_add_callback", path_add, 0, -ENOENT },
	{ "dma_fence_remove_callback", path_remove, true, false, true },
	{ "dma_fence_default_wait", path_default_wait, 0, 2, true },
	{ "dma_fence_is_signaled", path_is_signaled, true, true, false, true },
	{ "dma_fence_get_status", path_get_status, 1, 1, false, true },
	{ "dma_fence_set_deadline", path_set_deadline, 0, 0, false, true },
};

KUNIT_ARRAY_PARAM_DESC(path, paths, name);

static void take_path(struct kunit *test, struct lock_watch *watch,
		      unsigned int flags, bool enabled, long expect)
{
	const struct path *path = test->param_value;
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB | flags);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};
	long ret;

	if (!IS_ENABLED(CONFIG_LOCKDEP) || !IS_ENABLED(CONFIG_TRACEPOINTS) ||
	    !debug_locks) {
		dma_fence_put(fence);
		kunit_skip(test, "needs CONFIG_PROVE_LOCKING and CONFIG_TRACEPOINTS");
	}
	/* A probe is not preemptible, and there these spinlocks sleep. */
	if (IS_ENABLED(CONFIG_PREEMPT_RT) &&
	    (watch->signal_at_lock || watch->signal_at_section)) {
		dma_fence_put(fence);
		kunit_skip(test, "signals from a probe, which PREEMPT_RT forbids");
	}

	/* Has signaling enabled: what enables it goes without. */
	if (enabled || path->take == path_remove)
		KUNIT_EXPECT_EQ(test, 0,
				dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	if (path->done)
		mock_issuer_complete(issuer);

	lock_watch_start(test, watch, fence);
	ret = path->take(fence, &cb);
	lock_watch_stop(watch);

	KUNIT_EXPECT_EQ(test, ret, expect);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static const unsigned int lock_kinds[] = { 0, MOCK_EXTERN_LOCK };

static void dma_fence_test_lock_is_taken_in_a_section(struct kunit *test)
{
	const struct path *path = test->param_value;
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lock_kinds); i++) {
		struct lock_watch watch = {};

		take_path(test, &watch, lock_kinds[i / 2], i & 1, path->live);
		KUNIT_EXPECT_GT(test, watch.locked, 0);
		KUNIT_EXPECT_EQ(test, watch.outside, 0);
	}
}

/*
 * Somebody else signals the fence before the section begins. By the time that it
 * does the grace period may be over, and the lock freed.
 */
static void dma_fence_test_lock_left_alone_if_signaled_before_section(struct kunit *test)
{
	const struct path *path = test->param_value;
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lock_kinds); i++) {
		struct lock_watch watch = { .signal_at_section = true };

		take_path(test, &watch, lock_kinds[i / 2], i & 1, path->signaled);
		KUNIT_EXPECT_FALSE(test, watch.signal_at_section);
		KUNIT_EXPECT_EQ(test, watch.locked, 0);
	}
}

/*
 * Somebody else has the lock, and signals the fence. That is found out when the
 * lock is had, which the section has kept from going away.
 */
static void dma_fence_test_signaled_while_lock_is_waited_for(struct kunit *test)
{
	const struct path *path = test->param_value;
	int i;

	for (i = 0; i < 2 * ARRAY_SIZE(lock_kinds); i++) {
		struct lock_watch watch = { .signal_at_lock = true };

		take_path(test, &watch, lock_kinds[i / 2], i & 1, path->signaled);
		KUNIT_EXPECT_FALSE(test, watch.signal_at_lock);
		KUNIT_EXPECT_EQ(test, watch.locked, 1);
		KUNIT_EXPECT_EQ(test, watch.outside, 0);
	}
}

/*
 * The signaler has set the flag, and is about to run the callbacks. Whoever
 * promises that they have run waits for the lock, nobody else needs it any more.
 */
static void dma_fence_test_lock_is_waited_for_until_callbacks_done(struct kunit *test)
{
	const struct path *path = test->param_value;
	int i;

	for (i = 0; i < ARRAY_SIZE(lock_kinds); i++) {
		struct mock_issuer *issuer = mock_issuer_create(test, lock_kinds[i]);
		struct dma_fence *fence = mock_fence_create(issuer, 1);
		struct lock_watch watch = {};
		struct mock_cb cb = {};
		unsigned long flags;

		if (!IS_ENABLED(CONFIG_LOCKDEP) || !IS_ENABLED(CONFIG_TRACEPOINTS) ||
		    !debug_locks) {
			dma_fence_put(fence);
			kunit_skip(test, "needs CONFIG_PROVE_LOCKING and CONFIG_TRACEPOINTS");
		}

		set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
		INIT_LIST_HEAD(&cb.base.node);

		lock_watch_start(test, &watch, fence);
		KUNIT_EXPECT_EQ(test, path->take(fence, &cb), path->signaled);
		lock_watch_stop(&watch);
		KUNIT_EXPECT_EQ(test, watch.locked, path->waits);
		KUNIT_EXPECT_EQ(test, watch.outside, 0);

		dma_fence_lock_irqsave(fence, flags);
		dma_fence_set_callbacks_done(fence);
		dma_fence_unlock_irqrestore(fence, flags);

		watch = (struct lock_watch){};
		lock_watch_start(test, &watch, fence);
		path->take(fence, &cb);
		lock_watch_stop(&watch);
		KUNIT_EXPECT_EQ(test, watch.locked, 0);
		dma_fence_put(fence);
	}
}

/* As long as nobody has set it: the issuer's lock may be gone afterwards. */
static void dma_fence_test_timestamp_is_waited_for_in_a_section(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lock_kinds); i++) {
		struct mock_issuer *issuer = mock_issuer_create(test, lock_kinds[i]);
		struct dma_fence *fence = mock_fence_create(issuer, 1);
		struct lock_watch watch = {};

		if (!IS_ENABLED(CONFIG_LOCKDEP) || !IS_ENABLED(CONFIG_TRACEPOINTS) ||
		    !debug_locks) {
			dma_fence_put(fence);
			kunit_skip(test, "needs CONFIG_PROVE_LOCKING and CONFIG_TRACEPOINTS");
		}

		set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags);
		lock_watch_start(test, &watch, fence);
		dma_fence_timestamp(fence);
		lock_watch_stop(&watch);
		KUNIT_EXPECT_EQ(test, watch.locked, 1);
		KUNIT_EXPECT_EQ(test, watch.outside, 0);

		fence->timestamp = 1;
		set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
		watch = (struct lock_watch){};
		lock_watch_start(test, &watch, fence);
		KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), 1);
		lock_watch_stop(&watch);
		KUNIT_EXPECT_EQ(test, watch.locked, 0);
		dma_fence_put(fence);
	}
}

static void dma_fence_test_locked_fence_is_not_signaled(struct kunit *test)
{
	struct dma_fence *fence =
		mock_fence_create(mock_issuer_create(test, mock_lock_flags(test)), 1);
	unsigned long flags;

	KUNIT_ASSERT_TRUE(test, dma_fence_lock_unsignaled(fence, &flags));
	dma_fence_assert_held(fence);
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		KUNIT_EXPECT_TRUE(test, irqs_disabled());
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	dma_fence_signal_locked(fence);
	dma_fence_unlock_unsignaled(fence, flags);
	KUNIT_EXPECT_FALSE(test, irqs_disabled());

	KUNIT_EXPECT_FALSE(test, dma_fence_lock_unsignaled(fence, &flags));
	KUNIT_EXPECT_FALSE(test, irqs_disabled());
	dma_fence_put(fence);
}

/*
 * To begin a signalling section is to wait for nobody. So it is no inversion that
 * one begins with a lock held that another takes: with PREEMPT_RT the fence locks are
 * such locks.
 */
static void dma_fence_test_signalling_section_begins_below_any_lock(struct kunit *test)
{
	static DEFINE_MUTEX(lock);
	bool outer, inner;

	if (!IS_ENABLED(CONFIG_LOCKDEP) || !debug_locks)
		kunit_skip(test, "needs CONFIG_PROVE_LOCKING");

	mutex_lock(&lock);
	outer = dma_fence_begin_signalling();
	/* The annotation is there ... */
	KUNIT_EXPECT_FALSE(test, outer);
	inner = dma_fence_begin_signalling();
	KUNIT_EXPECT_TRUE(test, inner);
	dma_fence_end_signalling(inner);
	dma_fence_end_signalling(outer);
	mutex_unlock(&lock);

	outer = dma_fence_begin_signalling();
	mutex_lock(&lock);
	mutex_unlock(&lock);
	dma_fence_end_signalling(outer);

	/* ... and lockdep has nothing against it. */
	KUNIT_EXPECT_TRUE(test, debug_locks);
}

static struct kunit_case dma_fence_lock_tests[] = {
	KUNIT_CASE(dma_fence_test_size_is_64_bytes),
	KUNIT_CASE(dma_fence_test_init_without_lock_uses_inline_lock),
	KUNIT_CASE(dma_fence_test_init_with_lock_uses_that_lock),
	KUNIT_CASE_PARAM(dma_fence_test_init64_takes_either_lock, mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_extern_lock_is_shared),
	KUNIT_CASE(dma_fence_test_inline_lock_is_private),
	KUNIT_CASE_PARAM(dma_fence_test_questions_are_answered_without_lock,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_lock_helpers_lock, mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_inline_locks_of_two_issuers_nest),
	KUNIT_CASE_PARAM(dma_fence_test_signal_completes_notification,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_while_inline_lock_held,
			 mock_atomic_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_while_extern_lock_held,
			 mock_atomic_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_attached_while_extern_lock_held,
			 mock_atomic_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_use_after_lock_freed, mock_use_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_lock_left_alone_when_callbacks_done,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_lock_is_taken_in_a_section, path_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_lock_left_alone_if_signaled_before_section,
			 path_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signaled_while_lock_is_waited_for,
			 path_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_lock_is_waited_for_until_callbacks_done,
			 path_gen_params),
	KUNIT_CASE(dma_fence_test_timestamp_is_waited_for_in_a_section),
	KUNIT_CASE_PARAM(dma_fence_test_locked_fence_is_not_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE(dma_fence_test_signalling_section_begins_below_any_lock),
	{}
};

static struct kunit_suite dma_fence_lock_test_suite = {
	.name = "dma_fence_lock",
	.test_cases = dma_fence_lock_tests,
};

kunit_test_suite(dma_fence_lock_test_suite);
