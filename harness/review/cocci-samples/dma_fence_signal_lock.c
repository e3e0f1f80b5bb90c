// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_signal_lock.cocci finds (bad), and what not (good). */

struct timeline {
	spinlock_t lock;
	spinlock_t helper_lock;
	spinlock_t unrelated;
	struct list_head pending;
};

struct other {
	spinlock_t lock;
};

static void arm(struct timeline *t)
{
	spin_lock(&t->helper_lock);
	t->armed = true;
	spin_unlock(&t->helper_lock);
}

static bool sample_enable_signaling(struct dma_fence *fence)
{
	struct timeline *t = to_sample(fence)->timeline;

	spin_lock(&t->lock);
	list_add_tail(&to_sample(fence)->link, &t->pending);
	spin_unlock(&t->lock);
	arm(t);
	return true;
}

static const struct dma_fence_ops sample_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.enable_signaling = sample_enable_signaling,
};

static void bad_loop(struct timeline *t)
{
	struct sample *s, *n;
	unsigned long flags;

	spin_lock_irqsave(&t->lock, flags);
	list_for_each_entry_safe(s, n, &t->pending, link) {
		list_del(&s->link);
		dma_fence_signal(&s->base);
	}
	spin_unlock_irqrestore(&t->lock, flags);
}

static void bad_last(struct timeline *t, struct dma_fence *fence)
{
	spin_lock_irq(&t->lock);
	list_del(&to_sample(fence)->link);
	dma_fence_signal(fence);
	spin_unlock_irq(&t->lock);
	dma_fence_put(fence);
}

static void bad_helper_lock(struct timeline *t, struct dma_fence *fence)
{
	spin_lock(&t->helper_lock);
	dma_fence_signal(fence);
	spin_unlock(&t->helper_lock);
}

static void sample_done(struct sample *s)
{
	s->done = true;
	dma_fence_signal(&s->base);
}

static void bad_called(struct timeline *t, struct sample *s)
{
	spin_lock_irq(&t->lock);
	sample_done(s);
	spin_unlock_irq(&t->lock);
}

static void good_list(struct timeline *t)
{
	struct sample *s, *n;
	LIST_HEAD(done);

	spin_lock_irq(&t->lock);
	list_splice_init(&t->pending, &done);
	spin_unlock_irq(&t->lock);
	list_for_each_entry_safe(s, n, &done, link) {
		list_del(&s->link);
		dma_fence_signal(&s->base);
	}
}

static void good_after(struct timeline *t, struct sample *s)
{
	spin_lock_irq(&t->lock);
	list_del(&s->link);
	spin_unlock_irq(&t->lock);
	sample_done(s);
}

static void good_locks(struct timeline *t, struct other *o, struct sample *s)
{
	spin_lock(&t->unrelated);
	dma_fence_signal(&s->base);
	spin_unlock(&t->unrelated);
	spin_lock(&o->lock);
	dma_fence_signal(&s->base);
	spin_unlock(&o->lock);
}
