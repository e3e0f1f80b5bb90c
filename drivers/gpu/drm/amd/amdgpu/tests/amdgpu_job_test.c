// SPDX-License-Identifier: MIT
/*
 * Jobs and their hardware fence: by the scheduler and past it, timed out, recovered,
 * run again, and their fences held while the device goes.
 */

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/pci.h>
#include <linux/rcupdate.h>

#include <drm/drm_drv.h>

#include "amdgpu_mock.h"

/**
 * struct job_test - a device and who submits jobs to it
 * @test: the running test
 * @mock: the device
 * @entity: submits to its ring
 * @other: likewise
 * @elsewhere: submits to its other ring
 * @go: a job that is held up before it is emitted may go on
 * @removed: the device has been removed, or halted
 * @in_time: nobody had to help with that
 */
struct job_test {
	struct kunit *test;
	struct amdgpu_mock *mock;
	struct drm_sched_entity entity;
	struct drm_sched_entity other;
	struct drm_sched_entity elsewhere;
	struct completion go;
	struct completion removed;
	bool in_time;
};

static void job_test_entity_init(struct job_test *t, struct drm_sched_entity *entity,
				 struct amdgpu_ring *ring)
{
	struct drm_gpu_scheduler *sched = &ring->sched;

	KUNIT_ASSERT_EQ(t->test, 0, drm_sched_entity_init(entity, DRM_SCHED_PRIORITY_NORMAL,
							  &sched, 1, NULL));
}

/* drm_sched_fini() leaks jobs that are yet to be freed. */
static void job_test_wait_for_the_end(struct amdgpu_ring *ring)
{
	unsigned long end = jiffies + 5 * HZ;

	while (!list_empty(&ring->sched.pending_list) && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	flush_work(&ring->sched.work_free_job);
}

static void job_test_entity_destroy(void *data)
{
	struct job_test *t = data;

	/* What a test that failed has left. */
	complete_all(&t->go);
	if (!drm_dev_is_unplugged(adev_to_drm(t->mock->adev))) {
		amdgpu_mock_complete_all(t->mock->ring);
		amdgpu_mock_complete_all(t->mock->other);
	}
	drm_sched_entity_destroy(&t->entity);
	drm_sched_entity_destroy(&t->other);
	drm_sched_entity_destroy(&t->elsewhere);
	job_test_wait_for_the_end(t->mock->ring);
	job_test_wait_for_the_end(t->mock->other);
}

static int job_test_init(struct kunit *test)
{
	struct job_test *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->test = test;
	init_completion(&t->go);
	init_completion(&t->removed);
	t->mock = amdgpu_mock_create(test);
	t->mock->priv = t;
	job_test_entity_init(t, &t->entity, t->mock->ring);
	job_test_entity_init(t, &t->other, t->mock->ring);
	job_test_entity_init(t, &t->elsewhere, t->mock->other);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, job_test_entity_destroy, t));

	test->priv = t;
	return 0;
}

static void job_test_unload(struct job_test *t)
{
	kunit_release_action(t->test, job_test_entity_destroy, t);
	amdgpu_mock_unload(t->mock);
}

static struct amdgpu_job *create_job(struct job_test *t, struct drm_sched_entity *entity)
{
	struct amdgpu_job *job = NULL;

	KUNIT_ASSERT_EQ(t->test, 0,
			amdgpu_job_alloc_with_ib(t->mock->adev, entity, t, 256,
						 entity ? AMDGPU_IB_POOL_DELAYED :
							  AMDGPU_IB_POOL_DIRECT,
						 &job, 0));
	job->ibs[0].length_dw = 16;
	return job;
}

/**
 * struct job_fences - all fences of a job, with a reference each
 * @scheduled: when it has been handed to the hardware
 * @finished: when it is done
 * @hw: likewise, from the ring
 */
struct job_fences {
	struct dma_fence *scheduled;
	struct dma_fence *finished;
	struct dma_fence *hw;
};

/* Submit a job to the scheduler. The job itself may be gone by the end of this. */
static void submit_this_job(struct amdgpu_job *job, struct job_fences *f)
{
	f->hw = NULL;
	f->finished = amdgpu_job_submit(job);
	f->scheduled = dma_fence_get(&to_drm_sched_fence(f->finished)->scheduled);
}

static void submit_job_to(struct job_test *t, struct drm_sched_entity *entity,
			  struct job_fences *f)
{
	submit_this_job(create_job(t, entity), f);
}

static void submit_job(struct job_test *t, struct job_fences *f)
{
	submit_job_to(t, &t->entity, f);
}

/* Wait until it is on the ring, and get hold of its hardware fence, too. */
static void job_is_run(struct job_test *t, struct job_fences *f)
{
	struct drm_sched_fence *s_fence = to_drm_sched_fence(f->finished);

	KUNIT_ASSERT_NOT_NULL(t->test, s_fence);
	mock_wait_fence(t->test, f->scheduled);
	mock_wait_until(t->test, rcu_access_pointer(s_fence->parent));
	f->hw = drm_sched_fence_get_parent(s_fence);
}

