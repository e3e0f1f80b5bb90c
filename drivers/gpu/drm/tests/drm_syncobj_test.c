// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for drm_syncobj: fences that user space has by a handle.
 *
 * A syncobj belongs to one device, but its fence may come from another: by way
 * of a sync_file, or of a timeline that several processes use. It is kept until
 * somebody puts another fence there. The tests use the exported functions, and
 * for what has none the ioctls, as user space does.
 */

#include <kunit/device.h>
#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-fence-chain.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_syncobj.h>

#include "mock-issuer.h"

/* Points that only a 64-bit comparison puts into this order. */
#define POINT_OLD	5ULL
#define POINT_NEW	(BIT_ULL(32) + 1)

static struct drm_syncobj *create_syncobj(struct kunit *test,
					  struct dma_fence *fence)
{
	struct drm_syncobj *syncobj;

	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&syncobj, 0, fence), 0);

	return syncobj;
}

static void add_point(struct kunit *test, struct drm_syncobj *syncobj,
		      struct dma_fence *fence, u64 point)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	drm_syncobj_add_point(syncobj, chain, fence, point);
}

static void expect_fence(struct kunit *test, struct drm_syncobj *syncobj,
			 struct dma_fence *want)
{
	struct dma_fence *fence = drm_syncobj_fence_get(syncobj);

	KUNIT_EXPECT_PTR_EQ(test, fence, want);
	dma_fence_put(fence);
}

/*
 * A process that has opened a device. Not the device of the mock issuer: that
 * one is gone, and this one has no fences of its own.
 */

static const struct file_operations client_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
};

static const struct drm_driver client_driver = {
	.driver_features = DRIVER_RENDER | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.fops = &client_fops,
	.name = "drm-syncobj-kunit",
	.desc = "for the KUnit tests of drm_syncobj",
};

/* fput() would leave the work to somebody else, the caller is a kthread. */
KUNIT_DEFINE_ACTION_WRAPPER(close_file_action, __fput_sync, struct file *);

static struct drm_file *open_client(struct kunit *test)
{
	struct drm_device *drm;
	struct device *dev;
	struct file *file;

	dev = kunit_device_register(test, "drm-syncobj-kunit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	drm = __devm_drm_dev_alloc(dev, &client_driver, sizeof(*drm), 0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, drm);
	file = mock_drm_getfile(drm->render, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, close_file_action, file));

	return file->private_data;
}

/* Closes the device, and with it all handles. */
static void close_client(struct kunit *test, struct drm_file *client)
{
	kunit_release_action(test, close_file_action, client->filp);
}

/* Hands @syncobj over to @client, who knows it by the returned handle. */
static u32 give_handle(struct kunit *test, struct drm_file *client,
		       struct drm_syncobj *syncobj)
{
	u32 handle = 0;

	KUNIT_ASSERT_EQ(test, drm_syncobj_get_handle(client, syncobj, &handle),
			0);
	drm_syncobj_put(syncobj);

	return handle;
}

/* The fence of @handle at @point, or NULL if find_fence returns an error. */
static struct dma_fence *find_fence(struct drm_file *client, u32 handle,
				    u64 point)
{
	struct dma_fence *fence;

	return drm_syncobj_find_fence(client, handle, point, 0, &fence) ?
	       NULL : fence;
}

/* What user space passes to the ioctls has to be in the memory of a user. */
struct user_args {
	u64 arg[16];
	u32 handles[2];
	u64 points[2];
};

/* @user->arg is overwritten by @arg, which is what the ioctl leaves there. */
static long call_ioctl(struct kunit *test, struct drm_file *client,
		       unsigned int cmd, void *arg,
		       struct user_args __user *user)
{
	size_t size = _IOC_SIZE(cmd);
	struct file *file = client->filp;
	long ret;

	KUNIT_ASSERT_LE(test, size, sizeof(user->arg));
	KUNIT_ASSERT_EQ(test, copy_to_user(user->arg, arg, size), 0);
	ret = file->f_op->unlocked_ioctl(file, cmd, (unsigned long)user->arg);
	KUNIT_ASSERT_EQ(test, copy_from_user(arg, user->arg, size), 0);

	return ret;
}

