// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that takes the lock of any fence through the pointer that 6.12 has in it:
 * a fence with a lock inside has none.
 *
 * stock: builds
 * patched: refused
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

void outside_set_error(struct dma_fence *fence);
void outside_set_error(struct dma_fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	if (!dma_fence_is_signaled_locked(fence))
		dma_fence_set_error(fence, -EIO);
	spin_unlock_irqrestore(fence->lock, flags);
}

MODULE_LICENSE("GPL");