static void run_job(struct job_test *t, struct job_fences *f)
{
	submit_job(t, f);
	job_is_run(t, f);
}

/* The hardware is done with a job, and the scheduler as well. */
static void complete_job(struct job_test *t, struct job_fences *f)
{
	amdgpu_mock_complete(t->mock->ring, f->hw->seqno);
	amdgpu_fence_process(t->mock->ring);
	mock_wait_fence(t->test, f->finished);
}

static void expect_status(struct kunit *test, struct job_fences *f, int finished, int hw)
{
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f->scheduled), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f->finished), finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f->hw), hw);
}

static void put_job_fences(struct kunit *test, struct job_fences *f)
{
	amdgpu_mock_last_put(test, f->hw);
	dma_fence_put(f->scheduled);
	dma_fence_put(f->finished);
}

/* Use all fences of a job that is done, and drop them. */
static void use_job_fences(struct kunit *test, struct job_fences *f, int finished, int hw)
{
	amdgpu_mock_use(test, f->scheduled, 1);
	amdgpu_mock_use(test, f->finished, finished);
	amdgpu_mock_use(test, f->hw, hw);
	put_job_fences(test, f);
}

static void amdgpu_job_test_submitted(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f;

	run_job(t, &f);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->ibs), 1);
	KUNIT_EXPECT_EQ(test, t->mock->seq, f.hw->seqno);
	KUNIT_EXPECT_EQ(test, t->mock->flags, AMDGPU_FENCE_FLAG_INT);
	KUNIT_EXPECT_EQ(test, f.hw->context, t->mock->adev->fence_context + t->mock->ring->idx);
	mock_expect_names(test, f.hw, "amdgpu", "sdma0");
	mock_expect_names(test, f.finished, "drm_sched", "sdma0");
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f.finished));

	complete_job(t, &f);
	expect_status(test, &f, 1, 1);
	use_job_fences(test, &f, 1, 1);
}

static void amdgpu_job_test_one_after_the_other(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f[10];

	for (int i = 0; i < ARRAY_SIZE(f); i++)
		submit_job(t, &f[i]);
	for (int i = 0; i < ARRAY_SIZE(f); i++) {
		job_is_run(t, &f[i]);
		if (i)
			KUNIT_EXPECT_TRUE(test, dma_fence_is_later(f[i].hw, f[i - 1].hw));
		complete_job(t, &f[i]);
	}
	for (int i = 0; i < ARRAY_SIZE(f); i++)
		use_job_fences(test, &f[i], 1, 1);
}

/* R10: in memory of its own, with its own lock, without a release. */
static void amdgpu_job_test_fence_stands_on_its_own(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_job *job = create_job(t, NULL);
	const struct dma_fence_ops *ops;
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit(t->mock->ring, &fence, job, 0), 0);
	ops = rcu_access_pointer(fence->ops);
	KUNIT_EXPECT_PTR_EQ(test, ops->release, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ops->wait, NULL);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_GE_MSG(test, (unsigned long)fence - (unsigned long)job, sizeof(*job),
			    "the fence is in the job");

	/* The fence does not keep the job, nor the job the fence. */
	amdgpu_job_free(job);
	rcu_barrier();
	mock_expect_names(test, fence, "amdgpu", "sdma0");
	dma_fence_enable_sw_signaling(fence);
	amdgpu_mock_complete_all(t->mock->ring);
	amdgpu_mock_use(test, fence, 1);
	/* The memory of its IB has it, too, until somebody wants that. */
	dma_fence_put(fence);
}

static void amdgpu_job_test_never_submitted(struct kunit *test)
{
	struct job_test *t = test->priv;

	amdgpu_job_free(create_job(t, NULL));
	amdgpu_job_free(create_job(t, &t->entity));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 0);
}

/* As many IBs as in an array, wherever they are. */
static void amdgpu_job_test_has_as_many_ibs_as_wanted(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_job *job = NULL;

	for (unsigned int n = 1; n <= 8; n++) {
		struct dma_fence *fence = NULL;

		KUNIT_ASSERT_EQ(test, 0,
				amdgpu_job_alloc(t->mock->adev, NULL, NULL, t, n, &job, 0));
		for (unsigned int i = 0; i < n; i++) {
			struct amdgpu_ib *ib = &job->ibs[job->num_ibs++];

			KUNIT_EXPECT_PTR_EQ(test, ib->sa_bo, NULL);
			KUNIT_ASSERT_EQ(test, 0, amdgpu_ib_get(t->mock->adev, NULL, 256,
							       AMDGPU_IB_POOL_DIRECT, ib));
			ib->length_dw = 16;
		}
		atomic_set(&t->mock->ibs, 0);
		KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(job, t->mock->ring, &fence));
		KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->ibs), n);
		amdgpu_mock_complete_all(t->mock->ring);
		KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
		dma_fence_put(fence);
	}
	KUNIT_EXPECT_EQ(test, -EINVAL, amdgpu_job_alloc(t->mock->adev, NULL, NULL, t, 0, &job, 0));
}

