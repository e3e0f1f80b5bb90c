// SPDX-License-Identifier: MIT
/*
 * Releases and their fences, on a device whose rings and memory are plain memory. The
 * test is the host: it gives releases back, raises interrupts, and counts what it is
 * told through the ports.
 */

#include <drm/drm_kunit_helpers.h>

#include <kunit/static_stub.h>
#include <kunit/test.h>

#include <linux/interrupt.h>
#include <linux/irq.h>

#include "mock-issuer.h"

#define TEST_VRAM	SZ_1M

/**
 * struct qxl_test - what a case of this suite has
 * @pdev: what the device would be found on
 * @bus: the bus of @pdev, whose configuration space is all zeroes
 * @bus_ops: how to read that
 * @qdev: the device, initialized as by qxl_device_init()
 * @irq: its interrupt, without a device behind it
 * @alive: @qdev has not been torn down
 * @told: how often the host was told something, by port
 * @unmaps: how often the device was unmapped
 * @irq_at_update: there was a handler when the interrupt's mask was written last
 * @mask_at_update: the mask that was written
 * @kept: what the host has not given back when the interrupt is masked; in the driver it
 *	  stays allocated, and TTM warns
 * @interrupt_at_update: what the host wants the next time that happens, or 0
 */
struct qxl_test {
	struct pci_dev *pdev;
	struct pci_bus bus;
	struct pci_ops bus_ops;
	struct qxl_device *qdev;
	int irq;
	bool alive;
	atomic_t told[QXL_IO_RANGE_SIZE];
	int unmaps;
	bool irq_at_update;
	u32 mask_at_update;
	struct qxl_release *kept[3];
	u32 interrupt_at_update;
};

static struct qxl_test *qxl_test_of(struct qxl_device *qdev)
{
	return pci_get_drvdata(to_pci_dev(qdev->ddev.dev));
}

static void interrupt(struct qxl_test *t, u32 pending)
{
	unsigned long flags;

	t->qdev->ram_header->int_pending |= pending;
	local_irq_save(flags);
	generic_handle_irq(t->irq);
	local_irq_restore(flags);
}

/* The host is told something. */
static void qxl_test_io(struct qxl_device *qdev, int port)
{
	struct qxl_test *t = qxl_test_of(qdev);
	u32 pending;

	atomic_inc(&t->told[port]);
	if (port != QXL_IO_UPDATE_IRQ)
		return;

	for (int i = 0; i < ARRAY_SIZE(t->kept); i++) {
		if (t->kept[i])
			qxl_release_free(qdev, t->kept[i]);
		t->kept[i] = NULL;
	}
	t->irq_at_update = irq_has_action(t->irq);
	t->mask_at_update = qdev->ram_header->int_mask;
	pending = t->interrupt_at_update;
	t->interrupt_at_update = 0;
	if (pending)
		interrupt(t, pending);
}

static void qxl_test_unmap(struct qxl_device *qdev)
{
	qxl_test_of(qdev)->unmaps++;
	qdev->rom = NULL;
}

static int qxl_test_io_mem_reserve(struct ttm_device *bdev, struct ttm_resource *mem)
{
	struct qxl_device *qdev = container_of(bdev, struct qxl_device, mman.bdev);

	if (mem->mem_type == TTM_PL_SYSTEM)
		return 0;
	mem->bus.is_iomem = true;
	mem->bus.addr = (__force void *)qdev->vram_mapping->iomem + (mem->start << PAGE_SHIFT);
	return 0;
}

static int qxl_test_monitors(struct qxl_device *qdev)
{
	return 0;
}

static int qxl_test_config_read(struct pci_bus *bus, unsigned int devfn, int where,
				int size, u32 *val)
{
	*val = 0;
	return PCIBIOS_SUCCESSFUL;
}

static void qxl_test_pci_release(struct device *dev)
{
	kfree(to_pci_dev(dev));
}

KUNIT_DEFINE_ACTION_WRAPPER(qxl_test_put_device, put_device, struct device *);

static void qxl_test_free_irq(void *data)
{
	irq_free_desc((unsigned long)data);
}

static const struct drm_driver qxl_test_driver = {
	.driver_features = DRIVER_GEM | DRIVER_MODESET | DRIVER_ATOMIC,
	.name = "qxl-test",
};

