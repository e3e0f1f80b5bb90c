// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_release.cocci finds (bad), and what not (good). */

struct sample {
	struct dma_fence base;
	int x;
};

struct behind {
	int x;
	struct dma_fence base;
};

static void bad_fence_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
}

static const struct dma_fence_ops bad_fence_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = bad_fence_release,
};

static void bad_object_release(struct dma_fence *fence)
{
	struct sample *s = to_sample(fence);

	kfree_rcu(s, base.rcu);
}

static const struct dma_fence_ops bad_object_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = bad_object_release,
	.signaled = sample_signaled,
};

static const struct dma_fence_ops bad_direct_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = dma_fence_free,
};

/* These have no patch. */

static void bad_behind_release(struct dma_fence *fence)
{
	struct behind *b = container_of(fence, struct behind, base);

	kfree_rcu(b, base.rcu);
}

static const struct dma_fence_ops bad_behind_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = bad_behind_release,
};

static void bad_cache_release(struct dma_fence *fence)
{
	kmem_cache_free(cache, to_sample(fence));
}

static const struct dma_fence_ops bad_cache_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = bad_cache_release,
};

static void sample_free_rcu(struct rcu_head *rcu)
{
	struct dma_fence *fence = container_of(rcu, struct dma_fence, rcu);
	struct sample *s = to_sample(fence);

	kmem_cache_free(cache, s);
}

static void bad_rcu_release(struct dma_fence *fence)
{
	struct sample *s = to_sample(fence);

	call_rcu(&s->base.rcu, sample_free_rcu);
}

static const struct dma_fence_ops bad_rcu_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = bad_rcu_release,
};

/* These do more, or have none. */

static void good_more_release(struct dma_fence *fence)
{
	struct sample *s = to_sample(fence);

	dma_fence_put(s->parent);
	kfree_rcu(s, base.rcu);
}

static const struct dma_fence_ops good_more_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = good_more_release,
};

static void sample_put_rcu(struct rcu_head *rcu)
{
	struct sample *s = container_of(rcu, struct sample, base.rcu);

	timeline_put(s->timeline);
	kfree(s);
}

static void good_rcu_release(struct dma_fence *fence)
{
	call_rcu(&fence->rcu, sample_put_rcu);
}

static const struct dma_fence_ops good_rcu_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
	.release = good_rcu_release,
};

static const struct dma_fence_ops good_none_ops = {
	.get_driver_name = sample_name,
	.get_timeline_name = sample_name,
};

/* a file's release */
static void good_file_release(struct dma_fence *fence)
{
	dma_fence_free(fence);
}

static const struct file_operations good_fops = {
	.release = good_file_release,
};
