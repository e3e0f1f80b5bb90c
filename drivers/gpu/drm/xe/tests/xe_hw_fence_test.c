// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * Hardware fences, with a sequence number that is written by the test instead
 * of by a GPU.
 */

#include <linux/delay.h>
#include <linux/dma-fence-chain.h>

#include <drm/drm_kunit_helpers.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"
#include "xe_bo_types.h"
#include "xe_exec_queue.h"
#include "xe_lrc_types.h"
#include "xe_sched_job.h"
#include "xe_wa.h"

struct hw_fence_test {
	struct xe_gt *gt;
	struct xe_hw_fence_irq *irq;
	struct xe_hw_fence_ctx ctx;
	/* the fake LRC, or NULL if it is gone */
	u32 *seqno;
};

static int hw_fence_test_init(struct kunit *test)
{
	struct hw_fence_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->gt = xe_device_get_gt(test->priv, 0);
	t->irq = &t->gt->fence_irq[XE_ENGINE_CLASS_RENDER];
	xe_hw_fence_irq_init(t->irq, test->priv);
	xe_hw_fence_ctx_init(&t->ctx, t->gt, t->irq, "rcs0");

	t->seqno = kzalloc(sizeof(*t->seqno), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->seqno);
	*t->seqno = t->ctx.next_seqno - 1;

	test->priv = t;
	return 0;
}

static void hw_fence_test_exit(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;

	if (t->irq)
		xe_hw_fence_irq_finish(t->irq);
	kfree(t->seqno);
}

/* What a queue does before it puts its LRCs: see xe_exec_queue_fini(). */
static void free_seqno(struct hw_fence_test *t)
{
	synchronize_rcu();
	kfree(t->seqno);
	t->seqno = NULL;
}

static struct dma_fence *create_fence(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct iosys_map map = IOSYS_MAP_INIT_VADDR(t->seqno);
	struct dma_fence *fence = xe_hw_fence_alloc();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fence);
	xe_hw_fence_init(fence, &t->ctx, map);
	return fence;
}

static void create_fences(struct kunit *test, struct dma_fence **fences, int n)
{
	for (int i = 0; i < n; i++)
		fences[i] = create_fence(test);
}

static void put_fences(struct kunit *test, struct dma_fence **fences, int n)
{
	for (int i = 0; i < n; i++)
		xe_fence_test_last_put(test, fences[i]);
}

/* The GPU is done with the job of this fence, and all before it. */
static void complete_to(struct hw_fence_test *t, struct dma_fence *fence)
{
	WRITE_ONCE(*t->seqno, fence->seqno);
}

/* An interrupt of the GPU, until it has been dealt with. */
static void interrupt(struct hw_fence_test *t)
{
	xe_hw_fence_irq_run(t->irq);
	irq_work_sync(&t->irq->work);
}

static void xe_hw_fence_test_first_in_its_own_memory(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, offsetof(struct xe_hw_fence, dma), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, xe_hw_fence_ops.release, NULL);
	KUNIT_EXPECT_PTR_EQ(test, xe_hw_fence_ops.wait, NULL);
	KUNIT_EXPECT_PTR_EQ(test, to_xe_hw_fence(fence)->irq, t->irq);

	mock_expect_names(test, fence, dev_name(gt_to_xe(t->gt)->drm.dev), "rcs0");

	/* Nobody enabled it, nobody signals it: a job that never ran. */
	xe_fence_test_last_put(test, fence);
}

static void xe_hw_fence_test_freed_without_initialization(struct kunit *test)
{
	struct dma_fence *fence = xe_hw_fence_alloc();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fence);
	xe_hw_fence_free(fence);
}

static void xe_hw_fence_test_signaled_by_interrupt(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = { .lock = &t->irq->lock };

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	interrupt(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, cb.called, 0);

	complete_to(t, fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	interrupt(t);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_FALSE_MSG(test, cb.locked, "signaled with the list locked");

	xe_fence_test_use(test, fence, 1);
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_enabled_out_of_order(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[4];

	create_fences(test, fences, 4);
	dma_fence_enable_sw_signaling(fences[3]);
	dma_fence_enable_sw_signaling(fences[1]);
	dma_fence_enable_sw_signaling(fences[0]);

	complete_to(t, fences[1]);
	interrupt(t);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[0]));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[1]));
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fences[2]));
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fences[3]));

	complete_to(t, fences[3]);
	interrupt(t);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[3]));
	/* done, but nobody has asked */
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fences[2]));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fences[2]));
	put_fences(test, fences, 4);
}

