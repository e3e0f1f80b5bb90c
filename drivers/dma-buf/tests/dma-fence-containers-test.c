// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit tests for dma_fence containers: arrays, chains, what is made by
 * unwrapping and merging them, and the stubs that stand in for fences.
 *
 * A container is a fence of the core. It lives on with whatever it contains
 * after the issuers of its members are gone, so nothing that it does may lead
 * to one of them: neither to their ops, nor to their lock, nor to their names.
 */

#include <kunit/test.h>

#include <linux/delay.h>
#include <linux/dma-fence-array.h>
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence-unwrap.h>
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "mock-issuer.h"

/* Sequence numbers that only a 64-bit comparison puts into this order. */
#define SEQNO_OLD	5ULL
#define SEQNO_NEW	(BIT_ULL(32) + 1)

static void expect_signals(struct kunit *test, struct dma_fence *fence)
{
	mock_wait_fence(test, fence);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
}

/* What can be asked of a signaled container; mock_fence_use() is for others. */
static void use_container(struct kunit *test, struct dma_fence *fence)
{
	struct mock_cb cb = {};

	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(fence));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(fence));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fence), fence->error ?: 1);
	KUNIT_EXPECT_GT(test, dma_fence_timestamp(fence), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_check_and_signal(fence));
	KUNIT_EXPECT_EQ(test, mock_cb_add(fence, &cb), -ENOENT);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(fence, true, 0), 1);
	dma_fence_enable_signaling(fence);
	dma_fence_set_deadline(fence, ktime_get());
	mock_expect_names(test, fence, "detached-driver", "signaled-timeline");
	KUNIT_EXPECT_NOT_NULL(test, strstr(mock_describe(test, fence),
					   " signalled"));
}

static struct dma_fence *create_array(struct kunit *test, bool any,
				      unsigned int count,
				      struct dma_fence **members)
{
	struct dma_fence_array *array;
	struct dma_fence **fences;
	unsigned int i;

	if (any && !MOCK_HAS_ARRAY_ANY)
		kunit_skip(test, "no array of this kernel signals with the first of its fences");

	/* The array frees this, and drops the references in it. */
	fences = kmalloc_array(count, sizeof(*fences), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fences);
	for (i = 0; i < count; i++)
		fences[i] = dma_fence_get(members[i]);

	array = mock_array_create(count, fences, dma_fence_context_alloc(1), 1, any);
	KUNIT_ASSERT_NOT_NULL(test, array);

	return &array->base;
}

#define create_array_of(test, any, ...)					\
	({								\
		struct dma_fence *__members[] = { __VA_ARGS__ };	\
									\
		create_array(test, any, ARRAY_SIZE(__members), __members); \
	})

/* Takes over the reference to @prev, and a new one to @fence. */
static struct dma_fence *create_node(struct kunit *test, struct dma_fence *prev,
				     struct dma_fence *fence, u64 seqno)
{
	struct dma_fence_chain *chain = dma_fence_chain_alloc();

	KUNIT_ASSERT_NOT_NULL(test, chain);
	dma_fence_chain_init(chain, prev, dma_fence_get(fence), seqno);

	return &chain->base;
}

/* How many fences unwrapping @head finds, and that they are those in @want. */
static void expect_unwraps_to(struct kunit *test, struct dma_fence *head,
			      unsigned int count, struct dma_fence **want)
{
	struct dma_fence_unwrap cursor;
	struct dma_fence *fence;
	unsigned int i = 0;

	dma_fence_unwrap_for_each(fence, &cursor, head) {
		if (i < count)
			KUNIT_EXPECT_PTR_EQ(test, fence, want[i]);
		i++;
	}
	KUNIT_EXPECT_EQ(test, i, count);
}

#define expect_unwraps(test, head, ...)					\
	do {								\
		struct dma_fence *__want[] = { __VA_ARGS__ };		\
									\
		expect_unwraps_to(test, head, ARRAY_SIZE(__want), __want); \
	} while (0)

/*
 * Arrays
 */

static void array_of_detached_fences_has_signaled(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *array = create_array_of(test, false, a, b);

	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(array));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(array));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), 1);
	use_container(test, array);

	dma_fence_put(array);
	mock_put_detached(test, a, b);
}

/* The same, but found while its first callback is added. */
static void array_of_detached_fences_takes_no_callback(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *array = create_array_of(test, false, a, b);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, mock_cb_add(array, &cb), -ENOENT);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(array));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(array, &cb.base));
	use_container(test, array);

	dma_fence_put(array);
	mock_put_detached(test, a, b);
}

static void array_waits_for_its_live_member(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *array = create_array_of(test, false, gone, live);
	struct mock_cb cb = {};

	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(array));
	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(array, false, 0), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);

	mock_fence_detach(live);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), 1);
	use_container(test, array);

	dma_fence_put(array);
	mock_put_detached(test, gone, live);
}

