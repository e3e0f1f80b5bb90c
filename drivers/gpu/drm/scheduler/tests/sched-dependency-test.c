// SPDX-License-Identifier: GPL-2.0
/*
 * Dependencies: on foreign fences, attached or not, on jobs of the same
 * scheduler, whose start is waited for, and of another one, whose end is.
 */

#include "mock-issuer.h"
#include "mock-scheduler.h"

struct two {
	struct mock_sched *sched;
	struct mock_entity *a, *b;
};

static struct two two_entities(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);

	return (struct two) {
		.sched = sched,
		.a = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL),
		.b = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL),
	};
}

/* A job of @entity that depends on @fence has been pushed. */
static void submit_dependent(struct mock_entity *entity, struct dma_fence *fence)
{
	struct mock_job *job = mock_job_create(entity, 1);

	mock_job_depend(job, fence);
	mock_job_push(job);
}

static void sched_test_waits_for_foreign_fence(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct two t = two_entities(test);

	submit_dependent(t.a, fence);
	mock_sched_settle(t.sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 0);

	dma_fence_signal(fence);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_put(fence);
}

static void sched_test_does_not_wait_for_detached_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_orphan(test, mock_lock_flags(test));
	struct two t = two_entities(test);

	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(fence));
	submit_dependent(t.a, fence);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_put(fence);
}

/* The dependency is detached while the entity waits for it. */
static void sched_test_issuer_leaves_while_waited_for(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct two t = two_entities(test);

	submit_dependent(t.a, fence);
	mock_sched_settle(t.sched);
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	mock_sched_complete_all(t.sched);
	dma_fence_put(fence);
}

static void sched_test_same_scheduler_waits_for_start(struct kunit *test)
{
	struct two t = two_entities(test);
	struct dma_fence *foreign = mock_fence_create(mock_issuer_create(test, 0), 1);
	struct mock_job *first = mock_job_create(t.a, 1);
	struct dma_fence *finished;

	mock_job_depend(first, foreign);
	drm_sched_job_arm(&first->base);
	finished = dma_fence_get(&first->base.s_fence->finished);
	mock_job_push(first);
	submit_dependent(t.b, finished);
	mock_sched_settle(t.sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 0);

	/* The first is on the ring, so is the second: the ring keeps the order. */
	dma_fence_signal(foreign);
	mock_wait_until(test, mock_sched_busy(t.sched) == 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	dma_fence_put(foreign);
	dma_fence_put(finished);
}

static void sched_test_same_scheduler_already_started(struct kunit *test)
{
	struct two t = two_entities(test);
	struct dma_fence *finished = mock_job_submit(t.a, 1);

	mock_wait_until(test, dma_fence_is_signaled(finished - 1));
	submit_dependent(t.b, finished);
	mock_wait_until(test, mock_sched_busy(t.sched) == 2);
	dma_fence_put(finished);
}

static void sched_test_same_scheduler_done(struct kunit *test)
{
	struct two t = two_entities(test);
	struct dma_fence *finished = mock_job_submit(t.a, 1);

	mock_sched_complete_all(t.sched);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(finished));
	submit_dependent(t.b, finished);
	mock_wait_until(test, mock_sched_runs(t.sched) == 2);
	dma_fence_put(finished);
}

static void sched_test_dont_pipeline_waits_for_end(struct kunit *test)
{
	struct two t = two_entities(test);
	struct dma_fence *finished = mock_job_submit(t.a, 1);

	set_bit(DRM_SCHED_FENCE_DONT_PIPELINE, &finished->flags);
	mock_wait_until(test, mock_sched_busy(t.sched) == 1);
	submit_dependent(t.b, finished);
	mock_sched_settle(t.sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 1);
	mock_sched_complete(t.sched, 1, 0);
	mock_wait_until(test, mock_sched_runs(t.sched) == 2);
	dma_fence_put(finished);
}

static void sched_test_other_scheduler_waits_for_end(struct kunit *test)
{
	struct two t = two_entities(test);
	struct mock_sched *other = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, other, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(t.a, 1);

	mock_wait_until(test, mock_sched_busy(t.sched) == 1);
	submit_dependent(entity, finished);
	mock_sched_settle(other);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(other), 0);

	mock_sched_complete(t.sched, 1, 0);
	mock_wait_until(test, mock_sched_runs(other) == 1);
	dma_fence_put(finished);
}

/* The other one's fence is all that is left of it. */
static void sched_test_other_scheduler_is_gone(struct kunit *test)
{
	struct two t = two_entities(test);
	struct mock_sched *other = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, other, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);
	struct dma_fence *scheduled = dma_fence_get(finished - 1);
	struct mock_job *job;

	mock_sched_complete_all(other);
	mock_entity_kill(entity);
	mock_sched_destroy(other);

	job = mock_job_create(t.a, 1);
	mock_job_depend(job, finished);
	mock_job_depend(job, scheduled);
	mock_job_push(job);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_put(finished);
	dma_fence_put(scheduled);
}

