// SPDX-License-Identifier: GPL-2.0
/*
 * What fences cost, stock and patched: one source for both kernels.
 *
 * A KUnit suite whose cases measure rather than test, though they check that
 * each operation did what it is meant to. It is not part of the series, as it
 * has to run in a kernel without it.
 *
 * In QEMU with '-icount shift=0' get_cycles() counts executed instructions.
 * Whatever else happens (interrupts, a slab that runs empty) only adds to them:
 * of several rounds the least counts, less the same loop without the operation.
 *
 * Results are lines 'bench|<kind>|<lock>|<operation>|<goal>|<value>', with
 *   kind	call, composed: instructions an operation; allocs, bytes: of one;
 *		growth: instructions; contention: lives of fences in a slice;
 *		graces: how often a grace period was waited for;
 *		rate: jobs in 10^9 ticks of the CPU's time stamp counter
 *   lock	external, inline; both, for what does not depend on it
 *   goal	what harness/bench/report holds the ratio to
 */
#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/timex.h>
#include <linux/uaccess.h>

#include <trace/events/kmem.h>

#include <drm/gpu_scheduler.h>

#include <uapi/linux/sync_file.h>

/* Operations in a batch, and batches of which the best counts. */
#define BATCH	64
#define ROUNDS	24

#define MANY	16	/* callbacks, or fences in a container */
#define CHAIN	64
#define GROWTH	4096	/* the most callbacks or chain nodes */
#define GROWTH_RESV	1024

/* Goals, see bench-report. */
#define LIFE	"life"		/* whole lives of fences */
#define MIXED	"mixed"		/* composed of calls of several kinds */
#define JOB	"job"		/* a job of the scheduler, which embeds fences */
#define SAME	"same"		/* memory that must not become more */
#define ONE	"one"		/* at most once, whatever stock does */
#define LIVE	"live"		/* one call on a fence that has not signaled */
#define LOCKED	"locked"	/* on a signaled fence, where stock takes the lock */
#define FREE	"free"		/* on a signaled fence, where stock does not */

static const char *const kinds_of_lock[] = {
	"external",
#ifdef INLINE_LOCK
	"inline",
#endif
};