static void array_of_any_signals_with_a_detached_member(struct kunit *test)
{
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *polled = create_array_of(test, true, live, gone);
	struct dma_fence *waited = create_array_of(test, true, live, gone);
	struct mock_cb cb = {};

	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(polled));
	use_container(test, polled);

	KUNIT_EXPECT_EQ(test, mock_cb_add(waited, &cb), -ENOENT);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(waited));
	use_container(test, waited);

	/* Which does nothing to those who have not signaled. */
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(live));
	dma_fence_put(polled);
	dma_fence_put(waited);

	/* The callback of the second array was left on the live member. */
	mock_fence_detach(live);
	mock_put_detached(test, live, gone);
}

static void array_of_any_outlives_its_first_issuer(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_live(test, 1);
	struct dma_fence *b = mock_fence_create_live(test, 1);
	struct dma_fence *array = create_array_of(test, true, a, b);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);

	mock_fence_detach(a);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	use_container(test, array);

	/* Only drops the reference that its callback has to the array. */
	mock_fence_detach(b);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	use_container(test, array);

	dma_fence_put(array);
	mock_put_detached(test, a, b);
}

/* A fence that signals another one while its own signaling is enabled. */
struct trigger_fence {
	struct dma_fence base;
	struct dma_fence *victim;
	bool done;
	int error;
};

static const char *trigger_name(struct dma_fence *fence)
{
	return "trigger";
}

static bool trigger_enable_signaling(struct dma_fence *fence)
{
	struct trigger_fence *trigger =
		container_of(fence, struct trigger_fence, base);

	if (trigger->victim)
		dma_fence_signal(trigger->victim);
	if (trigger->done && trigger->error)
		dma_fence_set_error(fence, trigger->error);

	return !trigger->done;
}

static const struct dma_fence_ops trigger_ops = {
	.get_driver_name = trigger_name,
	.get_timeline_name = trigger_name,
	.enable_signaling = trigger_enable_signaling,
};

static struct trigger_fence *create_trigger(struct kunit *test,
					    struct dma_fence *victim)
{
	struct trigger_fence *trigger = kzalloc(sizeof(*trigger), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, trigger);
	dma_fence_init(&trigger->base, &trigger_ops, NULL,
		       dma_fence_context_alloc(1), 1);
	trigger->victim = victim;

	return trigger;
}

/* Before its own callback is added: the array is told so by -ENOENT. */
static void array_member_signals_before_it_is_enabled(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *member = mock_fence_create(issuer, 1);
	struct trigger_fence *trigger = create_trigger(test, member);
	struct dma_fence *array = create_array_of(test, false, &trigger->base,
						  member);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(member));
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(array, false, 0), 0);

	dma_fence_signal(&trigger->base);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	use_container(test, array);

	dma_fence_put(array);
	dma_fence_put(&trigger->base);
	mock_put_detached(test, member);
}

/* After its own callback was added: the array hears of it while locked. */
static void array_member_signals_after_it_is_enabled(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *member = mock_fence_create(issuer, 1);
	struct trigger_fence *trigger = create_trigger(test, member);
	struct dma_fence *array = create_array_of(test, true, member,
						  &trigger->base);
	struct mock_cb cb = {};

	/* The first to signal is enough, the rest is up to the irq_work. */
	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(member));
	mock_issuer_destroy(issuer);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	use_container(test, array);

	dma_fence_signal(&trigger->base);
	dma_fence_put(array);
	dma_fence_put(&trigger->base);
	mock_put_detached(test, member);
}

/* All members turn out to be done while the array enables them. */
static void array_signals_while_it_is_enabled(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct trigger_fence *trigger = create_trigger(test, NULL);
	struct dma_fence *array = create_array_of(test, false, &trigger->base,
						  gone);
	struct mock_cb cb = {};

	trigger->done = true;
	trigger->error = -ENODATA;
	KUNIT_EXPECT_EQ(test, mock_cb_add(array, &cb), -ENOENT);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(array));
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), -ENODATA);

	dma_fence_put(array);
	dma_fence_put(&trigger->base);
	mock_put_detached(test, gone);
}

static void array_takes_the_error_of_a_detached_member(struct kunit *test)
{
	struct dma_fence *good = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *bad = mock_fence_create_detached(test, 1, -EIO);
	struct dma_fence *array = create_array_of(test, false, good, bad);
	struct dma_fence *fine = create_array_of(test, false, good, good);

	dma_fence_enable_signaling(array);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), -EIO);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(bad), -EIO);

	dma_fence_enable_signaling(fine);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(fine), 1);

	dma_fence_put(array);
	dma_fence_put(fine);
	mock_put_detached(test, good, bad);
}

