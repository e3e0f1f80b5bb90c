// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for sync_file: what user space holds of a fence.
 *
 * User space keeps a sync_file as long as it likes, and may ask it anything at
 * any time: long after the fence has signaled, and after whoever issued the
 * fence was unloaded. The tests go through the file operations, as system calls
 * do.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <uapi/linux/sync_file.h>

#include "mock-issuer.h"

/* As many as the tests ever ask about in one go. */
#define MAX_INFOS	4

/* fput() would leave the work to somebody else, the caller is a kthread. */
KUNIT_DEFINE_ACTION_WRAPPER(close_file_action, __fput_sync, struct file *);

static struct sync_file *open_sync_file(struct kunit *test,
					struct dma_fence *fence)
{
	struct sync_file *sync_file = sync_file_create(fence);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, close_file_action,
						  sync_file->file));

	return sync_file;
}

static void close_sync_file(struct kunit *test, struct sync_file *sync_file)
{
	kunit_release_action(test, close_file_action, sync_file->file);
}

/* A descriptor that refers to @file, until it is closed by close_fd(). */
static int install_fd(struct kunit *test, struct file *file)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);

	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));

	return fd;
}

/* What somebody who does not wait is told by poll(): all, or nothing at all. */
static bool is_readable(struct sync_file *sync_file)
{
	return vfs_poll(sync_file->file, NULL) == EPOLLIN;
}

/* What user space passes to the ioctls has to be in the memory of a user. */
struct user_args {
	union {
		struct sync_file_info info;
		struct sync_merge_data merge;
		struct sync_set_deadline deadline;
	};
	struct sync_fence_info infos[MAX_INFOS];
};

static long call_ioctl(struct sync_file *sync_file, unsigned int cmd,
		       void __user *arg)
{
	struct file *file = sync_file->file;

	return file->f_op->unlocked_ioctl(file, cmd, (unsigned long)arg);
}

/* SYNC_IOC_FILE_INFO with room for @count fences. */
static long get_info(struct kunit *test, struct sync_file *sync_file,
		     unsigned int count, struct user_args *args)
{
	struct user_args __user *user = mock_user_page(test);
	long ret;

	memset(args, 0, sizeof(*args));
	args->info.num_fences = count;
	args->info.sync_fence_info = (uintptr_t)user->infos;
	KUNIT_ASSERT_EQ(test, copy_to_user(user, args, sizeof(*args)), 0);
	ret = call_ioctl(sync_file, SYNC_IOC_FILE_INFO, user);
	KUNIT_ASSERT_EQ(test, copy_from_user(args, user, sizeof(*args)), 0);

	return ret;
}

/* SYNC_IOC_MERGE; returns the descriptor of the new sync_file, or an error. */
static long merge(struct kunit *test, struct sync_file *sync_file, int fd,
		  const char *name)
{
	struct user_args __user *user = mock_user_page(test);
	struct user_args args = {};
	long ret;

	strscpy(args.merge.name, name);
	args.merge.fd2 = fd;
	KUNIT_ASSERT_EQ(test, copy_to_user(user, &args, sizeof(args)), 0);
	ret = call_ioctl(sync_file, SYNC_IOC_MERGE, user);
	KUNIT_ASSERT_EQ(test, copy_from_user(&args, user, sizeof(args)), 0);

	return ret ?: args.merge.fence;
}

/*
 * Merges sync_files of @x and @y into one that close_sync_file() closes, and that needs
 * nothing of those it was made from.
 */
static struct sync_file *merge_fences(struct kunit *test, struct dma_fence *x,
				      struct dma_fence *y, const char *name)
{
	struct sync_file *a = open_sync_file(test, x);
	struct sync_file *b = open_sync_file(test, y);
	int fd = install_fd(test, b->file);
	long merged = merge(test, a, fd, name);
	struct file *file;

	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	KUNIT_ASSERT_GE(test, merged, 0);
	file = fget(merged);
	KUNIT_EXPECT_EQ(test, close_fd(merged), 0);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, close_file_action, file));
	close_sync_file(test, a);
	close_sync_file(test, b);

	return file->private_data;
}

static void set_deadline(struct kunit *test, struct sync_file *sync_file)
{
	struct user_args __user *user = mock_user_page(test);
	struct user_args args = {};

	args.deadline.deadline_ns = ktime_get_ns();
	KUNIT_ASSERT_EQ(test, copy_to_user(user, &args, sizeof(args)), 0);
	KUNIT_EXPECT_EQ(test,
			call_ioctl(sync_file, SYNC_IOC_SET_DEADLINE, user), 0);
}

