// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * Jobs of exec queues with a GuC, which does not answer: run, run when the device
 * is unplugged, and when the module goes.
 */

#include <drm/drm_file.h>
#include <drm/drm_gpuvm.h>
#include <uapi/drm/xe_drm.h>

#include "tests/xe_job_test.h"
#include "xe_exec.h"
#include "xe_hw_engine_group_types.h"

static int guc_job_test_init(struct kunit *test)
{
	struct job_test *t;
	struct xe_guc_ct *ct;

	job_test_init(test);
	t = test->priv;

	ct = &t->gt->uc.guc.ct;
	mutex_init(&ct->lock);
	init_waitqueue_head(&ct->wq);
	ct->state = XE_GUC_CT_STATE_DISABLED;
	xe_uc_fw_change_status(&t->gt->uc.guc.fw, XE_UC_FIRMWARE_LOADABLE);
	KUNIT_ASSERT_EQ(test, xe_guc_submit_init(&t->gt->uc.guc, ~0), 0);
	return 0;
}

static void xe_guc_test_finished_when_the_gpu_has_completed_it(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct dma_fence *finished = push(test, q);

	settle(q);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));
	complete_all_jobs(t);
	expect_finished(test, finished, 1);
	settle(q);
	put_queue(test, q);
}

static void xe_guc_test_fails_if_the_device_is_unplugged(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);

	unplug(t);
	expect_finished(test, push(test, q), -ENODEV);
	KUNIT_EXPECT_EQ(test, t->emitted, 0);
	settle(q);
	put_queue(test, q);
}

static void xe_guc_test_fails_if_it_is_ready_after_the_unbind(struct kunit *test)
{
	expect_failure_after_the_unbind(test, 1);
}

static void xe_guc_test_fails_on_all_engines_of_a_parallel_queue(struct kunit *test)
{
	expect_failure_after_the_unbind(test, 2);
}

/* A reset, which runs what is pending again, meets the unbind. */
static void xe_guc_test_fails_if_it_is_run_again_after_the_unplug(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct dma_fence *finished = push(test, q);

	settle(q);
	xe_sched_submission_stop(&q->guc->sched);
	unplug(t);
	guc_exec_queue_start(q);
	expect_finished(test, finished, -ENODEV);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	settle(q);
	put_queue(test, q);
}

/* That of a job which failed or was killed before stays. */
static void xe_guc_test_keeps_the_error_that_it_has(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct xe_sched_job *job = create_job(test, q);
	struct dma_fence *finished;

	unplug(t);
	xe_sched_job_arm(job);
	xe_sched_job_set_error(job, -ECANCELED);
	finished = dma_fence_get(&job->drm.s_fence->finished);
	xe_sched_job_push(job);
	expect_finished(test, finished, -ECANCELED);
	settle(q);
	put_queue(test, q);
}

static void lr_vm_free(struct drm_gpuvm *gpuvm)
{
	kfree(gpuvm_to_vm(gpuvm));
}

static const struct drm_gpuvm_ops lr_vm_ops = {
	.vm_free = lr_vm_free,
};

/* A long running VM, without page tables. */
static struct xe_vm *create_lr_vm(struct kunit *test)
{
	struct xe_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	struct job_test *t = test->priv;
	struct drm_gem_object *resv;

	KUNIT_ASSERT_NOT_NULL(test, vm);
	vm->xe = t->xe;
	vm->size = SZ_2G;
	vm->flags = XE_VM_FLAG_LR_MODE;
	init_rwsem(&vm->lock);
	INIT_LIST_HEAD(&vm->preempt.exec_queues);
	resv = drm_gpuvm_resv_object_alloc(&t->xe->drm);
	KUNIT_ASSERT_NOT_NULL(test, resv);
	drm_gpuvm_init(&vm->gpuvm, "test", DRM_GPUVM_RESV_PROTECTED, &t->xe->drm,
		       resv, 0, vm->size, 0, 0, &lr_vm_ops);
	drm_gem_object_put(resv);
	return vm;
}

/*
 * The ioctl writes such a job into the ring. The DRM core has looked whether the
 * device is unplugged, just before that.
 */
