// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Fences of a fence manager, which they find through its lock, and waits for them. The
 * registers of the device, an SVGA3, are plain memory.
 */

#include <kunit/test.h>

#include <linux/sched.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

/**
 * struct vmw_test - what a case of this suite has
 * @vmw: the device, as much of it as fences need
 * @regs: its registers
 * @complete: writes the fence register after a while, and wakes whom it wakes
 * @seqno: what that writes
 */
struct vmw_test {
	struct vmw_private *vmw;
	u32 *regs;
	struct delayed_work complete;
	u32 seqno;
};

KUNIT_DEFINE_ACTION_WRAPPER(vmw_test_free, vfree, void *);

/* As the thread of the interrupt does. */
static void vmw_test_complete(struct work_struct *work)
{
	struct vmw_test *t = container_of(work, struct vmw_test, complete.work);

	WRITE_ONCE(t->regs[SVGA_REG_FENCE], t->seqno);
	vmw_fences_update(t->vmw->fman);
}

static int vmw_test_init(struct kunit *test)
{
	struct vmw_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->vmw = vzalloc(sizeof(*t->vmw));
	KUNIT_ASSERT_NOT_NULL(test, t->vmw);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vmw_test_free, t->vmw));
	t->regs = kunit_kcalloc(test, SVGA_REG_TOP, sizeof(*t->regs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->regs);
	t->vmw->pci_id = VMWGFX_PCI_ID_SVGA3;
	t->vmw->rmmio = (u32 __iomem *)t->regs;
	spin_lock_init(&t->vmw->waiter_lock);
	INIT_DELAYED_WORK(&t->complete, vmw_test_complete);
	t->vmw->fman = vmw_fence_manager_init(t->vmw);
	KUNIT_ASSERT_NOT_NULL(test, t->vmw->fman);
	t->vmw->fman->fifo_down = false;
	test->priv = t;

	return 0;
}

static void vmw_test_exit(struct kunit *test)
{
	struct vmw_test *t = test->priv;

	if (!t)
		return;
	cancel_delayed_work_sync(&t->complete);
	KUNIT_EXPECT_EQ_MSG(test, t->vmw->fence_queue_waiters, 0, "the interrupt stays on");
	vmw_fence_manager_takedown(t->vmw->fman);
}

static struct vmw_fence_obj *emit(struct kunit *test, u32 seqno)
{
	struct vmw_test *t = test->priv;
	struct vmw_fence_obj *fence;

	KUNIT_ASSERT_EQ(test, vmw_fence_create(t->vmw->fman, seqno, &fence), 0);
	return fence;
}

static void complete_soon(struct kunit *test, u32 seqno)
{
	struct vmw_test *t = test->priv;

	t->seqno = seqno;
	schedule_delayed_work(&t->complete, 2);
}

static void finds_its_manager(struct kunit *test)
{
	struct vmw_test *t = test->priv;
	struct vmw_fence_obj *fence = emit(test, 1);

	KUNIT_EXPECT_PTR_EQ(test, fman_from_fence(fence), t->vmw->fman);
	KUNIT_EXPECT_FALSE(test, vmw_fence_obj_signaled(fence));
	t->regs[SVGA_REG_FENCE] = 1;
	KUNIT_EXPECT_TRUE(test, vmw_fence_obj_signaled(fence));
	KUNIT_EXPECT_PTR_EQ(test, fman_from_fence(fence), t->vmw->fman);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vmw->fman->fence_list));
	vmw_fence_obj_unreference(&fence);
}

static void leaves_the_list_when_it_is_freed_early(struct kunit *test)
{
	struct vmw_test *t = test->priv;
	struct vmw_fence_obj *fence = emit(test, 1);

	KUNIT_EXPECT_FALSE(test, list_empty(&t->vmw->fman->fence_list));
	vmw_fence_obj_unreference(&fence);
	KUNIT_EXPECT_TRUE(test, list_empty(&t->vmw->fman->fence_list));
}

static void is_waited_for(struct kunit *test)
{
	struct vmw_fence_obj *fence = emit(test, 1);

	complete_soon(test, 1);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(&fence->base, false, 10 * HZ), 0);
	vmw_fence_obj_unreference(&fence);
}

static void is_waited_for_past_others(struct kunit *test)
{
	struct vmw_fence_obj *first = emit(test, 1), *second = emit(test, 2);

	complete_soon(test, 2);
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(&second->base, true, 10 * HZ), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(&first->base));
	vmw_fence_obj_unreference(&first);
	vmw_fence_obj_unreference(&second);
}

static void is_not_waited_for_longer_than_asked(struct kunit *test)
{
	struct vmw_fence_obj *fence = emit(test, 1);

	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(&fence->base, false, 2), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->base.cb_list));
	vmw_fence_obj_unreference(&fence);
}

static void is_not_waited_for_once_signaled(struct kunit *test)
{
	struct vmw_test *t = test->priv;
	struct vmw_fence_obj *fence = emit(test, 1);

	t->regs[SVGA_REG_FENCE] = 1;
	vmw_fences_update(t->vmw->fman);
	KUNIT_EXPECT_EQ(test, vmw_fence_wait(&fence->base, false, 5), 5);
	vmw_fence_obj_unreference(&fence);
}

static struct kunit_case vmw_cases[] = {
	KUNIT_CASE(finds_its_manager),
	KUNIT_CASE(leaves_the_list_when_it_is_freed_early),
	KUNIT_CASE(is_waited_for),
	KUNIT_CASE(is_waited_for_past_others),
	KUNIT_CASE(is_not_waited_for_longer_than_asked),
	KUNIT_CASE(is_not_waited_for_once_signaled),
	{}
};

static struct kunit_suite vmw_suite = {
	.name = "vmwgfx_fence",
	.init = vmw_test_init,
	.exit = vmw_test_exit,
	.test_cases = vmw_cases,
};

kunit_test_suite(vmw_suite);
