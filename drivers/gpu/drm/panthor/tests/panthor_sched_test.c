// SPDX-License-Identifier: GPL-2.0 or MIT
/*
 * KUnit tests for the jobs of panthor and their fences.
 *
 * The driver's own code runs on a group that is in no slot of the firmware: its
 * queues have their ring, its interface and the sequence numbers in plain memory,
 * where the test does what the firmware does. There are no registers, so nothing
 * may put a group in a slot: a reset that is always pending keeps the tick away.
 */

#include <kunit/resource.h>
#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/pm_runtime.h>
#include <linux/sizes.h>

#include <drm/drm_kunit_helpers.h>

#include "mock-issuer.h"

#define PANTHOR_TEST_QUEUES	2
#define PANTHOR_TEST_RING	SZ_4K

/**
 * struct panthor_test_bo - a kernel BO that is mapped by the CPU only
 *
 * @base: what the driver sees
 * @obj: has the size
 */
struct panthor_test_bo {
	struct panthor_kernel_bo base;
	struct drm_gem_object obj;
};

/**
 * struct panthor_test_queue - what a queue shares with the firmware
 *
 * @ring: its ring
 * @slots: where jobs would leave how long they took
 * @input: written by the driver
 * @output: written by the firmware
 */
struct panthor_test_queue {
	struct panthor_test_bo ring;
	struct panthor_test_bo slots;
	struct panthor_fw_ringbuf_input_iface input;
	struct panthor_fw_ringbuf_output_iface output;
};

/**
 * struct panthor_test - a device with one group
 *
 * @ptdev: the device
 * @pfile: an open file
 * @group: its only group, with a reference
 * @handle: of the group
 * @queues: what its queues share with the firmware
 * @syncobjs: the sequence numbers
 */
struct panthor_test {
	struct panthor_device *ptdev;
	struct panthor_file pfile;
	struct panthor_group *group;
	u32 handle;
	struct panthor_test_queue queues[PANTHOR_TEST_QUEUES];
	struct panthor_test_bo syncobjs;
};

static struct panthor_kernel_bo *
panthor_test_bo_init(struct kunit *test, struct panthor_test_bo *bo, size_t size)
{
	bo->obj.size = size;
	bo->base.obj = &bo->obj;
	bo->base.kmap = kunit_kzalloc(test, size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bo->base.kmap);
	return &bo->base;
}

/* What group_create_queue() does, without a VM to put the BOs into. */
static void panthor_test_create_queue(struct kunit *test, u32 idx)
{
	struct panthor_test *t = test->priv;
	struct panthor_test_queue *mem = &t->queues[idx];
	const struct drm_sched_init_args sched_args = {
		.ops = &panthor_queue_sched_ops,
		.submit_wq = t->ptdev->scheduler->wq,
		.num_rqs = 1,
		.credit_limit = PANTHOR_TEST_RING / sizeof(u64),
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.timeout_wq = t->ptdev->reset.wq,
		.name = "panthor-queue",
		.dev = t->ptdev->base.dev,
	};
	struct drm_gpu_scheduler *sched;
	struct panthor_queue *queue;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, queue);
	t->group->queues[idx] = queue;
	t->group->queue_count++;

	queue->fence_ctx.id = dma_fence_context_alloc(1);
	spin_lock_init(&queue->fence_ctx.lock);
	INIT_LIST_HEAD(&queue->fence_ctx.in_flight_jobs);
	queue->iface.input = &mem->input;
	queue->iface.output = &mem->output;
	queue->profiling.slot_count = 1;
	queue->ringbuf = panthor_test_bo_init(test, &mem->ring, PANTHOR_TEST_RING);
	queue->profiling.slots = panthor_test_bo_init(test, &mem->slots, SZ_64);

	sched = &queue->scheduler;
	KUNIT_ASSERT_EQ(test, drm_sched_init(sched, &sched_args), 0);
	KUNIT_ASSERT_EQ(test, drm_sched_entity_init(&queue->entity, 0, &sched, 1, NULL), 0);
}

