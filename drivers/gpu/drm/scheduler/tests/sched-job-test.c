// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs: submission, order, priorities and entities; who completes them; what
 * becomes of those that fail or are given up.
 */

#include <linux/dma-resv.h>
#include <linux/trace_events.h>

#include "mock-issuer.h"
#include "mock-scheduler.h"

static void sched_test_job_runs_and_is_freed(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);
	struct dma_fence *scheduled = finished - 1;

	mock_wait_until(test, mock_sched_busy(sched) == 1);
	mock_wait_until(test, dma_fence_is_signaled(scheduled));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->jobs), 1);

	mock_sched_settle(sched);
	KUNIT_EXPECT_EQ(test, mock_sched_complete(sched, 1, 0), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(finished));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->killed), 0);

	dma_fence_put(finished);
}

static void sched_test_jobs_of_entity_run_in_order(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 3, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *last = NULL;
	int i;

	for (i = 0; i < 16; i++) {
		dma_fence_put(last);
		last = mock_job_submit(entity, i);
	}
	mock_sched_start_thread(sched);
	mock_wait_fence(test, last);
	mock_sched_stop_thread(sched);

	KUNIT_ASSERT_EQ(test, mock_sched_runs(sched), 16);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, sched->log[i], i);
	dma_fence_put(last);
}

static void sched_test_credits_limit_the_ring(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 2, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	int i;

	for (i = 0; i < 5; i++)
		dma_fence_put(mock_job_submit(entity, i));
	mock_sched_settle(sched);
	KUNIT_EXPECT_EQ(test, mock_sched_busy(sched), 2);

	mock_sched_complete(sched, 1, 0);
	mock_sched_settle(sched);
	KUNIT_EXPECT_EQ(test, mock_sched_busy(sched), 2);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 3);
	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 5);
}

static void sched_test_higher_priority_goes_first(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	static const enum drm_sched_priority order[] = {
		DRM_SCHED_PRIORITY_LOW, DRM_SCHED_PRIORITY_KERNEL,
		DRM_SCHED_PRIORITY_NORMAL, DRM_SCHED_PRIORITY_HIGH,
	};
	struct mock_entity *entity[ARRAY_SIZE(order)];
	int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		entity[i] = mock_entity_create(test, sched, order[i]);

	/* While the ring is full, all of the others are queued. */
	dma_fence_put(mock_job_submit(entity[0], 99));
	mock_wait_until(test, mock_sched_busy(sched) == 1);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		dma_fence_put(mock_job_submit(entity[i], order[i]));
	mock_sched_complete_all(sched);

	KUNIT_ASSERT_EQ(test, mock_sched_runs(sched), 5);
	KUNIT_EXPECT_EQ(test, sched->log[1], DRM_SCHED_PRIORITY_KERNEL);
	KUNIT_EXPECT_EQ(test, sched->log[2], DRM_SCHED_PRIORITY_HIGH);
	KUNIT_EXPECT_EQ(test, sched->log[3], DRM_SCHED_PRIORITY_NORMAL);
	KUNIT_EXPECT_EQ(test, sched->log[4], DRM_SCHED_PRIORITY_LOW);
}

static void sched_test_entities_take_turns_by_age(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *a = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_entity *b = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	static const unsigned int order[] = { 10, 20, 11, 21, 12 };
	int i;

	for (i = 0; i < ARRAY_SIZE(order); i++)
		dma_fence_put(mock_job_submit(order[i] < 20 ? a : b, order[i]));
	mock_sched_complete_all(sched);

	/* The default policy: the oldest job of all first. */
	KUNIT_ASSERT_EQ(test, mock_sched_runs(sched), ARRAY_SIZE(order));
	for (i = 0; i < ARRAY_SIZE(order); i++)
		KUNIT_EXPECT_EQ(test, sched->log[i], order[i]);
}

static void sched_test_entity_moves_to_idle_scheduler(struct kunit *test)
{
	struct mock_sched *a = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_sched *b = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *busy = mock_entity_create(test, a, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_entity *entity = mock_entity_create2(test, a, b);
	struct dma_fence *fence;

	dma_fence_put(mock_job_submit(busy, 1));
	mock_wait_until(test, mock_sched_busy(a) == 1);

	fence = mock_job_submit(entity, 2);
	mock_wait_until(test, mock_sched_busy(b) == 1);
	mock_expect_names(test, fence, "drm_sched", b->name);
	KUNIT_EXPECT_PTR_EQ(test, to_drm_sched_fence(fence)->sched, &b->base);

	/* Its last job has signaled: now it may go where there is less to do. */
	mock_sched_complete_all(b);
	mock_sched_complete_all(a);
	dma_fence_put(mock_job_submit(busy, 3));
	mock_wait_until(test, mock_sched_busy(a) == 1);
	dma_fence_put(fence);
	fence = mock_job_submit(entity, 4);
	mock_wait_until(test, mock_sched_busy(b) == 1);
	mock_sched_complete_all(b);
	mock_sched_complete_all(a);
	dma_fence_put(fence);
}

static void sched_test_job_completed_by_timer(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_job *job = mock_job_create(entity, 1);
	struct dma_fence *finished;

	job->msecs = 20;
	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	mock_job_push(job);
	mock_wait_fence(test, finished);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	dma_fence_put(finished);
}

static void sched_test_job_completed_before_run_job_returns(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished;

	sched->immediately = true;
	finished = mock_job_submit(entity, 1);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	dma_fence_put(finished);
}

static void sched_test_error_of_hardware_is_the_jobs(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);

	mock_sched_settle(sched);
	KUNIT_EXPECT_EQ(test, drm_sched_entity_error(&entity->base), 0);
	mock_sched_complete(sched, 1, -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -EIO);
	/* The start was all right. */
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished - 1), 1);
	KUNIT_EXPECT_EQ(test, drm_sched_entity_error(&entity->base), -EIO);
	dma_fence_put(finished);
}

