// SPDX-License-Identifier: GPL-2.0
/*
 * The init of harness/prove/unbind's initramfs.
 *
 * It gets fences from a driver through its uAPI and holds them by a sync file, a
 * syncobj or a dma-buf, takes the driver away (unbind, unload), then does
 * everything that userspace can still do with what it holds, and closes it.
 * A case is one fence, signaled or not when the driver goes, and one way to
 * take the driver away.  "@ N|fence|state|way" opens it and "= result" ends it; in
 * between "> step" and "< result", so that the log of a kernel that dies says at
 * which step.
 *
 * From the kernel's command line, as environment:
 *   driver=NAME	of which driver
 *   first=N last=N	only these cases
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_mode.h>
#include <drm/qxl_drm.h>
#include <drm/vgem_drm.h>
#include <drm/virtgpu_drm.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <linux/virtio_gpu.h>

#include "common.h"
#include "kms.h"

#define QXL_CMD_DRAW	1	/* the device's own number, no header has it */
#define ptr(p)		((__u64)(unsigned long)(p))

/* What we hold: -1 where there is nothing. */
struct held {
	int sync, buf, syncobj;
};

struct source {
	const char *fence;
	/* A fence from an open card.  Signaled soon, if not pending. */
	void (*get)(struct held *h, int card, int pending);
	int by_gate;	/* pending, because it waits for a vgem fence */
	int by_card;	/* pending for as long as its card is open */
	int unwaited;	/* pending until somebody waits, so nobody does */
	int at_once;	/* never pending for long: nothing can hold the device back */
	int keep_buf;	/* hold the buffer as well */
};

static char result[512];

static void add(const char *fmt, ...)
{
	size_t n = strlen(result);
	va_list ap;

	if (n)
		n += snprintf(result + n, sizeof(result) - n, ", ");
	va_start(ap, fmt);
	vsnprintf(result + n, sizeof(result) - n, fmt, ap);
	va_end(ap);
}

/* Cards and buffers. */

static int open_card(const char *driver)
{
	char path[32], name[32];
	int i, fd;

	for (i = 0; i < 16; i++) {
		struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &version) && !strcmp(name, driver))
			return fd;
		close(fd);
	}
	errno = ENODEV;
	fail(driver);
	return -1;
}

/* Hold the buffer of a handle, and a sync file for what is in it. */
static void hold(struct held *h, int card, unsigned int handle)
{
	struct drm_prime_handle prime = { .handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR };

	check(ioctl(card, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), "PRIME_HANDLE_TO_FD");
	h->buf = prime.fd;
	h->sync = export(h->buf);
}

/* Something that others wait for, until we open it. */
static struct gate {
	int vgem, buf, sync;
	unsigned int fence;
} gate;

static int close_gate(void)
{
	gate.vgem = open_card("vgem");
	gate.buf = alloc();
	gate.fence = attach(gate.vgem, gate.buf);
	gate.sync = export(gate.buf);
	return gate.sync;
}

static void vgem_signal(int card, unsigned int fence)
{
	struct drm_vgem_fence_signal arg = { .fence = fence };

	check(ioctl(card, DRM_IOCTL_VGEM_FENCE_SIGNAL, &arg), "VGEM_FENCE_SIGNAL");
}

/* Somebody opens it while we are busy with the driver. */
static pid_t open_gate_soon(void)
{
	pid_t pid = check(fork(), "fork");

	if (pid)
		return pid;
	sleep(1);
	vgem_signal(gate.vgem, gate.fence);
	_exit(0);
}

/* The fences. */

static void flip(struct held *h, int card, int pending)
{
	h->sync = kms_flip(card, pending ? close_gate() : -1);
}

static void writeback(struct held *h, int card, int pending)
{
	h->sync = kms_writeback(card, pending ? close_gate() : -1);
}

