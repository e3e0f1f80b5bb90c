// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * KUnit tests for the jobs of imagination, their fences, queues and contexts.
 *
 * The driver's own code runs on a device without hardware. Its firmware is a worker of
 * the test: it takes commands from the KCCB, and does nothing but say that it has
 * executed them. What a job does is done when the test says so.
 */

#include <kunit/device.h>
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/dma-fence-array.h>
#include <linux/dma-mapping.h>
#include <linux/logic_iomem.h>
#include <linux/pm_runtime.h>
#include <linux/sizes.h>

#include <drm/drm_kunit_helpers.h>
#include <drm/drm_syncobj.h>

#include "mock-issuer.h"
#include "pvr_vm.h"
#include "tests/pvr_test.h"

#define PVR_TEST_REGS	SZ_64K
#define PVR_TEST_HEAP	SZ_64M

/**
 * struct pvr_test - a device, its firmware, and a file that is open
 *
 * @pvr_dev: the device
 * @file: the open file
 * @drm_file: DRM's part of it
 * @vm_handle: the only VM of the file
 * @fw: the firmware
 * @fw_wq: where that runs
 * @fw_held: it does not take commands from the KCCB
 * @fw_objs: how many FW objects there are without a context
 * @big: a job's commands are more than fit into a CCCB
 * @bad_stream: a job has a stream that makes no sense
 */
struct pvr_test {
	struct pvr_device *pvr_dev;
	struct pvr_file file;
	struct drm_file drm_file;
	u32 vm_handle;
	struct delayed_work fw;
	struct workqueue_struct *fw_wq;
	bool fw_held;
	unsigned int fw_objs;
	bool big;
	bool bad_stream;
};

/*
 * Registers: only written, to kick the firmware, which looks by itself.
 */
#ifdef CONFIG_INDIRECT_IOMEM
static unsigned long pvr_test_reg_read(void *priv, unsigned int offset, int size)
{
	return 0;
}

static void pvr_test_reg_write(void *priv, unsigned int offset, int size, unsigned long val)
{
}

static const struct logic_iomem_ops pvr_test_reg_ops = {
	.read = pvr_test_reg_read,
	.write = pvr_test_reg_write,
};

static long pvr_test_reg_map(unsigned long offset, size_t size,
			     const struct logic_iomem_ops **ops, void **priv)
{
	*ops = &pvr_test_reg_ops;
	return 0;
}

static const struct logic_iomem_region_ops pvr_test_region_ops = {
	.map = pvr_test_reg_map,
};

static struct resource pvr_test_regs = {
	.name = "powervr-kunit",
	.start = SZ_1G,
	.end = SZ_1G + PVR_TEST_REGS - 1,
	.flags = IORESOURCE_MEM,
};

static void pvr_test_unmap_regs(void *regs)
{
	iounmap((void __iomem *)regs);
}

static void __iomem *pvr_test_map_regs(struct kunit *test)
{
	static bool added;
	void __iomem *regs;

	/* A region stays for ever. */
	if (!added)
		KUNIT_ASSERT_EQ(test, logic_iomem_add_region(&pvr_test_regs,
							     &pvr_test_region_ops), 0);
	added = true;

	regs = ioremap(pvr_test_regs.start, PVR_TEST_REGS);
	KUNIT_ASSERT_NOT_NULL(test, (void *)regs);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, pvr_test_unmap_regs,
							(void *)regs), 0);
	return regs;
}
#else
static void __iomem *pvr_test_map_regs(struct kunit *test)
{
	void *regs = kunit_kzalloc(test, PVR_TEST_REGS, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, regs);
	return (void __iomem *)regs;
}
#endif

/*
 * The firmware
 */

static void pvr_test_fw(struct work_struct *work)
{
	struct pvr_test *t = container_of(work, struct pvr_test, fw.work);
	struct pvr_device *pvr_dev = t->pvr_dev;
	struct rogue_fwif_ccb_ctl *ctrl = pvr_dev->kccb.ccb.ctrl;
	u32 rd = READ_ONCE(ctrl->read_offset);

	if (!READ_ONCE(t->fw_held)) {
		while (rd != READ_ONCE(ctrl->write_offset)) {
			WRITE_ONCE(pvr_dev->kccb.rtn[rd], ROGUE_FWIF_KCCB_RTN_SLOT_CMD_EXECUTED);
			rd = (rd + 1) & ctrl->wrap_mask;
			WRITE_ONCE(ctrl->read_offset, rd);
		}
		/* As the interrupt does. */
		pvr_kccb_wake_up_waiters(pvr_dev);
	}

	queue_delayed_work(t->fw_wq, &t->fw, 1);
}

static int pvr_test_fw_map(struct pvr_device *pvr_dev, struct pvr_fw_object *fw_obj)
{
	return 0;
}

static void pvr_test_fw_unmap(struct pvr_device *pvr_dev, struct pvr_fw_object *fw_obj)
{
}

static u32 pvr_test_fw_addr(struct pvr_fw_object *fw_obj, u32 offset)
{
	return fw_obj->fw_mm_node.start + offset;
}

static const struct pvr_fw_defs pvr_test_fw_defs = {
	.vm_map = pvr_test_fw_map,
	.vm_unmap = pvr_test_fw_unmap,
	.get_fw_addr_with_offset = pvr_test_fw_addr,
};

static unsigned int pvr_test_fw_objs(struct pvr_test *t)
{
	struct pvr_fw_device *fw_dev = &t->pvr_dev->fw_dev;
	unsigned int count;

	mutex_lock(&fw_dev->fw_objs.lock);
	count = list_count_nodes(&fw_dev->fw_objs.list);
	mutex_unlock(&fw_dev->fw_objs.lock);
	return count;
}

/* What the interrupt does for a queue that is active. */
static void pvr_test_process(struct pvr_queue *queue)
{
	struct pvr_device *pvr_dev = queue->ctx->pvr_dev;

	mutex_lock(&pvr_dev->queues.lock);
	pvr_queue_process(queue);
	mutex_unlock(&pvr_dev->queues.lock);
}

/* The firmware is done with all jobs of a queue up to a sequence number. */
static void pvr_test_complete(struct pvr_queue *queue, u32 seqno)
{
	WRITE_ONCE(*queue->timeline_ufo.value, seqno);
	if (seqno == atomic_read(&queue->job_fence_ctx.seqno))
		WRITE_ONCE(queue->cccb.ctrl->read_offset, queue->cccb.write_offset);
	pvr_test_process(queue);
}

/*
 * The device
 */