/* An entity without a run queue: there is no job then. */
static void amdgpu_job_test_not_initialized(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct drm_sched_entity entity = {};
	struct amdgpu_job *job = NULL;

	KUNIT_EXPECT_EQ(test, -ENOENT,
			amdgpu_job_alloc(t->mock->adev, NULL, &entity, t, 1, &job, 0));
	KUNIT_EXPECT_NULL(test, job);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			amdgpu_job_alloc_with_ib(t->mock->adev, &entity, t, 256,
						 AMDGPU_IB_POOL_DELAYED, &job, 0));
	KUNIT_EXPECT_NULL(test, job);
}

struct gang {
	struct amdgpu_job *leader;
	struct amdgpu_job *member;
	struct dma_fence *scheduled;
};

static void create_gang(struct job_test *t, struct gang *gang)
{
	gang->leader = create_job(t, &t->entity);
	gang->member = create_job(t, &t->other);
	drm_sched_job_arm(&gang->leader->base);
	drm_sched_job_arm(&gang->member->base);
	gang->scheduled = dma_fence_get(&gang->leader->base.s_fence->scheduled);
	amdgpu_job_set_gang_leader(gang->leader, gang->leader);
	amdgpu_job_set_gang_leader(gang->member, gang->leader);
}

/* The scheduler has never heard of them. */
static void free_job_of_gang(struct job_test *t, struct amdgpu_job *job)
{
	dma_fence_signal(&job->base.s_fence->scheduled);
	dma_fence_signal(&job->base.s_fence->finished);
	t->mock->ring->sched.ops->free_job(&job->base);
}

/* Its members, and only those, hold the fence of the leader, until they are freed. */
static void amdgpu_job_test_freed_with_its_gang(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct gang gang;

	create_gang(t, &gang);
	amdgpu_job_free(gang.leader);
	mock_expect_refs(test, gang.scheduled, 2);
	amdgpu_job_free(gang.member);
	amdgpu_mock_last_put(test, gang.scheduled);

	create_gang(t, &gang);
	amdgpu_job_free(gang.member);
	mock_expect_refs(test, gang.scheduled, 2);
	amdgpu_job_free(gang.leader);
	amdgpu_mock_last_put(test, gang.scheduled);

	create_gang(t, &gang);
	free_job_of_gang(t, gang.leader);
	mock_expect_refs(test, gang.scheduled, 2);
	free_job_of_gang(t, gang.member);
	amdgpu_mock_last_put(test, gang.scheduled);
}

static void amdgpu_job_test_submitted_directly(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_job *job = create_job(t, NULL);
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_job_submit_direct(job, t->mock->ring, &fence), 0);
	/* The job is gone. */
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->ibs), 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	mock_expect_names(test, fence, "amdgpu", "sdma0");

	amdgpu_mock_complete(t->mock->ring, fence->seqno);
	/* from the fallback timer, as nobody raises an interrupt */
	mock_wait_fence(test, fence);
	amdgpu_mock_use(test, fence, 1);
	dma_fence_put(fence);
}

/* The job has the scheduler of the first ring wherever it goes, its fence has not. */
static void amdgpu_job_test_submitted_directly_to_another_ring(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *kiq = t->mock->kiq;
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_job_submit_direct(create_job(t, NULL), kiq, &fence), 0);
	KUNIT_EXPECT_EQ(test, fence->context, t->mock->adev->fence_context + kiq->idx);
	mock_expect_names(test, fence, "amdgpu", "kiq0");
	amdgpu_mock_complete(kiq, fence->seqno);
	/* from the fallback timer of that ring */
	mock_wait_fence(test, fence);
	amdgpu_mock_use(test, fence, 1);
	dma_fence_put(fence);
}

/* The last reference is the ring's, or that of the IB's memory. */
static void amdgpu_job_test_submitted_directly_and_forgotten(struct kunit *test)
{
	struct job_test *t = test->priv;

	for (int i = 0; i < 40; i++) {
		struct amdgpu_job *job = create_job(t, NULL);
		struct dma_fence *fence = NULL;

		/* More IBs than there is memory for: the oldest are waited for. */
		KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(job, t->mock->ring, &fence));
		amdgpu_mock_complete(t->mock->ring, fence->seqno);
		if (i % 4 == 3)
			amdgpu_fence_process(t->mock->ring);
		dma_fence_put(fence);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->ibs), 40);
}

static void amdgpu_job_test_direct_submission_fails(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_job *job = create_job(t, NULL);
	struct dma_fence *fence = NULL;

	t->mock->ring->sched.ready = false;
	KUNIT_EXPECT_EQ(test, amdgpu_job_submit_direct(job, t->mock->ring, &fence), -EINVAL);
	KUNIT_EXPECT_NULL(test, fence);
	amdgpu_job_free(job);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 0);
	t->mock->ring->sched.ready = true;
}

