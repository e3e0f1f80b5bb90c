// SPDX-License-Identifier: GPL-2.0
/* dma_fence_init.cocci finds this, and has no patch: the lock is shared. */

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, ++t->seqno);
}

static void signal(struct timeline *t)
{
	spin_lock(&t->lock);
	dma_fence_signal_locked(t->last);
	spin_unlock(&t->lock);
}
