// SPDX-License-Identifier: GPL-2.0
/*
 * A mock driver of the DRM scheduler.
 *
 * The scheduler is in one block of kmalloc'ed memory with its name, which
 * mock_sched_destroy() frees as soon as drm_sched_fini() has returned: from then
 * on KASAN reports all that follow a fence to it.
 *
 * As drivers should, the hardware's list of jobs has a lock of its own, and jobs
 * are taken off the list before their fences are signaled.
 */

#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/poison.h>
#include <linux/slab.h>

#include "mock-scheduler.h"

static const char *mock_hw_get_driver_name(struct dma_fence *fence)
{
	return "mock-hw";
}

static const char *mock_hw_get_timeline_name(struct dma_fence *fence)
{
	return "mock-ring";
}

static void mock_hw_set_deadline(struct dma_fence *fence, ktime_t deadline)
{
	struct mock_hw_fence *hw = container_of(fence, struct mock_hw_fence, base);

	WRITE_ONCE(hw->deadline, deadline);
	atomic_inc(&hw->deadlines);
}

static const struct dma_fence_ops mock_hw_fence_ops = {
	.get_driver_name = mock_hw_get_driver_name,
	.get_timeline_name = mock_hw_get_timeline_name,
	.set_deadline = mock_hw_set_deadline,
};

/*
 * A signaler that got no further than the flag goes on while somebody waits for
 * it. In the kernel it would on another CPU, with the lock held: that the wait
 * comes first is what matters.
 */
static signed long mock_hw_wait(struct dma_fence *fence, bool intr, signed long timeout)
{
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	if (dma_fence_test_signaled_flag(fence) && !dma_fence_callbacks_done(fence)) {
		fence->timestamp = ktime_get();
		set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
		dma_fence_set_callbacks_done(fence);
	}
	dma_fence_unlock_irqrestore(fence, flags);

	return dma_fence_default_wait(fence, intr, timeout);
}

/* The last reference is gone, and the memory about to be used for something else. */
static void mock_hw_release(struct dma_fence *fence)
{
	struct mock_hw_fence *hw = container_of(fence, struct mock_hw_fence, base);

	/* Its signaler may still be at it, but must have written the timestamp. */
	KUNIT_EXPECT_TRUE(hw->sched->test, test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags));
	/* Nobody may find it any more who has not yet begun to look for it. */
	KUNIT_EXPECT_PTR_NE(hw->sched->test, rcu_access_pointer(hw->s_fence->parent), fence);

	dma_fence_put(&hw->s_fence->finished);
	atomic_inc(&hw->sched->released);
	dma_fence_free(fence);
}

static const struct dma_fence_ops mock_hw_borrowed_ops = {
	.get_driver_name = mock_hw_get_driver_name,
	.get_timeline_name = mock_hw_get_timeline_name,
	.wait = mock_hw_wait,
	.release = mock_hw_release,
};

static struct mock_hw_fence *mock_hw_fence_create(struct mock_job *job)
{
	struct mock_hw_fence *hw = kzalloc(sizeof(*hw), GFP_NOWAIT);

	if (!hw)
		return NULL;

	if (READ_ONCE(job->sched->borrowed)) {
		hw->sched = job->sched;
		hw->s_fence = job->base.s_fence;
		dma_fence_get(&hw->s_fence->finished);
	}
	if (hw->sched)
		dma_fence_init(&hw->base, &mock_hw_borrowed_ops, NULL,
			       dma_fence_context_alloc(1), 1);
	else
		dma_fence_init(&hw->base, &mock_hw_fence_ops, NULL,
			       dma_fence_context_alloc(1), 1);

	return hw;
}

/* Take a job off the ring: its hardware fence, with the ring's reference, if any. */
static struct dma_fence *mock_ring_take(struct mock_job *job)
{
	struct mock_hw_fence *hw = job->hw;

	lockdep_assert_held(&job->sched->lock);
	list_del_init(&job->link);
	job->hw = NULL;

	return &hw->base;
}

/*
 * The job may be freed as soon as this has signaled, and so may a fence that is
 * borrowed.
 */
static void mock_hw_fence_complete(struct dma_fence *fence, int error)
{
	bool borrowed = container_of(fence, struct mock_hw_fence, base)->sched;

	if (error)
		dma_fence_set_error(fence, error);
	dma_fence_signal(fence);
	if (!borrowed)
		dma_fence_put(fence);
}

static void mock_job_timer(struct timer_list *timer)
{
	struct mock_job *job = from_timer(job, timer, timer);
	struct mock_sched *sched = job->sched;
	struct dma_fence *fence = NULL;
	unsigned long flags;

	spin_lock_irqsave(&sched->lock, flags);
	if (!list_empty(&job->link))
		fence = mock_ring_take(job);
	spin_unlock_irqrestore(&sched->lock, flags);

	if (fence)
		mock_hw_fence_complete(fence, 0);
}