static void xe_guc_test_lr_job_is_not_emitted_after_the_unbind(struct kunit *test)
{
	struct xe_hw_engine_group *group = kunit_kzalloc(test, sizeof(*group), GFP_KERNEL);
	struct drm_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct xe_file *xef = kunit_kzalloc(test, sizeof(*xef), GFP_KERNEL);
	struct drm_xe_exec args = { .exec_queue_id = 1, .num_batch_buffer = 1 };
	struct job_test *t = test->priv;
	struct xe_exec_queue *q;
	struct xe_vm *vm;

	KUNIT_ASSERT_NOT_NULL(test, group);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_NOT_NULL(test, xef);
	init_rwsem(&group->mode_sem);
	group->cur_mode = EXEC_MODE_DMA_FENCE;
	t->hwe->hw_engine_group = group;
	xa_init(&xef->exec_queue.xa);
	mutex_init(&xef->exec_queue.lock);
	file->driver_priv = xef;

	vm = create_lr_vm(test);
	q = xe_exec_queue_create(t->xe, vm, BIT(0), 1, t->hwe, 0, 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, q);
	/* The GuC would have a reference to it otherwise. */
	set_exec_queue_registered(q);
	set_exec_queue_enabled(q);
	KUNIT_ASSERT_EQ(test, xa_err(xa_store(&xef->exec_queue.xa, 1, q, GFP_KERNEL)), 0);

	KUNIT_EXPECT_EQ(test, xe_exec_ioctl(&t->xe->drm, &args, file), 0);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	settle(q);
	unplug(t);
	unmap_lrcs(t);
	/* How far the jobs are is in there, too; this is another page now. */
	t->mem[0] = kzalloc(JOB_TEST_LRC_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->mem[0]);
	iosys_map_set_vaddr(&t->bo[0].vmap, t->mem[0]);
	complete_all_jobs(t);
	KUNIT_EXPECT_EQ(test, xe_exec_ioctl(&t->xe->drm, &args, file), 0);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	settle(q);

	xa_destroy(&xef->exec_queue.xa);
	put_queue(test, q);
	flush_workqueue(t->xe->destroy_wq);
	KUNIT_EXPECT_EQ(test, kref_read(&vm->gpuvm.kref), 1);
	xe_vm_put(vm);
	t->hwe->hw_engine_group = NULL;
}

/* Nothing that the GPU has is unknown to the handler when the unplug is over. */
static void xe_guc_test_is_pending_when_run_job_returns(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 2, 0);
	struct xe_hw_fence *fence;
	struct xe_sched_job *job;
	struct dma_fence *finished;
	int pending = 0;

	xe_sched_submission_stop(&q->guc->sched);
	job = create_job(test, q);
	finished = push_job(job);
	/* In place of the scheduler, which then adds a callback, and has the reference. */
	guc_exec_queue_run_job(&job->drm);
	KUNIT_EXPECT_EQ(test, t->emitted, 1);
	list_for_each_entry(fence, &t->irq->pending, irq_link)
		pending++;
	KUNIT_EXPECT_EQ(test, pending, 2);

	xe_sched_submission_start(&q->guc->sched);
	settle(q);
	complete_all_jobs(t);
	expect_finished(test, finished, 1);
	settle(q);
	put_queue(test, q);
}

static void xe_guc_test_unbind_waits_for_what_the_gpu_runs(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct dma_fence *finished = push(test, q);

	settle(q);
	schedule_delayed_work(&t->later, msecs_to_jiffies(50));
	unplug(t);
	xe_gt_remove(t->gt);
	flush_delayed_work(&t->later);
	expect_finished(test, finished, 1);
	settle(q);
	put_queue(test, q);
}

/* The last reference to a queue is dropped by its scheduler, in a work. */
static void xe_guc_test_module_waits_for_the_end_of_a_queue(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct dma_fence *foreign = create_foreign(test);
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct dma_fence *finished = push_behind(test, q, foreign);

	t->signal_later = foreign;
	schedule_delayed_work(&t->later, msecs_to_jiffies(50));
	unplug(t);
	xe_exec_queue_put(q);
	xe_device_module_exit();
	KUNIT_EXPECT_TRUE(test, list_empty(&t->xe->exec_queues.list));
	KUNIT_EXPECT_EQ(test, kref_read(&t->lrc[0].refcount), 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(finished));
	expect_finished(test, finished, -ENODEV);
	flush_delayed_work(&t->later);
	dma_fence_put(foreign);
}