/* A list of at most two handles, and the points of those, for an ioctl. */
static struct user_args __user *map_handles(struct kunit *test, u32 first,
					    u64 first_point, u32 second,
					    u64 second_point)
{
	struct user_args __user *user = mock_user_page(test);
	u64 points[] = { first_point, second_point };
	u32 handles[] = { first, second };

	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(user->handles, handles, sizeof(handles)));
	KUNIT_ASSERT_EQ(test, 0,
			copy_to_user(user->points, points, sizeof(points)));

	return user;
}

/* DRM_IOCTL_SYNCOBJ_WAIT for @first, and for @second if it is not 0. */
static long wait_for(struct kunit *test, struct drm_file *client, u32 flags,
		     u32 first, u32 second)
{
	struct user_args __user *user = map_handles(test, first, 0, second, 0);
	struct drm_syncobj_wait arg = {
		.handles = (uintptr_t)user->handles,
		.count_handles = second ? 2 : 1,
		.flags = flags,
		.deadline_nsec = ktime_get_ns(),
	};

	return call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_WAIT, &arg, user);
}

/* DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT for one point. */
static long wait_for_point(struct kunit *test, struct drm_file *client,
			   u32 flags, u32 handle, u64 point)
{
	struct user_args __user *user = map_handles(test, handle, point, 0, 0);
	struct drm_syncobj_timeline_wait arg = {
		.handles = (uintptr_t)user->handles,
		.points = (uintptr_t)user->points,
		.count_handles = 1,
		.flags = flags,
	};

	return call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &arg,
			  user);
}

/* DRM_IOCTL_SYNCOBJ_QUERY of one timeline. */
static u64 query(struct kunit *test, struct drm_file *client, u32 flags,
		 u32 handle)
{
	struct user_args __user *user = map_handles(test, handle, U64_MAX, 0, 0);
	struct drm_syncobj_timeline_array arg = {
		.handles = (uintptr_t)user->handles,
		.points = (uintptr_t)user->points,
		.count_handles = 1,
		.flags = flags,
	};
	u64 point;

	KUNIT_EXPECT_EQ(test, 0,
			call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_QUERY, &arg,
				   user));
	KUNIT_ASSERT_EQ(test, 0,
			copy_from_user(&point, user->points, sizeof(point)));

	return point;
}

static long transfer(struct kunit *test, struct drm_file *client,
		     u32 src_handle, u64 src_point, u32 dst_handle,
		     u64 dst_point)
{
	struct drm_syncobj_transfer arg = {
		.src_handle = src_handle,
		.dst_handle = dst_handle,
		.src_point = src_point,
		.dst_point = dst_point,
	};

	return call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_TRANSFER, &arg,
			  mock_user_page(test));
}

/* As close_fd(), but what it closes is gone when this returns. */
static void close_fd_sync(struct kunit *test, int fd)
{
	struct file *file = fget(fd);

	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	__fput_sync(file);
}

/*
 * One fence
 */

static void syncobj_keeps_a_fence_whose_issuer_is_gone(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct drm_syncobj *syncobj = create_syncobj(test, fence);

	expect_fence(test, syncobj, fence);
	mock_fence_detach(fence);
	expect_fence(test, syncobj, fence);
	mock_fence_use(test, fence);

	drm_syncobj_put(syncobj);
	mock_put_detached(test, fence);
}

static void syncobj_takes_a_detached_fence(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);

	expect_fence(test, syncobj, NULL);
	drm_syncobj_replace_fence(syncobj, gone);
	expect_fence(test, syncobj, gone);

	/* The syncobj may be the last to have it. */
	KUNIT_EXPECT_EQ(test, kref_read(&gone->refcount), 2);
	drm_syncobj_put(syncobj);
	mock_put_detached(test, gone);
}

