// SPDX-License-Identifier: MIT
/*
 * The eviction fence of a KFD process. What is evicted, and how, is up to the test.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>

#include <linux/dma-resv.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "amdgpu_mock.h"
#include "amdgpu_object.h"
#include "amdgpu_sync.h"

/**
 * struct kfd_test - what a case of this suite has
 * @mm: of the process
 * @other: the address of some other, not to be followed
 * @context: of its fences
 * @error: what the attempt to evict the process returns
 * @evictions: how many there were
 * @evicted: what was to be evicted last
 * @fence: for which fence
 */
struct kfd_test {
	struct mm_struct *mm;
	struct mm_struct *other;
	u64 context;
	int error;
	int evictions;
	struct mm_struct *evicted;
	struct dma_fence *fence;
};

static int kfd_test_evict(struct mm_struct *mm, struct dma_fence *fence)
{
	struct kfd_test *t = kunit_get_current_test()->priv;

	t->evictions++;
	t->evicted = mm;
	t->fence = fence;
	return t->error;
}

KUNIT_DEFINE_ACTION_WRAPPER(put_mm, mmput, struct mm_struct *);

static int kfd_test_init(struct kunit *test)
{
	struct kfd_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	/* No thread runs in it: kernel threads would borrow it, and be counted. */
	t->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, t->mm);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_mm, t->mm));
	t->other = kunit_kzalloc(test, 1, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->other);
	t->context = dma_fence_context_alloc(1);
	kunit_activate_static_stub(test, kgd2kfd_schedule_evict_and_restore_process,
				   kfd_test_evict);

	test->priv = t;
	return 0;
}

static int mm_refs(struct kfd_test *t)
{
	return atomic_read(&t->mm->mm_count);
}

static struct dma_fence *create_fence(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct amdgpu_amdkfd_fence *fence;

	fence = amdgpu_amdkfd_fence_create(t->context, t->mm, NULL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	return &fence->base;
}

/* The process is evicted, or ends. */
static void signal(struct kunit *test, struct dma_fence *fence)
{
	KUNIT_EXPECT_EQ(test, dma_fence_signal(fence), 0);
}

/* Put the last reference, and wait until the fence is gone. */
static void last_put(struct kunit *test, struct dma_fence *fence)
{
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

static void amdgpu_kfd_test_first_in_its_own_memory(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct dma_fence *next = create_fence(test);
	const struct dma_fence_ops *ops = rcu_access_pointer(fence->ops);

	KUNIT_EXPECT_EQ(test, offsetof(struct amdgpu_amdkfd_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, ops->release, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ops->wait, NULL);
	KUNIT_EXPECT_EQ(test, fence->context, t->context);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(next, fence));
	mock_expect_names(test, fence, "amdgpu_amdkfd_fence", current->comm);
	signal(test, fence);
	signal(test, next);
	last_put(test, fence);
	last_put(test, next);
}

static void amdgpu_kfd_test_evicts_the_process(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, t->evictions, 0);
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, t->evictions, 1);
	KUNIT_EXPECT_PTR_EQ(test, t->evicted, t->mm);
	KUNIT_EXPECT_PTR_EQ(test, t->fence, fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);

	signal(test, fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	synchronize_rcu();
	amdgpu_mock_use(test, fence, 1);
	KUNIT_EXPECT_EQ(test, t->evictions, 1);
	last_put(test, fence);
}

/* The process is gone: there is nothing to be waited for. */
static void amdgpu_kfd_test_finds_no_process_to_evict(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	int refs = mm_refs(t);
	struct dma_fence *fence = create_fence(test);
	struct mock_cb cb = {};

	t->error = -ENODEV;
	KUNIT_EXPECT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), -ENOENT);
	KUNIT_EXPECT_EQ(test, t->evictions, 1);
	synchronize_rcu();
	amdgpu_mock_use(test, fence, 1);
	last_put(test, fence);
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
}

static void amdgpu_kfd_test_evicts_nothing_once_signaled(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);

	signal(test, fence);
	dma_fence_enable_sw_signaling(fence);
	amdgpu_mock_use(test, fence, 1);
	KUNIT_EXPECT_EQ(test, t->evictions, 0);
	last_put(test, fence);
}

