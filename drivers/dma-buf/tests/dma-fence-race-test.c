// SPDX-License-Identifier: GPL-2.0
/*
 * Races. Three threads meet at one fence after the other, and each does its part:
 * one of them signals, the others do what a case is about. In every round the
 * issuer is an own one, and frees lock, ops and names one grace period after
 * the first dma_fence_signal() has returned, to whomever.
 *
 * All the time the events of dma_fence are switched on and off. Where a kernel
 * can be preempted, so is the one or other in the middle of what he does, until
 * the issuer is gone: who is inside an RCU read-side section prevents just that,
 * everybody else goes on with freed memory. That is reported by KASAN, KCSAN and
 * lockdep; what each call answers is checked here, and with lock debugging that
 * nobody takes an issuer's lock outside of a read-side section.
 *
 * All that is random comes from one seed, which is printed: give it, and the
 * number of rounds, by dmabuf_kunit_test.race_seed= and .race_rounds= to repeat
 * a run, as far as the scheduler goes along.
 */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/dma-resv.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/lockdep.h>
#include <linux/mman.h>
#include <linux/moduleparam.h>
#include <linux/poison.h>
#include <linux/poll.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/sync_file.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include <drm/drm_syncobj.h>

#include <uapi/linux/sync_file.h>

#include "mock-issuer.h"

static unsigned int race_seed;
module_param(race_seed, uint, 0444);
MODULE_PARM_DESC(race_seed, "seed of the races (default: 0, a random one)");

static unsigned int race_rounds = 256;
module_param(race_rounds, uint, 0444);
MODULE_PARM_DESC(race_rounds, "rounds of each race (default: 256)");

static unsigned int race_seconds = 20;
module_param(race_seconds, uint, 0444);
MODULE_PARM_DESC(race_seconds, "end of a race that has not made its rounds yet (default: 20)");

/* How many threads there are, and how many fences they walk along in one go. */
#define RACERS		3
#define RACE_BATCH	32

/* Flags of a case, next to those of the mock issuer. */
/* Each racer has a callback on each fence, see struct race_slot. */
#define RACE_CALLBACKS	BIT(16)
/* The racers have the references, nobody has one after them. */
#define RACE_PUT	BIT(17)
/* Room for the arguments of ioctls. */
#define RACE_USER	BIT(18)

/* A fence, and what has become of it. */
struct race_slot {
	struct dma_fence *fence;
	struct dma_fence __rcu *shared;	/* the same, as long as there is somebody's reference */
	struct mock_issuer *issuer;	/* until it has retired */
	struct mock_cb *cb[RACERS];	/* added before the race */
	int error;
	bool fails;			/* enable_signaling */
	unsigned int first;		/* racer, on one CPU */
	unsigned int strike;		/* preempt this racer */
	atomic_t arrived;		/* how many racers */
	atomic_t signals;		/* that returned 0 */
	atomic_t retired;		/* the issuer ... */
	atomic_t gone;			/* ... a grace period later */
	atomic_t added;			/* callbacks that free themselves ... */
	atomic_t ran;			/* ... and have done so */
};

struct race;
struct racer;

/* What a racer does at a fence. */
typedef void (*race_act)(struct racer *racer, struct race_slot *slot);

struct race_user {
	struct sync_file_info info;
	struct sync_merge_data merge;
	struct sync_fence_info infos[4];
};

struct racer {
	struct race *race;
	unsigned int nr;
	race_act act;
	struct rnd_state rnd;
	struct completion go;
	struct task_struct *task;
	struct race_user __user *user;
	struct seq_file seq;
	unsigned int met;		/* signals during an act of ours */
};

struct race {
	struct kunit *test;
	struct mm_struct *mm;
	struct mock_calls *calls;
	unsigned int flags;
	unsigned int round;
	struct rnd_state rnd;
	struct racer racers[RACERS];
	struct race_slot slots[RACE_BATCH];
	atomic_t racing;
	wait_queue_head_t turn;
	struct completion done;
	bool stop;
	atomic_t failed;
	struct lock_class_key *lock_key; /* of the issuers' locks */
	unsigned long outside;		/* who takes one out of turn */
	bool late_error;		/* the one signaler sets it */
	struct dma_resv resv;
	struct drm_syncobj *syncobj;
	atomic_t point;
	struct tracepoint *lock_acquire;
	struct task_struct *switcher;
	struct task_struct *strikers[NR_CPUS];
	struct race_slot *strikes[NR_CPUS];
};

static u32 rnd_below(struct rnd_state *rnd, u32 ceil)
{
	return prandom_u32_state(rnd) % ceil;
}

static u32 race_random(struct racer *racer, u32 ceil)
{
	return rnd_below(&racer->rnd, ceil);
}

/* Short ones are more frequent than long ones. */
static void race_delay(struct racer *racer)
{
	u32 n = race_random(racer, 1 << race_random(racer, 9));

	while (n--)
		cpu_relax();
}

/* Says it once: what goes wrong here does so thousands of times. */
static void race_fail(struct racer *racer, const char *what, const char *where)
{
	struct race *race = racer->race;

	if (!atomic_xchg(&race->failed, 1))
		KUNIT_FAIL(race->test, "from round %u, racer %u, %s: expected %s",
			   race->round, racer->nr, where, what);
}

