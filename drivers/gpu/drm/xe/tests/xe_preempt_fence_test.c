// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * Preempt fences, of a queue that does what the test says.
 */

#include <linux/delay.h>

#include <drm/drm_kunit_helpers.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"
#include "xe_device.h"

struct preempt_test {
	struct xe_device *xe;
	struct xe_exec_queue *q;
	struct xe_vm *vm;
	u64 context;

	/* what the queue's ops return */
	int suspend_error;
	int wait_error;
	bool reset;

	/* how often they were called */
	int suspended;
	int waited;
	int finished;
	int rebound;
};

/* The ops of a queue have no other way to find it; one test runs at a time. */
static struct preempt_test *preempt_test;

static int fake_suspend(struct xe_exec_queue *q)
{
	preempt_test->suspended++;
	return preempt_test->suspend_error;
}

static int fake_suspend_wait(struct xe_exec_queue *q)
{
	preempt_test->waited++;
	return preempt_test->wait_error;
}

static bool fake_reset_status(struct xe_exec_queue *q)
{
	return preempt_test->reset;
}

static void fake_fini(struct xe_exec_queue *q)
{
	preempt_test->finished++;
}

static const struct xe_exec_queue_ops fake_queue_ops = {
	.suspend = fake_suspend,
	.suspend_wait = fake_suspend_wait,
	.reset_status = fake_reset_status,
	.fini = fake_fini,
};

static void fake_rebind(struct work_struct *w)
{
	preempt_test->rebound++;
}

static int preempt_test_init(struct kunit *test)
{
	struct preempt_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = test->priv;
	t->context = dma_fence_context_alloc(1);

	t->xe->preempt_fence_wq = alloc_ordered_workqueue("preempt-fence-test", 0);
	t->xe->ordered_wq = alloc_ordered_workqueue("preempt-fence-rebind", 0);
	KUNIT_ASSERT_NOT_NULL(test, t->xe->preempt_fence_wq);
	KUNIT_ASSERT_NOT_NULL(test, t->xe->ordered_wq);

	t->vm = kzalloc(sizeof(*t->vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->vm);
	t->vm->xe = t->xe;
	t->vm->flags = XE_VM_FLAG_LR_MODE;
	INIT_WORK(&t->vm->preempt.rebind_work, fake_rebind);

	t->q = kzalloc(sizeof(*t->q), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->q);
	kref_init(&t->q->refcount);
	INIT_LIST_HEAD(&t->q->multi_gt_list);
	t->q->ops = &fake_queue_ops;
	t->q->vm = t->vm;

	test->priv = t;
	preempt_test = t;
	return 0;
}

/* All of it goes, as when the device does. */
static void preempt_test_free(struct preempt_test *t)
{
	if (!t->q)
		return;
	destroy_workqueue(t->xe->preempt_fence_wq);
	destroy_workqueue(t->xe->ordered_wq);
	kfree(t->q);
	kfree(t->vm);
	t->q = NULL;
}

static void preempt_test_exit(struct kunit *test)
{
	preempt_test_free(test->priv);
	preempt_test = NULL;
}

static struct dma_fence *create_fence(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = xe_preempt_fence_create(t->q, t->context, 1);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fence);
	return fence;
}

static void flush(struct preempt_test *t)
{
	flush_workqueue(t->xe->preempt_fence_wq);
	flush_workqueue(t->xe->ordered_wq);
}

static void xe_preempt_test_freed_before_it_is_armed(struct kunit *test)
{
	struct xe_preempt_fence *pfence = xe_preempt_fence_alloc();

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pfence);
	xe_preempt_fence_free(pfence);
}

static void xe_preempt_test_armed(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, offsetof(struct xe_preempt_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, t->suspended, 0);

	dma_fence_enable_sw_signaling(fence);
	flush(t);
	xe_fence_test_last_put(test, fence);
}