static void xe_hw_fence_test_all_at_once(struct kunit *test)
{
	enum { N = 100 };
	struct hw_fence_test *t = test->priv;
	struct xe_fence_test_cb *cbs;
	struct dma_fence **fences;
	int order = 0;

	fences = kunit_kcalloc(test, N, sizeof(*fences), GFP_KERNEL);
	cbs = kunit_kcalloc(test, N, sizeof(*cbs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	KUNIT_ASSERT_NOT_NULL(test, cbs);
	create_fences(test, fences, N);
	for (int i = 0; i < N; i++) {
		cbs[i].order = &order;
		KUNIT_ASSERT_EQ(test, xe_fence_test_add(fences[i], &cbs[i]), 0);
	}

	complete_to(t, fences[N - 1]);
	interrupt(t);
	KUNIT_EXPECT_EQ(test, order, N);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
	for (int i = 0; i < N; i++) {
		KUNIT_EXPECT_EQ(test, cbs[i].called, 1);
		KUNIT_EXPECT_EQ(test, cbs[i].turn, i + 1);
	}
	put_fences(test, fences, N);
}

/* The seqno wraps around in the middle of these. */
static void xe_hw_fence_test_seqno_wraps_around(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[4];

	t->ctx.next_seqno = -2;
	*t->seqno = t->ctx.next_seqno - 1;
	create_fences(test, fences, 4);
	for (int i = 0; i < 4; i++)
		dma_fence_enable_sw_signaling(fences[i]);

	for (int i = 0; i < 4; i++) {
		complete_to(t, fences[i]);
		interrupt(t);
		for (int j = 0; j < 4; j++)
			KUNIT_EXPECT_EQ(test, dma_fence_test_signaled_flag(fences[j]),
					j <= i);
	}
	put_fences(test, fences, 4);
}

/* No interrupt will come for it any more. */
static void xe_hw_fence_test_enabled_when_done(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	complete_to(t, fence);
	if (!xe_fence_test_add(fence, &cb)) {
		irq_work_sync(&t->irq->work);
		KUNIT_EXPECT_EQ(test, cb.called, 1);
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_enabled_while_stopped(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[2];

	create_fences(test, fences, 2);
	dma_fence_enable_sw_signaling(fences[0]);
	xe_hw_fence_irq_stop(t->irq);
	complete_to(t, fences[1]);
	dma_fence_enable_sw_signaling(fences[1]);
	interrupt(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fences[0]));
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fences[1]));

	/* No interrupt will come for these either. */
	xe_hw_fence_irq_start(t->irq);
	irq_work_sync(&t->irq->work);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[0]));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[1]));
	put_fences(test, fences, 2);
}

struct running_cb {
	struct dma_fence_cb cb;
	struct xe_hw_fence_irq *irq;
	unsigned int running;
};

static void running_called(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct running_cb *r = container_of(cb, typeof(*r), cb);

	r->running = r->irq->running;
}

static void xe_hw_fence_test_runs_are_counted(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct running_cb cb = { .irq = t->irq };
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &cb.cb, running_called), 0);
	complete_to(t, fence);
	interrupt(t);
	KUNIT_EXPECT_EQ(test, cb.running, 1);
	KUNIT_EXPECT_EQ(test, t->irq->running, 0);
	put_fences(test, &fence, 1);
}

/* A run of the worker on another CPU, for a test that has one only. */
struct fake_run {
	struct delayed_work work;
	struct xe_hw_fence_irq *irq;
	u32 *seqno;
	bool over;
};

static void fake_run_ends(struct work_struct *work)
{
	struct fake_run *run = container_of(work, typeof(*run), work.work);

	spin_lock_irq(&run->irq->lock);
	WRITE_ONCE(run->over, true);
	run->irq->running--;
	wake_up_all(&run->irq->idle);
	spin_unlock_irq(&run->irq->lock);
}

