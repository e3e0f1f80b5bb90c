/* SPDX-License-Identifier: GPL-2.0 AND MIT */
/*
 * What the suites of xe's fences share.
 */

#ifndef _XE_FENCE_TEST_H_
#define _XE_FENCE_TEST_H_

#include <linux/dma-fence.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include <kunit/test.h>

#include "mock-issuer.h"
#include "xe_device_types.h"

/**
 * struct xe_fence_test_cb - a callback that takes notes
 * @cb: the callback
 * @lock: a lock of xe that has to be free when it is called, or NULL
 * @locked: @lock was not
 * @called: how often it was called
 * @order: counter shared by several of these, or NULL
 * @turn: what that was when this was called, from 1
 */
struct xe_fence_test_cb {
	struct dma_fence_cb cb;
	spinlock_t *lock;
	bool locked;
	int called;
	int *order;
	int turn;
};

static inline void xe_fence_test_called(struct dma_fence *fence,
					struct dma_fence_cb *cb)
{
	struct xe_fence_test_cb *t = container_of(cb, typeof(*t), cb);

	t->called++;
	if (t->lock) {
		if (spin_trylock(t->lock))
			spin_unlock(t->lock);
		else
			t->locked = true;
	}
	if (t->order)
		t->turn = ++*t->order;
}

static inline int xe_fence_test_add(struct dma_fence *fence,
				    struct xe_fence_test_cb *t)
{
	return dma_fence_add_callback(fence, &t->cb, xe_fence_test_called);
}

/*
 * All that somebody does with a signaled fence that he holds. If it still leads
 * to xe, whose memory is freed by then, KASAN lets the test fail.
 */
static inline void xe_fence_test_use(struct kunit *test, struct dma_fence *fence,
				     int status)
{
	unsigned long flags;

	KUNIT_ASSERT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), status);

	dma_fence_lock_irqsave(fence, flags);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled_locked(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_signal_locked(fence), -EINVAL);
	dma_fence_unlock_irqrestore(fence, flags);

	mock_fence_use(test, fence);
}

/* A fence that nobody else holds any more. */
static inline void xe_fence_test_last_put(struct kunit *test,
					  struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_put(fence);
}

static inline const char *xe_fence_test_foreign_name(struct dma_fence *fence)
{
	return "foreign";
}

static const struct dma_fence_ops xe_fence_test_foreign_ops = {
	.get_driver_name = xe_fence_test_foreign_name,
	.get_timeline_name = xe_fence_test_foreign_name,
};

/* A fence of another driver. */
static inline void xe_fence_test_init_foreign(struct dma_fence *fence)
{
	dma_fence_init(fence, &xe_fence_test_foreign_ops, NULL,
		       dma_fence_context_alloc(1), 1);
}

/* Somebody keeps the device awake, as its jobs do, until ... */
static inline void xe_fence_test_wake_up(struct xe_device *xe)
{
	pm_runtime_set_active(xe->drm.dev);
	pm_runtime_get_noresume(xe->drm.dev);
	pm_runtime_enable(xe->drm.dev);
}

/* ... this, before the device goes. */
static inline void xe_fence_test_let_sleep(struct device *dev)
{
	pm_runtime_disable(dev);
	pm_runtime_put_noidle(dev);
}

#endif
