// SPDX-License-Identifier: GPL-2.0
/* dma_fence_init.cocci finds this, and has no patch: the lock protects a list as well. */

struct timeline {
	u64 context;
	spinlock_t lock;
	struct list_head list;
};

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static void bad_init(struct sample *s, struct timeline *t)
{
	dma_fence_init(&s->base, &sample_ops, &t->lock, t->context, 1);
	spin_lock_irq(&t->lock);
	list_add(&s->link, &t->list);
	spin_unlock_irq(&t->lock);
}