static int qxl_test_init(struct kunit *test)
{
	struct io_mapping *vram;
	struct qxl_device *qdev;
	struct pci_dev *pdev;
	struct qxl_test *t;
	void *mem;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);

	pdev = kzalloc(sizeof(*pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	device_initialize(&pdev->dev);
	pdev->dev.release = qxl_test_pci_release;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qxl_test_put_device,
							   &pdev->dev));
	KUNIT_ASSERT_EQ(test, 0, dev_set_name(&pdev->dev, "qxl-test"));
	t->bus_ops.read = qxl_test_config_read;
	t->bus.ops = &t->bus_ops;
	pdev->bus = &t->bus;
	pdev->error_state = pci_channel_io_normal;
	pci_set_drvdata(pdev, t);
	t->pdev = pdev;

	t->irq = irq_alloc_desc(NUMA_NO_NODE);
	KUNIT_ASSERT_GT(test, t->irq, 0);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, qxl_test_free_irq,
							   (void *)(long)t->irq));
	irq_set_chip_and_handler(t->irq, &dummy_irq_chip, handle_simple_irq);
	irq_clear_status_flags(t->irq, IRQ_NOREQUEST);
	pdev->irq = t->irq;

	qdev = drm_kunit_helper_alloc_drm_device_with_driver(test, &pdev->dev, struct qxl_device,
							     ddev, &qxl_test_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, qdev);
	qdev->test_io = qxl_test_io;
	t->qdev = qdev;

	/* Now all that qxl_device_init() does, but for what is mapped. */
	mutex_init(&qdev->gem.mutex);
	mutex_init(&qdev->update_area_mutex);
	mutex_init(&qdev->release_mutex);
	mutex_init(&qdev->surf_evict_mutex);
	qxl_gem_init(qdev);

	qdev->rom = kunit_kzalloc(test, sizeof(*qdev->rom), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, qdev->rom);
	qdev->rom->ram_header_offset = TEST_VRAM;
	qdev->ram_header = kunit_kzalloc(test, sizeof(*qdev->ram_header), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, qdev->ram_header);
	qdev->vram_size = TEST_VRAM;
	qdev->surfaceram_size = TEST_VRAM;
	vram = kunit_kzalloc(test, sizeof(*vram), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vram);
	vram->size = TEST_VRAM;
	mem = kunit_kzalloc(test, TEST_VRAM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mem);
	vram->iomem = (__force void __iomem *)mem;
	qdev->vram_mapping = vram;
	KUNIT_ASSERT_EQ(test, 0, qxl_bo_init(qdev));

	qdev->command_ring = qxl_ring_create(&qdev->ram_header->cmd_ring_hdr,
					     sizeof(struct qxl_command),
					     QXL_COMMAND_RING_SIZE, 0, NULL);
	qdev->cursor_ring = qxl_ring_create(&qdev->ram_header->cursor_ring_hdr,
					    sizeof(struct qxl_command),
					    QXL_CURSOR_RING_SIZE, 0, NULL);
	qdev->release_ring = qxl_ring_create(&qdev->ram_header->release_ring_hdr,
					     sizeof(u64), QXL_RELEASE_RING_SIZE, 0, NULL);
	KUNIT_ASSERT_NOT_NULL(test, qdev->command_ring);
	KUNIT_ASSERT_NOT_NULL(test, qdev->cursor_ring);
	KUNIT_ASSERT_NOT_NULL(test, qdev->release_ring);

	idr_init_base(&qdev->release_idr, 1);
	spin_lock_init(&qdev->release_idr_lock);
	idr_init_base(&qdev->surf_id_idr, 1);
	spin_lock_init(&qdev->surf_id_idr_lock);
	mutex_init(&qdev->async_io_mutex);
	KUNIT_ASSERT_EQ(test, 0, qxl_irq_init(qdev));
	INIT_DELAYED_WORK(&qdev->oom_work, qxl_oom_work);
	INIT_WORK(&qdev->gc_work, qxl_gc_work);
	qdev->initialized = true;

	kunit_activate_static_stub(test, qxl_device_unmap, qxl_test_unmap);
	kunit_activate_static_stub(test, qxl_ttm_io_mem_reserve, qxl_test_io_mem_reserve);
	kunit_activate_static_stub(test, qxl_create_monitors_object, qxl_test_monitors);
	t->alive = true;
	test->priv = t;

	return 0;
}

/* The device goes, as when its driver is unbound. */
static void teardown(struct qxl_test *t)
{
	if (!t->alive)
		return;
	t->alive = false;
	qxl_device_fini(t->qdev);
	idr_destroy(&t->qdev->release_idr);
	idr_destroy(&t->qdev->surf_id_idr);
}

static void qxl_test_exit(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	if (t)
		teardown(t);
}

static int told(struct kunit *test, int port)
{
	struct qxl_test *t = test->priv;

	return atomic_read(&t->told[port]);
}

/*
 * A command that draws into a buffer of its own: the release that the host gives back,
 * with a fence on that buffer.
 */
