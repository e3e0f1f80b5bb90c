// SPDX-License-Identifier: MIT
/*
 * The fences of a ring: emitted without a job, processed, forced, and held while
 * the device goes. What jobs add is in amdgpu_job_test.c.
 */

#include <linux/dma-fence-array.h>
#include <linux/dma-resv.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>

#include "amdgpu_mock.h"

/* The slots of the ring's array of fences. */
#define SLOTS	4

static int fence_test_init(struct kunit *test)
{
	struct amdgpu_mock *mock = amdgpu_mock_create(test);

	KUNIT_ASSERT_EQ(test, mock->ring->fence_drv.num_fences_mask, SLOTS - 1);
	test->priv = mock;
	return 0;
}

static void emit_fences(struct amdgpu_mock *mock, struct dma_fence **fences, int n)
{
	for (int i = 0; i < n; i++)
		fences[i] = amdgpu_mock_emit(mock);
}

static void put_fences(struct kunit *test, struct dma_fence **fences, int n)
{
	for (int i = 0; i < n; i++)
		amdgpu_mock_last_put(test, fences[i]);
}

static void expect_signaled(struct kunit *test, struct dma_fence **fences, int n, int first)
{
	for (int i = 0; i < n; i++)
		KUNIT_EXPECT_EQ_MSG(test, dma_fence_test_signaled_flag(fences[i]), i < first,
				    "fence %d of %d, of which %d have signaled", i, n, first);
}

static void amdgpu_fence_test_first_in_its_own_memory(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fence = amdgpu_mock_emit(mock);
	const struct dma_fence_ops *ops = rcu_access_pointer(fence->ops);

	KUNIT_EXPECT_EQ(test, offsetof(struct amdgpu_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, ops->release, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ops->wait, NULL);

	amdgpu_mock_complete_all(mock->ring);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_fence_test_emitted(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_ring *ring = mock->ring;
	int before = amdgpu_mock_awake(mock);
	struct dma_fence *fence;

	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(ring), 0);
	fence = amdgpu_mock_emit(mock);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(ring), 1);

	/* what the hardware was told */
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->emitted), 1);
	KUNIT_EXPECT_EQ(test, mock->seq, 1);
	KUNIT_EXPECT_EQ(test, mock->addr, ring->fence_gpu_addr);
	KUNIT_EXPECT_EQ(test, mock->flags, AMDGPU_FENCE_FLAG_INT);

	KUNIT_EXPECT_EQ(test, fence->seqno, 1);
	KUNIT_EXPECT_EQ(test, fence->context, mock->adev->fence_context + ring->idx);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	mock_expect_names(test, fence, "amdgpu", "sdma0");
	/* the ring's and ours */
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before + IS_ENABLED(CONFIG_PM));

	amdgpu_mock_complete_all(ring);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(ring), 0);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_fence_test_signaled_by_interrupt(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fence = amdgpu_mock_emit(mock);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	KUNIT_EXPECT_FALSE(test, amdgpu_fence_process(mock->ring));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	amdgpu_mock_complete(mock->ring, fence->seqno);
	KUNIT_EXPECT_TRUE(test, amdgpu_fence_process(mock->ring));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, 0);
	KUNIT_EXPECT_FALSE(test, amdgpu_fence_process(mock->ring));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);

	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_fence_test_dropped_before_it_is_signaled(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fence = amdgpu_mock_emit(mock);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	dma_fence_put(fence);
	rcu_barrier();
	amdgpu_mock_complete_all(mock->ring);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
}

static void amdgpu_fence_test_all_up_to_the_seqno(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[SLOTS];

	emit_fences(mock, fences, SLOTS);
	expect_signaled(test, fences, SLOTS, 0);
	amdgpu_mock_complete(mock->ring, fences[2]->seqno);
	amdgpu_fence_process(mock->ring);
	expect_signaled(test, fences, SLOTS, 3);
	amdgpu_mock_complete(mock->ring, fences[3]->seqno);
	amdgpu_fence_process(mock->ring);
	expect_signaled(test, fences, SLOTS, 4);
	put_fences(test, fences, SLOTS);
}

