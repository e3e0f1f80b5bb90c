// SPDX-License-Identifier: MIT
/*
 * The fences of channels that have their sequence number in plain memory, and how
 * they are told from those of other drivers.
 */

#include <kunit/test.h>

#include <linux/dma-resv.h>

#include "nouveau_bo.h"
#include "nouveau_chan.h"
#include "mock-issuer.h"

#define CHANNELS	3

/**
 * struct fence_test - what a case of this suite has
 * @drm: the device, as much of it as fences need
 * @other: another device
 * @cli: a client of @drm, and one of @other
 * @priv: how the devices do fences
 * @chan: the channels: two of @drm, the last one of @other
 * @seqno: what the GPU has written for each
 * @syncs: how often a channel was told to wait for another one
 * @sync_error: what came of it
 * @resv: the reservation object of @bo
 * @bo: a buffer that a channel wants to use
 */
struct fence_test {
	struct nouveau_drm drm, other;
	struct nouveau_cli cli[2];
	struct nouveau_fence_priv priv;
	struct nouveau_channel chan[CHANNELS];
	u32 seqno[CHANNELS];
	int syncs;
	int sync_error;
	struct dma_resv resv;
	struct nouveau_bo bo;
};

static struct fence_test *of_channel(struct nouveau_channel *chan)
{
	return container_of(chan - chan->chid, struct fence_test, chan[0]);
}

static int fake_emit(struct nouveau_fence *fence)
{
	return 0;
}

static u32 fake_read(struct nouveau_channel *chan)
{
	return of_channel(chan)->seqno[chan->chid];
}

static int fake_sync(struct nouveau_fence *fence, struct nouveau_channel *prev,
		     struct nouveau_channel *chan)
{
	of_channel(chan)->syncs++;
	return of_channel(chan)->sync_error;
}

static int fence_test_init(struct kunit *test)
{
	struct nouveau_fence_chan *fctx;
	struct nouveau_channel *chan;
	struct fence_test *t;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->drm.runl = kunit_kzalloc(test, sizeof(*t->drm.runl), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->drm.runl);
	t->drm.runl->context_base = dma_fence_context_alloc(CHANNELS);
	t->other.runl = t->drm.runl;
	t->drm.fence = &t->priv;
	t->other.fence = &t->priv;
	t->cli[0].drm = &t->drm;
	t->cli[1].drm = &t->other;
	strscpy(t->cli[0].name, "client");
	dma_resv_init(&t->resv);
	t->bo.bo.base.resv = &t->resv;
	test->priv = t;

	for (int i = 0; i < CHANNELS; i++) {
		fctx = kzalloc(sizeof(*fctx), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fctx);
		chan = &t->chan[i];
		chan->chid = i;
		chan->cli = &t->cli[i == CHANNELS - 1];
		fctx->emit = fake_emit;
		fctx->read = fake_read;
		fctx->sync = fake_sync;
		nouveau_fence_context_new(chan, fctx);
		chan->fence = fctx;
	}

	/* The context is made without: there is nobody to send events. */
	t->priv.uevent = test->param_value && *(const bool *)test->param_value;

	return 0;
}

static void destroy_channel(struct nouveau_channel *chan)
{
	struct nouveau_fence_chan *fctx = chan->fence;

	if (!fctx)
		return;
	chan->fence = NULL;
	nouveau_fence_context_del(fctx);
	nouveau_fence_context_free(fctx);
}

static void fence_test_exit(struct kunit *test)
{
	struct fence_test *t = test->priv;

	if (!t)
		return;
	for (int i = 0; i < CHANNELS; i++)
		destroy_channel(&t->chan[i]);
	dma_resv_fini(&t->resv);
}

static const bool polled_or_not[] = { false, true };

static void polled_or_not_desc(const bool *uevent, char *desc)
{
	strscpy(desc, *uevent ? "events" : "polled", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(uevent, polled_or_not, polled_or_not_desc);

static struct nouveau_fence *emit(struct kunit *test, int chan)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence;

	KUNIT_ASSERT_EQ(test, nouveau_fence_new(&fence, &t->chan[chan]), 0);
	return fence;
}

/* Put a fence on the buffer, and have channel 0 wait for it. */
static int sync_to(struct kunit *test, struct dma_fence *fence)
{
	struct fence_test *t = test->priv;
	int ret;

	dma_resv_lock(&t->resv, NULL);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(&t->resv, 1), 0);
	dma_resv_add_fence(&t->resv, fence, DMA_RESV_USAGE_WRITE);
	ret = nouveau_fence_sync(&t->bo, &t->chan[0], true, false);
	dma_resv_unlock(&t->resv);

	return ret;
}

static void own_is_done_when_the_gpu_says_so(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *first = emit(test, 0), *second = emit(test, 0);
	struct nouveau_fence_chan *fctx = t->chan[0].fence;

	KUNIT_EXPECT_FALSE(test, nouveau_fence_done(first));
	t->seqno[0] = 1;
	KUNIT_EXPECT_TRUE(test, nouveau_fence_done(first));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(&first->base));
	KUNIT_EXPECT_FALSE(test, nouveau_fence_done(second));
	dma_fence_enable_sw_signaling(&second->base);
	t->seqno[0] = 2;
	if (t->priv.uevent)
		nouveau_fence_wait_uevent_handler(&fctx->event, NULL, 0);
	KUNIT_EXPECT_EQ(test, nouveau_fence_wait(second, true, false), 0);
	KUNIT_EXPECT_EQ(test, nouveau_fence_wait(second, false, false), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&fctx->pending));

	nouveau_fence_unref(&first);
	nouveau_fence_unref(&second);
}

