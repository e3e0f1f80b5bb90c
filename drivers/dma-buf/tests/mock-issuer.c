// SPDX-License-Identifier: GPL-2.0
/*
 * A mock issuer of fences, and every use of a fence whose issuer is gone.
 *
 * All that a fence points to is in one block of kmalloc'ed memory: the ops
 * table, the names, the lock. mock_issuer_destroy() does what a driver does
 * that is unloaded: it waits for an RCU grace period, and frees the block. From
 * then on KASAN reports whoever still follows the fence to its issuer, and
 * KUnit lets the running test fail for it.
 *
 * mock_issuer_retire() only waits, but whichever callback is called from then on
 * counts itself as late. That needs no KASAN.
 */

#include <kunit/visibility.h>

#include <linux/completion.h>
#include <linux/debug_locks.h>
#include <linux/delay.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/poison.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/trace_events.h>

#include <drm/drm_syncobj.h>

#include "mock-issuer.h"

static struct mock_fence *to_mock_fence(struct dma_fence *fence)
{
	return container_of(fence, struct mock_fence, base);
}

static void mock_called(struct mock_fence *mock, atomic_t *counter)
{
	atomic_inc(counter);
	if (READ_ONCE(mock->calls->gone))
		atomic_inc(&mock->calls->late);
	else if (mock->issuer->delay)
		udelay(mock->issuer->delay);
}

static const char *mock_get_driver_name(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->get_driver_name);
	return mock->issuer->driver_name;
}

static const char *mock_get_timeline_name(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->get_timeline_name);
	return mock->issuer->timeline_name;
}

static bool mock_enable_signaling(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->enable_signaling);
	dma_fence_assert_held(fence);

	if (!(mock->issuer->flags & MOCK_ENABLE_FAILS))
		return true;

	if (mock->issuer->enable_error)
		dma_fence_set_error(fence, mock->issuer->enable_error);
	return false;
}

static bool mock_signaled(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->signaled);
	return READ_ONCE(mock->issuer->completed);
}

static signed long mock_wait(struct dma_fence *fence, bool intr,
			     signed long timeout)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->wait);
	return dma_fence_default_wait(fence, intr, timeout);
}

static void mock_release(struct dma_fence *fence)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->release);
	dma_fence_free(fence);
}

static void mock_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct mock_fence *mock = to_mock_fence(fence);

	mock_called(mock, &mock->calls->set_deadline);
}

/**
 * mock_issuer_alloc - create an issuer that the caller frees
 * @calls: where its callbacks count
 * @flags: MOCK_*
 *
 * For those who need more issuers than a test could keep until its end; all
 * others use mock_issuer_create().
 *
 * Return: The issuer, for mock_issuer_free() or mock_issuer_free_rcu(), or NULL
 * without memory.
 */
struct mock_issuer *mock_issuer_alloc(struct mock_calls *calls, unsigned int flags)
{
	struct mock_issuer *issuer;

	issuer = kzalloc(sizeof(*issuer), GFP_KERNEL);
	if (!issuer)
		return NULL;

	issuer->calls = calls;
	issuer->flags = flags;
	issuer->context = dma_fence_context_alloc(1);
	spin_lock_init(&issuer->lock);
	strscpy(issuer->driver_name, "mock-driver");
	strscpy(issuer->timeline_name, "mock-timeline");

	issuer->ops.get_driver_name = mock_get_driver_name;
	issuer->ops.get_timeline_name = mock_get_timeline_name;
	if (flags & (MOCK_ENABLE_CB | MOCK_ENABLE_FAILS))
		issuer->ops.enable_signaling = mock_enable_signaling;
	if (flags & MOCK_SIGNALED_CB)
		issuer->ops.signaled = mock_signaled;
	if (flags & MOCK_WAIT)
		issuer->ops.wait = mock_wait;
	if (flags & MOCK_RELEASE)
		issuer->ops.release = mock_release;
	if (flags & MOCK_DEADLINE_CB)
		issuer->ops.set_deadline = mock_set_deadline;

	return issuer;
}

/**
 * mock_issuer_free - free an issuer at once
 * @issuer: the issuer, a grace period after its fences have been signaled
 *
 * Not all that watches over memory is KASAN: what was there is overwritten, so
 * that a late caller of an op jumps to nowhere, and a late name says so.
 */
void mock_issuer_free(struct mock_issuer *issuer)
{
	memset(issuer, POISON_FREE, sizeof(*issuer));
	strscpy(issuer->driver_name, "freed-driver");
	strscpy(issuer->timeline_name, "freed-timeline");
	kfree(issuer);
}

static void mock_issuer_rcu_func(struct rcu_head *rcu)
{
	mock_issuer_free(container_of(rcu, struct mock_issuer, rcu));
}

/**
 * mock_issuer_free_rcu - free an issuer after a grace period
 * @issuer: the issuer, all of whose fences have been signaled
 *
 * Does not wait; rcu_barrier() does.
 */
