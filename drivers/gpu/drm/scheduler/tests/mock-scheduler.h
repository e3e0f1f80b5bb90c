/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A mock driver of the DRM scheduler: a scheduler on a ring of fake hardware,
 * which completes jobs when it is told to, from a timer, or from a thread.
 */
#ifndef _MOCK_SCHEDULER_H
#define _MOCK_SCHEDULER_H

#include <kunit/test.h>

#include <linux/atomic.h>
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>

#include <drm/gpu_scheduler.h>

#include "mock-issuer.h"

#define MOCK_RUNS	64

/**
 * struct mock_hw_fence - what the hardware signals when a job is done
 *
 * @base: at offset 0 of an object of its own, with the lock inside: once
 *	  signaled it needs nobody
 * @deadline: the last deadline that it was given
 * @deadlines: how often it was given one
 * @sched: whose &mock_sched.borrowed is set, or NULL
 * @s_fence: its job's fences, with a reference, if @sched is set
 */
struct mock_hw_fence {
	struct dma_fence base;
	ktime_t deadline;
	atomic_t deadlines;
	struct mock_sched *sched;
	struct drm_sched_fence *s_fence;
};

struct mock_job;

/**
 * struct mock_sched - a scheduler and its ring, one block of memory
 *
 * @base: the scheduler
 * @name: its name, which is the timeline name of its fences
 * @test: the running test
 * @jobs: jobs that exist
 * @killed: jobs freed that have never run
 * @timedout: calls of timedout_job
 * @on_timeout: what timedout_job does, or NULL for nothing
 * @immediately: run_job returns a fence that has signaled already
 * @borrowed: hardware fences are signaled without a reference, as in v3d, lima,
 *	      panfrost and etnaviv: the driver's belongs to the job
 * @halfway: run_job returns a fence whose signaler has got no further than the
 *	     flag; with @borrowed
 * @released: fences of @borrowed that have been freed
 * @unknown_ends: the test signals a job's fences, or frees it, in the scheduler's
 *		  stead
 * @thread: completes jobs, see mock_sched_start_thread()
 * @lock: protects what follows
 * @ring: jobs on the hardware, in their order
 * @runs: how many jobs have been run
 * @log: the tags of these, in their order
 */
struct mock_sched {
	struct drm_gpu_scheduler base;
	char name[16];
	struct kunit *test;
	atomic_t jobs;
	atomic_t killed;
	atomic_t timedout;
	enum drm_gpu_sched_stat (*on_timeout)(struct mock_sched *sched,
					      struct mock_job *job);
	bool immediately;
	bool borrowed;
	bool halfway;
	atomic_t released;
	bool unknown_ends;
	struct task_struct *thread;

	spinlock_t lock;
	struct list_head ring;
	unsigned int runs;
	unsigned int log[MOCK_RUNS];
};

/**
 * struct mock_entity - an entity of one or two mock schedulers
 *
 * @base: the entity
 * @test: the running test
 * @list: its schedulers
 * @guilty: what the scheduler sets when a job of it hangs
 */
struct mock_entity {
	struct drm_sched_entity base;
	struct kunit *test;
	struct drm_gpu_scheduler *list[2];
	atomic_t guilty;
};

/**
 * struct mock_job - a job, freed by the scheduler or mock_job_abort()
 *
 * @base: the job
 * @tag: what tells it from others in &mock_sched.log
 * @sched: where it counts
 * @run_error: run_job fails with this error, or, if positive, returns NULL
 * @prepare: a fence for prepare_job to return, once
 * @msecs: if not 0, the hardware completes the job by itself after that time
 * @timer: for that
 * @runs: how often it was run
 * @link: in &mock_sched.ring
 * @hw: its hardware fence while it is on the ring
 * @own: the reference to that with &mock_sched.borrowed
 */
struct mock_job {
	struct drm_sched_job base;
	unsigned int tag;
	struct mock_sched *sched;
	int run_error;
	struct dma_fence *prepare;
	unsigned int msecs;
	struct timer_list timer;
	unsigned int runs;
	struct list_head link;
	struct mock_hw_fence *hw;
	struct dma_fence *own;
};

static inline struct mock_sched *to_mock_sched(struct drm_gpu_scheduler *sched)
{
	return container_of(sched, struct mock_sched, base);
}

static inline struct mock_job *to_mock_job(struct drm_sched_job *job)
{
	return container_of(job, struct mock_job, base);
}

struct mock_sched *mock_sched_create(struct kunit *test, u32 credits, long timeout);
void mock_sched_destroy(struct mock_sched *sched);
unsigned int mock_sched_complete(struct mock_sched *sched, unsigned int n, int error);
void mock_sched_complete_all(struct mock_sched *sched);
void mock_sched_reset(struct mock_sched *sched);
void mock_sched_signal_halfway(struct mock_sched *sched);
void mock_sched_settle(struct mock_sched *sched);
void mock_sched_start_thread(struct mock_sched *sched);
void mock_sched_stop_thread(struct mock_sched *sched);

struct mock_entity *mock_entity_create(struct kunit *test, struct mock_sched *sched,
				       enum drm_sched_priority priority);
struct mock_entity *mock_entity_create2(struct kunit *test, struct mock_sched *sched,
					struct mock_sched *sched2);
void mock_entity_destroy(struct mock_entity *entity);
void mock_entity_kill(struct mock_entity *entity);

struct mock_job *mock_job_create(struct mock_entity *entity, unsigned int tag);
void mock_job_push(struct mock_job *job);
void mock_job_abort(struct mock_job *job);
struct dma_fence *mock_job_submit(struct mock_entity *entity, unsigned int tag);
void mock_job_depend(struct mock_job *job, struct dma_fence *fence);

/* How many jobs are on the ring. */
static inline unsigned int mock_sched_busy(struct mock_sched *sched)
{
	unsigned int n;

	spin_lock_irq(&sched->lock);
	n = list_count_nodes(&sched->ring);
	spin_unlock_irq(&sched->lock);

	return n;
}

/* How many have ever been put there. */
static inline unsigned int mock_sched_runs(struct mock_sched *sched)
{
	return READ_ONCE(sched->runs);
}

#endif /* _MOCK_SCHEDULER_H */