static void own_is_recognised_after_its_signal(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, 0);

	KUNIT_EXPECT_PTR_EQ(test, nouveau_local_fence(&fence->base), fence);
	t->seqno[0] = 1;
	KUNIT_EXPECT_TRUE(test, nouveau_fence_done(fence));
	KUNIT_EXPECT_PTR_EQ(test, nouveau_local_fence(&fence->base), fence);
	KUNIT_EXPECT_TRUE(test, nouveau_fence_done(fence));
	nouveau_fence_unref(&fence);
}

static void other_is_not_own(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_NULL(test, nouveau_local_fence(fence));
	dma_fence_signal(fence);
	KUNIT_EXPECT_NULL(test, nouveau_local_fence(fence));
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_NULL(test, nouveau_local_fence(fence));
	dma_fence_put(fence);
}

static void same_channel_does_not_wait(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, 0);

	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	nouveau_fence_unref(&fence);
}

static void another_channel_is_waited_for_by_the_gpu(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, 1);

	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	nouveau_fence_unref(&fence);
}

static void another_channel_is_waited_for_if_the_gpu_cannot(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, 1);

	t->sync_error = -ENOSPC;
	t->seqno[1] = 1;
	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 1);
	nouveau_fence_unref(&fence);
}

static void another_device_is_waited_for(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, CHANNELS - 1);

	t->seqno[CHANNELS - 1] = 1;
	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 0);
	nouveau_fence_unref(&fence);
}

static void channel_that_is_gone_is_not_waited_for(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence;

	/* those with events do without a wait of their own, which would not say 1 */
	t->priv.uevent = true;
	fence = emit(test, 1);
	destroy_channel(&t->chan[1]);
	KUNIT_EXPECT_EQ(test, sync_to(test, &fence->base), 0);
	KUNIT_EXPECT_EQ(test, t->syncs, 0);
	/* It keeps its ops and the context: there is a release. */
	KUNIT_EXPECT_PTR_EQ(test, nouveau_local_fence(&fence->base), fence);
	mock_fence_use(test, &fence->base);
	nouveau_fence_unref(&fence);
}

/* Its enable_signaling, which a wait calls, finds that it is done. */
static void another_driver_is_waited_for(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test) |
							MOCK_ENABLE_CB | MOCK_ENABLE_FAILS);
	struct dma_fence *fence = mock_fence_create(issuer, 1);

	KUNIT_EXPECT_EQ(test, sync_to(test, fence), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	mock_issuer_destroy(issuer);
	dma_fence_put(fence);
}

static void another_driver_that_is_gone_is_not_waited_for(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_orphan(test, mock_lock_flags(test));

	KUNIT_EXPECT_EQ(test, sync_to(test, fence), 0);
	KUNIT_EXPECT_TRUE(test, nouveau_fence_done(from_fence(fence)));
	dma_fence_put(fence);
}

static void channel_that_is_killed_fails_its_fences(struct kunit *test)
{
	struct fence_test *t = test->priv;
	struct nouveau_fence *fence = emit(test, 0);

	nouveau_fence_context_kill(t->chan[0].fence, -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&fence->base), -ENODEV);
	KUNIT_EXPECT_TRUE(test, nouveau_fence_done(fence));
	nouveau_fence_unref(&fence);
}

static struct kunit_case fence_cases[] = {
	KUNIT_CASE_PARAM(own_is_done_when_the_gpu_says_so, uevent_gen_params),
	KUNIT_CASE_PARAM(own_is_recognised_after_its_signal, uevent_gen_params),
	KUNIT_CASE(same_channel_does_not_wait),
	KUNIT_CASE(another_channel_is_waited_for_by_the_gpu),
	KUNIT_CASE(another_channel_is_waited_for_if_the_gpu_cannot),
	KUNIT_CASE(another_device_is_waited_for),
	KUNIT_CASE(channel_that_is_gone_is_not_waited_for),
	KUNIT_CASE_PARAM(channel_that_is_killed_fails_its_fences, uevent_gen_params),
	{}
};

static struct kunit_suite fence_suite = {
	.name = "nouveau_fence",
	.init = fence_test_init,
	.exit = fence_test_exit,
	.test_cases = fence_cases,
};

/* Those whose parameter is the lock of somebody else's fence. */
static int foreign_fence_test_init(struct kunit *test)
{
	const void *param = test->param_value;
	int ret;

	test->param_value = NULL;
	ret = fence_test_init(test);
	test->param_value = param;

	return ret;
}

static struct kunit_case foreign_fence_cases[] = {
	KUNIT_CASE_PARAM(other_is_not_own, mock_lock_gen_params),
	KUNIT_CASE_PARAM(another_driver_is_waited_for, mock_lock_gen_params),
	KUNIT_CASE_PARAM(another_driver_that_is_gone_is_not_waited_for, mock_lock_gen_params),
	{}
};

static struct kunit_suite foreign_fence_suite = {
	.name = "nouveau_foreign_fence",
	.init = foreign_fence_test_init,
	.exit = fence_test_exit,
	.test_cases = foreign_fence_cases,
};

kunit_test_suites(&fence_suite, &foreign_fence_suite);