void mock_issuer_free_rcu(struct mock_issuer *issuer)
{
	call_rcu(&issuer->rcu, mock_issuer_rcu_func);
}

static void mock_issuer_free_action(void *data)
{
	struct mock_issuer *issuer = data;

	synchronize_rcu();
	WRITE_ONCE(issuer->calls->gone, true);
	mock_issuer_free(issuer);
}

/*
 * Lockdep turns itself off when it has something to report, without a word to
 * KUnit: let the test fail whose doing it was.
 */
static void mock_expect_debug_locks(void *data)
{
	struct kunit *test = data;

	KUNIT_EXPECT_TRUE_MSG(test, debug_locks,
			      "lock debugging has found something, see the log");
}

/**
 * mock_issuer_create - create an issuer of fences
 * @test: the running test
 * @flags: MOCK_*
 *
 * Return: The issuer, which goes away at the end of the test unless
 * mock_issuer_destroy() is called before. Its fences must have been signaled by
 * then.
 */
struct mock_issuer *mock_issuer_create(struct kunit *test, unsigned int flags)
{
	struct mock_issuer *issuer;
	struct mock_calls *calls;
	int ret;

	if (debug_locks) {
		ret = kunit_add_action(test, mock_expect_debug_locks, test);
		KUNIT_ASSERT_EQ(test, ret, 0);
	}

	calls = kunit_kzalloc(test, sizeof(*calls), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, calls);

	issuer = mock_issuer_alloc(calls, flags);
	KUNIT_ASSERT_NOT_NULL(test, issuer);
	issuer->test = test;

	ret = kunit_add_action_or_reset(test, mock_issuer_free_action, issuer);
	KUNIT_ASSERT_EQ(test, ret, 0);

	return issuer;
}
EXPORT_SYMBOL_IF_KUNIT(mock_issuer_create);

/**
 * mock_issuer_destroy - unload the driver
 * @issuer: the issuer, all of whose fences have been signaled
 *
 * Waits for an RCU grace period, and frees ops, names and lock. With neither
 * %MOCK_RELEASE nor %MOCK_WAIT, what remains of the issuer's fences can be used
 * as ever.
 */
void mock_issuer_destroy(struct mock_issuer *issuer)
{
	kunit_release_action(issuer->test, mock_issuer_free_action, issuer);
}
EXPORT_SYMBOL_IF_KUNIT(mock_issuer_destroy);

/**
 * mock_issuer_retire - pretend to unload the driver
 * @issuer: the issuer, all of whose fences have been signaled
 *
 * Waits for an RCU grace period. From then on each call of a callback is counted
 * in &mock_calls.late.
 */
void mock_issuer_retire(struct mock_issuer *issuer)
{
	synchronize_rcu();
	WRITE_ONCE(issuer->calls->gone, true);
}

/**
 * mock_issuer_calls - the counters of an issuer
 * @issuer: the issuer, while it exists
 *
 * Return: The counters, which exist until the end of the test.
 */
struct mock_calls *mock_issuer_calls(struct mock_issuer *issuer)
{
	return issuer->calls;
}
EXPORT_SYMBOL_IF_KUNIT(mock_issuer_calls);

/**
 * mock_calls_total - how often any of the callbacks has been called
 * @calls: the counters
 *
 * Return: The sum of all counters.
 */
int mock_calls_total(struct mock_calls *calls)
{
	return atomic_read(&calls->get_driver_name) +
	       atomic_read(&calls->get_timeline_name) +
	       atomic_read(&calls->enable_signaling) +
	       atomic_read(&calls->signaled) +
	       atomic_read(&calls->wait) +
	       atomic_read(&calls->release) +
	       atomic_read(&calls->set_deadline);
}

/**
 * mock_fence_alloc - issue a fence, or fail
 * @issuer: the issuer
 * @seqno: the seqno of the fence
 *
 * Return: The fence, whose one reference is the caller's, or NULL without
 * memory.
 */
struct dma_fence *mock_fence_alloc(struct mock_issuer *issuer, u64 seqno)
{
	bool external = issuer->flags & MOCK_EXTERN_LOCK;
	spinlock_t *lock = external ? &issuer->lock : NULL;
	struct mock_fence *mock;

	BUILD_BUG_ON(offsetof(struct mock_fence, base));

	mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	if (!mock)
		return NULL;

	mock->issuer = issuer;
	mock->calls = issuer->calls;
	if (issuer->flags & MOCK_SEQNO64)
		dma_fence_init64(&mock->base, &issuer->ops, lock,
				 issuer->context, seqno);
	else
		dma_fence_init(&mock->base, &issuer->ops, lock,
			       issuer->context, seqno);

	return &mock->base;
}

/**
 * mock_fence_create - issue a fence
 * @issuer: the issuer, from mock_issuer_create()
 * @seqno: the seqno of the fence
 *
 * Return: The fence, whose one reference is the caller's.
 */
