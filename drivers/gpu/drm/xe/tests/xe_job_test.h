/* SPDX-License-Identifier: GPL-2.0 AND MIT */
/*
 * Jobs of exec queues, run by their scheduler, on a GPU that is played by the test:
 * it gets what run_job writes into the ring, and completes it when the test says
 * so. Included by the suite of each backend, which brings its queues.
 */

#ifndef _XE_JOB_TEST_H_
#define _XE_JOB_TEST_H_

#include <linux/delay.h>

#include <drm/drm_drv.h>
#include <drm/drm_kunit_helpers.h>
#include <drm/drm_managed.h>

#include <kunit/static_stub.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"
#include "xe_bo_types.h"
#include "xe_device.h"
#include "xe_exec_queue.h"
#include "xe_ggtt_types.h"
#include "xe_gt.h"
#include "xe_hw_fence.h"
#include "xe_lrc.h"
#include "xe_lrc_types.h"
#include "xe_map.h"
#include "xe_ring_ops_types.h"
#include "xe_sched_job.h"
#include "xe_wa.h"

#define JOB_TEST_LRCS		2
#define JOB_TEST_LRC_SIZE	SZ_64K

struct job_test {
	struct xe_device *xe;
	struct xe_gt *gt;
	struct xe_hw_engine *hwe;
	struct xe_hw_fence_irq *irq;

	/* the fake LRCs, and their memory, or NULL if that is unmapped */
	struct xe_lrc lrc[JOB_TEST_LRCS];
	struct xe_bo bo[JOB_TEST_LRCS];
	struct xe_ggtt_node node[JOB_TEST_LRCS];
	u32 *mem[JOB_TEST_LRCS];
	int lrcs;

	/* how many jobs the GPU got */
	int emitted;
	/* what happens later */
	struct delayed_work later;
	struct dma_fence *signal_later;
};

/* The ops of a ring have no other way to find it; one test runs at a time. */
static struct job_test *job_test;

/* A fence of another driver, for a job to wait for. */
static struct dma_fence *create_foreign(struct kunit *test)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	xe_fence_test_init_foreign(fence);
	return fence;
}

/* The ring of each LRC gets the job: KASAN sees it if that is unmapped. */
static void fake_emit_job(struct xe_sched_job *job)
{
	WRITE_ONCE(job_test->emitted, job_test->emitted + 1);
	for (int i = 0; i < job->q->width; i++)
		iosys_map_wr(&job->q->lrc[i]->bo->vmap, 0, u32, job->lrc_seqno);
}

static const struct xe_ring_ops fake_ring_ops = {
	.emit_job = fake_emit_job,
};

static struct xe_lrc *fake_lrc_create(struct xe_hw_engine *hwe, struct xe_vm *vm,
				      u32 ring_size)
{
	struct job_test *t = job_test;
	struct xe_lrc *lrc = &t->lrc[t->lrcs];
	struct xe_bo *bo = &t->bo[t->lrcs];

	if (t->lrcs == JOB_TEST_LRCS)
		return ERR_PTR(-ENOMEM);

	bo->size = JOB_TEST_LRC_SIZE;
	bo->tile = gt_to_tile(t->gt);
	bo->ggtt_node[bo->tile->id] = &t->node[t->lrcs];
	bo->ttm.base.dev = &t->xe->drm;
	iosys_map_set_vaddr(&bo->vmap, t->mem[t->lrcs]);
	lrc->bo = bo;
	lrc->size = JOB_TEST_LRC_SIZE;
	lrc->ring.size = ring_size;
	/* The second reference is the test's. */
	kref_init(&lrc->refcount);
	kref_get(&lrc->refcount);
	xe_hw_fence_ctx_init(&lrc->fence_ctx, t->gt, t->irq, "rcs0");
	memset32(t->mem[t->lrcs], lrc->fence_ctx.next_seqno - 1,
		 JOB_TEST_LRC_SIZE / sizeof(u32));
	t->lrcs++;
	return lrc;
}

/* The GPU is done with all jobs that it got. */
static void complete_all_jobs(struct job_test *t)
{
	for (int i = 0; i < t->lrcs; i++)
		memset32(t->mem[i], t->lrc[i].fence_ctx.next_seqno - 1,
			 JOB_TEST_LRC_SIZE / sizeof(u32));
	xe_hw_fence_irq_run(t->irq);
}

static void later(struct work_struct *w)
{
	struct job_test *t = container_of(w, typeof(*t), later.work);

	if (t->signal_later)
		dma_fence_signal(t->signal_later);
	else
		complete_all_jobs(t);
}

static void fini_workqueues(struct drm_device *drm, void *arg)
{
	xe_device_fini_workqueues(to_xe_device(drm));
}