/* It signals, and is torn down, while the entity waits. */
static void sched_test_other_scheduler_leaves_while_waited_for(struct kunit *test)
{
	struct two t = two_entities(test);
	struct mock_sched *other = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, other, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1);

	submit_dependent(t.a, finished);
	mock_sched_settle(t.sched);
	mock_sched_settle(other);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 0);
	mock_sched_complete_all(other);
	mock_entity_kill(entity);
	mock_sched_destroy(other);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_put(finished);
}

static void sched_test_own_entity_is_no_dependency(struct kunit *test)
{
	struct two t = two_entities(test);
	struct dma_fence *finished = mock_job_submit(t.a, 1);

	mock_wait_until(test, mock_sched_busy(t.sched) == 1);
	set_bit(DRM_SCHED_FENCE_DONT_PIPELINE, &finished->flags);
	submit_dependent(t.a, finished);
	mock_wait_until(test, mock_sched_busy(t.sched) == 2);
	dma_fence_put(finished);
}

/* A dependency on the start itself, as between the jobs of a gang. */
static void sched_test_explicit_scheduled_dependency(struct kunit *test)
{
	struct two t = two_entities(test);
	struct mock_sched *other = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, other, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *foreign = mock_fence_create(mock_issuer_create(test, 0), 1);
	struct mock_job *first = mock_job_create(t.a, 1);
	struct dma_fence *scheduled;

	mock_job_depend(first, foreign);
	drm_sched_job_arm(&first->base);
	scheduled = dma_fence_get(&first->base.s_fence->scheduled);
	mock_job_push(first);
	submit_dependent(entity, scheduled);
	mock_sched_settle(other);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(other), 0);

	dma_fence_signal(foreign);
	mock_wait_until(test, mock_sched_busy(t.sched) == 1);
	mock_wait_until(test, mock_sched_busy(other) == 1);
	dma_fence_put(scheduled);
	dma_fence_put(foreign);
}

static void sched_test_later_fence_of_context_replaces(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *one = mock_fence_create(issuer, 1);
	struct dma_fence *two = mock_fence_create(issuer, 2);
	struct two t = two_entities(test);
	struct mock_job *job = mock_job_create(t.a, 1);

	dma_fence_signal(two);
	mock_job_depend(job, one);
	/* Signaled, but later on the same timeline. */
	mock_job_depend(job, two);
	mock_job_push(job);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_signal(one);
	dma_fence_put(one);
	dma_fence_put(two);
}

static void sched_test_prepare_job_dependency(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct two t = two_entities(test);
	struct mock_job *job = mock_job_create(t.a, 1);

	job->prepare = dma_fence_get(fence);
	mock_job_push(job);
	mock_sched_settle(t.sched);
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 0);
	dma_fence_signal(fence);
	mock_wait_until(test, mock_sched_runs(t.sched) == 1);
	dma_fence_put(fence);
}

/* A dependency that holds: the entity goes while it waits for it. */
static void sched_test_entity_goes_while_it_waits(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct two t = two_entities(test);

	submit_dependent(t.a, fence);
	mock_sched_settle(t.sched);
	mock_entity_kill(t.a);
	dma_fence_signal(fence);
	mock_wait_until(test, !atomic_read(&t.sched->jobs));
	KUNIT_EXPECT_EQ(test, mock_sched_runs(t.sched), 0);
	dma_fence_put(fence);
}

static struct kunit_case sched_dependency_cases[] = {
	KUNIT_CASE_PARAM(sched_test_waits_for_foreign_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(sched_test_does_not_wait_for_detached_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(sched_test_issuer_leaves_while_waited_for, mock_lock_gen_params),
	KUNIT_CASE(sched_test_same_scheduler_waits_for_start),
	KUNIT_CASE(sched_test_same_scheduler_already_started),
	KUNIT_CASE(sched_test_same_scheduler_done),
	KUNIT_CASE(sched_test_dont_pipeline_waits_for_end),
	KUNIT_CASE(sched_test_other_scheduler_waits_for_end),
	KUNIT_CASE(sched_test_other_scheduler_is_gone),
	KUNIT_CASE(sched_test_other_scheduler_leaves_while_waited_for),
	KUNIT_CASE(sched_test_own_entity_is_no_dependency),
	KUNIT_CASE(sched_test_explicit_scheduled_dependency),
	KUNIT_CASE(sched_test_later_fence_of_context_replaces),
	KUNIT_CASE_PARAM(sched_test_prepare_job_dependency, mock_lock_gen_params),
	KUNIT_CASE_PARAM(sched_test_entity_goes_while_it_waits, mock_lock_gen_params),
	{}
};

static struct kunit_suite sched_dependency_suite = {
	.name = "drm_sched_dependency",
	.test_cases = sched_dependency_cases,
};

kunit_test_suite(sched_dependency_suite);
