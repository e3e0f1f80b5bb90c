// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * TLB flushes in the order of fences, with those of the device being counted.
 */

#include <linux/rcupdate.h>

#include "amdgpu_mock.h"

#define PASID	0x1234

struct tlb_test {
	struct amdgpu_mock *mock;
	struct amdgpu_vm *vm;
};

static int tlb_test_init(struct kunit *test)
{
	struct tlb_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	t->vm = kunit_kzalloc(test, sizeof(*t->vm), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->vm);
	t->vm->pasid = PASID;
	t->vm->tlb_fence_context = dma_fence_context_alloc(1);
	atomic64_set(&t->vm->tlb_seq, 0x100000001);

	test->priv = t;
	return 0;
}

/* Flush after a fence, whose reference goes to the flush. */
static struct dma_fence *flush(struct kunit *test, struct dma_fence *dependency)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *fence = dependency;

	amdgpu_vm_tlb_fence_create(t->mock->adev, t->vm, &fence);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_ASSERT_PTR_NE(test, fence, dependency);
	return fence;
}

static int flushes(struct kunit *test)
{
	struct tlb_test *t = test->priv;

	return atomic_read(&t->mock->flushes);
}

static void amdgpu_tlb_test_first_in_its_own_memory(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *dependency = amdgpu_mock_emit(t->mock);
	struct dma_fence *fence = flush(test, dependency);
	const struct dma_fence_ops *ops = rcu_access_pointer(fence->ops);

	KUNIT_EXPECT_EQ(test, offsetof(struct amdgpu_tlb_fence, base), 0);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, ops->release, NULL);
	KUNIT_EXPECT_PTR_EQ(test, ops->wait, NULL);
	KUNIT_EXPECT_EQ(test, fence->context, t->vm->tlb_fence_context);
	KUNIT_EXPECT_EQ(test, fence->seqno, 0x100000001);
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &fence->flags));
	mock_expect_names(test, fence, "amdgpu tlb fence", "amdgpu tlb timeline");

	amdgpu_mock_complete_all(t->mock->ring);
	mock_wait_fence(test, fence);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_tlb_test_without_a_dependency(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *fence = flush(test, NULL);

	mock_wait_fence(test, fence);
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	KUNIT_EXPECT_EQ(test, t->mock->pasid, PASID);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_tlb_test_after_its_dependency(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *dependency = dma_fence_get(amdgpu_mock_emit(t->mock));
	struct dma_fence *fence = flush(test, dependency);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, false, HZ / 20), 0);
	KUNIT_EXPECT_EQ(test, flushes(test), 0);

	amdgpu_mock_complete_all(t->mock->ring);
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	/* Nothing is held for those who hold the fence. */
	amdgpu_mock_last_put(test, dependency);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_tlb_test_after_a_dependency_that_failed(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *fence = flush(test, amdgpu_mock_emit(t->mock));

	amdgpu_fence_driver_force_completion(t->mock->ring, NULL);
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

/* One that nobody but the worker has. */
static void amdgpu_tlb_test_dropped_before_it_is_signaled(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *fence = flush(test, amdgpu_mock_emit(t->mock));
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fence, &cb.base, mock_cb_func), 0);
	dma_fence_put(fence);
	rcu_barrier();
	amdgpu_mock_complete_all(t->mock->ring);
	mock_wait_until(test, atomic_read(&cb.count));
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
}

static void amdgpu_tlb_test_by_the_kiq(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct amdgpu_ring *kiq = t->mock->kiq;
	struct dma_fence *fence;

	t->mock->adev->gmc.flush_pasid_uses_kiq = true;
	fence = flush(test, NULL);
	mock_wait_until(test, READ_ONCE(kiq->fence_drv.sync_seq) == 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	amdgpu_mock_complete(kiq, 1);
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	amdgpu_mock_use(test, fence, 1);
	amdgpu_mock_last_put(test, fence);
}

static void amdgpu_tlb_test_flush_fails(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct amdgpu_ring *kiq = t->mock->kiq;
	struct dma_fence *fence;
	u32 seq;

	/* The KIQ is full of what nobody completes. */
	for (int i = 0; i < kiq->fence_drv.num_fences_mask; i++)
		KUNIT_ASSERT_EQ(test, amdgpu_fence_emit_polling(kiq, &seq, 100), 0);
	t->mock->adev->gmc.flush_pasid_uses_kiq = true;
	fence = flush(test, NULL);
	mock_wait_fence(test, fence);
	amdgpu_mock_use(test, fence, -ETIMEDOUT);
	amdgpu_mock_last_put(test, fence);
}

static struct amdgpu_tlb_fence *no_memory(void)
{
	return NULL;
}

static void amdgpu_tlb_test_without_memory(struct kunit *test)
{
	struct dma_fence *fence;

	kunit_activate_static_stub(test, amdgpu_tlb_fence_alloc, no_memory);
	fence = flush(test, NULL);
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
}

/* It can't be done later then, but is not to be done earlier. */
static void amdgpu_tlb_test_without_memory_after_its_dependency(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *dependency = dma_fence_get(amdgpu_mock_emit(t->mock));
	struct dma_fence *fence;

	kunit_activate_static_stub(test, amdgpu_tlb_fence_alloc, no_memory);
	/* Of this only the fallback timer will hear. */
	amdgpu_mock_complete(t->mock->ring, dependency->seqno);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(dependency));
	fence = flush(test, dependency);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(dependency));
	KUNIT_EXPECT_EQ(test, flushes(test), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	dma_fence_put(fence);
	amdgpu_mock_last_put(test, dependency);
}

static void amdgpu_tlb_test_held_while_the_device_goes(struct kunit *test)
{
	struct tlb_test *t = test->priv;
	struct dma_fence *fences[2];

	fences[0] = flush(test, NULL);
	fences[1] = flush(test, amdgpu_mock_emit(t->mock));
	amdgpu_mock_complete_all(t->mock->ring);
	for (int i = 0; i < ARRAY_SIZE(fences); i++)
		mock_wait_fence(test, fences[i]);
	amdgpu_mock_unload(t->mock);
	kunit_kfree(test, t->vm);

	for (int i = 0; i < ARRAY_SIZE(fences); i++) {
		amdgpu_mock_use(test, fences[i], 1);
		amdgpu_mock_last_put(test, fences[i]);
	}
	rcu_barrier();
}

static struct kunit_case tlb_fence_test_cases[] = {
	KUNIT_CASE(amdgpu_tlb_test_first_in_its_own_memory),
	KUNIT_CASE(amdgpu_tlb_test_without_a_dependency),
	KUNIT_CASE(amdgpu_tlb_test_after_its_dependency),
	KUNIT_CASE(amdgpu_tlb_test_after_a_dependency_that_failed),
	KUNIT_CASE(amdgpu_tlb_test_dropped_before_it_is_signaled),
	KUNIT_CASE(amdgpu_tlb_test_by_the_kiq),
	KUNIT_CASE(amdgpu_tlb_test_flush_fails),
	KUNIT_CASE(amdgpu_tlb_test_without_memory),
	KUNIT_CASE(amdgpu_tlb_test_without_memory_after_its_dependency),
	KUNIT_CASE(amdgpu_tlb_test_held_while_the_device_goes),
	{}
};

static struct kunit_suite tlb_fence_test_suite = {
	.name = "amdgpu_tlb_fence",
	.test_cases = tlb_fence_test_cases,
	.init = tlb_test_init,
};

kunit_test_suite(tlb_fence_test_suite);
