// SPDX-License-Identifier: MIT
/*
 * The eviction fence of a KFD process: made with its first VM, put on its BOs, taken
 * off, and replaced when what was evicted is restored. BOs and page directory are
 * real ones in VRAM, or of GWS, but there is nothing in the page tables.
 */

#include <kunit/static_stub.h>

#include <linux/kthread.h>
#include <linux/workqueue.h>

#include <drm/ttm/ttm_placement.h>

#include "amdgpu_mock.h"

/**
 * struct process_test - what a case of this suite has
 * @mock: the device
 * @mm: of the process
 * @fpriv: of two files that the process has opened, with a VM each
 * @prt_va: theirs
 * @info: what the VMs have in common, as long as there is one
 * @ef: what kfd_process.ef is
 */
struct process_test {
	struct amdgpu_mock *mock;
	struct mm_struct *mm;
	struct amdgpu_fpriv *fpriv[2];
	struct amdgpu_bo_va prt_va[2];
	void *info;
	struct dma_fence __rcu *ef;
};

static struct amdgpu_vm *vm_of(struct process_test *t, int i)
{
	return &t->fpriv[i]->vm;
}

static struct amdkfd_process_info *info_of(struct process_test *t)
{
	return t->info;
}

static struct dma_fence *ef_of(struct process_test *t)
{
	return rcu_dereference_protected(t->ef, true);
}

KUNIT_DEFINE_ACTION_WRAPPER(process_test_put_mm, mmput, struct mm_struct *);

/* The process ends, after its BOs have gone. */
static void process_test_end(void *data)
{
	struct process_test *t = data;

	for (int i = 0; i < ARRAY_SIZE(t->fpriv); i++) {
		amdgpu_amdkfd_gpuvm_destroy_cb(t->mock->adev, vm_of(t, i));
		amdgpu_bo_free_kernel(&vm_of(t, i)->root.bo, NULL, NULL);
		dma_fence_put(vm_of(t, i)->last_update);
	}
	dma_fence_put(ef_of(t));
	RCU_INIT_POINTER(t->ef, NULL);
}

/* As much of amdgpu_vm_init() as does not write page tables. */
static void process_test_create_vm(struct kunit *test, struct process_test *t, int i)
{
	struct amdgpu_fpriv *fpriv = kunit_kzalloc(test, sizeof(*fpriv), GFP_KERNEL);
	struct amdgpu_vm *vm;

	KUNIT_ASSERT_NOT_NULL(test, fpriv);
	t->fpriv[i] = fpriv;
	vm = &fpriv->vm;
	INIT_LIST_HEAD(&vm->evicted);
	INIT_LIST_HEAD(&vm->evicted_user);
	INIT_LIST_HEAD(&vm->relocated);
	INIT_LIST_HEAD(&vm->moved);
	INIT_LIST_HEAD(&vm->idle);
	INIT_LIST_HEAD(&vm->invalidated);
	INIT_LIST_HEAD(&vm->done);
	spin_lock_init(&vm->status_lock);
	mutex_init(&vm->eviction_lock);
	vm->last_update = dma_fence_get_stub();

	fpriv->prt_va = &t->prt_va[i];
	fpriv->prt_va->base.vm = vm;
	INIT_LIST_HEAD(&fpriv->prt_va->base.vm_status);
	INIT_LIST_HEAD(&fpriv->prt_va->valids);
	INIT_LIST_HEAD(&fpriv->prt_va->invalids);
}

static int process_test_init(struct kunit *test)
{
	struct process_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	amdgpu_mock_add_memory(t->mock);
	t->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, t->mm);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, process_test_put_mm, t->mm));
	for (int i = 0; i < ARRAY_SIZE(t->fpriv); i++)
		process_test_create_vm(test, t, i);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, process_test_end, t));
	for (int i = 0; i < ARRAY_SIZE(t->fpriv); i++)
		KUNIT_ASSERT_EQ(test, 0,
				amdgpu_bo_create_kernel(t->mock->adev, PAGE_SIZE, PAGE_SIZE,
							AMDGPU_GEM_DOMAIN_VRAM,
							&vm_of(t, i)->root.bo, NULL, NULL));

	test->priv = t;
	return 0;
}

/* The process ends, and the device goes. */
static void unload(struct kunit *test)
{
	struct process_test *t = test->priv;

	kunit_release_action(test, process_test_end, t);
	amdgpu_mock_unload(t->mock);
}

static void use_another_mm(struct work_struct *work)
{
	struct mm_struct *mm = mm_alloc();

	if (!mm)
		return;
	kthread_use_mm(mm);
	kthread_unuse_mm(mm);
	mmput(mm);
}