static void expect_live(struct kunit *test, const struct sync_fence_info *info)
{
	KUNIT_EXPECT_STREQ(test, info->driver_name, "mock-driver");
	KUNIT_EXPECT_STREQ(test, info->obj_name, "mock-timeline");
	KUNIT_EXPECT_EQ(test, info->status, 0);
	KUNIT_EXPECT_EQ(test, info->timestamp_ns, 0);
}

static void expect_signaled(struct kunit *test, struct dma_fence *fence,
			    int status, const struct sync_fence_info *info)
{
	KUNIT_EXPECT_STREQ(test, info->driver_name, "detached-driver");
	KUNIT_EXPECT_STREQ(test, info->obj_name, "signaled-timeline");
	KUNIT_EXPECT_EQ(test, info->status, status);
	KUNIT_EXPECT_EQ(test, info->timestamp_ns,
			ktime_to_ns(dma_fence_timestamp(fence)));
}

/* SYNC_IOC_FILE_INFO, with just enough room, finds so many fences and this status. */
static void expect_info(struct kunit *test, struct sync_file *sync_file,
			unsigned int count, int status, struct user_args *args)
{
	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, count, args), 0);
	KUNIT_EXPECT_EQ(test, args->info.num_fences, count);
	KUNIT_EXPECT_EQ(test, args->info.status, status);
}

/*
 * The name that a sync_file has for want of another, if @size is all the room: the
 * numbers are all there, the @prefix as far as it fits.
 */
static void expect_default_name(struct kunit *test, struct dma_fence *fence,
				const char *prefix, const char *name,
				size_t size)
{
	char numbers[48], want[64];
	int room;

	KUNIT_ASSERT_LE(test, size, sizeof(want));
	room = size - 1 - snprintf(numbers, sizeof(numbers), "%llu-%llu", fence->context,
				   fence->seqno);
	snprintf(want, size, "%.*s%s", room, prefix, numbers);
	KUNIT_EXPECT_STREQ(test, name, want);
}

/*
 * SYNC_IOC_FILE_INFO
 */

static void info_of_a_live_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;

	expect_info(test, sync_file, 1, 0, &args);
	expect_default_name(test, fence, "mock-driver-mock-timeline",
			    args.info.name, sizeof(args.info.name));
	expect_live(test, &args.infos[0]);

	close_sync_file(test, sync_file);
	mock_fence_detach(fence);
	mock_put_detached(test, fence);
}

/* What user space has seen as the issuer's names are fixed strings now. */
static void info_after_the_issuer_is_gone(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;

	expect_info(test, sync_file, 1, 0, &args);
	expect_live(test, &args.infos[0]);

	dma_fence_signal(fence);
	expect_info(test, sync_file, 1, 1, &args);
	expect_signaled(test, fence, 1, &args.infos[0]);

	mock_issuer_destroy(issuer);
	expect_info(test, sync_file, 1, 1, &args);
	expect_default_name(test, fence, "detached-driver-signaled-timeline",
			    args.info.name, sizeof(args.info.name));
	expect_signaled(test, fence, 1, &args.infos[0]);

	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

static void info_of_a_file_made_from_a_detached_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_detached(test, 1, 0);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;

	expect_info(test, sync_file, 1, 1, &args);
	expect_signaled(test, fence, 1, &args.infos[0]);

	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

static void info_shows_the_error_of_a_detached_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_detached(test, 1, -EIO);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;

	expect_info(test, sync_file, 1, -EIO, &args);
	expect_signaled(test, fence, -EIO, &args.infos[0]);

	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, 0, &args), 0);
	KUNIT_EXPECT_EQ(test, args.info.status, -EIO);

	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/* Each member of a container speaks for itself, the rest are left out. */
static void info_of_a_container(struct kunit *test)
{
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence **members;
	struct dma_fence_array *array;
	struct sync_file *sync_file;
	struct user_args args;

	members = kmalloc_array(2, sizeof(*members), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, members);
	members[0] = dma_fence_get(gone);
	members[1] = dma_fence_get(live);
	array = mock_array_create(2, members, dma_fence_context_alloc(1), 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);
	sync_file = open_sync_file(test, &array->base);

	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, 1, &args), -EINVAL);
	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, 0, &args), 0);
	KUNIT_EXPECT_EQ(test, args.info.num_fences, 2);
	KUNIT_EXPECT_EQ(test, args.info.status, 0);

	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, MAX_INFOS, &args), 0);
	KUNIT_EXPECT_EQ(test, args.info.num_fences, 2);
	KUNIT_EXPECT_EQ(test, args.info.status, 0);
	expect_signaled(test, gone, 1, &args.infos[0]);
	expect_live(test, &args.infos[1]);

	/* A signaled array still shows what is in it. */
	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&array->base));
	expect_info(test, sync_file, 2, 1, &args);
	expect_signaled(test, gone, 1, &args.infos[0]);
	expect_signaled(test, live, 1, &args.infos[1]);

	dma_fence_put(&array->base);
	close_sync_file(test, sync_file);
	mock_put_detached(test, gone, live);
}

