// SPDX-License-Identifier: GPL-2.0
/*
 * A driver of the DRM scheduler for the unload test: a ring that is no hardware,
 * whose jobs are done after a while. As a driver should, it has all jobs done and
 * all of their fences signaled when it is unloaded; and as most drivers do, it
 * brings a lock for its own fences.
 *
 * One source for the stock and the patched kernel, for 6.12 and for mainline.
 */
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/timer.h>
#include <linux/version.h>
#include <linux/wait.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_syncobj.h>
#include <drm/gpu_scheduler.h>

#include "sched-issuer.h"

#define MSECS	5	/* that a job takes */

static struct issuer {
	struct platform_device *pdev;
	struct drm_device *drm;
	struct drm_gpu_scheduler sched;
	struct drm_sched_entity entity;
	struct mutex submit;
	spinlock_t lock;		/* of the hardware's fences */
	atomic_t jobs;
	wait_queue_head_t done;
} *issuer;

struct issuer_job {
	struct drm_sched_job base;
	struct timer_list timer;
	struct dma_fence *hw;
};

static const char *issuer_get_name(struct dma_fence *fence)
{
	return "sched-issuer";
}

static const struct dma_fence_ops issuer_fence_ops = {
	.get_driver_name = issuer_get_name,
	.get_timeline_name = issuer_get_name,
};

static void issuer_timer(struct timer_list *timer)
{
	struct issuer_job *job = container_of(timer, struct issuer_job, timer);
	struct dma_fence *hw = job->hw;

	/* The job may be freed as soon as this has signaled. */
	job->hw = NULL;
	dma_fence_signal(hw);
	dma_fence_put(hw);
}

static struct dma_fence *issuer_run_job(struct drm_sched_job *sched_job)
{
	struct issuer_job *job = container_of(sched_job, struct issuer_job, base);
	struct dma_fence *hw = kzalloc(sizeof(*hw), GFP_NOWAIT);

	if (!hw)
		return ERR_PTR(-ENOMEM);
	dma_fence_init(hw, &issuer_fence_ops, &issuer->lock, dma_fence_context_alloc(1), 1);
	job->hw = dma_fence_get(hw);
	mod_timer(&job->timer, jiffies + msecs_to_jiffies(MSECS));

	return hw;
}

/* There is no timeout. */
static enum drm_gpu_sched_stat issuer_timedout_job(struct drm_sched_job *sched_job)
{
	return DRM_GPU_SCHED_STAT_ENODEV;
}

static void issuer_free_job(struct drm_sched_job *sched_job)
{
	struct issuer_job *job = container_of(sched_job, struct issuer_job, base);

	timer_delete_sync(&job->timer);
	drm_sched_job_cleanup(sched_job);
	kfree(job);
	if (atomic_dec_and_test(&issuer->jobs))
		wake_up_all(&issuer->done);
}

static const struct drm_sched_backend_ops issuer_sched_ops = {
	.run_job = issuer_run_job,
	.timedout_job = issuer_timedout_job,
	.free_job = issuer_free_job,
};

/* A sync file for a fence, and its number. */
static int issuer_sync_file(struct dma_fence *fence)
{
	struct sync_file *sync_file;
	int fd = get_unused_fd_flags(O_CLOEXEC);

	if (fd < 0)
		return fd;
	sync_file = sync_file_create(fence);
	if (!sync_file) {
		put_unused_fd(fd);
		return -ENOMEM;
	}
	fd_install(fd, sync_file->file);

	return fd;
}

