/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mock issuer of fences: what a driver is to dma_fence, small enough to be
 * thrown away in the middle of a test.
 */
#ifndef _MOCK_ISSUER_H
#define _MOCK_ISSUER_H

#include <kunit/test.h>

#include <linux/array_size.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "mock-base.h"

struct dma_fence_array;

/* The lock is in the issuer, not in the fence. */
#define MOCK_EXTERN_LOCK	BIT(0)
/* The ops have a release: the fence keeps them for life. */
#define MOCK_RELEASE		BIT(1)
/* The ops have a wait: the fence keeps them for life. */
#define MOCK_WAIT		BIT(2)
/* The ops have a signaled, see mock_issuer_complete(). */
#define MOCK_SIGNALED_CB	BIT(3)
/* The ops have an enable_signaling ... */
#define MOCK_ENABLE_CB		BIT(4)
/* ... that finds the work done, and says false. */
#define MOCK_ENABLE_FAILS	BIT(5)
/* The ops have a set_deadline. */
#define MOCK_DEADLINE_CB	BIT(6)
/* The fences are initialized by dma_fence_init64(). */
#define MOCK_SEQNO64		BIT(7)

/* Containers signal from irq_work, which UML runs with the next tick. */
#define MOCK_SOON		(5 * HZ)

/* All ops that do not keep a fence attached to its issuer. */
#define MOCK_ALL_CB		(MOCK_SIGNALED_CB | MOCK_ENABLE_CB | MOCK_DEADLINE_CB)

/**
 * struct mock_calls - how often each of an issuer's callbacks has been called
 *
 * Outlives the issuer, up to the end of the test.
 *
 * @get_driver_name: calls of that op
 * @get_timeline_name: likewise
 * @enable_signaling: likewise
 * @signaled: likewise
 * @wait: likewise
 * @release: likewise
 * @set_deadline: likewise
 * @late: calls of any op after mock_issuer_destroy() or mock_issuer_retire()
 * @gone: one of these two has been called
 */
struct mock_calls {
	atomic_t get_driver_name;
	atomic_t get_timeline_name;
	atomic_t enable_signaling;
	atomic_t signaled;
	atomic_t wait;
	atomic_t release;
	atomic_t set_deadline;
	atomic_t late;
	bool gone;
};

/**
 * struct mock_issuer - one block of memory with all that fences point to
 *
 * @ops: the ops table of its fences
 * @lock: the lock of its fences, with %MOCK_EXTERN_LOCK
 * @driver_name: what get_driver_name returns
 * @timeline_name: what get_timeline_name returns
 * @context: the context of its fences
 * @flags: MOCK_*
 * @completed: what signaled returns
 * @delay: how many microseconds every op takes
 * @enable_error: if not 0, an enable_signaling that fails sets this error
 * @calls: the counters, which are not part of the block
 * @test: the running test, of an issuer from mock_issuer_create()
 * @rcu: for mock_issuer_free_rcu()
 */
struct mock_issuer {
	struct dma_fence_ops ops;
	spinlock_t lock;	/* as drivers have it, for all fences */
	char driver_name[16];
	char timeline_name[16];
	u64 context;
	unsigned int flags;
	bool completed;
	int enable_error;
	unsigned int delay;
	struct mock_calls *calls;
	struct kunit *test;
	struct rcu_head rcu;
};

/**
 * struct mock_fence - the fence of a mock issuer
 *
 * @base: at offset 0 of an object of its own, so that no release is needed
 * @issuer: dangles once the issuer has been destroyed
 * @calls: where the callbacks count
 */
struct mock_fence {
	struct dma_fence base;
	struct mock_issuer *issuer;
	struct mock_calls *calls;
};

struct mock_issuer *mock_issuer_alloc(struct mock_calls *calls, unsigned int flags);
void mock_issuer_free(struct mock_issuer *issuer);
void mock_issuer_free_rcu(struct mock_issuer *issuer);

struct mock_issuer *mock_issuer_create(struct kunit *test, unsigned int flags);
void mock_issuer_destroy(struct mock_issuer *issuer);
void mock_issuer_retire(struct mock_issuer *issuer);
struct mock_calls *mock_issuer_calls(struct mock_issuer *issuer);
int mock_calls_total(struct mock_calls *calls);

