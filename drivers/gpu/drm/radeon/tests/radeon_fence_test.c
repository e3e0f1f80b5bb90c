// SPDX-License-Identifier: MIT
/*
 * How radeon tells its own fences from those of other drivers. There is no GPU: its
 * fences are initialized as radeon_fence_emit() does.
 */

#include <kunit/test.h>

#include <linux/dma-resv.h>
#include <linux/vmalloc.h>

#include "mock-issuer.h"

/**
 * struct radeon_test - what a case of this suite has
 * @rdev: a device, and another one, as much of them as fences need
 * @resv: the reservation object of a buffer
 * @sync: what @rdev[0] is to wait for before it uses that
 */
struct radeon_test {
	struct radeon_device *rdev[2];
	struct dma_resv resv;
	struct radeon_sync sync;
};

KUNIT_DEFINE_ACTION_WRAPPER(radeon_test_free, vfree, void *);

static int radeon_test_init(struct kunit *test)
{
	struct radeon_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	for (int i = 0; i < 2; i++) {
		t->rdev[i] = vzalloc(sizeof(*t->rdev[i]));
		KUNIT_ASSERT_NOT_NULL(test, t->rdev[i]);
		KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, radeon_test_free,
								   t->rdev[i]));
		init_waitqueue_head(&t->rdev[i]->fence_queue);
		t->rdev[i]->fence_context = dma_fence_context_alloc(RADEON_NUM_RINGS);
	}
	dma_resv_init(&t->resv);
	radeon_sync_create(&t->sync);
	test->priv = t;

	return 0;
}

static void radeon_test_exit(struct kunit *test)
{
	struct radeon_test *t = test->priv;

	if (t)
		dma_resv_fini(&t->resv);
}

static struct radeon_fence *emit(struct kunit *test, int device)
{
	struct radeon_test *t = test->priv;
	struct radeon_device *rdev = t->rdev[device];
	struct radeon_fence *fence;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	fence->rdev = rdev;
	fence->seq = ++rdev->fence_drv[0].sync_seq[0];
	dma_fence_init(&fence->base, &radeon_fence_ops, &rdev->fence_queue.lock,
		       rdev->fence_context, fence->seq);

	return fence;
}

static int sync_to(struct kunit *test, struct dma_fence *fence)
{
	struct radeon_test *t = test->priv;
	int ret;

	dma_resv_lock(&t->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(&t->resv, 1), 0);
	dma_resv_add_fence(&t->resv, fence, DMA_RESV_USAGE_WRITE);
	ret = radeon_sync_resv(t->rdev[0], &t->sync, &t->resv, false);
	dma_resv_unlock(&t->resv);

	return ret;
}

static void own_is_recognised_before_and_after_its_signal(struct kunit *test)
{
	struct radeon_fence *fence = emit(test, 0);

	KUNIT_EXPECT_PTR_EQ(test, to_radeon_fence(&fence->base), fence);
	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_PTR_EQ(test, to_radeon_fence(&fence->base), fence);
	dma_fence_put(&fence->base);
}

static void other_is_not_own(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_NULL(test, to_radeon_fence(fence));
	dma_fence_signal(fence);
	KUNIT_EXPECT_NULL(test, to_radeon_fence(fence));
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_NULL(test, to_radeon_fence(fence));
	dma_fence_put(fence);
}

static void own_is_left_to_the_rings(struct kunit *test)
{
	struct radeon_test *t = test->priv;
	struct radeon_fence *fence = emit(test, 0);

	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_PTR_EQ(test, t->sync.sync_to[0], fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(&fence->base));
	dma_fence_signal(&fence->base);
	dma_fence_put(&fence->base);
}

static void another_device_is_waited_for(struct kunit *test)
{
	struct radeon_test *t = test->priv;
	struct radeon_fence *fence = emit(test, 1);

	dma_fence_signal(&fence->base);
	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_NULL(test, t->sync.sync_to[0]);
	dma_fence_put(&fence->base);
}

/* Its enable_signaling, which a wait calls, finds that it is done. */
static void another_driver_is_waited_for(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test) |
							MOCK_ENABLE_CB | MOCK_ENABLE_FAILS);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct radeon_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, sync_to(test, fence), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_NULL(test, t->sync.sync_to[0]);
	mock_issuer_destroy(issuer);
	dma_fence_put(fence);
}

static void another_driver_that_is_gone_is_not_waited_for(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_orphan(test, mock_lock_flags(test));
	struct radeon_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, sync_to(test, fence), 0);
	KUNIT_EXPECT_NULL(test, t->sync.sync_to[0]);
	dma_fence_put(fence);
}

static struct kunit_case radeon_cases[] = {
	KUNIT_CASE(own_is_recognised_before_and_after_its_signal),
	KUNIT_CASE_PARAM(other_is_not_own, mock_lock_gen_params),
	KUNIT_CASE(own_is_left_to_the_rings),
	KUNIT_CASE(another_device_is_waited_for),
	KUNIT_CASE_PARAM(another_driver_is_waited_for, mock_lock_gen_params),
	KUNIT_CASE_PARAM(another_driver_that_is_gone_is_not_waited_for, mock_lock_gen_params),
	{}
};

static struct kunit_suite radeon_suite = {
	.name = "radeon_fence",
	.init = radeon_test_init,
	.exit = radeon_test_exit,
	.test_cases = radeon_cases,
};

kunit_test_suite(radeon_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