/*
 * How many hold the mm. A CPU that runs nothing but kernel threads still borrows the
 * one it last had to switch to, until that is another one.
 */
static int mm_refs(struct kunit *test)
{
	struct process_test *t = test->priv;

	KUNIT_EXPECT_EQ(test, schedule_on_each_cpu(use_another_mm), 0);
	return atomic_read(&t->mm->mm_count);
}

/* The process makes a VM one of its compute VMs. */
static int acquire(struct process_test *t, int i)
{
	struct dma_fence *ef = NULL;
	int r;

	kthread_use_mm(t->mm);
	r = amdgpu_amdkfd_gpuvm_acquire_process_vm(t->mock->adev, vm_of(t, i), &t->info,
						   t->ef ? NULL : &ef);
	kthread_unuse_mm(t->mm);
	if (ef)
		RCU_INIT_POINTER(t->ef, ef);
	return r;
}

/* Acquire the first, and hold its eviction fence. */
static struct dma_fence *acquire_first(struct kunit *test)
{
	struct process_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, acquire(t, 0), 0);
	KUNIT_ASSERT_NOT_NULL(test, t->info);
	KUNIT_ASSERT_PTR_EQ(test, ef_of(t), &info_of(t)->eviction_fence->base);
	return dma_fence_get(ef_of(t));
}

static bool only_signaled_in(struct amdgpu_bo *bo)
{
	return dma_resv_test_signaled(bo->tbo.base.resv, DMA_RESV_USAGE_BOOKKEEP);
}

static void amdgpu_process_test_acquired_with_the_first_vm(struct kunit *test)
{
	struct process_test *t = test->priv;
	int refs = mm_refs(test);
	struct dma_fence *fence = acquire_first(test);

	KUNIT_EXPECT_TRUE(test, amdkfd_fence_check_mm(fence, t->mm));
	KUNIT_EXPECT_FALSE(test, only_signaled_in(vm_of(t, 0)->root.bo));
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs + 1);

	KUNIT_ASSERT_EQ(test, acquire(t, 1), 0);
	KUNIT_EXPECT_EQ(test, info_of(t)->n_vms, 2);
	KUNIT_EXPECT_PTR_EQ(test, &info_of(t)->eviction_fence->base, fence);
	KUNIT_EXPECT_FALSE(test, only_signaled_in(vm_of(t, 1)->root.bo));
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs + 1);
	KUNIT_EXPECT_EQ(test, acquire(t, 1), -EINVAL);

	unload(test);
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

static int acquire_thread(void *data)
{
	struct process_test *t = data;
	int r;

	kthread_use_mm(t->mm);
	r = init_kfd_vm(vm_of(t, 0), &t->info, NULL);
	kthread_unuse_mm(t->mm);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);
	return r;
}

/* R11: opening a BO finds the process, and takes its fence, before that has failed. */
static void amdgpu_process_test_seen_before_the_vm_could_not_be_acquired(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct amdgpu_device *adev = t->mock->adev;
	struct amdgpu_vm *vm = vm_of(t, 0);
	int refs = mm_refs(test);
	struct task_struct *thread;
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, amdgpu_bo_reserve(vm->root.bo, true), 0);
	thread = kthread_run(acquire_thread, t, "amdgpu-acquire");
	if (!IS_ERR(thread)) {
		unsigned long end = jiffies + 5 * HZ;

		while (!READ_ONCE(vm->process_info) && time_before(jiffies, end))
			schedule_timeout_uninterruptible(1);
	}
	fence = vm->process_info ? dma_fence_get(&vm->process_info->eviction_fence->base) : NULL;
	/* All has to be made anew, but there is nothing to write page tables with. */
	atomic_inc(&adev->vram_lost_counter);
	adev->vm_manager.vm_pte_num_scheds = 1;
	amdgpu_bo_unreserve(vm->root.bo);
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread));
	KUNIT_EXPECT_EQ(test, kthread_stop(thread), -EINVAL);
	KUNIT_ASSERT_NOT_NULL(test, fence);

	KUNIT_EXPECT_NULL(test, t->info);
	KUNIT_EXPECT_NULL(test, vm->process_info);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_FALSE(test, amdkfd_fence_check_mm(fence, t->mm));
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs);
	synchronize_rcu();
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static struct amdgpu_amdkfd_fence *no_memory(u64 context, struct mm_struct *mm,
					     struct svm_range_bo *svm_bo)
{
	return NULL;
}

