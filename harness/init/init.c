// SPDX-License-Identifier: GPL-2.0
/*
 * The init of the demo's and the unload test's initramfs.
 *
 * It makes a dma-buf, has vgem attach a fence to it, closes vgem's file, which
 * signals the fence, unloads vgem, and then does everything that userspace can
 * still do with that buffer.  Before each step it prints "> step", after it
 * "< result", so that the log of a kernel that dies says at which step.
 *
 * From the kernel's command line, as environment:
 *   rounds=N	do all this N times, in silence, then look for leaks; print KTAP
 *   only=STEP	after the unload do this step only (poll, export, info, merge,
 *		bufinfo, close)
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/vgem_drm.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/sync_file.h>

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"
#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

static int verbose = 1;
static char result[256];

static void print(char mark, const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	printf("%c ", mark);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

static void quit(void)
{
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static void fail(const char *what)
{
	printf("! %s: %s\n", what, strerror(errno));
	if (!verbose)
		printf("not ok 1 - %s: %s\n", what, strerror(errno));
	quit();
}

static int check(int ret, const char *what)
{
	if (ret < 0)
		fail(what);
	return ret;
}

/* What vgem is there for. */

static void load(const char *module)
{
	int fd = check(open(module, O_RDONLY), module);

	check(syscall(SYS_finit_module, fd, "", 0), module);
	close(fd);
}

static int alloc(void)
{
	struct dma_heap_allocation_data heap = {
		.len = 65536, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int fd = check(open("/dev/dma_heap/system", O_RDWR), "/dev/dma_heap/system");

	check(ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &heap), "DMA_HEAP_IOCTL_ALLOC");
	close(fd);
	return heap.fd;
}

static void attach(int vgem, int buf)
{
	struct drm_prime_handle prime = { .fd = buf };
	struct drm_vgem_fence_attach fence = { .flags = VGEM_FENCE_WRITE };

	check(ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime), "PRIME_FD_TO_HANDLE");
	fence.handle = prime.handle;
	check(ioctl(vgem, DRM_IOCTL_VGEM_FENCE_ATTACH, &fence), "VGEM_FENCE_ATTACH");
}

/* What userspace can do with a buffer and with a sync file. */

static int ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return check(poll(&pfd, 1, 0), "poll");
}

static int export(int buf)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW };

	check(ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg), "DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
	return arg.fd;
}

static const char *info(int sync)
{
	struct sync_fence_info fence = {};
	struct sync_file_info arg = {
		.num_fences = 1, .sync_fence_info = (__u64)(unsigned long)&fence,
	};

	check(ioctl(sync, SYNC_IOC_FILE_INFO, &arg), "SYNC_IOC_FILE_INFO");
	snprintf(result, sizeof(result), "driver '%s', timeline '%s', status %d",
		 fence.driver_name, fence.obj_name, fence.status);
	return result;
}

static int merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "merged", .fd2 = b };

	check(ioctl(a, SYNC_IOC_MERGE, &arg), "SYNC_IOC_MERGE");
	return arg.fence;
}

/* The line of bufinfo that tells of a fence. */
static const char *bufinfo(void)
{
	FILE *f = fopen(BUFINFO, "r");
	char line[256];

	if (!f)
		fail(BUFINFO);
	strcpy(result, "no fence");
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (strstr(line, "fence:"))
			strcpy(result, line + strspn(line, " \t"));
	}
	fclose(f);
	return result;
}

static void round_trip(const char *only)
{
	int vgem, buf, held, again, merged;

#define STEP(name) (!only || !strcmp(only, name))
	print('>', "load vgem");
	load("/vgem.ko");
	print('<', "done");

	print('>', "allocate a dma-buf from /dev/dma_heap/system");
	buf = alloc();
	print('<', "done");

	print('>', "import it into vgem (PRIME) and attach a vgem fence");
	vgem = check(open("/dev/dri/card0", O_RDWR | O_CLOEXEC), "/dev/dri/card0");
	attach(vgem, buf);
	print('<', "done, the buffer is %s", ready(buf) ? "ready?!" : "busy");

	print('>', "export a sync file and hold it");
	held = export(buf);
	print('<', "%s", info(held));

	print('>', "close the vgem file: the fence signals");
	close(vgem);
	print('<', "done, the buffer is %s", ready(buf) ? "ready" : "busy?!");

	print('>', "rmmod vgem");
	check(syscall(SYS_delete_module, "vgem", O_NONBLOCK), "rmmod vgem");
	print('<', "done");

	if (STEP("poll")) {
		print('>', "poll the buffer and the sync file");
		print('<', "%s, %s", ready(buf) ? "ready" : "busy?!", ready(held) ? "ready" : "busy?!");
	}
	if (STEP("export")) {
		print('>', "DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
		again = export(buf);
		print('<', "%s", info(again));
		close(again);
	}
	if (STEP("info")) {
		print('>', "SYNC_IOC_FILE_INFO of the held sync file");
		print('<', "%s", info(held));
	}
	if (STEP("merge")) {
		print('>', "SYNC_IOC_MERGE of the held sync file with another");
		again = export(buf);
		merged = merge(held, again);
		print('<', "%s", info(merged));
		close(again);
		close(merged);
	}
	if (STEP("bufinfo")) {
		print('>', "read dma_buf/bufinfo");
		print('<', "%s", bufinfo());
	}
	if (STEP("close")) {
		print('>', "close the sync file and the dma-buf: the last reference");
		close(held);
		close(buf);
		sleep(verbose);	/* the last put may come from a worker */
		print('<', "done");
	}
}

/* kmemleak believes in a leak once it is 5 seconds old and seen by a scan. */
static int leaks(void)
{
	char line[256];
	int n = 0, i;
	FILE *f;

	for (i = 0; i < 2; i++) {
		int fd = check(open(KMEMLEAK, O_WRONLY), KMEMLEAK);

		sleep(6);
		check(write(fd, "scan", 4), KMEMLEAK);
		close(fd);
	}
	f = fopen(KMEMLEAK, "r");
	if (!f)
		fail(KMEMLEAK);
	while (fgets(line, sizeof(line), f)) {
		printf("# %s", line);
		n += !strncmp(line, "unreferenced", 12);
	}
	fclose(f);
	return n;
}

int main(void)
{
	const char *rounds = getenv("rounds");
	int i, n = rounds ? atoi(rounds) : 1;

	mkdir("/sys", 0755);
	check(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "mount /dev");
	check(mount("sysfs", "/sys", "sysfs", 0, NULL), "mount /sys");
	check(mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL), "mount debugfs");

	load("/drm_shmem_helper.ko");	/* stays */
	if (rounds) {
		verbose = 0;
		printf("KTAP version 1\n1..2\n");
	}
	for (i = 1; i <= n; i++) {
		if (rounds && (i == 1 || i % 25 == 0))
			printf("# round %d\n", i);
		fflush(stdout);
		round_trip(getenv("only"));
	}
	if (rounds) {
		printf("ok 1 - %d rounds of load, attach, close, unload, use\n", n);
		i = leaks();
		printf("%sok 2 - kmemleak finds %d leaks\n", i ? "not " : "", i);
	} else {
		print('=', "alive");
	}
	quit();
}
