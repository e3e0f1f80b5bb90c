// SPDX-License-Identifier: GPL-2.0
/*
 * Entities that are flushed, or killed with jobs queued: the jobs are not run,
 * but their fences signal, with an error, and not before what they depend on.
 */

#include "mock-issuer.h"
#include "mock-scheduler.h"

static void sched_test_flush_waits_for_the_queue(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *last = NULL;
	int i;

	for (i = 0; i < 4; i++) {
		dma_fence_put(last);
		last = mock_job_submit(entity, i);
	}
	mock_sched_start_thread(sched);
	drm_sched_entity_flush(&entity->base, 10 * HZ);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 4);
	mock_entity_kill(entity);
	mock_wait_fence(test, last);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(last), 1);
	mock_sched_stop_thread(sched);
	dma_fence_put(last);
}

static void sched_test_killed_jobs_signal_with_error(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *running, *queued[3];
	int i;

	running = mock_job_submit(entity, 0);
	mock_wait_until(test, mock_sched_busy(sched) == 1);
	for (i = 0; i < 3; i++)
		queued[i] = mock_job_submit(entity, 1 + i);

	mock_entity_kill(entity);
	mock_sched_settle(sched);
	/* Not before the one that is on the ring, which they come after. */
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(queued[i]));

	mock_sched_complete(sched, 1, 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(running), 1);
	for (i = 0; i < 3; i++) {
		mock_wait_fence(test, queued[i]);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(queued[i]), -ESRCH);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(queued[i] - 1), 1);
	}
	mock_wait_until(test, !atomic_read(&sched->jobs));
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->killed), 3);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 1);

	mock_sched_destroy(sched);
	for (i = 0; i < 3; i++) {
		mock_fence_use(test, queued[i]);
		mock_fence_use(test, queued[i] - 1);
		dma_fence_put(queued[i]);
	}
	dma_fence_put(running);
}

static void sched_test_killed_job_waits_for_foreign_fence(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1), *finished;
	struct mock_job *job = mock_job_create(entity, 1);

	mock_job_depend(job, fence);
	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	mock_job_push(job);
	mock_sched_settle(sched);
	mock_entity_kill(entity);
	schedule_timeout_uninterruptible(3);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));

	dma_fence_signal(fence);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ESRCH);
	dma_fence_put(fence);
	dma_fence_put(finished);
}

/* Queues a job that depends on the start of one on the ring of another scheduler. */
struct dependent {
	struct mock_sched *other, *sched;
	struct mock_entity *entity;
	struct dma_fence *scheduled, *dependency, *finished;
};

static struct dependent queue_dependent(struct kunit *test, struct mock_entity **other_entity)
{
	struct dependent d = {};
	struct dma_fence *blocker;
	struct mock_job *job;

	d.other = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	d.sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	*other_entity = mock_entity_create(test, d.other, DRM_SCHED_PRIORITY_NORMAL);
	d.entity = mock_entity_create(test, d.sched, DRM_SCHED_PRIORITY_NORMAL);

	d.dependency = mock_job_submit(*other_entity, 1);
	d.scheduled = dma_fence_get(d.dependency - 1);
	mock_wait_until(test, dma_fence_is_signaled(d.scheduled));

	/* The ring is full, so that the job stays in its queue. */
	blocker = mock_job_submit(d.entity, 2);
	mock_wait_until(test, mock_sched_busy(d.sched) == 1);
	dma_fence_put(blocker);

	job = mock_job_create(d.entity, 3);
	mock_job_depend(job, d.scheduled);
	drm_sched_job_arm(&job->base);
	d.finished = dma_fence_get(&job->base.s_fence->finished);
	mock_job_push(job);

	return d;
}

/*
 * The job depends on the start of another, which has signaled. But if it is
 * killed, who waits for it believes that all before it is done.
 */
static void sched_test_killed_job_waits_for_end_of_started_job(struct kunit *test)
{
	struct mock_entity *other_entity;
	struct dependent d = queue_dependent(test, &other_entity);

	mock_entity_kill(d.entity);
	mock_sched_complete(d.sched, 1, 0);
	mock_sched_settle(d.sched);
	schedule_timeout_uninterruptible(3);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(d.finished));

	mock_sched_complete(d.other, 1, 0);
	mock_wait_fence(test, d.finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(d.finished), -ESRCH);
	dma_fence_put(d.finished);
	dma_fence_put(d.scheduled);
	dma_fence_put(d.dependency);
}

/* The other job is done, its scheduler gone, and only its start is still held. */
static void sched_test_killed_job_after_end_of_started_job(struct kunit *test)
{
	struct mock_entity *other_entity;
	struct dependent d = queue_dependent(test, &other_entity);

	mock_sched_complete_all(d.other);
	dma_fence_put(d.dependency);
	mock_entity_kill(other_entity);
	mock_sched_destroy(d.other);
	/* Of ours, and of the job. */
	KUNIT_EXPECT_EQ(test, kref_read(&d.scheduled->refcount), 2);

	mock_entity_kill(d.entity);
	mock_sched_complete(d.sched, 1, 0);
	mock_wait_fence(test, d.finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(d.finished), -ESRCH);
	mock_wait_until(test, !atomic_read(&d.sched->jobs));
	KUNIT_EXPECT_EQ(test, kref_read(&d.scheduled->refcount), 1);
	dma_fence_put(d.finished);
	dma_fence_put(d.scheduled);
}

/* The error of a killed job is what who depends on it gets to see. */
static void sched_test_killed_job_as_dependency(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *killed = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *blocker, *fence, *finished;
	struct mock_job *job;

	blocker = mock_job_submit(entity, 0);
	mock_wait_until(test, mock_sched_busy(sched) == 1);
	fence = mock_job_submit(killed, 1);
	job = mock_job_create(entity, 2);
	mock_job_depend(job, fence);
	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	mock_job_push(job);

	mock_entity_kill(killed);
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ESRCH);
	mock_sched_complete_all(sched);
	/* It was not run, but what depends on it is. */
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 2);
	dma_fence_put(blocker);
	dma_fence_put(fence);
	dma_fence_put(finished);
}

static void sched_test_kill_of_idle_entity(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);

	mock_sched_complete_all(sched);
	/* The entity has a reference for as long as this was its last job. */
	KUNIT_EXPECT_EQ(test, kref_read(&finished->refcount), 2);
	mock_entity_kill(entity);
	KUNIT_EXPECT_EQ(test, kref_read(&finished->refcount), 1);
	dma_fence_put(finished);
}

static struct kunit_case sched_kill_cases[] = {
	KUNIT_CASE(sched_test_flush_waits_for_the_queue),
	KUNIT_CASE(sched_test_killed_jobs_signal_with_error),
	KUNIT_CASE_PARAM(sched_test_killed_job_waits_for_foreign_fence, mock_lock_gen_params),
	KUNIT_CASE(sched_test_killed_job_waits_for_end_of_started_job),
	KUNIT_CASE(sched_test_killed_job_after_end_of_started_job),
	KUNIT_CASE(sched_test_killed_job_as_dependency),
	KUNIT_CASE(sched_test_kill_of_idle_entity),
	{}
};

static struct kunit_suite sched_kill_suite = {
	.name = "drm_sched_kill",
	.test_cases = sched_kill_cases,
};

kunit_test_suite(sched_kill_suite);
