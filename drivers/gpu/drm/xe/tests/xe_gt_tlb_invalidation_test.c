// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * TLB invalidations, and the fences and waits for them, with a GuC that answers
 * when the test says so.
 */

#include <drm/drm_kunit_helpers.h>

#include <kunit/static_stub.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"
#include "xe_bo_types.h"
#include "xe_pt.h"
#include "xe_vm.h"

struct tlb_test {
	struct xe_device *xe;
	struct xe_gt *gt;
	/* what the GuC does with a request */
	int send_error;
	int send_error_after;
	bool answer_at_once;
	bool answer_later;
	bool reset_later;
	/* what it got */
	int sent;
	u32 seqno;
	struct delayed_work later;
	/* of the device's runtime PM, without any invalidation */
	int usage;
};

static void answer(struct tlb_test *t, u32 seqno)
{
	xe_guc_tlb_invalidation_done_handler(&t->gt->uc.guc, &seqno, 1);
}

static int fake_send(struct xe_guc_ct *ct, const u32 *action, u32 len,
		     u32 g2h_len, u32 num_g2h)
{
	struct tlb_test *t = kunit_get_current_test()->priv;

	t->sent++;
	t->seqno = action[1];
	if (t->send_error && t->sent > t->send_error_after)
		return t->send_error;
	if (t->answer_at_once)
		answer(t, t->seqno);
	if (t->answer_later || t->reset_later)
		schedule_delayed_work(&t->later, 1);
	return 0;
}

static void later(struct work_struct *w)
{
	struct tlb_test *t = container_of(w, typeof(*t), later.work);

	if (t->reset_later)
		xe_gt_tlb_invalidation_reset(t->gt);
	else
		answer(t, t->seqno);
}

static int usage(struct tlb_test *t)
{
#ifdef CONFIG_PM
	return atomic_read(&t->xe->drm.dev->power.usage_count) - t->usage;
#else
	return 0;
#endif
}

static int used(int n)
{
	return IS_ENABLED(CONFIG_PM) ? n : 0;
}

static int tlb_test_init(struct kunit *test)
{
	struct xe_guc_ct *ct;
	struct tlb_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = test->priv;
	t->gt = xe_device_get_gt(t->xe, 0);
	INIT_DELAYED_WORK(&t->later, later);

	ct = &t->gt->uc.guc.ct;
	mutex_init(&ct->lock);
	INIT_WORK(&ct->g2h_worker, later);	/* flushed, never queued */
	ct->state = XE_GUC_CT_STATE_ENABLED;
	t->gt->uc.guc.submission_state.enabled = true;
	kunit_activate_static_stub(test, xe_guc_ct_send_locked, fake_send);

	xe_fence_test_wake_up(t->xe);
	t->usage = usage(t);

	KUNIT_ASSERT_EQ(test, xe_gt_tlb_invalidation_init_early(t->gt), 0);

	test->priv = t;
	return 0;
}

static void tlb_test_exit(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	if (!t->xe)
		return;
	cancel_delayed_work_sync(&t->later);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	xe_fence_test_let_sleep(t->xe->drm.dev);
}

static struct xe_gt_tlb_invalidation_fence *create_fence(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence;

	fence = kzalloc(sizeof(*fence), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	xe_gt_tlb_invalidation_fence_init(t->gt, fence);
	return fence;
}

static int invalidate(struct tlb_test *t, struct xe_gt_tlb_invalidation_fence *fence)
{
	return xe_gt_tlb_invalidation_range(t->gt, &fence->inval, 0, SZ_64K, 1);
}

static void xe_tlb_test_in_its_own_memory(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

	KUNIT_EXPECT_EQ(test, offsetof(struct xe_gt_tlb_invalidation_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(&fence->base),
			    &fence->base.inline_lock);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->base.refcount), 2);
	KUNIT_EXPECT_EQ(test, usage(t), used(1));

	/* its job failed */
	xe_gt_tlb_invalidation_fence_signal(fence, -EIO);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	KUNIT_EXPECT_EQ(test, t->sent, 0);
	xe_fence_test_use(test, &fence->base, -EIO);
	xe_fence_test_last_put(test, &fence->base);
}