/* The same fence, in a syncobj instead of a sync file. */
static void flip_syncobj(struct held *h, int card, int pending)
{
	struct drm_syncobj_create create = {};
	struct drm_syncobj_handle arg = {
		.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE,
	};

	flip(h, card, pending);
	check(ioctl(card, DRM_IOCTL_SYNCOBJ_CREATE, &create), "SYNCOBJ_CREATE");
	arg.handle = create.handle;
	arg.fd = h->sync;
	check(ioctl(card, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &arg), "SYNCOBJ_FD_TO_HANDLE");
	arg.flags = 0;
	check(ioctl(card, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), "SYNCOBJ_HANDLE_TO_FD");
	h->syncobj = arg.fd;
}

static void virtio_resource(struct held *h, int card, int pending)
{
	struct drm_virtgpu_resource_create res = {
		.target = 2, .format = VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM,
		.width = 16, .height = 16, .depth = 1, .array_size = 1, .size = 4096,
	};

	(void)pending;
	check(ioctl(card, DRM_IOCTL_VIRTGPU_RESOURCE_CREATE, &res), "VIRTGPU_RESOURCE_CREATE");
	hold(h, card, res.bo_handle);
}

/*
 * A drawing command that draws nothing but depends on a buffer.  The device is
 * in no hurry to release it, until somebody waits.
 */
static void qxl_draw(struct held *h, int card, int pending)
{
	struct drm_qxl_alloc bo = { .size = 4096 };
	unsigned char nop[240] = {};	/* a QXLDrawable but for its first 16 bytes, and room */
	struct drm_qxl_reloc reloc = {
		.reloc_type = QXL_RELOC_TYPE_SURF, .dst_offset = 248,
	};
	struct drm_qxl_command cmd = {
		.type = QXL_CMD_DRAW, .command = ptr(nop), .command_size = sizeof(nop),
		.relocs = ptr(&reloc), .relocs_num = 1,
	};
	struct drm_qxl_execbuffer exec = { .commands_num = 1, .commands = ptr(&cmd) };
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW };

	check(ioctl(card, DRM_IOCTL_QXL_ALLOC, &bo), "QXL_ALLOC");
	reloc.src_handle = bo.handle;
	check(ioctl(card, DRM_IOCTL_QXL_EXECBUFFER, &exec), "QXL_EXECBUFFER");
	hold(h, card, bo.handle);
	if (!pending)
		check(ioctl(h->buf, DMA_BUF_IOCTL_SYNC, &sync), "DMA_BUF_IOCTL_SYNC");
}

static void vgem_import(struct held *h, int card, int pending)
{
	unsigned int fence;

	h->buf = alloc();
	fence = attach(card, h->buf);
	h->sync = export(h->buf);
	if (!pending)
		vgem_signal(card, fence);
}

static void vgem_own(struct held *h, int card, int pending)
{
	struct drm_mode_create_dumb dumb = { .width = 16, .height = 16, .bpp = 32 };
	struct drm_vgem_fence_attach arg = { .flags = VGEM_FENCE_WRITE };

	check(ioctl(card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), "CREATE_DUMB");
	arg.handle = dumb.handle;
	check(ioctl(card, DRM_IOCTL_VGEM_FENCE_ATTACH, &arg), "VGEM_FENCE_ATTACH");
	hold(h, card, dumb.handle);
	if (!pending)
		vgem_signal(card, arg.out_fence);
}

static const struct driver {
	const char *name;	/* of the module as well */
	const char *file;
	const char *sysfs;	/* none: no driver is bound to the device */
	struct source sources[4];
} drivers[] = {
	{
		"virtio_gpu", "/virtio-gpu.ko", "/sys/bus/virtio/drivers/virtio_gpu", {
			{ "page flip, sync file", flip, .by_gate = 1 },
			{ "page flip, syncobj", flip_syncobj, .by_gate = 1 },
			{ "resource, sync file", virtio_resource, .at_once = 1 },
			{ "resource, its dma-buf", virtio_resource, .at_once = 1,
			  .keep_buf = 1 },
		},
	}, {
		"qxl", "/qxl.ko", "/sys/bus/pci/drivers/qxl", {
			{ "page flip, sync file", flip, .by_gate = 1 },
			{ "drawing, sync file", qxl_draw, .unwaited = 1 },
			{ "drawing, its dma-buf", qxl_draw, .unwaited = 1, .keep_buf = 1 },
		},
	}, {
		"vkms", "/vkms.ko", NULL, {
			{ "page flip, sync file", flip, .by_gate = 1 },
			{ "writeback, sync file", writeback, .by_gate = 1 },
		},
	}, {
		"vgem", "/vgem.ko", NULL, {
			{ "attached, foreign dma-buf", vgem_import, .by_card = 1, .keep_buf = 1 },
			{ "attached, its dma-buf", vgem_own, .by_card = 1, .keep_buf = 1 },
		},
	},
};