/* R7: before its end the fence is ours, afterwards it is nobody's. */
static void amdgpu_kfd_test_of_this_mm_until_it_signals(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct dma_fence *fence = create_fence(test);
	struct dma_fence *stub = dma_fence_get_stub();

	KUNIT_EXPECT_TRUE(test, amdkfd_fence_check_mm(fence, t->mm));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(fence, t->other));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(fence, NULL));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(stub, t->mm));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(NULL, t->mm));
	KUNIT_EXPECT_PTR_EQ(test, to_amdgpu_amdkfd_fence(fence),
			    container_of(fence, struct amdgpu_amdkfd_fence, base));
	KUNIT_EXPECT_NULL(test, to_amdgpu_amdkfd_fence(stub));
	KUNIT_EXPECT_NULL(test, to_amdgpu_amdkfd_fence(NULL));

	signal(test, fence);
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(fence, t->mm));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(fence, NULL));
	KUNIT_EXPECT_NULL(test, to_amdgpu_amdkfd_fence(fence));
	dma_fence_put(stub);
	last_put(test, fence);
}

/* VRAM of an SVM range may always be evicted. */
static void amdgpu_kfd_test_of_no_mm_with_an_svm_bo(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct amdgpu_amdkfd_fence *fence;

	fence = amdgpu_amdkfd_fence_create(t->context, t->mm, (struct svm_range_bo *)t->other);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(&fence->base, t->mm));
	KUNIT_EXPECT_PTR_EQ(test, to_amdgpu_amdkfd_fence(&fence->base), fence);
	signal(test, &fence->base);
	last_put(test, &fence->base);
}

/* Who made the fence has the mm. */
static void amdgpu_kfd_test_holds_no_mm(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	int refs = mm_refs(t);
	struct dma_fence *fence = create_fence(test);

	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
	signal(test, fence);
	synchronize_rcu();
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
	last_put(test, fence);
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
	/* nor if nobody has ever seen the fence */
	last_put(test, create_fence(test));
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
}

/* What is not an mm, and is freed when the fence has signaled. */
static void amdgpu_kfd_test_held_while_the_mm_goes(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	struct amdgpu_amdkfd_fence *fence;

	fence = amdgpu_amdkfd_fence_create(t->context, t->other, NULL);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	dma_fence_enable_sw_signaling(&fence->base);
	KUNIT_EXPECT_PTR_EQ(test, t->evicted, t->other);
	signal(test, &fence->base);
	synchronize_rcu();
	kunit_kfree(test, t->other);

	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(&fence->base, t->mm));
	amdgpu_mock_use(test, &fence->base, 1);
	last_put(test, &fence->base);
}

static void restore_nothing(struct work_struct *work)
{
}

/* The last VM of a process goes: the mm is dropped, once, and nobody waits any more. */
static void amdgpu_kfd_test_signaled_when_the_process_ends(struct kunit *test)
{
	struct kfd_test *t = test->priv;
	int refs = mm_refs(t);
	struct amdkfd_process_info *info = kzalloc(sizeof(*info), GFP_KERNEL);
	struct amdgpu_vm *vms = kunit_kcalloc(test, 2, sizeof(*vms), GFP_KERNEL);
	struct dma_fence *fence = create_fence(test);
	struct mock_cb cb = {};

	KUNIT_ASSERT_NOT_NULL(test, info);
	KUNIT_ASSERT_NOT_NULL(test, vms);
	/* as init_kfd_vm() does it */
	mutex_init(&info->lock);
	mutex_init(&info->notifier_lock);
	INIT_LIST_HEAD(&info->vm_list_head);
	INIT_LIST_HEAD(&info->kfd_bo_list);
	INIT_LIST_HEAD(&info->userptr_valid_list);
	INIT_LIST_HEAD(&info->userptr_inval_list);
	INIT_DELAYED_WORK(&info->restore_userptr_work, restore_nothing);
	info->eviction_fence = to_amdgpu_amdkfd_fence(dma_fence_get(fence));
	info->mm = t->mm;
	mmgrab(info->mm);
	for (int i = 0; i < 2; i++) {
		vms[i].process_info = info;
		list_add_tail(&vms[i].vm_list_node, &info->vm_list_head);
		info->n_vms++;
	}
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);

	amdgpu_amdkfd_gpuvm_destroy_cb(NULL, &vms[0]);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs + 1);
	amdgpu_amdkfd_gpuvm_destroy_cb(NULL, &vms[1]);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);

	synchronize_rcu();
	amdgpu_mock_use(test, fence, 1);
	last_put(test, fence);
	KUNIT_EXPECT_EQ(test, mm_refs(t), refs);
}