static struct dma_fence *mock_prepare_job(struct drm_sched_job *sched_job,
					  struct drm_sched_entity *entity)
{
	struct mock_job *job = to_mock_job(sched_job);

	/* The caller gets our reference. */
	return xchg(&job->prepare, NULL);
}

static struct dma_fence *mock_run_job(struct drm_sched_job *sched_job)
{
	struct mock_sched *sched = to_mock_sched(sched_job->sched);
	struct mock_job *job = to_mock_job(sched_job);
	struct mock_hw_fence *hw;
	unsigned long flags;

	job->runs++;
	hw = mock_hw_fence_create(job);
	if (!hw)
		return ERR_PTR(-ENOMEM);

	spin_lock_irqsave(&sched->lock, flags);
	if (sched->runs < MOCK_RUNS)
		sched->log[sched->runs] = job->tag;
	WRITE_ONCE(sched->runs, sched->runs + 1);
	if (!job->run_error && !sched->immediately && !sched->halfway) {
		job->hw = hw;
		if (!hw->sched)
			dma_fence_get(&hw->base);
		list_add_tail(&job->link, &sched->ring);
	}
	spin_unlock_irqrestore(&sched->lock, flags);

	if (job->run_error) {
		dma_fence_signal(&hw->base);
		dma_fence_put(&hw->base);
		return job->run_error < 0 ? ERR_PTR(job->run_error) : NULL;
	}
	if (hw->sched) {
		dma_fence_put(job->own);
		job->own = dma_fence_get(&hw->base);
	}
	if (sched->immediately)
		dma_fence_signal(&hw->base);
	else if (sched->halfway)
		set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &hw->base.flags);
	else if (job->msecs)
		mod_timer(&job->timer, jiffies + msecs_to_jiffies(job->msecs));

	return &hw->base;
}

static enum drm_gpu_sched_stat mock_timedout_job(struct drm_sched_job *sched_job)
{
	struct mock_sched *sched = to_mock_sched(sched_job->sched);

	atomic_inc(&sched->timedout);
	if (sched->on_timeout)
		return sched->on_timeout(sched, to_mock_job(sched_job));

	return DRM_GPU_SCHED_STAT_NOMINAL;
}

static void mock_job_free(struct mock_job *job)
{
	struct mock_sched *sched = job->sched;

	timer_shutdown_sync(&job->timer);
	/* Not the last one as long as the fences of the job have a parent. */
	dma_fence_put(job->own);
	drm_sched_job_cleanup(&job->base);
	dma_fence_put(job->prepare);
	kfree(job);
	/* The last use of the scheduler, for mock_sched_destroy(). */
	atomic_dec(&sched->jobs);
}

static void mock_free_job(struct drm_sched_job *sched_job)
{
	struct mock_job *job = to_mock_job(sched_job);

	if (!job->runs)
		atomic_inc(&job->sched->killed);
	mock_job_free(job);
}

static const struct drm_sched_backend_ops mock_sched_ops = {
	.prepare_job = mock_prepare_job,
	.run_job = mock_run_job,
	.timedout_job = mock_timedout_job,
	.free_job = mock_free_job,
};

static void mock_sched_destroy_action(void *data)
{
	struct mock_sched *sched = data;
	struct kunit *test = sched->test;
	unsigned long end = jiffies + 5 * HZ;

	if (sched->thread)
		kthread_stop(sched->thread);
	while (atomic_read(&sched->jobs) && time_before(jiffies, end)) {
		mock_sched_complete(sched, UINT_MAX, 0);
		schedule_timeout_uninterruptible(1);
	}
	/* Better a leak than a use after free that says nothing. */
	if (atomic_read(&sched->jobs)) {
		KUNIT_FAIL(test, "%d jobs of %s are left", atomic_read(&sched->jobs),
			   sched->name);
		return;
	}

	/* Or it would wait for a grace period that may have passed. */
	if (!sched->unknown_ends)
		KUNIT_EXPECT_EQ(test, sched->base.ended_jobs,
				atomic64_read(&sched->base.job_id_count));
	drm_sched_fini(&sched->base);
	/* Not all that watches over memory is KASAN. */
	memset(sched, POISON_FREE, sizeof(*sched));
	strscpy(sched->name, "freed-sched");
	kfree(sched);
}

/**
 * mock_sched_create - create a scheduler
 * @test: the running test
 * @credits: how many jobs there may be on the ring
 * @timeout: of jobs, in jiffies
 *
 * Return: The scheduler, which the test may mock_sched_destroy(), else its end
 * does.
 */