static void panthor_test_pm_disable(void *dev)
{
	pm_runtime_disable(dev);
}

static int panthor_test_init(struct kunit *test)
{
	struct panthor_scheduler *sched;
	struct panthor_group *group;
	struct panthor_test *t;
	struct device *dev;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	pm_runtime_enable(dev);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, panthor_test_pm_disable, dev), 0);

	t->ptdev = drm_kunit_helper_alloc_drm_device(test, dev, struct panthor_device, base,
						     DRIVER_GEM);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->ptdev);
	t->pfile.ptdev = t->ptdev;
	t->ptdev->csif_info.cs_reg_count = 96;
	t->ptdev->csif_info.unpreserved_cs_reg_count = 4;
	atomic_set(&t->ptdev->reset.pending, 1);
	t->ptdev->reset.wq = alloc_ordered_workqueue("panthor-reset-wq", 0);
	KUNIT_ASSERT_NOT_NULL(test, t->ptdev->reset.wq);

	sched = kunit_kzalloc(test, sizeof(*sched), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, sched);
	sched->ptdev = t->ptdev;
	sched->sb_slot_count = 8;
	sched->csg_slot_count = 1;
	sched->cs_slot_count = PANTHOR_TEST_QUEUES;
	sched->resched_target = U64_MAX;
	INIT_DELAYED_WORK(&sched->tick_work, tick_work);
	INIT_WORK(&sched->sync_upd_work, sync_upd_work);
	INIT_WORK(&sched->fw_events_work, process_fw_events_work);
	mutex_init(&sched->lock);
	mutex_init(&sched->reset.lock);
	for (int prio = 0; prio < PANTHOR_CSG_PRIORITY_COUNT; prio++) {
		INIT_LIST_HEAD(&sched->groups.runnable[prio]);
		INIT_LIST_HEAD(&sched->groups.idle[prio]);
	}
	INIT_LIST_HEAD(&sched->groups.waiting);
	INIT_LIST_HEAD(&sched->reset.stopped_groups);
	sched->wq = alloc_workqueue("panthor-csf-sched", WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	KUNIT_ASSERT_NOT_NULL(test, sched->wq);
	t->ptdev->scheduler = sched;

	KUNIT_ASSERT_EQ(test, panthor_group_pool_create(&t->pfile), 0);

	/* What panthor_group_create() does, with what the firmware shares in our hands. */
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, group);
	t->group = group;
	spin_lock_init(&group->fatal_lock);
	kref_init(&group->refcount);
	group->state = PANTHOR_CS_GROUP_CREATED;
	group->csg_id = -1;
	group->ptdev = t->ptdev;
	group->priority = PANTHOR_CSG_PRIORITY_MEDIUM;
	INIT_LIST_HEAD(&group->wait_node);
	INIT_LIST_HEAD(&group->run_node);
	INIT_WORK(&group->term_work, group_term_work);
	INIT_WORK(&group->sync_upd_work, group_sync_upd_work);
	INIT_WORK(&group->tiler_oom_work, group_tiler_oom_work);
	INIT_WORK(&group->release_work, group_release_work);
	group->syncobjs = panthor_test_bo_init(test, &t->syncobjs, PANTHOR_TEST_QUEUES *
					       sizeof(struct panthor_syncobj_64b));
	for (u32 i = 0; i < PANTHOR_TEST_QUEUES; i++)
		panthor_test_create_queue(test, i);
	group->idle_queues = GENMASK(PANTHOR_TEST_QUEUES - 1, 0);

	KUNIT_ASSERT_EQ(test, xa_alloc(&t->pfile.groups->xa, &t->handle, group,
				       XA_LIMIT(1, MAX_GROUPS_PER_POOL), GFP_KERNEL), 0);
	list_add_tail(&group->run_node, &sched->groups.idle[group->priority]);
	xa_set_mark(&t->pfile.groups->xa, t->handle, GROUP_REGISTERED);
	group_get(group);
	return 0;
}