static void get_lock_desc(const char *const *lock, char *desc)
{
	strscpy(desc, *lock, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(lock, kinds_of_lock, get_lock_desc);

/* A driver's timeline, as seen by dma_fence. */
static DEFINE_SPINLOCK(timeline_lock);	/* of all fences, where external */

/*
 * As long as the names that a signaled fence answers with, so that where they
 * are copied it is not their length that is compared.
 */
static const char *timeline_driver(struct dma_fence *fence)
{
	return "measured-driver";
}

static const char *timeline_name(struct dma_fence *fence)
{
	return "measured-timeline";
}

static bool timeline_enable_signaling(struct dma_fence *fence)
{
	return true;
}

static bool timeline_signaled(struct dma_fence *fence)
{
	return false;
}

/* A driver with an interrupt for what somebody waits for, and a seqno to look at. */
static const struct dma_fence_ops polled_ops = {
	.get_driver_name = timeline_driver,
	.get_timeline_name = timeline_name,
	.enable_signaling = timeline_enable_signaling,
	.signaled = timeline_signaled,
};

/* A driver that just signals. */
static const struct dma_fence_ops plain_ops = {
	.get_driver_name = timeline_driver,
	.get_timeline_name = timeline_name,
};

/* What the cases share: a batch of fences, each with room for callbacks. */
struct bench {
	const char *lock_kind;
	spinlock_t *lock;
	struct dma_fence *fence[GROWTH];
	struct dma_fence_cb cb[GROWTH];
	u64 context;
	long calls;			/* the sum of what they returned */
};

static void bench_cb(struct dma_fence *fence, struct dma_fence_cb *cb)
{
}

/* Fences are memory of their own, from kmalloc. */
static void alloc_fences(struct kunit *test, unsigned int n)
{
	struct bench *b = test->priv;
	unsigned int i;

	for (i = 0; i < n; i++) {
		b->fence[i] = kzalloc(sizeof(*b->fence[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, b->fence[i]);
	}
}

static void init_fence(struct bench *b, unsigned int i, const struct dma_fence_ops *ops)
{
	dma_fence_init(b->fence[i], ops, b->lock, b->context + i, 1);
}

static void make_fences(struct kunit *test, unsigned int n, const struct dma_fence_ops *ops)
{
	unsigned int i;

	alloc_fences(test, n);
	for (i = 0; i < n; i++)
		init_fence(test->priv, i, ops);
}

static void signal_fences(struct bench *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		dma_fence_signal(b->fence[i]);
}

static void put_fences(struct bench *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		dma_fence_put(b->fence[i]);
}

static void drop_fences(struct bench *b, unsigned int n)
{
	signal_fences(b, n);
	put_fences(b, n);
}

static void add_callbacks(struct bench *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		dma_fence_add_callback(b->fence[i], &b->cb[i], bench_cb);
}

/* For the statements before or after an operation that need none. */
#define nothing	do { } while (0)

/*
 * The least time that the statement @op took of ROUNDS rounds, each between the
 * statements @before and @after. A macro, so that inline functions are
 * inlined where they are measured.
 */
#define least(before, op, after)					\
({									\
	u64 __least = U64_MAX, __t;					\
	unsigned int __round;						\
									\
	for (__round = 0; __round < ROUNDS; __round++) {		\
		before;							\
		barrier();						\
		__t = get_cycles();					\
		barrier();						\
		op;							\
		barrier();						\
		__t = get_cycles() - __t;				\
		barrier();						\
		after;							\
		__least = min(__least, __t);				\
	}								\
	__least;							\
})

static void result(struct kunit *test, const char *kind, const char *what,
		   const char *goal, u64 value)
{
	struct bench *b = test->priv;

	pr_info("bench|%s|%s|%s|%s|%llu\n", kind, b->lock_kind, what, goal, value);
}

/*
 * Measures the function @op, called for each fence of a batch, less an empty
 * one: what is left is what a caller pays, its arguments included. A function of
 * its own, so that no operation depends on the registers that others need.
 */
#define bench_each(what, goal, before, op, after)			\
({									\
	u64 __calls = least(nothing, call_each(b, op_nothing), nothing);	\
	u64 __cost = least(before, call_each(b, op), after);		\
									\
	result(test, "call", what, goal,				\
	       DIV_ROUND_CLOSEST_ULL(__cost - __calls, BATCH));		\
})

#define call_each(b, op)						\
do {									\
	unsigned int __i;						\
									\
	for (__i = 0; __i < BATCH; __i++)				\
		(b)->calls += op(b, __i);				\
} while (0)

static noinline int op_nothing(struct bench *b, unsigned int i)
{
	barrier();
	return 0;
}

/* Measures @op as a whole, and what it allocates. */
#define bench_once(what, goal, before, op, after)			\
({									\
	u64 __nothing = least(nothing, nothing, nothing);					\
	u64 __cost = least(before, op, after);				\
									\
	result(test, "composed", what, goal, __cost - __nothing);		\
	count_allocations(test, what, ({ before; }), ({ op; }),		\
			  ({ after; }));				\
})

/*
 * Allocations, as the tracepoints of the allocators see them. On one CPU,
 * whatever runs meanwhile has been woken by the operation, or is chance: the
 * least of several runs counts again.
 */
struct allocations {
	bool counting;
	unsigned int number;
	size_t bytes;
};

static void count_kmalloc(void *data, unsigned long call_site, const void *ptr,
			  size_t bytes_req, size_t bytes_alloc, gfp_t gfp_flags, int node)
{
	struct allocations *a = data;

	if (!a->counting)
		return;
	a->number++;
	a->bytes += bytes_alloc;
}

static void count_cache_alloc(void *data, unsigned long call_site, const void *ptr,
			      struct kmem_cache *s, gfp_t gfp_flags, int node)
{
	struct allocations *a = data;

	if (!a->counting)
		return;
	a->number++;
	a->bytes += ksize(ptr);
}

#define count_allocations(test, what, before, op, after)		\
do {									\
	struct allocations __least = {					\
		.number = UINT_MAX, .bytes = SIZE_MAX,			\
	};								\
	unsigned int __i;						\
									\
	for (__i = 0; __i < 4; __i++) {					\
		struct allocations __a = {};				\
									\
		before;							\
		start_counting(test, &__a);				\
		op;							\
		stop_counting(&__a);					\
		after;							\
		__least.number = min(__least.number, __a.number);	\
		__least.bytes = min(__least.bytes, __a.bytes);		\
	}								\
	result(test, "allocs", what, SAME, __least.number);		\
	result(test, "bytes", what, SAME, __least.bytes);		\
} while (0)

static void start_counting(struct kunit *test, struct allocations *a)
{
	KUNIT_ASSERT_EQ(test, register_trace_kmalloc(count_kmalloc, a), 0);
	KUNIT_ASSERT_EQ(test, register_trace_kmem_cache_alloc(count_cache_alloc, a), 0);
	a->counting = true;
}

static void stop_counting(struct allocations *a)
{
	/* To unregister allocates, too. */
	a->counting = false;
	unregister_trace_kmem_cache_alloc(count_cache_alloc, a);
	unregister_trace_kmalloc(count_kmalloc, a);
	tracepoint_synchronize_unregister();
}

/* One fence, one call. */

static noinline int op_init(struct bench *b, unsigned int i)
{
	init_fence(b, i, &polled_ops);
	return 0;
}

static noinline int op_enable(struct bench *b, unsigned int i)
{
	dma_fence_enable_sw_signaling(b->fence[i]);
	return 0;
}

static noinline int op_add(struct bench *b, unsigned int i)
{
	return dma_fence_add_callback(b->fence[i], &b->cb[i], bench_cb);
}

static noinline int op_remove(struct bench *b, unsigned int i)
{
	return dma_fence_remove_callback(b->fence[i], &b->cb[i]);
}

static noinline int op_is_signaled(struct bench *b, unsigned int i)
{
	return dma_fence_is_signaled(b->fence[i]);
}

static noinline int op_get_status(struct bench *b, unsigned int i)
{
	return dma_fence_get_status(b->fence[i]);
}

static noinline int op_poll(struct bench *b, unsigned int i)
{
	return dma_fence_wait_timeout(b->fence[i], false, 0);
}

static noinline int op_wait(struct bench *b, unsigned int i)
{
	return dma_fence_wait(b->fence[i], false);
}

static noinline int op_signal(struct bench *b, unsigned int i)
{
	return dma_fence_signal(b->fence[i]);
}

static noinline int op_put(struct bench *b, unsigned int i)
{
	dma_fence_put(b->fence[i]);
	return 0;
}

/* What the calls of an operation returned must add up to this. */
static void expect_calls(struct kunit *test, const char *what, long each)
{
	struct bench *b = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, b->calls, each * BATCH * ROUNDS, "%s", what);
	b->calls = 0;
}

static void remove_callbacks(struct bench *b, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		dma_fence_remove_callback(b->fence[i], &b->cb[i]);
}

static void bench_live(struct kunit *test)
{
	struct bench *b = test->priv;

	bench_each("init", LIVE,
		   alloc_fences(test, BATCH), op_init, drop_fences(b, BATCH));
	bench_each("enable signaling", LIVE,
		   make_fences(test, BATCH, &polled_ops), op_enable, drop_fences(b, BATCH));
	bench_each("add a callback, which enables signaling", LIVE,
		   make_fences(test, BATCH, &polled_ops), op_add, drop_fences(b, BATCH));
	expect_calls(test, "add", 0);

	make_fences(test, BATCH, &polled_ops);
	add_callbacks(b, BATCH);
	remove_callbacks(b, BATCH);
	bench_each("add a callback", LIVE, nothing, op_add, remove_callbacks(b, BATCH));
	expect_calls(test, "add", 0);
	bench_each("remove a callback", LIVE, add_callbacks(b, BATCH), op_remove, nothing);
	expect_calls(test, "remove", true);
	bench_each("is_signaled, ops with signaled", LIVE, nothing, op_is_signaled, nothing);
	expect_calls(test, "is_signaled", false);
	bench_each("get_status", LIVE, nothing, op_get_status, nothing);
	expect_calls(test, "get_status", 0);
	bench_each("wait with timeout 0", LIVE, nothing, op_poll, nothing);
	expect_calls(test, "wait with timeout 0", 0);
	drop_fences(b, BATCH);

	make_fences(test, BATCH, &plain_ops);
	bench_each("is_signaled, ops without", LIVE, nothing, op_is_signaled, nothing);
	expect_calls(test, "is_signaled", false);
	drop_fences(b, BATCH);
}

/* Fences with @n callbacks each. */
static void make_fences_with(struct kunit *test, unsigned int n)
{
	struct bench *b = test->priv;
	unsigned int i, k;

	make_fences(test, BATCH, &polled_ops);
	for (i = 0; i < BATCH; i++)
		for (k = 0; k < n; k++)
			dma_fence_add_callback(b->fence[i], &b->cb[i * MANY + k], bench_cb);
}

static void bench_signal(struct kunit *test)
{
	struct bench *b = test->priv;

	bench_each("signal, 0 callbacks", LIVE,
		   make_fences_with(test, 0), op_signal, put_fences(b, BATCH));
	bench_each("signal, 1 callback", LIVE,
		   make_fences_with(test, 1), op_signal, put_fences(b, BATCH));
	bench_each("signal, 16 callbacks", LIVE,
		   make_fences_with(test, MANY), op_signal, put_fences(b, BATCH));
	expect_calls(test, "signal", 0);
}

static noinline int op_live(struct bench *b, unsigned int i)
{
	init_fence(b, i, &polled_ops);
	dma_fence_enable_sw_signaling(b->fence[i]);
	dma_fence_add_callback(b->fence[i], &b->cb[i], bench_cb);
	dma_fence_signal(b->fence[i]);
	dma_fence_put(b->fence[i]);
	return 0;
}

static void bench_life(struct kunit *test)
{
	struct bench *b = test->priv;

	bench_each("init, enable, add, signal, last put", LIFE,
		   alloc_fences(test, BATCH), op_live, nothing);
}

static void bench_signaled(struct kunit *test)
{
	struct bench *b = test->priv;

	make_fences(test, BATCH, &polled_ops);
	add_callbacks(b, BATCH);
	signal_fences(b, BATCH);

	bench_each("signal, signaled", LOCKED, nothing, op_signal, nothing);
	expect_calls(test, "signal", -EINVAL);
	bench_each("remove a callback, signaled", LOCKED, nothing, op_remove, nothing);
	expect_calls(test, "remove", false);
	bench_each("get_status, signaled", LOCKED, nothing, op_get_status, nothing);
	expect_calls(test, "get_status", 1);
	bench_each("wait, signaled", LOCKED, nothing, op_wait, nothing);
	expect_calls(test, "wait", 0);
	bench_each("enable signaling, signaled", LOCKED, nothing, op_enable, nothing);
	bench_each("is_signaled, signaled", FREE, nothing, op_is_signaled, nothing);
	expect_calls(test, "is_signaled", true);
	bench_each("add a callback, signaled", FREE, nothing, op_add, nothing);
	expect_calls(test, "add", -ENOENT);

	put_fences(b, BATCH);
	bench_each("last put", FREE,
		   make_fences(test, BATCH, &polled_ops); signal_fences(b, BATCH),
		   op_put, nothing);
}

/* Many fences. */

static void bench_wait_any(struct kunit *test)
{
	struct bench *b = test->priv;
	u32 index = MANY;

	make_fences(test, MANY, &polled_ops);
	dma_fence_signal(b->fence[MANY - 1]);
	bench_once("wait_any of 16, the last one signaled", LIVE,
		   nothing,
		   b->calls += dma_fence_wait_any_timeout(b->fence, MANY, false, HZ,
							  &index) <= 0,
		   nothing);
	KUNIT_EXPECT_EQ(test, index, MANY - 1);
	KUNIT_EXPECT_EQ(test, b->calls, 0);
	drop_fences(b, MANY);
}

/* The array takes its fences over, and the memory that they are listed in. */
static struct dma_fence *create_array(struct kunit *test)
{
	struct bench *b = test->priv;
	struct dma_fence_array *array;
	struct dma_fence **fences;

	fences = kmemdup_array(b->fence, MANY, sizeof(*fences), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	array = dma_fence_array_create(MANY, fences, b->context, 1, false);
	KUNIT_ASSERT_NOT_NULL(test, array);

	return &array->base;
}

static void bench_array(struct kunit *test)
{
	struct bench *b = test->priv;
	struct dma_fence *array;

	bench_once("array of 16 made, enabled, signaled, freed", MIXED,
		   make_fences(test, MANY, &polled_ops),
		   array = create_array(test);
		   dma_fence_enable_sw_signaling(array);
		   signal_fences(b, MANY);
		   b->calls += !dma_fence_is_signaled(array);
		   dma_fence_put(array),
		   nothing);
	KUNIT_EXPECT_EQ(test, b->calls, 0);
}

/* The chain takes over the references to its fences. */
static struct dma_fence *create_chain(struct kunit *test, unsigned int n)
{
	struct bench *b = test->priv;
	struct dma_fence *head = NULL;
	unsigned int i;

	make_fences(test, n, &polled_ops);
	for (i = 0; i < n; i++) {
		struct dma_fence_chain *chain = dma_fence_chain_alloc();

		KUNIT_ASSERT_NOT_NULL(test, chain);
		dma_fence_chain_init(chain, head, b->fence[i], i + 1);
		head = &chain->base;
	}

	return head;
}

static unsigned int walk_chain(struct dma_fence *head)
{
	struct dma_fence *iter;
	unsigned int n = 0;

	dma_fence_chain_for_each(iter, head)
		n++;

	return n;
}

static void bench_chain(struct kunit *test)
{
	struct dma_fence *head = create_chain(test, CHAIN);
	unsigned int n = 0;

	bench_once("chain of 64 walked, not signaled", LIVE,
		   nothing,
		   n = walk_chain(head),
		   nothing);
	KUNIT_EXPECT_EQ(test, n, CHAIN);
	signal_fences(test->priv, CHAIN);
	dma_fence_put(head);

	bench_once("chain of 64 walked, signaled, which takes it apart", MIXED,
		   head = create_chain(test, CHAIN); signal_fences(test->priv, CHAIN),
		   n = walk_chain(head),
		   dma_fence_put(head));
	KUNIT_EXPECT_EQ(test, n, 1);
}

static void fill_resv(struct kunit *test, struct dma_resv *resv, unsigned int n)
{
	struct bench *b = test->priv;
	unsigned int i;

	make_fences(test, n, &polled_ops);
	dma_resv_init(resv);
	dma_resv_lock(resv, NULL);
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, n), 0);
	for (i = 0; i < n; i++)
		dma_resv_add_fence(resv, b->fence[i], DMA_RESV_USAGE_READ);
	dma_resv_unlock(resv);
}

static void empty_resv(struct kunit *test, struct dma_resv *resv, unsigned int n)
{
	drop_fences(test->priv, n);
	dma_resv_fini(resv);
}

/* Under RCU, as whoever looks whether a buffer is busy. */
static unsigned int iterate_resv(struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int n = 0;

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_READ);
	dma_resv_for_each_fence_unlocked(&cursor, fence)
		n++;
	dma_resv_iter_end(&cursor);

	return n;
}

static void bench_resv(struct kunit *test)
{
	struct dma_resv resv;
	unsigned int n = 0;

	fill_resv(test, &resv, MANY);
	bench_once("dma_resv of 16 iterated, not signaled", LIVE,
		   nothing,
		   n = iterate_resv(&resv),
		   nothing);
	KUNIT_EXPECT_EQ(test, n, MANY);
	signal_fences(test->priv, MANY);
	bench_once("dma_resv of 16 iterated, signaled", FREE,
		   nothing,
		   n = iterate_resv(&resv),
		   nothing);
	KUNIT_EXPECT_EQ(test, n, 0);
	empty_resv(test, &resv, MANY);
}

/* What user space passes to the ioctls has to be in the memory of a user. */
struct user_args {
	union {
		struct sync_file_info info;
		struct sync_merge_data merge;
	};
	struct sync_fence_info infos[2];
};

static void bench_sync_file(struct kunit *test)
{
	struct bench *b = test->priv;
	struct sync_file *file[2], *file2;
	struct user_args __user *user;
	struct user_args args = {};
	int fd;

	user = (struct user_args __user *)
		kunit_vm_mmap(test, NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			      MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NOT_NULL(test, (void __force *)user);

	make_fences(test, 2, &polled_ops);
	bench_once("sync_file made and closed", LIVE,
		   nothing,
		   file2 = sync_file_create(b->fence[0]);
		   __fput_sync(file2->file),
		   nothing);

	file[0] = sync_file_create(b->fence[0]);
	file[1] = sync_file_create(b->fence[1]);
	KUNIT_ASSERT_NOT_NULL(test, file[0]);
	KUNIT_ASSERT_NOT_NULL(test, file[1]);
	fd = get_unused_fd_flags(O_CLOEXEC);
	KUNIT_ASSERT_GE(test, fd, 0);
	fd_install(fd, file[1]->file);

	args.merge.fd2 = fd;
	KUNIT_ASSERT_EQ(test, copy_to_user(user, &args, sizeof(args)), 0);
	bench_once("sync_files merged, the result closed", LIVE,
		   nothing,
		   b->calls += file[0]->file->f_op->unlocked_ioctl(file[0]->file, SYNC_IOC_MERGE,
								   (unsigned long)user);
		   get_user(args.merge.fence, &user->merge.fence);
		   __fput_sync(file_close_fd(args.merge.fence)),
		   nothing);
	KUNIT_EXPECT_EQ(test, b->calls, 0);

	memset(&args, 0, sizeof(args));
	args.info.num_fences = 1;
	args.info.sync_fence_info = (uintptr_t)user->infos;
	KUNIT_ASSERT_EQ(test, copy_to_user(user, &args, sizeof(args)), 0);
	bench_once("sync_file queried, not signaled", LIVE,
		   nothing,
		   b->calls += file[0]->file->f_op->unlocked_ioctl(file[0]->file,
								   SYNC_IOC_FILE_INFO,
								   (unsigned long)user),
		   nothing);
	signal_fences(b, 2);
	bench_once("sync_file queried, signaled", FREE,
		   nothing,
		   b->calls += file[0]->file->f_op->unlocked_ioctl(file[0]->file,
								   SYNC_IOC_FILE_INFO,
								   (unsigned long)user),
		   nothing);
	KUNIT_EXPECT_EQ(test, b->calls, 0);

	__fput_sync(file[0]->file);
	__fput_sync(file_close_fd(fd));
	put_fences(b, 2);
}

/* A job, on a ring that is always ready: run_job hands out a fence of the batch. */
struct bench_job {
	struct drm_sched_job base;
	struct dma_fence *parent;
	struct completion ran, freed;
};

static struct bench_job *to_bench_job(struct drm_sched_job *job)
{
	return container_of(job, struct bench_job, base);
}

static struct dma_fence *bench_run_job(struct drm_sched_job *sched_job)
{
	struct bench_job *job = to_bench_job(sched_job);

	complete(&job->ran);
	return dma_fence_get(job->parent);
}

static enum drm_gpu_sched_stat bench_timedout_job(struct drm_sched_job *sched_job)
{
	return DRM_GPU_SCHED_STAT_NOMINAL;
}

static void bench_free_job(struct drm_sched_job *sched_job)
{
	struct bench_job *job = to_bench_job(sched_job);

	drm_sched_job_cleanup(sched_job);
	complete(&job->freed);
}

static const struct drm_sched_backend_ops bench_sched_ops = {
	.run_job = bench_run_job,
	.timedout_job = bench_timedout_job,
	.free_job = bench_free_job,
};

/*
 * The jobs are run, then completed one by one, then freed, all in their order. This
 * waits for the last ones only: to be woken for each would leave it to the CPU's
 * scheduler, and hence to how many instructions the compiler has made, how often the
 * workers are interrupted by this thread.
 */
static int run_jobs(struct bench_job *jobs, unsigned int n, struct drm_sched_entity *entity)
{
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++) {
		ret = drm_sched_job_init(&jobs[i].base, entity, 1, NULL, 0);
		if (ret)
			return ret;
		drm_sched_job_arm(&jobs[i].base);
		drm_sched_entity_push_job(&jobs[i].base);
	}
	wait_for_completion(&jobs[n - 1].ran);
	/* Until the scheduler has its callback on the last parent. */
	flush_work(&entity->rq->sched->work_run_job);
	for (i = 0; i < n; i++)
		dma_fence_signal(jobs[i].parent);
	wait_for_completion(&jobs[n - 1].freed);

	return 0;
}

/* Each has a fence of the batch for a parent. */
static void make_jobs(struct kunit *test, struct bench_job *jobs, unsigned int n)
{
	struct bench *b = test->priv;
	unsigned int i;

	make_fences(test, n, &polled_ops);
	for (i = 0; i < n; i++) {
		jobs[i].parent = b->fence[i];
		init_completion(&jobs[i].ran);
		init_completion(&jobs[i].freed);
	}
}

/* An entity with a scheduler of its own, which has room for a batch of jobs. */
static struct drm_sched_entity *make_scheduler(struct kunit *test)
{
	const struct drm_sched_init_args args = {
		.ops = &bench_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = BATCH,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "bench",
	};
	struct drm_gpu_scheduler *sched = kunit_kzalloc(test, sizeof(*sched), GFP_KERNEL);
	struct drm_sched_entity *entity = kunit_kzalloc(test, sizeof(*entity), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sched);
	KUNIT_ASSERT_NOT_NULL(test, entity);
	KUNIT_ASSERT_EQ(test, drm_sched_init(sched, &args), 0);
	KUNIT_ASSERT_EQ(test, drm_sched_entity_init(entity, DRM_SCHED_PRIORITY_NORMAL,
						    &sched, 1, NULL), 0);

	return entity;
}

static void drop_scheduler(struct drm_sched_entity *entity)
{
	struct drm_gpu_scheduler *sched = entity->rq->sched;

	drm_sched_entity_destroy(entity);
	drm_sched_fini(sched);
}

static void bench_scheduler(struct kunit *test)
{
	struct bench_job *jobs = kunit_kcalloc(test, BATCH, sizeof(*jobs), GFP_KERNEL);
	struct drm_sched_entity *entity = make_scheduler(test);
	struct bench *b = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, jobs);
	bench_once("scheduler job, from init to free", JOB,
		   make_jobs(test, jobs, 1),
		   b->calls += run_jobs(jobs, 1, entity),
		   put_fences(b, 1));
	bench_once("scheduler jobs, 64 in flight", JOB,
		   make_jobs(test, jobs, BATCH),
		   b->calls += run_jobs(jobs, BATCH, entity),
		   put_fences(b, BATCH));
	KUNIT_EXPECT_EQ(test, b->calls, 0);

	drop_scheduler(entity);
}