#define race_expect(racer, condition)				\
do {								\
	if (!(condition))					\
		race_fail(racer, #condition, __func__);		\
} while (0)

static void race_free_cb(struct mock_cb *cb)
{
	memset(cb, POISON_FREE, sizeof(*cb));
	kfree(cb);
}

/*
 * The answers that are right at any time, and those that are after the signal.
 */

static void race_expect_name(struct racer *racer, const char *name,
			     const char *live, const char *detached)
{
	race_expect(racer, !strcmp(name, live) || !strcmp(name, detached));
}

static void race_expect_names(struct racer *racer, struct dma_fence *fence)
{
	bool signaled = dma_fence_test_signaled_flag(fence);
	const char __rcu *driver, *timeline;

	rcu_read_lock();
	driver = dma_fence_driver_name(fence);
	timeline = dma_fence_timeline_name(fence);
	/* They stay for as long as the section, whatever happens meanwhile. */
	race_delay(racer);
	race_expect_name(racer, rcu_dereference(driver),
			 signaled ? "detached-driver" : "mock-driver",
			 "detached-driver");
	race_expect_name(racer, rcu_dereference(timeline),
			 signaled ? "signaled-timeline" : "mock-timeline",
			 "signaled-timeline");
	rcu_read_unlock();
}

static void race_expect_signaled(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *fence = slot->fence;
	int status = slot->error ?: 1;

	race_expect(racer, dma_fence_test_signaled_flag(fence));
	race_expect(racer, fence->error == slot->error);
	race_expect(racer, dma_fence_get_status(fence) == status);
	race_expect(racer, ktime_to_ns(dma_fence_timestamp(fence)) > 0);
	race_expect(racer, dma_fence_is_signaled(fence));
}

/* Who signals, or waits for longer than not at all, comes after the callbacks. */
static void race_expect_callbacks_done(struct racer *racer, struct race_slot *slot)
{
	int i;

	race_expect_signaled(racer, slot);
	if (!(racer->race->flags & RACE_CALLBACKS))
		return;

	for (i = 0; i < RACERS; i++) {
		struct mock_cb *cb = READ_ONCE(slot->cb[i]);

		/* Somebody else may remove and free his own. */
		if (!cb || racer->race->racers[i].act != racer->act)
			continue;
		race_expect(racer, atomic_read(&cb->count) == 1);
		race_expect(racer, cb->error == slot->error);
	}
}

/*
 * The acts.
 */

/*
 * The first who comes back from dma_fence_signal(), be it with an error, may free
 * the issuer one grace period later.
 */
static void race_retire(struct racer *racer, struct race_slot *slot)
{
	if (atomic_xchg(&slot->retired, 1))
		return;

	if (!slot->strike && race_random(racer, 16)) {
		mock_issuer_free_rcu(slot->issuer);
	} else {
		/* As soon as that can be. */
		synchronize_rcu_expedited();
		mock_issuer_free(slot->issuer);
		atomic_set(&slot->gone, 1);
	}
}

/* Has somebody preempted, about now. */
static void race_strike(struct racer *racer, struct race_slot *slot)
{
	struct race *race = racer->race;
	unsigned int cpu = task_cpu(race->racers[slot->strike].task);

	race_delay(racer);
	WRITE_ONCE(race->strikes[cpu], slot);
	wake_up_process(race->strikers[cpu]);
	race_delay(racer);
}

/* As an interrupt handler does that walks its list of fences. */
static bool signal_with_lock(struct dma_fence *fence)
{
	unsigned long flags;
	bool signaled = true;

	rcu_read_lock();
	if (!dma_fence_test_signaled_flag(fence)) {
		dma_fence_lock_irqsave(fence, flags);
		signaled = dma_fence_check_and_signal_locked(fence);
		dma_fence_unlock_irqrestore(fence, flags);
	}
	rcu_read_unlock();

	return signaled;
}

static void act_signal(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *fence = slot->fence;
	bool signaled;

	if (racer->race->flags & MOCK_SIGNALED_CB && race_random(racer, 2)) {
		/* The work is done, and whoever asks may find out before us. */
		rcu_read_lock();
		if (!dma_fence_test_signaled_flag(fence))
			mock_issuer_complete(slot->issuer);
		rcu_read_unlock();
		race_delay(racer);
	}

	if (!racer->nr && slot->strike)
		race_strike(racer, slot);

	if (slot->error && racer->race->late_error)
		dma_fence_set_error(fence, slot->error);

	switch (race_random(racer, 4)) {
	case 0:
		signaled = signal_with_lock(fence);
		if (signaled)
			signaled = dma_fence_check_and_signal(fence);
		break;
	case 1:
		signaled = mock_signal_timestamp(fence, ktime_get());
		break;
	default:
		signaled = dma_fence_check_and_signal(fence);
		break;
	}

	if (!signaled)
		atomic_inc(&slot->signals);
	if (!(racer->race->flags & RACE_PUT))
		race_expect_callbacks_done(racer, slot);
	race_retire(racer, slot);
}

/* Added and removed again, and freed at once either way. */
static void act_add_remove(struct racer *racer, struct race_slot *slot)
{
	struct mock_cb *cb = kzalloc(sizeof(*cb), GFP_KERNEL);
	int ret;

	if (!cb)
		return;

	ret = dma_fence_add_callback(slot->fence, &cb->base, mock_cb_func);
	if (ret) {
		race_expect(racer, ret == -ENOENT);
		race_expect(racer, atomic_read(&cb->count) == 0);
		race_expect_signaled(racer, slot);
	} else {
		race_delay(racer);
		if (dma_fence_remove_callback(slot->fence, &cb->base)) {
			race_expect(racer, atomic_read(&cb->count) == 0);
		} else {
			race_expect(racer, atomic_read(&cb->count) == 1);
			race_expect(racer, cb->error == slot->error);
		}
	}
	race_free_cb(cb);
}

struct free_cb {
	struct dma_fence_cb base;
	atomic_t *ran;
};

static void free_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct free_cb *free = container_of(cb, struct free_cb, base);

	atomic_inc(free->ran);
	memset(free, POISON_FREE, sizeof(*free));
	kfree(free);
}

