/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SCHED_ISSUER_H
#define SCHED_ISSUER_H

/* Submit a job that depends on nothing. */
struct sched_issuer_submit {
	__u32 syncobj;		/* in: a handle, which gets the finished fence */
	__s32 scheduled;	/* out: a sync file for the job's start */
	__s32 finished;		/* out: one for its end */
};

#define SCHED_ISSUER_SUBMIT	DRM_IOWR(DRM_COMMAND_BASE, struct sched_issuer_submit)

#endif