struct dma_fence *mock_fence_create(struct mock_issuer *issuer, u64 seqno)
{
	struct dma_fence *fence = mock_fence_alloc(issuer, seqno);

	KUNIT_ASSERT_NOT_NULL(issuer->test, fence);

	return fence;
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_create);

/**
 * mock_fence_create_orphan - a signaled fence whose issuer is gone
 * @test: the running test
 * @flags: MOCK_*, but neither %MOCK_RELEASE nor %MOCK_WAIT
 *
 * Return: The fence, whose one reference is the caller's.
 */
struct dma_fence *mock_fence_create_orphan(struct kunit *test, unsigned int flags)
{
	struct mock_issuer *issuer = mock_issuer_create(test, flags);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_ASSERT_FALSE(test, dma_fence_check_and_signal(fence));
	mock_issuer_destroy(issuer);

	return fence;
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_create_orphan);

/**
 * mock_fence_create_live - have a fence issued by an issuer of its own
 * @test: the running test, with the parameters of mock_lock_gen_params()
 * @seqno: the seqno of the fence
 *
 * Return: The fence, whose one reference is the caller's. mock_fence_detach() signals
 * it, and has the issuer go.
 */
struct dma_fence *mock_fence_create_live(struct kunit *test, u64 seqno)
{
	return mock_fence_create(mock_issuer_create_param(test), seqno);
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_create_live);

/**
 * mock_fence_detach - signal a fence, and unload its driver
 * @fence: a struct mock_fence, the last of its issuer that has not been signaled
 */
void mock_fence_detach(struct dma_fence *fence)
{
	struct mock_issuer *issuer = to_mock_fence(fence)->issuer;

	KUNIT_EXPECT_FALSE(issuer->test, dma_fence_check_and_signal(fence));
	mock_issuer_destroy(issuer);
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_detach);

/**
 * mock_fence_calls - the counters of a fence's issuer
 * @fence: a struct mock_fence, whose issuer may be gone
 *
 * Return: The counters, which exist until the end of the test.
 */
struct mock_calls *mock_fence_calls(struct dma_fence *fence)
{
	return to_mock_fence(fence)->calls;
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_calls);

/**
 * mock_fence_create_detached - a signaled fence whose issuer is gone
 * @test: the running test, with the parameters of mock_lock_gen_params()
 * @seqno: the seqno of the fence
 * @error: the error to signal it with, or 0
 *
 * Return: The fence, whose one reference is the caller's.
 */
struct dma_fence *mock_fence_create_detached(struct kunit *test, u64 seqno, int error)
{
	struct dma_fence *fence = mock_fence_create_live(test, seqno);

	if (error)
		dma_fence_set_error(fence, error);
	mock_fence_detach(fence);

	return fence;
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_create_detached);

/**
 * mock_fence_array_create - an array of a fence and of one that has signaled
 * @test: the running test
 * @fence: any fence, of which the array gets a reference
 *
 * Return: the array, which waits for @fence.
 */
struct dma_fence_array *mock_fence_array_create(struct kunit *test,
						struct dma_fence *fence)
{
	struct dma_fence **fences = kcalloc(2, sizeof(*fences), GFP_KERNEL);
	struct dma_fence_array *array;

	KUNIT_ASSERT_NOT_NULL(test, fences);
	fences[0] = dma_fence_get(fence);
	fences[1] = dma_fence_get_stub();
	array = mock_array_create(2, fences, dma_fence_context_alloc(1), 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	dma_fence_enable_signaling(&array->base);

	return array;
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_array_create);

/**
 * mock_expect_refs - how often a fence is held
 * @test: the running test
 * @fence: any fence
 * @refs: the references to expect
 *
 * Those above get dropped, some of them a moment later: by the irq_work of a
 * container, or by the work that closes files.
 */
void mock_expect_refs(struct kunit *test, struct dma_fence *fence, unsigned int refs)
{
	unsigned long timeout = jiffies + MOCK_SOON;

	while (kref_read(&fence->refcount) > refs && time_before(jiffies, timeout))
		fsleep(1000);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), refs);
}
EXPORT_SYMBOL_IF_KUNIT(mock_expect_refs);

/**
 * mock_put_detached_fences - put the last references to fences whose issuers are gone
 * @test: the running test
 * @fences: each a struct mock_fence
 * @count: how many there are
 *
 * Each has to be the last one of all, as whatever the test put the fence into drops
 * what it holds. And nobody has called back into the issuer meanwhile.
 */
void mock_put_detached_fences(struct kunit *test, struct dma_fence **fences,
			      unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&mock_fence_calls(fences[i])->late), 0);
		mock_expect_refs(test, fences[i], 1);
		dma_fence_put(fences[i]);
	}
}
EXPORT_SYMBOL_IF_KUNIT(mock_put_detached_fences);

/**
 * mock_cb_func - the function of a struct mock_cb
 * @fence: the fence that signals
 * @cb: the base of a struct mock_cb
 */
