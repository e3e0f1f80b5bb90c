// SPDX-License-Identifier: GPL-2.0
/*
 * The out-fences of CRTCs and writeback connectors, which find what issued them through
 * its lock.
 */

#include <linux/dma-fence.h>
#include <linux/rcupdate.h>

#include <drm/drm_crtc.h>
#include <drm/drm_drv.h>
#include <drm/drm_kunit_helpers.h>
#include <drm/drm_writeback.h>

#include <kunit/test.h>

#include "../drm_crtc_internal.h"

/**
 * struct out_fence_test - what a case of this suite has
 * @drm: the device
 * @crtc: its CRTC
 * @wb: a writeback connector of it, as much as fences need
 */
struct out_fence_test {
	struct drm_device *drm;
	struct drm_crtc *crtc;
	struct drm_writeback_connector wb;
};

static const struct drm_driver out_fence_driver = {
	.driver_features = DRIVER_MODESET | DRIVER_ATOMIC,
	.name = "out-fence-test",
};

static int out_fence_test_init(struct kunit *test)
{
	struct out_fence_test *t;
	struct drm_plane *plane;
	struct device *dev;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	t->drm = __drm_kunit_helper_alloc_drm_device_with_driver(test, dev, sizeof(*t->drm), 0,
								 &out_fence_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->drm);
	plane = drm_kunit_helper_create_primary_plane(test, t->drm, NULL, NULL, NULL, 0,
						      NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, plane);
	t->crtc = drm_kunit_helper_create_crtc(test, t->drm, plane, NULL, NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t->crtc);

	t->wb.base.dev = t->drm;
	t->wb.base.connector_type = DRM_MODE_CONNECTOR_WRITEBACK;
	t->wb.fence_context = dma_fence_context_alloc(1);
	spin_lock_init(&t->wb.fence_lock);
	strscpy(t->wb.timeline_name, "CONNECTOR:test");

	test->priv = t;
	return 0;
}

/* The names, asked for by somebody who found the fence not yet signaled. */
static void expect_names(struct kunit *test, struct dma_fence *fence, const char *driver,
			 const char *timeline, bool signal_meanwhile)
{
	const char *its_driver, *its_timeline;
	const struct dma_fence_ops *ops;

	rcu_read_lock();
	ops = rcu_dereference(fence->ops);
	if (signal_meanwhile)
		dma_fence_signal(fence);
	its_driver = ops->get_driver_name(fence);
	its_timeline = ops->get_timeline_name(fence);
	rcu_read_unlock();

	/* What these point to stays. */
	KUNIT_EXPECT_STREQ(test, its_driver, driver);
	KUNIT_EXPECT_STREQ(test, its_timeline, timeline);
}

static struct dma_fence *crtc_fence(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = drm_crtc_create_fence(t->crtc);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &t->crtc->fence_lock);
	return fence;
}

static struct dma_fence *writeback_fence(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = drm_writeback_get_out_fence(&t->wb);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &t->wb.fence_lock);
	return fence;
}

static void of_a_crtc_has_its_names(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = crtc_fence(test);

	expect_names(test, fence, out_fence_driver.name, t->crtc->timeline_name, false);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void of_a_crtc_is_asked_while_it_signals(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = crtc_fence(test);

	expect_names(test, fence, out_fence_driver.name, t->crtc->timeline_name, true);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(fence->ops));
	dma_fence_put(fence);
}

static void of_a_writeback_connector_has_its_names(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = writeback_fence(test);

	expect_names(test, fence, out_fence_driver.name, t->wb.timeline_name, false);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void of_a_writeback_connector_is_asked_while_it_signals(struct kunit *test)
{
	struct out_fence_test *t = test->priv;
	struct dma_fence *fence = writeback_fence(test);

	expect_names(test, fence, out_fence_driver.name, t->wb.timeline_name, true);
	dma_fence_put(fence);
}

static struct kunit_case out_fence_cases[] = {
	KUNIT_CASE(of_a_crtc_has_its_names),
	KUNIT_CASE(of_a_crtc_is_asked_while_it_signals),
	KUNIT_CASE(of_a_writeback_connector_has_its_names),
	KUNIT_CASE(of_a_writeback_connector_is_asked_while_it_signals),
	{}
};

static struct kunit_suite out_fence_suite = {
	.name = "drm_out_fence",
	.init = out_fence_test_init,
	.test_cases = out_fence_cases,
};

kunit_test_suite(out_fence_suite);

MODULE_DESCRIPTION("KUnit tests for the out-fences of CRTCs and writeback connectors");
MODULE_LICENSE("GPL");