/* run_job fails, or says that there is nothing to do. */
static void sched_test_run_job_without_fence(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	static const int errors[] = { -ENODEV, 1 };
	int i;

	for (i = 0; i < ARRAY_SIZE(errors); i++) {
		struct mock_job *job = mock_job_create(entity, i);
		struct dma_fence *finished;

		job->run_error = errors[i];
		drm_sched_job_arm(&job->base);
		finished = dma_fence_get(&job->base.s_fence->finished);
		mock_job_push(job);
		mock_wait_fence(test, finished);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), errors[i]);
		KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(finished - 1));
		dma_fence_put(finished);
	}
	mock_wait_until(test, !atomic_read(&sched->jobs));
}

static void sched_test_job_aborted_before_armed(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);

	mock_job_abort(mock_job_create(entity, 1));
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 0);
}

static void sched_test_job_aborted_when_armed_signals(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_job *job = mock_job_create(entity, 1);
	struct dma_fence *scheduled, *finished;
	struct mock_cb cb = {};

	drm_sched_job_arm(&job->base);
	scheduled = dma_fence_get(&job->base.s_fence->scheduled);
	finished = dma_fence_get(&job->base.s_fence->finished);
	KUNIT_EXPECT_EQ(test, 0, dma_fence_add_callback(finished, &cb.base, mock_cb_func));
	mock_job_abort(job);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(scheduled), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ECANCELED);

	/* And so the scheduler may go. */
	mock_entity_kill(entity);
	mock_sched_destroy(sched);
	mock_fence_use(test, scheduled);
	mock_fence_use(test, finished);
	dma_fence_put(scheduled);
	dma_fence_put(finished);
}

/*
 * Its fence signals ahead of those before it: where it has replaced these, as in a
 * reservation object, nobody waits for them any more. That is why drivers have to
 * push a job whose fence is known to others.
 */
static void sched_test_job_aborted_when_armed_overtakes(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *first = mock_job_submit(entity, 1), *aborted, *last;
	struct mock_job *job = mock_job_create(entity, 2);
	struct dma_resv resv;

	mock_wait_until(test, mock_sched_busy(sched) == 1);
	drm_sched_job_arm(&job->base);
	aborted = dma_fence_get(&job->base.s_fence->finished);

	dma_resv_init(&resv);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(&resv, NULL), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(&resv, 1), 0);
	dma_resv_add_fence(&resv, first, DMA_RESV_USAGE_WRITE);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(&resv, 1), 0);
	dma_resv_add_fence(&resv, aborted, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(&resv);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(&resv, DMA_RESV_USAGE_WRITE));

	mock_job_abort(job);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(aborted), -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(first), 0);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(&resv, DMA_RESV_USAGE_WRITE));
	dma_resv_fini(&resv);

	/* Those before and after it are none the worse. */
	last = mock_job_submit(entity, 3);
	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(first), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(last), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(last, aborted));
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 2);
	dma_fence_put(first);
	dma_fence_put(aborted);
	dma_fence_put(last);
}

/* An error that the driver has set already is not overwritten. */
static void sched_test_job_aborted_keeps_its_error(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_job *job = mock_job_create(entity, 1);
	struct dma_fence *finished;

	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	dma_fence_set_error(finished, -EHWPOISON);
	mock_job_abort(job);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -EHWPOISON);
	dma_fence_put(finished);
}

/* The tracepoints of the scheduler look at jobs and fences in all their states. */
static void sched_test_traced_jobs(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *a = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_entity *b = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *done = mock_job_submit(a, 1), *finished;
	struct mock_job *job;

	mock_sched_complete_all(sched);
	if (!IS_ENABLED(CONFIG_EVENT_TRACING) ||
	    trace_set_clr_event("gpu_scheduler", NULL, 1))
		kunit_skip(test, "this kernel has no trace events");
	KUNIT_EXPECT_EQ(test, mock_trace_switch(true), 0);

	finished = mock_job_submit(a, 2);
	job = mock_job_create(b, 3);
	mock_job_depend(job, done);
	mock_job_depend(job, finished);
	mock_job_push(job);
	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(sched), 3);
	dma_fence_put(finished);
	dma_fence_put(done);

	mock_trace_switch(false);
	trace_set_clr_event("gpu_scheduler", NULL, 0);
}

static struct kunit_case sched_job_cases[] = {
	KUNIT_CASE(sched_test_job_runs_and_is_freed),
	KUNIT_CASE(sched_test_jobs_of_entity_run_in_order),
	KUNIT_CASE(sched_test_credits_limit_the_ring),
	KUNIT_CASE(sched_test_higher_priority_goes_first),
	KUNIT_CASE(sched_test_entities_take_turns_by_age),
	KUNIT_CASE(sched_test_entity_moves_to_idle_scheduler),
	KUNIT_CASE(sched_test_job_completed_by_timer),
	KUNIT_CASE(sched_test_job_completed_before_run_job_returns),
	KUNIT_CASE(sched_test_error_of_hardware_is_the_jobs),
	KUNIT_CASE(sched_test_run_job_without_fence),
	KUNIT_CASE(sched_test_job_aborted_before_armed),
	KUNIT_CASE(sched_test_job_aborted_when_armed_signals),
	KUNIT_CASE(sched_test_job_aborted_when_armed_overtakes),
	KUNIT_CASE(sched_test_job_aborted_keeps_its_error),
	KUNIT_CASE(sched_test_traced_jobs),
	{}
};

static struct kunit_suite sched_job_suite = {
	.name = "drm_sched_job",
	.test_cases = sched_job_cases,
};

kunit_test_suite(sched_job_suite);