static void fake_run_begins(struct hw_fence_test *t, struct fake_run *run)
{
	run->irq = t->irq;
	run->over = false;
	INIT_DELAYED_WORK_ONSTACK(&run->work, fake_run_ends);
	spin_lock_irq(&t->irq->lock);
	t->irq->running++;
	spin_unlock_irq(&t->irq->lock);
	schedule_delayed_work(&run->work, msecs_to_jiffies(20));
}

static void expect_over(struct kunit *test, struct fake_run *run)
{
	KUNIT_EXPECT_TRUE(test, READ_ONCE(run->over));
	flush_delayed_work(&run->work);
	destroy_delayed_work_on_stack(&run->work);
}

/* The worker signals without the lock: stop has to wait for it by other means. */
static void xe_hw_fence_test_stop_waits_for_the_worker(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct fake_run run;

	fake_run_begins(t, &run);
	xe_hw_fence_irq_stop(t->irq);
	expect_over(test, &run);
}

static void xe_hw_fence_test_finish_waits_for_the_worker(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct fake_run run;

	fake_run_begins(t, &run);
	xe_hw_fence_irq_finish(t->irq);
	expect_over(test, &run);
}

/* Somebody else finds out first, and the seqno goes: the list is not done with it. */
static void xe_hw_fence_test_polled_while_pending(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	complete_to(t, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	free_seqno(t);

	interrupt(t);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
	xe_fence_test_use(test, fence, 1);
	put_fences(test, &fence, 1);
}

/* The list has the last reference. */
static void xe_hw_fence_test_dropped_while_pending(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	complete_to(t, fence);
	dma_fence_put(fence);
	interrupt(t);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
}

/* A job of a long running VM gets an error when it runs, and its queue may go. */
static void xe_hw_fence_test_error_needs_no_seqno(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	xe_hw_fence_irq_stop(t->irq);
	dma_fence_set_error(fence, -EOPNOTSUPP);
	dma_fence_enable_sw_signaling(fence);
	free_seqno(t);
	interrupt(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));

	xe_hw_fence_irq_start(t->irq);
	irq_work_sync(&t->irq->work);
	xe_fence_test_use(test, fence, -EOPNOTSUPP);
	put_fences(test, &fence, 1);
}

/* Somebody has followed the ops, and then lost to the signaler of the fence. */
static void xe_hw_fence_test_asked_while_it_is_signaled(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	complete_to(t, fence);
	rcu_read_lock();
	dma_fence_signal(fence);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));
	KUNIT_EXPECT_TRUE(test, xe_hw_fence_ops.signaled(fence));
	KUNIT_EXPECT_STREQ(test, xe_hw_fence_ops.get_timeline_name(fence), "rcs0");
	KUNIT_EXPECT_STREQ(test, xe_hw_fence_ops.get_driver_name(fence),
			   dev_name(gt_to_xe(t->gt)->drm.dev));
	rcu_read_unlock();
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_finish_with_pending_fences(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_fence_test_cb cbs[4] = {};
	struct dma_fence *fences[4];

	create_fences(test, fences, 4);
	for (int i = 0; i < 4; i++) {
		cbs[i].lock = &t->irq->lock;
		KUNIT_EXPECT_EQ(test, xe_fence_test_add(fences[i], &cbs[i]), 0);
	}
	dma_fence_set_error(fences[2], -ETIME);
	complete_to(t, fences[1]);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fences[0]));

	xe_hw_fence_irq_finish(t->irq);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
	for (int i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, cbs[i].called, 1);
		KUNIT_EXPECT_FALSE(test, cbs[i].locked);
	}
	free_seqno(t);
	xe_fence_test_use(test, fences[0], 1);		/* polled */
	xe_fence_test_use(test, fences[1], 1);		/* done */
	xe_fence_test_use(test, fences[2], -ETIME);	/* failed */
	xe_fence_test_use(test, fences[3], -ENODEV);	/* not done */
	put_fences(test, fences, 4);
}

static void xe_hw_fence_test_finish_while_stopped(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	xe_hw_fence_irq_stop(t->irq);
	dma_fence_enable_sw_signaling(fence);
	xe_hw_fence_irq_finish(t->irq);
	KUNIT_EXPECT_FALSE(test, irq_work_is_busy(&t->irq->work));
	xe_fence_test_use(test, fence, -ENODEV);
	put_fences(test, &fence, 1);
}

struct finish_cb {
	struct dma_fence_cb cb;
	struct rcu_gp_oldstate at_signal;
};