static void amdgpu_job_test_error_set(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f;

	run_job(t, &f);
	amdgpu_fence_driver_set_error(t->mock->ring, -EIO);
	complete_job(t, &f);
	use_job_fences(test, &f, -EIO, -EIO);
}

/* R7: that somebody else signals the fence of a job is the end of the job. */
static void amdgpu_job_test_signaled_by_somebody_else(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f;

	run_job(t, &f);
	dma_fence_signal(f.hw);
	mock_wait_fence(test, f.finished);
	synchronize_rcu();
	amdgpu_fence_driver_set_error(t->mock->ring, -EIO);
	amdgpu_fence_driver_clear_job_fences(t->mock->ring, f.hw);
	amdgpu_mock_complete_all(t->mock->ring);
	use_job_fences(test, &f, 1, 1);
}

static void amdgpu_job_test_recovered_softly(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *ring = t->mock->ring;
	struct job_fences f;

	run_job(t, &f);
	KUNIT_EXPECT_FALSE(test, amdgpu_ring_soft_recovery(ring, 0, NULL));
	KUNIT_EXPECT_FALSE(test, amdgpu_ring_soft_recovery(ring, 0, f.hw));
	t->mock->on_soft_recovery = amdgpu_mock_complete_all;
	KUNIT_EXPECT_TRUE(test, amdgpu_ring_soft_recovery(ring, 0, f.hw));
	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->adev->gpu_reset_counter), 1);
	/* It is good for one that has signaled, too, which stays as it is. */
	synchronize_rcu();
	KUNIT_EXPECT_TRUE(test, amdgpu_ring_soft_recovery(ring, 0, f.hw));
	use_job_fences(test, &f, -ENODATA, -ENODATA);
}

static void amdgpu_job_test_timed_out_and_recovered_softly(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f;

	t->mock->ring->sched.timeout = HZ / 5;
	t->mock->on_soft_recovery = amdgpu_mock_complete_all;
	run_job(t, &f);
	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->resets), 0);
	amdgpu_mock_use(test, f.finished, -ENODATA);
	amdgpu_mock_use(test, f.hw, -ENODATA);
	/* The scheduler of 6.12 forgets such a job, with what it holds. */
	dma_fence_put(f.hw);
	dma_fence_put(f.scheduled);
	dma_fence_put(f.finished);
}

/* The ring is reset: what hung gets -ETIME, the others are cancelled. */
static void amdgpu_job_test_timed_out_and_reset(struct kunit *test)
{
	struct job_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *direct = NULL;
	struct job_fences f[2];

	t->mock->ring->sched.timeout = HZ / 5;
	run_job(t, &f[0]);
	run_job(t, &f[1]);
	mock_wait_fence(test, f[0].finished);
	mock_wait_fence(test, f[1].finished);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->resets), 1);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->ring), 0);
	expect_status(test, &f[0], -ECANCELED, -ETIME);
	expect_status(test, &f[1], -ECANCELED, -ECANCELED);

	/* The ring goes on. */
	KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(create_job(t, NULL), t->mock->ring,
							  &direct));
	amdgpu_mock_complete_all(t->mock->ring);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(direct), 1);
	job_test_unload(t);
	use_job_fences(test, &f[0], -ECANCELED, -ETIME);
	use_job_fences(test, &f[1], -ECANCELED, -ECANCELED);
	amdgpu_mock_use(test, direct, 1);
	amdgpu_mock_last_put(test, direct);
	rcu_barrier();
}

/*
 * As amdgpu_device_pre_asic_reset() does it for a job that hung. R11: nobody waits
 * for ever for what has been on the ring.
 */
static void amdgpu_job_test_cleared_by_a_reset(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *ring = t->mock->ring;
	struct dma_fence *direct = NULL, *other;
	int before = amdgpu_mock_awake(t->mock);
	struct job_fences f;
	struct amdgpu_job *job;

	run_job(t, &f);
	job = create_job(t, NULL);
	KUNIT_ASSERT_EQ(test, amdgpu_job_submit_direct(job, ring, &direct), 0);
	other = amdgpu_mock_emit(t->mock);

	drm_sched_stop(&ring->sched, NULL);
	amdgpu_fence_driver_clear_job_fences(ring, f.hw);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(f.hw));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(direct));
	KUNIT_EXPECT_FALSE_MSG(test, dma_fence_test_signaled_flag(other),
			       "it is not of a job, and somebody may have to be told later");
	amdgpu_fence_driver_force_completion(ring, f.hw);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(other), -ECANCELED);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	drm_sched_start(&ring->sched);

	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f.finished), -ECANCELED);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(ring), 0);
	job_test_unload(t);
	amdgpu_mock_use(test, direct, -ECANCELED);
	amdgpu_mock_use(test, other, -ECANCELED);
	amdgpu_mock_last_put(test, direct);
	amdgpu_mock_last_put(test, other);
	use_job_fences(test, &f, -ECANCELED, -ETIME);
	rcu_barrier();
}

