// SPDX-License-Identifier: GPL-2.0
/*
 * The two fences of a job: how they are found, that each stands on its own once
 * it has signaled, who keeps the memory; deadlines and the parent.
 */

#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "mock-issuer.h"
#include "mock-scheduler.h"

/* A job on the ring, and what belongs to it. */
struct running {
	struct mock_sched *sched;
	struct mock_entity *entity;
	struct mock_job *job;
	struct drm_sched_fence *s_fence;
	struct dma_fence *scheduled, *finished;	/* references */
};

static struct running job_armed(struct kunit *test)
{
	struct running r = {};

	r.sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	r.entity = mock_entity_create(test, r.sched, DRM_SCHED_PRIORITY_NORMAL);
	r.job = mock_job_create(r.entity, 1);
	drm_sched_job_arm(&r.job->base);
	r.s_fence = r.job->base.s_fence;
	r.scheduled = dma_fence_get(&r.s_fence->scheduled);
	r.finished = dma_fence_get(&r.s_fence->finished);

	return r;
}

static void job_run(struct kunit *test, struct running *r)
{
	mock_job_push(r->job);
	mock_wait_until(test, dma_fence_is_signaled(r->scheduled));
}

/* The job has been freed, too. */
static void job_complete(struct running *r)
{
	mock_sched_complete_all(r->sched);
}

static void job_put(struct running *r)
{
	dma_fence_put(r->scheduled);
	dma_fence_put(r->finished);
}

static void sched_leave(struct running *r)
{
	mock_entity_kill(r->entity);
	mock_sched_destroy(r->sched);
}

static void sched_test_fences_are_two_in_one_object(struct kunit *test)
{
	struct running r = job_armed(test);

	KUNIT_EXPECT_PTR_EQ(test, (void *)r.s_fence, (void *)r.scheduled);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_pair_second(r.scheduled), r.finished);
	KUNIT_EXPECT_NULL(test, dma_fence_pair_second(r.finished));
	/* One reference of the finished fence, one of ours; the job's, and ours. */
	KUNIT_EXPECT_EQ(test, kref_read(&r.scheduled->refcount), 2);
	KUNIT_EXPECT_EQ(test, kref_read(&r.finished->refcount), 2);
	job_put(&r);
	mock_job_abort(r.job);
}

static void sched_test_fences_have_their_own_locks(struct kunit *test)
{
	struct running r = job_armed(test);

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(r.scheduled), &r.scheduled->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(r.finished), &r.finished->inline_lock);
	job_put(&r);
	mock_job_abort(r.job);
}

static void sched_test_job_found_from_both_fences(struct kunit *test)
{
	struct running r = job_armed(test);

	KUNIT_EXPECT_PTR_EQ(test, to_drm_sched_fence(r.scheduled), r.s_fence);
	KUNIT_EXPECT_PTR_EQ(test, to_drm_sched_fence(r.finished), r.s_fence);

	/* It has begun, and is found from the fence that has signaled as well. */
	job_run(test, &r);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(r.scheduled->ops));
	KUNIT_EXPECT_PTR_EQ(test, to_drm_sched_fence(r.scheduled), r.s_fence);
	KUNIT_EXPECT_PTR_EQ(test, to_drm_sched_fence(r.finished), r.s_fence);

	job_complete(&r);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(r.finished->ops));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(r.scheduled));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(r.finished));
	job_put(&r);
}

/* Its signaler has got no further than the flag. */
static void sched_test_no_job_found_once_the_flag_is_set(struct kunit *test)
{
	struct running r = job_armed(test);

	job_run(test, &r);
	mock_sched_settle(r.sched);
	set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &r.finished->flags);
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(r.finished->ops));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(r.scheduled));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(r.finished));
	clear_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &r.finished->flags);

	job_complete(&r);
	job_put(&r);
}

static void sched_test_foreign_fences_are_no_jobs(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct dma_fence *stub = dma_fence_get_stub();

	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(fence));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(stub));
	dma_fence_signal(fence);
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(fence));
	dma_fence_put(fence);
	dma_fence_put(stub);
}

static const char *pair_get_name(struct dma_fence *fence)
{
	return "pair";
}