static void xe_tlb_test_signaled_by_the_answer(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = { .lock = &t->gt->tlb_invalidation.pending_lock };

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(&fence->base, &cb), 0);
	KUNIT_EXPECT_EQ(test, invalidate(t, fence), 0);
	KUNIT_EXPECT_EQ(test, t->sent, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fence->base));
	KUNIT_EXPECT_EQ(test, usage(t), used(1));

	answer(t, t->seqno);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_FALSE_MSG(test, cb.locked, "signaled with the list locked");
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	xe_fence_test_use(test, &fence->base, 1);

	/* once more, for nobody */
	answer(t, t->seqno);
	xe_fence_test_last_put(test, &fence->base);
}

static void xe_tlb_test_one_answer_for_all_before_it(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fences[3];
	struct xe_fence_test_cb cbs[3] = {};
	int order = 0;

	for (int i = 0; i < 3; i++) {
		fences[i] = create_fence(test);
		cbs[i].order = &order;
		KUNIT_EXPECT_EQ(test, xe_fence_test_add(&fences[i]->base, &cbs[i]), 0);
		KUNIT_EXPECT_EQ(test, invalidate(t, fences[i]), 0);
	}
	answer(t, fences[1]->inval.seqno);
	KUNIT_EXPECT_EQ(test, cbs[0].turn, 1);
	KUNIT_EXPECT_EQ(test, cbs[1].turn, 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fences[2]->base));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&t->gt->tlb_invalidation.fence_tdr));
	answer(t, fences[2]->inval.seqno);
	KUNIT_EXPECT_EQ(test, cbs[2].turn, 3);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&t->gt->tlb_invalidation.fence_tdr));
	for (int i = 0; i < 3; i++)
		xe_fence_test_last_put(test, &fences[i]->base);
}

static void xe_tlb_test_answered_before_it_is_pending(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);
	struct xe_fence_test_cb cb = { .lock = &t->gt->tlb_invalidation.pending_lock };

	KUNIT_EXPECT_EQ(test, xe_fence_test_add(&fence->base, &cb), 0);
	t->answer_at_once = true;
	KUNIT_EXPECT_EQ(test, invalidate(t, fence), 0);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_FALSE(test, cb.locked);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->gt->tlb_invalidation.pending_fences));
	xe_fence_test_use(test, &fence->base, 1);
	xe_fence_test_last_put(test, &fence->base);
}

static const int send_errors[] = { -ENODEV, -ECANCELED, -EDEADLK, -EPIPE };

/* A reset or resume of the GT is under way, or follows: nothing is left in the TLB. */
static void xe_tlb_test_done_if_it_cannot_be_sent(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	for (int i = 0; i < ARRAY_SIZE(send_errors); i++) {
		struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

		t->send_error = send_errors[i];
		KUNIT_EXPECT_EQ(test, invalidate(t, fence), send_errors[i]);
		KUNIT_EXPECT_EQ(test, usage(t), 0);
		xe_fence_test_use(test, &fence->base, 1);
		xe_fence_test_last_put(test, &fence->base);
	}
}

/* Neither comes any more. */
static void xe_tlb_test_fails_if_the_device_is_unplugged(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	drm_dev_unplug(&t->xe->drm);
	for (int i = 0; i < ARRAY_SIZE(send_errors); i++) {
		struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

		t->send_error = send_errors[i];
		KUNIT_EXPECT_EQ(test, invalidate(t, fence), send_errors[i]);
		KUNIT_EXPECT_EQ(test, usage(t), 0);
		xe_fence_test_use(test, &fence->base, -ENODEV);
		xe_fence_test_last_put(test, &fence->base);
	}
}