static const struct drm_driver pvr_test_driver = {
	.driver_features = DRIVER_GEM | DRIVER_GEM_GPUVA | DRIVER_RENDER |
			   DRIVER_SYNCOBJ | DRIVER_SYNCOBJ_TIMELINE,
	.name = "powervr-kunit",
	.desc = "for the KUnit tests of imagination",
	.gem_create_object = pvr_gem_create_object,
};

static void pvr_test_pm_disable(void *dev)
{
	pm_runtime_disable(dev);
}

/* What pvr_fw_cmd_init() does with a stream that it has from user space. */
static int pvr_test_fw_cmd_init(struct pvr_device *pvr_dev, struct pvr_job *job,
				const struct pvr_stream_cmd_defs *stream_def,
				u64 stream_userptr, u32 stream_len)
{
	struct kunit *test = kunit_get_current_test();
	struct pvr_test *t = test->priv;
	u32 stream[2] = { 4 };

	if (t->bad_stream)
		return pvr_job_process_stream(pvr_dev, stream_def, stream, sizeof(stream), job);

	job->cmd_len = t->big ? SZ_32K : ALIGN(stream_def->dest_size, 8);
	job->cmd = kzalloc(job->cmd_len, GFP_KERNEL);
	return job->cmd ? 0 : -ENOMEM;
}

static int pvr_test_init(struct kunit *test)
{
	struct pvr_vm_context *vm_ctx;
	struct pvr_device *pvr_dev;
	struct pvr_test *t;
	struct device *dev;
	void *rtn;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;

	dev = drm_kunit_helper_alloc_device(test);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	KUNIT_ASSERT_EQ(test, dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)), 0);
	pm_runtime_enable(dev);
	KUNIT_ASSERT_EQ(test, kunit_add_action_or_reset(test, pvr_test_pm_disable, dev), 0);

	pvr_dev = drm_kunit_helper_alloc_drm_device_with_driver(test, dev, struct pvr_device, base,
								&pvr_test_driver);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pvr_dev);
	t->pvr_dev = pvr_dev;

	/* What pvr_probe() and pvr_device_init() do. */
	init_rwsem(&pvr_dev->reset_sem);
	pvr_context_device_init(pvr_dev);
	KUNIT_ASSERT_EQ(test, pvr_queue_device_init(pvr_dev), 0);
	xa_init_flags(&pvr_dev->free_list_ids, XA_FLAGS_ALLOC1);
	xa_init_flags(&pvr_dev->job_ids, XA_FLAGS_ALLOC1);
	pvr_dev->regs = pvr_test_map_regs(test);
	pvr_dev->features.has_xe_memory_hierarchy = true;
	pvr_dev->features.has_num_raster_pipes = true;
	pvr_dev->features.num_raster_pipes = 1;
	pvr_dev->features.has_virtual_address_space_bits = true;
	pvr_dev->features.virtual_address_space_bits = PVR_PAGE_TABLE_ADDR_BITS;
	pvr_dev->fw_dev.defs = &pvr_test_fw_defs;
	pvr_dev->fw_dev.fw_heap_info.gpu_addr = PVR_TEST_HEAP;
	pvr_dev->fw_dev.fw_heap_info.size = PVR_TEST_HEAP;
	pvr_dev->fw_dev.fw_mm_base = PVR_TEST_HEAP;
	drm_mm_init(&pvr_dev->fw_dev.fw_mm, PVR_TEST_HEAP, PVR_TEST_HEAP);
	spin_lock_init(&pvr_dev->fw_dev.fw_mm_lock);
	INIT_LIST_HEAD(&pvr_dev->fw_dev.fw_objs.list);
	mutex_init(&pvr_dev->fw_dev.fw_objs.lock);
	init_waitqueue_head(&pvr_dev->kccb.rtn_q);
	KUNIT_ASSERT_EQ(test, pvr_kccb_init(pvr_dev), 0);
	rtn = pvr_fw_object_create_and_map(pvr_dev, pvr_dev->kccb.slot_count * sizeof(u32),
					   PVR_BO_FW_FLAGS_DEVICE_UNCACHED, NULL, NULL,
					   &pvr_dev->kccb.rtn_obj);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, rtn);
	pvr_dev->kccb.rtn = rtn;

	t->fw_wq = alloc_workqueue("powervr-kunit", WQ_UNBOUND, 0);
	KUNIT_ASSERT_NOT_NULL(test, t->fw_wq);
	INIT_DELAYED_WORK(&t->fw, pvr_test_fw);
	queue_delayed_work(t->fw_wq, &t->fw, 1);

	/* What pvr_drm_driver_open() and user space do. */
	spin_lock_init(&t->drm_file.syncobj_table_lock);
	idr_init_base(&t->drm_file.syncobj_idr, 1);
	t->file.file = &t->drm_file;
	t->file.pvr_dev = pvr_dev;
	INIT_LIST_HEAD(&t->file.contexts);
	xa_init_flags(&t->file.ctx_handles, XA_FLAGS_ALLOC1);
	xa_init_flags(&t->file.hwrt_handles, XA_FLAGS_ALLOC1);
	xa_init_flags(&t->file.vm_ctx_handles, XA_FLAGS_ALLOC1);
	vm_ctx = pvr_vm_create_context(pvr_dev, true);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vm_ctx);
	KUNIT_ASSERT_EQ(test, xa_alloc(&t->file.vm_ctx_handles, &t->vm_handle, vm_ctx,
				       xa_limit_32b, GFP_KERNEL), 0);

	t->fw_objs = pvr_test_fw_objs(t);
	kunit_activate_static_stub(test, pvr_fw_cmd_init, pvr_test_fw_cmd_init);
	pvr_test_take_context_state(test);
	return 0;
}

static bool pvr_test_no_context(struct pvr_test *t)
{
	return xa_empty(&t->pvr_dev->ctx_ids) && pvr_test_fw_objs(t) == t->fw_objs;
}

static void pvr_test_exit(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	struct pvr_device *pvr_dev;

	if (!t || !t->fw_objs)
		return;
	pvr_dev = t->pvr_dev;

	/* What pvr_drm_driver_postclose() and pvr_remove() do. */
	pvr_destroy_contexts_for_file(&t->file);
	pvr_job_device_flush(pvr_dev);
	KUNIT_EXPECT_TRUE(test, pvr_test_no_context(t));
	KUNIT_EXPECT_TRUE(test, xa_empty(&pvr_dev->job_ids));
	pvr_destroy_vm_contexts_for_file(&t->file);
	flush_workqueue(pvr_dev->sched_wq);
	cancel_delayed_work_sync(&t->fw);
	destroy_workqueue(t->fw_wq);

	/* Of jobs that were not run after all */
	pvr_dev->kccb.reserved_count = 0;
	pvr_fw_object_unmap_and_destroy(pvr_dev->kccb.rtn_obj);
	pvr_kccb_fini(pvr_dev);
	KUNIT_EXPECT_EQ(test, pvr_test_fw_objs(t), 0);
	drm_mm_takedown(&pvr_dev->fw_dev.fw_mm);
	mutex_destroy(&pvr_dev->fw_dev.fw_objs.lock);
	pvr_queue_device_fini(pvr_dev);
	pvr_context_device_fini(pvr_dev);
	idr_destroy(&t->drm_file.syncobj_idr);
}

