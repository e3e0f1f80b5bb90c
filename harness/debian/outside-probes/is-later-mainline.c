// SPDX-License-Identifier: GPL-2.0
/*
 * __dma_fence_is_later() as mainline's drivers call it: a fence and two seqnos.
 *
 * stock: warned or refused
 * patched: builds
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

bool outside_is_later(struct dma_fence *f1, struct dma_fence *f2);
bool outside_is_later(struct dma_fence *f1, struct dma_fence *f2)
{
	return __dma_fence_is_later(f1, f1->seqno, f2->seqno);
}

MODULE_LICENSE("GPL");
