// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for dma_resv: the fences of a buffer.
 *
 * A buffer is shared by drivers, and keeps the fences of all of them, often
 * until somebody adds the next one: years later, if ever. So whatever is done
 * with a reservation object has to work on fences whose issuers are gone.
 */

#include <kunit/resource.h>
#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-resv.h>
#include <linux/jiffies.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "mock-issuer.h"

/* Sequence numbers that only a 64-bit comparison puts into this order. */
#define SEQNO_OLD	5ULL
#define SEQNO_NEW	(BIT_ULL(32) + 1)

KUNIT_DEFINE_ACTION_WRAPPER(fini_resv_action, dma_resv_fini, struct dma_resv *);

static struct dma_resv *create_resv(struct kunit *test)
{
	struct dma_resv *resv = kunit_kzalloc(test, sizeof(*resv), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, resv);
	dma_resv_init(resv);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, fini_resv_action, resv));

	return resv;
}

static void fini_resv(struct kunit *test, struct dma_resv *resv)
{
	kunit_release_action(test, fini_resv_action, resv);
}

static void add_locked(struct kunit *test, struct dma_resv *resv,
		       struct dma_fence *fence, enum dma_resv_usage usage)
{
	KUNIT_ASSERT_EQ(test, dma_resv_reserve_fences(resv, 1), 0);
	dma_resv_add_fence(resv, fence, usage);
}

static void add(struct kunit *test, struct dma_resv *resv,
		struct dma_fence *fence, enum dma_resv_usage usage)
{
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	add_locked(test, resv, fence, usage);
	dma_resv_unlock(resv);
}

/* How many fences there are, signaled ones included. */
static unsigned int count_slots(struct kunit *test, struct dma_resv *resv)
{
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	unsigned int count = 0;

	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, fence)
		count++;
	dma_resv_unlock(resv);

	return count;
}

/* Has @resv a slot for @fence, and is this its usage? */
static bool has_slot(struct kunit *test, struct dma_resv *resv,
		     struct dma_fence *fence, enum dma_resv_usage usage)
{
	struct dma_resv_iter cursor;
	struct dma_fence *iter;
	bool found = false;

	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	dma_resv_for_each_fence(&cursor, resv, DMA_RESV_USAGE_BOOKKEEP, iter)
		if (iter == fence && dma_resv_iter_usage(&cursor) == usage)
			found = true;
	dma_resv_unlock(resv);

	return found;
}

static void locked_iteration_visits_detached_fences(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *a = mock_fence_create_live(test, 1);
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *b = mock_fence_create(issuer, 1);
	struct dma_fence *live = mock_fence_create(issuer, 2);

	add(test, resv, a, DMA_RESV_USAGE_KERNEL);
	add(test, resv, b, DMA_RESV_USAGE_WRITE);
	mock_fence_detach(a);

	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 2);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, a, DMA_RESV_USAGE_KERNEL));
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, b, DMA_RESV_USAGE_WRITE));

	/* The next fence takes the slot of one that has signaled. */
	add(test, resv, live, DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 2);
	KUNIT_EXPECT_FALSE(test, has_slot(test, resv, a, DMA_RESV_USAGE_KERNEL));
	KUNIT_EXPECT_TRUE(test,
			  has_slot(test, resv, live, DMA_RESV_USAGE_BOOKKEEP));
	mock_put_detached(test, a);

	dma_fence_signal(b);
	mock_fence_detach(live);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 2);
	fini_resv(test, resv);
	mock_put_detached(test, b, live);
}

static void unlocked_iteration_skips_detached_fences(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_resv_iter cursor;
	struct dma_fence *fence;
	int count = 0;

	add(test, resv, gone, DMA_RESV_USAGE_READ);
	add(test, resv, live, DMA_RESV_USAGE_READ);
	mock_fence_detach(gone);

	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_READ);
	dma_resv_for_each_fence_unlocked(&cursor, fence) {
		KUNIT_EXPECT_PTR_EQ(test, fence, live);
		count++;
	}
	dma_resv_iter_end(&cursor);
	KUNIT_EXPECT_EQ(test, count, 1);

	mock_fence_detach(live);
	dma_resv_iter_begin(&cursor, resv, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_NULL(test, dma_resv_iter_first_unlocked(&cursor));
	dma_resv_iter_end(&cursor);

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

static void detached_fences_can_be_added(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *next = mock_fence_create_detached(test, 1, 0);

	add(test, resv, gone, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 1);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, gone, DMA_RESV_USAGE_WRITE));
	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));

	/* Of another context, but the first one has signaled. */
	add(test, resv, next, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 1);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, next, DMA_RESV_USAGE_READ));
	mock_put_detached(test, gone);

	mock_fence_use(test, next);
	fini_resv(test, resv);
	mock_put_detached(test, next);
}

