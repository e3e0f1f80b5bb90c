// SPDX-License-Identifier: GPL-2.0
/*
 * What a module whose licence the kernel does not call compatible calls of stock, each
 * inline function once.  nvidia-drm, under MIT, is such.  modpost must let it link.  It
 * is for modpost only, nobody loads it.  Left out are dma_fence_timestamp() and
 * dma_fence_get_rcu_safe(), which need GPL-only symbols on stock as well.
 *
 * stock: links
 * patched: links
 */
#include <linux/dma-fence.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/module.h>
#include <linux/sync_file.h>

static const char *name(struct dma_fence *fence)
{
	return "outside";
}

static const struct dma_fence_ops ops = {
	.get_driver_name = name,
	.get_timeline_name = name,
	.release = dma_fence_free,
	.wait = dma_fence_default_wait,
};

static DEFINE_SPINLOCK(lock);

static void callback(struct dma_fence *fence, struct dma_fence_cb *cb)
{
}

u64 outside_fence(struct dma_fence *fence, struct dma_fence *other, struct dma_fence_cb *cb);
u64 outside_fence(struct dma_fence *fence, struct dma_fence *other, struct dma_fence_cb *cb)
{
	u64 n = 0;
	bool cookie;

	dma_fence_init(fence, &ops, &lock, dma_fence_context_alloc(1), 1);
	dma_fence_put(dma_fence_get(fence));
	dma_fence_put(dma_fence_get_rcu(fence));
	cookie = dma_fence_begin_signalling();
	n += dma_fence_is_signaled(fence);
	n += dma_fence_is_signaled_locked(fence);
	n += dma_fence_get_status(fence);
	n += dma_fence_get_status_locked(fence);
	n += dma_fence_is_later(fence, other);
	n += dma_fence_is_later_or_same(fence, other);
	n += dma_fence_later(fence, other) == fence;
	n += dma_fence_is_array(fence);
	n += dma_fence_is_chain(fence);
	n += dma_fence_is_container(fence);
	n += !!to_dma_fence_array(fence);
	n += !!to_dma_fence_chain(fence);
	n += !!dma_fence_chain_contained(fence);
	n += dma_fence_match_context(fence, 1);
	n += dma_fence_add_callback(fence, cb, callback);
	n += dma_fence_remove_callback(fence, cb);
	dma_fence_enable_sw_signaling(fence);
	dma_fence_set_deadline(fence, 0);
	dma_fence_set_error(fence, -EIO);
	n += dma_fence_signal_locked(fence);
	n += dma_fence_signal_timestamp_locked(fence, 0);
	n += dma_fence_signal_timestamp(fence, 0);
	n += dma_fence_signal(fence);
	dma_fence_end_signalling(cookie);
	n += dma_fence_wait(fence, true);
	n += dma_fence_wait_timeout(fence, true, 1);
	n += dma_fence_wait_any_timeout(&fence, 1, true, 1, NULL);
	dma_fence_put(dma_fence_get_stub());
	dma_fence_put(sync_file_get_fence(0));

	return n;
}

int outside_resv(struct dma_resv *resv, struct dma_fence *fence);
int outside_resv(struct dma_resv *resv, struct dma_fence *fence)
{
	struct dma_resv_iter cursor;
	int n = 0;

	dma_resv_init(resv);
	n += dma_resv_lock(resv, NULL);
	n += dma_resv_lock_interruptible(resv, NULL);
	n += dma_resv_trylock(resv);
	n += dma_resv_is_locked(resv);
	n += dma_resv_reserve_fences(resv, 1);
	dma_resv_add_fence(resv, fence, dma_resv_usage_rw(true));
	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_READ);
	dma_resv_for_each_fence_unlocked(&cursor, fence)
		n += dma_resv_iter_usage(&cursor) + dma_resv_iter_is_restarted(&cursor);
	dma_resv_iter_end(&cursor);
	dma_resv_unlock(resv);
	dma_resv_fini(resv);

	return n;
}

MODULE_LICENSE("Proprietary");