static int process_until_stopped(void *ring)
{
	while (!kthread_should_stop()) {
		amdgpu_fence_process(ring);
		cond_resched();
	}
	return 0;
}

static void stop_processing(void *thread)
{
	kthread_stop(thread);
}

/* By two: the other one is what the interrupt or the fallback timer does. */
static void amdgpu_job_test_cleared_while_processed(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *ring = t->mock->ring;
	int before = amdgpu_mock_awake(t->mock);
	struct task_struct *thread;

	thread = kthread_run(process_until_stopped, ring, "amdgpu-process");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, stop_processing, thread), 0);
	for (int i = 0; i < 2000; i++) {
		struct amdgpu_job *job = create_job(t, NULL);
		struct dma_fence *fence = NULL;

		KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(job, ring, &fence));
		amdgpu_mock_complete(ring, fence->seqno);
		amdgpu_fence_driver_clear_job_fences(ring, NULL);
		/* The other one may have taken it, and be about to signal it. */
		while (!dma_fence_test_signaled_flag(fence))
			cond_resched();
		dma_fence_put(fence);
	}
	kunit_release_action(test, stop_processing, thread);
	timer_delete_sync(&ring->fence_drv.fallback_timer);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
}

/*
 * A job that was preempted is run a second time, as amdgpu_ib_preempt_job_recovery()
 * does it. It keeps its fence, which has not signaled, but for the seqno.
 */
static void amdgpu_job_test_run_again(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *ring = t->mock->ring;
	struct amdgpu_job *job = create_job(t, &t->entity);
	struct dma_fence *fence, *again;
	struct mock_cb cb = {};

	drm_sched_job_arm(&job->base);
	fence = ring->sched.ops->run_job(&job->base);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fence);
	KUNIT_EXPECT_EQ(test, fence->seqno, 1);
	KUNIT_EXPECT_EQ(test, job->job_run_counter, 1);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);

	KUNIT_EXPECT_PTR_EQ(test, amdgpu_fence_remove_from_ring(ring, 1), fence);
	dma_fence_put(fence);
	amdgpu_fence_driver_force_completion(ring, NULL);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	again = ring->sched.ops->run_job(&job->base);
	KUNIT_ASSERT_PTR_EQ(test, fence, again);
	dma_fence_put(again);
	KUNIT_EXPECT_EQ(test, fence->seqno, 2);
	KUNIT_EXPECT_EQ(test, t->mock->seq, 2);
	KUNIT_EXPECT_EQ(test, job->job_run_counter, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->ibs), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	amdgpu_mock_complete_all(ring);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);

	/* The scheduler has never heard of it. */
	dma_fence_signal(&job->base.s_fence->scheduled);
	dma_fence_signal(&job->base.s_fence->finished);
	ring->sched.ops->free_job(&job->base);
	job_test_unload(t);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

/* A job is cancelled before it is run: there is no hardware fence, and it is freed. */
static void amdgpu_job_test_skipped_as_the_vram_is_lost(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_job *job = create_job(t, &t->entity);
	struct dma_fence *finished;

	atomic_inc(&t->mock->adev->vram_lost_counter);
	finished = amdgpu_job_submit(job);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 0);
	dma_fence_put(finished);
}

static void amdgpu_job_test_held_while_the_device_goes(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct dma_fence *direct = NULL;
	struct job_fences f[3];

	for (int i = 0; i < ARRAY_SIZE(f); i++) {
		run_job(t, &f[i]);
		complete_job(t, &f[i]);
	}
	KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(create_job(t, NULL), t->mock->ring,
							  &direct));
	dma_fence_enable_sw_signaling(direct);
	job_test_unload(t);

	for (int i = 0; i < ARRAY_SIZE(f); i++)
		use_job_fences(test, &f[i], 1, 1);
	amdgpu_mock_use(test, direct, 1);
	amdgpu_mock_last_put(test, direct);
	rcu_barrier();
}

/* Who removes the device, in a thread of its own. */
static int remove_device(void *data)
{
	struct job_test *t = data;

	amdgpu_fence_driver_hw_fini(t->mock->adev);
	complete_all(&t->removed);
	return 0;
}

static int halt_device(void *data)
{
	struct job_test *t = data;

	amdgpu_device_halt(t->mock->adev);
	complete_all(&t->removed);
	return 0;
}

/* Do that, and see whether it ends. */
static void wait_for_removal(struct job_test *t, int (*remove)(void *))
{
	struct task_struct *thread = kthread_run(remove, t, "amdgpu-remove");

	t->in_time = !IS_ERR(thread) && wait_for_completion_timeout(&t->removed, MOCK_SOON);
}

