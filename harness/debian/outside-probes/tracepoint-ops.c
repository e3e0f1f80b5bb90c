// SPDX-License-Identifier: GPL-2.0
/*
 * A probe on the dma_fence events that follows the ops of the fence, as those of
 * LTTng 2.16 do.  Most of the events come after the signal as well, when ops is NULL.
 * So it must not compile against a kernel where it would fault.
 *
 * stock: builds
 * patched: refused
 */
#include <linux/dma-fence.h>
#include <linux/module.h>
#include <trace/events/dma_fence.h>

static void probe(void *data, struct dma_fence *fence)
{
	pr_info("%s %s\n", fence->ops->get_driver_name(fence),
		fence->ops->get_timeline_name(fence));
}

void outside_check_types(void);
void outside_check_types(void)
{
	check_trace_callback_type_dma_fence_init(probe);
	check_trace_callback_type_dma_fence_emit(probe);
	check_trace_callback_type_dma_fence_enable_signal(probe);
	check_trace_callback_type_dma_fence_signaled(probe);
	check_trace_callback_type_dma_fence_wait_start(probe);
	check_trace_callback_type_dma_fence_wait_end(probe);
	check_trace_callback_type_dma_fence_destroy(probe);
}

MODULE_LICENSE("GPL");
