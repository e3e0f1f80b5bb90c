// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of 6.12 with 64-bit seqnos, which says so in its ops.  That it then gets
 * 64-bit comparisons a KUnit case shows.
 *
 * stock: builds
 * patched: builds
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

static const char *name(struct dma_fence *fence)
{
	return "outside";
}

static const struct dma_fence_ops seqno64_ops = {
	.use_64bit_seqno = true,
	.get_driver_name = name,
	.get_timeline_name = name,
};

static DEFINE_SPINLOCK(lock);

void outside_init(struct dma_fence *fence, u64 context, u64 seqno);
void outside_init(struct dma_fence *fence, u64 context, u64 seqno)
{
	dma_fence_init(fence, &seqno64_ops, &lock, context, seqno);
}

MODULE_LICENSE("GPL");