/* Userspace destroys the group, and all that follows has been done. */
static void panthor_test_destroy_group(struct kunit *test)
{
	struct panthor_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, panthor_group_destroy(&t->pfile, t->handle), 0);
	flush_workqueue(t->ptdev->scheduler->wq);
}

/* Drop the test's reference to the group, which has been destroyed. */
static void panthor_test_put_group(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_group *group = t->group;

	/* No job runs any more. These are the test's. */
	for (u32 i = 0; i < group->queue_count; i++) {
		group->queues[i]->ringbuf = NULL;
		group->queues[i]->profiling.slots = NULL;
	}
	group->syncobjs = NULL;
	t->group = NULL;
	group_put(group);
}

static void panthor_test_exit(struct kunit *test)
{
	struct panthor_test *t = test->priv;

	if (!t || !t->ptdev || !t->ptdev->scheduler)
		return;

	if (t->group) {
		struct panthor_group *group = t->group;

		panthor_group_destroy(&t->pfile, t->handle);
		flush_workqueue(t->ptdev->scheduler->wq);
		/* The jobs are done, and hold it no more. */
		mock_wait_until(test, kref_read(&group->refcount) == 1);
		panthor_test_put_group(test);
	}
	flush_workqueue(t->ptdev->scheduler->wq);
	flush_workqueue(panthor_cleanup_wq);
	panthor_group_pool_destroy(&t->pfile);
	destroy_workqueue(t->ptdev->scheduler->wq);
	destroy_workqueue(t->ptdev->reset.wq);
	mutex_destroy(&t->ptdev->scheduler->lock);
	mutex_destroy(&t->ptdev->scheduler->reset.lock);
}

/* The firmware has run all jobs of a queue up to a sequence number. */
static void panthor_test_complete(struct kunit *test, u32 idx, u64 seqno)
{
	struct panthor_test *t = test->priv;
	struct panthor_syncobj_64b *syncobjs = t->syncobjs.base.kmap;

	syncobjs[idx].seqno = seqno;
	t->queues[idx].output.extract = t->queues[idx].input.insert;
	group_queue_work(t->group, sync_upd);
}

static void panthor_test_stream(struct drm_panthor_queue_submit *submit, bool stream)
{
	memset(submit, 0, sizeof(*submit));
	if (stream) {
		submit->stream_addr = SZ_1M;
		submit->stream_size = SZ_64;
	}
}

/* Create a job for a queue, with a command stream or without. */
static struct panthor_job *panthor_test_job(struct kunit *test, u32 idx, bool stream)
{
	struct panthor_test *t = test->priv;
	struct drm_panthor_queue_submit submit;
	struct drm_sched_job *job;

	panthor_test_stream(&submit, stream);
	submit.queue_index = idx;
	job = panthor_job_create(&t->pfile, t->handle, &submit, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, job);
	return container_of(job, struct panthor_job, base);
}

/*
 * Hand a job over to the scheduler as panthor_ioctl_group_submit() does, and keep no
 * reference to it. Return its finished fence, with a reference.
 */
static struct dma_fence *panthor_test_push(struct kunit *test, struct panthor_job *job)
{
	struct dma_fence *finished;

	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	drm_sched_entity_push_job(panthor_job_get(&job->base));
	panthor_job_put(&job->base);
	return finished;
}

static void panthor_test_wait_for_ring(struct kunit *test, u32 idx, u64 seqno)
{
	struct panthor_test *t = test->priv;
	struct panthor_queue *queue = t->group->queues[idx];

	/* The last thing that queue_run_job() writes is under that lock. */
	mock_wait_until(test, atomic64_read(&queue->fence_ctx.seqno) == seqno);
	mutex_lock(&t->ptdev->scheduler->lock);
	mutex_unlock(&t->ptdev->scheduler->lock);
	flush_workqueue(t->ptdev->scheduler->wq);
}