/*
 * Contexts and jobs
 */

static void pvr_test_no_timeout(struct pvr_queue *queue)
{
	queue->scheduler.timeout = MAX_SCHEDULE_TIMEOUT;
}

/* Create a context, and return its handle. */
static u32 pvr_test_create_context(struct kunit *test, enum drm_pvr_ctx_type type)
{
	struct pvr_test *t = test->priv;
	struct drm_pvr_ioctl_create_context_args args = {
		.type = type,
		.priority = DRM_PVR_CTX_PRIORITY_NORMAL,
		.vm_context_handle = t->vm_handle,
		.static_context_state_len = type == DRM_PVR_CTX_TYPE_RENDER ? 8 : 0,
	};
	struct pvr_context *ctx;

	KUNIT_ASSERT_EQ(test, pvr_context_create(&t->file, &args), 0);
	ctx = xa_load(&t->file.ctx_handles, args.handle);
	if (type == DRM_PVR_CTX_TYPE_RENDER) {
		pvr_test_no_timeout(ctx->queues.geometry);
		pvr_test_no_timeout(ctx->queues.fragment);
	} else {
		pvr_test_no_timeout(ctx->queues.transfer);
	}
	return args.handle;
}

/* The only queue of a transfer context. */
static struct pvr_queue *pvr_test_queue(struct kunit *test, u32 handle)
{
	struct pvr_test *t = test->priv;
	struct pvr_context *ctx = xa_load(&t->file.ctx_handles, handle);

	return ctx->queues.transfer;
}

static void pvr_test_destroy_context(struct kunit *test, u32 handle)
{
	struct pvr_test *t = test->priv;

	KUNIT_ASSERT_EQ(test, pvr_context_destroy(&t->file, handle), 0);
}

static struct drm_pvr_job pvr_test_job_args(u32 type, u32 handle)
{
	return (struct drm_pvr_job) {
		.type = type,
		.context_handle = handle,
		.cmd_stream = SZ_4K,
		.cmd_stream_len = 8,
	};
}

static struct pvr_job *pvr_test_job(struct kunit *test, u32 handle)
{
	struct drm_pvr_job args = pvr_test_job_args(DRM_PVR_JOB_TYPE_TRANSFER_FRAG, handle);
	struct pvr_test *t = test->priv;
	struct pvr_job *job = create_job(t->pvr_dev, &t->file, &args);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, job);
	return job;
}

/* Half of a render, without a HWRT dataset. */
static struct pvr_job *pvr_test_render_job(struct kunit *test, u32 type, u32 handle)
{
	struct pvr_test *t = test->priv;
	struct pvr_job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, job);
	kref_init(&job->ref_count);
	job->type = type;
	job->pvr_dev = t->pvr_dev;
	KUNIT_ASSERT_EQ(test, xa_alloc(&t->pvr_dev->job_ids, &job->id, job, xa_limit_32b,
				       GFP_KERNEL), 0);
	job->ctx = pvr_context_lookup(&t->file, handle);
	job->cmd_len = ALIGN(max(sizeof(struct rogue_fwif_cmd_geom),
				 sizeof(struct rogue_fwif_cmd_frag)), 8);
	job->cmd = kzalloc(job->cmd_len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, job->cmd);
	KUNIT_ASSERT_EQ(test, pvr_queue_job_init(job, 1), 0);
	return job;
}

/* Arm a job and hand it over. Return the finished fence, with a reference. */
static struct dma_fence *pvr_test_push(struct pvr_job *job)
{
	struct dma_fence *finished = dma_fence_get(pvr_queue_job_arm(job));

	pvr_queue_job_push(job);
	return finished;
}

/* The same, with no reference to the job left to the test. */
static struct dma_fence *pvr_test_submit(struct kunit *test, u32 handle)
{
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished = pvr_test_push(job);

	pvr_job_put(job);
	return finished;
}

/* Wait until a job is at the firmware, and with the scheduler's pending ones. */
static struct drm_sched_fence *pvr_test_wait_running(struct kunit *test,
						     struct dma_fence *finished)
{
	struct drm_sched_fence *s_fence = to_drm_sched_fence(finished);

	KUNIT_ASSERT_NOT_NULL(test, s_fence);
	mock_wait_until(test, rcu_access_pointer(s_fence->parent));
	mock_wait_fence(test, &s_fence->scheduled);
	return s_fence;
}

/* Whether it is the fence of the last job that an entity had. */
static bool pvr_test_is_last(struct pvr_device *pvr_dev, struct dma_fence *finished)
{
	struct list_head *lists[] = { &pvr_dev->queues.active, &pvr_dev->queues.idle };
	struct pvr_queue *queue;
	bool last = false;

	mutex_lock(&pvr_dev->queues.lock);
	for (int i = 0; i < ARRAY_SIZE(lists); i++)
		list_for_each_entry(queue, lists[i], node)
			last |= rcu_access_pointer(queue->entity.last_scheduled) == finished;
	mutex_unlock(&pvr_dev->queues.lock);
	return last;
}

static void pvr_test_expect_done(struct kunit *test, struct dma_fence *finished, int error)
{
	struct pvr_test *t = test->priv;

	mock_wait_fence(test, finished);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), error ?: 1);
	/* The job has been freed. The last one of an entity is held by that as well. */
	mock_expect_refs(test, finished, 1 + pvr_test_is_last(t->pvr_dev, finished));
	dma_fence_put(finished);
}

/* Add a dependency as a submit does it, by the handle of a syncobj. */
static void pvr_test_add_dep(struct kunit *test, struct pvr_job *job, struct dma_fence *fence)
{
	struct pvr_test *t = test->priv;
	struct drm_pvr_sync_op op = {};
	struct drm_syncobj *syncobj;
	struct xarray signals;

	xa_init_flags(&signals, XA_FLAGS_ALLOC);
	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&syncobj, 0, fence), 0);
	KUNIT_ASSERT_EQ(test, drm_syncobj_get_handle(&t->drm_file, syncobj, &op.handle), 0);
	KUNIT_EXPECT_EQ(test, pvr_sync_add_deps_to_job(&t->file, &job->base, 1, &op, &signals), 0);
	idr_remove(&t->drm_file.syncobj_idr, op.handle);
	drm_syncobj_put(syncobj);
	drm_syncobj_put(syncobj);
	xa_destroy(&signals);
}

