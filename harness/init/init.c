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
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

	mounts();
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