/* It is the first error that counts, and a detached member was first. */
static void array_keeps_its_first_error(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, -EIO);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *array = create_array_of(test, false, live, gone);
	struct mock_cb cb = {};

	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), 0);

	dma_fence_set_error(live, -ENODEV);
	mock_fence_detach(live);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), -EIO);
	KUNIT_EXPECT_EQ(test, cb.error, -EIO);

	dma_fence_put(array);
	mock_put_detached(test, gone, live);
}

static void array_takes_the_error_of_a_live_member(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *array = create_array_of(test, false, live, gone);

	dma_fence_enable_signaling(array);
	dma_fence_set_error(live, -ENODEV);
	mock_fence_detach(live);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(array), -ENODEV);

	dma_fence_put(array);
	mock_put_detached(test, gone, live);
}

/*
 * Whoever unwraps an array asks whether it is one, also long after it has
 * signaled: the answer must not get lost with the signal.
 */
static void array_that_signaled_is_still_an_array(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *array = create_array_of(test, false, a, b);
	struct dma_fence *member;
	unsigned int i, count = 0;

	KUNIT_ASSERT_TRUE(test, dma_fence_is_array(array));
	dma_fence_enable_signaling(array);
	KUNIT_ASSERT_TRUE(test, dma_fence_test_signaled_flag(array));

	KUNIT_EXPECT_TRUE(test, dma_fence_is_array(array));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(array));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_chain(array));
	KUNIT_EXPECT_NOT_NULL(test, to_dma_fence_array(array));
	expect_unwraps(test, array, a, b);
	dma_fence_array_for_each(member, i, array)
		count++;
	KUNIT_EXPECT_EQ(test, count, 2);

	/* A fence that was none, and has no ops any more, does not become one. */
	KUNIT_EXPECT_FALSE(test, dma_fence_is_container(a));
	KUNIT_EXPECT_NULL(test, to_dma_fence_array(a));
	KUNIT_EXPECT_NULL(test, to_dma_fence_chain(a));
	expect_unwraps(test, a, a);

	dma_fence_put(array);
	mock_put_detached(test, a, b);
}

static void array_of_detached_fences_matches_their_context(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	struct dma_fence *other = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *same = create_array_of(test, false, a, b);
	struct dma_fence *mixed = create_array_of(test, false, a, other);

	dma_fence_signal(a);
	dma_fence_signal(b);
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(same));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(mixed));

	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(same, a->context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(same, same->context));
	KUNIT_EXPECT_FALSE(test, dma_fence_match_context(mixed, a->context));
	KUNIT_EXPECT_TRUE(test, dma_fence_match_context(a, b->context));

	dma_fence_put(same);
	dma_fence_put(mixed);
	mock_put_detached(test, a, b, other);
}

static void array_passes_deadlines_to_live_members_only(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(live);
	struct dma_fence *array = create_array_of(test, false, gone, live);

	dma_fence_set_deadline(array, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	dma_fence_enable_signaling(array);
	mock_fence_detach(live);
	expect_signals(test, array);
	dma_fence_set_deadline(array, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	dma_fence_put(array);
	mock_put_detached(test, gone, live);
}

static void array_is_named_like_any_fence(struct kunit *test)
{
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *array = create_array_of(test, false, live);

	mock_expect_names(test, array, "dma_fence_array", "unbound");
	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	mock_expect_names(test, array, "detached-driver", "signaled-timeline");

	dma_fence_put(array);
	mock_put_detached(test, live);
}

/* Never asked, never signaled: the members are dropped all the same. */
static void array_released_unsignaled_drops_its_members(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *array = create_array_of(test, false, a, b, a);

	KUNIT_EXPECT_EQ(test, kref_read(&a->refcount), 3);
	KUNIT_EXPECT_EQ(test, kref_read(&b->refcount), 2);
	dma_fence_put(array);
	KUNIT_EXPECT_EQ(test, kref_read(&a->refcount), 1);
	KUNIT_EXPECT_EQ(test, kref_read(&b->refcount), 1);

	mock_put_detached(test, a, b);
}

/* The array has the last reference to its members, their issuer is gone. */
static void array_releases_the_last_reference(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct mock_calls *calls = mock_fence_calls(a);
	struct dma_fence *array = create_array_of(test, false, a);

	dma_fence_put(a);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	use_container(test, array);
	dma_fence_put(array);
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->late), 0);
}