static const struct dma_fence_ops pair_ops = {
	.get_driver_name = pair_get_name,
	.get_timeline_name = pair_get_name,
};

/* Others may have two fences in an object as well. */
static void sched_test_foreign_pairs_are_no_jobs(struct kunit *test)
{
	struct dma_fence_pair *pair = kzalloc(sizeof(*pair), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pair);
	dma_fence_init_pair(pair, first, second, &pair_ops, &pair_ops, NULL, 1, 1);
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(&pair->first));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(&pair->second));
	dma_fence_signal(&pair->first);
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(&pair->first));
	dma_fence_signal(&pair->second);
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(&pair->first));
	dma_fence_put(&pair->second);
}

static void sched_test_names_until_signaled(struct kunit *test)
{
	struct running r = job_armed(test);

	mock_expect_names(test, r.scheduled, "drm_sched", r.sched->name);
	mock_expect_names(test, r.finished, "drm_sched", r.sched->name);
	job_run(test, &r);
	mock_expect_names(test, r.scheduled, "detached-driver", "signaled-timeline");
	mock_expect_names(test, r.finished, "drm_sched", r.sched->name);
	job_complete(&r);
	mock_expect_names(test, r.finished, "detached-driver", "signaled-timeline");
	job_put(&r);
}

/* The ops may still be running when somebody else has signaled. */
static void sched_test_ops_answer_while_signaled(struct kunit *test)
{
	struct running r = job_armed(test);
	const struct dma_fence_ops *scheduled, *finished;

	r.sched->unknown_ends = true;
	rcu_read_lock();
	scheduled = rcu_dereference(r.scheduled->ops);
	finished = rcu_dereference(r.finished->ops);
	dma_fence_signal(r.scheduled);
	dma_fence_signal(r.finished);
	KUNIT_EXPECT_STREQ(test, scheduled->get_driver_name(r.scheduled), "drm_sched");
	KUNIT_EXPECT_STREQ(test, scheduled->get_timeline_name(r.scheduled), r.sched->name);
	KUNIT_EXPECT_STREQ(test, finished->get_driver_name(r.finished), "drm_sched");
	KUNIT_EXPECT_STREQ(test, finished->get_timeline_name(r.finished), r.sched->name);
	finished->set_deadline(r.finished, ktime_get());
	rcu_read_unlock();

	job_put(&r);
	mock_job_abort(r.job);
}

/* Neither has a release or a wait: the core can let go of both. */
static void sched_test_no_op_keeps_the_fences_attached(struct kunit *test)
{
	struct running r = job_armed(test);

	rcu_read_lock();
	KUNIT_EXPECT_NULL(test, rcu_dereference(r.scheduled->ops)->release);
	KUNIT_EXPECT_NULL(test, rcu_dereference(r.finished->ops)->release);
	KUNIT_EXPECT_NULL(test, rcu_dereference(r.scheduled->ops)->wait);
	KUNIT_EXPECT_NULL(test, rcu_dereference(r.finished->ops)->wait);
	rcu_read_unlock();
	job_put(&r);
	mock_job_abort(r.job);
}

static void sched_test_started_job_use_scheduled(struct kunit *test)
{
	struct running r = job_armed(test);

	job_run(test, &r);
	synchronize_rcu();
	mock_fence_use(test, r.scheduled);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(r.finished));
	job_complete(&r);
	job_put(&r);
}

static void sched_test_scheduled_alone_outlives_scheduler(struct kunit *test)
{
	struct running r = job_armed(test);

	job_run(test, &r);
	job_complete(&r);
	/* Nobody holds the finished fence any more, once the entity is gone. */
	dma_fence_put(r.finished);
	sched_leave(&r);

	KUNIT_EXPECT_EQ(test, kref_read(&r.scheduled->refcount), 1);
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu(&r.s_fence->finished));
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(r.scheduled));
	mock_fence_use(test, r.scheduled);
	dma_fence_put(r.scheduled);
}

static void sched_test_finished_alone_outlives_scheduler(struct kunit *test)
{
	struct running r = job_armed(test);

	job_run(test, &r);
	dma_fence_put(r.scheduled);
	job_complete(&r);
	sched_leave(&r);

	KUNIT_EXPECT_EQ(test, kref_read(&r.finished->refcount), 1);
	mock_fence_use(test, r.finished);
	/* Held by the finished one. */
	mock_fence_use(test, &r.s_fence->scheduled);
	dma_fence_put(r.finished);
}