/*
 * The schedulers of a device are torn down one after the other, when the last job of
 * each has just ended. Counted is for how many of them a grace period has passed
 * meanwhile. They share a workqueue: to destroy one takes long enough for a grace
 * period to pass by chance.
 */
#define RINGS	100

struct bench_ring {
	struct drm_gpu_scheduler sched;
	struct drm_sched_entity entity;
	struct bench_job job;
};

static void make_ring(struct kunit *test, struct bench_ring *ring,
		      struct workqueue_struct *wq)
{
	const struct drm_sched_init_args args = {
		.ops = &bench_sched_ops,
		.submit_wq = wq,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "ring",
	};
	struct drm_gpu_scheduler *sched = &ring->sched;

	memset(ring, 0, sizeof(*ring));
	KUNIT_ASSERT_EQ(test, drm_sched_init(sched, &args), 0);
	KUNIT_ASSERT_EQ(test, drm_sched_entity_init(&ring->entity, DRM_SCHED_PRIORITY_NORMAL,
						    &sched, 1, NULL), 0);
}

static unsigned int drop_rings(struct bench_ring *rings, unsigned int n,
			       struct workqueue_struct *wq)
{
	unsigned int i, graces = 0;

	for (i = 0; i < n; i++)
		drm_sched_entity_destroy(&rings[i].entity);
	flush_workqueue(wq);
	for (i = 0; i < n; i++) {
		unsigned long state = get_state_synchronize_rcu();

		drm_sched_fini(&rings[i].sched);
		graces += poll_state_synchronize_rcu(state);
	}