static struct qxl_release *draw(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release;
	struct qxl_bo *bo;

	KUNIT_ASSERT_EQ(test, 0, qxl_alloc_release_reserved(t->qdev, 64, QXL_RELEASE_DRAWABLE,
							    &release, NULL));
	KUNIT_ASSERT_EQ(test, 0, qxl_bo_create(t->qdev, PAGE_SIZE, true, false,
					       QXL_GEM_DOMAIN_CPU, 0, NULL, &bo));
	KUNIT_ASSERT_EQ(test, 0, qxl_release_list_add(release, bo));
	qxl_bo_unref(&bo);
	KUNIT_ASSERT_EQ(test, 0, qxl_release_reserve_list(release, true));
	qxl_release_fence_buffer_objects(release);

	return release;
}

/* The host is done with a release, and says so. */
static void give_back(struct kunit *test, struct qxl_release *release)
{
	struct qxl_test *t = test->priv;
	struct qxl_ring_header *header = &t->qdev->ram_header->release_ring_hdr;
	u64 *elements = (u64 *)(header + 1);

	elements[header->prod & (QXL_RELEASE_RING_SIZE - 1)] = release->id;
	header->prod++;
	interrupt(t, QXL_INTERRUPT_DISPLAY);
	flush_work(&t->qdev->gc_work);
}

static void fence_signals_when_the_host_gives_it_back(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release = draw(test);
	struct dma_fence *fence = dma_fence_get(&release->base);

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(fence), &fence->inline_lock);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(fence));
	mock_expect_names(test, fence, "qxl", "release");

	give_back(test, release);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->release_count), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 0);
	KUNIT_EXPECT_EQ_MSG(test, told(test, QXL_IO_NOTIFY_OOM), 0, "nobody waited");
	/* The BO that releases are in has one. */
	mock_expect_refs(test, fence, 2);
	mock_fence_use(test, fence);
	dma_fence_put(fence);
}

/* A command without buffers, whose release gets no fence. */
static struct qxl_release *move_cursor(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release;

	KUNIT_ASSERT_EQ(test, 0, qxl_alloc_release_reserved(t->qdev, 64, QXL_RELEASE_CURSOR_CMD,
							    &release, NULL));
	KUNIT_EXPECT_EQ(test, 0, qxl_release_reserve_list(release, true));
	qxl_release_fence_buffer_objects(release);
	KUNIT_EXPECT_FALSE(test, dma_fence_was_initialized(&release->base));

	return release;
}

static void release_without_a_fence_is_just_freed(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	give_back(test, move_cursor(test));
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->release_count), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 0);
}

static void host_is_told_when_somebody_waits(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release = draw(test);

	dma_fence_enable_sw_signaling(&release->base);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_NOTIFY_OOM), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 1);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&t->qdev->oom_work));

	give_back(test, release);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 0);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_NOTIFY_OOM), 1);
}

static void host_is_told_again_as_long_as_somebody_waits(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release = draw(test);

	dma_fence_enable_sw_signaling(&release->base);
	mock_wait_until(test, told(test, QXL_IO_NOTIFY_OOM) >= 3);
	give_back(test, release);

	/* What is still armed is the last. */
	flush_delayed_work(&t->qdev->oom_work);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&t->qdev->oom_work));
}

static void host_is_told_again_when_it_gave_something_else(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *first = draw(test), *second = draw(test);

	dma_fence_enable_sw_signaling(&second->base);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_NOTIFY_OOM), 1);
	give_back(test, first);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_NOTIFY_OOM), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 1);
	give_back(test, second);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_NOTIFY_OOM), 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 0);
}

/* The work finds what the host has given back without an interrupt. */
static void the_work_collects_what_is_on_the_ring(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_ring_header *header = &t->qdev->ram_header->release_ring_hdr;
	struct qxl_release *release = draw(test);
	struct dma_fence *fence = dma_fence_get(&release->base);

	dma_fence_enable_sw_signaling(fence);
	*(u64 *)(header + 1) = release->id;
	header->prod++;
	KUNIT_EXPECT_GT(test, dma_fence_wait_timeout(fence, false, 10 * HZ), 0);
	flush_work(&t->qdev->gc_work);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->awaited_releases), 0);
	dma_fence_put(fence);
}

static void host_is_left_alone_while_suspended(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release = draw(test);
	int before;

	KUNIT_EXPECT_EQ(test, 0, qxl_drm_freeze(&t->qdev->ddev));
	dma_fence_enable_sw_signaling(&release->base);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&t->qdev->oom_work));
	before = told(test, QXL_IO_NOTIFY_OOM);

	/* Somebody still waits. */
	KUNIT_EXPECT_EQ(test, 0, qxl_drm_resume(&t->qdev->ddev, true));
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&t->qdev->oom_work));
	mock_wait_until(test, told(test, QXL_IO_NOTIFY_OOM) > before);
	give_back(test, release);
}

static void work_that_was_armed_ends_with_the_suspend(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *release = draw(test);

	dma_fence_enable_sw_signaling(&release->base);
	KUNIT_EXPECT_TRUE(test, delayed_work_pending(&t->qdev->oom_work));
	KUNIT_EXPECT_EQ(test, 0, qxl_drm_freeze(&t->qdev->ddev));
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&t->qdev->oom_work));
	KUNIT_EXPECT_EQ(test, 0, qxl_drm_resume(&t->qdev->ddev, true));
	give_back(test, release);
}