/* Later than all that was, earlier than all to come, however coarse the clock. */
static ktime_t moment(void)
{
	ktime_t was = ktime_get(), now;

	while ((now = ktime_get()) == was)
		fsleep(100);
	while (ktime_get() == now)
		fsleep(100);

	return now;
}

/* What amdgpu accounts: how long a job was on the hardware. */
static void sched_test_timestamps_of_both_after_the_job(struct kunit *test)
{
	struct running r = job_armed(test);
	ktime_t before = moment(), between;

	job_run(test, &r);
	between = moment();
	job_complete(&r);
	sched_leave(&r);

	KUNIT_EXPECT_TRUE(test, ktime_before(before, dma_fence_timestamp(r.scheduled)));
	KUNIT_EXPECT_TRUE(test, ktime_before(dma_fence_timestamp(r.scheduled), between));
	KUNIT_EXPECT_TRUE(test, ktime_before(between, dma_fence_timestamp(r.finished)));
	job_put(&r);
}

static void sched_test_contexts_and_seqnos(struct kunit *test)
{
	struct running r = job_armed(test);
	struct dma_fence *next;

	job_run(test, &r);
	next = mock_job_submit(r.entity, 2);
	KUNIT_EXPECT_EQ(test, r.scheduled->context, r.entity->base.fence_context);
	KUNIT_EXPECT_EQ(test, r.finished->context, r.entity->base.fence_context + 1);
	KUNIT_EXPECT_EQ(test, r.finished->seqno, r.scheduled->seqno);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(next, r.finished));
	job_complete(&r);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(next, r.finished));
	dma_fence_put(next);
	job_put(&r);
}

/* Deadlines */

static void sched_test_deadline_reaches_parent(struct kunit *test)
{
	struct running r = job_armed(test);
	ktime_t deadline = ktime_add_ms(ktime_get(), 100);
	struct mock_hw_fence *hw;

	job_run(test, &r);
	hw = r.job->hw;
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 0);
	dma_fence_set_deadline(r.finished, deadline);
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 1);
	KUNIT_EXPECT_EQ(test, hw->deadline, deadline);

	/* A later one is of no interest, an earlier one is. */
	dma_fence_set_deadline(r.finished, ktime_add_ms(deadline, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 1);
	dma_fence_set_deadline(r.finished, ktime_sub_us(deadline, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 2);
	KUNIT_EXPECT_EQ(test, hw->deadline, ktime_sub_us(deadline, 1));

	job_complete(&r);
	job_put(&r);
}

static void sched_test_deadline_before_parent(struct kunit *test)
{
	struct running r = job_armed(test);
	ktime_t deadline = ktime_add_ms(ktime_get(), 100);
	struct mock_hw_fence *hw;

	dma_fence_set_deadline(r.finished, deadline);
	job_run(test, &r);
	hw = r.job->hw;
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 1);
	KUNIT_EXPECT_EQ(test, hw->deadline, deadline);
	job_complete(&r);
	job_put(&r);
}

static void sched_test_deadline_of_signaled(struct kunit *test)
{
	struct running r = job_armed(test);
	struct mock_hw_fence *hw;

	job_run(test, &r);
	hw = r.job->hw;
	dma_fence_get(&hw->base);
	job_complete(&r);
	dma_fence_set_deadline(r.finished, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 0);
	sched_leave(&r);
	dma_fence_set_deadline(r.finished, ktime_get());
	dma_fence_set_deadline(r.scheduled, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&hw->deadlines), 0);
	dma_fence_put(&hw->base);
	job_put(&r);
}

/* The parent */