struct dma_fence *mock_fence_alloc(struct mock_issuer *issuer, u64 seqno);
struct dma_fence *mock_fence_create(struct mock_issuer *issuer, u64 seqno);
struct dma_fence *mock_fence_create_live(struct kunit *test, u64 seqno);
struct dma_fence *mock_fence_create_orphan(struct kunit *test, unsigned int flags);
struct dma_fence *mock_fence_create_detached(struct kunit *test, u64 seqno, int error);
struct dma_fence_array *mock_fence_array_create(struct kunit *test,
						struct dma_fence *fence);
void mock_fence_detach(struct dma_fence *fence);
struct mock_calls *mock_fence_calls(struct dma_fence *fence);
void mock_expect_refs(struct kunit *test, struct dma_fence *fence, unsigned int refs);
void mock_put_detached_fences(struct kunit *test, struct dma_fence **fences,
			      unsigned int count);

/* Put the last reference to each of these, whose issuers are gone. */
#define mock_put_detached(test, ...)					\
do {									\
	struct dma_fence *__fences[] = { __VA_ARGS__ };			\
									\
	mock_put_detached_fences(test, __fences, ARRAY_SIZE(__fences));	\
} while (0)

/**
 * mock_issuer_complete - let the signaled op of an issuer return true
 * @issuer: the issuer, with %MOCK_SIGNALED_CB
 *
 * The work is done, but nobody has signaled the fences yet.
 */
static inline void mock_issuer_complete(struct mock_issuer *issuer)
{
	WRITE_ONCE(issuer->completed, true);
}

/**
 * struct mock_use - a call of the API that is legal on a signaled fence
 *
 * @name: the call, as the cases of a parameterized test show it
 * @use: makes the call, and checks what it returns
 * @atomic: legal in atomic context, too
 */
struct mock_use {
	const char *name;
	void (*use)(struct kunit *test, struct dma_fence *fence);
	bool atomic;
};

MOCK_GEN_PARAMS(mock_use_gen_params);
MOCK_GEN_PARAMS(mock_atomic_use_gen_params);
void mock_fence_use(struct kunit *test, struct dma_fence *fence);

MOCK_GEN_PARAMS(mock_lock_gen_params);
unsigned int mock_lock_flags(struct kunit *test);
struct mock_issuer *mock_issuer_create_param(struct kunit *test);

MOCK_GEN_PARAMS(mock_attached_gen_params);
unsigned int mock_attached_flags(struct kunit *test);
struct mock_issuer *mock_issuer_create_attached(struct kunit *test);
void mock_expect_releases(struct kunit *test, struct mock_calls *calls, int count);

void mock_expect_names(struct kunit *test, struct dma_fence *fence,
		       const char *driver, const char *timeline);
const char *mock_describe(struct kunit *test, struct dma_fence *fence);
const char *mock_described(struct kunit *test, struct dma_fence *fence, bool live);

int mock_trace_switch(bool on);

void __user *mock_user_page(struct kunit *test);

void mock_warn_begin(struct kunit *test, const char *what);
void mock_warn_end(struct kunit *test);

/**
 * struct mock_cb - a callback that counts
 *
 * @base: the callback
 * @count: how often it has run
 * @error: the error of the fence when it ran
 */
struct mock_cb {
	struct dma_fence_cb base;
	atomic_t count;
	int error;
};

void mock_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb);

/**
 * mock_cb_add - add a callback that counts
 * @fence: any fence
 * @cb: the callback
 *
 * Return: What dma_fence_add_callback() returns.
 */
static inline int mock_cb_add(struct dma_fence *fence, struct mock_cb *cb)
{
	return dma_fence_add_callback(fence, &cb->base, mock_cb_func);
}

struct mock_waiter;

struct mock_waiter *mock_waiter_start(struct kunit *test, struct dma_fence *fence,
				      bool intr, long timeout);
void mock_waiter_interrupt(struct mock_waiter *waiter);
long mock_waiter_join(struct mock_waiter *waiter);

/*
 * Wait for what workers or timers do. Ends the test if it does not happen. The
 * condition is a statement's worth of code at the caller, hence a macro.
 */
#define mock_wait_until(test, condition)				\
do {									\
	unsigned long __end = jiffies + 10 * HZ;			\
	bool __ok;							\
									\
	while (!(__ok = (condition)) && time_before(jiffies, __end))	\
		schedule_timeout_uninterruptible(1);			\
	KUNIT_ASSERT_TRUE_MSG(test, __ok, "waited in vain for: %s",	\
			      #condition);				\
} while (0)

/* Wait for a fence, with an end to it. */
#define mock_wait_fence(test, fence)					\
	KUNIT_ASSERT_GT(test, dma_fence_wait_timeout(fence, false, 10 * HZ), 0)

#endif /* _MOCK_ISSUER_H */