static void amdgpu_fence_test_array_wraps_around(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[5 * SLOTS];
	int done = 0;

	/* Always three on their way, and completed by two. */
	for (int i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = amdgpu_mock_emit(mock);
		if (i - done == SLOTS - 1) {
			done += 2;
			amdgpu_mock_complete(mock->ring, fences[done - 1]->seqno);
			KUNIT_EXPECT_TRUE(test, amdgpu_fence_process(mock->ring));
		}
		expect_signaled(test, fences, i + 1, done);
	}
	amdgpu_mock_complete_all(mock->ring);
	expect_signaled(test, fences, ARRAY_SIZE(fences), ARRAY_SIZE(fences));
	put_fences(test, fences, ARRAY_SIZE(fences));
}

static void amdgpu_fence_test_seqno_wraps_around(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_fence_driver *drv = &mock->ring->fence_drv;
	struct dma_fence *fences[SLOTS];

	drv->sync_seq = U32_MAX - 2;
	atomic_set(&drv->last_seq, drv->sync_seq);
	amdgpu_mock_complete(mock->ring, drv->sync_seq);

	emit_fences(mock, fences, SLOTS);
	KUNIT_EXPECT_EQ(test, fences[1]->seqno, U32_MAX);
	KUNIT_EXPECT_EQ(test, fences[2]->seqno, 0);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(mock->ring), SLOTS);
	for (int i = 0; i < SLOTS; i++) {
		amdgpu_mock_complete(mock->ring, fences[i]->seqno);
		KUNIT_EXPECT_TRUE(test, amdgpu_fence_process(mock->ring));
		expect_signaled(test, fences, SLOTS, i + 1);
		KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(mock->ring), SLOTS - 1 - i);
	}
	put_fences(test, fences, SLOTS);
}

/* The slot is taken: wait for who has it, of which the fallback timer hears. */
static void amdgpu_fence_test_emission_waits_for_its_slot(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[SLOTS + 1];

	emit_fences(mock, fences, SLOTS);
	amdgpu_mock_complete(mock->ring, fences[0]->seqno);
	expect_signaled(test, fences, SLOTS, 0);
	fences[SLOTS] = amdgpu_mock_emit(mock);
	expect_signaled(test, fences, SLOTS + 1, 1);

	amdgpu_mock_complete_all(mock->ring);
	expect_signaled(test, fences, SLOTS + 1, SLOTS + 1);
	put_fences(test, fences, SLOTS + 1);
}

static void amdgpu_fence_test_fallback_timer(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct timer_list *timer = &mock->ring->fence_drv.fallback_timer;
	struct dma_fence *fence = amdgpu_mock_emit(mock);

	KUNIT_EXPECT_FALSE(test, timer_pending(timer));
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_TRUE(test, timer_pending(timer));
	amdgpu_mock_complete(mock->ring, fence->seqno);
	/* there is no interrupt */
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_FALSE(test, timer_pending(timer));
	amdgpu_mock_last_put(test, fence);
}

/* As long as there is something to be done, even if nobody asks for it. */
static void amdgpu_fence_test_fallback_timer_goes_on(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct timer_list *timer = &mock->ring->fence_drv.fallback_timer;
	struct dma_fence *fences[2];

	emit_fences(mock, fences, 2);
	dma_fence_enable_sw_signaling(fences[0]);
	amdgpu_mock_complete(mock->ring, fences[0]->seqno);
	amdgpu_fence_process(mock->ring);
	expect_signaled(test, fences, 2, 1);
	KUNIT_EXPECT_TRUE(test, timer_pending(timer));
	amdgpu_mock_complete(mock->ring, fences[1]->seqno);
	mock_wait_until(test, dma_fence_test_signaled_flag(fences[1]));
	KUNIT_EXPECT_FALSE(test, timer_pending(timer));
	put_fences(test, fences, 2);
}

