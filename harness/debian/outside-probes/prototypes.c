// SPDX-License-Identifier: GPL-2.0
/*
 * All headers that drivers know fences by: harness/debian/outside compares the prototypes
 * in them.  A driver of 6.12 calls any of these functions, or takes its address.
 *
 * stock: builds
 * patched: builds
 */
#include <linux/dma-buf.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/sync_file.h>
#include <drm/drm_crtc.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gpuvm.h>
#include <drm/drm_exec.h>
#include <drm/drm_syncobj.h>
#include <drm/drm_vblank.h>
#include <drm/drm_writeback.h>
#include <drm/gpu_scheduler.h>
#include <drm/ttm/ttm_bo.h>
#include <drm/ttm/ttm_execbuf_util.h>
#include <drm/ttm/ttm_resource.h>

MODULE_LICENSE("GPL");