static void syncobj_releases_the_last_reference(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(fence);
	struct drm_syncobj *syncobj = create_syncobj(test, fence);

	mock_fence_detach(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	drm_syncobj_put(syncobj);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
}

static void replace_drops_a_detached_fence(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct drm_syncobj *syncobj = create_syncobj(test, gone);

	drm_syncobj_replace_fence(syncobj, gone);
	KUNIT_EXPECT_EQ(test, kref_read(&gone->refcount), 2);
	drm_syncobj_replace_fence(syncobj, live);
	expect_fence(test, syncobj, live);
	mock_put_detached(test, gone);

	mock_fence_detach(live);
	drm_syncobj_replace_fence(syncobj, NULL);
	expect_fence(test, syncobj, NULL);
	mock_put_detached(test, live);
	drm_syncobj_put(syncobj);
}

/* What user space creates signaled has no issuer but the core. */
static void syncobj_created_signaled_has_a_stub(struct kunit *test)
{
	struct drm_syncobj *syncobj;
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0,
			drm_syncobj_create(&syncobj, DRM_SYNCOBJ_CREATE_SIGNALED,
					   NULL));
	fence = drm_syncobj_fence_get(syncobj);
	KUNIT_ASSERT_NOT_NULL(test, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(fence), ktime_get());
	mock_fence_use(test, fence);

	drm_syncobj_put(syncobj);
	dma_fence_put(fence);
}

static void find_fence_after_the_issuer_is_gone(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	u32 handle = give_handle(test, client, create_syncobj(test, fence));
	u32 empty = give_handle(test, client, create_syncobj(test, NULL));
	struct dma_fence *found;

	mock_fence_detach(fence);
	KUNIT_ASSERT_EQ(test, 0,
			drm_syncobj_find_fence(client, handle, 0, 0, &found));
	KUNIT_EXPECT_PTR_EQ(test, found, fence);
	mock_fence_use(test, found);
	dma_fence_put(found);

	/* A plain fence is no timeline. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			drm_syncobj_find_fence(client, handle, 1, 0, &found));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			drm_syncobj_find_fence(client, empty, 0, 0, &found));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			drm_syncobj_find_fence(client, handle + empty, 0, 0,
					       &found));

	close_client(test, client);
	mock_put_detached(test, fence);
}

/* Somebody who submits what find_fence already waits for. */
struct submitter {
	struct delayed_work work;
	struct drm_syncobj *syncobj;
	struct dma_fence *fence;
};

static void submitter_work(struct work_struct *work)
{
	struct submitter *submitter =
		container_of(work, struct submitter, work.work);

	drm_syncobj_replace_fence(submitter->syncobj, submitter->fence);
}

static void find_fence_waits_for_a_detached_fence(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct submitter *submitter;
	struct dma_fence *found;
	u32 handle;

	submitter = kunit_kzalloc(test, sizeof(*submitter), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, submitter);
	INIT_DELAYED_WORK(&submitter->work, submitter_work);
	submitter->syncobj = syncobj;
	submitter->fence = gone;

	drm_syncobj_get(syncobj);
	handle = give_handle(test, client, syncobj);
	schedule_delayed_work(&submitter->work, 2);
	KUNIT_EXPECT_EQ(test, 0,
			drm_syncobj_find_fence(client, handle, 0,
					       DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT,
					       &found));
	flush_delayed_work(&submitter->work);
	KUNIT_EXPECT_PTR_EQ(test, found, gone);
	dma_fence_put(found);

	drm_syncobj_put(syncobj);
	close_client(test, client);
	mock_put_detached(test, gone);
}

/* Fences with release or wait keep their issuer, and work as ever. */
static void syncobj_of_an_attached_fence(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *first = mock_fence_create(issuer, 1);
	struct dma_fence *second = mock_fence_create(issuer, 2);
	struct drm_syncobj *syncobj = create_syncobj(test, first);
	u32 handle = give_handle(test, client, syncobj);

	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, handle, 0), -ETIME);
	dma_fence_signal(first);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, handle, 0), 0);
	dma_fence_put(first);
	mock_expect_releases(test, calls, 0);

	dma_fence_signal(second);
	drm_syncobj_replace_fence(syncobj, second);
	mock_expect_releases(test, calls, 1);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, handle, 0), 0);

	dma_fence_put(second);
	mock_expect_releases(test, calls, 1);
	close_client(test, client);
	mock_expect_releases(test, calls, 2);
}

/*
 * Timelines
 */