/* Added and left there; it frees itself when it runs. */
static void act_add(struct racer *racer, struct race_slot *slot)
{
	struct free_cb *cb = kzalloc(sizeof(*cb), GFP_KERNEL);
	int ret;

	if (!cb)
		return;

	cb->ran = &slot->ran;
	ret = dma_fence_add_callback(slot->fence, &cb->base, free_cb_func);
	if (!ret) {
		atomic_inc(&slot->added);
		return;
	}
	race_expect(racer, ret == -ENOENT);
	race_expect_signaled(racer, slot);
	kfree(cb);
}

/* The callback that is there since before the race. */
static void act_remove(struct racer *racer, struct race_slot *slot)
{
	struct mock_cb *cb = slot->cb[racer->nr];

	if (!cb)
		return;

	if (dma_fence_remove_callback(slot->fence, &cb->base)) {
		race_expect(racer, atomic_read(&cb->count) == 0);
	} else {
		race_expect(racer, atomic_read(&cb->count) == 1);
		race_expect(racer, cb->error == slot->error);
		race_expect_signaled(racer, slot);
	}
	WRITE_ONCE(slot->cb[racer->nr], NULL);
	race_free_cb(cb);
}

static void act_wait(struct racer *racer, struct race_slot *slot)
{
	static const long timeouts[] = { MAX_SCHEDULE_TIMEOUT, 30 * HZ, 1, 0 };
	long timeout = timeouts[race_random(racer, ARRAY_SIZE(timeouts))];
	bool intr = race_random(racer, 2);
	long ret;

	ret = dma_fence_wait_timeout(slot->fence, intr, timeout);
	race_expect(racer, ret >= 0);
	race_expect(racer, ret <= (timeout ?: 1));
	race_expect(racer, ret || timeout < 2);
	if (ret > 0)
		race_expect_callbacks_done(racer, slot);
}

static struct race_slot *next_slot(struct racer *racer, struct race_slot *slot)
{
	struct race *race = racer->race;

	return &race->slots[(slot - race->slots + 1) % RACE_BATCH];
}

static void act_wait_any(struct racer *racer, struct race_slot *slot)
{
	struct race_slot *slots[] = { slot, next_slot(racer, slot) };
	struct dma_fence *fences[] = { slots[0]->fence, slots[1]->fence };
	long timeout = race_random(racer, 4) ? 30 * HZ : race_random(racer, 2);
	u32 idx = U32_MAX;
	long ret;

	ret = dma_fence_wait_any_timeout(fences, ARRAY_SIZE(fences),
					 race_random(racer, 2), timeout, &idx);
	race_expect(racer, ret >= 0);
	race_expect(racer, ret || timeout < 2);
	if (ret > 0) {
		race_expect(racer, idx < ARRAY_SIZE(slots));
		race_expect_signaled(racer, slots[idx % ARRAY_SIZE(slots)]);
	}
}

static void act_is_signaled(struct racer *racer, struct race_slot *slot)
{
	int status, i;

	for (i = 0; i < 64; i++) {
		status = dma_fence_get_status(slot->fence);
		race_expect(racer, !status || status == (slot->error ?: 1));
		if (status || dma_fence_is_signaled(slot->fence)) {
			/* And it stays so. */
			race_expect_signaled(racer, slot);
			break;
		}
		race_delay(racer);
	}
}

static void act_enable(struct racer *racer, struct race_slot *slot)
{
	dma_fence_enable_signaling(slot->fence);
	race_expect(racer,
		    test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &slot->fence->flags) ||
		    dma_fence_test_signaled_flag(slot->fence));
	if (slot->fails)
		race_expect_signaled(racer, slot);
}

static void act_set_deadline(struct racer *racer, struct race_slot *slot)
{
	dma_fence_set_deadline(slot->fence, ktime_get());
}