static void finish_called(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct finish_cb *f = container_of(cb, typeof(*f), cb);

	get_state_synchronize_rcu_full(&f->at_signal);
}

/*
 * Who found the last fence unsignaled may be reading its seqno, and its names. The
 * error of these is all that the worker needs.
 */
static void xe_hw_fence_test_unbind_waits_for_readers(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_device *xe = gt_to_xe(t->gt);
	struct dma_fence *fences[2];
	struct finish_cb cbs[2];

	for (int i = 0; i < XE_ENGINE_CLASS_MAX; i++)
		if (t->irq != &t->gt->fence_irq[i])
			xe_hw_fence_irq_init(&t->gt->fence_irq[i], xe);
	KUNIT_ASSERT_EQ(test, xe_wa_init(t->gt), 0);

	create_fences(test, fences, 2);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fences[i], &cbs[i].cb,
							     finish_called), 0);
		dma_fence_set_error(fences[i], -ETIME);
	}
	xe_device_remove(xe);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fences[i]));
		KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&cbs[i].at_signal));
	}
	put_fences(test, fences, 2);
}

static void late_completion(struct work_struct *work)
{
	struct fake_run *run = container_of(work, typeof(*run), work.work);

	WRITE_ONCE(*run->seqno, *run->seqno + 1);
	xe_hw_fence_irq_run(run->irq);
}

static void xe_hw_fence_test_idle_when_the_gpu_has_completed_all(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct fake_run run = { .irq = t->irq, .seqno = t->seqno };

	KUNIT_EXPECT_TRUE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies + HZ));
	dma_fence_enable_sw_signaling(fence);
	INIT_DELAYED_WORK_ONSTACK(&run.work, late_completion);
	schedule_delayed_work(&run.work, msecs_to_jiffies(20));
	KUNIT_EXPECT_TRUE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies + 5 * HZ));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	flush_delayed_work(&run.work);
	destroy_delayed_work_on_stack(&run.work);
	put_fences(test, &fence, 1);
}

/* Somebody else has signaled it, and no interrupt comes for it any more. */
static void xe_hw_fence_test_idle_with_a_fence_that_was_polled(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	dma_fence_enable_sw_signaling(fence);
	complete_to(t, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies + 5 * HZ));
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_not_idle_with_a_job_that_hangs(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_FALSE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies + 2));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	/* Others have used up the time. */
	KUNIT_EXPECT_FALSE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies - HZ));
	xe_hw_fence_irq_finish(t->irq);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), -ENODEV);
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_not_idle_while_the_worker_signals(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct fake_run run = {};

	fake_run_begins(t, &run);
	KUNIT_EXPECT_TRUE(test, xe_hw_fence_irq_wait_idle(t->irq, jiffies + 5 * HZ));
	expect_over(test, &run);
}

static void xe_hw_fence_test_module_waits_for_readers(struct kunit *test)
{
	struct rcu_gp_oldstate before;

	get_state_synchronize_rcu_full(&before);
	xe_hw_fence_module_exit();
	KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&before));
}

/* A file is still open, and jobs wait for others: no interrupt comes any more. */
static void xe_hw_fence_test_enabled_after_finish(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[2];
	struct xe_fence_test_cb cb = {};

	create_fences(test, fences, 2);
	xe_hw_fence_irq_finish(t->irq);
	/* It was in VRAM, and done or not, nobody can tell. */
	free_seqno(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fences[0]));
	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fences[0], &cb), -ENOENT);
	xe_fence_test_use(test, fences[0], -ENODEV);

	/* of a job that failed before */
	dma_fence_set_error(fences[1], -ETIME);
	dma_fence_enable_sw_signaling(fences[1]);
	xe_fence_test_use(test, fences[1], -ETIME);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
	put_fences(test, fences, 2);
}

static struct dma_fence *chain_of(struct kunit *test, struct dma_fence **fences)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, dma_fence_get(fences[0]),
			     dma_fence_get(fences[1]), 0);
	return &chain->base;
}

