// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * What a VM does with the preempt fences of its queues: the worker that installs
 * new ones when all have signaled, and buffers that go while they have not. The
 * VM has neither page tables nor an engine to bind with, and needs none; its
 * queues do what the test says.
 */

#include <linux/string.h>

#include <drm/drm_kunit_helpers.h>
#include <drm/drm_managed.h>
#include <uapi/drm/xe_drm.h>

#include "tests/xe_fence_test.h"
#include "tests/xe_kunit_helpers.h"
#include "xe_hw_fence.h"
#include "xe_lrc_types.h"

struct vm_test_queue {
	struct xe_exec_queue *q;
	struct xe_lrc *lrc;
	/* what the LRC is in, seqno included */
	u32 *mem;

	/* what the queue's ops return */
	int suspend_error;
	int wait_error;

	/* how often they were called */
	int suspended;
	int waited;
	int resumed;
	int killed;
};

struct vm_test {
	struct xe_device *xe;
	struct xe_vm *vm;
	struct vm_test_queue queues[2];
	struct dma_fence other;
};

/* A queue has nothing else of a backend. */
static struct vm_test_queue *to_test_queue(struct xe_exec_queue *q)
{
	return (void *)q->guc;
}

static int vm_test_suspend(struct xe_exec_queue *q)
{
	to_test_queue(q)->suspended++;
	return to_test_queue(q)->suspend_error;
}

static int vm_test_suspend_wait(struct xe_exec_queue *q)
{
	to_test_queue(q)->waited++;
	return to_test_queue(q)->wait_error;
}

static void vm_test_resume(struct xe_exec_queue *q)
{
	to_test_queue(q)->resumed++;
}

static void vm_test_kill(struct xe_exec_queue *q)
{
	to_test_queue(q)->killed++;
}

static bool vm_test_reset_status(struct xe_exec_queue *q)
{
	return false;
}

static void vm_test_fini(struct xe_exec_queue *q)
{
	kfree(q);
}

static const struct xe_exec_queue_ops vm_test_queue_ops = {
	.suspend = vm_test_suspend,
	.suspend_wait = vm_test_suspend_wait,
	.resume = vm_test_resume,
	.kill = vm_test_kill,
	.reset_status = vm_test_reset_status,
	.fini = vm_test_fini,
};

/* What xe_vm_create() does, but for page tables and what binds. */
static struct xe_vm *create_vm(struct kunit *test, struct xe_device *xe)
{
	struct xe_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	struct drm_gem_object *resv;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	vm->xe = xe;
	vm->size = SZ_2G;
	vm->flags = XE_VM_FLAG_LR_MODE;
	init_rwsem(&vm->lock);
	mutex_init(&vm->snap_mutex);
	INIT_WORK(&vm->destroy_work, vm_destroy_work_func);
	xe_pm_runtime_get_noresume(xe);
	INIT_LIST_HEAD(&vm->rebind_list);
	INIT_LIST_HEAD(&vm->userptr.repin_list);
	INIT_LIST_HEAD(&vm->userptr.invalidated);
	init_rwsem(&vm->userptr.notifier_lock);
	spin_lock_init(&vm->userptr.invalidated_lock);
	ttm_lru_bulk_move_init(&vm->lru_bulk_move);
	INIT_LIST_HEAD(&vm->preempt.exec_queues);
	INIT_WORK(&vm->preempt.rebind_work, preempt_rebind_work_func);

	resv = drm_gpuvm_resv_object_alloc(&xe->drm);
	KUNIT_ASSERT_NOT_NULL(test, resv);
	drm_gpuvm_init(&vm->gpuvm, "test", DRM_GPUVM_RESV_PROTECTED, &xe->drm,
		       resv, 0, vm->size, 0, 0, &gpuvm_ops);
	drm_gem_object_put(resv);
	return vm;
}

/* Has its LRC something to do? */
static void set_idle(struct vm_test_queue *tq, bool idle)
{
	memset32(tq->mem, tq->lrc->fence_ctx.next_seqno - (idle ? 1 : 2),
		 SZ_4K / sizeof(*tq->mem));
}