/* Fences with release or wait keep their issuer, and work as ever. */
static void array_of_attached_fences(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	struct dma_fence *array = create_array_of(test, false, a, b);
	struct mock_cb cb = {};

	dma_fence_signal(a);
	KUNIT_ASSERT_EQ(test, mock_cb_add(array, &cb), 0);
	dma_fence_signal(b);
	expect_signals(test, array);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	expect_unwraps(test, array, a, b);
	mock_fence_use(test, a);
	use_container(test, array);
	mock_expect_names(test, b, "detached-driver", "signaled-timeline");

	/* Nothing may be left for later, when the issuer is gone after all. */
	mock_expect_refs(test, array, 1);
	mock_expect_refs(test, a, 2);
	dma_fence_put(a);
	dma_fence_put(b);
	mock_expect_releases(test, calls, 0);
	dma_fence_put(array);
	mock_expect_releases(test, calls, 2);
}

/*
 * Chains
 */

static void chain_of_detached_fences_has_signaled(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *head = create_node(test, NULL, a, 1);
	struct mock_cb cb = {};

	head = create_node(test, head, b, 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_test_signaled_flag(head));
	KUNIT_EXPECT_EQ(test, mock_cb_add(head, &cb), -ENOENT);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(head));
	use_container(test, head);

	dma_fence_put(head);
	mock_put_detached(test, a, b);
}

static void chain_is_asked_whether_it_has_signaled(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *head = create_node(test, NULL, live, 1);

	/* The head is done, but not what comes before it. */
	head = create_node(test, head, gone, 2);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(head));
	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	use_container(test, head);

	dma_fence_put(head);
	mock_put_detached(test, gone, live);
}

static void chain_signals_with_its_last_live_fence(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *a = mock_fence_create_live(test, 1);
	struct dma_fence *b = mock_fence_create_live(test, 1);
	struct dma_fence *head = create_node(test, NULL, a, 1);
	struct mock_cb cb = {};

	head = create_node(test, head, gone, 2);
	head = create_node(test, head, b, 3);
	KUNIT_ASSERT_EQ(test, mock_cb_add(head, &cb), 0);

	/* From the newest to the oldest: the chain moves its callback on. */
	mock_fence_detach(b);
	KUNIT_EXPECT_EQ(test, dma_fence_wait_timeout(head, false, 2), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);

	mock_fence_detach(a);
	expect_signals(test, head);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	use_container(test, head);

	dma_fence_put(head);
	mock_put_detached(test, gone, a, b);
}

static void chain_walk_skips_detached_fences(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *old = mock_fence_create(issuer, 1);
	struct dma_fence *new = mock_fence_create(issuer, 2);
	struct dma_fence *gone1 = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *gone2 = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *head = create_node(test, NULL, old, 1);
	struct dma_fence *iter;
	u64 seen[4] = {};
	int count = 0;

	head = create_node(test, head, gone1, 2);
	head = create_node(test, head, gone2, 3);
	head = create_node(test, head, new, 4);
	dma_fence_chain_for_each(iter, head) {
		if (count < ARRAY_SIZE(seen))
			seen[count] = iter->seqno;
		count++;
	}
	KUNIT_EXPECT_EQ(test, count, 2);
	KUNIT_EXPECT_EQ(test, seen[0], 4);
	KUNIT_EXPECT_EQ(test, seen[1], 1);

	/* The nodes that were skipped are garbage, with what they held. */
	mock_put_detached(test, gone1, gone2);

	dma_fence_signal(old);
	dma_fence_signal(new);
	mock_issuer_destroy(issuer);
	dma_fence_put(head);
	mock_put_detached(test, old, new);
}

static void chain_walk_collects_all_of_a_detached_tail(struct kunit *test)
{
	struct dma_fence *gone[4], *iter, *head = NULL;
	int i, count = 0;

	for (i = 0; i < ARRAY_SIZE(gone); i++) {
		gone[i] = mock_fence_create_detached(test, 1, 0);
		head = create_node(test, head, gone[i], i + 1);
	}
	dma_fence_chain_for_each(iter, head)
		count++;
	KUNIT_EXPECT_EQ(test, count, 1);
	KUNIT_EXPECT_NULL(test,
			  rcu_access_pointer(to_dma_fence_chain(head)->prev));
	for (i = 0; i < ARRAY_SIZE(gone) - 1; i++)
		mock_put_detached(test, gone[i]);

	dma_fence_put(head);
	mock_put_detached(test, gone[i]);
}

/* A node may be held by somebody: it stays, with what it holds. */
static void chain_walk_leaves_a_node_to_its_holder(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *node = create_node(test, NULL, a, 1);
	struct dma_fence *head = create_node(test, dma_fence_get(node), b, 2);
	struct dma_fence *iter;

	dma_fence_chain_for_each(iter, head)
		;
	KUNIT_EXPECT_EQ(test, kref_read(&node->refcount), 1);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(node), a);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(node));
	use_container(test, node);

	dma_fence_put(head);
	mock_put_detached(test, b);
	dma_fence_put(node);
	mock_put_detached(test, a);
}