/* A job on two engines at once has the fences of both LRCs in a chain. */
static void xe_hw_fence_test_chain_of_a_parallel_job(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_fence_test_cb cb = {};
	struct dma_fence *fences[2];
	struct dma_fence *chain;

	create_fences(test, fences, 2);
	chain = chain_of(test, fences);
	KUNIT_EXPECT_EQ(test, xe_fence_test_add(chain, &cb), 0);
	complete_to(t, fences[0]);
	interrupt(t);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(chain));

	complete_to(t, fences[1]);
	interrupt(t);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(chain, false, HZ), 0);
	/* One that the chain did not get to enable has not been asked. */
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fences[0]));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fences[1]));
	free_seqno(t);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(chain), 1);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	dma_fence_put(chain);
	interrupt(t);
	xe_fence_test_use(test, fences[0], 1);
	xe_fence_test_use(test, fences[1], 1);
	put_fences(test, fences, 2);
}

/* The chain enables one fence after the other, the second when finish is over. */
static void xe_hw_fence_test_finish_with_a_parallel_job(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[3], *pair[2];
	struct xe_fence_test_cb cb = {};

	create_fences(test, fences, 3);
	pair[0] = chain_of(test, fences);
	pair[1] = fences[2];
	pair[1] = chain_of(test, pair);
	dma_fence_put(pair[0]);
	KUNIT_EXPECT_EQ(test, xe_fence_test_add(pair[1], &cb), 0);

	xe_hw_fence_irq_finish(t->irq);
	free_seqno(t);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(pair[1], false, HZ), 0);
	dma_fence_put(pair[1]);
	/* for the callback that has signaled it */
	synchronize_rcu();
	for (int i = 0; i < 3; i++) {
		dma_fence_enable_sw_signaling(fences[i]);
		xe_fence_test_use(test, fences[i], -ENODEV);
	}
	put_fences(test, fences, 3);
}

static void xe_hw_fence_test_error_of_a_parallel_job(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[2];
	struct xe_exec_queue *q;
	struct xe_sched_job *job;

	q = kunit_kzalloc(test, sizeof(*q), GFP_KERNEL);
	job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_ASSERT_NOT_NULL(test, job);
	create_fences(test, fences, 2);
	q->gt = t->gt;
	q->fence_irq = t->irq;
	job->q = q;
	job->fence = chain_of(test, fences);

	xe_sched_job_set_error(job, -ETIME);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(job->fence, false, HZ), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(job->fence), -ETIME);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), -ETIME);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[1]), -ETIME);

	/* Again, when all is over: the fences keep their error. */
	xe_sched_job_set_error(job, -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), -ETIME);
	irq_work_sync(&t->irq->work);
	dma_fence_put(job->fence);
	put_fences(test, fences, 2);
}

/* The seqno of a job is compared with that of its LRC, whatever its fence is by then. */
static void xe_hw_fence_test_progress_of_a_job(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_sched_job *job = kunit_kzalloc(test, sizeof(*job), GFP_KERNEL);
	struct xe_lrc *lrc = kunit_kzalloc(test, sizeof(*lrc), GFP_KERNEL);
	struct xe_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);
	u32 *mem = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	struct xe_exec_queue *q;

	q = kunit_kzalloc(test, struct_size(q, lrc, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, job);
	KUNIT_ASSERT_NOT_NULL(test, lrc);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	KUNIT_ASSERT_NOT_NULL(test, q);
	iosys_map_set_vaddr(&bo->vmap, mem);
	lrc->fence_ctx = t->ctx;
	lrc->bo = bo;
	q->lrc[0] = lrc;
	job->q = q;
	job->fence = fence;
	job->lrc_seqno = fence->seqno;

	for (int signaled = 0; signaled < 2; signaled++) {
		/* The seqno of jobs that have started is there, too. */
		memset32(mem, fence->seqno - 1, SZ_4K / sizeof(*mem));
		KUNIT_EXPECT_FALSE(test, xe_sched_job_started(job));
		KUNIT_EXPECT_FALSE(test, xe_sched_job_completed(job));
		memset32(mem, fence->seqno, SZ_4K / sizeof(*mem));
		KUNIT_EXPECT_TRUE(test, xe_sched_job_started(job));
		KUNIT_EXPECT_TRUE(test, xe_sched_job_completed(job));
		dma_fence_signal(fence);
	}
	put_fences(test, &fence, 1);
}

