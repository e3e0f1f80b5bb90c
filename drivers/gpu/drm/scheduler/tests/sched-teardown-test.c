// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler is torn down and freed while others hold its fences: a sync_file, a
 * dma_resv, a drm_syncobj, a dma_fence_array, a dma_fence_chain. After that all
 * that is legal is done to the fences and to who holds them.
 */

#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/completion.h>
#include <linux/dma-resv.h>
#include <linux/file.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/sync_file.h>

#include <drm/drm_syncobj.h>

#include "mock-issuer.h"
#include "mock-scheduler.h"

/**
 * struct holder - somebody who holds a fence
 *
 * @name: who that is
 * @hold: begin to hold a fence that has not signaled
 * @use: do what is done with the holder, when the fence's scheduler is gone
 * @release: stop holding it
 */
struct holder {
	const char *name;
	void *(*hold)(struct kunit *test, struct dma_fence *fence);
	void (*use)(struct kunit *test, void *held, struct dma_fence *fence);
	void (*release)(void *held);
};

static void *hold_reference(struct kunit *test, struct dma_fence *fence)
{
	return dma_fence_get(fence);
}

static void use_reference(struct kunit *test, void *held, struct dma_fence *fence)
{
	mock_fence_use(test, held);
}

static void release_reference(void *held)
{
	dma_fence_put(held);
}

static void *hold_sync_file(struct kunit *test, struct dma_fence *fence)
{
	return sync_file_create(fence);
}

static void use_sync_file(struct kunit *test, void *held, struct dma_fence *fence)
{
	struct sync_file *sync_file = held;
	char name[64];

	KUNIT_EXPECT_NOT_NULL(test, sync_file_get_name(sync_file, name, sizeof(name)));
	KUNIT_EXPECT_PTR_EQ(test, sync_file->fence, fence);
}

static void release_sync_file(void *held)
{
	struct sync_file *sync_file = held;

	/* At once, so that the fence is put as well. */
	__fput_sync(sync_file->file);
}

static void *hold_resv(struct kunit *test, struct dma_fence *fence)
{
	struct dma_resv *resv = kzalloc(sizeof(*resv), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	dma_resv_unlock(resv);

	return resv;
}

static void use_resv(struct kunit *test, void *held, struct dma_fence *fence)
{
	struct dma_resv_iter cursor;
	struct dma_fence *f, *all;

	KUNIT_ASSERT_EQ(test, dma_resv_lock(held, NULL), 0);
	dma_resv_for_each_fence(&cursor, held, DMA_RESV_USAGE_READ, f)
		KUNIT_EXPECT_PTR_EQ(test, f, fence);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_get_singleton(held, DMA_RESV_USAGE_READ, &all));
	dma_fence_put(all);
	dma_resv_unlock(held);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(held, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(held, DMA_RESV_USAGE_READ, false, 7));
	dma_resv_set_deadline(held, DMA_RESV_USAGE_READ, ktime_get());
}

static void release_resv(void *held)
{
	dma_resv_fini(held);
	kfree(held);
}

static void *hold_syncobj(struct kunit *test, struct dma_fence *fence)
{
	struct drm_syncobj *syncobj;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&syncobj, 0, fence), 0);
	return syncobj;
}

static void use_syncobj(struct kunit *test, void *held, struct dma_fence *fence)
{
	struct dma_fence *f = drm_syncobj_fence_get(held);

	KUNIT_EXPECT_PTR_EQ(test, f, fence);
	dma_fence_put(f);
}

static void release_syncobj(void *held)
{
	drm_syncobj_put(held);
}

static void *hold_array(struct kunit *test, struct dma_fence *fence)
{
	return mock_fence_array_create(test, fence);
}

static void use_array(struct kunit *test, void *held, struct dma_fence *fence)
{
	struct dma_fence_array *array = held;

	mock_wait_fence(test, &array->base);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&array->base), fence->error ?: 1);
	dma_fence_set_deadline(&array->base, ktime_get());
}

static void release_array(void *held)
{
	struct dma_fence_array *array = held;

	dma_fence_put(&array->base);
}