/* What the search for @seqno returns, and the fence that it leaves to the caller. */
static void expect_found(struct kunit *test, struct dma_fence *head, u64 seqno, int ret,
			 struct dma_fence *want)
{
	struct dma_fence *found = dma_fence_get(head);

	KUNIT_EXPECT_EQ(test, dma_fence_chain_find_seqno(&found, seqno), ret);
	KUNIT_EXPECT_PTR_EQ(test, found, want);
	dma_fence_put(found);
}

static void chain_find_seqno_among_detached_fences(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *head = create_node(test, NULL, a, 1);

	head = create_node(test, head, b, 4);

	/* A point in the future: nothing was found, the caller keeps it. */
	expect_found(test, head, 5, -EINVAL, head);

	expect_found(test, head, 4, 0, head);
	expect_found(test, head, 2, 0, head);

	/* Signaled long ago: no fence is needed to wait for it. */
	expect_found(test, head, 1, 0, NULL);

	/* Still right when the head has signaled and is a signaled chain. */
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	expect_found(test, head, 5, -EINVAL, head);
	expect_found(test, head, 4, 0, head);
	expect_found(test, head, 0, 0, head);

	dma_fence_put(head);
	mock_put_detached(test, a, b);
}

static void chain_find_seqno_stops_at_a_live_fence(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *tail = create_node(test, NULL, live, 1);
	struct dma_fence *head = create_node(test, dma_fence_get(tail), gone, 2);

	expect_found(test, head, 1, 0, tail);
	expect_found(test, head, 2, 0, head);

	mock_fence_detach(live);
	expect_found(test, head, 1, 0, NULL);

	dma_fence_put(tail);
	dma_fence_put(head);
	mock_put_detached(test, gone, live);
}

static void chain_find_seqno_needs_a_chain(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 3, 0);

	expect_found(test, gone, 1, -EINVAL, gone);
	expect_found(test, gone, 0, 0, gone);

	mock_put_detached(test, gone);
}

/* The context of a timeline is passed on by nodes that have signaled, too. */
static void chain_continues_a_signaled_chain(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *tail = create_node(test, NULL, a, 7);
	struct dma_fence *head;

	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(tail));
	head = create_node(test, dma_fence_get(tail), b, 8);
	KUNIT_EXPECT_EQ(test, head->context, tail->context);
	KUNIT_EXPECT_EQ(test, to_dma_fence_chain(head)->prev_seqno, 7);

	/* A point that is not later starts anew, but not before the chain. */
	dma_fence_put(head);
	head = create_node(test, dma_fence_get(tail), b, 3);
	KUNIT_EXPECT_NE(test, head->context, tail->context);
	KUNIT_EXPECT_EQ(test, head->seqno, 7);

	dma_fence_put(tail);
	dma_fence_put(head);
	mock_put_detached(test, a, b);
}

/* Before it was a timeline, a syncobj may have had a plain fence. */
static void chain_continues_a_detached_fence(struct kunit *test)
{
	struct dma_fence *prev = mock_fence_create_detached(test, 9, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *head = create_node(test, dma_fence_get(prev), live, 3);
	struct dma_fence *iter;
	int count = 0;

	KUNIT_EXPECT_NE(test, head->context, prev->context);
	KUNIT_EXPECT_EQ(test, head->seqno, 3);
	dma_fence_chain_for_each(iter, head)
		count++;
	KUNIT_EXPECT_EQ(test, count, 1);
	mock_put_detached(test, prev);

	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	use_container(test, head);
	dma_fence_put(head);
	mock_put_detached(test, live);
}

/* The points of a timeline have 64 bits, whatever its state. */
static void chain_compares_64_bits_after_the_signal(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *tail = create_node(test, NULL, a, SEQNO_OLD);
	struct dma_fence *head;

	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(tail));
	head = create_node(test, dma_fence_get(tail), b, SEQNO_NEW);
	KUNIT_EXPECT_EQ(test, head->context, tail->context);
	KUNIT_EXPECT_EQ(test, head->seqno, SEQNO_NEW);
	KUNIT_EXPECT_EQ(test, to_dma_fence_chain(head)->prev_seqno, SEQNO_OLD);

	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(head, tail));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_later(tail, head));
	expect_found(test, head, SEQNO_NEW, 0, head);
	expect_found(test, head, SEQNO_NEW + 1, -EINVAL, head);
	expect_found(test, head, SEQNO_OLD + 1, 0, head);

	dma_fence_put(tail);
	dma_fence_put(head);
	mock_put_detached(test, a, b);
}

