// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for sw_sync, by which user space makes fences of its own to test
 * sync_file with. It is an issuer with a release: it stays, and so do the ops of
 * its fences, but not their names. The tests go through its files in debugfs.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/mount.h>
#include <linux/path.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/sync_file.h>
#include <linux/uaccess.h>

#include <uapi/linux/sync_file.h>

#include "mock-issuer.h"

/* These are in no header, see also tools/testing/selftests/sync/sw_sync.h. */
struct sw_sync_create_fence_data {
	__u32 value;
	char name[32];
	__s32 fence;
};

struct sw_sync_get_deadline {
	__u64 deadline_ns;
	__u32 pad;
	__s32 fence_fd;
};

#define SW_SYNC_IOC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence_data)
#define SW_SYNC_IOC_INC		_IOW('W', 1, __u32)
#define SW_SYNC_GET_DEADLINE	_IOWR('W', 2, struct sw_sync_get_deadline)

/* What user space passes to the ioctls, and reads into. */
union user_args {
	struct sw_sync_create_fence_data create;
	struct sw_sync_get_deadline get_deadline;
	struct sync_set_deadline set_deadline;
	__u32 inc;
	char text[2048];
};

KUNIT_DEFINE_ACTION_WRAPPER(close_file_action, __fput_sync, struct file *);
KUNIT_DEFINE_ACTION_WRAPPER(unmount_action, kern_unmount, struct vfsmount *);

/* A file below sync/ in debugfs, which nobody has to have mounted. */
static struct file *open_debugfs(struct kunit *test, const char *name, int flags)
{
	struct file_system_type *type;
	struct vfsmount *mnt;
	struct file *file;
	struct path root;

	if (!IS_ENABLED(CONFIG_SW_SYNC))
		kunit_skip(test, "needs CONFIG_SW_SYNC");
	if (!IS_ENABLED(CONFIG_MMU))
		kunit_skip(test, "there is no user memory without an MMU");

	type = get_fs_type("debugfs");
	KUNIT_ASSERT_NOT_NULL(test, type);
	mnt = kern_mount(type);
	KUNIT_ASSERT_FALSE(test, IS_ERR(mnt));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unmount_action, mnt));

	root.mnt = mnt;
	root.dentry = mnt->mnt_root;
	file = file_open_root(&root, name, flags, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, close_file_action, file));

	return file;
}

static void close_file(struct kunit *test, struct file *file)
{
	kunit_release_action(test, close_file_action, file);
}

/* A timeline: opening the file makes one, with the name of the opener. */
static struct file *open_timeline(struct kunit *test)
{
	return open_debugfs(test, "sync/sw_sync", O_RDWR);
}

static union user_args __user *map_args(struct kunit *test)
{
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, addr, 0);

	return (union user_args __user *)addr;
}

static long call_ioctl(struct kunit *test, struct file *file, unsigned int cmd,
		       union user_args *args)
{
	union user_args __user *user = map_args(test);
	long ret;

	KUNIT_ASSERT_EQ(test, copy_to_user(user, args, sizeof(*args)), 0);
	ret = file->f_op->unlocked_ioctl(file, cmd, (unsigned long)user);
	KUNIT_ASSERT_EQ(test, copy_from_user(args, user, sizeof(*args)), 0);

	return ret;
}

/* A sync file with the fence that signals when the timeline gets to @value. */
static struct file *create_fence(struct kunit *test, struct file *timeline,
				 unsigned int value)
{
	union user_args *args = kunit_kzalloc(test, sizeof(*args), GFP_KERNEL);
	struct file *file;

	KUNIT_ASSERT_NOT_NULL(test, args);
	args->create.value = value;
	KUNIT_ASSERT_EQ(test, 0,
			call_ioctl(test, timeline, SW_SYNC_IOC_CREATE_FENCE, args));

	file = fget(args->create.fence);
	KUNIT_EXPECT_EQ(test, close_fd(args->create.fence), 0);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, close_file_action, file));

	return file;
}

static struct dma_fence *fence_of(struct file *file)
{
	struct sync_file *sync_file = file->private_data;

	return sync_file->fence;
}

static void advance(struct kunit *test, struct file *timeline, unsigned int inc)
{
	union user_args *args = kunit_kzalloc(test, sizeof(*args), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, args);
	args->inc = inc;
	KUNIT_EXPECT_EQ(test, call_ioctl(test, timeline, SW_SYNC_IOC_INC, args), 0);
}

static bool is_readable(struct file *file)
{
	return vfs_poll(file, NULL) == EPOLLIN;
}

static void set_deadline(struct kunit *test, struct file *file, u64 deadline)
{
	union user_args *args = kunit_kzalloc(test, sizeof(*args), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, args);
	args->set_deadline.deadline_ns = deadline;
	KUNIT_EXPECT_EQ(test, 0,
			call_ioctl(test, file, SYNC_IOC_SET_DEADLINE, args));
}

/* The deadline of the fence in @file, or an error. */
static s64 get_deadline(struct kunit *test, struct file *timeline, struct file *file)
{
	union user_args *args = kunit_kzalloc(test, sizeof(*args), GFP_KERNEL);
	int fd = get_unused_fd_flags(O_CLOEXEC);
	long ret;

	KUNIT_ASSERT_NOT_NULL(test, args);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, get_file(file));
	args->get_deadline.fence_fd = fd;
	ret = call_ioctl(test, timeline, SW_SYNC_GET_DEADLINE, args);
	KUNIT_EXPECT_EQ(test, close_fd(fd), 0);

	return ret ?: args->get_deadline.deadline_ns;
}