static void sched_test_parent_from_start_to_end(struct kunit *test)
{
	struct running r = job_armed(test);
	struct dma_fence *hw, *parent;

	KUNIT_EXPECT_NULL(test, drm_sched_fence_get_parent(r.s_fence));
	job_run(test, &r);
	hw = dma_fence_get(&r.job->hw->base);
	parent = drm_sched_fence_get_parent(r.s_fence);
	KUNIT_EXPECT_PTR_EQ(test, parent, hw);
	dma_fence_put(parent);

	/* Dropped with the job, however long its fences are held. */
	job_complete(&r);
	KUNIT_EXPECT_NULL(test, drm_sched_fence_get_parent(r.s_fence));
	KUNIT_EXPECT_EQ(test, kref_read(&hw->refcount), 1);
	dma_fence_put(hw);
	job_put(&r);
}

/* The parent's last reference is gone, but its job is still there. */
static void sched_test_parent_on_its_way_out(struct kunit *test)
{
	struct running r = job_armed(test);
	struct dma_fence *hw;

	job_run(test, &r);
	hw = rcu_access_pointer(r.s_fence->parent);

	/* With nobody to free the job, ours is the only reference. */
	mock_sched_settle(r.sched);
	drm_sched_wqueue_stop(&r.sched->base);
	mock_sched_complete(r.sched, 1, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&hw->refcount), 1);
	refcount_set(&hw->refcount.refcount, 0);
	KUNIT_EXPECT_NULL(test, drm_sched_fence_get_parent(r.s_fence));
	kref_init(&hw->refcount);
	drm_sched_wqueue_start(&r.sched->base);

	mock_wait_until(test, !atomic_read(&r.sched->jobs));
	job_put(&r);
}

/*
 * The driver that signals has no reference, and the last one is the job's: see
 * mock_hw_release() for what has to be so by then.
 */
static void sched_test_last_put_of_parent_is_the_jobs(struct kunit *test)
{
	struct running r = job_armed(test);

	r.sched->borrowed = true;
	job_run(test, &r);
	job_complete(&r);
	mock_wait_until(test, atomic_read(&r.sched->released) == 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(r.finished), 1);
	job_put(&r);
}

/* The same, and it has signaled when run_job returns, but the signaler is not done. */
static void sched_test_last_put_of_parent_waits_for_signaler(struct kunit *test)
{
	struct running r = job_armed(test);

	r.sched->borrowed = true;
	r.sched->halfway = true;
	job_run(test, &r);
	mock_wait_fence(test, r.finished);
	mock_wait_until(test, !atomic_read(&r.sched->jobs));
	mock_wait_until(test, atomic_read(&r.sched->released) == 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(r.finished), 1);
	job_put(&r);
}

static struct kunit_case sched_fence_cases[] = {
	KUNIT_CASE(sched_test_fences_are_two_in_one_object),
	KUNIT_CASE(sched_test_fences_have_their_own_locks),
	KUNIT_CASE(sched_test_job_found_from_both_fences),
	KUNIT_CASE(sched_test_no_job_found_once_the_flag_is_set),
	KUNIT_CASE_PARAM(sched_test_foreign_fences_are_no_jobs, mock_lock_gen_params),
	KUNIT_CASE(sched_test_foreign_pairs_are_no_jobs),
	KUNIT_CASE(sched_test_names_until_signaled),
	KUNIT_CASE(sched_test_ops_answer_while_signaled),
	KUNIT_CASE(sched_test_no_op_keeps_the_fences_attached),
	KUNIT_CASE(sched_test_started_job_use_scheduled),
	KUNIT_CASE(sched_test_scheduled_alone_outlives_scheduler),
	KUNIT_CASE(sched_test_finished_alone_outlives_scheduler),
	KUNIT_CASE(sched_test_timestamps_of_both_after_the_job),
	KUNIT_CASE(sched_test_contexts_and_seqnos),
	KUNIT_CASE(sched_test_deadline_reaches_parent),
	KUNIT_CASE(sched_test_deadline_before_parent),
	KUNIT_CASE(sched_test_deadline_of_signaled),
	KUNIT_CASE(sched_test_parent_from_start_to_end),
	KUNIT_CASE(sched_test_parent_on_its_way_out),
	KUNIT_CASE(sched_test_last_put_of_parent_is_the_jobs),
	KUNIT_CASE(sched_test_last_put_of_parent_waits_for_signaler),
	{}
};

static struct kunit_suite sched_fence_suite = {
	.name = "drm_sched_fence",
	.test_cases = sched_fence_cases,
};

kunit_test_suite(sched_fence_suite);