/* The dependency with that index. */
static struct dma_fence *pvr_test_dep(struct pvr_job *job, unsigned long index)
{
	return xa_load(&job->base.dependencies, index);
}

/* How many UFOs the firmware waits for in a CCCB, and the last one. */
static unsigned int pvr_test_waits(struct pvr_queue *queue, struct rogue_fwif_ufo *last)
{
	unsigned int count = 0;
	u32 pos = 0;

	while (pos < queue->cccb.write_offset) {
		struct rogue_fwif_ccb_cmd_header *hdr = (void *)&queue->cccb.cccb[pos];
		struct rogue_fwif_ufo *ufos = (void *)(hdr + 1);

		if (hdr->cmd_type == ROGUE_FWIF_CCB_CMD_TYPE_FENCE_PR) {
			u32 n = hdr->cmd_size / sizeof(*ufos);

			count += n;
			*last = ufos[n - 1];
		}
		pos += sizeof(*hdr) + hdr->cmd_size;
	}
	return count;
}

/*
 * Creation, step by step
 */

/**
 * struct pvr_test_failure - why a job cannot be created
 *
 * @name: for the name of the case
 * @prepare: makes it so
 * @error: what create_job() returns
 */
struct pvr_test_failure {
	const char *name;
	void (*prepare)(struct kunit *test, struct drm_pvr_job *args);
	int error;
};

static void pvr_test_no_stream(struct kunit *test, struct drm_pvr_job *args)
{
	args->cmd_stream_len = 0;
}

static void pvr_test_hwrt_for_transfer(struct kunit *test, struct drm_pvr_job *args)
{
	args->hwrt.set_handle = 1;
}

static void pvr_test_unknown_context(struct kunit *test, struct drm_pvr_job *args)
{
	args->context_handle++;
}

static void pvr_test_unknown_hwrt(struct kunit *test, struct drm_pvr_job *args)
{
	args->type = DRM_PVR_JOB_TYPE_GEOMETRY;
	args->hwrt.set_handle = 1;
}

static void pvr_test_bad_type(struct kunit *test, struct drm_pvr_job *args)
{
	args->type = DRM_PVR_JOB_TYPE_COMPUTE;
}

static void pvr_test_bad_stream(struct kunit *test, struct drm_pvr_job *args)
{
	struct pvr_test *t = test->priv;

	t->bad_stream = true;
}

static void pvr_test_faulty(struct kunit *test, struct drm_pvr_job *args)
{
	atomic_set(&pvr_test_queue(test, args->context_handle)->ctx->faulty, 1);
}

static void pvr_test_too_big(struct kunit *test, struct drm_pvr_job *args)
{
	struct pvr_test *t = test->priv;

	t->big = true;
}

static struct dma_fence *pvr_test_no_fence(void)
{
	return NULL;
}

static void pvr_test_no_memory(struct kunit *test, struct drm_pvr_job *args)
{
	kunit_activate_static_stub(test, pvr_kccb_fence_alloc, pvr_test_no_fence);
}

static const struct pvr_test_failure pvr_test_failures[] = {
	{ "no stream", pvr_test_no_stream, -EINVAL },
	{ "a HWRT dataset that it has no use for", pvr_test_hwrt_for_transfer, -EINVAL },
	{ "an unknown context", pvr_test_unknown_context, -EINVAL },
	{ "an unknown HWRT dataset", pvr_test_unknown_hwrt, -EINVAL },
	{ "a context of another type", pvr_test_bad_type, -EINVAL },
	{ "a stream that makes no sense", pvr_test_bad_stream, -EINVAL },
	{ "a faulty context", pvr_test_faulty, -EIO },
	{ "more commands than fit", pvr_test_too_big, -E2BIG },
	{ "no memory for a fence", pvr_test_no_memory, -ENOMEM },
};

KUNIT_ARRAY_PARAM_DESC(pvr_test_failure, pvr_test_failures, name);

static void job_is_not_created_for(struct kunit *test)
{
	const struct pvr_test_failure *failure = test->param_value;
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct drm_pvr_job args = pvr_test_job_args(DRM_PVR_JOB_TYPE_TRANSFER_FRAG, handle);
	struct pvr_context *ctx = pvr_test_queue(test, handle)->ctx;
	struct pvr_job *job;

	failure->prepare(test, &args);
	job = create_job(t->pvr_dev, &t->file, &args);
	KUNIT_EXPECT_PTR_EQ(test, job, ERR_PTR(failure->error));
	if (!IS_ERR(job))
		pvr_job_put(job);

	/* It has left nothing: no number, and no reference to the context. */
	KUNIT_EXPECT_TRUE(test, xa_empty(&t->pvr_dev->job_ids));
	mock_wait_until(test, kref_read(&ctx->ref_count) == 1);
	pvr_test_destroy_context(test, handle);
	mock_wait_until(test, pvr_test_no_context(t));
}

/*
 * The last reference to a context
 */

/* A job that was armed, but not pushed, as when a submit fails for a later one. */
static void context_outlives_the_fences_of_a_job_that_was_not_pushed(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished = dma_fence_get(pvr_queue_job_arm(job));

	pvr_test_destroy_context(test, handle);
	KUNIT_EXPECT_FALSE(test, pvr_test_no_context(t));

	/* The event of the signal has the name of the timeline: the scheduler's. */
	KUNIT_EXPECT_EQ(test, mock_trace_switch(true), 0);
	pvr_job_put(job);
	mock_trace_switch(false);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(finished), -ECANCELED);
	mock_wait_until(test, pvr_test_no_context(t));

	/* Nobody looks at the scheduler that was freed with the context. */
	mock_fence_use(test, finished);
	pvr_test_expect_done(test, finished, -ECANCELED);
}

/* The jobs are freed one after the other, by works that queue one another. */
static void context_is_freed_before_the_device_is_removed(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct dma_fence *finished[4];

	for (int i = 0; i < ARRAY_SIZE(finished); i++) {
		struct pvr_job *job = pvr_test_job(test, handle);

		finished[i] = pvr_test_push(job);
		pvr_test_wait_running(test, finished[i]);
		pvr_job_put(job);
	}
	pvr_test_destroy_context(test, handle);
	KUNIT_EXPECT_FALSE(test, pvr_test_no_context(t));

	pvr_test_complete(queue, ARRAY_SIZE(finished));
	pvr_job_device_flush(t->pvr_dev);
	KUNIT_EXPECT_TRUE(test, pvr_test_no_context(t));
	for (int i = 0; i < ARRAY_SIZE(finished); i++)
		pvr_test_expect_done(test, finished[i], 0);
}