	return graces;
}

static void bench_teardown(struct kunit *test)
{
	struct bench_ring *rings = kunit_kcalloc(test, RINGS, sizeof(*rings), GFP_KERNEL);
	struct workqueue_struct *wq = alloc_workqueue("bench", 0, 0);
	struct bench *b = test->priv;
	unsigned int n, i;
	char line[64];

	KUNIT_ASSERT_NOT_NULL(test, rings);
	KUNIT_ASSERT_NOT_NULL(test, wq);
	for (n = 1; n <= RINGS; n *= 10) {
		unsigned int graces = UINT_MAX, round;

		/* One may pass by chance: the least counts. */
		for (round = 0; round < 4; round++) {
			for (i = 0; i < n; i++) {
				make_ring(test, &rings[i], wq);
				make_jobs(test, &rings[i].job, 1);
				b->calls += run_jobs(&rings[i].job, 1, &rings[i].entity);
				put_fences(b, 1);
			}
			graces = min(graces, drop_rings(rings, n, wq));
		}
		KUNIT_EXPECT_EQ(test, b->calls, 0);
		snprintf(line, sizeof(line), "schedulers torn down, %u", n);
		result(test, "graces", line, ONE, graces);
	}
	destroy_workqueue(wq);
}

/* Growth: the same curve as stock or better. */