void mock_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct mock_cb *mock = container_of(cb, struct mock_cb, base);

	mock->error = fence->error;
	atomic_inc(&mock->count);
}
EXPORT_SYMBOL_IF_KUNIT(mock_cb_func);

/**
 * mock_expect_names - what a fence says it is called
 * @test: the running test
 * @fence: the fence
 * @driver: the driver name to expect
 * @timeline: the timeline name to expect
 */
void mock_expect_names(struct kunit *test, struct dma_fence *fence,
		       const char *driver, const char *timeline)
{
	const char __rcu *name;
	char copy[2][80];	/* a device of KUnit is named after the case */

	/* The names may not outlive the section: take copies. */
	rcu_read_lock();
	name = dma_fence_driver_name(fence);
	strscpy(copy[0], rcu_dereference(name));
	name = dma_fence_timeline_name(fence);
	strscpy(copy[1], rcu_dereference(name));
	rcu_read_unlock();

	KUNIT_EXPECT_STREQ(test, copy[0], driver);
	KUNIT_EXPECT_STREQ(test, copy[1], timeline);
}
EXPORT_SYMBOL_IF_KUNIT(mock_expect_names);

/* A seq_file that nobody reads: what is written to it stays in buf. */
static void mock_seq_init(struct kunit *test, struct seq_file *seq)
{
	memset(seq, 0, sizeof(*seq));
	seq->size = PAGE_SIZE;
	seq->buf = kunit_kzalloc(test, seq->size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seq->buf);
}

/**
 * mock_describe - what dma_fence_describe() writes
 * @test: the running test, at whose end the string goes away
 * @fence: the fence to describe
 *
 * Return: The string.
 */
const char *mock_describe(struct kunit *test, struct dma_fence *fence)
{
	struct seq_file seq;

	mock_seq_init(test, &seq);
	dma_fence_describe(fence, &seq);

	return seq.buf;
}

/**
 * mock_described - what dma_fence_describe() has to write of a fence
 * @test: the running test, at whose end the string goes away
 * @fence: the fence
 * @live: it has not been signaled
 *
 * Return: The string.
 */
const char *mock_described(struct kunit *test, struct dma_fence *fence, bool live)
{
	struct seq_file seq;

	mock_seq_init(test, &seq);
	if (live)
		seq_printf(&seq, MOCK_DESCRIBED_LIVE(fence));
	else
		seq_printf(&seq, MOCK_DESCRIBED_SIGNALED(fence));

	return seq.buf;
}
EXPORT_SYMBOL_IF_KUNIT(mock_described);

/* What the runs of a parameterized test differ in. */
struct mock_kind {
	const char *name;
	unsigned int flags;
};

static const struct mock_kind mock_locks[] = {
	{ "inline lock", 0 },
	{ "external lock", MOCK_EXTERN_LOCK },
	{}
};

/* Issuers with one of the deprecated callbacks, who have to stay. */
static const struct mock_kind mock_attached[] = {
	{ "inline lock, release", MOCK_RELEASE },
	{ "inline lock, wait", MOCK_WAIT },
	{ "inline lock, release and wait", MOCK_RELEASE | MOCK_WAIT },
	{ "external lock, release", MOCK_EXTERN_LOCK | MOCK_RELEASE },
	{ "external lock, wait", MOCK_EXTERN_LOCK | MOCK_WAIT },
	{ "external lock, release and wait", MOCK_EXTERN_LOCK | MOCK_RELEASE | MOCK_WAIT },
	{}
};

static const void *mock_kind_next(const struct mock_kind *kinds, const void *prev, char *desc)
{
	const struct mock_kind *kind = prev ? (const struct mock_kind *)prev + 1 : kinds;

	if (!kind->name)
		return NULL;

	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
	return kind;
}

static unsigned int mock_kind_flags(struct kunit *test)
{
	return ((const struct mock_kind *)test->param_value)->flags;
}

/*
 * mock_lock_gen_params() - the parameters of a test that takes each kind of lock
 *
 * For KUNIT_CASE_PARAM().
 *
 * Return: The next parameter, or NULL after the last.
 */
MOCK_GEN_PARAMS(mock_lock_gen_params)
{
	return mock_kind_next(mock_locks, prev, desc);
}
EXPORT_SYMBOL_IF_KUNIT(mock_lock_gen_params);

/**
 * mock_lock_flags - the kind of lock that this case is about
 * @test: the running test, with the parameters of mock_lock_gen_params()
 *
 * Return: The flags for mock_issuer_create().
 */
unsigned int mock_lock_flags(struct kunit *test)
{
	return mock_kind_flags(test);
}
EXPORT_SYMBOL_IF_KUNIT(mock_lock_flags);

/**
 * mock_issuer_create_param - an issuer with the kind of lock of this case
 * @test: the running test, with the parameters of mock_lock_gen_params()
 *
 * Return: What mock_issuer_create() returns with that lock and %MOCK_ALL_CB.
 */
