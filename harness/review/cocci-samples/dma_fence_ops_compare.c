// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_ops_compare.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	const struct other_ops *ops;
};

static const struct dma_fence_ops sample_ops;

static bool bad_plain(struct dma_fence *fence, struct job *job)
{
	return fence->ops == &sample_ops || job->done->ops != &sample_ops;
}

static bool bad_type(struct sample *s, const struct dma_fence_ops *theirs)
{
	return s->base.ops == theirs;
}

static bool bad_pointer(struct dma_fence *f, const struct dma_fence_ops *theirs)
{
	return f->ops != theirs;
}

static struct sample *to_sample(struct dma_fence *fence)
{
	if (rcu_access_pointer(fence->ops) != &sample_ops)
		return NULL;
	return container_of(fence, struct sample, base);
}

static void bad_after(struct dma_fence *fence)
{
	struct sample *s;

	dma_fence_signal(fence);
	s = to_sample(fence);
	if (s)
		complete(&s->done);
	if (rcu_access_pointer(fence->ops) == &sample_ops)
		pr_info("mine");
}

static void bad_callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	if (to_sample(fence))
		pr_info("mine");
	if (rcu_access_pointer(fence->ops) == &sample_ops)
		pr_info("mine");
}

static void good_before(struct dma_fence *fence, struct dma_fence *next)
{
	struct sample *s = to_sample(fence);

	if (s)
		complete(&s->done);
	dma_fence_signal(fence);
	if (to_sample(next))
		pr_info("mine");
	fence = next;
	if (to_sample(fence))
		pr_info("mine");
}

static void good_loop(struct dma_fence **fences)
{
	struct dma_fence *old;
	int i;

	for (i = 0; i < 4; i++) {
		old = fences[i];
		if (rcu_access_pointer(old->ops) == &sample_ops)
			dma_fence_signal(old);
	}
}

static void good_callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct sample *s = container_of(cb, struct sample, cb);

	if (to_sample(s->next))
		pr_info("mine");
}

static bool good_other(struct sample *s, const struct other_ops *ops)
{
	return s->ops == ops;
}