static void act_describe(struct racer *racer, struct race_slot *slot)
{
	bool signaled = dma_fence_test_signaled_flag(slot->fence);
	char *text = racer->seq.buf;
	bool live;

	racer->seq.count = 0;
	memset(text, 0, 128);
	dma_fence_describe(slot->fence, &racer->seq);

	live = mock_describes_live(text) && !signaled;
	race_expect(racer, live || mock_describes_signaled(text));
	race_expect(racer, strstr(text, "signalled\n"));
}

static void act_names(struct racer *racer, struct race_slot *slot)
{
	race_expect_names(racer, slot->fence);
}

/* SYNC_IOC_FILE_INFO of a file with up to two fences. */
static void sync_file_info(struct racer *racer, struct file *file)
{
	struct race_user args = {};
	unsigned int i;
	long ret;

	args.info.num_fences = ARRAY_SIZE(args.infos);
	args.info.sync_fence_info = (uintptr_t)racer->user->infos;
	if (copy_to_user(racer->user, &args, sizeof(args))) {
		race_fail(racer, "user memory", __func__);
		return;
	}
	ret = file->f_op->unlocked_ioctl(file, SYNC_IOC_FILE_INFO,
					 (unsigned long)&racer->user->info);
	race_expect(racer, ret == 0 || ret == -ENOMEM);
	if (ret || copy_from_user(&args, racer->user, sizeof(args)))
		return;

	race_expect(racer, args.info.num_fences - 1 < 2);
	for (i = 0; i < min(args.info.num_fences, 2U); i++) {
		/* The result of a merge may be a stub by now. */
		race_expect_name(racer, args.infos[i].driver_name,
				 "mock-driver", "detached-driver");
		race_expect_name(racer, args.infos[i].obj_name,
				 "mock-timeline", "signaled-timeline");
		race_expect(racer, !args.infos[i].status || args.infos[i].timestamp_ns);
	}
}

static void act_sync_file_info(struct racer *racer, struct race_slot *slot)
{
	struct sync_file *sync_file = sync_file_create(slot->fence);

	if (!sync_file)
		return;

	/* Adds a callback, which closing removes. */
	if (race_random(racer, 2) && vfs_poll(sync_file->file, NULL) & EPOLLIN)
		race_expect_signaled(racer, slot);
	sync_file_info(racer, sync_file->file);
	__fput_sync(sync_file->file);
}

static void act_sync_file_merge(struct racer *racer, struct race_slot *slot)
{
	struct sync_file *a = sync_file_create(slot->fence);
	struct sync_file *b = sync_file_create(next_slot(racer, slot)->fence);
	int fd = a && b ? get_unused_fd_flags(O_CLOEXEC) : -ENOMEM;
	struct sync_merge_data merge = {};
	struct file *file = NULL;

	if (fd < 0)
		goto out;

	fd_install(fd, get_file(b->file));
	strscpy(merge.name, "race");
	merge.fd2 = fd;
	if (!copy_to_user(&racer->user->merge, &merge, sizeof(merge)) &&
	    !a->file->f_op->unlocked_ioctl(a->file, SYNC_IOC_MERGE,
					   (unsigned long)&racer->user->merge) &&
	    !copy_from_user(&merge, &racer->user->merge, sizeof(merge))) {
		/* Ours is the last reference then, which is put at once. */
		file = fget(merge.fence);
		close_fd(merge.fence);
	}
	close_fd(fd);

	if (file) {
		if (vfs_poll(file, NULL) & EPOLLIN)
			race_expect_signaled(racer, slot);
		sync_file_info(racer, file);
		__fput_sync(file);
	}
out:
	if (a)
		__fput_sync(a->file);
	if (b)
		__fput_sync(b->file);
}

static void act_resv_add(struct racer *racer, struct race_slot *slot)
{
	struct dma_resv *resv = &racer->race->resv;

	dma_resv_lock(resv, NULL);
	if (!dma_resv_reserve_fences(resv, 1))
		dma_resv_add_fence(resv, slot->fence,
				   race_random(racer, 2) ? DMA_RESV_USAGE_WRITE :
							   DMA_RESV_USAGE_READ);
	racer->seq.count = 0;
	dma_resv_describe(resv, &racer->seq);
	dma_resv_unlock(resv);
}

static void act_resv_iterate(struct racer *racer, struct race_slot *slot)
{
	struct dma_resv *resv = &racer->race->resv;
	struct dma_fence *fence, **fences;
	struct dma_resv_iter cursor;
	unsigned int num;

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_READ);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		race_expect_names(racer, fence);
		race_expect(racer, dma_fence_get_status(fence) <= 1);
	}
	dma_resv_iter_end(&cursor);

	switch (race_random(racer, 4)) {
	case 0:
		dma_resv_set_deadline(resv, DMA_RESV_USAGE_READ, ktime_get());
		break;
	case 1:
		race_expect(racer, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_READ,
							 true, 1) >= 0);
		break;
	case 2:
		if (dma_resv_get_fences(resv, DMA_RESV_USAGE_READ, &num, &fences))
			break;
		while (num--)
			dma_fence_put(fences[num]);
		kfree(fences);
		break;
	default:
		dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ);
		break;
	}
}