static void panthor_test_expect_done(struct kunit *test, struct dma_fence *finished,
				     int error)
{
	struct panthor_test *t = test->priv;
	unsigned int refs = 1;

	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), error ?: 1);

	/* The job has been freed. The last one of an entity is held by that as well. */
	for (u32 i = 0; t->group && i < t->group->queue_count; i++) {
		struct drm_sched_entity *entity = &t->group->queues[i]->entity;

		refs += rcu_access_pointer(entity->last_scheduled) == finished;
	}
	mock_expect_refs(test, finished, refs);
	dma_fence_put(finished);
}

/*
 * Creation, step by step
 */

/**
 * struct panthor_test_failure - why a job cannot be created
 *
 * @name: for the name of the case
 * @prepare: makes it so
 * @error: what panthor_job_create() returns
 * @streamless: whether it fails without a command stream as well
 */
struct panthor_test_failure {
	const char *name;
	void (*prepare)(struct kunit *test, struct drm_panthor_queue_submit *submit);
	int error;
	bool streamless;
};

static void panthor_test_pad(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	submit->pad = 1;
}

static void panthor_test_half_stream(struct kunit *test,
				     struct drm_panthor_queue_submit *submit)
{
	submit->stream_size = submit->stream_size ? 0 : SZ_64;
}

static void panthor_test_unaligned(struct kunit *test,
				   struct drm_panthor_queue_submit *submit)
{
	submit->stream_addr |= 8;
}

static void panthor_test_flush_id(struct kunit *test,
				  struct drm_panthor_queue_submit *submit)
{
	submit->latest_flush = BIT(24);
}

static void panthor_test_gone(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	panthor_test_destroy_group(test);
}

static void panthor_test_hung(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	struct panthor_test *t = test->priv;

	t->group->timedout = true;
}

static void panthor_test_fault(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	struct panthor_test *t = test->priv;

	t->group->fatal_queues = BIT(1);
}

static void panthor_test_term(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	struct panthor_test *t = test->priv;

	t->group->state = PANTHOR_CS_GROUP_TERMINATED;
}

static void panthor_test_bad_queue(struct kunit *test,
				   struct drm_panthor_queue_submit *submit)
{
	submit->queue_index = PANTHOR_TEST_QUEUES;
}

static struct dma_fence *panthor_test_no_fence(void)
{
	return NULL;
}

static void panthor_test_no_memory(struct kunit *test,
				   struct drm_panthor_queue_submit *submit)
{
	kunit_activate_static_stub(test, job_fence_alloc, panthor_test_no_fence);
}

static void panthor_test_no_rq(struct kunit *test, struct drm_panthor_queue_submit *submit)
{
	struct panthor_test *t = test->priv;

	/* No run queue to go to: drm_sched_job_init() refuses. */
	t->group->queues[0]->entity.rq = NULL;
}

static const struct panthor_test_failure panthor_test_failures[] = {
	{ "padding that is not zero", panthor_test_pad, -EINVAL, true },
	{ "a size or an address only", panthor_test_half_stream, -EINVAL, true },
	{ "an unaligned address", panthor_test_unaligned, -EINVAL },
	{ "a bad flush id", panthor_test_flush_id, -EINVAL, true },
	{ "a group that is gone", panthor_test_gone, -EINVAL, true },
	{ "a group that timed out", panthor_test_hung, -EINVAL, true },
	{ "a group with a fault", panthor_test_fault, -EINVAL, true },
	{ "a group that was terminated", panthor_test_term, -EINVAL, true },
	{ "a queue that the group does not have", panthor_test_bad_queue, -EINVAL, true },
	{ "no memory for the fence", panthor_test_no_memory, -ENOMEM },
	{ "a scheduler that refuses", panthor_test_no_rq, -ENOENT, true },
};

KUNIT_ARRAY_PARAM_DESC(panthor_test_failure, panthor_test_failures, name);