static void chain_that_signaled_is_still_a_chain(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *head = create_node(test, NULL, gone, 1);

	KUNIT_ASSERT_TRUE(test, dma_fence_is_chain(head));
	KUNIT_ASSERT_TRUE(test, dma_fence_is_signaled(head));

	KUNIT_EXPECT_TRUE(test, dma_fence_is_chain(head));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_container(head));
	KUNIT_EXPECT_FALSE(test, dma_fence_is_array(head));
	KUNIT_EXPECT_NOT_NULL(test, to_dma_fence_chain(head));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(head), gone);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_chain_contained(gone), gone);
	expect_unwraps(test, head, gone);

	dma_fence_put(head);
	mock_put_detached(test, gone);
}

static void chain_passes_deadlines_to_live_fences_only(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct mock_calls *calls = mock_fence_calls(live);
	struct dma_fence *head = create_node(test, NULL, live, 1);

	head = create_node(test, head, gone, 2);
	dma_fence_set_deadline(head, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	dma_fence_set_deadline(head, ktime_get());
	KUNIT_EXPECT_EQ(test, atomic_read(&calls->set_deadline), 1);

	dma_fence_put(head);
	mock_put_detached(test, gone, live);
}

static void chain_is_named_like_any_fence(struct kunit *test)
{
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *head = create_node(test, NULL, live, 1);

	mock_expect_names(test, head, "dma_fence_chain", "unbound");
	mock_fence_detach(live);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	mock_expect_names(test, head, "detached-driver", "signaled-timeline");

	dma_fence_put(head);
	mock_put_detached(test, live);
}

/* Nobody has walked it, so all of it goes with the head. */
static void chain_released_unwalked_drops_its_fences(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *head = NULL;
	int i;

	for (i = 0; i < 100; i++)
		head = create_node(test, head, gone, i + 1);
	KUNIT_EXPECT_EQ(test, kref_read(&gone->refcount), 101);
	dma_fence_put(head);
	KUNIT_EXPECT_EQ(test, kref_read(&gone->refcount), 1);

	mock_put_detached(test, gone);
}

/* Fences with release or wait keep their issuer, and work as ever. */
static void chain_of_attached_fences(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_attached(test);
	struct mock_calls *calls = mock_issuer_calls(issuer);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	struct dma_fence *head = create_node(test, NULL, a, 1);

	head = create_node(test, head, b, 2);
	dma_fence_signal(a);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_signaled(head));
	dma_fence_signal(b);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	expect_unwraps(test, head, b);
	mock_fence_use(test, a);
	use_container(test, head);

	/* Nothing may be left for later, when the issuer is gone after all. */
	mock_expect_refs(test, a, 1);
	dma_fence_put(a);
	dma_fence_put(b);
	dma_fence_put(head);
	mock_expect_releases(test, calls, 2);
}

/*
 * Unwrapping and merging
 */

static void unwrap_of_a_chain_of_arrays(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	struct dma_fence *tail = create_array_of(test, false, a, gone);
	struct dma_fence *array = create_array_of(test, false, gone, b);
	struct dma_fence *head;

	head = create_node(test, create_node(test, NULL, tail, 1), array, 2);
	dma_fence_put(tail);
	dma_fence_put(array);
	expect_unwraps(test, head, gone, b, a, gone);

	/* What has signaled is dropped from the chain, but not from its head. */
	dma_fence_signal(a);
	dma_fence_signal(b);
	mock_issuer_destroy(issuer);
	expect_unwraps(test, head, gone, b);

	dma_fence_put(head);
	mock_put_detached(test, gone, a, b);
}

static void merge_of_detached_and_live_is_the_live_one(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *live = mock_fence_create_live(test, 1);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(gone, live);
	KUNIT_EXPECT_PTR_EQ(test, merged, live);
	dma_fence_put(merged);
	merged = dma_fence_unwrap_merge(live, gone, live);
	KUNIT_EXPECT_PTR_EQ(test, merged, live);
	dma_fence_put(merged);

	mock_fence_detach(live);
	mock_put_detached(test, gone, live);
}

static void merge_leaves_out_what_is_detached(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *a = mock_fence_create_live(test, 1);
	struct dma_fence *b = mock_fence_create_live(test, 1);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(a, gone, b);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_array(merged));
	/* Sorted by context, and the issuer of a had the first one. */
	expect_unwraps(test, merged, a, b);

	mock_fence_detach(a);
	mock_fence_detach(b);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(merged));
	expect_unwraps(test, merged, a, b);
	use_container(test, merged);

	dma_fence_put(merged);
	mock_put_detached(test, gone, a, b);
}

static void merge_keeps_the_latest_of_a_context(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *old = mock_fence_create(issuer, 1);
	struct dma_fence *new = mock_fence_create(issuer, 2);
	struct dma_fence *other = mock_fence_create_live(test, 1);
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(old, gone, new, other);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	expect_unwraps(test, merged, new, other);
	dma_fence_put(merged);

	merged = dma_fence_unwrap_merge(new, old);
	KUNIT_EXPECT_PTR_EQ(test, merged, new);
	dma_fence_put(merged);

	dma_fence_signal(old);
	mock_fence_detach(new);
	mock_fence_detach(other);
	mock_put_detached(test, old, new, other, gone);
}