static void timeline_of_detached_fences(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct dma_fence *fences[3], *stub, *found;
	u32 handle;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = mock_fence_create_live(test, 1);
		add_point(test, syncobj, fences[i], i + 1);
	}
	handle = give_handle(test, client, syncobj);
	KUNIT_EXPECT_NULL(test, find_fence(client, handle, 4));
	KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), 0);

	/* The points are reached in order. */
	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		KUNIT_EXPECT_EQ(test, -ETIME,
				wait_for_point(test, client, 0, handle, i + 1));
		mock_fence_detach(fences[i]);
		KUNIT_EXPECT_EQ(test, 0,
				wait_for_point(test, client, 0, handle, i + 1));
		KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), i + 1);
	}

	/* What is done and was dropped is a stub to whoever asks for it. */
	stub = dma_fence_get_stub();
	found = find_fence(client, handle, 1);
	KUNIT_EXPECT_PTR_EQ(test, found, stub);
	dma_fence_put(found);
	dma_fence_put(stub);

	found = find_fence(client, handle, 3);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(found), fences[2]);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(found));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_chain(found));
	dma_fence_put(found);
	KUNIT_EXPECT_NULL(test, find_fence(client, handle, 4));

	close_client(test, client);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		mock_put_detached(test, fences[i]);
}

/* A point is not reached before those in front of it, whoever is gone. */
static void timeline_point_waits_for_earlier_ones(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *found;
	u32 handle;

	add_point(test, syncobj, live, 1);
	add_point(test, syncobj, gone, 2);
	handle = give_handle(test, client, syncobj);

	found = find_fence(client, handle, 2);
	KUNIT_ASSERT_NOT_NULL(test, found);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(found), gone);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(found));
	KUNIT_EXPECT_EQ(test, wait_for_point(test, client, 0, handle, 2),
			-ETIME);
	KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), 0);
	KUNIT_EXPECT_EQ(test, 2,
			query(test, client,
			      DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED, handle));

	mock_fence_detach(live);
	mock_wait_fence(test, found);
	KUNIT_EXPECT_EQ(test, wait_for_point(test, client, 0, handle, 2), 0);
	KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), 2);
	dma_fence_put(found);

	close_client(test, client);
	mock_put_detached(test, live, gone);
}

static void timeline_points_have_64_bits(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct dma_fence *old = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *new = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *first, *second, *found;
	u32 handle;

	add_point(test, syncobj, old, POINT_OLD);
	first = drm_syncobj_fence_get(syncobj);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(first));
	add_point(test, syncobj, new, POINT_NEW);
	second = drm_syncobj_fence_get(syncobj);
	handle = give_handle(test, client, syncobj);

	/* It is the same timeline still, and knows what came before. */
	KUNIT_EXPECT_EQ(test, second->context, first->context);
	KUNIT_EXPECT_EQ(test, second->seqno, POINT_NEW);
	KUNIT_EXPECT_EQ(test, to_dma_fence_chain(second)->prev_seqno, POINT_OLD);
	KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), POINT_NEW);

	found = find_fence(client, handle, POINT_OLD + 1);
	KUNIT_EXPECT_PTR_EQ(test, found, second);
	dma_fence_put(found);
	found = find_fence(client, handle, POINT_NEW);
	KUNIT_EXPECT_PTR_EQ(test, found, second);
	dma_fence_put(found);
	KUNIT_EXPECT_NULL(test, find_fence(client, handle, POINT_NEW + 1));

	dma_fence_put(first);
	dma_fence_put(second);
	close_client(test, client);
	mock_put_detached(test, old, new);
}

/* Which user space should not do, but may. */
static void timeline_with_an_unordered_point(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *first, *second;
	u32 handle;

	add_point(test, syncobj, a, 9);
	first = drm_syncobj_fence_get(syncobj);
	add_point(test, syncobj, b, 4);
	second = drm_syncobj_fence_get(syncobj);
	handle = give_handle(test, client, syncobj);

	KUNIT_EXPECT_NE(test, second->context, first->context);
	KUNIT_EXPECT_EQ(test, second->seqno, 9);
	KUNIT_EXPECT_EQ(test, query(test, client, 0, handle), 9);
	KUNIT_EXPECT_EQ(test, wait_for_point(test, client, 0, handle, 9), 0);

	dma_fence_put(first);
	dma_fence_put(second);
	close_client(test, client);
	mock_put_detached(test, a, b);
}