static const void *panthor_test_streamless_gen_params(const void *prev, char *desc)
{
	const struct panthor_test_failure *failure = prev;

	do {
		failure = panthor_test_failure_gen_params(failure, desc);
	} while (failure && !failure->streamless);
	return failure;
}

static void panthor_test_create_fails(struct kunit *test, bool stream)
{
	const struct panthor_test_failure *failure = test->param_value;
	struct panthor_test *t = test->priv;
	struct drm_sched_entity *entity = &t->group->queues[0]->entity;
	struct drm_sched_rq *rq = entity->rq;
	unsigned int refs = kref_read(&t->group->refcount);
	struct drm_panthor_queue_submit submit;
	struct drm_sched_job *job;

	panthor_test_stream(&submit, stream);
	failure->prepare(test, &submit);
	job = panthor_job_create(&t->pfile, t->handle, &submit, 1);
	entity->rq = rq;

	KUNIT_EXPECT_PTR_EQ(test, job, ERR_PTR(failure->error));
	if (!IS_ERR(job))
		panthor_job_put(job);

	/* It has left no reference to the group, but for that of the handle. */
	KUNIT_EXPECT_EQ(test, kref_read(&t->group->refcount),
			refs - (failure->prepare == panthor_test_gone));
}

static void job_with_a_stream_is_not_created_for(struct kunit *test)
{
	panthor_test_create_fails(test, true);
}

static void job_without_a_stream_is_not_created_for(struct kunit *test)
{
	panthor_test_create_fails(test, false);
}

/*
 * Jobs that never run
 */

static const struct panthor_test_stream_param {
	const char *name;
	bool stream;
} panthor_test_streams[] = {
	{ "a command stream", true },
	{ "no command stream", false },
};

KUNIT_ARRAY_PARAM_DESC(panthor_test_stream, panthor_test_streams, name);

static bool panthor_test_has_stream(struct kunit *test)
{
	const struct panthor_test_stream_param *param = test->param_value;

	return param->stream;
}

static void job_is_freed_before_it_was_armed(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	unsigned int refs = kref_read(&t->group->refcount);
	struct panthor_job *job = panthor_test_job(test, 0, panthor_test_has_stream(test));

	KUNIT_EXPECT_EQ(test, kref_read(&t->group->refcount), refs + 1);
	panthor_job_put(&job->base);
	KUNIT_EXPECT_EQ(test, kref_read(&t->group->refcount), refs);
}

static void job_is_freed_after_it_was_armed(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	unsigned int refs = kref_read(&t->group->refcount);
	struct panthor_job *job = panthor_test_job(test, 0, panthor_test_has_stream(test));
	struct dma_fence *finished;

	drm_sched_job_arm(&job->base);
	finished = dma_fence_get(&job->base.s_fence->finished);
	panthor_job_put(&job->base);
	KUNIT_EXPECT_EQ(test, kref_read(&t->group->refcount), refs);
	panthor_test_expect_done(test, finished, -ECANCELED);
}

static void job_for_a_group_that_is_gone_is_not_run(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_job *job = panthor_test_job(test, 0, true);
	struct dma_fence *finished;

	panthor_test_destroy_group(test);
	finished = panthor_test_push(test, job);
	panthor_test_expect_done(test, finished, -ECANCELED);
	KUNIT_EXPECT_EQ(test, t->queues[0].input.insert, 0);
}

/* There is nothing to run, and nothing to wait for. */
static void job_without_a_stream_for_a_group_that_is_gone_is_done(struct kunit *test)
{
	struct panthor_job *job = panthor_test_job(test, 0, false);
	struct dma_fence *finished;

	panthor_test_destroy_group(test);
	finished = panthor_test_push(test, job);
	panthor_test_expect_done(test, finished, 0);
}

static void job_is_the_last_that_holds_its_group(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_job *job = panthor_test_job(test, 0, panthor_test_has_stream(test));
	struct dma_fence *fence = mock_fence_create_orphan(test, 0);

	/* The group's queue drops it when it is freed. */
	t->group->queues[0]->fence_ctx.last_fence = dma_fence_get(fence);

	panthor_test_destroy_group(test);
	panthor_test_put_group(test);
	flush_workqueue(panthor_cleanup_wq);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);

	panthor_job_put(&job->base);
	mock_put_detached(test, fence);
}

