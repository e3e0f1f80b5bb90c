// SPDX-License-Identifier: GPL-2.0
/*
 * dma_fence_init.cocci finds this, and has no patch: the structure with the lock is
 * in a header. Another file may signal under it, as vc4 does, or find the issuer by
 * it.
 */

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	spin_lock_init(&t->lock);
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, ++t->seqno);
}
