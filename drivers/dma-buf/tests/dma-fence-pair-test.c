// SPDX-License-Identifier: GPL-2.0
/*
 * Two fences in one object. Each signals, and lets go of the issuer, by itself;
 * the object is freed when nobody holds either of them.
 */

#include <kunit/test.h>

#include <linux/dma-fence.h>
#include <linux/slab.h>

#include "mock-issuer.h"

struct pair {
	struct dma_fence first;
	struct dma_fence second;
	/* What comes after the two is the issuer's. */
	char name[16];
};

/* As for a mock issuer, what its fences point to is memory that is freed. */
struct pair_issuer {
	struct dma_fence_ops first_ops;
	struct dma_fence_ops second_ops;
	/* The lock of its fences, if they are to have one from outside. */
	spinlock_t lock;
	bool extern_lock;
};

static const char *pair_get_driver_name(struct dma_fence *fence)
{
	return "pair";
}

static const char *pair_get_first_name(struct dma_fence *fence)
{
	return container_of(fence, struct pair, first)->name;
}

static const char *pair_get_second_name(struct dma_fence *fence)
{
	return container_of(fence, struct pair, second)->name;
}

static struct pair_issuer *pair_issuer_create(struct kunit *test)
{
	struct pair_issuer *issuer = kzalloc(sizeof(*issuer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, issuer);
	issuer->first_ops.get_driver_name = pair_get_driver_name;
	issuer->first_ops.get_timeline_name = pair_get_first_name;
	issuer->second_ops.get_driver_name = pair_get_driver_name;
	issuer->second_ops.get_timeline_name = pair_get_second_name;
	spin_lock_init(&issuer->lock);
	issuer->extern_lock = mock_lock_flags(test) & MOCK_EXTERN_LOCK;

	return issuer;
}

/* What a driver does that is unloaded. */
static void pair_issuer_destroy(struct pair_issuer *issuer)
{
	synchronize_rcu();
	kfree(issuer);
}

/* One reference: to the second. */
static struct pair *pair_create(struct kunit *test, struct pair_issuer *issuer)
{
	struct pair *pair = kzalloc(sizeof(*pair), GFP_KERNEL);
	u64 context = dma_fence_context_alloc(2);
	spinlock_t *lock = issuer->extern_lock ? &issuer->lock : NULL;

	KUNIT_ASSERT_NOT_NULL(test, pair);
	strscpy(pair->name, "pair-timeline");
	dma_fence_init_pair(pair, first, second, &issuer->first_ops, &issuer->second_ops,
			    lock, context, 1);

	return pair;
}

static void dma_fence_test_second_of_first_alone(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);
	struct dma_fence *other = mock_fence_create_orphan(test, 0);

	KUNIT_EXPECT_PTR_EQ(test, dma_fence_pair_second(&pair->first), &pair->second);
	KUNIT_EXPECT_NULL(test, dma_fence_pair_second(&pair->second));
	KUNIT_EXPECT_NULL(test, dma_fence_pair_second(other));

	/* Not a question to ops: the answer stays when they are gone. */
	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_pair_second(&pair->first), &pair->second);
	KUNIT_EXPECT_NULL(test, dma_fence_pair_second(&pair->second));

	dma_fence_put(other);
	dma_fence_put(&pair->second);
	pair_issuer_destroy(issuer);
}

static void dma_fence_test_pair_is_initialized(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);

	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(&pair->first));
	KUNIT_EXPECT_TRUE(test, dma_fence_was_initialized(&pair->second));
	mock_expect_names(test, &pair->first, "pair", "pair-timeline");
	mock_expect_names(test, &pair->second, "pair", "pair-timeline");

	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);
	dma_fence_put(&pair->second);
	pair_issuer_destroy(issuer);
}

static void dma_fence_test_pair_signals_one_by_one(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);
	struct mock_cb first = {}, second = {};

	dma_fence_add_callback(&pair->first, &first.base, mock_cb_func);
	dma_fence_add_callback(&pair->second, &second.base, mock_cb_func);

	dma_fence_signal(&pair->first);
	KUNIT_EXPECT_EQ(test, atomic_read(&first.count), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&second.count), 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(pair->first.ops));
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(pair->second.ops), &issuer->second_ops);
	mock_expect_names(test, &pair->second, "pair", "pair-timeline");

	dma_fence_set_error(&pair->second, -EIO);
	dma_fence_signal(&pair->second);
	KUNIT_EXPECT_EQ(test, atomic_read(&second.count), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&pair->first), 1);
	KUNIT_EXPECT_EQ(test, dma_fence_get_status(&pair->second), -EIO);

	dma_fence_put(&pair->second);
	pair_issuer_destroy(issuer);
}

static void dma_fence_test_second_holds_first(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);

	KUNIT_EXPECT_EQ(test, kref_read(&pair->first.refcount), 1);
	dma_fence_get(&pair->first);
	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);

	/* Somebody else's reference to the first goes, the second's stays. */
	dma_fence_put(&pair->first);
	mock_fence_use(test, &pair->first);
	mock_fence_use(test, &pair->second);

	dma_fence_put(&pair->second);
	pair_issuer_destroy(issuer);
}

static void dma_fence_test_first_outlives_second(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);

	dma_fence_get(&pair->first);
	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);
	dma_fence_put(&pair->second);
	pair_issuer_destroy(issuer);

	/* The last put of the second has dropped its reference, and no more. */
	KUNIT_EXPECT_EQ(test, kref_read(&pair->first.refcount), 1);
	KUNIT_EXPECT_PTR_EQ(test, dma_fence_pair_second(&pair->first), &pair->second);
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu(&pair->second));
	mock_fence_use(test, &pair->first);
	dma_fence_put(&pair->first);
}

static void dma_fence_test_pair_outlives_issuer(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);

	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);
	pair_issuer_destroy(issuer);

	mock_expect_names(test, &pair->first, "detached-driver", "signaled-timeline");
	mock_expect_names(test, &pair->second, "detached-driver", "signaled-timeline");
	mock_fence_use(test, &pair->first);
	mock_fence_use(test, &pair->second);
	dma_fence_put(&pair->second);
}

/* The memory of both is there for a grace period. */
static void dma_fence_test_pair_freed_after_grace_period(struct kunit *test)
{
	struct pair_issuer *issuer = pair_issuer_create(test);
	struct pair *pair = pair_create(test, issuer);

	dma_fence_signal(&pair->first);
	dma_fence_signal(&pair->second);

	rcu_read_lock();
	dma_fence_put(&pair->second);
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu(&pair->first));
	KUNIT_EXPECT_NULL(test, dma_fence_get_rcu(&pair->second));
	KUNIT_EXPECT_TRUE(test, dma_fence_is_signaled(&pair->second));
	rcu_read_unlock();
	pair_issuer_destroy(issuer);
}

static struct kunit_case dma_fence_pair_cases[] = {
	KUNIT_CASE_PARAM(dma_fence_test_second_of_first_alone, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_pair_is_initialized, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_pair_signals_one_by_one, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_second_holds_first, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_first_outlives_second, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_pair_outlives_issuer, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_pair_freed_after_grace_period, mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_pair_suite = {
	.name = "dma_fence_pair",
	.test_cases = dma_fence_pair_cases,
};

kunit_test_suite(dma_fence_pair_suite);