/* Which of two fences of one context is later does not depend on its issuer. */
static void later_fence_replaces_one_of_its_context(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *second = mock_fence_create(issuer, 2);
	struct dma_fence *third = mock_fence_create(issuer, 3);
	struct dma_fence *first = mock_fence_create(issuer, 1);

	dma_fence_signal(first);
	dma_fence_signal(third);
	add(test, resv, second, DMA_RESV_USAGE_READ);

	/* Detached, and earlier than what is there. */
	add(test, resv, first, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 2);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, second, DMA_RESV_USAGE_READ));

	/* Detached, and later. */
	add(test, resv, third, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_FALSE(test,
			   has_slot(test, resv, second, DMA_RESV_USAGE_READ));
	mock_expect_refs(test, second, 1);

	dma_fence_signal(second);
	mock_issuer_destroy(issuer);
	fini_resv(test, resv);
	mock_put_detached(test, first, second, third);
}

/* The fence of seqno @new has the slot of that of @old, and has signaled before. */
static void expect_later(struct kunit *test, struct mock_issuer *issuer, u64 new, u64 old)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *first = mock_fence_create(issuer, old);
	struct dma_fence *second = mock_fence_create(issuer, new);

	dma_fence_signal(second);
	add(test, resv, first, DMA_RESV_USAGE_READ);
	add(test, resv, second, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 1);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, second, DMA_RESV_USAGE_READ));

	mock_fence_detach(first);
	fini_resv(test, resv);
	mock_put_detached(test, first, second);
}

static void later_fence_is_found_by_64_bits(struct kunit *test)
{
	expect_later(test, mock_issuer_create(test, mock_lock_flags(test) | MOCK_SEQNO64),
		     SEQNO_NEW, SEQNO_OLD);
}

/* Hardware that wraps around after 32 bits starts over at small numbers. */
static void later_fence_is_found_by_32_bits(struct kunit *test)
{
	expect_later(test, mock_issuer_create_param(test), 1, U32_MAX);
}

static void reserving_drops_detached_fences(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone[8];
	int i;

	for (i = 0; i < ARRAY_SIZE(gone); i++) {
		gone[i] = mock_fence_create_live(test, 1);
		add(test, resv, gone[i], DMA_RESV_USAGE_READ);
	}
	add(test, resv, live, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 9);

	for (i = 0; i < ARRAY_SIZE(gone); i++)
		mock_fence_detach(gone[i]);

	/* More than there is room for, so the list is made anew. */
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	KUNIT_EXPECT_EQ(test, dma_resv_reserve_fences(resv, 100), 0);
	dma_resv_unlock(resv);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 1);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, live, DMA_RESV_USAGE_READ));
	for (i = 0; i < ARRAY_SIZE(gone); i++)
		mock_put_detached(test, gone[i]);

	mock_fence_detach(live);
	fini_resv(test, resv);
	mock_put_detached(test, live);
}

/* That dma_resv_get_fences() finds this many fences, and @first in front of them. */
static void expect_fences(struct kunit *test, struct dma_resv *resv, unsigned int want,
			  struct dma_fence *first)
{
	struct dma_fence **fences;
	unsigned int count;

	KUNIT_ASSERT_EQ(test, 0,
			dma_resv_get_fences(resv, DMA_RESV_USAGE_WRITE, &count,
					    &fences));
	KUNIT_EXPECT_EQ(test, count, want);
	if (count)
		KUNIT_EXPECT_PTR_EQ(test, fences[0], first);
	while (count)
		dma_fence_put(fences[--count]);
	kfree(fences);
}

