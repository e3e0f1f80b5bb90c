// SPDX-License-Identifier: GPL-2.0
/*
 * Jobs that hang: the timeout, drm_sched_stop() and drm_sched_start(), jobs that
 * are run again or given up, and what their fences say meanwhile.
 */

#include "mock-issuer.h"
#include "mock-scheduler.h"

#define TIMEOUT		msecs_to_jiffies(50)

/* As most drivers do: reset, and run again what was not done. */
static enum drm_gpu_sched_stat reset_and_resubmit(struct mock_sched *sched,
						  struct mock_job *job)
{
	drm_sched_stop(&sched->base, &job->base);
	mock_sched_reset(sched);
	drm_sched_resubmit_jobs(&sched->base);
	drm_sched_start(&sched->base);

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

/* The same, but the ring does not take the job a second time. */
static enum drm_gpu_sched_stat reset_and_fail(struct mock_sched *sched,
					      struct mock_job *job)
{
	job->run_error = -EIO;

	return reset_and_resubmit(sched, job);
}

/* The same, and the job's entity is to blame. */
static enum drm_gpu_sched_stat blame_and_resubmit(struct mock_sched *sched,
						  struct mock_job *job)
{
	drm_sched_increase_karma(&job->base);
	return reset_and_resubmit(sched, job);
}

/* Nothing is run again: drm_sched_start() gives up on what has no parent. */
static enum drm_gpu_sched_stat reset_and_cancel(struct mock_sched *sched,
						struct mock_job *job)
{
	drm_sched_stop(&sched->base, &job->base);
	mock_sched_reset(sched);
	drm_sched_start(&sched->base);

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

/* The hardware was faster: when the scheduler has stopped, the job is done. */
static enum drm_gpu_sched_stat done_after_all(struct mock_sched *sched,
					      struct mock_job *job)
{
	mock_sched_complete(sched, 1, 0);
	drm_sched_stop(&sched->base, &job->base);
	drm_sched_start(&sched->base);

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

/* A soft recovery, as amdgpu tries first: the parent fails, nothing is reset. */
static enum drm_gpu_sched_stat fail_the_parent(struct mock_sched *sched,
					       struct mock_job *job)
{
	struct dma_fence *parent = drm_sched_job_parent(&job->base);

	KUNIT_EXPECT_NOT_NULL(sched->test, parent);
	mock_sched_complete(sched, 1, -ENODATA);
	/* The job is ours, and so is the parent, though all have signaled. */
	KUNIT_EXPECT_TRUE(sched->test, dma_fence_is_signaled(parent));
	KUNIT_EXPECT_PTR_EQ(sched->test, drm_sched_job_parent(&job->base), parent);
	spin_lock(&sched->base.job_list_lock);
	list_add(&job->base.list, &sched->base.pending_list);
	spin_unlock(&sched->base.job_list_lock);
	drm_sched_wqueue_start(&sched->base);

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

static void sched_test_no_timeout_if_in_time(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);

	mock_sched_complete_all(sched);
	schedule_timeout_uninterruptible(2 * TIMEOUT);
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->timedout), 0);
	dma_fence_put(finished);
}

static void sched_test_hung_job_is_run_again(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished, *scheduled;
	ktime_t started;

	sched->on_timeout = reset_and_resubmit;
	finished = mock_job_submit(entity, 1);
	scheduled = dma_fence_get(finished - 1);
	mock_wait_until(test, mock_sched_runs(sched) == 1);
	mock_wait_until(test, dma_fence_is_signaled(scheduled));
	started = dma_fence_timestamp(scheduled);

	mock_wait_until(test, mock_sched_runs(sched) >= 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	KUNIT_EXPECT_GE(test, atomic_read(&sched->timedout), 1);
	/* The job is still found from both; it started once. */
	KUNIT_EXPECT_NOT_NULL(test, to_drm_sched_fence(finished));
	KUNIT_EXPECT_NOT_NULL(test, to_drm_sched_fence(scheduled));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(scheduled), started);

	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(scheduled);
	dma_fence_put(finished);
}

static void sched_test_hung_jobs_run_again_in_order(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 3, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *last = NULL;
	int i;

	sched->on_timeout = reset_and_resubmit;
	for (i = 0; i < 5; i++) {
		dma_fence_put(last);
		last = mock_job_submit(entity, i);
	}
	mock_wait_until(test, mock_sched_runs(sched) >= 6);
	mock_sched_complete_all(sched);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(last), 1);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, sched->log[i], i);
		KUNIT_EXPECT_EQ(test, sched->log[3 + i], i);
	}
	dma_fence_put(last);
}

