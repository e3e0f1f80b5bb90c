// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_lock.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	spinlock_t lock;
};

static void bad_extern(struct dma_fence *fence, struct sample *s)
{
	unsigned long flags;

	spin_lock_irqsave(fence->extern_lock, flags);
	lockdep_assert_held(fence->extern_lock);
	spin_unlock_irqrestore(fence->extern_lock, flags);
	spin_lock(s->base.extern_lock);
	spin_unlock(s->base.extern_lock);
}

static void bad_inline(struct dma_fence *fence, struct sample *s)
{
	unsigned long flags;

	spin_lock_irqsave(&fence->inline_lock, flags);
	lockdep_assert_held(&fence->inline_lock);
	spin_unlock_irqrestore(&fence->inline_lock, flags);
	spin_lock(&s->base.inline_lock);
}

static struct timeline *bad_old(struct dma_fence *fence, struct sample *s)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	lockdep_assert_held(fence->lock);
	spin_unlock_irqrestore(fence->lock, flags);
	spin_lock_irqsave(s->base.lock, flags);
	spin_unlock_irqrestore(s->base.lock, flags);
	return container_of(fence->lock, struct timeline, lock);
}

static void good_helpers(struct dma_fence *fence, struct sample *s)
{
	spinlock_t *lock = dma_fence_spinlock(fence);
	unsigned long flags;

	dma_fence_lock_irqsave(fence, flags);
	dma_fence_assert_held(fence);
	dma_fence_unlock_irqrestore(fence, flags);
	spin_lock(lock);
	spin_unlock(lock);
	/* the issuer's own */
	spin_lock(&s->lock);
	spin_unlock(&s->lock);
}