/* Fences with release or wait keep their issuer, and look the same. */
static void info_of_an_attached_fence(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;

	expect_info(test, sync_file, 1, 0, &args);
	expect_live(test, &args.infos[0]);
	KUNIT_EXPECT_FALSE(test, is_readable(sync_file));

	dma_fence_signal(fence);
	expect_info(test, sync_file, 1, 1, &args);
	expect_signaled(test, fence, 1, &args.infos[0]);
	KUNIT_EXPECT_TRUE(test, is_readable(sync_file));

	/* The file has the last reference. */
	dma_fence_put(fence);
	mock_expect_releases(test, calls, 0);
	close_sync_file(test, sync_file);
	mock_expect_releases(test, calls, 1);
}

/*
 * Names
 */

static void name_follows_the_state_of_the_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	char name[64];

	KUNIT_EXPECT_PTR_EQ(test, &name[0],
			    sync_file_get_name(sync_file, name, sizeof(name)));
	expect_default_name(test, fence, "mock-driver-mock-timeline", name,
			    sizeof(name));

	mock_fence_detach(fence);
	sync_file_get_name(sync_file, name, sizeof(name));
	expect_default_name(test, fence, "detached-driver-signaled-timeline",
			    name, sizeof(name));

	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/* All have the same driver and timeline, and these fill the 32 bytes. */
static void names_tell_signaled_fences_apart(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_detached(test, 4294967295u, 0);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct user_args args;
	char end[32];

	KUNIT_EXPECT_EQ(test, get_info(test, sync_file, 0, &args), 0);
	snprintf(end, sizeof(end), "%llu-4294967295", fence->context);
	KUNIT_EXPECT_EQ(test, strlen(args.info.name), sizeof(args.info.name) - 1);
	KUNIT_EXPECT_STREQ(test, end,
			   args.info.name + sizeof(args.info.name) - 1 - strlen(end));
	KUNIT_EXPECT_TRUE(test, strstarts(args.info.name, "detached-driver"));

	close_sync_file(test, sync_file);
	dma_fence_put(fence);
}

/* Of a buffer too small for them the numbers take what there is. */
static void name_fits_any_buffer(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_detached(test, 123456789, 0);
	struct sync_file *sync_file = open_sync_file(test, fence);
	char name[16], numbers[48], expected[16];
	int size;

	snprintf(numbers, sizeof(numbers), "%llu-123456789", fence->context);
	for (size = 0; size <= 8; size++) {
		memset(name, 'x', sizeof(name));
		memset(expected, 'x', sizeof(expected));
		strscpy(expected, numbers, size);
		sync_file_get_name(sync_file, name, size);
		KUNIT_EXPECT_MEMEQ(test, name, expected, sizeof(name));
	}

	close_sync_file(test, sync_file);
	dma_fence_put(fence);
}

static void name_given_by_user_space_stays(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct sync_file *merged = merge_fences(test, fence, gone, "frame 7");
	char name[64];
	struct user_args args;

	KUNIT_EXPECT_STREQ(test, "frame 7",
			   sync_file_get_name(merged, name, sizeof(name)));
	mock_fence_detach(fence);
	KUNIT_EXPECT_STREQ(test, "frame 7",
			   sync_file_get_name(merged, name, sizeof(name)));
	KUNIT_EXPECT_EQ(test, get_info(test, merged, 1, &args), 0);
	KUNIT_EXPECT_STREQ(test, args.info.name, "frame 7");

	close_sync_file(test, merged);
	mock_put_detached(test, fence, gone);
}

/*
 * SYNC_IOC_MERGE
 */

static void merge_leaves_the_live_fence(struct kunit *test)
{
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct sync_file *merged = merge_fences(test, gone, live, "merged");
	struct user_args args;

	mock_put_detached(test, gone);

	expect_info(test, merged, 1, 0, &args);
	expect_live(test, &args.infos[0]);
	KUNIT_EXPECT_FALSE(test, is_readable(merged));

	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, is_readable(merged));
	expect_info(test, merged, 1, 1, &args);
	expect_signaled(test, live, 1, &args.infos[0]);

	close_sync_file(test, merged);
	mock_put_detached(test, live);
}

