/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs in this directory share: their messages, and what userspace
 * can do with buffers, sync files and vgem.  Whatever fails is the end of the
 * run: it says what, and the init switches the machine off.
 */
#ifndef COMMON_H
#define COMMON_H

extern int verbose;	/* print() says something */

void print(char mark, const char *fmt, ...);
void quit(void);
void fail(const char *what);
int check(int ret, const char *what);
void mounts(void);
void load(const char *module);

/* A dma-buf from the system heap. */
int alloc(void);
/* Let vgem attach a fence to a dma-buf; vgem's number for it. */
unsigned int attach(int vgem, int buf);

/* Of a buffer or a sync file. */
int ready(int fd);
/* A sync file for what is in a buffer. */
int export(int buf);
/* What a sync file says, until the next such call. */
const char *info(int sync);
int merge(int a, int b);
/* The line of dma_buf/bufinfo that tells of a fence. */
const char *bufinfo(void);

#endif