static void *hold_chain(struct kunit *test, struct dma_fence *fence)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, NULL, dma_fence_get(fence), 1);
	return chain;
}

static void use_chain(struct kunit *test, void *held, struct dma_fence *fence)
{
	struct dma_fence_chain *chain = held;
	struct dma_fence *iter;
	int n = 0;

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(&chain->base), fence);
	dma_fence_chain_for_each(iter, &chain->base)
		n++;
	KUNIT_EXPECT_EQ(test, n, 1);
	mock_wait_fence(test, &chain->base);
	dma_fence_set_deadline(&chain->base, ktime_get());
}

static void release_chain(void *held)
{
	struct dma_fence_chain *chain = held;

	dma_fence_put(&chain->base);
}

static const struct holder holders[] = {
	{ "a reference", hold_reference, use_reference, release_reference },
	{ "a sync_file", hold_sync_file, use_sync_file, release_sync_file },
	{ "a dma_resv", hold_resv, use_resv, release_resv },
	{ "a drm_syncobj", hold_syncobj, use_syncobj, release_syncobj },
	{ "a dma_fence_array", hold_array, use_array, release_array },
	{ "a dma_fence_chain", hold_chain, use_chain, release_chain },
};

KUNIT_ARRAY_PARAM_DESC(holder, holders, name);

enum end { DONE, FAILED, KILLED };

/* Let a job come to its end, and its scheduler, while somebody holds a fence of it. */
static void hold_over_the_end(struct kunit *test, bool finished, enum end end)
{
	const struct holder *holder = test->param_value;
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct mock_job *job = mock_job_create(entity, 1);
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *fence, *blocker = mock_fence_create(issuer, 1);
	static const int error[] = { [FAILED] = -EIO, [KILLED] = -ESRCH };
	void *held;

	/* It does not start before it is held. */
	mock_job_depend(job, blocker);
	drm_sched_job_arm(&job->base);
	fence = finished ? &job->base.s_fence->finished : &job->base.s_fence->scheduled;
	held = holder->hold(test, fence);
	KUNIT_ASSERT_NOT_NULL(test, held);
	mock_job_push(job);
	mock_sched_settle(sched);
	if (end == KILLED)
		mock_entity_kill(entity);
	dma_fence_signal(blocker);
	dma_fence_put(blocker);
	if (end != KILLED) {
		mock_wait_until(test, mock_sched_busy(sched) == 1);
		mock_sched_complete(sched, 1, error[end]);
	}
	mock_wait_until(test, !atomic_read(&sched->jobs));
	if (end != KILLED)
		mock_entity_kill(entity);
	mock_sched_destroy(sched);

	holder->use(test, held, fence);
	mock_fence_use(test, fence);
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
	KUNIT_EXPECT_NULL(test, to_drm_sched_fence(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence),
			finished && end != DONE ? error[end] : 1);
	holder->release(held);
}

static void sched_test_finished_held_by(struct kunit *test)
{
	hold_over_the_end(test, true, DONE);
}

static void sched_test_scheduled_held_by(struct kunit *test)
{
	hold_over_the_end(test, false, DONE);
}

static void sched_test_finished_of_failed_held_by(struct kunit *test)
{
	hold_over_the_end(test, true, FAILED);
}

static void sched_test_scheduled_of_failed_held_by(struct kunit *test)
{
	hold_over_the_end(test, false, FAILED);
}

static void sched_test_finished_of_killed_held_by(struct kunit *test)
{
	hold_over_the_end(test, true, KILLED);
}

static void sched_test_scheduled_of_killed_held_by(struct kunit *test)
{
	hold_over_the_end(test, false, KILLED);
}

/* Each use of the API by itself, so that a report names it. */