static void amdgpu_process_test_acquired_without_memory(struct kunit *test)
{
	struct process_test *t = test->priv;
	int refs = mm_refs(test);

	kunit_activate_static_stub(test, amdgpu_amdkfd_fence_create, no_memory);
	KUNIT_EXPECT_EQ(test, acquire(t, 0), -ENOMEM);
	KUNIT_EXPECT_NULL(test, t->info);
	KUNIT_EXPECT_NULL(test, vm_of(t, 0)->process_info);
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs);
}

/* GWS is the BO of the device, lent to a process. */
static void *alloc_gws(struct kunit *test)
{
	struct process_test *t = test->priv;
	void *gws = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_alloc_gws(t->mock->adev, 1, &gws), 0);
	return gws;
}

/* R7: by its context, be it signaled or not; others stay. */
static void amdgpu_process_test_removed_from_a_bo_of_the_process(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct mock_issuer *issuer = mock_issuer_create(test, 0);
	struct dma_fence *other = mock_fence_create(issuer, 1);
	struct dma_fence *fence = acquire_first(test);
	struct amdgpu_bo *gws = alloc_gws(test);
	struct kgd_mem *mem = NULL;
	int refs = kref_read(&fence->refcount);

	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_add_gws_to_process(t->info, gws, &mem), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), refs + 1);
	KUNIT_ASSERT_EQ(test, amdgpu_bo_reserve(gws, true), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(gws->tbo.base.resv, 1), 0);
	dma_resv_add_fence(gws->tbo.base.resv, other, DMA_RESV_USAGE_BOOKKEEP);
	amdgpu_bo_unreserve(gws);

	KUNIT_EXPECT_EQ(test, amdgpu_amdkfd_remove_gws_from_process(t->info, mem), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), refs);
	KUNIT_EXPECT_FALSE(test, only_signaled_in(gws));
	dma_fence_signal(other);
	KUNIT_EXPECT_TRUE(test, only_signaled_in(gws));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));

	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_add_gws_to_process(t->info, gws, &mem), 0);
	KUNIT_EXPECT_FALSE(test, only_signaled_in(gws));
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, amdgpu_amdkfd_remove_gws_from_process(t->info, mem), 0);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), refs);
	KUNIT_EXPECT_TRUE(test, only_signaled_in(gws));

	amdgpu_amdkfd_free_gws(t->mock->adev, gws);
	unload(test);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
	dma_fence_put(other);
}

/* The queues of the process have been stopped, its BOs moved, and are back. */
static void amdgpu_process_test_restored_with_a_new_fence(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct dma_fence *old = acquire_first(test), *fence;
	struct amdgpu_bo *gws = alloc_gws(test);
	struct kgd_mem *mem = NULL;
	int refs = mm_refs(test);

	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_add_gws_to_process(t->info, gws, &mem), 0);
	dma_fence_signal(old);
	KUNIT_EXPECT_TRUE(test, only_signaled_in(gws));
	synchronize_rcu();
	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_gpuvm_restore_process_bos(t->info, &t->ef), 0);

	fence = dma_fence_get(ef_of(t));
	KUNIT_EXPECT_PTR_NE(test, fence, old);
	KUNIT_EXPECT_PTR_EQ(test, &info_of(t)->eviction_fence->base, fence);
	KUNIT_EXPECT_TRUE(test, amdkfd_fence_check_mm(fence, t->mm));
	KUNIT_EXPECT_EQ(test, fence->context, old->context);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(fence, old));
	KUNIT_EXPECT_FALSE(test, only_signaled_in(gws));
	KUNIT_EXPECT_FALSE(test, only_signaled_in(vm_of(t, 0)->root.bo));
	/* Nobody has the old one any more, and no fence has the mm. */
	amdgpu_mock_use(test, old, 1);
	amdgpu_mock_last_put(test, old);
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs);

	KUNIT_EXPECT_EQ(test, amdgpu_amdkfd_remove_gws_from_process(t->info, mem), 0);
	KUNIT_EXPECT_TRUE(test, only_signaled_in(gws));
	amdgpu_amdkfd_free_gws(t->mock->adev, gws);
	unload(test);
	KUNIT_EXPECT_EQ(test, mm_refs(test), refs - 1);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