/* What debugfs shows of all timelines and their fences. */
static const char *read_info(struct kunit *test)
{
	union user_args *args = kunit_kzalloc(test, sizeof(*args), GFP_KERNEL);
	struct file *file = open_debugfs(test, "sync/info", O_RDONLY);
	union user_args __user *user = map_args(test);
	loff_t pos = 0;
	ssize_t length;

	KUNIT_ASSERT_NOT_NULL(test, args);
	length = file->f_op->read(file, user->text, sizeof(args->text) - 1, &pos);
	KUNIT_ASSERT_GT(test, length, 0);
	KUNIT_ASSERT_EQ(test, copy_from_user(args, user, length), 0);
	close_file(test, file);

	return args->text;
}

static void fences_signal_when_their_time_comes(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *first = create_fence(test, timeline, 1);
	struct file *third = create_fence(test, timeline, 3);

	KUNIT_EXPECT_FALSE(test, is_readable(first));
	advance(test, timeline, 1);
	KUNIT_EXPECT_TRUE(test, is_readable(first));
	KUNIT_EXPECT_FALSE(test, is_readable(third));
	advance(test, timeline, 1);
	KUNIT_EXPECT_FALSE(test, is_readable(third));
	advance(test, timeline, 1);
	KUNIT_EXPECT_TRUE(test, is_readable(third));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence_of(third)), 1);
}

/* Its numbers wrap around after 32 bits. */
static void fences_signal_across_the_end_of_numbers(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *last, *next;

	advance(test, timeline, U32_MAX - 1);
	last = create_fence(test, timeline, U32_MAX);
	next = create_fence(test, timeline, 1);
	KUNIT_EXPECT_FALSE(test, is_readable(last));
	advance(test, timeline, 1);
	KUNIT_EXPECT_TRUE(test, is_readable(last));
	KUNIT_EXPECT_FALSE(test, is_readable(next));
	advance(test, timeline, 2);
	KUNIT_EXPECT_TRUE(test, is_readable(next));
}

/* There is no grace period to wait for: the lock of a fence is in its timeline. */
static void fences_outlive_the_closing_of_their_timeline(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *done = create_fence(test, timeline, 1);
	struct file *live = create_fence(test, timeline, 2);

	mock_expect_names(test, fence_of(live), "sw_sync", current->comm);
	advance(test, timeline, 1);
	close_file(test, timeline);

	KUNIT_EXPECT_TRUE(test, is_readable(done));
	KUNIT_EXPECT_TRUE(test, is_readable(live));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence_of(done)), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence_of(live)), -ENOENT);
	/* It has a release, but nobody sees that. */
	KUNIT_EXPECT_NOT_NULL(test, rcu_access_pointer(fence_of(live)->ops));
	mock_fence_use(test, fence_of(live));
}

static void fence_is_dropped_before_its_time(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *first = create_fence(test, timeline, 1);
	struct file *second = create_fence(test, timeline, 2);

	close_file(test, first);
	advance(test, timeline, 1);
	KUNIT_EXPECT_FALSE(test, is_readable(second));
	advance(test, timeline, 1);
	KUNIT_EXPECT_TRUE(test, is_readable(second));
}

static void deadline_is_the_earliest(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *file = create_fence(test, timeline, 1);

	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, file), -ENOENT);
	set_deadline(test, file, 7000);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, file), 7000);
	set_deadline(test, file, 9000);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, file), 7000);
	set_deadline(test, file, 5000);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, file), 5000);

	/* It is kept with the fence, which keeps its ops. */
	advance(test, timeline, 1);
	set_deadline(test, file, 3000);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, file), 5000);
}

static void deadline_of_a_fence_of_somebody_else(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct mock_issuer *issuer = mock_issuer_create(test, MOCK_ALL_CB);
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct sync_file *sync_file = sync_file_create(fence);

	KUNIT_ASSERT_NOT_NULL(test, sync_file);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, sync_file->file), -EINVAL);
	/* Nor is one who has lost its ops taken for a fence of sw_sync. */
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_EQ(test, get_deadline(test, timeline, sync_file->file), -EINVAL);

	__fput_sync(sync_file->file);
	dma_fence_put(fence);
}

static void debugfs_shows_the_timelines(struct kunit *test)
{
	struct file *timeline = open_timeline(test);
	struct file *file = create_fence(test, timeline, 7);
	char want[64];

	snprintf(want, sizeof(want), "%s: 0\n  fence active: " MOCK_SW_SYNC_POINT "\n\n",
		 current->comm);
	KUNIT_EXPECT_NOT_NULL(test, strstr(read_info(test), want));

	/* The fence keeps the timeline. */
	close_file(test, timeline);
	snprintf(want, sizeof(want), "%s: 0\n" MOCK_SW_SYNC_CLOSED, current->comm);
	KUNIT_EXPECT_NOT_NULL(test, strstr(read_info(test), want));

	close_file(test, file);
	KUNIT_EXPECT_STREQ(test, read_info(test),
			   "objs:\n--------------\nfences:\n--------------\n");
}

static struct kunit_case sw_sync_test_cases[] = {
	KUNIT_CASE(fences_signal_when_their_time_comes),
	KUNIT_CASE(fences_signal_across_the_end_of_numbers),
	KUNIT_CASE(fences_outlive_the_closing_of_their_timeline),
	KUNIT_CASE(fence_is_dropped_before_its_time),
	KUNIT_CASE(deadline_is_the_earliest),
	KUNIT_CASE(deadline_of_a_fence_of_somebody_else),
	KUNIT_CASE(debugfs_shows_the_timelines),
	{}
};

static struct kunit_suite sw_sync_test_suite = {
	.name = "sw_sync",
	.test_cases = sw_sync_test_cases,
};

kunit_test_suite(sw_sync_test_suite);
