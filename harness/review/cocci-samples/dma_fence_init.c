// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_init.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	struct dma_fence second;
	spinlock_t lock;
};

struct timeline {
	u64 context;
	u64 seqno;
	spinlock_t fences;
	spinlock_t lists;
};

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_timeline,
};

static void bad_init(struct sample *s, struct timeline *t)
{
	spin_lock_init(&s->lock);
	dma_fence_init(&s->base, &sample_ops, &s->lock, 1, 1);
	spin_lock(&t->lists);
	dma_fence_init64(&s->base, &sample_ops, &t->fences,
			 t->context, ++t->seqno);
	spin_unlock(&t->lists);
}

/* There is no patch for two in one object. */
static void bad_pair(struct sample *s, spinlock_t *lock)
{
	dma_fence_init_pair(s, base, second, &sample_ops, &other_ops, lock, 1, 1);
	dma_fence_init_pair64(s, base, second, &sample_ops, &other_ops, lock, 1, 1);
}

static void good_init(struct sample *s)
{
	dma_fence_init(&s->base, &sample_ops, NULL, 1, 1);
	dma_fence_init64(&s->base, &sample_ops, NULL, 1, 1);
	dma_fence_init_pair(s, base, second, &sample_ops, &other_ops, NULL, 1, 1);
	/* no lock at all */
	dma_fence_array_init(&s->base, 2, NULL, 1, 1, false);
}
