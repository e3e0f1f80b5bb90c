/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites call otherwise in the two kernels that they are for: this is mainline's.
 */
#ifndef _MOCK_BASE_H
#define _MOCK_BASE_H

#include <linux/bug.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/string.h>

/* A function for KUNIT_CASE_PARAM(): of the last parameter, prev, the next; its name in desc. */
#define MOCK_GEN_PARAMS(name)	const void *name(struct kunit *test, const void *prev, char *desc)

/* dma_fence_signal_timestamp_locked(): whether the fence had been signaled before. */
static inline bool mock_signal_timestamp_locked(struct dma_fence *fence, ktime_t timestamp)
{
	bool signaled = dma_fence_test_signaled_flag(fence);

	dma_fence_signal_timestamp_locked(fence, timestamp);

	return signaled;
}

/* dma_fence_signal_timestamp(), likewise. */
static inline bool mock_signal_timestamp(struct dma_fence *fence, ktime_t timestamp)
{
	bool signaled = true;
	unsigned long flags;

	if (dma_fence_lock_unsignaled(fence, &flags)) {
		signaled = mock_signal_timestamp_locked(fence, timestamp);
		dma_fence_unlock_unsignaled(fence, flags);
	}
	/* It does nothing, but for waiting for the signaler. */
	dma_fence_signal_timestamp(fence, timestamp);

	return signaled;
}

/* No array signals with the first of its fences. */
#define MOCK_HAS_ARRAY_ANY	false

static inline struct dma_fence_array *
mock_array_create(int num_fences, struct dma_fence **fences, u64 context,
		  unsigned int seqno, bool any)
{
	WARN_ON(any);

	return dma_fence_array_create(num_fences, fences, context, seqno);
}

/* What get_state_synchronize_rcu_full() fills in. */
#define MOCK_GP_STATE		struct rcu_gp_seq

#define mock_timer_destroy(timer)	timer_destroy_on_stack(timer)

/* Whether dma_fence_enable_signal, the event, may be of a fence that has been signaled. */
#define MOCK_ENABLE_EVENT_OF_ANY	false

/* What the tracepoints of dma_fence hand to their probes. */
#define MOCK_TRACE_FENCE	struct dma_fence

/* Whether dma_fence_default_wait() without a timeout does without the lock. */
#define MOCK_POLLS_WITHOUT_LOCK	false

/* What dma_fence_describe() writes of a fence: a format and its arguments. */
#define MOCK_DESCRIBED_LIVE(fence) \
	"%llu:%llu mock-timeline mock-driver unsignalled\n", \
	(fence)->context, (fence)->seqno
#define MOCK_DESCRIBED_SIGNALED(fence) \
	"%llu:%llu   signalled\n", \
	(fence)->context, (fence)->seqno

/* It may signal before the names are asked for. */
static inline bool mock_describes_live(const char *text)
{
	return strstr(text, " unsignalled");
}

static inline bool mock_describes_signaled(const char *text)
{
	return strstr(text, "   signalled");
}

/* Whether the event dma_fence_signaled comes after the timestamp. */
#define MOCK_EVENT_HAS_TIMESTAMP	false

/* What debugfs says of a point of sw_sync that is the seventh of none. */
#define MOCK_SW_SYNC_POINT	"7 / 0"

/* And of its timeline that was closed, whose list it may have left. */
#define MOCK_SW_SYNC_CLOSED	"\n"

#endif /* _MOCK_BASE_H */