/* The GuC still answers for a while. */
static void xe_tlb_test_answered_though_the_device_is_unplugged(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fences[2];

	drm_dev_unplug(&t->xe->drm);
	fences[0] = create_fence(test);
	KUNIT_EXPECT_EQ(test, invalidate(t, fences[0]), 0);
	answer(t, t->seqno);
	t->answer_at_once = true;
	fences[1] = create_fence(test);
	KUNIT_EXPECT_EQ(test, invalidate(t, fences[1]), 0);
	for (int i = 0; i < 2; i++) {
		xe_fence_test_use(test, &fences[i]->base, 1);
		xe_fence_test_last_put(test, &fences[i]->base);
	}
}

static void xe_tlb_test_needs_no_guc(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

	t->xe->info.force_execlist = true;
	KUNIT_EXPECT_EQ(test, invalidate(t, fence), 0);
	KUNIT_EXPECT_EQ(test, t->sent, 0);
	xe_fence_test_use(test, &fence->base, 1);
	xe_fence_test_last_put(test, &fence->base);
}

static void xe_tlb_test_reset_signals_all(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fences[3];
	struct xe_fence_test_cb cbs[3] = {};

	/* The last of these has the seqno that comes before the first. */
	t->gt->tlb_invalidation.seqno = TLB_INVALIDATION_SEQNO_MAX - 3;
	t->gt->tlb_invalidation.seqno_recv = TLB_INVALIDATION_SEQNO_MAX - 4;
	for (int i = 0; i < 3; i++) {
		fences[i] = create_fence(test);
		cbs[i].lock = &t->gt->tlb_invalidation.pending_lock;
		KUNIT_EXPECT_EQ(test, xe_fence_test_add(&fences[i]->base, &cbs[i]), 0);
		KUNIT_EXPECT_EQ(test, invalidate(t, fences[i]), 0);
	}
	KUNIT_EXPECT_EQ(test, t->gt->tlb_invalidation.seqno, 1);

	xe_gt_tlb_invalidation_reset(t->gt);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->gt->tlb_invalidation.pending_fences));
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, cbs[i].called, 1);
		KUNIT_EXPECT_FALSE(test, cbs[i].locked);
		xe_fence_test_use(test, &fences[i]->base, 1);
		xe_fence_test_last_put(test, &fences[i]->base);
	}

	/* It goes on from there. */
	fences[0] = create_fence(test);
	KUNIT_EXPECT_EQ(test, invalidate(t, fences[0]), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fences[0]->base));
	answer(t, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&fences[0]->base));
	xe_fence_test_last_put(test, &fences[0]->base);
}

static void xe_tlb_test_no_answer(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fences[2];
	struct xe_fence_test_cb cb = { .lock = &t->gt->tlb_invalidation.pending_lock };

	for (int i = 0; i < 2; i++) {
		fences[i] = create_fence(test);
		KUNIT_EXPECT_EQ(test, invalidate(t, fences[i]), 0);
	}
	KUNIT_EXPECT_EQ(test, xe_fence_test_add(&fences[0]->base, &cb), 0);
	fences[0]->inval.invalidation_time =
		ktime_sub_ms(ktime_get(), jiffies_to_msecs(tlb_timeout_jiffies(t->gt)) + 1000);

	mod_delayed_work(system_wq, &t->gt->tlb_invalidation.fence_tdr, 0);
	flush_delayed_work(&t->gt->tlb_invalidation.fence_tdr);
	KUNIT_EXPECT_EQ(test, cb.called, 1);
	KUNIT_EXPECT_FALSE(test, cb.locked);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&fences[1]->base));
	xe_fence_test_use(test, &fences[0]->base, -ETIME);

	/* better late than never */
	answer(t, fences[1]->inval.seqno);
	xe_fence_test_use(test, &fences[1]->base, 1);
	for (int i = 0; i < 2; i++)
		xe_fence_test_last_put(test, &fences[i]->base);
}

