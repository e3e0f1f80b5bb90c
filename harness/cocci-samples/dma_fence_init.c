// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_init.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	struct dma_fence second;
	spinlock_t lock;
};

static void bad_init(struct sample *s, struct timeline *t)
{
	dma_fence_init(&s->base, &sample_ops, &s->lock, 1, 1);
	dma_fence_init64(&s->base, &sample_ops, &t->lock,
			 t->context, ++t->seqno);
}

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