static int job_test_init(struct kunit *test)
{
	struct job_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = test->priv;
	t->gt = xe_device_get_gt(t->xe, 0);
	t->irq = &t->gt->fence_irq[XE_ENGINE_CLASS_RENDER];
	INIT_DELAYED_WORK(&t->later, later);
	for (int i = 0; i < JOB_TEST_LRCS; i++) {
		t->mem[i] = kzalloc(JOB_TEST_LRC_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->mem[i]);
	}

	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(t->xe), 0);
	KUNIT_ASSERT_EQ(test, drmm_add_action_or_reset(&t->xe->drm, fini_workqueues, NULL), 0);
	for (int i = 0; i < XE_ENGINE_CLASS_MAX; i++)
		xe_hw_fence_irq_init(&t->gt->fence_irq[i], t->xe);
	KUNIT_ASSERT_EQ(test, xe_wa_init(t->gt), 0);

	t->hwe = &t->gt->hw_engines[XE_HW_ENGINE_RCS0];
	t->hwe->gt = t->gt;
	t->hwe->class = XE_ENGINE_CLASS_RENDER;
	t->hwe->name = "rcs0";
	t->hwe->eclass = &t->gt->eclass[XE_ENGINE_CLASS_RENDER];
	t->hwe->eclass->sched_props.job_timeout_ms = 5000;
	t->gt->ring_ops[XE_ENGINE_CLASS_RENDER] = &fake_ring_ops;

	xe_fence_test_wake_up(t->xe);

	kunit_activate_static_stub(test, xe_lrc_create, fake_lrc_create);
	job_test = t;
	test->priv = t;
	return 0;
}

static void job_test_exit(struct kunit *test)
{
	struct job_test *t = test->priv;

	cancel_delayed_work_sync(&t->later);
	flush_workqueue(t->xe->destroy_wq);
	for (int i = 0; i < XE_ENGINE_CLASS_MAX; i++)
		xe_hw_fence_irq_finish(&t->gt->fence_irq[i]);
	synchronize_rcu();
	KUNIT_EXPECT_TRUE(test, list_empty(&t->xe->exec_queues.list));
	for (int i = 0; i < t->lrcs; i++)
		KUNIT_EXPECT_EQ(test, kref_read(&t->lrc[i].refcount), 1);
	for (int i = 0; i < JOB_TEST_LRCS; i++)
		kfree(t->mem[i]);
	xe_fence_test_let_sleep(t->xe->drm.dev);
	job_test = NULL;
}

static struct xe_exec_queue *create_queue(struct kunit *test, int width, u32 flags)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q;

	q = xe_exec_queue_create(t->xe, NULL, GENMASK(width - 1, 0), width, t->hwe,
				 EXEC_QUEUE_FLAG_KERNEL | flags, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, q);
	return q;
}

/* The end of a queue whose last reference is ours. */
static void put_queue(struct kunit *test, struct xe_exec_queue *q)
{
	struct job_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, kref_read(&q->refcount), 1);
	xe_exec_queue_put(q);
	KUNIT_EXPECT_NE(test, wait_event_timeout(t->xe->exec_queues.none,
						 !READ_ONCE(t->xe->exec_queues.count),
						 5 * HZ), 0);
}

static struct xe_sched_job *create_job(struct kunit *test, struct xe_exec_queue *q)
{
	u64 addr[JOB_TEST_LRCS] = {};
	struct xe_sched_job *job = xe_sched_job_create(q, addr);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, job);
	return job;
}

/* What says that it is done, for others, with a reference. */
static struct dma_fence *push_job(struct xe_sched_job *job)
{
	struct dma_fence *finished;

	xe_sched_job_arm(job);
	finished = dma_fence_get(&job->drm.s_fence->finished);
	xe_sched_job_push(job);
	return finished;
}

static struct dma_fence *push(struct kunit *test, struct xe_exec_queue *q)
{
	return push_job(create_job(test, q));
}

static struct dma_fence *push_behind(struct kunit *test, struct xe_exec_queue *q,
				     struct dma_fence *fence)
{
	struct xe_sched_job *job = create_job(test, q);

	KUNIT_ASSERT_EQ(test, drm_sched_job_add_dependency(&job->drm, dma_fence_get(fence)), 0);
	return push_job(job);
}

/* Until the scheduler has done all that it can, and has freed what is over. */
static void settle(struct xe_exec_queue *q)
{
	struct workqueue_struct *wq = q->entity->rq->sched->submit_wq;

	for (int i = 0; i < 3; i++) {
		flush_workqueue(wq);
		irq_work_sync(&q->fence_irq->work);
	}
	flush_workqueue(wq);
}

static void expect_finished(struct kunit *test, struct dma_fence *finished, int status)
{
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(finished, false, 5 * HZ), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), status);
	dma_fence_put(finished);
}

static void unplug(struct job_test *t)
{
	drm_dev_unplug(&t->xe->drm);
}

/* What the end of xe_device_remove() does, and all that is unmapped after it. */
static void unmap_lrcs(struct job_test *t)
{
	xe_gt_remove(t->gt);
	synchronize_rcu();
	for (int i = 0; i < JOB_TEST_LRCS; i++) {
		kfree(t->mem[i]);
		t->mem[i] = NULL;
	}
}

/* A file is open, and the job waits for another driver until all is unmapped. */
static void expect_failure_after_the_unbind(struct kunit *test, int width)
{
	struct job_test *t = test->priv;
	struct dma_fence *foreign = create_foreign(test);
	struct xe_exec_queue *q = create_queue(test, width, 0);
	struct dma_fence *finished = push_behind(test, q, foreign);

	settle(q);
	unplug(t);
	unmap_lrcs(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	dma_fence_signal(foreign);
	expect_finished(test, finished, -ENODEV);
	KUNIT_EXPECT_EQ(test, t->emitted, 0);
	settle(q);
	put_queue(test, q);
	dma_fence_put(foreign);
}

#endif