/* A binary syncobj becomes a timeline by the first point that is added. */
static void timeline_starts_with_a_detached_fence(struct kunit *test)
{
	struct dma_fence *plain = mock_fence_create_detached(test, 1, 0);
	struct drm_syncobj *syncobj = create_syncobj(test, plain);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *fence;

	add_point(test, syncobj, gone, 1);
	fence = drm_syncobj_fence_get(syncobj);
	KUNIT_ASSERT_TRUE(test, dma_fence_is_chain(fence));
	KUNIT_EXPECT_NE(test, fence->context, plain->context);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));

	/* Back to a single fence: the whole timeline goes. */
	drm_syncobj_replace_fence(syncobj, plain);
	dma_fence_put(fence);
	mock_put_detached(test, gone);
	drm_syncobj_put(syncobj);
	mock_put_detached(test, plain);
}

static void timeline_freed_with_detached_fences(struct kunit *test)
{
	struct drm_syncobj *syncobj = create_syncobj(test, NULL);
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *fences[8];
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = mock_fence_create(issuer, i + 1);
		add_point(test, syncobj, fences[i], i + 1);
	}
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		dma_fence_signal(fences[i]);
	mock_issuer_destroy(issuer);

	drm_syncobj_put(syncobj);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		mock_put_detached(test, fences[i]);
}

/*
 * ioctls
 */

static void wait_for_live_and_detached_fences(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	u32 a = give_handle(test, client, create_syncobj(test, live));
	u32 b = give_handle(test, client, create_syncobj(test, gone));

	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, a, 0), -ETIME);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, b, 0), 0);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, a, b), 0);
	KUNIT_EXPECT_EQ(test, -ETIME,
			wait_for(test, client,
				 DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL, a, b));

	mock_fence_detach(live);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, a, 0), 0);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for(test, client,
				 DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL, a, b));

	close_client(test, client);
	mock_put_detached(test, live, gone);
}

static void wait_sets_the_deadline_of_live_fences_only(struct kunit *test)
{
	const u32 flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL |
			  DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE;
	struct drm_file *client = open_client(test);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(live);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	u32 a = give_handle(test, client, create_syncobj(test, live));
	u32 b = give_handle(test, client, create_syncobj(test, gone));

	KUNIT_EXPECT_EQ(test, wait_for(test, client, flags, a, b), -ETIME);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	mock_fence_detach(live);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, flags, a, b), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	close_client(test, client);
	mock_put_detached(test, live, gone);
}

static void export_of_a_detached_fence_to_a_sync_file(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	u32 handle = give_handle(test, client, create_syncobj(test, gone));
	struct drm_syncobj_handle arg = {
		.handle = handle,
		.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
	};
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0,
			call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD,
				   &arg, mock_user_page(test)));
	fence = sync_file_get_fence(arg.fd);
	KUNIT_EXPECT_PTR_EQ(test, fence, gone);
	dma_fence_put(fence);

	/* The file lives on without the syncobj. */
	close_client(test, client);
	fence = sync_file_get_fence(arg.fd);
	KUNIT_EXPECT_PTR_EQ(test, fence, gone);
	dma_fence_put(fence);
	close_fd_sync(test, arg.fd);
	mock_put_detached(test, gone);
}

static void import_of_a_detached_fence_from_a_sync_file(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct sync_file *sync_file = sync_file_create(gone);
	struct drm_syncobj_handle arg = {
		.handle = give_handle(test, client, create_syncobj(test, NULL)),
		.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE,
		.fd = get_unused_fd_flags(O_CLOEXEC),
	};
	struct dma_fence *found;

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_ASSERT_GE(test, arg.fd, 0);
	fd_install(arg.fd, sync_file->file);
	KUNIT_EXPECT_EQ(test, 0,
			call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE,
				   &arg, mock_user_page(test)));
	close_fd_sync(test, arg.fd);

	found = find_fence(client, arg.handle, 0);
	KUNIT_EXPECT_PTR_EQ(test, found, gone);
	dma_fence_put(found);
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, arg.handle, 0), 0);

	close_client(test, client);
	mock_put_detached(test, gone);
}

/* Another process may get the syncobj by a descriptor of it. */
static void descriptor_keeps_the_syncobj(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct drm_syncobj *syncobj = create_syncobj(test, gone);
	int fd = -1;

	KUNIT_ASSERT_EQ(test, drm_syncobj_get_fd(syncobj, &fd), 0);
	drm_syncobj_put(syncobj);
	KUNIT_EXPECT_EQ(test, kref_read(&gone->refcount), 2);

	/* A syncobj is not a sync_file. */
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(fd));
	close_fd_sync(test, fd);
	mock_put_detached(test, gone);
}

