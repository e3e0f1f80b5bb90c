/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites call otherwise in the two kernels that they are for: this is 6.12's.
 */
#ifndef _MOCK_BASE_H
#define _MOCK_BASE_H

#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/string.h>

/* A function for KUNIT_CASE_PARAM(): of the last parameter, prev, the next; its name in desc. */
#define MOCK_GEN_PARAMS(name)	const void *name(const void *prev, char *desc)

/* dma_fence_signal_timestamp(): whether the fence had been signaled before. */
static inline bool mock_signal_timestamp(struct dma_fence *fence, ktime_t timestamp)
{
	return dma_fence_signal_timestamp(fence, timestamp);
}

static inline bool mock_signal_timestamp_locked(struct dma_fence *fence, ktime_t timestamp)
{
	return dma_fence_signal_timestamp_locked(fence, timestamp);
}

/* An array can signal with the first of its fences. */
#define MOCK_HAS_ARRAY_ANY	true

static inline struct dma_fence_array *
mock_array_create(int num_fences, struct dma_fence **fences, u64 context,
		  unsigned int seqno, bool any)
{
	return dma_fence_array_create(num_fences, fences, context, seqno, any);
}

/* What get_state_synchronize_rcu_full() fills in. */
#define MOCK_GP_STATE		struct rcu_gp_oldstate

#define mock_timer_destroy(timer)	destroy_timer_on_stack(timer)

/* Whether dma_fence_enable_signal, the event, may be of a fence that has been signaled. */
#define MOCK_ENABLE_EVENT_OF_ANY	true

/* What the tracepoints of dma_fence hand to their probes. */
#define MOCK_TRACE_FENCE	const struct dma_fence

/* Whether dma_fence_default_wait() without a timeout does without the lock. */
#define MOCK_POLLS_WITHOUT_LOCK	true

/* What dma_fence_describe() writes of a fence: a format and its arguments. */
#define MOCK_DESCRIBED_LIVE(fence) \
	"mock-driver mock-timeline seq %llu unsignalled\n", \
	(fence)->seqno
#define MOCK_DESCRIBED_SIGNALED(fence) \
	"detached-driver signaled-timeline seq %llu signalled\n", \
	(fence)->seqno

/* It may signal between the one name and the other. */
static inline bool mock_describes_live(const char *text)
{
	return str_has_prefix(text, "mock-driver mock-timeline ") ||
	       str_has_prefix(text, "mock-driver signaled-timeline ");
}

static inline bool mock_describes_signaled(const char *text)
{
	return str_has_prefix(text, "detached-driver signaled-timeline ");
}

/* Whether the event dma_fence_signaled comes after the timestamp. */
#define MOCK_EVENT_HAS_TIMESTAMP	true

/* What debugfs says of a point of sw_sync that is the seventh of none. */
#define MOCK_SW_SYNC_POINT	"7"

/* And of its timeline that was closed, whose list it may have left. */
#define MOCK_SW_SYNC_CLOSED	"  fence error@"

#endif /* _MOCK_BASE_H */