static int issuer_submit_ioctl(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct sched_issuer_submit *args = data;
	struct drm_syncobj *syncobj = drm_syncobj_find(file, args->syncobj);
	struct dma_fence *scheduled, *finished;
	struct issuer_job *job;
	int ret;

	if (!syncobj)
		return -ENOENT;
	job = kzalloc(sizeof(*job), GFP_KERNEL);
	if (!job) {
		ret = -ENOMEM;
		goto out;
	}
	ret = drm_sched_job_init(&job->base, &issuer->entity, 1, NULL, 0);
	if (ret) {
		kfree(job);
		goto out;
	}
	timer_setup(&job->timer, issuer_timer, 0);
	atomic_inc(&issuer->jobs);

	mutex_lock(&issuer->submit);
	drm_sched_job_arm(&job->base);
	scheduled = dma_fence_get(&job->base.s_fence->scheduled);
	finished = dma_fence_get(&job->base.s_fence->finished);
	drm_sched_entity_push_job(&job->base);
	mutex_unlock(&issuer->submit);

	args->scheduled = issuer_sync_file(scheduled);
	args->finished = issuer_sync_file(finished);
	drm_syncobj_replace_fence(syncobj, finished);
	if (args->scheduled < 0 || args->finished < 0)
		ret = -EMFILE;
	dma_fence_put(scheduled);
	dma_fence_put(finished);
out:
	drm_syncobj_put(syncobj);

	return ret;
}

static const struct drm_ioctl_desc issuer_ioctls[] = {
	{ .cmd = SCHED_ISSUER_SUBMIT, .func = issuer_submit_ioctl, .name = "submit" },
};

static const struct file_operations issuer_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
#ifdef FOP_UNSIGNED_OFFSET
	.fop_flags = FOP_UNSIGNED_OFFSET,
#endif
};

static const struct drm_driver issuer_driver = {
	.driver_features = DRIVER_SYNCOBJ,
	.fops = &issuer_fops,
	.ioctls = issuer_ioctls,
	.num_ioctls = ARRAY_SIZE(issuer_ioctls),
	.name = "sched-issuer",
	.desc = "a driver of the DRM scheduler",
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
	.date = "20230101",
#endif
	.major = 1,
};

static int __init issuer_init(void)
{
	struct drm_sched_init_args args = {
		.ops = &issuer_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 2,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "sched-issuer-ring",
	};
	struct drm_gpu_scheduler *list;
	int ret = -ENOMEM;

	issuer = kzalloc(sizeof(*issuer), GFP_KERNEL);
	if (!issuer)
		return ret;
	mutex_init(&issuer->submit);
	spin_lock_init(&issuer->lock);
	init_waitqueue_head(&issuer->done);

	issuer->pdev = platform_device_register_simple("sched-issuer", -1, NULL, 0);
	if (IS_ERR(issuer->pdev)) {
		ret = PTR_ERR(issuer->pdev);
		goto free;
	}
	args.dev = &issuer->pdev->dev;
	ret = drm_sched_init(&issuer->sched, &args);
	if (ret)
		goto unregister;
	list = &issuer->sched;
	ret = drm_sched_entity_init(&issuer->entity, DRM_SCHED_PRIORITY_NORMAL, &list, 1, NULL);
	if (ret)
		goto fini;
	issuer->drm = drm_dev_alloc(&issuer_driver, &issuer->pdev->dev);
	if (IS_ERR(issuer->drm)) {
		ret = PTR_ERR(issuer->drm);
		goto fini;
	}
	ret = drm_dev_register(issuer->drm, 0);
	if (!ret)
		return 0;

	drm_dev_put(issuer->drm);
fini:
	drm_sched_fini(&issuer->sched);
unregister:
	platform_device_unregister(issuer->pdev);
free:
	kfree(issuer);

	return ret;
}

static void __exit issuer_exit(void)
{
	/* The last file is closed: nobody submits any more. */
	drm_dev_unregister(issuer->drm);
	wait_event(issuer->done, !atomic_read(&issuer->jobs));
	drm_sched_entity_destroy(&issuer->entity);
	drm_sched_fini(&issuer->sched);
	drm_dev_put(issuer->drm);
	platform_device_unregister(issuer->pdev);
	/* The lock of our own fences: that drm_sched_fini() waits is for them as well. */
	kfree(issuer);
}

module_init(issuer_init);
module_exit(issuer_exit);

MODULE_DESCRIPTION("A driver of the DRM scheduler, to be unloaded");
MODULE_LICENSE("GPL");