/*
 * Jobs that run
 */

static void job_is_done_when_the_firmware_is(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_queue *queue = t->group->queues[0];
	struct dma_fence *finished, *done;

	finished = panthor_test_push(test, panthor_test_job(test, 0, true));
	panthor_test_wait_for_ring(test, 0, 1);
	KUNIT_EXPECT_GT(test, t->queues[0].input.insert, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	done = dma_fence_get(queue->fence_ctx.last_fence);
	KUNIT_ASSERT_NOT_NULL(test, done);

	/* A second one behind it, which is not done. */
	dma_fence_put(panthor_test_push(test, panthor_test_job(test, 0, true)));
	panthor_test_wait_for_ring(test, 0, 2);

	panthor_test_complete(test, 0, 1);
	panthor_test_expect_done(test, finished, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(queue->fence_ctx.last_fence));

	/* The job is freed, its fence is ours: nobody else has it any more. */
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(done));
	mock_expect_refs(test, done, 1);
	dma_fence_put(done);

	/* That was before the end of a grace period, if it was freed at all. */
	synchronize_rcu();
	panthor_test_complete(test, 0, 2);
	mock_wait_fence(test, queue->fence_ctx.last_fence);
}

static void job_without_a_stream_is_done_at_once_if_nothing_ran(struct kunit *test)
{
	panthor_test_expect_done(test,
				 panthor_test_push(test, panthor_test_job(test, 0, false)), 0);
}

static void job_without_a_stream_is_done_with_the_one_before(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_queue *queue = t->group->queues[0];
	struct dma_fence *first, *second, *third, *done;

	first = panthor_test_push(test, panthor_test_job(test, 0, true));
	second = panthor_test_push(test, panthor_test_job(test, 0, false));
	panthor_test_wait_for_ring(test, 0, 1);
	done = dma_fence_get(queue->fence_ctx.last_fence);

	/* The queue, two jobs, two parents, and we. */
	mock_wait_until(test, kref_read(&done->refcount) == 6);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(second));

	panthor_test_complete(test, 0, 1);
	panthor_test_expect_done(test, first, 0);
	panthor_test_expect_done(test, second, 0);

	/* The fence that is done already serves the next one as well. */
	third = panthor_test_push(test, panthor_test_job(test, 0, false));
	panthor_test_expect_done(test, third, 0);
	mock_expect_refs(test, done, 2);
	dma_fence_put(done);
	KUNIT_EXPECT_EQ(test, atomic64_read(&queue->fence_ctx.seqno), 1);
}

static void jobs_of_a_group_that_is_destroyed_are_cancelled(struct kunit *test)
{
	struct dma_fence *first, *second;

	first = panthor_test_push(test, panthor_test_job(test, 0, true));
	panthor_test_wait_for_ring(test, 0, 1);
	second = panthor_test_push(test, panthor_test_job(test, 0, false));

	panthor_test_destroy_group(test);
	panthor_test_expect_done(test, first, -ECANCELED);
	panthor_test_expect_done(test, second, -ECANCELED);
}

static void job_that_hangs_ends_its_group(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_queue *queue = t->group->queues[1];
	struct dma_fence *finished;

	finished = panthor_test_push(test, panthor_test_job(test, 1, true));
	panthor_test_wait_for_ring(test, 1, 1);

	drm_sched_fault(&queue->scheduler);
	panthor_test_expect_done(test, finished, -ETIMEDOUT);
	KUNIT_EXPECT_TRUE(test, t->group->timedout);
	flush_workqueue(t->ptdev->reset.wq);
	flush_workqueue(t->ptdev->scheduler->wq);
}

/*
 * The scheduler has dropped the fences of the jobs when it was stopped: they get the
 * same ones again.
 */