/* Who may hold a context. */
enum pvr_test_holder { HANDLE, JOB, FENCE };

static const struct pvr_test_order {
	const char *name;
	enum pvr_test_holder order[3];
} pvr_test_orders[] = {
	{ "handle, job, fence", { HANDLE, JOB, FENCE } },
	{ "handle, fence, job", { HANDLE, FENCE, JOB } },
	{ "job, handle, fence", { JOB, HANDLE, FENCE } },
	{ "job, fence, handle", { JOB, FENCE, HANDLE } },
	{ "fence, handle, job", { FENCE, HANDLE, JOB } },
	{ "fence, job, handle", { FENCE, JOB, HANDLE } },
};

KUNIT_ARRAY_PARAM_DESC(pvr_test_order, pvr_test_orders, name);

/* The fence is what the firmware is waited for by: it has a reference of its own. */
static void context_stays_until_the_last_of_these_is_gone(struct kunit *test)
{
	const struct pvr_test_order *param = test->param_value;
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished = pvr_test_push(job), *done;

	pvr_test_wait_running(test, finished);
	done = dma_fence_get(job->done_fence);
	pvr_test_complete(queue, 1);
	mock_wait_fence(test, finished);
	/* The scheduler frees the job: its reference, and that of the parent. */
	mock_wait_until(test, kref_read(&job->ref_count) == 1);
	KUNIT_EXPECT_EQ(test, kref_read(&done->refcount), 2);

	for (int i = 0; i < ARRAY_SIZE(param->order); i++) {
		KUNIT_EXPECT_FALSE(test, pvr_test_no_context(t));
		switch (param->order[i]) {
		case HANDLE:
			pvr_test_destroy_context(test, handle);
			break;
		case JOB:
			pvr_job_put(job);
			break;
		case FENCE:
			dma_fence_put(done);
			break;
		}
		flush_workqueue(t->pvr_dev->sched_wq);
		flush_workqueue(t->pvr_dev->sched_wq);
	}
	mock_wait_until(test, pvr_test_no_context(t));
	pvr_test_expect_done(test, finished, 0);
}

/*
 * The fence that a job is done by is released, and its worker has dropped the context
 * already. That worker, and that of the scheduler which frees the job next, run side by
 * side: this is what comes of it when the former is faster. The job has been completed.
 */
static void pvr_test_release_done_fence(struct pvr_job *job)
{
	struct drm_sched_fence *s_fence = job->base.s_fence;
	struct workqueue_struct *wq = job->pvr_dev->sched_wq;

	drm_sched_fence_put_parent(s_fence);
	dma_fence_put(job->done_fence);
	job->done_fence = NULL;
	flush_workqueue(wq);
}

/**
 * struct pvr_test_last - who drops the last reference to a context
 *
 * @name: for the name of the case
 * @drop: let it be dropped; the scheduler is stopped, the only job is done and holds
 *	  the context, which nobody else does
 */
struct pvr_test_last {
	const char *name;
	void (*drop)(struct kunit *test, struct pvr_queue *queue);
};

static void pvr_test_by_free_job(struct kunit *test, struct pvr_queue *queue)
{
	drm_sched_wqueue_start(&queue->scheduler);
}

static void pvr_test_by_timeout(struct kunit *test, struct pvr_queue *queue)
{
	drm_sched_fault(&queue->scheduler);
}

/* Takes the lock of the queues, and frees what is done with that held. */
static void pvr_test_by_reset(struct kunit *test, struct pvr_queue *queue)
{
	struct pvr_device *pvr_dev = queue->ctx->pvr_dev;

	pvr_queue_device_pre_reset(pvr_dev);
	pvr_queue_device_post_reset(pvr_dev);
}

static const struct pvr_test_last pvr_test_lasts[] = {
	{ "the worker that frees jobs", pvr_test_by_free_job },
	{ "the worker for timeouts", pvr_test_by_timeout },
	{ "a reset, with the queues locked", pvr_test_by_reset },
};

KUNIT_ARRAY_PARAM_DESC(pvr_test_last, pvr_test_lasts, name);

static void context_may_lose_its_last_reference_to(struct kunit *test)
{
	const struct pvr_test_last *param = test->param_value;
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct pvr_context *ctx = queue->ctx;
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished = pvr_test_push(job);

	pvr_test_wait_running(test, finished);
	flush_workqueue(t->pvr_dev->sched_wq);
	drm_sched_wqueue_stop(&queue->scheduler);
	pvr_test_complete(queue, 1);
	mock_wait_fence(test, finished);
	pvr_test_release_done_fence(job);
	pvr_job_put(job);
	pvr_test_destroy_context(test, handle);
	mock_wait_until(test, kref_read(&ctx->ref_count) == 1);
	KUNIT_EXPECT_FALSE(test, pvr_test_no_context(t));

	param->drop(test, queue);
	mock_wait_until(test, pvr_test_no_context(t));
	pvr_test_expect_done(test, finished, 0);
}

/* A job of a process that was killed, freed by the worker that waits for its fences. */
static void context_may_lose_its_last_reference_to_a_killed_job(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct dma_fence *fence = mock_fence_create(mock_issuer_create(test, 0), 1);
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished;

	pvr_test_add_dep(test, job, fence);
	finished = pvr_test_push(job);
	pvr_job_put(job);
	flush_workqueue(t->pvr_dev->sched_wq);

	drm_sched_entity_fini(&queue->entity);
	pvr_test_destroy_context(test, handle);
	KUNIT_EXPECT_FALSE(test, pvr_test_no_context(t));
	dma_fence_signal(fence);
	mock_wait_until(test, pvr_test_no_context(t));
	pvr_test_expect_done(test, finished, -ESRCH);
	mock_expect_refs(test, fence, 1);
	dma_fence_put(fence);
}

/*
 * Room in the buffers
 */

static void job_waits_for_room_in_the_cccb(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct dma_fence *finished;

	/* The firmware reads just behind where the driver writes. */
	WRITE_ONCE(queue->cccb.ctrl->read_offset, 8);
	finished = pvr_test_submit(test, handle);
	mock_wait_until(test, READ_ONCE(queue->cccb_fence_ctx.job));
	pvr_test_process(queue);
	KUNIT_EXPECT_NOT_NULL(test, queue->cccb_fence_ctx.job);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));

	WRITE_ONCE(queue->cccb.ctrl->read_offset, 0);
	pvr_test_process(queue);
	KUNIT_EXPECT_NULL(test, queue->cccb_fence_ctx.job);
	pvr_test_wait_running(test, finished);
	pvr_test_complete(queue, 1);
	pvr_test_expect_done(test, finished, 0);
}

