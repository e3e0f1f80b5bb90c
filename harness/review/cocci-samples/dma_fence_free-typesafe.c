// SPDX-License-Identifier: GPL-2.0
/* What dma_fence_free.cocci does not find: this memory stays a fence. */

static void good_release(struct dma_fence *fence)
{
	kmem_cache_free(cache, to_sample(fence));
}

static const struct dma_fence_ops good_ops = {
	.release = good_release,
};

static void cache_create(void)
{
	cache = kmem_cache_create("sample", 64, 0, SLAB_TYPESAFE_BY_RCU, NULL);
}