static void xe_hw_fence_test_queue_waits_before_its_lrc_goes(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_exec_queue *q = kzalloc(struct_size(q, lrc, 1), GFP_KERNEL);
	struct xe_lrc *lrc = kunit_kzalloc(test, sizeof(*lrc), GFP_KERNEL);
	struct rcu_gp_oldstate before;

	KUNIT_ASSERT_NOT_NULL(test, q);
	KUNIT_ASSERT_NOT_NULL(test, lrc);
	kref_init(&lrc->refcount);
	kref_get(&lrc->refcount);
	q->gt = t->gt;
	q->width = 1;
	q->lrc[0] = lrc;
	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(gt_to_xe(t->gt)), 0);
	list_add(&q->device_link, &gt_to_xe(t->gt)->exec_queues.list);
	gt_to_xe(t->gt)->exec_queues.count = 1;

	get_state_synchronize_rcu_full(&before);
	xe_exec_queue_fini(q);
	KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&before));
	KUNIT_EXPECT_EQ(test, kref_read(&lrc->refcount), 1);
	xe_device_fini_workqueues(gt_to_xe(t->gt));
}

#define RACE_FENCES	32

struct hw_fence_race {
	struct dma_fence *fences[RACE_FENCES];
	struct xe_fence_test_cb cbs[RACE_FENCES];
	bool added[RACE_FENCES];
	struct work_struct even;
	struct work_struct odd;
	struct work_struct poll;
};

static void race_enable(struct hw_fence_race *r, int i)
{
	for (; i < RACE_FENCES; i += 2) {
		r->added[i] = !xe_fence_test_add(r->fences[i], &r->cbs[i]);
		cond_resched();
	}
}

static void race_even(struct work_struct *work)
{
	race_enable(container_of(work, struct hw_fence_race, even), 0);
}

static void race_odd(struct work_struct *work)
{
	race_enable(container_of(work, struct hw_fence_race, odd), 1);
}

static void race_poll(struct work_struct *work)
{
	struct hw_fence_race *r = container_of(work, typeof(*r), poll);
	int i = 0;

	while (i < RACE_FENCES) {
		if (dma_fence_is_signaled(r->fences[i]))
			i++;
		cond_resched();
	}
}

/* Enabled, polled, completed, stopped and started all at once, on several CPUs. */
static void xe_hw_fence_test_at_the_same_time(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct hw_fence_race *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	for (int round = 0; round < 200; round++) {
		memset(r, 0, sizeof(*r));
		INIT_WORK(&r->even, race_even);
		INIT_WORK(&r->odd, race_odd);
		INIT_WORK(&r->poll, race_poll);
		create_fences(test, r->fences, RACE_FENCES);
		queue_work(system_unbound_wq, &r->even);
		queue_work(system_unbound_wq, &r->odd);
		queue_work(system_unbound_wq, &r->poll);
		for (int i = 0; i < RACE_FENCES; i++) {
			complete_to(t, r->fences[i]);
			xe_hw_fence_irq_run(t->irq);
			if (i == round % (4 * RACE_FENCES)) {
				xe_hw_fence_irq_stop(t->irq);
				xe_hw_fence_irq_start(t->irq);
			}
			cond_resched();
		}
		flush_work(&r->even);
		flush_work(&r->odd);
		flush_work(&r->poll);
		interrupt(t);
		free_seqno(t);

		KUNIT_EXPECT_TRUE(test, list_empty(&t->irq->pending));
		for (int i = 0; i < RACE_FENCES; i++)
			KUNIT_EXPECT_EQ(test, r->cbs[i].called, r->added[i]);
		put_fences(test, r->fences, RACE_FENCES);

		t->seqno = kzalloc(sizeof(*t->seqno), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, t->seqno);
		*t->seqno = t->ctx.next_seqno - 1;
	}
}

/*
 * An interrupt that is late: the worker finds nothing to do, and must find that
 * before its code goes. Only seen where it waits for a tick, as on UML.
 */
static void xe_hw_fence_test_module_waits_for_the_worker(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_device *xe = gt_to_xe(t->gt);

	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(xe), 0);
	xe_hw_fence_irq_run(t->irq);
	xe_device_module_exit();
	KUNIT_EXPECT_FALSE(test, irq_work_is_busy(&t->irq->work));
	xe_device_fini_workqueues(xe);
}

