// SPDX-License-Identifier: GPL-2.0
/*
 * __dma_fence_is_later() as 6.12's drivers call it: two seqnos and the ops.  It
 * builds without a word, and then is right, or it is an error with every compiler.
 *
 * stock: builds
 * patched: builds or refused
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

bool outside_is_later(struct dma_fence *f1, struct dma_fence *f2);
bool outside_is_later(struct dma_fence *f1, struct dma_fence *f2)
{
	return __dma_fence_is_later(f1->seqno, f2->seqno, f1->ops);
}

MODULE_LICENSE("GPL");
