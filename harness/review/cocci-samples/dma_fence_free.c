// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_free.cocci finds (bad), and what not (good). */

struct sample {
	int x;
	struct dma_fence base;
};

static void bad_fence_release(struct dma_fence *fence)
{
	timeline_put(fence);
	kfree(fence);
}

static const struct dma_fence_ops bad_fence_ops = {
	.release = bad_fence_release,
};

static void bad_object_release(struct dma_fence *fence)
{
	struct sample *s = container_of(fence, struct sample, base);

	if (s->x)
		return;
	kfree(s);
}

static const struct dma_fence_ops bad_object_ops = {
	.release = bad_object_release,
};

static void bad_to_release(struct dma_fence *fence)
{
	struct sample *s = to_sample(fence);

	kfree(s);
}

static const struct dma_fence_ops bad_to_ops = {
	.release = bad_to_release,
};

static void bad_cache_release(struct dma_fence *fence)
{
	kmem_cache_free(cache, to_sample(fence));
}

static const struct dma_fence_ops bad_cache_ops = {
	.release = bad_cache_release,
};

static int bad_error(struct dma_fence *fence)
{
	int ret;

	dma_fence_init(fence, &sample_ops, NULL, 1, 1);
	ret = submit(fence);
	if (ret)
		kfree(fence);
	return ret;
}

static void good_rcu_release(struct dma_fence *fence)
{
	struct sample *s = to_sample(fence);

	kfree(s->name);
	kfree_rcu(s, base.rcu);
}

static const struct dma_fence_ops good_rcu_ops = {
	.release = good_rcu_release,
};

static void good_core_release(struct dma_fence *fence)
{
	timeline_put(fence);
	dma_fence_free(fence);
}

static const struct dma_fence_ops good_core_ops = {
	.release = good_core_release,
};

static void sample_free_rcu(struct rcu_head *rcu)
{
	struct dma_fence *fence = container_of(rcu, struct dma_fence, rcu);

	kmem_cache_free(cache, to_sample(fence));
}

static void good_call_release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, sample_free_rcu);
}

static const struct dma_fence_ops good_call_ops = {
	.release = good_call_release,
};

static struct dma_fence *good_error(void)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (prepare(fence)) {
		kfree(fence);
		return NULL;
	}
	dma_fence_init(fence, &sample_ops, NULL, 1, 1);
	return fence;
}