static void create_queue(struct kunit *test, struct vm_test_queue *tq)
{
	struct vm_test *t = test->priv;
	struct xe_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);

	tq->mem = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);
	tq->lrc = kunit_kzalloc(test, sizeof(*tq->lrc), GFP_KERNEL);
	tq->q = kzalloc(struct_size(tq->q, lrc, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bo);
	KUNIT_ASSERT_NOT_NULL(test, tq->mem);
	KUNIT_ASSERT_NOT_NULL(test, tq->lrc);
	KUNIT_ASSERT_NOT_NULL(test, tq->q);
	iosys_map_set_vaddr(&bo->vmap, tq->mem);
	tq->lrc->bo = bo;
	tq->lrc->fence_ctx.gt = xe_device_get_gt(t->xe, 0);
	tq->lrc->fence_ctx.next_seqno = XE_FENCE_INITIAL_SEQNO + 1;
	set_idle(tq, false);

	kref_init(&tq->q->refcount);
	INIT_LIST_HEAD(&tq->q->multi_gt_list);
	INIT_LIST_HEAD(&tq->q->lr.link);
	tq->q->ops = &vm_test_queue_ops;
	tq->q->vm = t->vm;
	tq->q->guc = (void *)tq;
	tq->q->width = 1;
	tq->q->lrc[0] = tq->lrc;
	tq->q->lr.context = dma_fence_context_alloc(1);
	KUNIT_ASSERT_EQ(test, xe_vm_add_compute_exec_queue(t->vm, tq->q), 0);
}

static int vm_test_init(struct kunit *test)
{
	struct vm_test *t;

	xe_kunit_helper_xe_device_test_init(test);

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = test->priv;
	test->priv = t;

	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(t->xe), 0);
	KUNIT_ASSERT_EQ(test, drmm_mutex_init(&t->xe->drm,
					      &t->xe->mem_access.vram_userfault.lock), 0);
	KUNIT_ASSERT_EQ(test, ttm_device_init(&t->xe->ttm, &xe_ttm_funcs,
					      t->xe->drm.dev,
					      t->xe->drm.anon_inode->i_mapping,
					      t->xe->drm.vma_offset_manager,
					      false, false), 0);
	xe_fence_test_wake_up(t->xe);
	t->vm = create_vm(test, t->xe);
	create_queue(test, &t->queues[0]);
	xe_fence_test_init_foreign(&t->other);
	return 0;
}

/* The VM goes, as when the file is closed. */
static void put_vm(struct kunit *test)
{
	struct vm_test *t = test->priv;

	for (int i = 0; i < ARRAY_SIZE(t->queues); i++) {
		if (!t->queues[i].q)
			continue;
		xe_vm_remove_compute_exec_queue(t->vm, t->queues[i].q);
		flush_workqueue(t->xe->preempt_fence_wq);
		KUNIT_EXPECT_EQ(test, kref_read(&t->queues[i].q->refcount), 1);
		xe_exec_queue_put(t->queues[i].q);
	}
	flush_workqueue(t->xe->ordered_wq);
	KUNIT_EXPECT_EQ(test, kref_read(&t->vm->gpuvm.kref), 1);
	t->vm->size = 0;
	xe_vm_put(t->vm);
	t->vm = NULL;
}

/* All of it goes, as when the device is unbound then. */
static void vm_test_free(struct kunit *test)
{
	struct vm_test *t = test->priv;

	if (!t->xe)
		return;
	if (t->vm)
		put_vm(test);
	xe_device_fini_workqueues(t->xe);
	ttm_device_fini(&t->xe->ttm);
	xe_fence_test_let_sleep(t->xe->drm.dev);
	t->xe = NULL;
}

static void vm_test_exit(struct kunit *test)
{
	vm_test_free(test);
}

static struct dma_fence *get_fence(struct vm_test_queue *tq)
{
	return dma_fence_get(tq->q->lr.pfence);
}

/*
 * The end of a preemption has the worker run, which may preempt other queues, and
 * runs once more, for nothing, after these.
 */
static void flush(struct vm_test *t)
{
	for (int i = 0; i < 2; i++) {
		flush_workqueue(t->xe->preempt_fence_wq);
		flush_workqueue(t->xe->ordered_wq);
	}
}