static void amdgpu_fence_test_polled(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_ring *ring = mock->ring;
	u32 seq = 0;

	KUNIT_EXPECT_EQ(test, amdgpu_fence_emit_polling(ring, NULL, 100), -EINVAL);
	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit_polling(ring, &seq, 100), 0);
	KUNIT_EXPECT_EQ(test, seq, 1);
	KUNIT_EXPECT_EQ(test, mock->seq, 1);
	KUNIT_EXPECT_EQ(test, mock->flags, 0);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_wait_polling(ring, seq, 100), 0);
	amdgpu_mock_complete(ring, seq);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_wait_polling(ring, seq, 100), 100);

	/* One is left in case somebody wants a fence. */
	for (int i = 0; i < SLOTS - 1; i++)
		KUNIT_EXPECT_EQ(test, amdgpu_fence_emit_polling(ring, &seq, 100), 0);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_emit_polling(ring, &seq, 100), -ETIMEDOUT);
}

static void amdgpu_fence_test_polled_in_between(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[2];
	u32 seq;

	fences[0] = amdgpu_mock_emit(mock);
	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit_polling(mock->ring, &seq, 100), 0);
	fences[1] = amdgpu_mock_emit(mock);

	amdgpu_mock_complete(mock->ring, seq);
	KUNIT_EXPECT_GT(test, amdgpu_fence_wait_polling(mock->ring, seq, 100), 0);
	/* who polls signals nothing */
	expect_signaled(test, fences, 2, 0);
	amdgpu_fence_process(mock->ring);
	expect_signaled(test, fences, 2, 1);
	amdgpu_mock_complete_all(mock->ring);
	expect_signaled(test, fences, 2, 2);
	put_fences(test, fences, 2);
}

static void amdgpu_fence_test_wait_for_the_last(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[2];

	KUNIT_EXPECT_EQ(test, amdgpu_fence_wait_empty(mock->ring), 0);
	emit_fences(mock, fences, 2);
	/* of which only the fallback timer will hear */
	amdgpu_mock_complete(mock->ring, fences[1]->seqno);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_wait_empty(mock->ring), 0);
	expect_signaled(test, fences, 2, 2);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_wait_empty(mock->ring), 0);
	put_fences(test, fences, 2);
}

static void amdgpu_fence_test_start_timestamp(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_ring *ring = mock->ring;
	struct dma_fence *fence;

	KUNIT_EXPECT_EQ(test, amdgpu_fence_last_unsignaled_time_us(ring), 0);
	fence = amdgpu_mock_emit(mock);
	KUNIT_EXPECT_LT(test, amdgpu_fence_last_unsignaled_time_us(ring), 10 * USEC_PER_SEC);
	amdgpu_fence_update_start_timestamp(ring, fence->seqno,
					    ktime_sub_us(ktime_get(), 1000 * USEC_PER_SEC));
	KUNIT_EXPECT_GE(test, amdgpu_fence_last_unsignaled_time_us(ring), 1000 * USEC_PER_SEC);

	amdgpu_mock_complete_all(ring);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_last_unsignaled_time_us(ring), 0);
	/* It is gone from the ring, nothing happens. */
	amdgpu_fence_update_start_timestamp(ring, fence->seqno, ktime_get());
	amdgpu_mock_last_put(test, fence);
}

/* R7: it is still on the ring, but as good as anybody's. */
static void amdgpu_fence_test_signaled_by_somebody_else(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_ring *ring = mock->ring;
	int before = amdgpu_mock_awake(mock);
	struct dma_fence *fences[2];

	emit_fences(mock, fences, 2);
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fences[0]), 0);
	synchronize_rcu();

	amdgpu_fence_last_unsignaled_time_us(ring);
	amdgpu_fence_update_start_timestamp(ring, fences[0]->seqno, ktime_get());
	amdgpu_fence_driver_set_error(ring, -EIO);
	amdgpu_mock_use(test, fences[0], 1);

	amdgpu_mock_complete_all(ring);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[1]), -EIO);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before);
	put_fences(test, fences, 2);
}