/* Not the later one of 32 bits, if the context has 64. */
static void merge_keeps_the_latest_of_64_bits(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, mock_lock_flags(test) | MOCK_SEQNO64);
	struct dma_fence *old = mock_fence_create(issuer, SEQNO_OLD);
	struct dma_fence *new = mock_fence_create(issuer, SEQNO_NEW);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(old, new);
	KUNIT_EXPECT_PTR_EQ(test, merged, new);
	dma_fence_put(merged);

	dma_fence_signal(old);
	dma_fence_signal(new);
	mock_issuer_destroy(issuer);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_later(new, old));
	mock_put_detached(test, old, new);
}

/* User space asks a merged sync_file when the last of its fences was done. */
static void merge_of_detached_fences_is_a_stub(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create_param(test);
	struct dma_fence *a = mock_fence_create(issuer, 1);
	struct dma_fence *b = mock_fence_create(issuer, 2);
	struct dma_fence *c = mock_fence_create(issuer, 3);
	ktime_t now = ktime_get();
	struct dma_fence *merged;

	dma_fence_signal_timestamp(a, ktime_sub_ns(now, 3000));
	dma_fence_signal_timestamp(b, ktime_sub_ns(now, 1000));
	dma_fence_signal_timestamp(c, ktime_sub_ns(now, 2000));
	mock_issuer_destroy(issuer);

	merged = dma_fence_unwrap_merge(a, b, c);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_PTR_NE(test, merged, a);
	KUNIT_EXPECT_PTR_NE(test, merged, b);
	KUNIT_EXPECT_PTR_NE(test, merged, c);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(merged));
	KUNIT_EXPECT_EQ(test, ktime_sub(now, dma_fence_timestamp(merged)), 1000);
	mock_fence_use(test, merged);

	dma_fence_put(merged);
	mock_put_detached(test, a, b, c);
}

static void merge_of_containers_of_detached_fences(struct kunit *test)
{
	struct dma_fence *a = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *b = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *array = create_array_of(test, false, a, b);
	struct dma_fence *head = create_node(test, NULL, array, 1);
	struct dma_fence *merged;

	merged = dma_fence_unwrap_merge(array, head);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_FALSE(test, dma_fence_is_container(merged));
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(merged),
			max(dma_fence_timestamp(a), dma_fence_timestamp(b)));
	dma_fence_put(merged);

	/* Merging has not signaled the containers; the same once they have. */
	dma_fence_enable_signaling(head);
	dma_fence_enable_signaling(array);
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(head));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(array));
	merged = dma_fence_unwrap_merge(array, head);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(merged),
			max(dma_fence_timestamp(a), dma_fence_timestamp(b)));
	dma_fence_put(merged);

	dma_fence_put(array);
	dma_fence_put(head);
	mock_put_detached(test, a, b);
}

/* Merging only looks at what is inside, so this includes live members. */
static void merge_flattens_containers(struct kunit *test)
{
	struct dma_fence *gone = mock_fence_create_detached(test, 1, 0);
	struct dma_fence *a = mock_fence_create_live(test, 1);
	struct dma_fence *b = mock_fence_create_live(test, 1);
	struct dma_fence *any = create_array_of(test, true, gone, a);
	struct dma_fence *head = create_node(test, NULL, b, 1);
	struct dma_fence *merged;

	/* Signaled, but still an array whose members count. */
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(any));
	merged = dma_fence_unwrap_merge(head, any);
	KUNIT_ASSERT_NOT_NULL(test, merged);
	expect_unwraps(test, merged, a, b);
	dma_fence_put(merged);

	mock_fence_detach(a);
	mock_fence_detach(b);
	dma_fence_put(any);
	dma_fence_put(head);
	mock_put_detached(test, gone, a, b);
}

/*
 * Stubs
 */

static void expect_detached_stub(struct kunit *test, struct dma_fence *stub)
{
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(stub));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(stub));
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(stub->ops));
	KUNIT_EXPECT_TRUE(test, test_bit(DMA_FENCE_FLAG_INLINE_LOCK_BIT,
					 &stub->flags));
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(stub), &stub->inline_lock);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(stub), 1);
	mock_expect_names(test, stub, "detached-driver", "signaled-timeline");
	mock_fence_use(test, stub);
}

static void stub_is_one_signaled_fence(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_get_stub();
	struct dma_fence *same = dma_fence_get_stub();

	KUNIT_EXPECT_PTR_EQ(test, stub, same);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(stub),
			dma_fence_timestamp(same));
	KUNIT_EXPECT_LE(test, dma_fence_timestamp(stub), ktime_get());
	expect_detached_stub(test, stub);

	dma_fence_put(same);
	dma_fence_put(stub);
}