/* A job hangs, and its waiters are told so. */
static void expect_cancelled(struct kunit *test, struct mock_sched *sched,
			     struct mock_entity *entity)
{
	struct dma_fence *finished = mock_job_submit(entity, 1);

	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ECANCELED);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	dma_fence_put(finished);
}

static void sched_test_hung_job_is_not_taken_again(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);

	sched->on_timeout = reset_and_fail;
	/* There is no parent to be found or put. */
	expect_cancelled(test, sched, entity);
	KUNIT_EXPECT_EQ(test, mock_sched_busy(sched), 0);
}

static void sched_test_hung_job_is_given_up(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished;

	sched->on_timeout = reset_and_cancel;
	expect_cancelled(test, sched, entity);

	/* The ring is usable again. */
	sched->on_timeout = NULL;
	finished = mock_job_submit(entity, 2);
	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(finished);
}

static void sched_test_guilty_entity_runs_nothing_more(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 1, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *first, *second;

	/* The first hang is one too much. */
	sched->base.hang_limit = 0;
	sched->on_timeout = blame_and_resubmit;
	first = mock_job_submit(entity, 1);
	mock_wait_until(test, atomic_read(&entity->guilty));
	second = mock_job_submit(entity, 2);
	/* Until it is on the ring once more, the first has no error, and may be done. */
	mock_wait_until(test, mock_sched_runs(sched) >= 2);
	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(first), -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(second), -ECANCELED);
	dma_fence_put(first);
	dma_fence_put(second);
}

static void sched_test_done_while_timing_out(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished;

	sched->on_timeout = done_after_all;
	finished = mock_job_submit(entity, 1);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->timedout), 1);
	dma_fence_put(finished);
}

static void sched_test_soft_recovery_uses_parent(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished;

	sched->on_timeout = fail_the_parent;
	finished = mock_job_submit(entity, 1);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ENODATA);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	dma_fence_put(finished);
}

static void sched_test_stop_takes_the_parent(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1), *parent;
	struct drm_sched_fence *s_fence = to_drm_sched_fence(finished);

	mock_wait_until(test, dma_fence_is_signaled(&s_fence->scheduled));
	mock_sched_settle(sched);
	drm_sched_stop(&sched->base, NULL);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(s_fence->parent));
	/* A hint for a job that is being recovered goes nowhere. */
	dma_fence_set_deadline(finished, ktime_get());
	KUNIT_EXPECT_NULL(test, drm_sched_fence_get_parent(s_fence));

	/* As panthor and imagination do it: the same hardware fence again. */
	parent = NULL;
	spin_lock_irq(&sched->lock);
	if (!list_empty(&sched->ring))
		parent = dma_fence_get(&list_first_entry(&sched->ring, struct mock_job,
							 link)->hw->base);
	spin_unlock_irq(&sched->lock);
	KUNIT_ASSERT_NOT_NULL(test, parent);
	drm_sched_fence_set_parent(s_fence, parent);
	drm_sched_start(&sched->base);

	mock_sched_complete_all(sched);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(finished);
}

/* The hint for a job is for its second run as well. */
static void sched_test_deadline_reaches_parent_of_second_run(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);
	ktime_t deadline = ktime_add_ms(ktime_get(), 100);
	struct mock_hw_fence *hw;

	mock_wait_until(test, dma_fence_is_signaled(finished - 1));
	mock_sched_settle(sched);
	dma_fence_set_deadline(finished, deadline);
	drm_sched_stop(&sched->base, NULL);
	mock_sched_reset(sched);
	drm_sched_resubmit_jobs(&sched->base);
	KUNIT_ASSERT_EQ(test, mock_sched_busy(sched), 1);
	hw = list_first_entry(&sched->ring, struct mock_job, link)->hw;
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 1);
	KUNIT_EXPECT_EQ(test, hw->deadline, deadline);
	drm_sched_start(&sched->base);
	mock_sched_complete_all(sched);
	dma_fence_put(finished);
}