static void pull_out(struct job_test *t)
{
	amdgpu_mock_unplug(t->mock);
	wait_for_removal(t, remove_device);
	KUNIT_EXPECT_TRUE_MSG(t->test, t->in_time, "the removal of the device hangs");
	if (!t->in_time) {
		/* Let the other cases have their turn. */
		complete_all(&t->go);
		do {
			amdgpu_fence_driver_fini_ring(t->mock->ring);
			amdgpu_fence_driver_fini_ring(t->mock->other);
		} while (!wait_for_completion_timeout(&t->removed, HZ / 10));
	}
}

/* With a job on the ring that nobody completes. */
static void amdgpu_job_test_held_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *direct = NULL;
	struct job_fences f;

	run_job(t, &f);
	KUNIT_ASSERT_EQ(test, 0, amdgpu_job_submit_direct(create_job(t, NULL), t->mock->ring,
							  &direct));
	pull_out(t);
	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	job_test_unload(t);

	use_job_fences(test, &f, -ECANCELED, -ECANCELED);
	amdgpu_mock_use(test, direct, -ECANCELED);
	amdgpu_mock_last_put(test, direct);
	rcu_barrier();
}

/*
 * R11: with more in the queues than there is room for on the ring. What is
 * completed makes room, but nobody would complete what is run next.
 */
static void amdgpu_job_test_queued_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct job_fences f[4];

	run_job(t, &f[0]);
	run_job(t, &f[1]);
	KUNIT_ASSERT_EQ(test, t->mock->ring->sched.credit_limit, 2);
	submit_job_to(t, &t->other, &f[2]);
	submit_job_to(t, &t->other, &f[3]);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f[2].scheduled));

	pull_out(t);
	for (int i = 0; i < ARRAY_SIZE(f); i++)
		mock_wait_fence(test, f[i].finished);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 2);
	job_test_unload(t);

	/* These two have been on the ring, the others have not. */
	use_job_fences(test, &f[0], -ECANCELED, -ECANCELED);
	use_job_fences(test, &f[1], -ECANCELED, -ECANCELED);
	for (int i = 2; i < ARRAY_SIZE(f); i++) {
		amdgpu_mock_use(test, f[i].scheduled, 1);
		amdgpu_mock_use(test, f[i].finished, -ENODEV);
		dma_fence_put(f[i].scheduled);
		dma_fence_put(f[i].finished);
	}
	rcu_barrier();
}

/* R11: it waits for room on the ring, and so for the completion of the others. */
static void amdgpu_job_test_run_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *fences[4];
	struct job_fences f;

	KUNIT_ASSERT_EQ(test, t->mock->ring->fence_drv.num_fences_mask + 1, ARRAY_SIZE(fences));
	for (int i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = amdgpu_mock_emit(t->mock);
	submit_job(t, &f);
	mock_wait_until(test, atomic_read(&t->mock->emitted) == ARRAY_SIZE(fences) + 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f.scheduled));

	pull_out(t);
	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	job_test_unload(t);

	for (int i = 0; i < ARRAY_SIZE(fences); i++) {
		amdgpu_mock_use(test, fences[i], -ECANCELED);
		amdgpu_mock_last_put(test, fences[i]);
	}
	amdgpu_mock_use(test, f.scheduled, 1);
	amdgpu_mock_use(test, f.finished, -ECANCELED);
	dma_fence_put(f.scheduled);
	dma_fence_put(f.finished);
	rcu_barrier();
}

/*
 * R11: the same, with a fence of a VM flush in front of the job's, which is what
 * waits for room.
 */
static void amdgpu_job_test_flushes_its_vm_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_vmid *id = &t->mock->adev->vm_manager.id_mgr[0].ids[0];
	struct amdgpu_job *job = create_job(t, &t->entity);
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *fences[4], *flush;
	struct job_fences f;

	for (int i = 0; i < ARRAY_SIZE(fences); i++)
		fences[i] = amdgpu_mock_emit(t->mock);
	job->vm_needs_flush = true;
	job->vm_pd_addr = 0;
	submit_this_job(job, &f);
	mock_wait_until(test, atomic_read(&t->mock->emitted) == ARRAY_SIZE(fences) + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->vm_flushes), 1);

	pull_out(t);
	mock_wait_fence(test, f.finished);
	flush = dma_fence_get(id->last_flush);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(flush), -ECANCELED);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->ring), 0);
	job_test_unload(t);

	for (int i = 0; i < ARRAY_SIZE(fences); i++) {
		amdgpu_mock_use(test, fences[i], -ECANCELED);
		amdgpu_mock_last_put(test, fences[i]);
	}
	amdgpu_mock_use(test, flush, -ECANCELED);
	amdgpu_mock_last_put(test, flush);
	amdgpu_mock_use(test, f.finished, -ECANCELED);
	dma_fence_put(f.scheduled);
	dma_fence_put(f.finished);
	rcu_barrier();
}

/* As on VCN 1: JPEG's ring has to be empty before anything is written to another. */
static void wait_for_the_other_ring(struct amdgpu_mock *mock, struct amdgpu_ring *ring)
{
	if (ring == mock->ring)
		amdgpu_fence_wait_empty(mock->other);
}