static void amdgpu_fence_test_error_set(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[3];

	amdgpu_fence_driver_set_error(mock->ring, -EIO);
	emit_fences(mock, fences, 3);
	amdgpu_mock_complete(mock->ring, fences[0]->seqno);
	amdgpu_fence_process(mock->ring);

	amdgpu_fence_driver_set_error(mock->ring, -EIO);
	expect_signaled(test, fences, 3, 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), 1);
	amdgpu_mock_complete_all(mock->ring);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[1]), -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[2]), -EIO);
	put_fences(test, fences, 3);
}

static void amdgpu_fence_test_completion_forced(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct mock_cb cb = {};
	int before = amdgpu_mock_awake(mock);
	struct dma_fence *fences[SLOTS];

	emit_fences(mock, fences, SLOTS);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fences[3], &cb.base, mock_cb_func), 0);
	amdgpu_mock_complete(mock->ring, fences[0]->seqno);
	amdgpu_fence_process(mock->ring);

	amdgpu_fence_driver_force_completion(mock->ring, fences[1]);
	expect_signaled(test, fences, SLOTS, SLOTS);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[1]), -ETIME);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[2]), -ECANCELED);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[3]), -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ECANCELED);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(mock->ring), 0);
	put_fences(test, fences, SLOTS);
}

static irqreturn_t interrupted(int irq, void *data)
{
	amdgpu_fence_process(data);
	return IRQ_HANDLED;
}

static void free_interrupt(void *data)
{
	struct amdgpu_mock *mock = data;
	int irq = mock->adev->irq.irq;

	free_irq(irq, mock->ring);
	irq_free_desc(irq);
}

/* An interrupt line that nothing but the test is on. */
static void raise_interrupt(struct amdgpu_mock *mock)
{
	KUNIT_EXPECT_EQ(mock->test, generic_handle_irq_safe(mock->adev->irq.irq), 0);
}

static void amdgpu_fence_test_interrupts_stopped_and_started(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct amdgpu_device *adev = mock->adev;
	struct dma_fence *fences[2];
	int irq = irq_alloc_desc(NUMA_NO_NODE);

	KUNIT_ASSERT_GT(test, irq, 0);
	irq_set_chip_and_handler(irq, &dummy_irq_chip, handle_simple_irq);
	irq_clear_status_flags(irq, IRQ_NOREQUEST);
	KUNIT_ASSERT_EQ(test, request_irq(irq, interrupted, 0, "amdgpu-mock", mock->ring), 0);
	adev->irq.irq = irq;
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, free_interrupt, mock), 0);

	emit_fences(mock, fences, 2);
	amdgpu_mock_complete(mock->ring, fences[0]->seqno);
	raise_interrupt(mock);
	/* On PREEMPT_RT a thread handles it. The fallback timer takes longer. */
	synchronize_irq(irq);
	expect_signaled(test, fences, 2, 1);

	amdgpu_fence_driver_isr_toggle(adev, true);
	amdgpu_mock_complete(mock->ring, fences[1]->seqno);
	raise_interrupt(mock);
	expect_signaled(test, fences, 2, 1);

	amdgpu_fence_driver_isr_toggle(adev, false);
	raise_interrupt(mock);
	/* The one that was held back may just be handled by another CPU. */
	mock_wait_until(test, dma_fence_test_signaled_flag(fences[1]));
	put_fences(test, fences, 2);
	kunit_release_action(test, free_interrupt, mock);
}