static void get_fences_leaves_out_detached_ones(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create_live(test, 1);

	add(test, resv, gone, DMA_RESV_USAGE_WRITE);
	add(test, resv, live, DMA_RESV_USAGE_WRITE);
	expect_fences(test, resv, 2, gone);

	mock_fence_detach(gone);
	expect_fences(test, resv, 1, live);

	mock_fence_detach(live);
	expect_fences(test, resv, 0, NULL);

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

/* One fence that stands for all that are to be waited for, with a reference. */
static struct dma_fence *get_singleton(struct kunit *test, struct dma_resv *resv)
{
	struct dma_fence *fence;

	KUNIT_ASSERT_EQ(test, 0,
			dma_resv_get_singleton(resv, DMA_RESV_USAGE_WRITE, &fence));

	return fence;
}

static void get_singleton_leaves_out_detached_ones(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *fences[3], *array, *single;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = mock_fence_create_live(test, 1);
		add(test, resv, fences[i], DMA_RESV_USAGE_WRITE);
	}

	mock_fence_detach(fences[0]);
	array = get_singleton(test, resv);
	KUNIT_ASSERT_NOT_NULL(test, to_dma_fence_array(array));
	KUNIT_EXPECT_EQ(test, to_dma_fence_array(array)->num_fences, 2);

	mock_fence_detach(fences[1]);
	single = get_singleton(test, resv);
	KUNIT_EXPECT_PTR_EQ(test, single, fences[2]);
	dma_fence_put(single);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(array));

	mock_fence_detach(fences[2]);
	KUNIT_EXPECT_NULL(test, get_singleton(test, resv));

	/* The array is as good as its members, who have lost their issuers. */
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	dma_fence_put(array);
	fini_resv(test, resv);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		mock_put_detached(test, fences[i]);
}

static void test_signaled_follows_the_usage(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create_live(test, 1);

	add(test, resv, gone, DMA_RESV_USAGE_KERNEL);
	add(test, resv, live, DMA_RESV_USAGE_BOOKKEEP);
	KUNIT_EXPECT_FALSE(test,
			   dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL));
	mock_fence_detach(gone);

	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(resv, DMA_RESV_USAGE_KERNEL));
	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_FALSE(test,
			   dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

/* Nobody had asked whether it was done, nor enabled signaling of it. */
static void wait_for_detached_fences_returns_at_once(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);

	add(test, resv, gone, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, false, 7));
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, true, 7));
	KUNIT_EXPECT_EQ(test, 1, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, false, 0));

	fini_resv(test, resv);
	mock_put_detached(test, gone);
}

/* Somebody who signals a fence, and is gone by the time that anybody looks. */
struct signaler {
	struct delayed_work work;
	struct dma_fence *fence;
};

static void signaler_work(struct work_struct *work)
{
	struct signaler *signaler =
		container_of(work, struct signaler, work.work);

	dma_fence_signal(signaler->fence);
}

static void wait_ends_with_the_last_live_fence(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create(issuer, 1);
	struct signaler *signaler;

	signaler = kunit_kzalloc(test, sizeof(*signaler), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, signaler);
	INIT_DELAYED_WORK(&signaler->work, signaler_work);
	signaler->fence = live;

	add(test, resv, gone, DMA_RESV_USAGE_WRITE);
	add(test, resv, live, DMA_RESV_USAGE_WRITE);
	mock_fence_detach(gone);
	KUNIT_EXPECT_EQ(test, 0, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, false, 1));

	schedule_delayed_work(&signaler->work, 2);
	KUNIT_EXPECT_GT(test,
			dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, false,
					      MOCK_SOON), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(live));
	/* The grace period starts when the signaler has returned. */
	flush_delayed_work(&signaler->work);
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_WRITE, false, 7));

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

static void copy_leaves_out_detached_fences(struct kunit *test)
{
	struct dma_resv *src = create_resv(test);
	struct dma_resv *dst = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *replaced = mock_fence_create_detached(test, 1, 0);

	add(test, src, gone, DMA_RESV_USAGE_WRITE);
	add(test, src, live, DMA_RESV_USAGE_READ);
	add(test, dst, replaced, DMA_RESV_USAGE_READ);
	mock_fence_detach(gone);

	KUNIT_ASSERT_EQ(test, dma_resv_lock(dst, NULL), 0);
	KUNIT_EXPECT_EQ(test, dma_resv_copy_fences(dst, src), 0);
	dma_resv_unlock(dst);
	KUNIT_EXPECT_EQ(test, count_slots(test, src), 2);
	KUNIT_EXPECT_EQ(test, count_slots(test, dst), 1);
	KUNIT_EXPECT_TRUE(test, has_slot(test, dst, live, DMA_RESV_USAGE_READ));
	mock_put_detached(test, replaced);

	mock_fence_detach(live);
	fini_resv(test, src);
	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(dst, DMA_RESV_USAGE_BOOKKEEP));
	fini_resv(test, dst);
	mock_put_detached(test, gone, live);
}