/* R11: what is torn down first is being waited for by what is torn down next. */
static void
amdgpu_job_test_waits_for_another_ring_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *other = NULL;
	struct job_fences f;

	KUNIT_ASSERT_LT(test, t->mock->ring->idx, t->mock->other->idx);
	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit(t->mock->other, &other, NULL, 0), 0);
	t->mock->on_begin_use = wait_for_the_other_ring;
	submit_job(t, &f);
	mock_wait_until(test, atomic_read(&t->mock->used) == 1);

	pull_out(t);
	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(other), -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f.finished), -ECANCELED);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	job_test_unload(t);

	amdgpu_mock_use(test, other, -ECANCELED);
	amdgpu_mock_last_put(test, other);
	amdgpu_mock_use(test, f.finished, -ECANCELED);
	dma_fence_put(f.scheduled);
	dma_fence_put(f.finished);
	rcu_barrier();
}

/*
 * The other ring's job takes its time, and the one that waits for that ring finds
 * its fence there.
 */
static void be_late_or_wait_for_it(struct amdgpu_mock *mock, struct amdgpu_ring *ring)
{
	struct job_test *t = mock->priv;

	if (ring == mock->other) {
		wait_for_completion(&t->go);
		return;
	}
	while (!READ_ONCE(mock->other->fence_drv.sync_seq))
		schedule_timeout_uninterruptible(1);
	amdgpu_fence_wait_empty(mock->other);
}

/* R11: nobody looks at the rings any more when these are emitted. */
static void amdgpu_job_test_emitted_after_the_device_was_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct job_fences f[2];

	t->mock->on_begin_use = be_late_or_wait_for_it;
	submit_job_to(t, &t->elsewhere, &f[0]);
	submit_job(t, &f[1]);
	mock_wait_until(test, atomic_read(&t->mock->used) == 2);
	pull_out(t);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 0);
	complete_all(&t->go);

	for (int i = 0; i < ARRAY_SIZE(f); i++)
		mock_wait_fence(test, f[i].finished);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mock->emitted), 2);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->ring), 0);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(t->mock->other), 0);
	job_test_unload(t);

	for (int i = 0; i < ARRAY_SIZE(f); i++) {
		amdgpu_mock_use(test, f[i].finished, -ECANCELED);
		dma_fence_put(f[i].scheduled);
		dma_fence_put(f[i].finished);
	}
	rcu_barrier();
}

/*
 * The SMU does not answer to what is sent to it before a job can be written. It is
 * another thread that halts the device, but the job does not go on without it.
 */
static void halt_before_it_is_emitted(struct amdgpu_mock *mock, struct amdgpu_ring *ring)
{
	struct job_test *t = mock->priv;

	if (ring == mock->ring)
		wait_for_removal(t, halt_device);
}

/* R11, R12: who halts the device can't wait for the scheduler whose job it is running. */
static void amdgpu_job_test_halts_the_device(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_device *adev = t->mock->adev;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *other = NULL;
	struct job_fences f[3];
	struct pci_dev *pdev;

	/* A PCI device that somebody else has enabled as well, without a BAR to unmap. */
	pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	atomic_set(&pdev->enable_cnt, 2);
	adev->pdev = pdev;
	adev->gmc.is_app_apu = true;

	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit(t->mock->other, &other, NULL, 0), 0);
	t->mock->on_begin_use = halt_before_it_is_emitted;
	/* There are no registers that it could unmap. */
	mock_warn_begin(test, "iounmap()");
	submit_job(t, &f[0]);
	submit_job(t, &f[1]);
	for (int i = 0; i < 2; i++)
		mock_wait_fence(test, f[i].finished);
	KUNIT_EXPECT_TRUE_MSG(test, t->in_time, "it waits for the job that it is called by");
	wait_for_completion(&t->removed);
	mock_warn_end(test);
	adev->pdev = NULL;
	KUNIT_EXPECT_TRUE(test, adev->no_hw_access);
	KUNIT_EXPECT_EQ(test, atomic_read(&pdev->enable_cnt), 1);
	/* That one only was on its way by then. */
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f[0].finished), -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f[1].finished), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(other), -ECANCELED);
	submit_job_to(t, &t->elsewhere, &f[2]);
	mock_wait_fence(test, f[2].finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f[2].finished), -ENODEV);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	job_test_unload(t);

	amdgpu_mock_use(test, other, -ECANCELED);
	amdgpu_mock_last_put(test, other);
	for (int i = 0; i < ARRAY_SIZE(f); i++) {
		amdgpu_mock_use(test, f[i].finished, i ? -ENODEV : -ECANCELED);
		dma_fence_put(f[i].scheduled);
		dma_fence_put(f[i].finished);
	}
	rcu_barrier();
}