static void act_syncobj_replace(struct racer *racer, struct race_slot *slot)
{
	struct race *race = racer->race;
	struct dma_fence_chain *chain;

	switch (race_random(racer, 4)) {
	case 0:
		drm_syncobj_replace_fence(race->syncobj, NULL);
		break;
	case 1:
		chain = dma_fence_chain_alloc();
		if (chain)
			drm_syncobj_add_point(race->syncobj, chain,
					      dma_fence_get(slot->fence),
					      atomic_inc_return(&race->point));
		break;
	default:
		drm_syncobj_replace_fence(race->syncobj, slot->fence);
		break;
	}
}

static void act_syncobj_use(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *fence = drm_syncobj_fence_get(racer->race->syncobj);

	if (!fence)
		return;

	race_expect(racer, dma_fence_get_status(fence) <= 1);
	race_expect(racer, dma_fence_wait_timeout(fence, true, 1) >= 0);
	dma_fence_put(fence);
}

/*
 * The last reference: one belongs to a callback, one to whoever does this. The
 * signaler has none.
 */
static void act_put(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *fence = slot->fence;

	if (race_random(racer, 2))
		dma_fence_enable_signaling(fence);
	race_delay(racer);
	RCU_INIT_POINTER(slot->shared, NULL);
	dma_fence_put(fence);
}

/* Whoever finds it meanwhile. */
static void act_get_rcu(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *fence;
	int i;

	for (i = 0; i < 16; i++) {
		rcu_read_lock();
		fence = dma_fence_get_rcu_safe(&slot->shared);
		rcu_read_unlock();
		if (!fence)
			break;
		race_expect(racer, dma_fence_get_status(fence) <= 1);
		race_expect_names(racer, fence);
		dma_fence_put(fence);
	}
}

/* A container made of fences that signal, and dropped before or after. */
static void act_unwrap_merge(struct racer *racer, struct race_slot *slot)
{
	struct dma_fence *merged = dma_fence_unwrap_merge(slot->fence,
							  next_slot(racer, slot)->fence);

	if (!merged)
		return;

	dma_fence_enable_signaling(merged);
	dma_fence_set_deadline(merged, ktime_get());
	if (dma_fence_is_signaled(merged))
		race_expect_signaled(racer, slot);
	dma_fence_put(merged);
}

static const race_act anything[] = {
	act_add, act_add_remove, act_wait, act_wait_any, act_is_signaled, act_enable,
	act_set_deadline, act_describe, act_names, act_sync_file_info, act_sync_file_merge,
	act_resv_add, act_resv_iterate, act_syncobj_replace, act_syncobj_use,
	act_unwrap_merge, act_signal,
};

static void act_anything(struct racer *racer, struct race_slot *slot)
{
	anything[race_random(racer, ARRAY_SIZE(anything))](racer, slot);
}

/*
 * How they meet.
 */

/* All at the same fence at the same time, if there are CPUs for all. */
static void race_meet(struct racer *racer, struct race_slot *slot)
{
	struct race *race = racer->race;
	u64 end;

	if (num_online_cpus() < 2) {
		/*
		 * Else one after the other, in any order. The next is ready
		 * before we act: we may have to wait for him.
		 */
		wait_event(race->turn, atomic_read(&slot->arrived) ==
				       (racer->nr + slot->first) % RACERS);
		atomic_inc(&slot->arrived);
		wake_up_all(&race->turn);
		return;
	}

	/* Not for longer: one of them may be preempted, or still be waiting. */
	end = local_clock() + 500 * NSEC_PER_USEC;
	atomic_inc(&slot->arrived);
	while (atomic_read(&slot->arrived) < RACERS && local_clock() < end)
		cpu_relax();
	race_delay(racer);
}

static void race_walk(struct racer *racer)
{
	struct race *race = racer->race;
	int i;

	for (i = 0; i < RACE_BATCH; i++) {
		struct race_slot *slot = &race->slots[i];
		bool early;

		race_meet(racer, slot);
		/* With RACE_PUT there may be no fence to ask. */
		early = !(race->flags & RACE_PUT) &&
			!dma_fence_test_signaled_flag(slot->fence);
		racer->act(racer, slot);
		if (early && racer->nr && dma_fence_test_signaled_flag(slot->fence))
			racer->met++;
		cond_resched();
	}
}

static int racer_thread(void *data)
{
	struct racer *racer = data;
	struct race *race = racer->race;

#if IS_ENABLED(CONFIG_KUNIT)
	/* Let the test fail if KASAN finds something here. */
	current->kunit_test = race->test;
#endif
	if (race->mm)
		kthread_use_mm(race->mm);

	for (;;) {
		wait_for_completion(&racer->go);
		if (race->stop)
			break;
		race_walk(racer);
		if (atomic_dec_and_test(&race->racing))
			complete(&race->done);
	}

	if (race->mm)
		kthread_unuse_mm(race->mm);
#if IS_ENABLED(CONFIG_KUNIT)
	current->kunit_test = NULL;
#endif
	if (atomic_dec_and_test(&race->racing))
		complete(&race->done);

	return 0;
}