/* What evicts a buffer of the VM, or needs an engine for somebody else, does. */
static void preempt(struct vm_test *t, struct dma_fence *fence)
{
	dma_fence_enable_sw_signaling(fence);
	flush(t);
}

static bool has_fence(struct vm_test *t, struct dma_fence *fence)
{
	struct dma_resv_iter cursor;
	struct dma_fence *f;
	bool found = false;

	xe_vm_lock(t->vm, false);
	dma_resv_for_each_fence(&cursor, xe_vm_resv(t->vm),
				DMA_RESV_USAGE_BOOKKEEP, f)
		found |= f == fence;
	xe_vm_unlock(t->vm);
	return found;
}

/* The old one is of no use to anybody but the test, a new one has its place. */
static void expect_new_fence(struct kunit *test, struct vm_test_queue *tq,
			     struct dma_fence *old, int status)
{
	struct vm_test *t = test->priv;
	struct dma_fence *new = tq->q->lr.pfence;

	KUNIT_ASSERT_NOT_NULL(test, new);
	KUNIT_EXPECT_PTR_NE(test, new, old);
	KUNIT_EXPECT_TRUE(test, xe_fence_is_xe_preempt(new));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(new));
	KUNIT_EXPECT_TRUE(test, has_fence(t, new));
	KUNIT_EXPECT_FALSE(test, has_fence(t, old));
	/* the test's, and that of the new fence */
	KUNIT_EXPECT_EQ(test, kref_read(&tq->q->refcount), 2);
	xe_fence_test_use(test, old, status);
	xe_fence_test_last_put(test, old);
}

static void xe_vm_test_new_one_when_it_has_signaled(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];

	for (int i = 1; i <= 3; i++) {
		struct dma_fence *fence = get_fence(tq);

		KUNIT_EXPECT_TRUE(test, has_fence(t, fence));
		preempt(t, fence);
		KUNIT_EXPECT_EQ(test, tq->suspended, i);
		KUNIT_EXPECT_EQ(test, tq->waited, i);
		KUNIT_EXPECT_EQ(test, tq->resumed, i);
		KUNIT_EXPECT_FALSE(test, tq->q->lr.suspended);
		expect_new_fence(test, tq, fence, 1);
	}
}

/* The worker waits for all queues, and is the first to enable some fences. */
static void xe_vm_test_all_queues_of_the_vm(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct dma_fence *fences[2];

	create_queue(test, &t->queues[1]);
	for (int i = 0; i < 2; i++)
		fences[i] = get_fence(&t->queues[i]);
	KUNIT_EXPECT_EQ(test, t->queues[0].suspended, 0);
	KUNIT_EXPECT_EQ(test, t->queues[1].suspended, 0);

	preempt(t, fences[0]);
	for (int i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, t->queues[i].suspended, 1);
		KUNIT_EXPECT_EQ(test, t->queues[i].resumed, 1);
		expect_new_fence(test, &t->queues[i], fences[i], 1);
	}
}

/* The error of a fence is asked when it has signaled. */
static void xe_vm_test_killed_if_it_does_not_suspend_in_time(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);

	tq->wait_error = -ETIME;
	preempt(t, fence);
	KUNIT_EXPECT_TRUE(test, xe_vm_is_banned(t->vm));
	KUNIT_EXPECT_EQ(test, tq->killed, 1);
	KUNIT_EXPECT_EQ(test, tq->resumed, 0);
	KUNIT_EXPECT_PTR_EQ(test, tq->q->lr.pfence, fence);

	vm_test_free(test);
	xe_fence_test_use(test, fence, -ETIME);
	xe_fence_test_last_put(test, fence);
}

static void xe_vm_test_not_resumed_if_it_was_not_suspended(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);

	tq->suspend_error = -ENODEV;
	preempt(t, fence);
	KUNIT_EXPECT_EQ(test, tq->waited, 0);
	KUNIT_EXPECT_EQ(test, tq->resumed, 0);
	KUNIT_EXPECT_FALSE(test, xe_vm_is_banned(t->vm));
	expect_new_fence(test, tq, fence, -ENODEV);
}