static void growth(struct kunit *test, const char *what, unsigned int n, u64 cost)
{
	char line[64];

	snprintf(line, sizeof(line), "%s, %u", what, n);
	result(test, "growth", line, "growth", cost);
}

static void bench_growth_callbacks(struct kunit *test)
{
	struct bench *b = test->priv;
	unsigned int n, i;

	for (n = 1; n <= GROWTH; n *= 4)
		growth(test, "callbacks added and called", n,
		       least(make_fences(test, 1, &polled_ops),
			     for (i = 0; i < n; i++)
				dma_fence_add_callback(b->fence[0], &b->cb[i], bench_cb);
			     dma_fence_signal(b->fence[0]),
			     put_fences(b, 1)));
}

static void bench_growth_chain(struct kunit *test)
{
	unsigned int n;

	for (n = 1; n <= GROWTH; n *= 4) {
		struct dma_fence *head = create_chain(test, n);

		growth(test, "chain nodes walked", n, least(nothing, walk_chain(head), nothing));
		signal_fences(test->priv, n);
		dma_fence_put(head);
	}
}

static void bench_growth_resv(struct kunit *test)
{
	struct dma_resv resv;
	unsigned int n;

	for (n = 1; n <= GROWTH_RESV; n *= 4) {
		fill_resv(test, &resv, n);
		growth(test, "dma_resv fences iterated", n, least(nothing, iterate_resv(&resv), nothing));
		empty_resv(test, &resv, n);
	}
}

