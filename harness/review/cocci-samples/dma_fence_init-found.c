// SPDX-License-Identifier: GPL-2.0
/*
 * dma_fence_init.cocci finds these, and has no patch: somebody finds the issuer by
 * its lock, as drm_crtc.c and drm_writeback.c do.
 */

struct timeline {
	u64 context;
	spinlock_t lock;
};

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static struct timeline *to_timeline(struct dma_fence *fence)
{
	return container_of(dma_fence_spinlock(fence), struct timeline, lock);
}

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, 1);
}