/* The fence has been signaled for long when the worker comes for it. */
static void xe_vm_test_new_one_when_there_is_something_to_do(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);

	set_idle(tq, true);
	preempt(t, fence);
	KUNIT_EXPECT_TRUE(test, t->vm->preempt.rebind_deactivated);
	KUNIT_EXPECT_EQ(test, tq->suspended, 1);
	KUNIT_EXPECT_EQ(test, tq->resumed, 0);
	KUNIT_EXPECT_PTR_EQ(test, tq->q->lr.pfence, fence);
	KUNIT_EXPECT_EQ(test, kref_read(&tq->q->refcount), 1);
	synchronize_rcu();
	xe_fence_test_use(test, fence, 1);

	set_idle(tq, false);
	xe_vm_lock(t->vm, false);
	xe_vm_reactivate_rebind(t->vm);
	xe_vm_unlock(t->vm);
	flush(t);
	KUNIT_EXPECT_EQ(test, tq->suspended, 1);
	KUNIT_EXPECT_EQ(test, tq->resumed, 1);
	expect_new_fence(test, tq, fence, 1);
}

/* A buffer of the VM alone, which has the VM's reservation object, or one with its own. */
static struct xe_bo *create_bo(struct kunit *test, struct xe_vm *vm)
{
	struct vm_test *t = test->priv;
	struct xe_bo *bo;

	if (vm)
		xe_vm_lock(vm, false);
	bo = xe_bo_create_user(t->xe, NULL, vm, SZ_4K, DRM_XE_GEM_CPU_CACHING_WB,
			       XE_BO_FLAG_SYSTEM | XE_BO_FLAG_DEFER_BACKING);
	if (vm)
		xe_vm_unlock(vm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, bo);
	return bo;
}

/* The file that had a handle of it is closed, and nobody else has it. */
static void close_bo(struct xe_bo *bo)
{
	xe_bo_lock(bo, false);
	__xe_bo_unset_bulk_move(bo);
	xe_bo_unlock(bo);
	xe_bo_put(bo);
}

/* Is there a buffer that has the VM's reservation object? It has the VM as well. */
static void expect_bos(struct kunit *test, int n)
{
	struct vm_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, kref_read(&t->vm->gpuvm.kref), 1 + n);
}

/* No queue stops for a buffer that goes: it has been unbound. */
static void xe_vm_test_buffer_goes_without_preemption(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);
	struct xe_bo *bo = create_bo(test, t->vm);

	expect_bos(test, 1);
	close_bo(bo);
	flush_workqueue(t->xe->ttm.wq);
	expect_bos(test, 0);
	KUNIT_EXPECT_EQ(test, tq->suspended, 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_TRUE(test, has_fence(t, fence));
	/* the test's, the queue's, and the VM's */
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 3);

	vm_test_free(test);
	xe_fence_test_last_put(test, fence);
}

/* As new_vma() does it for a buffer that is not the VM's own. */
static void fence_buffer(struct kunit *test, struct xe_bo *bo)
{
	struct vm_test *t = test->priv;

	xe_bo_lock(bo, false);
	KUNIT_EXPECT_EQ(test, add_preempt_fences(t->vm, bo), 0);
	xe_bo_unlock(bo);
}

static void xe_vm_test_external_buffer_goes_without_preemption(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);
	struct xe_bo *bo = create_bo(test, NULL);

	fence_buffer(test, bo);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 4);
	close_bo(bo);
	flush_workqueue(t->xe->ttm.wq);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 3);
	KUNIT_EXPECT_EQ(test, tq->suspended, 0);

	vm_test_free(test);
	xe_fence_test_last_put(test, fence);
}

/* R7: one that has signaled is not told apart from others, and need not be. */
static void xe_vm_test_buffer_goes_after_the_preemption(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct vm_test_queue *tq = &t->queues[0];
	struct dma_fence *fence = get_fence(tq);
	struct xe_bo *bo = create_bo(test, NULL);

	fence_buffer(test, bo);
	preempt(t, fence);
	close_bo(bo);
	flush_workqueue(t->xe->ttm.wq);
	KUNIT_EXPECT_EQ(test, tq->suspended, 1);
	expect_new_fence(test, tq, fence, 1);
}