static void jobs_get_their_fences_back_after_a_reset(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct panthor_queue *queue = t->group->queues[0];
	struct dma_fence *finished[3], *done;
	struct drm_sched_fence *s_fence[3];

	/* Blocked, a group stays in the list of the idle ones. */
	t->group->blocked_queues = BIT(0);

	for (int i = 0; i < 3; i++) {
		/* The second one without a command stream */
		finished[i] = panthor_test_push(test, panthor_test_job(test, 0, i != 1));
		s_fence[i] = to_drm_sched_fence(finished[i]);
		KUNIT_ASSERT_NOT_NULL(test, s_fence[i]);
	}
	panthor_test_wait_for_ring(test, 0, 2);
	mock_wait_until(test, rcu_access_pointer(s_fence[2]->parent));
	done = rcu_access_pointer(s_fence[0]->parent);
	KUNIT_ASSERT_PTR_EQ(test, rcu_access_pointer(s_fence[1]->parent), done);

	panthor_sched_pre_reset(t->ptdev);
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_NULL(test, rcu_access_pointer(s_fence[i]->parent));
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished[i]));
	}

	panthor_sched_post_reset(t->ptdev, false);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(s_fence[0]->parent), done);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(s_fence[1]->parent), done);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(s_fence[2]->parent),
			    queue->fence_ctx.last_fence);

	panthor_test_complete(test, 0, 1);
	panthor_test_expect_done(test, finished[0], 0);
	panthor_test_expect_done(test, finished[1], 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished[2]));
	panthor_test_complete(test, 0, 2);
	panthor_test_expect_done(test, finished[2], 0);
	mock_expect_refs(test, queue->fence_ctx.last_fence, 1);
}

static void jobs_are_cancelled_if_the_reset_fails(struct kunit *test)
{
	struct panthor_test *t = test->priv;
	struct dma_fence *finished;

	t->group->blocked_queues = BIT(0);
	finished = panthor_test_push(test, panthor_test_job(test, 0, true));
	panthor_test_wait_for_ring(test, 0, 1);

	panthor_sched_pre_reset(t->ptdev);
	panthor_sched_post_reset(t->ptdev, true);
	panthor_test_expect_done(test, finished, -ECANCELED);
}

static struct kunit_case panthor_job_cases[] = {
	KUNIT_CASE_PARAM(job_with_a_stream_is_not_created_for, panthor_test_failure_gen_params),
	KUNIT_CASE_PARAM(job_without_a_stream_is_not_created_for,
			 panthor_test_streamless_gen_params),
	KUNIT_CASE_PARAM(job_is_freed_before_it_was_armed, panthor_test_stream_gen_params),
	KUNIT_CASE_PARAM(job_is_freed_after_it_was_armed, panthor_test_stream_gen_params),
	KUNIT_CASE(job_for_a_group_that_is_gone_is_not_run),
	KUNIT_CASE(job_without_a_stream_for_a_group_that_is_gone_is_done),
	KUNIT_CASE_PARAM(job_is_the_last_that_holds_its_group, panthor_test_stream_gen_params),
	KUNIT_CASE(job_is_done_when_the_firmware_is),
	KUNIT_CASE(job_without_a_stream_is_done_at_once_if_nothing_ran),
	KUNIT_CASE(job_without_a_stream_is_done_with_the_one_before),
	KUNIT_CASE(jobs_of_a_group_that_is_destroyed_are_cancelled),
	KUNIT_CASE(job_that_hangs_ends_its_group),
	KUNIT_CASE(jobs_get_their_fences_back_after_a_reset),
	KUNIT_CASE(jobs_are_cancelled_if_the_reset_fails),
	{}
};

static struct kunit_suite panthor_job_suite = {
	.name = "panthor_job",
	.init = panthor_test_init,
	.exit = panthor_test_exit,
	.test_cases = panthor_job_cases,
};

kunit_test_suite(panthor_job_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