static struct dma_fence *orphan(struct kunit *test, bool want_finished)
{
	struct mock_sched *sched = mock_sched_create(test, 1, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct dma_fence *finished = mock_job_submit(entity, 1), *scheduled;

	scheduled = dma_fence_get(finished - 1);
	mock_sched_complete_all(sched);
	mock_entity_kill(entity);
	mock_sched_destroy(sched);
	dma_fence_put(want_finished ? scheduled : finished);

	return want_finished ? finished : scheduled;
}

static void sched_test_use_finished_of_gone_scheduler(struct kunit *test)
{
	const struct mock_use *use = test->param_value;
	struct dma_fence *fence = orphan(test, true);

	use->use(test, fence);
	dma_fence_put(fence);
}

static void sched_test_use_scheduled_of_gone_scheduler(struct kunit *test)
{
	const struct mock_use *use = test->param_value;
	struct dma_fence *fence = orphan(test, false);

	use->use(test, fence);
	dma_fence_put(fence);
}

/*
 * How long drm_sched_fini() waits. Schedulers on a workqueue of somebody else, with a
 * job that ends as soon as it is run: then nothing else in drm_sched_fini() takes
 * long enough for a grace period.
 */
struct quick {
	struct drm_gpu_scheduler sched;
	struct drm_sched_entity entity;
	struct drm_sched_job job;
	struct completion freed;
};

static struct dma_fence *quick_run_job(struct drm_sched_job *job)
{
	return NULL;
}

static void quick_free_job(struct drm_sched_job *job)
{
	drm_sched_job_cleanup(job);
	complete(&container_of(job, struct quick, job)->freed);
}

static const struct drm_sched_backend_ops quick_ops = {
	.run_job = quick_run_job,
	.free_job = quick_free_job,
};

static void quick_init(struct kunit *test, struct quick *q)
{
	const struct drm_sched_init_args args = {
		.ops = &quick_ops,
		.submit_wq = system_wq,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "quick",
	};
	struct drm_gpu_scheduler *sched = &q->sched;

	memset(q, 0, sizeof(*q));
	init_completion(&q->freed);
	KUNIT_ASSERT_EQ(test, drm_sched_init(sched, &args), 0);
	KUNIT_ASSERT_EQ(test, drm_sched_entity_init(&q->entity, DRM_SCHED_PRIORITY_NORMAL,
						    &sched, 1, NULL), 0);
}

static void quick_arm(struct kunit *test, struct quick *q)
{
	KUNIT_ASSERT_EQ(test, drm_sched_job_init(&q->job, &q->entity, 1, test, 7), 0);
	drm_sched_job_arm(&q->job);
}

/* Whether a grace period has passed meanwhile. In early boot they are expedited. */
static bool quick_fini(struct quick *q)
{
	struct rcu_gp_oldstate state;

	drm_sched_entity_destroy(&q->entity);
	/* The work that freed the job may still be looking for another. */
	flush_work(&q->sched.work_free_job);
	get_state_synchronize_rcu_full(&state);
	drm_sched_fini(&q->sched);

	return poll_state_synchronize_rcu_full(&state);
}

#define TRIES	20

static void sched_test_fini_waits_for_grace_period_after_last_job(struct kunit *test)
{
	struct quick *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	struct rcu_gp_oldstate state;
	int i;

	if (IS_ENABLED(CONFIG_TINY_RCU))
		kunit_skip(test, "what may sleep has waited for a grace period");
	KUNIT_ASSERT_NOT_NULL(test, q);
	/* One may pass by chance. */
	for (i = 0; i < TRIES; i++) {
		quick_init(test, q);
		quick_arm(test, q);
		drm_sched_entity_push_job(&q->job);
		wait_for_completion(&q->freed);
		/* The grace period since the end of the first does not count. */
		synchronize_rcu();
		quick_arm(test, q);
		get_state_synchronize_rcu_full(&state);
		drm_sched_entity_push_job(&q->job);
		wait_for_completion(&q->freed);
		quick_fini(q);
		KUNIT_ASSERT_TRUE(test, poll_state_synchronize_rcu_full(&state));
	}
}

static void sched_test_fini_does_not_wait_if_there_was_no_job(struct kunit *test)
{
	struct quick *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	int i, waited = 0;

	KUNIT_ASSERT_NOT_NULL(test, q);
	for (i = 0; i < TRIES; i++) {
		quick_init(test, q);
		waited += quick_fini(q);
	}
	KUNIT_EXPECT_LT(test, waited, TRIES);
}

static void sched_test_fini_does_not_wait_if_last_job_is_long_over(struct kunit *test)
{
	struct quick *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	int i, waited = 0;

	KUNIT_ASSERT_NOT_NULL(test, q);
	for (i = 0; i < TRIES; i++) {
		quick_init(test, q);
		quick_arm(test, q);
		drm_sched_entity_push_job(&q->job);
		wait_for_completion(&q->freed);
		synchronize_rcu();
		waited += quick_fini(q);
	}
	KUNIT_EXPECT_LT(test, waited, TRIES);
}

/* A device with as many rings as amdgpu has. */
static void sched_test_hundred_schedulers_go_in_one_grace_period(struct kunit *test)
{
	struct quick *q = kunit_kcalloc(test, 100, sizeof(*q), GFP_KERNEL);
	int i, waited = 0;

	KUNIT_ASSERT_NOT_NULL(test, q);
	for (i = 0; i < 100; i++) {
		quick_init(test, &q[i]);
		quick_arm(test, &q[i]);
		drm_sched_entity_push_job(&q[i].job);
	}
	for (i = 0; i < 100; i++)
		wait_for_completion(&q[i].freed);
	for (i = 0; i < 100; i++)
		waited += quick_fini(&q[i]);
	/* One, and what passes by chance. */
	KUNIT_EXPECT_LT(test, waited, 25);
}

/* As amdgpu's debugfs does. */
static void sched_test_fini_waits_if_driver_has_freed_job(struct kunit *test)
{
	struct quick *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, q);
	for (i = 0; i < TRIES; i++) {
		quick_init(test, q);
		quick_arm(test, q);
		dma_fence_signal(&q->job.s_fence->scheduled);
		dma_fence_signal(&q->job.s_fence->finished);
		quick_free_job(&q->job);
		KUNIT_ASSERT_TRUE(test, quick_fini(q));
	}
}