static void transfer_between_timeline_and_binary(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	u32 binary = give_handle(test, client, create_syncobj(test, gone));
	u32 timeline = give_handle(test, client, create_syncobj(test, NULL));
	u32 copy = give_handle(test, client, create_syncobj(test, NULL));
	struct dma_fence *found;

	/* Merged on the way, so that what arrives is a stub of its own. */
	KUNIT_EXPECT_EQ(test, 0,
			transfer(test, client, binary, 0, timeline, POINT_NEW));
	KUNIT_EXPECT_EQ(test, query(test, client, 0, timeline), POINT_NEW);
	found = find_fence(client, timeline, POINT_NEW);
	KUNIT_ASSERT_NOT_NULL(test, found);
	KUNIT_EXPECT_PTR_NE(test, dma_fence_chain_contained(found), gone);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(gone),
			dma_fence_timestamp(dma_fence_chain_contained(found)));
	dma_fence_put(found);

	KUNIT_EXPECT_EQ(test, 0,
			transfer(test, client, timeline, POINT_NEW, copy, 0));
	KUNIT_EXPECT_EQ(test, wait_for(test, client, 0, copy, 0), 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			transfer(test, client, timeline, POINT_NEW + 1, copy, 0));

	close_client(test, client);
	mock_put_detached(test, gone);
}

static void reset_and_signal_drop_a_detached_fence(struct kunit *test)
{
	struct drm_file *client = open_client(test);
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct drm_syncobj *syncobj = create_syncobj(test, a);
	u32 handle = give_handle(test, client, syncobj);
	struct user_args __user *user = map_handles(test, handle, 0, 0, 0);
	struct drm_syncobj_array arg = {
		.handles = (uintptr_t)user->handles,
		.count_handles = 1,
	};
	struct dma_fence *found;

	KUNIT_EXPECT_EQ(test, 0,
			call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_RESET, &arg,
				   user));
	expect_fence(test, syncobj, NULL);
	mock_put_detached(test, a);

	drm_syncobj_replace_fence(syncobj, b);
	KUNIT_EXPECT_EQ(test, 0,
			call_ioctl(test, client, DRM_IOCTL_SYNCOBJ_SIGNAL, &arg,
				   user));
	mock_put_detached(test, b);
	found = find_fence(client, handle, 0);
	KUNIT_ASSERT_NOT_NULL(test, found);
	mock_fence_use(test, found);
	dma_fence_put(found);

	close_client(test, client);
}

static struct kunit_case drm_syncobj_test_cases[] = {
	KUNIT_CASE_PARAM(syncobj_keeps_a_fence_whose_issuer_is_gone,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(syncobj_takes_a_detached_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(syncobj_releases_the_last_reference,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(replace_drops_a_detached_fence, mock_lock_gen_params),
	KUNIT_CASE(syncobj_created_signaled_has_a_stub),
	KUNIT_CASE_PARAM(find_fence_after_the_issuer_is_gone,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(find_fence_waits_for_a_detached_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(syncobj_of_an_attached_fence, mock_attached_gen_params),
	KUNIT_CASE_PARAM(timeline_of_detached_fences, mock_lock_gen_params),
	KUNIT_CASE_PARAM(timeline_point_waits_for_earlier_ones,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(timeline_points_have_64_bits, mock_lock_gen_params),
	KUNIT_CASE_PARAM(timeline_with_an_unordered_point,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(timeline_starts_with_a_detached_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(timeline_freed_with_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(wait_for_live_and_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(wait_sets_the_deadline_of_live_fences_only,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(export_of_a_detached_fence_to_a_sync_file,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(import_of_a_detached_fence_from_a_sync_file,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(descriptor_keeps_the_syncobj, mock_lock_gen_params),
	KUNIT_CASE_PARAM(transfer_between_timeline_and_binary,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(reset_and_signal_drop_a_detached_fence,
			 mock_lock_gen_params),
	{}
};

static struct kunit_suite drm_syncobj_test_suite = {
	.name = "drm_syncobj",
	.test_cases = drm_syncobj_test_cases,
};

kunit_test_suite(drm_syncobj_test_suite);

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_DESCRIPTION("KUnit tests for drm_syncobj");
MODULE_LICENSE("GPL");