/* The start finds a parent that has signaled, but whose signaler is not done. */
static void sched_test_start_waits_for_signaler(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished, *parent;
	struct drm_sched_fence *s_fence;

	sched->borrowed = true;
	finished = mock_job_submit(entity, 1);
	s_fence = to_drm_sched_fence(finished);
	mock_wait_until(test, dma_fence_is_signaled(&s_fence->scheduled));
	mock_sched_settle(sched);
	/* Held, as a job holds its own in panthor and imagination. */
	parent = drm_sched_fence_get_parent(s_fence);
	drm_sched_stop(&sched->base, NULL);
	drm_sched_fence_set_parent(s_fence, parent);
	mock_sched_signal_halfway(sched);
	drm_sched_start(&sched->base);

	mock_wait_fence(test, finished);
	mock_wait_until(test, atomic_read(&sched->released) == 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(finished);
}

/* What a driver does that goes away with jobs on the hardware: see drm_sched_fini(). */
static void sched_test_pending_jobs_given_up_before_fini(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *fence[2];
	int i;

	for (i = 0; i < ARRAY_SIZE(fence); i++)
		fence[i] = mock_job_submit(entity, i);
	mock_wait_until(test, mock_sched_busy(sched) == 2);
	mock_sched_settle(sched);
	mock_entity_kill(entity);
	drm_sched_stop(&sched->base, NULL);
	mock_sched_reset(sched);
	drm_sched_start(&sched->base);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	mock_sched_destroy(sched);

	for (i = 0; i < ARRAY_SIZE(fence); i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence[i]), -ECANCELED);
		mock_fence_use(test, fence[i]);
		mock_fence_use(test, fence[i] - 1);
		dma_fence_put(fence[i]);
	}
}

static void sched_test_stop_frees_what_is_done(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);

	mock_wait_until(test, mock_sched_busy(sched) == 1);
	mock_sched_settle(sched);
	/* Nobody frees the job before the stop does. */
	drm_sched_wqueue_stop(&sched->base);
	mock_sched_complete(sched, 1, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->jobs), 1);
	drm_sched_stop(&sched->base, NULL);
	KUNIT_EXPECT_EQ(test, atomic_read(&sched->jobs), 0);
	drm_sched_start(&sched->base);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), 1);
	dma_fence_put(finished);
}

/* A hung job's fences, held until after the end of everything. */
static void sched_test_hung_job_outlives_scheduler(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished;

	sched->on_timeout = reset_and_cancel;
	finished = mock_job_submit(entity, 1);
	mock_wait_fence(test, finished);
	mock_wait_until(test, !atomic_read(&sched->jobs));
	mock_entity_kill(entity);
	mock_sched_destroy(sched);
	mock_fence_use(test, finished);
	mock_fence_use(test, finished - 1);
	dma_fence_put(finished);
}

static struct kunit_case sched_recovery_cases[] = {
	KUNIT_CASE(sched_test_no_timeout_if_in_time),
	KUNIT_CASE(sched_test_hung_job_is_run_again),
	KUNIT_CASE(sched_test_hung_jobs_run_again_in_order),
	KUNIT_CASE(sched_test_hung_job_is_not_taken_again),
	KUNIT_CASE(sched_test_hung_job_is_given_up),
	KUNIT_CASE(sched_test_guilty_entity_runs_nothing_more),
	KUNIT_CASE(sched_test_done_while_timing_out),
	KUNIT_CASE(sched_test_soft_recovery_uses_parent),
	KUNIT_CASE(sched_test_stop_takes_the_parent),
	KUNIT_CASE(sched_test_deadline_reaches_parent_of_second_run),
	KUNIT_CASE(sched_test_start_waits_for_signaler),
	KUNIT_CASE(sched_test_stop_frees_what_is_done),
	KUNIT_CASE(sched_test_hung_job_outlives_scheduler),
	KUNIT_CASE(sched_test_pending_jobs_given_up_before_fini),
	{}
};

static struct kunit_suite sched_recovery_suite = {
	.name = "drm_sched_recovery",
	.test_cases = sched_recovery_cases,
};

kunit_test_suite(sched_recovery_suite);