/* What amdgpu_sync_resv() takes of these is for moves, and only as long as they wait. */
static void amdgpu_kfd_test_synced_to_by_moves(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct amdgpu_sync sync;
	struct dma_resv resv;
	int owner;

	dma_resv_init(&resv);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(&resv, NULL), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(&resv, 1), 0);
	dma_resv_add_fence(&resv, fence, DMA_RESV_USAGE_BOOKKEEP);

	amdgpu_sync_create(&sync);
	KUNIT_EXPECT_EQ(test, 0, amdgpu_sync_resv(NULL, &sync, &resv, AMDGPU_SYNC_NE_OWNER,
						  &owner));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	KUNIT_EXPECT_EQ(test, 0, amdgpu_sync_resv(NULL, &sync, &resv, AMDGPU_SYNC_ALWAYS,
						  AMDGPU_FENCE_OWNER_UNDEFINED));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 3);
	amdgpu_sync_free(&sync);

	signal(test, fence);
	amdgpu_sync_create(&sync);
	KUNIT_EXPECT_EQ(test, 0, amdgpu_sync_resv(NULL, &sync, &resv, AMDGPU_SYNC_ALWAYS,
						  AMDGPU_FENCE_OWNER_UNDEFINED));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);
	amdgpu_sync_free(&sync);
	dma_resv_unlock(&resv);
	dma_resv_fini(&resv);
	last_put(test, fence);
}

/* From a BO that is released: they are not waited for, others are. */
static void amdgpu_kfd_test_removed_from_a_bo(struct kunit *test)
{
	struct dma_fence *fence = create_fence(test);
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *other = mock_fence_create(issuer, 1);
	struct dma_fence *done = create_fence(test);
	struct amdgpu_bo *bo = kunit_kzalloc(test, sizeof(*bo), GFP_KERNEL);
	struct dma_resv *resv = &bo->tbo.base._resv;

	KUNIT_ASSERT_NOT_NULL(test, bo);
	dma_resv_init(resv);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 2), 0);
	dma_resv_add_fence(resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	dma_resv_add_fence(resv, other, DMA_RESV_USAGE_BOOKKEEP);
	amdgpu_amdkfd_remove_all_eviction_fences(bo);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	dma_fence_signal(other);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	/* One that has signaled may stay, or not. */
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, done, DMA_RESV_USAGE_BOOKKEEP);
	signal(test, done);
	amdgpu_amdkfd_remove_all_eviction_fences(bo);
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));

	dma_resv_unlock(resv);
	dma_resv_fini(resv);
	dma_fence_put(other);
	signal(test, fence);
	last_put(test, fence);
	last_put(test, done);
}

static struct kunit_case kfd_fence_test_cases[] = {
	KUNIT_CASE(amdgpu_kfd_test_first_in_its_own_memory),
	KUNIT_CASE(amdgpu_kfd_test_evicts_the_process),
	KUNIT_CASE(amdgpu_kfd_test_finds_no_process_to_evict),
	KUNIT_CASE(amdgpu_kfd_test_evicts_nothing_once_signaled),
	KUNIT_CASE(amdgpu_kfd_test_of_this_mm_until_it_signals),
	KUNIT_CASE(amdgpu_kfd_test_of_no_mm_with_an_svm_bo),
	KUNIT_CASE(amdgpu_kfd_test_holds_no_mm),
	KUNIT_CASE(amdgpu_kfd_test_held_while_the_mm_goes),
	KUNIT_CASE(amdgpu_kfd_test_signaled_when_the_process_ends),
	KUNIT_CASE(amdgpu_kfd_test_synced_to_by_moves),
	KUNIT_CASE(amdgpu_kfd_test_removed_from_a_bo),
	{}
};

static struct kunit_suite kfd_fence_test_suite = {
	.name = "amdgpu_kfd_fence",
	.test_cases = kfd_fence_test_cases,
	.init = kfd_test_init,
};

kunit_test_suite(kfd_fence_test_suite);
