// SPDX-License-Identifier: GPL-2.0
/* dma_fence_init.cocci finds this, and has no patch: the lock is shared. */

struct timeline {
	u64 context;
	u64 seqno;
	spinlock_t lock;
	struct dma_fence *last;
};

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, ++t->seqno);
}

static void signal(struct timeline *t, struct dma_fence *other)
{
	unsigned long flags;

	dma_fence_lock_irqsave(other, flags);
	dma_fence_signal_locked(t->last);
	dma_fence_unlock_irqrestore(other, flags);
}