struct mock_sched *mock_sched_create(struct kunit *test, u32 credits, long timeout)
{
	struct drm_sched_init_args args = {
		.ops = &mock_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = credits,
		.timeout = timeout,
	};
	struct mock_sched *sched = kzalloc(sizeof(*sched), GFP_KERNEL);
	static atomic_t number;

	KUNIT_ASSERT_NOT_NULL(test, sched);
	snprintf(sched->name, sizeof(sched->name), "mock-%d",
		 atomic_inc_return(&number));
	args.name = sched->name;
	sched->test = test;
	spin_lock_init(&sched->lock);
	INIT_LIST_HEAD(&sched->ring);
	KUNIT_ASSERT_EQ(test, drm_sched_init(&sched->base, &args), 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_sched_destroy_action,
							   sched));

	return sched;
}

/**
 * mock_sched_destroy - tear down a scheduler and free it at once
 * @sched: the scheduler; its entities are gone
 *
 * Completes the jobs that are on the ring, and waits for them.
 */
void mock_sched_destroy(struct mock_sched *sched)
{
	kunit_release_action(sched->test, mock_sched_destroy_action, sched);
}

/**
 * mock_sched_complete - let the hardware complete jobs
 * @sched: the scheduler
 * @n: how many, at most, the oldest first
 * @error: the error of their hardware fences, or 0
 *
 * Return: How many there were.
 */
unsigned int mock_sched_complete(struct mock_sched *sched, unsigned int n, int error)
{
	struct dma_fence *fence;
	struct mock_job *job;
	unsigned long flags;
	unsigned int i;

	for (i = 0; i < n; i++) {
		spin_lock_irqsave(&sched->lock, flags);
		job = list_first_entry_or_null(&sched->ring, struct mock_job, link);
		fence = job ? mock_ring_take(job) : NULL;
		spin_unlock_irqrestore(&sched->lock, flags);
		if (!fence)
			break;
		mock_hw_fence_complete(fence, error);
	}

	return i;
}

/**
 * mock_sched_complete_all - complete jobs until there are none any more
 * @sched: the scheduler, of whose entities nothing is blocked by others
 *
 * Returns when all have been freed, too.
 */
void mock_sched_complete_all(struct mock_sched *sched)
{
	mock_wait_until(sched->test, (mock_sched_complete(sched, UINT_MAX, 0),
				      !atomic_read(&sched->jobs)));
}

/**
 * mock_sched_reset - reset the hardware
 * @sched: the scheduler, stopped
 *
 * What was on the ring is lost, its hardware fences will not signal. They are
 * not used any more by the scheduler, which makes them signal for form's sake.
 */
void mock_sched_reset(struct mock_sched *sched)
{
	mock_sched_complete(sched, UINT_MAX, -ECANCELED);
}

/**
 * mock_sched_signal_halfway - begin to signal the oldest job on the ring
 * @sched: the scheduler, &mock_sched.borrowed, which does not run any job
 *
 * The signaler goes no further than the flag before somebody waits.
 */
void mock_sched_signal_halfway(struct mock_sched *sched)
{
	struct mock_job *job;

	spin_lock_irq(&sched->lock);
	job = list_first_entry_or_null(&sched->ring, struct mock_job, link);
	if (job)
		set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &mock_ring_take(job)->flags);
	spin_unlock_irq(&sched->lock);
	KUNIT_EXPECT_NOT_NULL(sched->test, job);
}

/**
 * mock_sched_settle - let the workers do all that there is to be done
 * @sched: the scheduler
 *
 * For tests that expect that something does not happen, or that a job is done
 * when its hardware fence has signaled: then the scheduler has its callback on it.
 */
void mock_sched_settle(struct mock_sched *sched)
{
	int i;

	for (i = 0; i < 4; i++) {
		flush_work(&sched->base.work_run_job);
		flush_work(&sched->base.work_free_job);
		schedule_timeout_uninterruptible(1);
	}
}

static int mock_sched_thread(void *data)
{
	struct mock_sched *sched = data;

	while (!kthread_should_stop())
		if (!mock_sched_complete(sched, 1, 0))
			schedule_timeout_uninterruptible(1);

	return 0;
}

/**
 * mock_sched_start_thread - let a thread complete all jobs that are run
 * @sched: the scheduler
 */