static void amdgpu_fence_test_suspended_and_resumed(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	int enabled = atomic_read(&mock->irq_enabled);
	struct dma_fence *fences[3];

	KUNIT_EXPECT_GT(test, enabled, 0);
	KUNIT_EXPECT_EQ(test, mock->irq_state, AMDGPU_IRQ_STATE_ENABLE);
	emit_fences(mock, fences, 2);
	amdgpu_mock_complete(mock->ring, fences[1]->seqno);
	amdgpu_fence_driver_hw_fini(mock->adev);
	expect_signaled(test, fences, 2, 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->irq_enabled), 0);
	KUNIT_EXPECT_EQ(test, mock->irq_state, AMDGPU_IRQ_STATE_DISABLE);
	KUNIT_EXPECT_FALSE(test, timer_pending(&mock->ring->fence_drv.fallback_timer));
	for (int i = 0; i < 2; i++)
		amdgpu_mock_use(test, fences[i], 1);

	amdgpu_fence_driver_hw_init(mock->adev);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->irq_enabled), enabled);
	KUNIT_EXPECT_EQ(test, mock->irq_state, AMDGPU_IRQ_STATE_ENABLE);
	fences[2] = amdgpu_mock_emit(mock);
	KUNIT_EXPECT_EQ(test, fences[2]->seqno, 3);
	dma_fence_enable_sw_signaling(fences[2]);
	amdgpu_mock_complete(mock->ring, fences[2]->seqno);
	mock_wait_fence(test, fences[2]);
	put_fences(test, fences, 3);
}

/* S0ix leaves the interrupts of what GFXOFF covers alone. */
static void amdgpu_fence_test_suspended_to_idle(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fence = amdgpu_mock_emit(mock);
	int enabled = atomic_read(&mock->irq_enabled);

	mock->adev->in_s0ix = true;
	amdgpu_mock_complete(mock->ring, fence->seqno);
	amdgpu_fence_driver_hw_fini(mock->adev);
	/* of the KIQ, but not of SDMAs that are older than 5.0 */
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->irq_enabled), 1);
	amdgpu_fence_driver_hw_init(mock->adev);
	KUNIT_EXPECT_EQ(test, atomic_read(&mock->irq_enabled), enabled);
	mock->adev->in_s0ix = false;
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	amdgpu_mock_last_put(test, fence);
}

/* Nobody will ever complete these. */
static void amdgpu_fence_test_held_while_the_device_is_pulled_out(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fences[SLOTS], *other = NULL;
	struct mock_cb cb = {};

	emit_fences(mock, fences, SLOTS);
	/* on a ring that no scheduler has to stop for */
	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit(mock->kiq, &other, NULL, 0), 0);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fences[1], &cb.base, mock_cb_func), 0);
	amdgpu_mock_unplug(mock);
	amdgpu_mock_unload(mock);

	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ECANCELED);
	for (int i = 0; i < SLOTS; i++)
		amdgpu_mock_use(test, fences[i], -ECANCELED);
	amdgpu_mock_use(test, other, -ECANCELED);
	put_fences(test, fences, SLOTS);
	amdgpu_mock_last_put(test, other);
	rcu_barrier();
}

static void amdgpu_fence_test_held_while_the_device_goes(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct mock_waiter *waiter;
	struct dma_fence *fences[SLOTS];

	emit_fences(mock, fences, 1);
	amdgpu_mock_complete_all(mock->ring);
	emit_fences(mock, fences + 1, 3);
	dma_fence_enable_sw_signaling(fences[2]);
	waiter = mock_waiter_start(test, fences[3], false, 10 * HZ);
	amdgpu_mock_unload(mock);

	KUNIT_EXPECT_GT(test, mock_waiter_join(waiter), 0);
	for (int i = 0; i < SLOTS; i++)
		amdgpu_mock_use(test, fences[i], 1);
	put_fences(test, fences, SLOTS);
	rcu_barrier();
}