struct mock_issuer *mock_issuer_create_param(struct kunit *test)
{
	return mock_issuer_create(test, MOCK_ALL_CB | mock_lock_flags(test));
}
EXPORT_SYMBOL_IF_KUNIT(mock_issuer_create_param);

/*
 * mock_attached_gen_params() - the parameters of a test of fences that keep their ops
 *
 * For KUNIT_CASE_PARAM(): issuers with one or both of the deprecated callbacks,
 * and with each kind of lock.
 *
 * Return: The next parameter, or NULL after the last.
 */
MOCK_GEN_PARAMS(mock_attached_gen_params)
{
	return mock_kind_next(mock_attached, prev, desc);
}
EXPORT_SYMBOL_IF_KUNIT(mock_attached_gen_params);

/**
 * mock_attached_flags - the callbacks and the kind of lock that this case is about
 * @test: the running test, with the parameters of mock_attached_gen_params()
 *
 * Return: The flags for mock_issuer_create().
 */
unsigned int mock_attached_flags(struct kunit *test)
{
	return mock_kind_flags(test);
}
EXPORT_SYMBOL_IF_KUNIT(mock_attached_flags);

/**
 * mock_issuer_create_attached - an issuer that has to stay, of the kind of this case
 * @test: the running test, with the parameters of mock_attached_gen_params()
 *
 * Return: What mock_issuer_create() returns with these callbacks and that lock, and
 * %MOCK_ALL_CB.
 */
struct mock_issuer *mock_issuer_create_attached(struct kunit *test)
{
	return mock_issuer_create(test, MOCK_ALL_CB | mock_attached_flags(test));
}
EXPORT_SYMBOL_IF_KUNIT(mock_issuer_create_attached);

/**
 * mock_expect_releases - how many fences an issuer has released
 * @test: the running test, with the parameters of mock_attached_gen_params()
 * @calls: the counters of its issuer
 * @count: how many to expect, of an issuer that has a release at all
 */
void mock_expect_releases(struct kunit *test, struct mock_calls *calls, int count)
{
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->release),
			mock_attached_flags(test) & MOCK_RELEASE ? count : 0);
}
EXPORT_SYMBOL_IF_KUNIT(mock_expect_releases);

/**
 * mock_trace_switch - switch the events of dma_fence on or off
 * @on: which of the two
 *
 * Return: 0, or an error, without CONFIG_EVENT_TRACING for instance.
 */
int mock_trace_switch(bool on)
{
	if (!IS_ENABLED(CONFIG_EVENT_TRACING))
		return -EOPNOTSUPP;

	return trace_set_clr_event("dma_fence", NULL, on);
}
EXPORT_SYMBOL_IF_KUNIT(mock_trace_switch);

/**
 * mock_user_page - memory for what user space passes to an ioctl
 * @test: the running test, which is skipped where there is no such memory
 *
 * Return: A page, which goes away at the end of the test.
 */
void __user *mock_user_page(struct kunit *test)
{
	unsigned long addr;

	if (!IS_ENABLED(CONFIG_MMU))
		kunit_skip(test, "there is no user memory without an MMU");

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);
	KUNIT_ASSERT_LT(test, addr, TASK_SIZE);

	return (void __user *)addr;
}
EXPORT_SYMBOL_IF_KUNIT(mock_user_page);

/**
 * mock_warn_begin - announce a warning that a test provokes
 * @test: the running test
 * @what: the function that warns
 *
 * Misuse of a fence is answered by a WARN(), which KUnit has no means to expect.
 * For whoever reads the log, what is between these lines is meant to be there::
 *
 *	# <case>: begin of expected warning: <what>
 *	...
 *	# <case>: end of expected warning
 */
void mock_warn_begin(struct kunit *test, const char *what)
{
	kunit_info(test, "begin of expected warning: %s\n", what);
}

/**
 * mock_warn_end - the warnings from here on are not expected
 * @test: the running test
 */
void mock_warn_end(struct kunit *test)
{
	kunit_info(test, "end of expected warning\n");
}

/* Somebody else who waits for a fence. */
struct mock_waiter {
	struct kunit *test;
	struct dma_fence *fence;
	bool intr;
	long timeout;
	long ret;
	bool started;
	struct completion done;
	struct task_struct *task;
};

static int mock_waiter_thread(void *data)
{
	struct mock_waiter *waiter = data;

#if IS_ENABLED(CONFIG_KUNIT)
	/* Let the test fail if KASAN finds something here. */
	current->kunit_test = waiter->test;
#endif
	allow_signal(SIGUSR1);
	WRITE_ONCE(waiter->started, true);
	waiter->ret = dma_fence_wait_timeout(waiter->fence, waiter->intr,
					     waiter->timeout);
#if IS_ENABLED(CONFIG_KUNIT)
	current->kunit_test = NULL;
#endif
	complete(&waiter->done);

	return 0;
}