static void merge_of_live_fences_outlives_their_issuers(struct kunit *test)
{
	struct dma_fence *x = mock_fence_create_live(test, 1);
	struct dma_fence *y = mock_fence_create_live(test, 1);
	struct sync_file *merged = merge_fences(test, x, y, "merged");
	struct user_args args;

	expect_info(test, merged, 2, 0, &args);
	KUNIT_EXPECT_FALSE(test, is_readable(merged));

	dma_fence_set_error(x, -EIO);
	mock_fence_detach(x);
	expect_info(test, merged, 2, -EIO, &args);
	expect_signaled(test, x, -EIO, &args.infos[0]);
	expect_live(test, &args.infos[1]);

	mock_fence_detach(y);
	mock_wait_fence(test, merged->fence);
	KUNIT_EXPECT_TRUE(test, is_readable(merged));
	expect_info(test, merged, 2, -EIO, &args);
	expect_signaled(test, x, -EIO, &args.infos[0]);
	expect_signaled(test, y, 1, &args.infos[1]);

	close_sync_file(test, merged);
	mock_put_detached(test, x, y);
}

static void merge_of_detached_fences_has_signaled(struct kunit *test)
{
	struct dma_fence *x = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *y = mock_fence_create_detached(test, 1, 0);
	struct sync_file *merged = merge_fences(test, x, y, "merged");
	struct user_args args;

	expect_info(test, merged, 1, 1, &args);
	/* The time of the last one: y was signaled after x. */
	expect_signaled(test, y, 1, &args.infos[0]);
	KUNIT_EXPECT_TRUE(test, is_readable(merged));

	close_sync_file(test, merged);
	mock_put_detached(test, x, y);
}

static void merge_needs_a_sync_file(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct sync_file *sync_file = open_sync_file(test, gone);

	KUNIT_EXPECT_EQ(test, merge(test, sync_file, -1, "merged"), -ENOENT);
	mock_expect_refs(test, gone, 2);

	close_sync_file(test, sync_file);
	mock_put_detached(test, gone);
}

static void fence_of_a_descriptor(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	int fd = install_fd(test, sync_file->file);
	struct dma_fence *found;

	mock_fence_detach(fence);
	found = sync_file_get_fence(fd);
	KUNIT_EXPECT_PTR_EQ(test, found, fence);
	dma_fence_put(found);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);
	KUNIT_EXPECT_NULL(test, sync_file_get_fence(fd));

	/* Not only the file: all that is done with a fence otherwise. */
	mock_fence_use(test, fence);
	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/*
 * SYNC_IOC_SET_DEADLINE
 */

static void deadline_reaches_the_issuer_until_the_signal(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);

	set_deadline(test, sync_file);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	dma_fence_signal(fence);
	set_deadline(test, sync_file);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	mock_issuer_destroy(issuer);
	set_deadline(test, sync_file);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/*
 * poll
 */

/* Somebody who polls one file. */
struct poller {
	poll_table table;
	wait_queue_entry_t entry;
	wait_queue_head_t *head;
	atomic_t wakeups;
};

static int poller_wake(wait_queue_entry_t *entry, unsigned int mode, int sync,
		       void *key)
{
	struct poller *poller = container_of(entry, struct poller, entry);

	atomic_inc(&poller->wakeups);

	return 1;
}

static void poller_queue(struct file *file, wait_queue_head_t *head,
			 poll_table *table)
{
	struct poller *poller = container_of(table, struct poller, table);

	poller->head = head;
	add_wait_queue(head, &poller->entry);
}

/* The first poll of @poller, who is on the wait queue from then on. */
static bool poller_start(struct kunit *test, struct poller *poller,
			 struct sync_file *sync_file)
{
	__poll_t events;

	memset(poller, 0, sizeof(*poller));
	init_waitqueue_func_entry(&poller->entry, poller_wake);
	init_poll_funcptr(&poller->table, poller_queue);
	events = vfs_poll(sync_file->file, &poller->table);
	KUNIT_ASSERT_NOT_NULL(test, poller->head);

	return events == EPOLLIN;
}

static void poller_stop(struct poller *poller)
{
	remove_wait_queue(poller->head, &poller->entry);
}