/* A reset has stopped the scheduler, and looks at its jobs: they are to stay. */
static void amdgpu_job_test_reset_while_the_device_is_pulled_out(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct amdgpu_ring *ring = t->mock->ring;
	int before = amdgpu_mock_awake(t->mock);
	struct job_fences f[3];

	run_job(t, &f[0]);
	run_job(t, &f[1]);
	submit_job_to(t, &t->other, &f[2]);
	drm_sched_stop(&ring->sched, NULL);

	pull_out(t);
	KUNIT_EXPECT_TRUE_MSG(test, READ_ONCE(ring->sched.pause_submit),
			      "somebody else has started the scheduler");
	flush_workqueue(ring->sched.submit_wq);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(f[2].scheduled));
	KUNIT_EXPECT_EQ(test, list_count_nodes(&ring->sched.pending_list), 2);
	amdgpu_fence_driver_clear_job_fences(ring, NULL);
	amdgpu_fence_driver_force_completion(ring, NULL);
	drm_sched_start(&ring->sched);

	for (int i = 0; i < ARRAY_SIZE(f); i++)
		mock_wait_fence(test, f[i].finished);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	job_test_unload(t);
	use_job_fences(test, &f[0], -ECANCELED, -ECANCELED);
	use_job_fences(test, &f[1], -ECANCELED, -ECANCELED);
	amdgpu_mock_use(test, f[2].finished, -ENODEV);
	dma_fence_put(f[2].scheduled);
	dma_fence_put(f[2].finished);
	rcu_barrier();
}

/* It waits to be let go on. */
static void wait_to_go_on(struct amdgpu_mock *mock, struct amdgpu_ring *ring)
{
	struct job_test *t = mock->priv;

	wait_for_completion(&t->go);
}

static int wait_for_running_jobs(void *data)
{
	struct job_test *t = data;

	amdgpu_job_wait_for_running(t->mock->adev);
	complete_all(&t->removed);
	return 0;
}

/* R11: what it writes to is unmapped next. */
static void amdgpu_job_test_removal_waits_for_a_job_that_is_run(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct task_struct *thread;
	struct job_fences f;

	t->mock->on_begin_use = wait_to_go_on;
	submit_job_to(t, &t->elsewhere, &f);
	mock_wait_until(test, atomic_read(&t->mock->used) == 1);
	pull_out(t);

	reinit_completion(&t->removed);
	thread = kthread_run(wait_for_running_jobs, t, "amdgpu-remove");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	KUNIT_EXPECT_EQ(test, wait_for_completion_timeout(&t->removed, HZ / 5), 0);
	complete_all(&t->go);
	KUNIT_EXPECT_GT(test, wait_for_completion_timeout(&t->removed, MOCK_SOON), 0);

	mock_wait_fence(test, f.finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(f.finished), -ECANCELED);
	dma_fence_put(f.scheduled);
	dma_fence_put(f.finished);
}

static struct kunit_case job_test_cases[] = {
	KUNIT_CASE(amdgpu_job_test_submitted),
	KUNIT_CASE(amdgpu_job_test_one_after_the_other),
	KUNIT_CASE(amdgpu_job_test_fence_stands_on_its_own),
	KUNIT_CASE(amdgpu_job_test_never_submitted),
	KUNIT_CASE(amdgpu_job_test_has_as_many_ibs_as_wanted),
	KUNIT_CASE(amdgpu_job_test_not_initialized),
	KUNIT_CASE(amdgpu_job_test_freed_with_its_gang),
	KUNIT_CASE(amdgpu_job_test_submitted_directly),
	KUNIT_CASE(amdgpu_job_test_submitted_directly_to_another_ring),
	KUNIT_CASE(amdgpu_job_test_submitted_directly_and_forgotten),
	KUNIT_CASE(amdgpu_job_test_direct_submission_fails),
	KUNIT_CASE(amdgpu_job_test_error_set),
	KUNIT_CASE(amdgpu_job_test_signaled_by_somebody_else),
	KUNIT_CASE(amdgpu_job_test_recovered_softly),
	KUNIT_CASE(amdgpu_job_test_timed_out_and_recovered_softly),
	KUNIT_CASE(amdgpu_job_test_timed_out_and_reset),
	KUNIT_CASE(amdgpu_job_test_cleared_by_a_reset),
	KUNIT_CASE(amdgpu_job_test_cleared_while_processed),
	KUNIT_CASE(amdgpu_job_test_run_again),
	KUNIT_CASE(amdgpu_job_test_skipped_as_the_vram_is_lost),
	KUNIT_CASE(amdgpu_job_test_held_while_the_device_goes),
	KUNIT_CASE(amdgpu_job_test_held_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_queued_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_run_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_flushes_its_vm_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_waits_for_another_ring_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_emitted_after_the_device_was_pulled_out),
	KUNIT_CASE(amdgpu_job_test_halts_the_device),
	KUNIT_CASE(amdgpu_job_test_reset_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_job_test_removal_waits_for_a_job_that_is_run),
	{}
};

static struct kunit_suite job_test_suite = {
	.name = "amdgpu_job",
	.test_cases = job_test_cases,
	.init = job_test_init,
};

kunit_test_suite(job_test_suite);