static void xe_guc_test_module_waits_for_the_jobs_of_a_queue_that_stays(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct xe_exec_queue *q = create_queue(test, 1, EXEC_QUEUE_FLAG_PERMANENT);
	struct drm_gpu_scheduler *sched = &q->guc->sched.base;
	struct dma_fence *finished = push(test, q);

	settle(q);
	KUNIT_EXPECT_EQ(test, kref_read(&q->refcount), 2);
	complete_all_jobs(t);
	xe_device_module_exit();
	/* The job is freed, which put the queue, and nothing of it is to come. */
	KUNIT_EXPECT_EQ(test, kref_read(&q->refcount), 1);
	KUNIT_EXPECT_FALSE(test, queue_delayed_work(sched->timeout_wq, &sched->work_tdr, 0));
	KUNIT_EXPECT_FALSE(test, queue_work(sched->submit_wq, &sched->work_run_job));
	KUNIT_EXPECT_FALSE(test, queue_work(sched->submit_wq, &sched->work_free_job));
	expect_finished(test, finished, 1);
	xe_exec_queue_put(q);
}

/* A job that waits for another driver: the module does not wait for that for ever. */
static void xe_guc_test_module_gives_up_a_queue_that_cannot_end(struct kunit *test)
{
	struct job_test *t = test->priv;
	struct dma_fence *foreign = create_foreign(test);
	struct xe_exec_queue *q = create_queue(test, 1, 0);
	struct drm_gpu_scheduler *sched = &q->guc->sched.base;
	struct dma_fence *finished = push_behind(test, q, foreign);

	unplug(t);
	xe_exec_queue_put(q);
	xe_device_module_exit();
	KUNIT_EXPECT_FALSE(test, list_empty(&t->xe->exec_queues.list));
	/* The job's, and one that is never dropped. */
	KUNIT_EXPECT_EQ(test, kref_read(&q->refcount), 2);
	dma_fence_signal(foreign);
	msleep(20);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(finished));

	/* The module goes no further here. */
	enable_delayed_work(&sched->work_tdr);
	enable_work(&sched->work_free_job);
	enable_work(&sched->work_run_job);
	xe_sched_submission_start(&q->guc->sched);
	expect_finished(test, finished, -ENODEV);
	settle(q);
	put_queue(test, q);
	dma_fence_put(foreign);
}

static struct kunit_case guc_job_test_cases[] = {
	KUNIT_CASE(xe_guc_test_finished_when_the_gpu_has_completed_it),
	KUNIT_CASE(xe_guc_test_fails_if_the_device_is_unplugged),
	KUNIT_CASE(xe_guc_test_fails_if_it_is_ready_after_the_unbind),
	KUNIT_CASE(xe_guc_test_fails_on_all_engines_of_a_parallel_queue),
	KUNIT_CASE(xe_guc_test_fails_if_it_is_run_again_after_the_unplug),
	KUNIT_CASE(xe_guc_test_keeps_the_error_that_it_has),
	KUNIT_CASE(xe_guc_test_lr_job_is_not_emitted_after_the_unbind),
	KUNIT_CASE(xe_guc_test_is_pending_when_run_job_returns),
	KUNIT_CASE(xe_guc_test_unbind_waits_for_what_the_gpu_runs),
	KUNIT_CASE(xe_guc_test_module_waits_for_the_end_of_a_queue),
	KUNIT_CASE(xe_guc_test_module_waits_for_the_jobs_of_a_queue_that_stays),
	KUNIT_CASE_SLOW(xe_guc_test_module_gives_up_a_queue_that_cannot_end),
	{}
};

static struct kunit_suite guc_job_suite = {
	.name = "xe_guc_job",
	.test_cases = guc_job_test_cases,
	.init = guc_job_test_init,
	.exit = job_test_exit,
};

kunit_test_suites(&guc_job_suite);