/* The same before the GT goes, if the device is released. */
static void xe_hw_fence_test_device_waits_for_the_worker(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct xe_hw_fence_irq *irq = t->irq;

	xe_hw_fence_irq_finish(irq);
	t->irq = NULL;
	xe_hw_fence_irq_run(irq);
	drm_kunit_helper_free_device(test, gt_to_xe(t->gt)->drm.dev);
	msleep(50);
}

/* Somebody holds fences of a device that is unbound, for ever. */
static void xe_hw_fence_test_held_while_the_device_goes(struct kunit *test)
{
	struct hw_fence_test *t = test->priv;
	struct dma_fence *fences[3];

	create_fences(test, fences, 3);
	dma_fence_enable_sw_signaling(fences[0]);
	dma_fence_enable_sw_signaling(fences[2]);
	complete_to(t, fences[1]);
	interrupt(t);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fences[1]));

	xe_hw_fence_irq_finish(t->irq);
	t->irq = NULL;
	free_seqno(t);
	drm_kunit_helper_free_device(test, gt_to_xe(t->gt)->drm.dev);

	xe_fence_test_use(test, fences[0], 1);
	xe_fence_test_use(test, fences[1], 1);
	xe_fence_test_use(test, fences[2], -ENODEV);
	put_fences(test, fences, 3);
	rcu_barrier();
}

static struct kunit_case hw_fence_test_cases[] = {
	KUNIT_CASE(xe_hw_fence_test_first_in_its_own_memory),
	KUNIT_CASE(xe_hw_fence_test_freed_without_initialization),
	KUNIT_CASE(xe_hw_fence_test_signaled_by_interrupt),
	KUNIT_CASE(xe_hw_fence_test_enabled_out_of_order),
	KUNIT_CASE(xe_hw_fence_test_all_at_once),
	KUNIT_CASE(xe_hw_fence_test_seqno_wraps_around),
	KUNIT_CASE(xe_hw_fence_test_enabled_when_done),
	KUNIT_CASE(xe_hw_fence_test_enabled_while_stopped),
	KUNIT_CASE(xe_hw_fence_test_runs_are_counted),
	KUNIT_CASE(xe_hw_fence_test_stop_waits_for_the_worker),
	KUNIT_CASE(xe_hw_fence_test_finish_waits_for_the_worker),
	KUNIT_CASE(xe_hw_fence_test_polled_while_pending),
	KUNIT_CASE(xe_hw_fence_test_dropped_while_pending),
	KUNIT_CASE(xe_hw_fence_test_error_needs_no_seqno),
	KUNIT_CASE(xe_hw_fence_test_asked_while_it_is_signaled),
	KUNIT_CASE(xe_hw_fence_test_finish_with_pending_fences),
	KUNIT_CASE(xe_hw_fence_test_finish_while_stopped),
	KUNIT_CASE(xe_hw_fence_test_unbind_waits_for_readers),
	KUNIT_CASE(xe_hw_fence_test_idle_when_the_gpu_has_completed_all),
	KUNIT_CASE(xe_hw_fence_test_idle_with_a_fence_that_was_polled),
	KUNIT_CASE(xe_hw_fence_test_not_idle_with_a_job_that_hangs),
	KUNIT_CASE(xe_hw_fence_test_not_idle_while_the_worker_signals),
	KUNIT_CASE(xe_hw_fence_test_module_waits_for_readers),
	KUNIT_CASE(xe_hw_fence_test_enabled_after_finish),
	KUNIT_CASE(xe_hw_fence_test_chain_of_a_parallel_job),
	KUNIT_CASE(xe_hw_fence_test_finish_with_a_parallel_job),
	KUNIT_CASE(xe_hw_fence_test_error_of_a_parallel_job),
	KUNIT_CASE(xe_hw_fence_test_progress_of_a_job),
	KUNIT_CASE(xe_hw_fence_test_queue_waits_before_its_lrc_goes),
	KUNIT_CASE_SLOW(xe_hw_fence_test_at_the_same_time),
	KUNIT_CASE(xe_hw_fence_test_module_waits_for_the_worker),
	KUNIT_CASE(xe_hw_fence_test_device_waits_for_the_worker),
	KUNIT_CASE(xe_hw_fence_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite hw_fence_suite = {
	.name = "xe_hw_fence",
	.test_cases = hw_fence_test_cases,
	.init = hw_fence_test_init,
	.exit = hw_fence_test_exit,
};

kunit_test_suites(&hw_fence_suite);