/* After a reset or a suspend nothing has been evicted. */
static void amdgpu_process_test_restored_with_the_same_fence(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct dma_fence *fence = acquire_first(test);
	struct amdgpu_bo *gws = alloc_gws(test);
	struct kgd_mem *mem = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_add_gws_to_process(t->info, gws, &mem), 0);
	KUNIT_ASSERT_EQ(test, amdgpu_amdkfd_gpuvm_restore_process_bos(t->info, &t->ef), 0);
	KUNIT_EXPECT_PTR_EQ(test, ef_of(t), fence);
	KUNIT_EXPECT_PTR_EQ(test, &info_of(t)->eviction_fence->base, fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, amdgpu_amdkfd_remove_gws_from_process(t->info, mem), 0);
	amdgpu_amdkfd_free_gws(t->mock->adev, gws);
	kunit_release_action(test, process_test_end, t);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

/* It is tried again later. */
static void amdgpu_process_test_restored_without_memory(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct dma_fence *fence = acquire_first(test);

	dma_fence_signal(fence);
	kunit_activate_static_stub(test, amdgpu_amdkfd_fence_create, no_memory);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			amdgpu_amdkfd_gpuvm_restore_process_bos(t->info, &t->ef));
	KUNIT_EXPECT_PTR_EQ(test, ef_of(t), fence);
	KUNIT_EXPECT_PTR_EQ(test, &info_of(t)->eviction_fence->base, fence);
	kunit_deactivate_static_stub(test, amdgpu_amdkfd_fence_create);
	KUNIT_EXPECT_EQ(test, amdgpu_amdkfd_gpuvm_restore_process_bos(t->info, &t->ef), 0);
	KUNIT_EXPECT_PTR_NE(test, ef_of(t), fence);
	amdgpu_mock_last_put(test, fence);
}

static struct amdgpu_bo *create_vram(struct kunit *test)
{
	struct process_test *t = test->priv;
	struct amdgpu_bo_param bp = {
		.size = PAGE_SIZE,
		.byte_align = PAGE_SIZE,
		.domain = AMDGPU_GEM_DOMAIN_VRAM,
		.flags = AMDGPU_GEM_CREATE_NO_CPU_ACCESS,
		.type = ttm_bo_type_device,
	};
	struct amdgpu_bo_user *ubo = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_bo_create_user(t->mock->adev, &bp, &ubo), 0);
	return &ubo->bo;
}

/* R7: a process does not evict its own BOs as long as its queues may run. */
static void amdgpu_process_test_evictable_by_whom(struct kunit *test)
{
	struct process_test *t = test->priv;
	const struct ttm_device_funcs *funcs = t->mock->adev->mman.bdev.funcs;
	const struct ttm_place contiguous = {
		.mem_type = TTM_PL_VRAM,
		.flags = TTM_PL_FLAG_CONTIGUOUS,
	};
	const struct ttm_place place = { .mem_type = TTM_PL_VRAM };
	struct dma_fence *fence = acquire_first(test);
	struct amdgpu_bo *bo = create_vram(test);

	KUNIT_ASSERT_EQ(test, amdgpu_bo_reserve(bo, true), 0);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(bo->tbo.base.resv, 1), 0);
	dma_resv_add_fence(bo->tbo.base.resv, fence, DMA_RESV_USAGE_BOOKKEEP);
	/* by a kernel thread */
	KUNIT_EXPECT_TRUE(test, funcs->eviction_valuable(&bo->tbo, &place));

	kthread_use_mm(t->mm);
	KUNIT_EXPECT_FALSE(test, funcs->eviction_valuable(&bo->tbo, &place));
	KUNIT_EXPECT_TRUE(test, funcs->eviction_valuable(&bo->tbo, &contiguous));
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, funcs->eviction_valuable(&bo->tbo, &place));
	kthread_unuse_mm(t->mm);

	amdgpu_bo_unreserve(bo);
	amdgpu_bo_unref(&bo);
	unload(test);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static struct kunit_case process_test_cases[] = {
	KUNIT_CASE(amdgpu_process_test_acquired_with_the_first_vm),
	KUNIT_CASE(amdgpu_process_test_seen_before_the_vm_could_not_be_acquired),
	KUNIT_CASE(amdgpu_process_test_acquired_without_memory),
	KUNIT_CASE(amdgpu_process_test_removed_from_a_bo_of_the_process),
	KUNIT_CASE(amdgpu_process_test_restored_with_a_new_fence),
	KUNIT_CASE(amdgpu_process_test_restored_with_the_same_fence),
	KUNIT_CASE(amdgpu_process_test_restored_without_memory),
	KUNIT_CASE(amdgpu_process_test_evictable_by_whom),
	{}
};

static struct kunit_suite process_test_suite = {
	.name = "amdgpu_kfd_process",
	.test_cases = process_test_cases,
	.init = process_test_init,
};

kunit_test_suite(process_test_suite);