static int bench_init(struct kunit *test)
{
	struct bench *b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);

	if (!b)
		return -ENOMEM;
	b->lock_kind = "both";
	if (test->param_value) {
		b->lock_kind = *(const char *const *)test->param_value;
		if (!strcmp(b->lock_kind, "external"))
			b->lock = &timeline_lock;
	}
	b->context = dma_fence_context_alloc(GROWTH);
	test->priv = b;

	return 0;
}

static struct kunit_case bench_cases[] = {
	KUNIT_CASE_PARAM(bench_live, lock_gen_params),
	KUNIT_CASE_PARAM(bench_signal, lock_gen_params),
	KUNIT_CASE_PARAM(bench_life, lock_gen_params),
	KUNIT_CASE_PARAM(bench_signaled, lock_gen_params),
	KUNIT_CASE_PARAM(bench_wait_any, lock_gen_params),
	KUNIT_CASE_PARAM(bench_array, lock_gen_params),
	KUNIT_CASE_PARAM(bench_chain, lock_gen_params),
	KUNIT_CASE_PARAM(bench_resv, lock_gen_params),
	KUNIT_CASE_PARAM(bench_sync_file, lock_gen_params),
	KUNIT_CASE_PARAM(bench_scheduler, lock_gen_params),
	KUNIT_CASE_PARAM(bench_teardown, lock_gen_params),
	KUNIT_CASE_PARAM(bench_growth_callbacks, lock_gen_params),
	KUNIT_CASE_PARAM(bench_growth_chain, lock_gen_params),
	KUNIT_CASE_PARAM(bench_growth_resv, lock_gen_params),
	{}
};