static void xe_tlb_test_wait_for_the_answer(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	t->answer_later = true;
	KUNIT_EXPECT_EQ(test, xe_gt_tlb_invalidation_ggtt(t->gt), 0);
	KUNIT_EXPECT_EQ(test, t->sent, 1);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->gt->tlb_invalidation.pending_fences));
}

static void xe_tlb_test_wait_through_reset(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vm);
	vm->xe = t->xe;
	t->reset_later = true;
	xe_gt_tlb_invalidation_vm(t->gt, vm);
	KUNIT_EXPECT_EQ(test, t->sent, 1);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->gt->tlb_invalidation.pending_fences));
}

static void xe_tlb_test_no_wait_if_it_cannot_be_sent(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	t->send_error = -ECANCELED;
	KUNIT_EXPECT_EQ(test, xe_gt_tlb_invalidation_ggtt(t->gt), -ECANCELED);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	t->send_error = 0;
	t->answer_at_once = true;
	KUNIT_EXPECT_EQ(test, xe_gt_tlb_invalidation_ggtt(t->gt), 0);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
}

/* Those who wait for several, as xe_vm_invalidate_vma() does. */
static void xe_tlb_test_wait_for_several(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_wait waits[4];
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

	t->answer_later = true;
	for (int i = 0; i < 4; i++) {
		xe_gt_tlb_invalidation_wait_init(t->gt, &waits[i]);
		KUNIT_EXPECT_EQ(test, xe_gt_tlb_invalidation_range(t->gt, &waits[i].inval,
								   0, SZ_4K, 1), 0);
		if (i == 1)
			KUNIT_EXPECT_EQ(test, invalidate(t, fence), 0);
	}
	for (int i = 0; i < 4; i++)
		xe_gt_tlb_invalidation_wait_over(&waits[i]);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	xe_fence_test_use(test, &fence->base, 1);
	xe_fence_test_last_put(test, &fence->base);
}

static bool fake_zap_ptes(struct xe_tile *tile, struct xe_vma *vma)
{
	return true;
}

/* A VMA of a buffer, on a tile whose GT is taken for its media GT as well. */
static struct xe_vma *create_vma(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_vma *vma = kunit_kzalloc(test, sizeof(*vma), GFP_KERNEL);
	struct xe_vm *vm = kunit_kzalloc(test, sizeof(*vm), GFP_KERNEL);
	struct xe_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, vma);
	KUNIT_ASSERT_NOT_NULL(test, vm);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	vm->xe = t->xe;
	bo->ttm.base.resv = &bo->ttm.base._resv;
	dma_resv_init(bo->ttm.base.resv);
	vma->gpuva.vm = &vm->gpuvm;
	vma->gpuva.gem.obj = &bo->ttm.base;
	vma->gpuva.va.range = SZ_64K;
	vma->tile_mask = BIT(0);
	gt_to_tile(t->gt)->media_gt = t->gt;
	kunit_activate_static_stub(test, xe_pt_zap_ptes, fake_zap_ptes);
	return vma;
}

static int invalidate_vma(struct kunit *test, struct xe_vma *vma)
{
	struct dma_resv *resv = xe_vma_bo(vma)->ttm.base.resv;
	struct tlb_test *t = test->priv;
	int ret;

	dma_resv_lock(resv, NULL);
	ret = xe_vm_invalidate_vma(vma);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, t->sent, 2);
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	/* It has waited: the list leads to no stack that is gone. */
	KUNIT_EXPECT_TRUE(test, list_empty(&t->gt->tlb_invalidation.pending_fences));
	dma_resv_fini(resv);
	gt_to_tile(t->gt)->media_gt = NULL;
	return ret;
}