static void job_waits_for_room_in_the_kccb(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	u32 slots = t->pvr_dev->kccb.slot_count - 1;
	struct dma_fence *finished;

	/* Somebody else has reserved all slots. */
	WRITE_ONCE(t->fw_held, true);
	flush_delayed_work(&t->fw);
	mutex_lock(&t->pvr_dev->kccb.ccb.lock);
	t->pvr_dev->kccb.reserved_count += slots;
	mutex_unlock(&t->pvr_dev->kccb.ccb.lock);

	finished = pvr_test_submit(test, handle);
	mock_wait_until(test, !list_empty(&t->pvr_dev->kccb.waiters));
	KUNIT_EXPECT_EQ(test, queue->cccb.write_offset, 0);

	mutex_lock(&t->pvr_dev->kccb.ccb.lock);
	t->pvr_dev->kccb.reserved_count -= slots;
	mutex_unlock(&t->pvr_dev->kccb.ccb.lock);
	WRITE_ONCE(t->fw_held, false);

	pvr_test_wait_running(test, finished);
	pvr_test_complete(queue, 1);
	pvr_test_expect_done(test, finished, 0);
}

/* The scheduler may hold a fence longer than who waits for a slot does. */
static void kccb_fence_that_has_signaled_is_put_not_freed(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	struct dma_fence *fence = pvr_kccb_fence_alloc(), *wait;

	KUNIT_ASSERT_NOT_NULL(test, fence);
	WRITE_ONCE(t->fw_held, true);
	flush_delayed_work(&t->fw);
	mutex_lock(&t->pvr_dev->kccb.ccb.lock);
	t->pvr_dev->kccb.reserved_count += t->pvr_dev->kccb.slot_count - 1;
	mutex_unlock(&t->pvr_dev->kccb.ccb.lock);
	wait = pvr_kccb_reserve_slot(t->pvr_dev, fence);
	KUNIT_ASSERT_PTR_EQ(test, wait, fence);
	dma_fence_get(fence);

	mutex_lock(&t->pvr_dev->kccb.ccb.lock);
	t->pvr_dev->kccb.reserved_count -= t->pvr_dev->kccb.slot_count - 1;
	mutex_unlock(&t->pvr_dev->kccb.ccb.lock);
	pvr_kccb_wake_up_waiters(t->pvr_dev);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 2);

	pvr_kccb_fence_put(fence);
	KUNIT_EXPECT_EQ(test, kref_read(&wait->refcount), 1);
	synchronize_rcu();
	rcu_barrier();
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(wait));
	dma_fence_put(wait);
	pvr_kccb_release_slot(t->pvr_dev);

	/* And one that was never used is freed. */
	pvr_kccb_fence_put(pvr_kccb_fence_alloc());
	pvr_kccb_fence_put(NULL);
}

/*
 * Dependencies
 */