/* Put into everything that holds fences, as long as they are pending. */
static void amdgpu_fence_test_used_from_before_to_after(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *fence = amdgpu_mock_emit(mock);
	struct dma_fence_array *array = mock_fence_array_create(test, fence);
	struct dma_resv resv;

	dma_resv_init(&resv);
	dma_resv_lock(&resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(&resv, 1), 0);
	dma_resv_add_fence(&resv, fence, DMA_RESV_USAGE_WRITE);
	dma_resv_unlock(&resv);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(&resv, DMA_RESV_USAGE_READ));

	amdgpu_mock_unload(mock);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(&resv, DMA_RESV_USAGE_READ));
	mock_wait_fence(test, &array->base);
	amdgpu_mock_use(test, fence, 1);
	dma_resv_fini(&resv);
	dma_fence_put(&array->base);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

/* R11: what fences lead to is freed next. The schedulers' own wait does not count. */
static void amdgpu_fence_test_teardown_waits_for_a_grace_period(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct rcu_gp_oldstate before;

	drm_sched_fini(&mock->ring->sched);
	mock->ring->sched.ops = NULL;
	drm_sched_fini(&mock->other->sched);
	mock->other->sched.ops = NULL;
	amdgpu_fence_driver_hw_fini(mock->adev);
	get_state_synchronize_rcu_full(&before);
	amdgpu_fence_driver_sw_fini(mock->adev);
	KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&before));
}

/* R11: emitted when nobody waits for the hardware any more. */
static void amdgpu_fence_test_left_on_the_ring_at_its_end(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	int before = amdgpu_mock_awake(mock);
	struct dma_fence *fence;
	struct mock_cb cb = {};

	amdgpu_fence_driver_hw_fini(mock->adev);
	fence = amdgpu_mock_emit(mock);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	KUNIT_EXPECT_TRUE(test, timer_pending(&mock->ring->fence_drv.fallback_timer));
	amdgpu_fence_driver_fini_rings(mock->adev);
	KUNIT_EXPECT_FALSE_MSG(test, timer_pending(&mock->ring->fence_drv.fallback_timer),
			       "it reads memory that is freed next");
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before);
	amdgpu_fence_driver_sw_fini(mock->adev);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ENODEV);

	amdgpu_mock_unload(mock);
	amdgpu_mock_use(test, fence, -ENODEV);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

#define RACE_FENCES	2000

struct fence_race {
	struct amdgpu_mock *mock;
	struct mock_cb *cbs;
	struct task_struct *threads[3];
	int n;
};

static bool race_goes_on(struct fence_race *race)
{
	cond_resched();
	return !kthread_should_stop();
}

/* The interrupt handler, of which there is one, but also the timer and debugfs. */
static int race_process(void *data)
{
	struct fence_race *race = data;

	while (race_goes_on(race))
		amdgpu_fence_process(race->mock->ring);
	return 0;
}

/* Somebody writes to debugfs, and reads. */
static int race_look(void *data)
{
	struct fence_race *race = data;
	struct amdgpu_ring *ring = race->mock->ring;

	while (race_goes_on(race)) {
		amdgpu_fence_driver_set_error(ring, -EIO);
		amdgpu_fence_last_unsignaled_time_us(ring);
		amdgpu_fence_wait_empty(ring);
	}
	return 0;
}

static int (* const race_threads[])(void *) = { race_process, race_process, race_look };

static void stop_race(void *data)
{
	struct fence_race *race = data;

	while (race->n)
		kthread_stop(race->threads[--race->n]);
}