static void stub_of_ones_own_has_the_given_timestamp(struct kunit *test)
{
	ktime_t then = ktime_sub_ns(ktime_get(), NSEC_PER_MSEC);
	struct dma_fence *stub = dma_fence_allocate_private_stub(then);
	struct dma_fence *other = dma_fence_allocate_private_stub(1);

	KUNIT_ASSERT_NOT_NULL(test, stub);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_PTR_NE(test, stub, other);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(stub), then);
	KUNIT_EXPECT_EQ(test, dma_fence_timestamp(other), 1);
	expect_detached_stub(test, stub);
	expect_detached_stub(test, other);

	mock_expect_refs(test, stub, 1);
	mock_expect_refs(test, other, 1);
	dma_fence_put(stub);
	dma_fence_put(other);
}

static void stub_in_containers(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_allocate_private_stub(ktime_get());
	struct dma_fence *array, *head;

	KUNIT_ASSERT_NOT_NULL(test, stub);
	array = create_array_of(test, false, stub, stub);
	head = create_node(test, NULL, stub, 1);
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(array));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(head));
	expect_unwraps(test, array, stub, stub);
	expect_unwraps(test, head, stub);

	dma_fence_put(array);
	dma_fence_put(head);
	KUNIT_EXPECT_EQ(test, kref_read(&stub->refcount), 1);
	dma_fence_put(stub);
}

/* Containers have a lock inside, nobody can take it away from them. */
static void containers_bring_no_lock(struct kunit *test)
{
	struct dma_fence *stub = dma_fence_get_stub();
	struct dma_fence *array = create_array_of(test, false, stub);
	struct dma_fence *head = create_node(test, NULL, stub, 1);

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(array), &array->inline_lock);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_spinlock(head), &head->inline_lock);

	dma_fence_put(array);
	dma_fence_put(head);
	dma_fence_put(stub);
}

/* The lock inside must not make fences grow, nor the containers of them. */
static void fences_have_not_grown(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_64BIT) || sizeof(spinlock_t) > sizeof(void *))
		kunit_skip(test, "the locks of this kernel are for debugging");

	KUNIT_EXPECT_EQ(test, sizeof(struct dma_fence), 64);
}

static struct kunit_case dma_fence_containers_test_cases[] = {
	KUNIT_CASE_PARAM(array_of_detached_fences_has_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_of_detached_fences_takes_no_callback,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_waits_for_its_live_member, mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_of_any_signals_with_a_detached_member,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_of_any_outlives_its_first_issuer,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_member_signals_before_it_is_enabled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_member_signals_after_it_is_enabled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_signals_while_it_is_enabled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_takes_the_error_of_a_detached_member,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_keeps_its_first_error, mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_takes_the_error_of_a_live_member,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_that_signaled_is_still_an_array,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_of_detached_fences_matches_their_context,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_passes_deadlines_to_live_members_only,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_is_named_like_any_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_released_unsignaled_drops_its_members,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_releases_the_last_reference,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(array_of_attached_fences, mock_attached_gen_params),
	KUNIT_CASE_PARAM(chain_of_detached_fences_has_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_is_asked_whether_it_has_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_signals_with_its_last_live_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_walk_skips_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_walk_collects_all_of_a_detached_tail,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_walk_leaves_a_node_to_its_holder,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_find_seqno_among_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_find_seqno_stops_at_a_live_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_find_seqno_needs_a_chain, mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_continues_a_signaled_chain,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_continues_a_detached_fence,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_compares_64_bits_after_the_signal,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_that_signaled_is_still_a_chain,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_passes_deadlines_to_live_fences_only,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_is_named_like_any_fence, mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_released_unwalked_drops_its_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(chain_of_attached_fences, mock_attached_gen_params),
	KUNIT_CASE_PARAM(unwrap_of_a_chain_of_arrays, mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_of_detached_and_live_is_the_live_one,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_leaves_out_what_is_detached,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_keeps_the_latest_of_a_context,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_keeps_the_latest_of_64_bits,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_of_detached_fences_is_a_stub,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_of_containers_of_detached_fences,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(merge_flattens_containers, mock_lock_gen_params),
	KUNIT_CASE(stub_is_one_signaled_fence),
	KUNIT_CASE(stub_of_ones_own_has_the_given_timestamp),
	KUNIT_CASE(stub_in_containers),
	KUNIT_CASE(containers_bring_no_lock),
	KUNIT_CASE(fences_have_not_grown),
	{}
};

static struct kunit_suite dma_fence_containers_test_suite = {
	.name = "dma_fence_containers",
	.test_cases = dma_fence_containers_test_cases,
};

kunit_test_suite(dma_fence_containers_test_suite);
