// SPDX-License-Identifier: GPL-2.0
/*
 * dma_fence_init.cocci finds this, and has no patch: enable_signaling is called with
 * the lock, which so protects what it does.
 */

struct timeline {
	u64 context;
	spinlock_t lock;
	unsigned int enabled;
};

static bool sample_enable_signaling(struct dma_fence *fence)
{
	to_timeline(fence)->enabled++;
	return true;
}

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
	.enable_signaling = sample_enable_signaling,
};

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, 1);
}