static bool mock_waiter_sleeps(struct mock_waiter *waiter)
{
	return READ_ONCE(waiter->started) &&
	       READ_ONCE(waiter->task->__state) & TASK_NORMAL;
}

/**
 * mock_waiter_start - let a thread wait for a fence
 * @test: the running test
 * @fence: the fence
 * @intr: wait interruptibly
 * @timeout: in jiffies
 *
 * Return: The waiter, once it sleeps, or has returned.
 */
struct mock_waiter *mock_waiter_start(struct kunit *test, struct dma_fence *fence,
				      bool intr, long timeout)
{
	unsigned long deadline = jiffies + 10 * HZ;
	struct mock_waiter *waiter;
	struct task_struct *task;

	/* Not the test's memory: if the waiter hangs, the test goes first. */
	waiter = kzalloc(sizeof(*waiter), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, waiter);

	waiter->test = test;
	waiter->fence = dma_fence_get(fence);
	waiter->intr = intr;
	waiter->timeout = timeout;
	init_completion(&waiter->done);

	task = kthread_create(mock_waiter_thread, waiter, "mock-waiter");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	waiter->task = get_task_struct(task);
	wake_up_process(task);

	while (!mock_waiter_sleeps(waiter) && !completion_done(&waiter->done)) {
		KUNIT_ASSERT_TRUE_MSG(test, time_before(jiffies, deadline),
				      "the waiter neither sleeps nor returns");
		schedule_timeout_uninterruptible(1);
	}

	return waiter;
}
EXPORT_SYMBOL_IF_KUNIT(mock_waiter_start);

/**
 * mock_waiter_interrupt - interrupt a waiter by a signal of the other kind
 * @waiter: the waiter
 */
void mock_waiter_interrupt(struct mock_waiter *waiter)
{
	send_sig(SIGUSR1, waiter->task, 1);
}

/**
 * mock_waiter_join - wait for a waiter
 * @waiter: the waiter, which is freed
 *
 * Return: What its dma_fence_wait_timeout() returned.
 */
long mock_waiter_join(struct mock_waiter *waiter)
{
	struct kunit *test = waiter->test;
	long ret;

	KUNIT_ASSERT_NE_MSG(test, 0,
			    wait_for_completion_timeout(&waiter->done, 10 * HZ),
			    "the waiter does not return");

	ret = waiter->ret;
	dma_fence_put(waiter->fence);
	put_task_struct(waiter->task);
	kfree(waiter);

	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(mock_waiter_join);

/*
 * The uses. Each is legal on any signaled fence, whatever has become of its
 * issuer, and expects what a signaled fence answers.
 */

static void use_is_signaled(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
}

static void use_signal(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_TRUE(test, dma_fence_check_and_signal(fence));
}

static void use_signal_timestamp(struct kunit *test, struct dma_fence *fence)
{
	ktime_t timestamp = dma_fence_timestamp(fence);

	KUNIT_EXPECT_TRUE(test, mock_signal_timestamp(fence, 1));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(fence), timestamp);
}

static void use_add_callback(struct kunit *test, struct dma_fence *fence)
{
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func),
			-ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
}

static void use_remove_callback(struct kunit *test, struct dma_fence *fence)
{
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func),
			-ENOENT);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
}

static void use_wait(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
}

static void use_wait_interruptible(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, true), 0);
}

static void use_wait_timeout(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 7), 7);
}

static void use_wait_timeout_zero(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, 0), 1);
}

static void use_default_wait(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_default_wait(fence, false, 7), 7);
	KUNIT_EXPECT_EQ(test, dma_fence_default_wait(fence, false, 0), 1);
}

static void use_wait_any_timeout(struct kunit *test, struct dma_fence *fence)
{
	u32 idx = U32_MAX;

	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(&fence, 1, false, 7, &idx),
			7);
	KUNIT_EXPECT_EQ(test, idx, 0);
}

static void use_wait_any_timeout_zero(struct kunit *test, struct dma_fence *fence)
{
	u32 idx = U32_MAX;

	KUNIT_EXPECT_EQ(test, dma_fence_wait_any_timeout(&fence, 1, false, 0, &idx),
			1);
	KUNIT_EXPECT_EQ(test, idx, 0);
}

static void use_get_status(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), fence->error ?: 1);
}

static void use_timestamp(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_GT(test, ktime_to_ns(dma_fence_timestamp(fence)), 0);
	KUNIT_EXPECT_LE(test, ktime_to_ns(dma_fence_timestamp(fence)), ktime_get_ns());
}

static void use_set_deadline(struct kunit *test, struct dma_fence *fence)
{
	dma_fence_set_deadline(fence, ktime_get());
}

static void use_enable_signaling(struct kunit *test, struct dma_fence *fence)
{
	dma_fence_enable_signaling(fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
}

static void use_names(struct kunit *test, struct dma_fence *fence)
{
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
}

static void use_describe(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_STREQ(test, mock_describe(test, fence),
			   mock_described(test, fence, false));
}

static void use_get_put(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_get(fence), fence);
	dma_fence_put(fence);
}