static void xe_tlb_test_wait_for_both_gts_of_a_tile(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_vma *vma = create_vma(test);

	t->answer_later = true;
	KUNIT_EXPECT_EQ(test, invalidate_vma(test, vma), 0);
	KUNIT_EXPECT_EQ(test, vma->tile_invalidated, vma->tile_mask);
}

static void xe_tlb_test_wait_for_one_if_the_other_fails(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_vma *vma = create_vma(test);

	t->answer_later = true;
	t->send_error = -ENODEV;
	t->send_error_after = 1;
	KUNIT_EXPECT_EQ(test, invalidate_vma(test, vma), -ENODEV);
}

/* A wrong caller is told, once, and nobody waits or signals again. */
static void xe_tlb_test_over_only_once(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fence = create_fence(test);

	xe_gt_tlb_invalidation_fence_signal(fence, 0);
	kunit_info(test, "begin of expected warning: over twice\n");
	xe_gt_tlb_invalidation_fence_signal(fence, -EIO);
	invalidation_done(t->xe, &fence->inval, -EIO);
	kunit_info(test, "end of expected warning\n");
	KUNIT_EXPECT_EQ(test, usage(t), 0);
	xe_fence_test_use(test, &fence->base, 1);
	xe_fence_test_last_put(test, &fence->base);
}

/* Somebody holds fences of a device that is unbound, for ever. */
static void xe_tlb_test_held_while_the_device_goes(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct xe_gt_tlb_invalidation_fence *fences[2];
	struct device *dev = t->xe->drm.dev;

	for (int i = 0; i < 2; i++) {
		fences[i] = create_fence(test);
		KUNIT_EXPECT_EQ(test, invalidate(t, fences[i]), 0);
	}
	answer(t, fences[0]->inval.seqno);
	xe_fence_test_let_sleep(dev);
	t->xe = NULL;
	/* with the second pending, and its timer: the GuC is dead */
	drm_kunit_helper_free_device(test, dev);
	synchronize_rcu();

	xe_fence_test_use(test, &fences[0]->base, 1);
	xe_fence_test_use(test, &fences[1]->base, -ENODEV);
	for (int i = 0; i < 2; i++)
		xe_fence_test_last_put(test, &fences[i]->base);
	rcu_barrier();
}

static struct kunit_case tlb_test_cases[] = {
	KUNIT_CASE(xe_tlb_test_in_its_own_memory),
	KUNIT_CASE(xe_tlb_test_signaled_by_the_answer),
	KUNIT_CASE(xe_tlb_test_one_answer_for_all_before_it),
	KUNIT_CASE(xe_tlb_test_answered_before_it_is_pending),
	KUNIT_CASE(xe_tlb_test_done_if_it_cannot_be_sent),
	KUNIT_CASE(xe_tlb_test_fails_if_the_device_is_unplugged),
	KUNIT_CASE(xe_tlb_test_answered_though_the_device_is_unplugged),
	KUNIT_CASE(xe_tlb_test_needs_no_guc),
	KUNIT_CASE(xe_tlb_test_reset_signals_all),
	KUNIT_CASE(xe_tlb_test_no_answer),
	KUNIT_CASE(xe_tlb_test_wait_for_the_answer),
	KUNIT_CASE(xe_tlb_test_wait_through_reset),
	KUNIT_CASE(xe_tlb_test_no_wait_if_it_cannot_be_sent),
	KUNIT_CASE(xe_tlb_test_wait_for_several),
	KUNIT_CASE(xe_tlb_test_wait_for_both_gts_of_a_tile),
	KUNIT_CASE(xe_tlb_test_wait_for_one_if_the_other_fails),
	KUNIT_CASE(xe_tlb_test_over_only_once),
	KUNIT_CASE(xe_tlb_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite tlb_suite = {
	.name = "xe_tlb_invalidation",
	.test_cases = tlb_test_cases,
	.init = tlb_test_init,
	.exit = tlb_test_exit,
};

kunit_test_suites(&tlb_suite);