static void teardown_fails_what_the_host_keeps(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	struct qxl_release *kept = draw(test), *awaited = draw(test), *given = draw(test);
	struct dma_fence *fences[] = {
		dma_fence_get(&kept->base),
		dma_fence_get(&awaited->base),
		dma_fence_get(&given->base),
	};
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0, dma_fence_add_callback(fences[1], &cb.base, mock_cb_func));
	give_back(test, given);
	t->kept[0] = kept;
	t->kept[1] = awaited;
	t->kept[2] = move_cursor(test);
	teardown(t);

	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[0]), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[1]), -ENODEV);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fences[2]), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ENODEV);
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&t->qdev->oom_work));
	mock_fence_use(test, fences[2]);
	for (int i = 0; i < ARRAY_SIZE(fences); i++) {
		mock_expect_refs(test, fences[i], 1);
		dma_fence_put(fences[i]);
	}
}

static void teardown_happens_once(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	teardown(t);
	KUNIT_EXPECT_EQ(test, t->unmaps, 1);
	/* a probe that failed late, and then the last reference to the DRM device */
	qxl_device_fini(t->qdev);
	KUNIT_EXPECT_EQ(test, t->unmaps, 1);
}

static void nothing_is_torn_down_if_it_was_not_set_up(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	t->qdev->initialized = false;
	qxl_device_fini(t->qdev);
	KUNIT_EXPECT_EQ(test, t->unmaps, 0);
	t->qdev->initialized = true;
}

static void interrupt_is_masked_before_it_is_freed(struct kunit *test)
{
	struct qxl_test *t = test->priv;
	int before = told(test, QXL_IO_UPDATE_IRQ);

	KUNIT_EXPECT_TRUE(test, irq_has_action(t->irq));
	teardown(t);
	KUNIT_EXPECT_EQ(test, told(test, QXL_IO_UPDATE_IRQ), before + 1);
	KUNIT_EXPECT_EQ(test, t->mask_at_update, 0);
	KUNIT_EXPECT_TRUE_MSG(test, t->irq_at_update, "masked when nobody listens any more");
	KUNIT_EXPECT_FALSE(test, irq_has_action(t->irq));
}

/* The line is shared, and the host notes what it wants though it is masked. */
static void handler_does_not_unmask_what_goes(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	t->interrupt_at_update = QXL_INTERRUPT_CURSOR;
	teardown(t);
	KUNIT_EXPECT_EQ(test, atomic_read(&t->qdev->irq_received_cursor), 1);
	KUNIT_EXPECT_EQ(test, t->qdev->ram_header->int_mask, 0);
	KUNIT_EXPECT_FALSE(test, irq_has_action(t->irq));
}

static void handler_unmasks_as_long_as_the_device_stays(struct kunit *test)
{
	struct qxl_test *t = test->priv;

	t->qdev->ram_header->int_mask = 0;
	interrupt(t, QXL_INTERRUPT_CURSOR | QXL_INTERRUPT_IO_CMD);
	KUNIT_EXPECT_EQ(test, t->qdev->ram_header->int_mask, QXL_INTERRUPT_MASK);
	KUNIT_EXPECT_EQ(test, t->mask_at_update, QXL_INTERRUPT_MASK);
}

static struct kunit_case qxl_cases[] = {
	KUNIT_CASE(fence_signals_when_the_host_gives_it_back),
	KUNIT_CASE(release_without_a_fence_is_just_freed),
	KUNIT_CASE(host_is_told_when_somebody_waits),
	KUNIT_CASE(host_is_told_again_as_long_as_somebody_waits),
	KUNIT_CASE(host_is_told_again_when_it_gave_something_else),
	KUNIT_CASE(the_work_collects_what_is_on_the_ring),
	KUNIT_CASE(host_is_left_alone_while_suspended),
	KUNIT_CASE(work_that_was_armed_ends_with_the_suspend),
	KUNIT_CASE(teardown_fails_what_the_host_keeps),
	KUNIT_CASE(teardown_happens_once),
	KUNIT_CASE(nothing_is_torn_down_if_it_was_not_set_up),
	KUNIT_CASE(interrupt_is_masked_before_it_is_freed),
	KUNIT_CASE(handler_does_not_unmask_what_goes),
	KUNIT_CASE(handler_unmasks_as_long_as_the_device_stays),
	{}
};

static struct kunit_suite qxl_suite = {
	.name = "qxl_release",
	.init = qxl_test_init,
	.exit = qxl_test_exit,
	.test_cases = qxl_cases,
};

kunit_test_suite(qxl_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