static void use_get_rcu(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence __rcu *slot;
	struct dma_fence *first, *second;

	RCU_INIT_POINTER(slot, fence);

	rcu_read_lock();
	first = dma_fence_get_rcu(fence);
	second = dma_fence_get_rcu_safe(&slot);
	rcu_read_unlock();

	KUNIT_EXPECT_PTR_EQ(test, first, fence);
	KUNIT_EXPECT_PTR_EQ(test, second, fence);
	dma_fence_put(first);
	dma_fence_put(second);
}

static void use_is_later(struct kunit *test, struct dma_fence *fence)
{
	u64 seqno = fence->seqno;

	KUNIT_EXPECT_TRUE(test, __dma_fence_is_later(fence, seqno + 1, seqno));
	KUNIT_EXPECT_FALSE(test, __dma_fence_is_later(fence, seqno, seqno + 1));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_later(fence, fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later_or_same(fence, fence));
}

static void use_later(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_NULL(test, dma_fence_later(fence, fence));
}

static void use_is_container(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_FALSE(test, dma_fence_is_array(fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_chain(fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_container(fence));
	KUNIT_EXPECT_NULL(test, to_dma_fence_array(fence));
	KUNIT_EXPECT_NULL(test, to_dma_fence_chain(fence));
}

static void use_unwrap(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_unwrap iter;
	struct dma_fence *f;
	int count = 0;

	dma_fence_unwrap_for_each(f, &iter, fence) {
		KUNIT_EXPECT_PTR_EQ(test, f, fence);
		count++;
	}
	KUNIT_EXPECT_EQ(test, count, 1);
}

static void use_unwrap_merge(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence *merged = dma_fence_unwrap_merge(fence, fence);

	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(merged));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(merged), dma_fence_timestamp(fence));
	dma_fence_put(merged);
}

static void use_in_array(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_array *array;
	struct dma_fence **fences;
	struct mock_cb cb = {};

	fences = kcalloc(2, sizeof(*fences), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	fences[0] = dma_fence_get(fence);
	fences[1] = dma_fence_get(fence);

	array = mock_array_create(2, fences, dma_fence_context_alloc(1), 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);

	/* The way of a callback first: a signaled array asks nobody. */
	KUNIT_EXPECT_EQ(test,
			dma_fence_add_callback(&array->base, &cb.base, mock_cb_func),
			-ENOENT);
	dma_fence_set_deadline(&array->base, ktime_get());
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&array->base));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&array->base), fence->error ?: 1);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(&array->base, false), 0);
	dma_fence_put(&array->base);
}

static void use_in_polled_array(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_array *array;
	struct dma_fence **fences;

	fences = kcalloc(1, sizeof(*fences), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	fences[0] = dma_fence_get(fence);

	array = mock_array_create(1, fences, dma_fence_context_alloc(1), 1,
				  MOCK_HAS_ARRAY_ANY);
	KUNIT_ASSERT_NOT_NULL(test, array);
	dma_fence_set_deadline(&array->base, ktime_get());
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&array->base));
	dma_fence_put(&array->base);
}

static void use_in_chain(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();
	struct dma_fence *link;

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, NULL, dma_fence_get(fence), 1);

	dma_fence_set_deadline(&chain->base, ktime_get());
	link = dma_fence_get(&chain->base);
	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&link, 1), 0);
	dma_fence_put(link);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(&chain->base, false), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&chain->base));
	dma_fence_put(&chain->base);
}

static void use_before_chain(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();
	struct dma_fence *iter;
	int count = 0;

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, dma_fence_get(fence), dma_fence_get_stub(), 1);

	dma_fence_chain_for_each(iter, &chain->base)
		count++;

	/* The walk drops what has signaled. */
	KUNIT_EXPECT_EQ(test, count, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(&chain->base, false), 0);
	dma_fence_put(&chain->base);
}

static void use_in_resv(struct kunit *test, struct dma_fence *fence)
{
	struct dma_resv *resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);
	struct dma_fence **fences, *single;
	struct dma_resv_iter cursor;
	struct dma_fence *f;
	struct seq_file seq;
	unsigned int num;

	KUNIT_ASSERT_NOT_NULL(test, resv);
	mock_seq_init(test, &seq);

	dma_resv_init(resv);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 2), 0);

	/* The second time it is compared with itself. */
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_replace_fences(resv, fence->context, fence, DMA_RESV_USAGE_WRITE);

	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_READ, f)
		KUNIT_EXPECT_PTR_EQ(test, f, fence);
	dma_resv_describe(resv, &seq);
	KUNIT_EXPECT_EQ(test, 0,
			dma_resv_get_fences(resv, DMA_RESV_USAGE_READ, &num, &fences));
	while (num)
		dma_fence_put(fences[--num]);
	kfree(fences);
	KUNIT_EXPECT_EQ(test, 0,
			dma_resv_get_singleton(resv, DMA_RESV_USAGE_READ, &single));
	dma_fence_put(single);
	dma_resv_unlock(resv);

	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test, 7,
			dma_resv_wait_timeout(resv, DMA_RESV_USAGE_READ, false, 7));
	dma_resv_set_deadline(resv, DMA_RESV_USAGE_READ, ktime_get());
	dma_resv_fini(resv);
}