static struct kunit_suite bench_suite = {
	.name = "dma_fence_bench",
	.init = bench_init,
	.test_cases = bench_cases,
};

/*
 * Contention: each thread lives through one fence after the other, all of one
 * timeline. Nobody shares a fence; what they share is the timeline's lock, if
 * it is the fences' lock.
 */

#define SLICE_MS	40
#define SLICES		15
#define MAX_THREADS	4

struct contender {
	spinlock_t *lock;
	struct task_struct *task;
	struct dma_fence fence;
	struct dma_fence_cb cb;
	unsigned long lives;
} ____cacheline_aligned;

/* In jiffies. Without preemption nobody else could end the slice. */
static unsigned long slice_start, slice_end;

static int contend(void *data)
{
	struct contender *c = data;

	while (time_before(jiffies, slice_start))
		cpu_relax();
	while (time_before(jiffies, slice_end)) {
		dma_fence_init(&c->fence, &polled_ops, c->lock, 1, 1);
		dma_fence_enable_sw_signaling(&c->fence);
		dma_fence_add_callback(&c->fence, &c->cb, bench_cb);
		dma_fence_signal(&c->fence);
		c->lives++;
	}

	/* Until its kthread_stop(). */
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);

	return 0;
}

/* The lives of fences that @threads got through, 0 if not all have run. */
static unsigned long run_slice(struct kunit *test, struct contender *c,
			       unsigned int threads, spinlock_t *lock)
{
	unsigned long lives = 0;
	bool all = true;
	unsigned int i;

	for (i = 0; i < threads; i++) {
		c[i].lock = lock;
		c[i].lives = 0;
		c[i].task = kthread_create(contend, &c[i], "contender/%u", i);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c[i].task);
		kthread_bind(c[i].task, i);
	}

	slice_start = jiffies + 2;
	slice_end = slice_start + msecs_to_jiffies(SLICE_MS);
	for (i = 0; i < threads; i++)
		wake_up_process(c[i].task);
	/* One that is to stop before it has begun would not begin. */
	while (time_before_eq(jiffies, slice_end))
		schedule_timeout_uninterruptible(1);
	for (i = 0; i < threads; i++) {
		kthread_stop(c[i].task);
		lives += c[i].lives;
		all = all && c[i].lives;
	}

	return all ? lives : 0;
}