/* Those of the context of @old by @new. */
static void replace(struct kunit *test, struct dma_resv *resv, struct dma_fence *old,
		    struct dma_fence *new, enum dma_resv_usage usage)
{
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	dma_resv_replace_fences(resv, old->context, new, usage);
	dma_resv_unlock(resv);
}

/* A context is known by its number, whether or not its issuer exists. */
static void replace_finds_detached_fences_by_context(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *stub = dma_fence_get_stub();

	add(test, resv, gone, DMA_RESV_USAGE_BOOKKEEP);
	add(test, resv, live, DMA_RESV_USAGE_BOOKKEEP);
	mock_fence_detach(gone);

	replace(test, resv, gone, stub, DMA_RESV_USAGE_READ);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 2);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, stub, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_TRUE(test,
			  has_slot(test, resv, live, DMA_RESV_USAGE_BOOKKEEP));
	mock_expect_refs(test, gone, 1);

	/* And the other way round: a live fence by one that is detached. */
	replace(test, resv, live, gone, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_TRUE(test, has_slot(test, resv, gone, DMA_RESV_USAGE_WRITE));
	KUNIT_EXPECT_TRUE(test,
			  dma_resv_test_signaled(resv, DMA_RESV_USAGE_BOOKKEEP));
	mock_expect_refs(test, live, 1);

	mock_fence_detach(live);
	fini_resv(test, resv);
	dma_fence_put(stub);
	mock_put_detached(test, gone, live);
}

static void deadline_reaches_live_fences_only(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 1);
	struct mock_calls *gone_calls = mock_fence_calls(gone);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct mock_calls *live_calls = mock_fence_calls(live);

	add(test, resv, gone, DMA_RESV_USAGE_READ);
	add(test, resv, live, DMA_RESV_USAGE_READ);
	mock_fence_detach(gone);

	dma_resv_set_deadline(resv, DMA_RESV_USAGE_READ, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&gone_calls->set_deadline), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&live_calls->set_deadline), 1);

	mock_fence_detach(live);
	dma_resv_set_deadline(resv, DMA_RESV_USAGE_READ, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&live_calls->set_deadline), 1);

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

/* What debugfs shows of a buffer, a line for each fence. */
static const char *describe(struct kunit *test, struct dma_resv *resv)
{
	struct seq_file seq = { .size = PAGE_SIZE };

	seq.buf = kunit_kzalloc(test, seq.size, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seq.buf);
	KUNIT_ASSERT_EQ(test, dma_resv_lock(resv, NULL), 0);
	dma_resv_describe(resv, &seq);
	dma_resv_unlock(resv);

	return seq.buf;
}

/* A fence to write, and one to read, each of which may be live. */
static void expect_described(struct kunit *test, struct dma_resv *resv,
			     struct dma_fence *write, bool write_live,
			     struct dma_fence *read, bool read_live)
{
	char expect[256];

	snprintf(expect, sizeof(expect), "\twrite fence:%s\tread fence:%s",
		 mock_described(test, write, write_live),
		 mock_described(test, read, read_live));
	KUNIT_EXPECT_STREQ(test, describe(test, resv), expect);
}

static void describe_names_detached_fences(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *gone = mock_fence_create_live(test, 17);
	struct dma_fence *live = mock_fence_create_live(test, 18);

	add(test, resv, gone, DMA_RESV_USAGE_WRITE);
	add(test, resv, live, DMA_RESV_USAGE_READ);
	expect_described(test, resv, gone, true, live, true);

	mock_fence_detach(gone);
	expect_described(test, resv, gone, false, live, true);

	mock_fence_detach(live);
	expect_described(test, resv, gone, false, live, false);

	fini_resv(test, resv);
	mock_put_detached(test, gone, live);
}