/* Switches the events on and off. */
static int switcher_thread(void *data)
{
	bool on = false;

	while (!kthread_should_stop()) {
		on = !on;
		if (mock_trace_switch(on))
			break;
		schedule_timeout_uninterruptible(get_random_u32_inclusive(1, HZ / 30));
	}
	mock_trace_switch(false);
	while (!kthread_should_stop())
		schedule_timeout_uninterruptible(1);

	return 0;
}

/*
 * The lock of an issuer may go a grace period after the signal. So it is only
 * taken in a read-side section, unless by the issuer, which we don't do either.
 */
static void lock_acquire_probe(void *data, struct lockdep_map *lock,
			       unsigned int subclass, int trylock, int read, int check,
			       struct lockdep_map *nest, unsigned long ip)
{
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	struct race *race = data;

	if (lock->key == race->lock_key && !rcu_read_lock_held())
		WRITE_ONCE(race->outside, ip);
#endif
}

static void find_lock_acquire(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "lock_acquire"))
		*(struct tracepoint **)found = tp;
}

/* Preempts whoever runs on this CPU when it is woken up. */
static int striker_thread(void *data)
{
	struct race *race = data;
	unsigned int cpu = smp_processor_id();
	struct race_slot *slot;
	u64 end;

	sched_set_fifo_low(current);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		slot = READ_ONCE(race->strikes[cpu]);
		if (!slot) {
			schedule();
			continue;
		}
		__set_current_state(TASK_RUNNING);
		WRITE_ONCE(race->strikes[cpu], NULL);

		/* In a read-side section the preempted one is not to be waited for. */
		end = local_clock() + 3 * NSEC_PER_MSEC;
		while (!atomic_read(&slot->gone) && local_clock() < end)
			cpu_relax();
	}
	__set_current_state(TASK_RUNNING);

	return 0;
}

static struct task_struct *race_thread(struct kunit *test, int (*func)(void *data),
				       void *data, int cpu)
{
	struct task_struct *task = kthread_create(func, data, "dma-fence-race");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	if (cpu >= 0)
		kthread_bind(task, cpu);
	wake_up_process(task);

	return task;
}

static struct race *race_create(struct kunit *test, unsigned int flags,
				race_act first, race_act second, race_act third)
{
	race_act acts[RACERS] = { first, second, third };
	struct race_user __user *user = NULL;
	struct mock_issuer *issuer;
	struct race *race;
	int i, cpu;

	flags |= mock_lock_flags(test);
	if (flags & RACE_USER) {
		unsigned long addr;

		if (!IS_ENABLED(CONFIG_MMU))
			kunit_skip(test, "there is no user memory without an MMU");
		addr = kunit_vm_mmap(test, NULL, 0, PAGE_ALIGN(RACERS * sizeof(*user)),
				     PROT_READ | PROT_WRITE,
				     MAP_ANONYMOUS | MAP_PRIVATE, 0);
		KUNIT_ASSERT_NE(test, addr, 0);
		user = (struct race_user __user *)addr;
	}

	/* Not the test's memory: if a racer hangs, the test goes first. */
	race = kzalloc(sizeof(*race), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, race);
	race->test = test;
	race->flags = flags;
	/* No fence is this one's: it has the counters, and looks for lock debugging. */
	issuer = mock_issuer_create(test, flags);
	race->calls = mock_issuer_calls(issuer);
#ifdef CONFIG_DEBUG_LOCK_ALLOC
	race->lock_key = issuer->lock.dep_map.key;
#endif
	race->late_error = second != act_signal && first == act_signal &&
			   second != act_anything &&
			   !(flags & (MOCK_SIGNALED_CB | MOCK_ENABLE_FAILS));
	race->mm = user ? current->mm : NULL;
	prandom_seed_state(&race->rnd, race_seed);
	init_waitqueue_head(&race->turn);
	init_completion(&race->done);
	dma_resv_init(&race->resv);
	KUNIT_ASSERT_EQ(test, drm_syncobj_create(&race->syncobj, 0, NULL), 0);

	for (i = 0; i < RACERS; i++) {
		struct racer *racer = &race->racers[i];

		racer->race = race;
		racer->nr = i;
		racer->act = acts[i];
		racer->user = user ? user + i : NULL;
		racer->seq.size = PAGE_SIZE;
		racer->seq.buf = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, racer->seq.buf);
		prandom_seed_state(&racer->rnd, (u64)(i + 1) << 32 | race_seed);
		init_completion(&racer->go);
		racer->task = race_thread(test, racer_thread, racer, -1);
	}

	race->switcher = race_thread(test, switcher_thread, race, -1);
	if (IS_ENABLED(CONFIG_PREEMPTION) && num_online_cpus() > 1)
		for_each_online_cpu(cpu)
			race->strikers[cpu] = race_thread(test, striker_thread, race, cpu);

	/* Not exported, hence not by its name. */
	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		for_each_kernel_tracepoint(find_lock_acquire, &race->lock_acquire);
	if (IS_ENABLED(CONFIG_TRACEPOINTS) && race->lock_acquire)
		KUNIT_ASSERT_EQ(test, 0,
				tracepoint_probe_register(race->lock_acquire,
							  lock_acquire_probe, race));

	return race;
}

static void put_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	free_cb_func(fence, cb);
	dma_fence_put(fence);
}

