// SPDX-License-Identifier: GPL-2.0
/* The same, by a lock that comes in a variable. */

struct timeline {
	u64 context;
	spinlock_t lock;
};

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static struct timeline *to_timeline(spinlock_t *lock)
{
	return container_of(lock, struct timeline, lock);
}

static void bad_init(struct dma_fence *fence, struct timeline *t)
{
	dma_fence_init(fence, &sample_ops, &t->lock, t->context, 1);
}
