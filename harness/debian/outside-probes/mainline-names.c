// SPDX-License-Identifier: GPL-2.0
/*
 * What drivers that build on mainline and on 6.12 use: its names, its types, and the
 * addresses of those that are functions there, which such drivers probe for by
 * compiling.  Else they define names of their own beside these.
 *
 * stock: refused
 * patched: builds
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

void (*outside_init64)(struct dma_fence *fence, const struct dma_fence_ops *ops,
		       spinlock_t *lock, u64 context, u64 seqno) = dma_fence_init64;
bool (*outside_signal)(struct dma_fence *fence) = dma_fence_check_and_signal;
bool (*outside_signal_locked)(struct dma_fence *fence) = dma_fence_check_and_signal_locked;
const char __rcu *(*outside_driver)(struct dma_fence *fence) = dma_fence_driver_name;
const char __rcu *(*outside_timeline)(struct dma_fence *fence) = dma_fence_timeline_name;

spinlock_t *outside_lock(struct dma_fence *fence);
spinlock_t *outside_lock(struct dma_fence *fence)
{
	unsigned long flags;
	spinlock_t *lock = fence->extern_lock;

	if (!dma_fence_was_initialized(fence))
		return &fence->inline_lock;

	dma_fence_lock_irqsave(fence, flags);
	dma_fence_assert_held(fence);
	if (!dma_fence_test_signaled_flag(fence) &&
	    !test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &fence->flags) &&
	    !test_bit(DMA_FENCE_FLAG_INITIALIZED_BIT, &fence->flags) &&
	    !test_bit(DMA_FENCE_FLAG_INLINE_LOCK_BIT, &fence->flags))
		lock = dma_fence_spinlock(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	dma_fence_enable_signaling(fence);

	return lock;
}

MODULE_LICENSE("GPL");