/* A new fence of a new issuer. */
static bool race_prepare_slot(struct race *race, struct race_slot *slot)
{
	unsigned int flags = race->flags;
	struct free_cb *free;
	int i;

	memset(slot, 0, sizeof(*slot));
	if (race->strikers[0] && !rnd_below(&race->rnd, 8))
		slot->strike = 1 + rnd_below(&race->rnd, RACERS - 1);
	slot->first = rnd_below(&race->rnd, RACERS);
	slot->fails = flags & MOCK_ENABLE_FAILS && rnd_below(&race->rnd, 2);
	if (!slot->fails)
		flags &= ~MOCK_ENABLE_FAILS;

	slot->issuer = mock_issuer_alloc(race->calls, flags);
	if (!slot->issuer)
		return false;
	if (num_online_cpus() > 1 && !rnd_below(&race->rnd, 4))
		slot->issuer->delay = rnd_below(&race->rnd, 20);

	slot->fence = mock_fence_alloc(slot->issuer, race->round);
	if (!slot->fence) {
		mock_issuer_free(slot->issuer);
		return false;
	}

	if (!rnd_below(&race->rnd, 4))
		slot->error = -1 - rnd_below(&race->rnd, 100);
	if (slot->error && !race->late_error)
		dma_fence_set_error(slot->fence, slot->error);

	for (i = 0; i < RACERS && flags & RACE_CALLBACKS; i++) {
		slot->cb[i] = kzalloc(sizeof(*slot->cb[i]), GFP_KERNEL);
		if (slot->cb[i])
			dma_fence_add_callback(slot->fence, &slot->cb[i]->base,
					       mock_cb_func);
	}

	if (flags & RACE_PUT) {
		free = kzalloc(sizeof(*free), GFP_KERNEL | __GFP_NOFAIL);
		free->ran = &slot->ran;
		atomic_inc(&slot->added);
		rcu_assign_pointer(slot->shared, dma_fence_get(slot->fence));
		dma_fence_add_callback(slot->fence, &free->base, put_cb_func);
	}

	return true;
}

/* What holds when all is over. */
static void race_check_slot(struct race *race, struct race_slot *slot)
{
	struct racer *racer = &race->racers[0];
	int i;

	race_expect(racer, atomic_read(&slot->retired) == 1);
	race_expect(racer, atomic_read(&slot->added) == atomic_read(&slot->ran));
	/* One signals, unless the fence was found to be done by somebody else. */
	race_expect(racer, atomic_read(&slot->signals) <= 1);
	if (!(race->flags & (MOCK_SIGNALED_CB | MOCK_ENABLE_FAILS)))
		race_expect(racer, atomic_read(&slot->signals) == 1);

	for (i = 0; i < RACERS; i++) {
		if (!slot->cb[i])
			continue;
		race_expect(racer, atomic_read(&slot->cb[i]->count) == 1);
		race_free_cb(slot->cb[i]);
	}

	if (race->flags & RACE_PUT)
		return;
	race_expect_signaled(racer, slot);
	race_expect_names(racer, slot->fence);
	dma_fence_put(slot->fence);
}

/* Lets everybody run, and waits until they are through. */
static void race_go(struct race *race)
{
	int i;

	atomic_set(&race->racing, RACERS);
	for (i = 0; i < RACERS; i++)
		complete(&race->racers[i].go);
	/* They are not waited for any more: nothing of theirs is freed. */
	KUNIT_ASSERT_NE_MSG(race->test, 0,
			    wait_for_completion_timeout(&race->done, 120 * HZ),
			    "somebody hangs, from round %u", race->round);
}

static void race_run(struct kunit *test, unsigned int flags,
		     race_act first, race_act second, race_act third)
{
	struct race *race = race_create(test, flags, first, second, third);
	unsigned long end = jiffies + race_seconds * HZ;
	unsigned int met = 0;
	int i, cpu;

	while (race->round < race_rounds && time_before(jiffies, end) &&
	       !atomic_read(&race->failed)) {
		for (i = 0; i < RACE_BATCH; i++)
			KUNIT_ASSERT_TRUE(test, race_prepare_slot(race, &race->slots[i]));
		race_go(race);
		for (i = 0; i < RACE_BATCH; i++)
			race_check_slot(race, &race->slots[i]);
		race->round += RACE_BATCH;
		/* Lest grace periods fall behind. */
		if (race->round % (16 * RACE_BATCH) == 0)
			rcu_barrier();
		cond_resched();
	}

	race->stop = true;
	race_go(race);
	if (IS_ENABLED(CONFIG_TRACEPOINTS) && race->lock_acquire)
		tracepoint_probe_unregister(race->lock_acquire, lock_acquire_probe, race);
	tracepoint_synchronize_unregister();
	kthread_stop(race->switcher);
	for_each_possible_cpu(cpu)
		if (race->strikers[cpu])
			kthread_stop(race->strikers[cpu]);
	for (i = 0; i < RACERS; i++)
		met += race->racers[i].met;
	/* Each op is called for a fence that has not signaled, enable_signaling once. */
	KUNIT_EXPECT_LE(test, atomic_read(&race->calls->enable_signaling), race->round);
	kunit_info(test, "%u rounds with seed %u, %u met the signal\n",
		   race->round, race_seed, met);
	KUNIT_EXPECT_EQ_MSG(test, race->outside, 0,
			    "%pS takes the lock outside of a read-side section",
			    (void *)race->outside);
	/* Else it was no race. With RACE_PUT nobody can tell. */
	if (num_online_cpus() > 1 && race->round >= 10000 && !(flags & RACE_PUT))
		KUNIT_EXPECT_GT(test, met, 0);

	drm_syncobj_put(race->syncobj);
	dma_resv_fini(&race->resv);
	rcu_barrier();
	kfree(race);
}

