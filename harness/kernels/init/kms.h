/* SPDX-License-Identifier: GPL-2.0 */
/* Fences of the display, through the atomic uAPI. */
#ifndef KMS_H
#define KMS_H

/*
 * Each switches a display on and returns a sync file with the fence of one more,
 * nonblocking commit: of the new picture, or of the picture written back into
 * memory.  That commit waits for the sync file in_fence, unless that is -1; the
 * card can then be closed without waiting for the commit.
 */
int kms_flip(int card, int in_fence);
int kms_writeback(int card, int in_fence);

#endif
