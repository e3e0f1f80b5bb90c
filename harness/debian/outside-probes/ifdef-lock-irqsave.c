// SPDX-License-Identifier: GPL-2.0
/*
 * The feature test that needs no compiler run: #ifdef on a name of mainline that is a
 * macro there.  A driver that brings its own for older kernels asks so.
 *
 * stock: refused
 * patched: builds
 */
#include <linux/dma-fence.h>
#include <linux/module.h>

#ifndef dma_fence_lock_irqsave
#error dma_fence_lock_irqsave() is not there, or no macro
#endif
#ifndef dma_fence_unlock_irqrestore
#error dma_fence_unlock_irqrestore() is not there, or no macro
#endif

MODULE_LICENSE("GPL");