void mock_sched_start_thread(struct mock_sched *sched)
{
	sched->thread = kthread_run(mock_sched_thread, sched, "%s", sched->name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(sched->test, sched->thread);
}

/**
 * mock_sched_stop_thread - stop that thread
 * @sched: the scheduler
 */
void mock_sched_stop_thread(struct mock_sched *sched)
{
	kthread_stop(sched->thread);
	sched->thread = NULL;
}

static void mock_entity_destroy_action(void *data)
{
	struct mock_entity *entity = data;

	/* A test that failed may have left what will not run. */
	drm_sched_entity_fini(&entity->base);
	kfree(entity);
}

static struct mock_entity *__mock_entity_create(struct kunit *test, unsigned int num,
						struct drm_gpu_scheduler **list,
						enum drm_sched_priority priority)
{
	struct mock_entity *entity = kzalloc(sizeof(*entity), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, entity);
	entity->test = test;
	memcpy(entity->list, list, num * sizeof(*list));
	KUNIT_ASSERT_EQ(test, 0, drm_sched_entity_init(&entity->base, priority, entity->list,
						       num, &entity->guilty));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mock_entity_destroy_action,
							   entity));

	return entity;
}

/**
 * mock_entity_create - create an entity of one scheduler
 * @test: the running test
 * @sched: the scheduler
 * @priority: its priority
 *
 * Return: The entity, which the test may mock_entity_destroy() or
 * mock_entity_kill(), else its end does the latter.
 */
struct mock_entity *mock_entity_create(struct kunit *test, struct mock_sched *sched,
				       enum drm_sched_priority priority)
{
	struct drm_gpu_scheduler *list[] = { &sched->base };

	return __mock_entity_create(test, 1, list, priority);
}

/**
 * mock_entity_create2 - create an entity of two schedulers
 * @test: the running test
 * @sched: a scheduler
 * @sched2: another
 *
 * Return: As mock_entity_create().
 */
struct mock_entity *mock_entity_create2(struct kunit *test, struct mock_sched *sched,
					struct mock_sched *sched2)
{
	struct drm_gpu_scheduler *list[] = { &sched->base, &sched2->base };

	return __mock_entity_create(test, 2, list, DRM_SCHED_PRIORITY_NORMAL);
}

/**
 * mock_entity_destroy - let an entity's jobs be run, and destroy it
 * @entity: the entity
 */
void mock_entity_destroy(struct mock_entity *entity)
{
	drm_sched_entity_flush(&entity->base, MAX_WAIT_SCHED_ENTITY_Q_EMPTY);
	mock_entity_kill(entity);
}

/**
 * mock_entity_kill - destroy an entity with the jobs that have not been run
 * @entity: the entity
 */
void mock_entity_kill(struct mock_entity *entity)
{
	kunit_release_action(entity->test, mock_entity_destroy_action, entity);
}

/**
 * mock_job_create - create a job
 * @entity: its entity
 * @tag: what tells it from others in &mock_sched.log
 *
 * Return: The job, for mock_job_push() or mock_job_abort().
 */
struct mock_job *mock_job_create(struct mock_entity *entity, unsigned int tag)
{
	struct kunit *test = entity->test;
	struct mock_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, job);
	KUNIT_ASSERT_EQ(test, drm_sched_job_init(&job->base, &entity->base, 1, test, 7), 0);
	job->tag = tag;
	job->sched = to_mock_sched(entity->base.rq->sched);
	INIT_LIST_HEAD(&job->link);
	timer_setup(&job->timer, mock_job_timer, 0);
	atomic_inc(&job->sched->jobs);

	return job;
}

/**
 * mock_job_push - arm a job and push it
 * @job: the job, which the scheduler may free at any time from now on, if it
 *	 can be completed without the test
 */
void mock_job_push(struct mock_job *job)
{
	if (!dma_fence_was_initialized(&job->base.s_fence->finished))
		drm_sched_job_arm(&job->base);
	if (job->sched != to_mock_sched(job->base.sched)) {
		/* The entity has chosen another one. */
		atomic_dec(&job->sched->jobs);
		job->sched = to_mock_sched(job->base.sched);
		atomic_inc(&job->sched->jobs);
	}
	drm_sched_entity_push_job(&job->base);
}

/**
 * mock_job_abort - free a job that has not been pushed
 * @job: the job, armed or not
 */
void mock_job_abort(struct mock_job *job)
{
	mock_job_free(job);
}

/**
 * mock_job_submit - create a job and push it
 * @entity: its entity
 * @tag: what tells it from others in &mock_sched.log
 *
 * Return: A reference to its finished fence.
 */
struct dma_fence *mock_job_submit(struct mock_entity *entity, unsigned int tag)
{
	struct mock_job *job = mock_job_create(entity, tag);
	struct dma_fence *finished;

	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	mock_job_push(job);

	return finished;
}

/**
 * mock_job_depend - make a job depend on a fence
 * @job: the job
 * @fence: the fence, of which it takes a reference
 */
void mock_job_depend(struct mock_job *job, struct dma_fence *fence)
{
	KUNIT_ASSERT_EQ(job->sched->test, 0,
			drm_sched_job_add_dependency(&job->base, dma_fence_get(fence)));
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("KUnit tests for the DRM scheduler");
MODULE_LICENSE("GPL");