/* A job that is not done uses it. */
static void xe_vm_test_buffer_waits_for_others(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct xe_bo *bo = create_bo(test, t->vm);

	xe_bo_lock(bo, false);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(bo->ttm.base.resv, 1), 0);
	dma_resv_add_fence(bo->ttm.base.resv, &t->other, DMA_RESV_USAGE_BOOKKEEP);
	xe_bo_unlock(bo);

	close_bo(bo);
	expect_bos(test, 1);
	KUNIT_EXPECT_EQ(test, t->queues[0].suspended, 0);
	dma_fence_signal(&t->other);
	flush_workqueue(t->xe->ttm.wq);
	expect_bos(test, 0);
	KUNIT_EXPECT_EQ(test, t->queues[0].suspended, 0);
}

/* Somebody holds what the VM has dropped, and what it had last, for ever. */
static void xe_vm_test_held_while_the_device_goes(struct kunit *test)
{
	struct vm_test *t = test->priv;
	struct device *dev = t->xe->drm.dev;
	struct dma_fence *fences[2];

	fences[0] = get_fence(&t->queues[0]);
	preempt(t, fences[0]);
	fences[1] = get_fence(&t->queues[0]);
	vm_test_free(test);
	synchronize_rcu();
	drm_kunit_helper_free_device(test, dev);

	for (int i = 0; i < 2; i++) {
		xe_fence_test_use(test, fences[i], 1);
		KUNIT_EXPECT_FALSE(test, xe_fence_is_xe_preempt(fences[i]));
		xe_fence_test_last_put(test, fences[i]);
	}
	rcu_barrier();
}

/* The device is unbound, but not released. */
static void xe_vm_test_module_waits_for_the_end_of_a_vm(struct kunit *test)
{
	struct xe_file *xef = kunit_kzalloc(test, sizeof(*xef), GFP_KERNEL);
	struct vm_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, xef);
	kref_init(&xef->refcount);
	kref_get(&xef->refcount);
	t->vm->xef = xef;
	put_vm(test);
	xe_device_module_exit();
	KUNIT_EXPECT_EQ(test, kref_read(&xef->refcount), 1);
}

/* Its last fence has signaled just before. */
static void xe_vm_test_module_waits_for_the_end_of_a_vma(struct kunit *test)
{
	struct xe_vma *vma = kzalloc(sizeof(*vma), GFP_KERNEL);
	struct vm_test *t = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, vma);
	vma->gpuva.vm = &xe_vm_get(t->vm)->gpuvm;
	vma->gpuva.flags = DRM_GPUVA_SPARSE;
	vma_destroy_cb(&t->other, &vma->destroy_cb);
	xe_device_module_exit();
	KUNIT_EXPECT_EQ(test, kref_read(&t->vm->gpuvm.kref), 1);
	flush_workqueue(t->xe->destroy_wq);
}

static struct kunit_case vm_fence_test_cases[] = {
	KUNIT_CASE(xe_vm_test_new_one_when_it_has_signaled),
	KUNIT_CASE(xe_vm_test_all_queues_of_the_vm),
	KUNIT_CASE(xe_vm_test_killed_if_it_does_not_suspend_in_time),
	KUNIT_CASE(xe_vm_test_not_resumed_if_it_was_not_suspended),
	KUNIT_CASE(xe_vm_test_new_one_when_there_is_something_to_do),
	KUNIT_CASE(xe_vm_test_buffer_goes_without_preemption),
	KUNIT_CASE(xe_vm_test_external_buffer_goes_without_preemption),
	KUNIT_CASE(xe_vm_test_buffer_goes_after_the_preemption),
	KUNIT_CASE(xe_vm_test_buffer_waits_for_others),
	KUNIT_CASE(xe_vm_test_module_waits_for_the_end_of_a_vma),
	KUNIT_CASE(xe_vm_test_module_waits_for_the_end_of_a_vm),
	KUNIT_CASE(xe_vm_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite vm_fence_suite = {
	.name = "xe_vm_fence",
	.test_cases = vm_fence_test_cases,
	.init = vm_test_init,
	.exit = vm_test_exit,
};

kunit_test_suites(&vm_fence_suite);