/* One that the scheduler frees when it is over, but who started it is not done. */
static void sched_test_fini_waits_if_job_has_ended_but_not_begun(struct kunit *test)
{
	struct quick *q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, q);
	for (i = 0; i < TRIES; i++) {
		quick_init(test, q);
		quick_arm(test, q);
		list_add(&q->job.list, &q->sched.pending_list);
		dma_fence_signal(&q->job.s_fence->finished);
		drm_sched_stop(&q->sched, NULL);
		KUNIT_ASSERT_TRUE(test, try_wait_for_completion(&q->freed));
		KUNIT_ASSERT_TRUE(test, quick_fini(q));
	}
}

static struct kunit_case sched_teardown_cases[] = {
	KUNIT_CASE_PARAM(sched_test_finished_held_by, holder_gen_params),
	KUNIT_CASE_PARAM(sched_test_scheduled_held_by, holder_gen_params),
	KUNIT_CASE_PARAM(sched_test_finished_of_failed_held_by, holder_gen_params),
	KUNIT_CASE_PARAM(sched_test_scheduled_of_failed_held_by, holder_gen_params),
	KUNIT_CASE_PARAM(sched_test_finished_of_killed_held_by, holder_gen_params),
	KUNIT_CASE_PARAM(sched_test_scheduled_of_killed_held_by, holder_gen_params),
	KUNIT_CASE(sched_test_fini_waits_for_grace_period_after_last_job),
	KUNIT_CASE(sched_test_fini_does_not_wait_if_there_was_no_job),
	KUNIT_CASE(sched_test_fini_does_not_wait_if_last_job_is_long_over),
	KUNIT_CASE(sched_test_hundred_schedulers_go_in_one_grace_period),
	KUNIT_CASE(sched_test_fini_waits_if_driver_has_freed_job),
	KUNIT_CASE(sched_test_fini_waits_if_job_has_ended_but_not_begun),
	KUNIT_CASE_PARAM(sched_test_use_finished_of_gone_scheduler, mock_use_gen_params),
	KUNIT_CASE_PARAM(sched_test_use_scheduled_of_gone_scheduler, mock_use_gen_params),
	{}
};

static struct kunit_suite sched_teardown_suite = {
	.name = "drm_sched_teardown",
	.test_cases = sched_teardown_cases,
};

kunit_test_suite(sched_teardown_suite);