/* The buffer has the last reference, and goes away after the issuer. */
static void fini_releases_detached_fences(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *fence = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(fence);

	add(test, resv, fence, DMA_RESV_USAGE_READ);
	dma_fence_put(fence);
	mock_fence_detach(fence);

	KUNIT_EXPECT_TRUE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test, kref_read(&fence->refcount), 1);
	fini_resv(test, resv);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
}

/*
 * The containers of a buffer's fences are made by others, but a signaled one
 * must not be taken for a plain fence: dma_resv_add_fence() warns of them.
 */
static void containers_of_detached_fences_are_recognized(struct kunit *test)
{
	struct dma_resv *resv = create_resv(test);
	struct dma_fence *fences[2], *array;
	int i;

	for (i = 0; i < ARRAY_SIZE(fences); i++) {
		fences[i] = mock_fence_create_live(test, 1);
		add(test, resv, fences[i], DMA_RESV_USAGE_WRITE);
	}
	array = get_singleton(test, resv);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		mock_fence_detach(fences[i]);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(array));

	dma_fence_put(array);
	fini_resv(test, resv);
	for (i = 0; i < ARRAY_SIZE(fences); i++)
		mock_put_detached(test, fences[i]);
}

/* Fences with release or wait keep their issuer, and work as ever. */
static void attached_fences_work_as_ever(struct kunit *test)
{
	unsigned int flags = mock_attached_flags(test);
	struct dma_resv *resv = create_resv(test);
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *first = mock_fence_create(issuer, 1);
	struct dma_fence *second = mock_fence_create(issuer, 2);

	add(test, resv, first, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_FALSE(test, dma_resv_test_signaled(resv, DMA_RESV_USAGE_READ));
	KUNIT_EXPECT_EQ(test, 0, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_READ, false, 1));
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->wait),
			flags & MOCK_WAIT ? 1 : 0);

	/* The later one has signaled already: it replaces the first. */
	dma_fence_signal(second);
	add(test, resv, second, DMA_RESV_USAGE_WRITE);
	KUNIT_EXPECT_EQ(test, count_slots(test, resv), 1);
	KUNIT_EXPECT_NOT_NULL(test, strstr(describe(test, resv),
					   mock_described(test, second, false)));
	KUNIT_EXPECT_EQ(test, 7, dma_resv_wait_timeout(resv, DMA_RESV_USAGE_READ, false, 7));

	dma_fence_signal(first);
	dma_fence_put(first);
	mock_expect_releases(test, calls, 1);
	dma_fence_put(second);
	mock_expect_releases(test, calls, 1);
	fini_resv(test, resv);
	mock_expect_releases(test, calls, 2);
}

static struct kunit_case dma_resv_test_cases[] = {
	KUNIT_CASE_PARAM(locked_iteration_visits_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(unlocked_iteration_skips_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(detached_fences_can_be_added, mock_lock_gen_params),
	KUNIT_CASE_PARAM(later_fence_replaces_one_of_its_context,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(later_fence_is_found_by_64_bits, mock_lock_gen_params),
	KUNIT_CASE_PARAM(later_fence_is_found_by_32_bits, mock_lock_gen_params),
	KUNIT_CASE_PARAM(reserving_drops_detached_fences, mock_lock_gen_params),
	KUNIT_CASE_PARAM(get_fences_leaves_out_detached_ones,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(get_singleton_leaves_out_detached_ones,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(test_signaled_follows_the_usage, mock_lock_gen_params),
	KUNIT_CASE_PARAM(wait_for_detached_fences_returns_at_once,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(wait_ends_with_the_last_live_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(copy_leaves_out_detached_fences, mock_lock_gen_params),
	KUNIT_CASE_PARAM(replace_finds_detached_fences_by_context,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(deadline_reaches_live_fences_only,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(describe_names_detached_fences, mock_lock_gen_params),
	KUNIT_CASE_PARAM(fini_releases_detached_fences, mock_lock_gen_params),
	KUNIT_CASE_PARAM(containers_of_detached_fences_are_recognized,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(attached_fences_work_as_ever, mock_attached_gen_params),
	{}
};

static struct kunit_suite dma_resv_test_suite = {
	.name = "dma_resv",
	.test_cases = dma_resv_test_cases,
};

kunit_test_suite(dma_resv_test_suite);
