// SPDX-License-Identifier: GPL-2.0
/*
 * Races: the holders of a fence of a job do whatever they like, while the job
 * comes to its end, and the scheduler after it. Worth its time on more than one
 * CPU, and with KASAN or KCSAN to watch.
 */

#include <linux/cpumask.h>
#include <linux/kthread.h>

#include "mock-issuer.h"
#include "mock-scheduler.h"

#define ROUNDS	40

/* What the racer does, over and over, until the test tells it to stop. */
struct racer {
	struct kunit *test;
	struct task_struct *task;
	/* Two references, to be taken over; NULL when the racer has done so. */
	struct dma_fence *finished, *scheduled;
	atomic_t uses;
};

static void racer_use(struct dma_fence *finished, struct dma_fence *scheduled)
{
	struct dma_fence *both[] = { finished, scheduled };
	char name[32];
	int i;

	for (i = 0; i < ARRAY_SIZE(both); i++) {
		struct drm_sched_fence *s_fence;
		struct dma_fence *parent;

		rcu_read_lock();
		strscpy(name, (const char __force *)dma_fence_timeline_name(both[i]));
		s_fence = to_drm_sched_fence(both[i]);
		/* As amdgpu and imagination look whose scheduler it is. */
		if (s_fence)
			strscpy(name, s_fence->sched->name);
		rcu_read_unlock();

		if (s_fence) {
			parent = drm_sched_fence_get_parent(s_fence);
			if (parent)
				dma_fence_is_signaled(parent);
			dma_fence_put(parent);
		}
		dma_fence_set_deadline(both[i], ktime_sub_us(ktime_get(), i));
		dma_fence_get_status(both[i]);
	}
}

static int racer_thread(void *data)
{
	struct racer *r = data;

	while (!kthread_should_stop()) {
		struct dma_fence *finished = xchg(&r->finished, NULL);
		struct dma_fence *scheduled = xchg(&r->scheduled, NULL);
		int late = 0;

		while (finished && scheduled && !kthread_should_stop()) {
			racer_use(finished, scheduled);
			atomic_inc(&r->uses);
			cond_resched();
			/* A few more, for what comes after the signal. */
			if (dma_fence_is_signaled(finished) && late++ == 16)
				break;
		}
		/* Now and then as the last one. */
		dma_fence_put(finished);
		dma_fence_put(scheduled);
		if (!finished)
			schedule_timeout_uninterruptible(1);
	}
	dma_fence_put(xchg(&r->finished, NULL));
	dma_fence_put(xchg(&r->scheduled, NULL));

	return 0;
}

static struct racer *racer_start(struct kunit *test)
{
	struct racer *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->test = test;
	r->task = kthread_run(racer_thread, r, "sched-racer");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, r->task);

	return r;
}

/* References for the racer. */
static void racer_give(struct racer *r, struct dma_fence *finished)
{
	dma_fence_get(finished);
	dma_fence_get(finished - 1);
	dma_fence_put(xchg(&r->scheduled, finished - 1));
	dma_fence_put(xchg(&r->finished, finished));
}

static void sched_test_race_with_the_end_of_a_job(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct racer *r = racer_start(test);
	int i;

	mock_sched_start_thread(sched);
	for (i = 0; i < ROUNDS; i++) {
		struct dma_fence *finished;

		/* Now the job's reference to the parent is the last one, and now not. */
		WRITE_ONCE(sched->borrowed, i & 1);
		finished = mock_job_submit(entity, i);
		racer_give(r, finished);
		mock_wait_fence(test, finished);
		dma_fence_put(finished);
	}
	mock_sched_stop_thread(sched);
	kthread_stop(r->task);
	kunit_info(test, "%d uses in %d rounds\n", atomic_read(&r->uses), ROUNDS);
}

static void sched_test_race_with_the_end_of_a_scheduler(struct kunit *test)
{
	struct racer *r = racer_start(test);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
		struct mock_entity *entity =
			mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
		struct dma_fence *finished = mock_job_submit(entity, i);

		racer_give(r, finished);
		dma_fence_put(finished);
		if (i & 1)
			mock_wait_until(test, mock_sched_busy(sched) == 1);
		/* Either it is on the ring, or it may be killed. */
		mock_entity_kill(entity);
		mock_sched_destroy(sched);
	}
	kthread_stop(r->task);
	kunit_info(test, "%d uses in %d rounds\n", atomic_read(&r->uses), ROUNDS);
}

/* drm_sched_stop() and start take and give back parents under the racer. */
static void sched_test_race_with_stop_and_start(struct kunit *test)
{
	struct mock_sched *sched = mock_sched_create(test, 4, MAX_SCHEDULE_TIMEOUT);
	struct mock_entity *entity = mock_entity_create(test, sched, DRM_SCHED_PRIORITY_NORMAL);
	struct racer *r = racer_start(test);
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct dma_fence *finished = mock_job_submit(entity, i);

		racer_give(r, finished);
		mock_wait_until(test, mock_sched_busy(sched) == 1);
		mock_sched_settle(sched);
		drm_sched_stop(&sched->base, NULL);
		mock_sched_reset(sched);
		/* Not run again: it is given up. */
		drm_sched_start(&sched->base);
		mock_wait_fence(test, finished);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ECANCELED);
		dma_fence_put(finished);
	}
	kthread_stop(r->task);
	kunit_info(test, "%d uses in %d rounds\n", atomic_read(&r->uses), ROUNDS);
}

static struct kunit_case sched_race_cases[] = {
	KUNIT_CASE_SLOW(sched_test_race_with_the_end_of_a_job),
	KUNIT_CASE_SLOW(sched_test_race_with_the_end_of_a_scheduler),
	KUNIT_CASE_SLOW(sched_test_race_with_stop_and_start),
	{}
};

static struct kunit_suite sched_race_suite = {
	.name = "drm_sched_race",
	.test_cases = sched_race_cases,
};

kunit_test_suite(sched_race_suite);