static void xe_preempt_test_signaled_once_the_queue_is_suspended(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	KUNIT_EXPECT_EQ(test, t->suspended, 1);
	KUNIT_EXPECT_TRUE(test, t->q->lr.suspended);

	flush(t);
	KUNIT_EXPECT_EQ(test, t->waited, 1);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_EQ(test, t->rebound, 1);
	/* A holder of the fence does not keep the queue. */
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

static void xe_preempt_test_suspend_fails(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	t->suspend_error = -ENODEV;
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_EQ(test, t->waited, 0);
	KUNIT_EXPECT_FALSE(test, t->q->lr.suspended);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
	xe_fence_test_use(test, fence, -ENODEV);
	xe_fence_test_last_put(test, fence);
}

static void xe_preempt_test_suspend_times_out(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	t->wait_error = -ETIME;
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_EQ(test, t->waited, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
	xe_fence_test_use(test, fence, -ETIME);
	xe_fence_test_last_put(test, fence);
}

static void xe_preempt_test_queue_was_reset(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	t->reset = true;
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_EQ(test, t->waited, 0);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
	xe_fence_test_use(test, fence, -ENOENT);
	xe_fence_test_last_put(test, fence);
}

static void xe_preempt_test_enabled_once(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	for (int i = 0; i < 3; i++)
		dma_fence_enable_sw_signaling(fence);
	flush(t);
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_EQ(test, t->suspended, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
	xe_fence_test_last_put(test, fence);
}

/* The fence had the last reference to its queue. */
static void xe_preempt_test_queue_goes_with_the_signal(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	xe_exec_queue_put(t->q);
	KUNIT_EXPECT_EQ(test, t->finished, 0);
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_EQ(test, t->finished, 1);
	xe_fence_test_use(test, fence, 1);
	xe_fence_test_last_put(test, fence);
}

static void block(struct work_struct *w)
{
	msleep(20);
}

/* Nobody but the work that signals it has a reference left. */
static void xe_preempt_test_dropped_before_it_is_signaled(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = {};
	struct work_struct first;

	INIT_WORK_ONSTACK(&first, block);
	queue_work(t->xe->preempt_fence_wq, &first);
	KUNIT_EXPECT_EQ(test, xe_fence_test_add(fence, &cb), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	dma_fence_put(fence);
	rcu_barrier();

	flush(t);
	destroy_work_on_stack(&first);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_EQ(test, kref_read(&t->q->refcount), 1);
}

/* R7: not mine, and mine but signaled, are the same. */
static void xe_preempt_test_recognised_until_it_signals(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct dma_fence *stub = dma_fence_get_stub();

	KUNIT_EXPECT_TRUE(test, xe_fence_is_xe_preempt(fence));
	KUNIT_EXPECT_FALSE(test, xe_fence_is_xe_preempt(stub));
	dma_fence_enable_sw_signaling(fence);
	flush(t);
	KUNIT_EXPECT_FALSE(test, xe_fence_is_xe_preempt(fence));
	dma_fence_put(stub);
	xe_fence_test_last_put(test, fence);
}

/* Somebody holds a preempt fence of a device that is unbound, for ever. */
static void xe_preempt_test_held_while_the_device_goes(struct kunit *test)
{
	struct preempt_test *t = test->priv;
	struct device *dev = t->xe->drm.dev;
	struct dma_fence *fence = create_fence(test);

	dma_fence_enable_sw_signaling(fence);
	preempt_test_free(t);	/* waits for the work */
	synchronize_rcu();
	drm_kunit_helper_free_device(test, dev);

	xe_fence_test_use(test, fence, 1);
	KUNIT_EXPECT_FALSE(test, xe_fence_is_xe_preempt(fence));
	xe_fence_test_last_put(test, fence);
	rcu_barrier();
}

static struct kunit_case preempt_fence_test_cases[] = {
	KUNIT_CASE(xe_preempt_test_freed_before_it_is_armed),
	KUNIT_CASE(xe_preempt_test_armed),
	KUNIT_CASE(xe_preempt_test_signaled_once_the_queue_is_suspended),
	KUNIT_CASE(xe_preempt_test_suspend_fails),
	KUNIT_CASE(xe_preempt_test_suspend_times_out),
	KUNIT_CASE(xe_preempt_test_queue_was_reset),
	KUNIT_CASE(xe_preempt_test_enabled_once),
	KUNIT_CASE(xe_preempt_test_queue_goes_with_the_signal),
	KUNIT_CASE(xe_preempt_test_dropped_before_it_is_signaled),
	KUNIT_CASE(xe_preempt_test_recognised_until_it_signals),
	KUNIT_CASE(xe_preempt_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite preempt_fence_suite = {
	.name = "xe_preempt_fence",
	.test_cases = preempt_fence_test_cases,
	.init = preempt_test_init,
	.exit = preempt_test_exit,
};

kunit_test_suites(&preempt_fence_suite);
