// SPDX-License-Identifier: GPL-2.0
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

#include "common.h"

#define BUFINFO		"/sys/kernel/debug/dma_buf/bufinfo"

int verbose = 1;
static int failed;
static char result[256];

void print(char mark, const char *fmt, ...)
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

void quit(void)
{
	fflush(stdout);
	if (getpid() == 1)
		reboot(RB_POWER_OFF);
	_exit(failed);
}

void fail(const char *what)
{
	failed = 1;
	printf("! %s: %s\n", what, strerror(errno));
	if (!verbose)
		printf("not ok 1 - %s: %s\n", what, strerror(errno));
	quit();
}

int check(int ret, const char *what)
{
	if (ret < 0)
		fail(what);
	return ret;
}

void mounts(void)
{
	if (getpid() != 1)	/* the system's init has done that */
		return;
	mkdir("/sys", 0755);
	check(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL), "mount /dev");
	check(mount("sysfs", "/sys", "sysfs", 0, NULL), "mount /sys");
	check(mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL), "mount debugfs");
}

void load(const char *module)
{
	int fd = check(open(module, O_RDONLY), module);

	check(syscall(SYS_finit_module, fd, "", 0), module);
	close(fd);
}

int alloc(void)
{
	struct dma_heap_allocation_data heap = {
		.len = 65536, .fd_flags = O_RDWR | O_CLOEXEC,
	};
	int fd = check(open("/dev/dma_heap/system", O_RDWR), "/dev/dma_heap/system");

	check(ioctl(fd, DMA_HEAP_IOCTL_ALLOC, &heap), "DMA_HEAP_IOCTL_ALLOC");
	close(fd);
	return heap.fd;
}

unsigned int attach(int vgem, int buf)
{
	struct drm_prime_handle prime = { .fd = buf };
	struct drm_vgem_fence_attach fence = { .flags = VGEM_FENCE_WRITE };

	check(ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime), "PRIME_FD_TO_HANDLE");
	fence.handle = prime.handle;
	check(ioctl(vgem, DRM_IOCTL_VGEM_FENCE_ATTACH, &fence), "VGEM_FENCE_ATTACH");
	return fence.out_fence;
}

int ready(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return check(poll(&pfd, 1, 0), "poll");
}

int export(int buf)
{
	struct dma_buf_export_sync_file arg = { .flags = DMA_BUF_SYNC_RW };

	check(ioctl(buf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &arg), "DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
	return arg.fd;
}

const char *info(int sync)
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

int merge(int a, int b)
{
	struct sync_merge_data arg = { .name = "merged", .fd2 = b };

	check(ioctl(a, SYNC_IOC_MERGE, &arg), "SYNC_IOC_MERGE");
	return arg.fence;
}

/* The line of bufinfo that tells of a fence. */
const char *bufinfo(void)
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