static void amdgpu_fence_test_processed_and_looked_at_by_many(struct kunit *test)
{
	struct amdgpu_mock *mock = test->priv;
	struct dma_fence *last = NULL;
	int before = amdgpu_mock_awake(mock);
	struct fence_race *race;

	race = kunit_kzalloc(test, sizeof(*race), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race);
	race->mock = mock;
	race->cbs = kunit_kcalloc(test, RACE_FENCES, sizeof(*race->cbs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race->cbs);
	KUNIT_ASSERT_EQ(test, kunit_add_action(test, stop_race, race), 0);
	for (int i = 0; i < ARRAY_SIZE(race_threads); i++) {
		race->threads[i] = kthread_run(race_threads[i], race, "fence-race/%d", i);
		KUNIT_ASSERT_FALSE(test, IS_ERR(race->threads[i]));
		race->n++;
	}

	for (int i = 0; i < RACE_FENCES; i++) {
		struct dma_fence *fence = amdgpu_mock_emit(mock);

		amdgpu_mock_complete(mock->ring, fence->seqno);
		/* A fence that is done already has called nobody, which counts as well. */
		if (dma_fence_add_callback(fence, &race->cbs[i].base, mock_cb_func))
			atomic_inc(&race->cbs[i].count);
		dma_fence_put(last);
		last = fence;
	}
	mock_wait_fence(test, last);
	kunit_release_action(test, stop_race, race);
	/* It may be at one of those before the last. */
	timer_delete_sync(&mock->ring->fence_drv.fallback_timer);

	for (int i = 0; i < RACE_FENCES; i++)
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&race->cbs[i].count), 1, "fence %d", i);
	KUNIT_EXPECT_EQ(test, amdgpu_fence_count_emitted(mock->ring), 0);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(mock), before);
	amdgpu_mock_last_put(test, last);
}

static struct kunit_case fence_test_cases[] = {
	KUNIT_CASE(amdgpu_fence_test_first_in_its_own_memory),
	KUNIT_CASE(amdgpu_fence_test_emitted),
	KUNIT_CASE(amdgpu_fence_test_signaled_by_interrupt),
	KUNIT_CASE(amdgpu_fence_test_dropped_before_it_is_signaled),
	KUNIT_CASE(amdgpu_fence_test_all_up_to_the_seqno),
	KUNIT_CASE(amdgpu_fence_test_array_wraps_around),
	KUNIT_CASE(amdgpu_fence_test_seqno_wraps_around),
	KUNIT_CASE(amdgpu_fence_test_emission_waits_for_its_slot),
	KUNIT_CASE(amdgpu_fence_test_fallback_timer),
	KUNIT_CASE(amdgpu_fence_test_fallback_timer_goes_on),
	KUNIT_CASE(amdgpu_fence_test_polled),
	KUNIT_CASE(amdgpu_fence_test_polled_in_between),
	KUNIT_CASE(amdgpu_fence_test_wait_for_the_last),
	KUNIT_CASE(amdgpu_fence_test_start_timestamp),
	KUNIT_CASE(amdgpu_fence_test_signaled_by_somebody_else),
	KUNIT_CASE(amdgpu_fence_test_error_set),
	KUNIT_CASE(amdgpu_fence_test_completion_forced),
	KUNIT_CASE(amdgpu_fence_test_interrupts_stopped_and_started),
	KUNIT_CASE(amdgpu_fence_test_suspended_and_resumed),
	KUNIT_CASE(amdgpu_fence_test_suspended_to_idle),
	KUNIT_CASE(amdgpu_fence_test_held_while_the_device_is_pulled_out),
	KUNIT_CASE(amdgpu_fence_test_held_while_the_device_goes),
	KUNIT_CASE(amdgpu_fence_test_used_from_before_to_after),
	KUNIT_CASE(amdgpu_fence_test_teardown_waits_for_a_grace_period),
	KUNIT_CASE(amdgpu_fence_test_left_on_the_ring_at_its_end),
	KUNIT_CASE(amdgpu_fence_test_processed_and_looked_at_by_many),
	{}
};

static struct kunit_suite fence_test_suite = {
	.name = "amdgpu_fence",
	.test_cases = fence_test_cases,
	.init = fence_test_init,
};

kunit_test_suite(fence_test_suite);