/* Taking a driver away. */

/* Its only device, from all drivers but those of other devices. */
static int unbind(const char *sysfs)
{
	char path[128], device[NAME_MAX + 1] = "";
	DIR *dir = opendir(sysfs);
	struct dirent *e;
	int fd, ret;

	if (!dir)
		fail(sysfs);
	while ((e = readdir(dir)))
		if (e->d_type == DT_LNK && strcmp(e->d_name, "module"))
			snprintf(device, sizeof(device), "%s", e->d_name);
	closedir(dir);

	snprintf(path, sizeof(path), "%s/unbind", sysfs);
	fd = check(open(path, O_WRONLY), path);
	ret = write(fd, device, strlen(device)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

static int unload(const char *module)
{
	return syscall(SYS_delete_module, module, O_NONBLOCK) ? -errno : 0;
}

/* A fence has signaled, at the latest so many milliseconds from now. */
static int signaled(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return check(poll(&pfd, 1, ms), "poll");
}

/* What userspace can do. */
static void use(struct held *h, const char *when)
{
	struct sync_set_deadline deadline = { .deadline_ns = 1 };
	int fd;

	if (h->sync >= 0) {
		print('>', "poll the sync file %s", when);
		print('<', "%s", ready(h->sync) ? "ready" : "busy");
		print('>', "SYNC_IOC_FILE_INFO %s", when);
		print('<', "%s", info(h->sync));
		print('>', "SYNC_IOC_SET_DEADLINE %s", when);
		check(ioctl(h->sync, SYNC_IOC_SET_DEADLINE, &deadline), "SYNC_IOC_SET_DEADLINE");
		print('<', "done");
		print('>', "SYNC_IOC_MERGE with itself %s", when);
		fd = merge(h->sync, h->sync);
		print('<', "%s", info(fd));
		close(fd);
	}
	if (h->buf >= 0) {
		print('>', "poll the buffer %s", when);
		print('<', "%s", ready(h->buf) ? "ready" : "busy");
		print('>', "DMA_BUF_IOCTL_EXPORT_SYNC_FILE %s", when);
		fd = export(h->buf);
		print('<', "%s", info(fd));
		close(fd);
	}
	print('>', "read dma_buf/bufinfo %s", when);
	print('<', "%s", bufinfo());
}

static void close_held(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The syncobj into the driver that has come back, and its fence out of it. */
static void use_syncobj(const struct driver *d, struct held *h)
{
	struct drm_syncobj_handle arg = { .fd = h->syncobj };
	int card;

	print('>', "load %s again and import the syncobj", d->name);
	load(d->file);
	card = open_card(d->name);
	check(ioctl(card, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &arg), "SYNCOBJ_FD_TO_HANDLE");
	arg.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	check(ioctl(card, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), "SYNCOBJ_HANDLE_TO_FD");
	print('<', "%s", info(arg.fd));
	close(card);
	h->sync = arg.fd;
	check(unload(d->name), "unload it again");
}

static void take_away(const struct driver *d, struct held *h, int card, int do_unbind)
{
	int ret;

	if (do_unbind) {
		print('>', "unbind");
		ret = unbind(d->sysfs);
		print('<', "%s", ret ? strerrorname_np(-ret) : "done");
		if (ret)
			add("unbind refused: %s", strerrorname_np(-ret));
		else
			add("unbinds");
		use(h, "after unbind");
	}
	print('>', "unload");
	ret = unload(d->name);
	print('<', "%s", ret ? strerrorname_np(-ret) : "done");
	if (ret) {
		add("module held: %s", strerrorname_np(-ret));
		if (card >= 0) {
			print('>', "close the card");
			close(card);
			print('<', "done");
			print('>', "unload");
			ret = unload(d->name);
			print('<', "%s", ret ? strerrorname_np(-ret) : "done");
			if (!ret)
				add("unloads once its file is closed");
		}
	} else {
		add("unloads");
	}
	use(h, ret ? "after the refusal" : "after unload");
	if (h->syncobj >= 0 && !ret) {
		close_held(&h->sync);
		use_syncobj(d, h);
	}
	if (h->sync >= 0) {
		print('>', "wait for the fence");
		ret = signaled(h->sync, 10000);
		print('<', "%s", info(h->sync));
		add(strstr(info(h->sync), "detached-driver") ? "fence detached" :
		    ret ? "fence signaled, not detached" : "fence never signals");
	}

	print('>', "close all: the last references");
	close_held(&h->sync);
	close_held(&h->buf);
	close_held(&h->syncobj);
	sleep(1);	/* the last put may come from a worker */
	print('<', "done");

	ret = unload(d->name);
	if (!ret)
		add("unloads once all is closed");
	else if (ret != -ENOENT)
		add("stays loaded: %s", strerrorname_np(-ret));
}

static void run(const struct driver *d, const struct source *s, int pending, int do_unbind)
{
	struct held h = { -1, -1, -1 };
	pid_t pid = 0;
	int card;

	*result = 0;
	print('>', "load %s", d->name);
	load(d->file);
	print('<', "done");

	print('>', "get the fence");
	card = open_card(d->name);
	s->get(&h, card, pending);
	print('<', "%s", info(h.sync));
	if (!pending && !signaled(h.sync, 20000)) {
		errno = ETIME;
		fail("it does not signal");
	}
	if (!pending || !s->unwaited)
		use(&h, "at first");
	if (pending && (s->unwaited ? !strstr(info(h.sync), "status 0") : ready(h.sync)))
		add("signals too early");

	if (!s->keep_buf)
		close_held(&h.buf);
	if (!pending || !s->by_card) {
		close(card);
		card = -1;
	}
	if (pending && s->by_gate)
		pid = open_gate_soon();
	if (h.syncobj >= 0)
		close_held(&h.sync);

	take_away(d, &h, card, do_unbind);

	if (pid) {
		waitpid(pid, NULL, 0);
		close(gate.sync);
		close(gate.buf);
		close(gate.vgem);
	}
}

int main(void)
{
	static const char *const helpers[] = {
		"/drm_kms_helper.ko", "/drm_shmem_helper.ko", "/ttm.ko", "/drm_ttm_helper.ko",
		"/virtio_dma_buf.ko",
	};
	const char *name = getenv("driver"), *first = getenv("first"), *last = getenv("last");
	const struct driver *d = drivers;
	const struct source *s;
	unsigned int i;
	int n = 0, pending, way;

	mounts();
	/* What we say and what the kernel says, in their order. */
	if (!freopen("/dev/kmsg", "w", stdout))
		fail("/dev/kmsg");
	setvbuf(stdout, NULL, _IOLBF, 0);

	for (i = 0; i < sizeof(helpers) / sizeof(*helpers); i++)
		if (!access(helpers[i], F_OK))
			load(helpers[i]);
	while (d < drivers + sizeof(drivers) / sizeof(*drivers) && (!name || strcmp(d->name, name)))
		d++;
	if (d == drivers + sizeof(drivers) / sizeof(*drivers)) {
		errno = ENOENT;
		fail("driver=");
	}
	if (strcmp(d->name, "vgem"))
		load("/vgem.ko");

	for (s = d->sources; s < d->sources + 4 && s->fence; s++)
		for (pending = 0; pending < 2 - s->at_once; pending++)
			for (way = !d->sysfs; way < 2; way++) {
				n++;
				if ((first && n < atoi(first)) || (last && n > atoi(last)))
					continue;
				print('@', "%d|%s|%s|%s", n, s->fence,
				      pending ? "pending" : "signaled",
				      way ? "unload" : "unbind, unload");
				run(d, s, pending, !way);
				print('=', "%s", result);
			}
	print('=', "alive");
	quit();
}