static void use_in_sync_file(struct kunit *test, struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);
	char name[64];

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_EXPECT_PTR_EQ(test, sync_file_get_name(sync_file, name, sizeof(name)),
			    &name[0]);
	/* At once, so that the fence is put as well. */
	__fput_sync(sync_file->file);
}

static void use_in_syncobj(struct kunit *test, struct dma_fence *fence)
{
	struct drm_syncobj *syncobj;
	struct dma_fence *f;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&syncobj, 0, fence), 0);
	f = drm_syncobj_fence_get(syncobj);
	KUNIT_EXPECT_PTR_EQ(test, f, fence);
	dma_fence_put(f);
	drm_syncobj_replace_fence(syncobj, NULL);
	drm_syncobj_put(syncobj);
}

static const struct mock_use mock_uses[] = {
	{ "dma_fence_is_signaled", use_is_signaled, true },
	{ "dma_fence_signal", use_signal, true },
	{ "dma_fence_signal_timestamp", use_signal_timestamp, true },
	{ "dma_fence_add_callback", use_add_callback, true },
	{ "dma_fence_remove_callback", use_remove_callback, true },
	{ "dma_fence_wait", use_wait },
	{ "dma_fence_wait, interruptible", use_wait_interruptible },
	{ "dma_fence_wait_timeout", use_wait_timeout },
	{ "dma_fence_wait_timeout, 0", use_wait_timeout_zero },
	{ "dma_fence_default_wait", use_default_wait, true },
	{ "dma_fence_wait_any_timeout", use_wait_any_timeout },
	{ "dma_fence_wait_any_timeout, 0", use_wait_any_timeout_zero, true },
	{ "dma_fence_get_status", use_get_status, true },
	{ "dma_fence_timestamp", use_timestamp, true },
	{ "dma_fence_set_deadline", use_set_deadline, true },
	{ "dma_fence_enable_signaling", use_enable_signaling, true },
	{ "dma_fence_driver_name, dma_fence_timeline_name", use_names, true },
	{ "dma_fence_describe", use_describe },
	{ "dma_fence_get, dma_fence_put", use_get_put, true },
	{ "dma_fence_get_rcu", use_get_rcu, true },
	{ "dma_fence_is_later", use_is_later, true },
	{ "dma_fence_later", use_later, true },
	{ "dma_fence_is_container", use_is_container, true },
	{ "dma_fence_unwrap_for_each", use_unwrap, true },
	{ "dma_fence_unwrap_merge", use_unwrap_merge },
	{ "in a dma_fence_array", use_in_array },
	{ "in a dma_fence_array that is polled", use_in_polled_array },
	{ "in a dma_fence_chain", use_in_chain },
	{ "before a dma_fence_chain", use_before_chain },
	{ "in a dma_resv", use_in_resv },
	{ "in a sync_file", use_in_sync_file },
	{ "in a drm_syncobj", use_in_syncobj },
};

static const struct mock_use *mock_use_next(const struct mock_use *prev, char *desc)
{
	const struct mock_use *use = prev ? prev + 1 : mock_uses;

	if (use == mock_uses + ARRAY_SIZE(mock_uses))
		return NULL;

	strscpy(desc, use->name, KUNIT_PARAM_DESC_SIZE);
	return use;
}

/*
 * mock_use_gen_params() - the parameters of a test that takes each mock_use
 *
 * For KUNIT_CASE_PARAM().
 *
 * Return: The next parameter, or NULL after the last.
 */
MOCK_GEN_PARAMS(mock_use_gen_params)
{
	return mock_use_next(prev, desc);
}
EXPORT_SYMBOL_IF_KUNIT(mock_use_gen_params);

/*
 * mock_atomic_use_gen_params() - like mock_use_gen_params(), where that may sleep
 *
 * Leaves out what is not for atomic context.
 *
 * Return: The next parameter, or NULL after the last.
 */
MOCK_GEN_PARAMS(mock_atomic_use_gen_params)
{
	const struct mock_use *use = prev;

	do {
		use = mock_use_next(use, desc);
	} while (use && !use->atomic);

	return use;
}

/**
 * mock_fence_use - make every call of the API that is legal on a signaled fence
 * @test: the running test
 * @fence: the fence, signaled, not a container
 */
void mock_fence_use(struct kunit *test, struct dma_fence *fence)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(mock_uses); i++)
		mock_uses[i].use(test, fence);
}
EXPORT_SYMBOL_IF_KUNIT(mock_fence_use);

MODULE_DESCRIPTION("KUnit tests for dma-buf");
MODULE_LICENSE("GPL");
