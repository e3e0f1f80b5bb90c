// SPDX-License-Identifier: GPL-2.0
/*
 * The init of the initramfs of the demo, the unload test and make bench's User Mode
 * Linux.
 *
 * It makes a dma-buf, has vgem attach a fence to it, closes vgem's file, which
 * signals the fence, unloads vgem, and then does everything that userspace can
 * still do with that buffer.  Before each step it prints "> step", after it
 * "< result", so that the log of a kernel that dies says at which step.
 *
 * From the kernel's command line, as environment:
 *   rounds=N	do all this N times, in silence, then the same with the fences of
 *		a driver of the DRM scheduler (harness/kernels/sched-driver), which is unloaded,
 *		and the scheduler after it; then look for leaks; print KTAP
 *	noscheduler=1	the rounds without the scheduler
 *   only=STEP	after the unload do this step only (poll, export, info, merge,
 *		bufinfo, close); or scheduler: instead of all that one round with
 *		the scheduler's driver
 *   module=FILE	load this, and nothing else
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <drm/drm.h>

#include "../sched-driver/sched-issuer.h"
#include "common.h"

#define KMEMLEAK	"/sys/kernel/debug/kmemleak"

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

static void rmmod(const char *module)
{
	check(syscall(SYS_delete_module, module, O_NONBLOCK), module);
}

static void expect(const char *what, const char *got, const char *wanted)
{
	if (strcmp(got, wanted)) {
		printf("# %s: %s, not %s\n", what, got, wanted);
		errno = EPROTO;
		fail(what);
	}
}

#define RING	"driver 'drm_sched', timeline 'sched-issuer-ring', status 0"
#define GONE	"driver 'detached-driver', timeline 'signaled-timeline', status 1"

/* A syncobj of the device, from its file or into it. */
static int syncobj_fd(int drm, unsigned int handle)
{
	struct drm_syncobj_handle arg = { .handle = handle, .fd = -1 };

	check(ioctl(drm, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), "SYNCOBJ_HANDLE_TO_FD");
	return arg.fd;
}

/* The sync file of a syncobj's fence. */
static int syncobj_sync_file(int drm, int fd)
{
	struct drm_syncobj_handle arg = { .fd = fd };

	check(ioctl(drm, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &arg), "SYNCOBJ_FD_TO_HANDLE");
	arg.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
	arg.fd = -1;
	check(ioctl(drm, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &arg), "EXPORT_SYNC_FILE");
	return arg.fd;
}

/*
 * Both fences of a job, held by sync files, and the second by a syncobj as well,
 * while its driver and then the scheduler are unloaded.  The syncobj is asked by
 * the next driver to come, who has never seen it; held is that of the last round,
 * or -1.  Returns this round's.
 */
static int scheduler_round(int held)
{
	struct sched_issuer_submit job = {};
	struct drm_syncobj_create create = {};
	int drm, syncobj, sync, merged;

	print('>', "load the scheduler and a driver of it, submit a job");
	load("/gpu-sched.ko");
	load("/sched-issuer.ko");
	drm = check(open("/dev/dri/card0", O_RDWR | O_CLOEXEC), "/dev/dri/card0");
	if (held >= 0) {
		sync = syncobj_sync_file(drm, held);
		expect("syncobj of a scheduler that is gone", info(sync), GONE);
		close(sync);
		close(held);
	}
	check(ioctl(drm, DRM_IOCTL_SYNCOBJ_CREATE, &create), "SYNCOBJ_CREATE");
	job.syncobj = create.handle;
	check(ioctl(drm, SCHED_ISSUER_SUBMIT, &job), "SCHED_ISSUER_SUBMIT");
	syncobj = syncobj_fd(drm, create.handle);
	print('<', "%s", info(job.finished));
	expect("a job that runs", info(job.finished), RING);
	close(drm);

	print('>', "rmmod the driver");
	rmmod("sched_issuer");
	print('<', "done");
	print('>', "rmmod gpu-sched");
	rmmod("gpu_sched");
	print('<', "done");

	print('>', "poll the sync files of the job");
	if (!ready(job.scheduled) || !ready(job.finished)) {
		errno = EBUSY;
		fail("the driver is unloaded, the job not done");
	}
	print('<', "ready, ready");
	print('>', "SYNC_IOC_FILE_INFO of the job's start");
	print('<', "%s", info(job.scheduled));
	expect("a job's start", info(job.scheduled), GONE);
	print('>', "SYNC_IOC_FILE_INFO of its end");
	print('<', "%s", info(job.finished));
	expect("a job's end", info(job.finished), GONE);
	print('>', "merge the two, close all of them");
	merged = merge(job.scheduled, job.finished);
	expect("merged", info(merged), GONE);
	close(merged);
	close(job.scheduled);
	close(job.finished);
	print('<', "done");

	return syncobj;
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
	int i, n = rounds ? atoi(rounds) : 1, syncobj = -1;

	if (getenv("module")) {	/* make bench: it runs when it is loaded */
		load(getenv("module"));
		quit();
	}
	mounts();
	load("/drm_shmem_helper.ko");	/* stays */
	if (rounds) {
		verbose = 0;
		printf("KTAP version 1\n1..3\n");
	}
	if (getenv("only") && !strcmp(getenv("only"), "scheduler")) {
		close(scheduler_round(-1));
		sleep(1);	/* the last put may come from a worker */
		print('=', "alive");
		quit();
	}
	for (i = 1; i <= n; i++) {
		if (rounds && (i == 1 || i % 25 == 0))
			printf("# round %d\n", i);
		fflush(stdout);
		round_trip(getenv("only"));
	}
	if (rounds) {
		printf("ok 1 - %d rounds of load, attach, close, unload, use\n", n);
		for (i = 1; i <= n && !getenv("noscheduler"); i++) {
			if (i == 1 || i % 25 == 0)
				printf("# scheduler round %d\n", i);
			fflush(stdout);
			syncobj = scheduler_round(syncobj);
		}
		close(syncobj);
		if (getenv("noscheduler"))
			printf("ok 2 # SKIP the scheduler, as told\n");
		else
			printf("ok 2 - %d rounds of load, submit, unload of a driver and the scheduler, use\n", n);
		i = leaks();
		printf("%sok 3 - kmemleak finds %d leaks\n", i ? "not " : "", i);
	} else {
		print('=', "alive");
	}
	quit();
}