static void fences_of_others_are_not_ufo_backed(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_orphan(test, 0);

	KUNIT_EXPECT_FALSE(test, pvr_queue_fence_is_ufo_backed(NULL));
	KUNIT_EXPECT_FALSE(test, pvr_queue_fence_is_ufo_backed(fence));
	mock_put_detached(test, fence);

	fence = mock_fence_create(mock_issuer_create(test, 0), 1);
	KUNIT_EXPECT_FALSE(test, pvr_queue_fence_is_ufo_backed(fence));
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

static void fences_of_a_job_are_ufo_backed_until_it_is_done(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct dma_fence *finished = pvr_test_submit(test, handle), *done;
	struct drm_sched_fence *s_fence = pvr_test_wait_running(test, finished);

	done = drm_sched_fence_get_parent(s_fence);
	KUNIT_EXPECT_TRUE(test, pvr_queue_fence_is_ufo_backed(finished));
	KUNIT_EXPECT_TRUE(test, pvr_queue_fence_is_ufo_backed(done));

	pvr_test_complete(queue, 1);
	mock_wait_fence(test, finished);
	KUNIT_EXPECT_FALSE(test, pvr_queue_fence_is_ufo_backed(finished));
	/* This one has a release callback, and keeps its ops. */
	KUNIT_EXPECT_TRUE(test, pvr_queue_fence_is_ufo_backed(done));
	dma_fence_put(done);
	pvr_test_expect_done(test, finished, 0);
}

/* Of a job of the device one waits for the start, and the firmware for the end. */
static void firmware_waits_for_a_job_that_runs(struct kunit *test)
{
	u32 first = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	u32 second = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *from = pvr_test_queue(test, first);
	struct pvr_queue *to = pvr_test_queue(test, second);
	struct dma_fence *dep = pvr_test_submit(test, first), *finished, *done;
	struct pvr_job *job = pvr_test_job(test, second);
	struct drm_sched_fence *s_fence = to_drm_sched_fence(dep);
	struct rogue_fwif_ufo ufo = {};
	u32 addr;

	pvr_test_add_dep(test, job, dep);
	KUNIT_EXPECT_PTR_EQ(test, pvr_test_dep(job, 0), &s_fence->scheduled);

	pvr_test_wait_running(test, dep);
	done = drm_sched_fence_get_parent(s_fence);
	finished = pvr_test_push(job);
	pvr_test_wait_running(test, finished);
	KUNIT_EXPECT_EQ(test, pvr_test_waits(to, &ufo), 1);
	pvr_fw_object_get_fw_addr(from->timeline_ufo.fw_obj, &addr);
	KUNIT_EXPECT_EQ(test, ufo.addr, addr);
	KUNIT_EXPECT_EQ(test, ufo.value, 1);

	/* Nobody has kept what was only looked at: the job, the scheduler and we. */
	mock_expect_refs(test, done, 3);
	dma_fence_put(done);
	pvr_test_complete(from, 1);
	pvr_test_complete(to, 1);
	pvr_job_put(job);
	pvr_test_expect_done(test, finished, 0);
	pvr_test_expect_done(test, dep, 0);
}

static void firmware_does_not_wait_for_a_job_that_is_done(struct kunit *test)
{
	struct pvr_test *t = test->priv;
	u32 first = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	u32 second = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *from = pvr_test_queue(test, first);
	struct pvr_queue *to = pvr_test_queue(test, second);
	struct dma_fence *dep = pvr_test_submit(test, first), *finished, *done;
	struct drm_sched_fence *s_fence = pvr_test_wait_running(test, dep);
	struct pvr_job *job = pvr_test_job(test, second);
	struct rogue_fwif_ufo ufo = {};

	pvr_test_add_dep(test, job, dep);

	/* It is done, but not freed yet, and still has its parent. */
	flush_workqueue(t->pvr_dev->sched_wq);
	drm_sched_wqueue_stop(&from->scheduler);
	done = drm_sched_fence_get_parent(s_fence);
	pvr_test_complete(from, 1);
	mock_wait_fence(test, dep);

	finished = pvr_test_push(job);
	pvr_test_wait_running(test, finished);
	KUNIT_EXPECT_EQ(test, pvr_test_waits(to, &ufo), 0);
	mock_expect_refs(test, done, 3);
	dma_fence_put(done);
	drm_sched_wqueue_start(&from->scheduler);
	pvr_test_complete(to, 1);
	pvr_job_put(job);
	pvr_test_expect_done(test, finished, 0);
	pvr_test_expect_done(test, dep, 0);
}

static void firmware_does_not_wait_for_a_job_that_is_freed(struct kunit *test)
{
	u32 first = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	u32 second = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *from = pvr_test_queue(test, first);
	struct pvr_queue *to = pvr_test_queue(test, second);
	struct dma_fence *dep = pvr_test_submit(test, first), *finished;
	struct drm_sched_fence *s_fence = pvr_test_wait_running(test, dep);
	struct pvr_job *job = pvr_test_job(test, second);
	struct rogue_fwif_ufo ufo = {};

	pvr_test_add_dep(test, job, dep);
	pvr_test_complete(from, 1);
	mock_wait_fence(test, dep);
	mock_wait_until(test, !rcu_access_pointer(s_fence->parent));

	finished = pvr_test_push(job);
	pvr_test_wait_running(test, finished);
	KUNIT_EXPECT_EQ(test, pvr_test_waits(to, &ufo), 0);
	pvr_test_complete(to, 1);
	pvr_job_put(job);
	pvr_test_expect_done(test, finished, 0);
	pvr_test_expect_done(test, dep, 0);
}

/* One of an array is of the device, another is not, the third one has no job. */
static void dependencies_in_an_array_are_told_apart(struct kunit *test)
{
	u32 first = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	u32 second = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *from = pvr_test_queue(test, first);
	struct pvr_queue *to = pvr_test_queue(test, second);
	struct dma_fence *foreign = mock_fence_create(mock_issuer_create(test, 0), 1);
	struct dma_fence *dep = pvr_test_submit(test, first), *finished, *done;
	struct drm_sched_fence *s_fence = pvr_test_wait_running(test, dep);
	struct pvr_job *job = pvr_test_job(test, second);
	struct dma_fence **fences = kcalloc(3, sizeof(*fences), GFP_KERNEL);
	struct dma_fence_array *array;
	struct rogue_fwif_ufo ufo = {};

	KUNIT_ASSERT_NOT_NULL(test, fences);
	done = drm_sched_fence_get_parent(s_fence);
	fences[0] = dma_fence_get(foreign);
	fences[1] = dma_fence_get(dep);
	fences[2] = dma_fence_get(done);
	array = dma_fence_array_create(3, fences, dma_fence_context_alloc(1), 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	pvr_test_add_dep(test, job, &array->base);
	dma_fence_put(&array->base);
	KUNIT_EXPECT_PTR_EQ(test, pvr_test_dep(job, 0), foreign);
	KUNIT_EXPECT_PTR_EQ(test, pvr_test_dep(job, 1), &s_fence->scheduled);
	KUNIT_EXPECT_PTR_EQ(test, pvr_test_dep(job, 2), done);
	KUNIT_EXPECT_NULL(test, pvr_test_dep(job, 3));

	finished = pvr_test_push(job);
	/* The third one is waited for by the CPU, as the first is. */
	pvr_test_complete(from, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(&to_drm_sched_fence(finished)->scheduled));
	dma_fence_signal(foreign);
	pvr_test_wait_running(test, finished);
	KUNIT_EXPECT_EQ(test, pvr_test_waits(to, &ufo), 0);

	pvr_test_complete(to, 1);
	pvr_job_put(job);
	dma_fence_put(done);
	pvr_test_expect_done(test, finished, 0);
	pvr_test_expect_done(test, dep, 0);
	mock_expect_refs(test, foreign, 1);
	dma_fence_put(foreign);
}

/* A dependency that is a fence of the firmware's itself, and is not done when counted. */
static void fence_of_the_firmware_is_counted(struct kunit *test)
{
	u32 first = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	u32 second = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *from = pvr_test_queue(test, first);
	struct dma_fence *foreign = mock_fence_create(mock_issuer_create(test, 0), 1);
	struct dma_fence *dep = pvr_test_submit(test, first), *done;
	struct drm_sched_fence *s_fence = pvr_test_wait_running(test, dep);
	struct pvr_job *job = pvr_test_job(test, second);
	struct pvr_queue *queue = pvr_test_queue(test, second);
	struct dma_fence *fence;

	done = drm_sched_fence_get_parent(s_fence);
	KUNIT_ASSERT_EQ(test, drm_sched_job_add_dependency(&job->base, dma_fence_get(done)), 0);
	KUNIT_ASSERT_EQ(test, drm_sched_job_add_dependency(&job->base, dma_fence_get(foreign)), 0);
	pvr_queue_job_arm(job);

	/* Ours is not done, and nobody keeps a reference; no room is left for it. */
	WRITE_ONCE(queue->cccb.ctrl->read_offset, 8);
	fence = job->base.sched->ops->prepare_job(&job->base, &queue->entity);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_PTR_EQ(test, fence, job->cccb_fence);
	KUNIT_EXPECT_EQ(test, kref_read(&done->refcount), 4);
	mock_expect_refs(test, foreign, 2);

	pvr_test_complete(from, 1);
	WRITE_ONCE(queue->cccb.ctrl->read_offset, 0);
	pvr_test_process(queue);
	mock_wait_fence(test, fence);
	dma_fence_put(fence);

	pvr_job_put(job);
	dma_fence_put(done);
	dma_fence_signal(foreign);
	dma_fence_put(foreign);
	pvr_test_expect_done(test, dep, 0);
}

/*
 * A geometry and a fragment job that go together
 */

static void paired_jobs_are_kicked_together(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_RENDER);
	struct pvr_test *t = test->priv;
	struct pvr_context *ctx = xa_load(&t->file.ctx_handles, handle);
	struct pvr_job_data jobs[2] = {
		{ .job = pvr_test_render_job(test, DRM_PVR_JOB_TYPE_GEOMETRY, handle) },
		{ .job = pvr_test_render_job(test, DRM_PVR_JOB_TYPE_FRAGMENT, handle) },
	};
	struct pvr_job *geom = jobs[0].job, *frag = jobs[1].job;
	struct dma_fence *finished[2], *done;
	struct rogue_fwif_ufo ufo = {};
	u32 count = ARRAY_SIZE(jobs), addr;

	finished[0] = dma_fence_get(pvr_queue_job_arm(geom));
	pvr_test_add_dep(test, frag, finished[0]);
	finished[1] = dma_fence_get(pvr_queue_job_arm(frag));
	KUNIT_ASSERT_EQ(test, pvr_jobs_link_geom_frag(jobs, &count), 0);
	KUNIT_ASSERT_PTR_EQ(test, geom->paired_job, frag);
	KUNIT_ASSERT_PTR_EQ(test, frag->paired_job, geom);
	done = geom->done_fence;

	push_jobs(jobs, count);
	pvr_test_wait_running(test, finished[0]);
	pvr_test_wait_running(test, finished[1]);
	KUNIT_EXPECT_PTR_EQ(test, drm_sched_job_parent(&frag->base), frag->done_fence);

	/* The last that the fragment job waits for is its geometry job. */
	KUNIT_EXPECT_EQ(test, pvr_test_waits(ctx->queues.fragment, &ufo), 1);
	pvr_fw_object_get_fw_addr(ctx->queues.geometry->timeline_ufo.fw_obj, &addr);
	KUNIT_EXPECT_EQ(test, ufo.addr, addr);
	KUNIT_EXPECT_EQ(test, ufo.value, done->seqno);
	KUNIT_EXPECT_EQ(test, kref_read(&done->refcount), 2);

	pvr_job_put(geom);
	pvr_job_put(frag);
	pvr_test_complete(ctx->queues.geometry, 1);
	pvr_test_complete(ctx->queues.fragment, 1);
	pvr_test_expect_done(test, finished[0], 0);
	pvr_test_expect_done(test, finished[1], 0);
	pvr_test_destroy_context(test, handle);
	mock_wait_until(test, pvr_test_no_context(t));
}

/*
 * Jobs that are run again
 */

static void jobs_get_their_fences_back_after_a_timeout(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct pvr_test *t = test->priv;
	struct dma_fence *finished[2], *done[2];
	struct pvr_job *jobs[2];

	for (int i = 0; i < ARRAY_SIZE(finished); i++) {
		jobs[i] = pvr_test_job(test, handle);
		finished[i] = pvr_test_push(jobs[i]);
		pvr_test_wait_running(test, finished[i]);
		done[i] = drm_sched_job_parent(&jobs[i]->base);
	}

	drm_sched_fault(&queue->scheduler);
	flush_delayed_work(&queue->scheduler.work_tdr);
	flush_workqueue(t->pvr_dev->sched_wq);
	for (int i = 0; i < ARRAY_SIZE(finished); i++) {
		KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished[i]));
		KUNIT_EXPECT_PTR_EQ(test, drm_sched_job_parent(&jobs[i]->base), done[i]);
		KUNIT_EXPECT_EQ(test, kref_read(&done[i]->refcount), 2);
		pvr_job_put(jobs[i]);
	}
	pvr_test_complete(queue, 2);
	pvr_test_expect_done(test, finished[0], 0);
	pvr_test_expect_done(test, finished[1], 0);
}