/* All three signal. One does, and whoever returns finds that all callbacks have run. */
static void dma_fence_test_signal_against_signal(struct kunit *test)
{
	race_run(test, RACE_CALLBACKS, act_signal, act_signal, act_signal);
}

static void dma_fence_test_signal_against_add_callback(struct kunit *test)
{
	race_run(test, MOCK_ENABLE_CB, act_signal, act_add, act_add_remove);
}

static void dma_fence_test_signal_against_remove_callback(struct kunit *test)
{
	race_run(test, RACE_CALLBACKS, act_signal, act_remove, act_remove);
}

static void dma_fence_test_signal_against_wait(struct kunit *test)
{
	race_run(test, RACE_CALLBACKS | MOCK_ENABLE_CB, act_signal, act_wait, act_wait);
}

static void dma_fence_test_signal_against_wait_any(struct kunit *test)
{
	race_run(test, MOCK_ENABLE_CB | MOCK_SIGNALED_CB,
		 act_signal, act_wait_any, act_wait_any);
}

static void dma_fence_test_signal_against_is_signaled(struct kunit *test)
{
	race_run(test, 0, act_signal, act_is_signaled, act_is_signaled);
}

/* The issuer says that the work is done, so that whoever asks signals. */
static void dma_fence_test_is_signaled_against_is_signaled(struct kunit *test)
{
	race_run(test, MOCK_SIGNALED_CB, act_signal, act_is_signaled, act_is_signaled);
}

static void dma_fence_test_signal_against_enable_signaling(struct kunit *test)
{
	race_run(test, MOCK_ENABLE_CB, act_signal, act_enable, act_enable);
}

/* The issuer finds the work done, so that whoever enables signaling signals. */
static void dma_fence_test_enable_signaling_that_fails(struct kunit *test)
{
	race_run(test, MOCK_ENABLE_FAILS, act_signal, act_enable, act_add_remove);
}

static void dma_fence_test_signal_against_set_deadline(struct kunit *test)
{
	race_run(test, MOCK_DEADLINE_CB | MOCK_SIGNALED_CB,
		 act_signal, act_set_deadline, act_set_deadline);
}

static void dma_fence_test_signal_against_describe(struct kunit *test)
{
	race_run(test, MOCK_SIGNALED_CB, act_signal, act_describe, act_describe);
}

static void dma_fence_test_signal_against_names(struct kunit *test)
{
	race_run(test, 0, act_signal, act_names, act_names);
}

static void dma_fence_test_signal_against_sync_file_info(struct kunit *test)
{
	race_run(test, MOCK_ALL_CB | RACE_USER,
		 act_signal, act_sync_file_info, act_sync_file_info);
}

static void dma_fence_test_signal_against_sync_file_merge(struct kunit *test)
{
	race_run(test, MOCK_ALL_CB | RACE_USER,
		 act_signal, act_sync_file_merge, act_unwrap_merge);
}

static void dma_fence_test_signal_against_resv_iteration(struct kunit *test)
{
	race_run(test, MOCK_ALL_CB, act_signal, act_resv_add, act_resv_iterate);
}

static void dma_fence_test_signal_against_syncobj_replacement(struct kunit *test)
{
	race_run(test, MOCK_ALL_CB, act_signal, act_syncobj_replace, act_syncobj_use);
}

/* The last reference goes while the fence is being signaled. */
static void dma_fence_test_signal_against_put(struct kunit *test)
{
	race_run(test, RACE_PUT | MOCK_ENABLE_CB, act_signal, act_put, act_get_rcu);
}

static void dma_fence_test_signal_against_anything(struct kunit *test)
{
	race_run(test, MOCK_ALL_CB | RACE_USER, act_signal, act_anything, act_anything);
}

static struct kunit_case dma_fence_race_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_add_callback, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_remove_callback,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_wait, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_wait_any, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_is_signaled, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_is_signaled_against_is_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_enable_signaling,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_enable_signaling_that_fails, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_set_deadline, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_describe, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_names, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_sync_file_info,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_sync_file_merge,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_resv_iteration,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_syncobj_replacement,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_put, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_signal_against_anything, mock_lock_gen_params),
	{}
};

static int dma_fence_race_init(struct kunit_suite *suite)
{
	if (!race_seed)
		race_seed = get_random_u32();

	return 0;
}

static struct kunit_suite dma_fence_race_test_suite = {
	.name = "dma_fence_race",
	.suite_init = dma_fence_race_init,
	.test_cases = dma_fence_race_tests,
};

kunit_test_suite(dma_fence_race_test_suite);