static void bench_contention(struct kunit *test)
{
	struct contender *c = kunit_kcalloc(test, MAX_THREADS, sizeof(*c), GFP_KERNEL);
	unsigned int threads, slice, k;

	KUNIT_ASSERT_NOT_NULL(test, c);
	if (num_online_cpus() < MAX_THREADS)
		kunit_skip(test, "there are %u CPUs, this wants %u",
			   num_online_cpus(), MAX_THREADS);
	if (ARRAY_SIZE(kinds_of_lock) < 2)
		kunit_skip(test, "this kernel's fences have no lock of their own");

	/*
	 * In turn, now this one first and now that, so that whatever else the
	 * machine does hits both alike.
	 */
	for (threads = 1; threads <= MAX_THREADS; threads++) {
		for (slice = 0; slice < SLICES; slice++) {
			unsigned long lives[2];

			for (k = 0; k < 2; k++) {
				bool shared = (slice + k) & 1;

				lives[shared] = run_slice(test, c, threads,
							  shared ? &timeline_lock : NULL);
			}
			/* A slice in which not all have run says nothing. */
			if (lives[0] && lives[1])
				pr_info("bench|contention|both|%u||%lu %lu\n", threads,
					lives[1], lives[0]);
		}
	}
}

static struct kunit_case contention_cases[] = {
	KUNIT_CASE_SLOW(bench_contention),
	{}
};

static struct kunit_suite contention_suite = {
	.name = "dma_fence_contention",
	.test_cases = contention_cases,
};

/*
 * Jobs a second: batches in flight, each timed from the allocation of the
 * hardware's fences to the last put. Of each few the fastest counts, as whatever
 * else the machine does only slows them. harness/bench/bench runs this in stock and
 * patched kernels by turns, and on User Mode Linux, whose code the CPU executes as
 * it is; it has one CPU though, so no lock prefixes and no locks. Under QEMU's
 * translator the clock says more about the addresses of functions than about the
 * functions. The time stamp counter, as User Mode Linux has a coarse clock and no
 * get_cycles().
 */
#define RATE_BATCHES	16
#define RATE_RESULTS	1024	/* with 64 the median was up to 2 % lower, by hand */
#define RATE_WARM	64	/* left out: caches are cold */

static void bench_rate(struct kunit *test)
{
	struct bench_job *jobs = kunit_kcalloc(test, BATCH, sizeof(*jobs), GFP_KERNEL);
	struct drm_sched_entity *entity = make_scheduler(test);
	struct bench *b = test->priv;
	unsigned int n, i;

	KUNIT_ASSERT_NOT_NULL(test, jobs);
	/* In stock there is no other kind. */
	b->lock = &timeline_lock;
	for (n = 0; n < RATE_RESULTS; n++) {
		u64 fastest = U64_MAX;

		for (i = 0; i < RATE_BATCHES; i++) {
			u64 start = __builtin_ia32_rdtsc();

			make_jobs(test, jobs, BATCH);
			b->calls += run_jobs(jobs, BATCH, entity);
			put_fences(b, BATCH);
			fastest = min(fastest, __builtin_ia32_rdtsc() - start);
		}
		if (n >= RATE_WARM)
			result(test, "rate", "scheduler jobs", "rate",
			       div64_u64(BATCH * 1000000000ULL, fastest));
	}
	KUNIT_EXPECT_EQ(test, b->calls, 0);
	drop_scheduler(entity);
}

static struct kunit_case rate_cases[] = {
	KUNIT_CASE_SLOW(bench_rate),
	{}
};

static struct kunit_suite rate_suite = {
	.name = "drm_sched_rate",
	.init = bench_init,
	.test_cases = rate_cases,
};

kunit_test_suites(&bench_suite, &contention_suite, &rate_suite);

MODULE_DESCRIPTION("What DMA fences cost");
MODULE_LICENSE("GPL");