static void jobs_that_a_reset_interrupts_are_cancelled(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct pvr_test *t = test->priv;
	struct dma_fence *finished = pvr_test_submit(test, handle);

	pvr_test_wait_running(test, finished);
	pvr_queue_device_pre_reset(t->pvr_dev);
	pvr_queue_device_post_reset(t->pvr_dev);
	KUNIT_EXPECT_EQ(test, atomic_read(&queue->ctx->faulty), 1);
	pvr_test_expect_done(test, finished, -ECANCELED);
}

/* It was done between the two halves of the reset. */
static void job_that_is_done_during_a_reset_gets_its_fence_back(struct kunit *test)
{
	u32 handle = pvr_test_create_context(test, DRM_PVR_CTX_TYPE_TRANSFER_FRAG);
	struct pvr_queue *queue = pvr_test_queue(test, handle);
	struct pvr_test *t = test->priv;
	struct pvr_job *job = pvr_test_job(test, handle);
	struct dma_fence *finished = pvr_test_push(job);

	pvr_test_wait_running(test, finished);
	pvr_queue_device_pre_reset(t->pvr_dev);
	KUNIT_EXPECT_NULL(test, drm_sched_job_parent(&job->base));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	pvr_test_complete(queue, 1);
	pvr_queue_device_post_reset(t->pvr_dev);
	KUNIT_EXPECT_EQ(test, atomic_read(&queue->ctx->faulty), 0);
	pvr_job_put(job);
	pvr_test_expect_done(test, finished, 0);
}

static struct kunit_case pvr_job_cases[] = {
	KUNIT_CASE_PARAM(job_is_not_created_for, pvr_test_failure_gen_params),
	KUNIT_CASE(context_outlives_the_fences_of_a_job_that_was_not_pushed),
	KUNIT_CASE(context_is_freed_before_the_device_is_removed),
	KUNIT_CASE_PARAM(context_stays_until_the_last_of_these_is_gone,
			 pvr_test_order_gen_params),
	KUNIT_CASE_PARAM(context_may_lose_its_last_reference_to, pvr_test_last_gen_params),
	KUNIT_CASE(context_may_lose_its_last_reference_to_a_killed_job),
	KUNIT_CASE(job_waits_for_room_in_the_cccb),
	KUNIT_CASE(job_waits_for_room_in_the_kccb),
	KUNIT_CASE(kccb_fence_that_has_signaled_is_put_not_freed),
	KUNIT_CASE(fences_of_others_are_not_ufo_backed),
	KUNIT_CASE(fences_of_a_job_are_ufo_backed_until_it_is_done),
	KUNIT_CASE(firmware_waits_for_a_job_that_runs),
	KUNIT_CASE(firmware_does_not_wait_for_a_job_that_is_done),
	KUNIT_CASE(firmware_does_not_wait_for_a_job_that_is_freed),
	KUNIT_CASE(dependencies_in_an_array_are_told_apart),
	KUNIT_CASE(fence_of_the_firmware_is_counted),
	KUNIT_CASE(paired_jobs_are_kicked_together),
	KUNIT_CASE(jobs_get_their_fences_back_after_a_timeout),
	KUNIT_CASE(jobs_that_a_reset_interrupts_are_cancelled),
	KUNIT_CASE(job_that_is_done_during_a_reset_gets_its_fence_back),
	{}
};

static struct kunit_suite pvr_job_suite = {
	.name = "pvr_job",
	.init = pvr_test_init,
	.exit = pvr_test_exit,
	.test_cases = pvr_job_cases,
};

kunit_test_suite(pvr_job_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
