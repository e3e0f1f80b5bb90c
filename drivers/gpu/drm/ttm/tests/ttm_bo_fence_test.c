// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * What becomes of the fences of a buffer object that is deleted while it is busy.
 */

#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "ttm_kunit_helpers.h"

#define BO_SIZE		SZ_4K

/**
 * struct bo_fence - a fence that takes notes
 * @base: the fence
 * @enabler: who enabled signaling
 * @looks: at which look at it bo_fence_signals_meanwhile() signals it
 * @signaler: whose look that was
 */
struct bo_fence {
	struct dma_fence base;
	struct task_struct *enabler;
	int looks;
	struct task_struct *signaler;
};

static const char *bo_fence_name(struct dma_fence *fence)
{
	return "ttm-bo-fence";
}

static bool bo_fence_enable_signaling(struct dma_fence *fence)
{
	container_of(fence, struct bo_fence, base)->enabler = current;
	return true;
}

static bool bo_fence_signaled(struct dma_fence *fence)
{
	return false;
}

/* As if another CPU signaled the fence just after it was found busy. */
static bool bo_fence_signals_meanwhile(struct dma_fence *fence)
{
	struct bo_fence *f = container_of(fence, struct bo_fence, base);

	if (--f->looks == 0) {
		f->signaler = current;
		dma_fence_signal(fence);
	}
	return false;
}

static const struct dma_fence_ops bo_fence_ops = {
	.get_driver_name = bo_fence_name,
	.get_timeline_name = bo_fence_name,
	.enable_signaling = bo_fence_enable_signaling,
};

static const struct dma_fence_ops bo_fence_polled_ops = {
	.get_driver_name = bo_fence_name,
	.get_timeline_name = bo_fence_name,
	.enable_signaling = bo_fence_enable_signaling,
	.signaled = bo_fence_signaled,
};

static const struct dma_fence_ops bo_fence_meanwhile_ops = {
	.get_driver_name = bo_fence_name,
	.get_timeline_name = bo_fence_name,
	.enable_signaling = bo_fence_enable_signaling,
	.signaled = bo_fence_signals_meanwhile,
};

static int bo_fence_test_init(struct kunit *test)
{
	struct ttm_test_devices *priv;
	int err;

	err = ttm_test_devices_init(test);
	if (err)
		return err;

	priv = test->priv;
	priv->ttm_dev = kunit_kzalloc(test, sizeof(*priv->ttm_dev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, priv->ttm_dev);
	err = ttm_device_kunit_init(priv, priv->ttm_dev, false, false);
	KUNIT_ASSERT_EQ(test, err, 0);

	return 0;
}

/* A BO with a fence of these operations, of which the caller gets a reference. */
static struct ttm_buffer_object *busy_bo(struct kunit *test,
					 const struct dma_fence_ops *ops,
					 struct bo_fence **fence)
{
	struct ttm_buffer_object *bo;
	struct bo_fence *f;

	f = kzalloc(sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f);
	dma_fence_init(&f->base, ops, NULL, dma_fence_context_alloc(1), 1);

	bo = ttm_bo_kunit_init(test, test->priv, BO_SIZE, NULL);
	bo->type = ttm_bo_type_device;

	dma_resv_lock(bo->base.resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(bo->base.resv, 1), 0);
	dma_resv_add_fence(bo->base.resv, &f->base, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_unlock(bo->base.resv);

	*fence = f;
	return bo;
}

/* Signal the last fence of a BO that has been deleted, which then goes. */
static void idle_bo(struct kunit *test, struct bo_fence *fence)
{
	struct ttm_test_devices *priv = test->priv;

	dma_fence_signal(&fence->base);
	flush_workqueue(priv->ttm_dev->wq);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->base.refcount), 1);
	dma_fence_put(&fence->base);
}

static void that_nobody_can_poll_is_enabled(struct kunit *test)
{
	struct ttm_buffer_object *bo;
	struct bo_fence *fence;

	bo = busy_bo(test, &bo_fence_ops, &fence);
	ttm_bo_put(bo);
	KUNIT_EXPECT_PTR_EQ(test, fence->enabler, current);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	idle_bo(test, fence);
}

static void that_can_be_polled_is_left_to_the_worker(struct kunit *test)
{
	struct ttm_buffer_object *bo;
	struct bo_fence *fence;

	bo = busy_bo(test, &bo_fence_polled_ops, &fence);
	ttm_bo_put(bo);
	KUNIT_EXPECT_PTR_NE(test, fence->enabler, current);
	idle_bo(test, fence);
}

/*
 * The first look finds the BO busy. The second one is that of
 * ttm_bo_flush_all_fences(), which then meets a fence without ops. The third one would
 * be the worker's: no fence signals meanwhile then.
 */
static void that_signals_meanwhile_is_left_alone(struct kunit *test)
{
	struct ttm_buffer_object *bo;
	struct bo_fence *fence;

	for (int looks = 1; looks <= 2; looks++) {
		bo = busy_bo(test, &bo_fence_meanwhile_ops, &fence);
		fence->looks = looks;
		ttm_bo_put(bo);
		KUNIT_EXPECT_PTR_EQ(test, fence->signaler, current);
		idle_bo(test, fence);
	}
}

static struct kunit_case bo_fence_cases[] = {
	KUNIT_CASE(that_nobody_can_poll_is_enabled),
	KUNIT_CASE(that_can_be_polled_is_left_to_the_worker),
	KUNIT_CASE(that_signals_meanwhile_is_left_alone),
	{}
};

static struct kunit_suite bo_fence_suite = {
	.name = "ttm_bo_fence",
	.init = bo_fence_test_init,
	.exit = ttm_test_devices_fini,
	.test_cases = bo_fence_cases,
};

kunit_test_suite(bo_fence_suite);

MODULE_DESCRIPTION("KUnit tests for the fences of deleted TTM buffer objects");
MODULE_LICENSE("GPL and additional rights");