static void poll_wakes_up_at_the_signal(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct poller poller;

	KUNIT_EXPECT_FALSE(test, poller_start(test, &poller, sync_file));
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 0);
	KUNIT_EXPECT_FALSE(test, is_readable(sync_file));

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 1);
	KUNIT_EXPECT_TRUE(test, is_readable(sync_file));

	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_TRUE(test, is_readable(sync_file));
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 1);

	poller_stop(&poller);
	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/* Nobody had polled the file before. */
static void poll_of_a_detached_fence_returns_at_once(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_detached(test, 1, 0);
	struct sync_file *sync_file = open_sync_file(test, fence);
	struct poller poller;

	KUNIT_EXPECT_TRUE(test, poller_start(test, &poller, sync_file));
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 1);
	KUNIT_EXPECT_TRUE(test, is_readable(sync_file));

	poller_stop(&poller);
	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

static void poll_of_a_container_wakes_up_at_the_last_signal(struct kunit *test)
{
	struct dma_fence *x = mock_fence_create_live(test, 1);
	struct dma_fence *y = mock_fence_create_live(test, 1);
	struct sync_file *merged = merge_fences(test, x, y, "merged");
	struct poller poller;

	KUNIT_EXPECT_FALSE(test, poller_start(test, &poller, merged));
	mock_fence_detach(x);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 0);
	KUNIT_EXPECT_FALSE(test, is_readable(merged));

	mock_fence_detach(y);
	mock_wait_fence(test, merged->fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&poller.wakeups), 1);
	KUNIT_EXPECT_TRUE(test, is_readable(merged));

	poller_stop(&poller);
	close_sync_file(test, merged);
	mock_put_detached(test, x, y);
}

/*
 * Closing
 */

/*
 * The callback is part of the sync_file: when closing it returns, the callback
 * neither runs nor will run, or the issuer would write to freed memory.
 */
static void close_takes_the_callback_off_a_live_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);

	KUNIT_EXPECT_FALSE(test, is_readable(sync_file));
	KUNIT_EXPECT_FALSE(test, list_empty(&fence->cb_list));
	close_sync_file(test, sync_file);
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->cb_list));

	mock_fence_detach(fence);
	mock_put_detached(test, fence);
}

static void close_after_the_issuer_is_gone(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct sync_file *sync_file = open_sync_file(test, fence);

	KUNIT_EXPECT_FALSE(test, is_readable(sync_file));
	mock_fence_detach(fence);

	/* Whose lock used to be taken for it. */
	close_sync_file(test, sync_file);
	mock_put_detached(test, fence);
}

/* The file has the last reference to the fence. */
static void close_releases_a_detached_fence(struct kunit *test)
{
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(fence);
	struct sync_file *sync_file = open_sync_file(test, fence);

	KUNIT_EXPECT_FALSE(test, is_readable(sync_file));
	mock_fence_detach(fence);
	dma_fence_put(fence);

	KUNIT_EXPECT_TRUE(test, is_readable(sync_file));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	close_sync_file(test, sync_file);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
}

static struct kunit_case sync_file_test_cases[] = {
	KUNIT_CASE_PARAM(info_of_a_live_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(info_after_the_issuer_is_gone, mock_lock_gen_params),
	KUNIT_CASE_PARAM(info_of_a_file_made_from_a_detached_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(info_shows_the_error_of_a_detached_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(info_of_a_container, mock_lock_gen_params),
	KUNIT_CASE_PARAM(info_of_an_attached_fence, mock_attached_gen_params),
	KUNIT_CASE_PARAM(name_follows_the_state_of_the_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(names_tell_signaled_fences_apart, mock_lock_gen_params),
	KUNIT_CASE_PARAM(name_fits_any_buffer, mock_lock_gen_params),
	KUNIT_CASE_PARAM(name_given_by_user_space_stays, mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_leaves_the_live_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_of_live_fences_outlives_their_issuers,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_of_detached_fences_has_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_needs_a_sync_file, mock_lock_gen_params),
	KUNIT_CASE_PARAM(fence_of_a_descriptor, mock_lock_gen_params),
	KUNIT_CASE_PARAM(deadline_reaches_the_issuer_until_the_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(poll_wakes_up_at_the_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(poll_of_a_detached_fence_returns_at_once,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(poll_of_a_container_wakes_up_at_the_last_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(close_takes_the_callback_off_a_live_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(close_after_the_issuer_is_gone, mock_lock_gen_params),
	KUNIT_CASE_PARAM(close_releases_a_detached_fence, mock_lock_gen_params),
	{}
};

static struct kunit_suite sync_file_test_suite = {
	.name = "sync_file",
	.test_cases = sync_file_test_cases,
};

kunit_test_suite(sync_file_test_suite);
