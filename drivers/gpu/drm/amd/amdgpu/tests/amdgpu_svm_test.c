// SPDX-License-Identifier: MIT
/*
 * The eviction fence of the VRAM that a range of shared virtual memory is in. The
 * process has no mapping there, so that there is nothing to migrate.
 */

#include <kunit/static_stub.h>

#include <linux/rcupdate.h>
#include <linux/sched/mm.h>

#include "amdgpu_mock.h"
#include "amdgpu_object.h"
#include "kfd_priv.h"
#include "kfd_svm.h"

struct svm_test {
	struct amdgpu_mock *mock;
	struct mm_struct *mm;
	struct task_struct *task;
	struct kfd_process *process;
	struct kfd_node *node;
	struct svm_range *range;
	/* what the mm has without any VRAM */
	int refs;
};

static void svm_test_put_mm(void *data)
{
	struct svm_test *t = data;

	/* A thread that exits. */
	task_lock(t->task);
	t->task->mm = NULL;
	task_unlock(t->task);
	mmput(t->mm);
}

static int mm_refs(struct svm_test *t)
{
	return atomic_read(&t->mm->mm_count);
}

static int svm_test_init(struct kunit *test)
{
	struct svm_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	amdgpu_mock_add_memory(t->mock);
	t->task = kunit_kzalloc(test, sizeof(*t->task), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->task);
	t->process = kunit_kzalloc(test, sizeof(*t->process), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->process);
	t->node = kunit_kzalloc(test, sizeof(*t->node), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->node);
	t->range = kunit_kzalloc(test, sizeof(*t->range), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->range);

	/* Nothing ever runs this thread, nor borrows its mm. */
	spin_lock_init(&t->task->alloc_lock);
	t->mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, t->mm);
	t->task->mm = t->mm;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, svm_test_put_mm, t));
	t->process->lead_thread = t->task;
	t->node->adev = t->mock->adev;
	t->range->svms = &t->process->svms;
	t->range->npages = 1;
	mutex_init(&t->range->lock);
	mutex_init(&t->range->migrate_mutex);
	INIT_LIST_HEAD(&t->range->svm_bo_list);
	t->refs = mm_refs(t);

	test->priv = t;
	return 0;
}

/* Get VRAM for the range, and hold the fence of that. */
static struct dma_fence *create_vram(struct kunit *test)
{
	struct svm_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, svm_range_vram_node_new(t->node, t->range, false), 0);
	KUNIT_ASSERT_NOT_NULL(test, t->range->svm_bo);
	KUNIT_EXPECT_PTR_EQ(test, t->range->svm_bo->mm, t->mm);
	return dma_fence_get(&t->range->svm_bo->eviction_fence->base);
}

static void expect_no_vram(struct kunit *test)
{
	struct svm_test *t = test->priv;

	KUNIT_EXPECT_NULL(test, t->range->svm_bo);
	KUNIT_EXPECT_EQ(test, mm_refs(t), t->refs);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->mm->mm_users), 1);
}

/* The range is migrated, or gone. The mm is dropped, once, and nobody waits any more. */
static void amdgpu_svm_test_signaled_with_the_vram(struct kunit *test)
{
	struct svm_test *t = test->priv;
	struct dma_fence *fence = create_vram(test);
	struct dma_resv *resv = t->range->svm_bo->bo->tbo.base.resv;

	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
	KUNIT_EXPECT_EQ(test, mm_refs(t), t->refs + 1);
	svm_range_vram_node_free(t->range);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	expect_no_vram(test);
	amdgpu_mock_unload(t->mock);

	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
	rcu_barrier();
}

/* TTM wants the VRAM: the worker migrates the range, which puts it, and signals. */
static void amdgpu_svm_test_evicted(struct kunit *test)
{
	struct svm_test *t = test->priv;
	struct dma_fence *fence = create_vram(test);
	struct svm_range_bo *svm_bo = t->range->svm_bo;
	struct amdgpu_bo *bo = amdgpu_bo_ref(svm_bo->bo);

	/* The worker has to wait until it looks as if it had. */
	mmap_write_lock(t->mm);
	dma_fence_enable_sw_signaling(fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_EQ(test, kref_read(&svm_bo->kref), 2);
	svm_range_vram_node_free(t->range);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	mmap_write_unlock(t->mm);
	mock_wait_fence(test, fence);
	/* which is the last but one thing that the worker does */
	mock_wait_until(test, kref_read(&bo->tbo.base.refcount) == 1);
	amdgpu_bo_unref(&bo);
	expect_no_vram(test);

	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

/* The mm_struct stays for whom it says nothing more than that. */
static void amdgpu_svm_test_evicted_when_the_process_is_gone(struct kunit *test)
{
	struct svm_test *t = test->priv;
	struct dma_fence *fence = create_vram(test);

	kunit_release_action(test, svm_test_put_mm, t);
	dma_fence_enable_sw_signaling(fence);
	flush_work(&t->range->svm_bo->eviction_work);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(fence));
	svm_range_vram_node_free(t->range);
	KUNIT_EXPECT_NULL(test, t->range->svm_bo);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));

	synchronize_rcu();
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_svm_test_without_vram(struct kunit *test)
{
	struct svm_test *t = test->priv;

	t->range->npages = t->mock->adev->gmc.real_vram_size >> PAGE_SHIFT;
	KUNIT_EXPECT_EQ(test, svm_range_vram_node_new(t->node, t->range, false), -ENOMEM);
	expect_no_vram(test);
}

static struct amdgpu_amdkfd_fence *no_memory(u64 context, struct mm_struct *mm,
					     struct svm_range_bo *svm_bo)
{
	return NULL;
}

static void amdgpu_svm_test_without_memory_for_its_fence(struct kunit *test)
{
	struct svm_test *t = test->priv;

	kunit_activate_static_stub(test, amdgpu_amdkfd_fence_create, no_memory);
	KUNIT_EXPECT_EQ(test, svm_range_vram_node_new(t->node, t->range, false), -ENOMEM);
	expect_no_vram(test);
}

static struct kunit_case svm_test_cases[] = {
	KUNIT_CASE(amdgpu_svm_test_signaled_with_the_vram),
	KUNIT_CASE(amdgpu_svm_test_evicted),
	KUNIT_CASE(amdgpu_svm_test_evicted_when_the_process_is_gone),
	KUNIT_CASE(amdgpu_svm_test_without_vram),
	KUNIT_CASE(amdgpu_svm_test_without_memory_for_its_fence),
	{}
};

static struct kunit_suite svm_test_suite = {
	.name = "amdgpu_svm",
	.test_cases = svm_test_cases,
	.init = svm_test_init,
};

kunit_test_suite(svm_test_suite);
