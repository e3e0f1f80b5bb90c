// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks. When dma_fence_remove_callback() returns, the callback is neither
 * running nor will it run, whatever lock the fence uses: who has added it may
 * free it.
 */

#include <kunit/test.h>

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "mock-issuer.h"

static struct dma_fence *fence_create(struct kunit *test)
{
	return mock_fence_create(mock_issuer_create(test, mock_lock_flags(test)), 1);
}

static void dma_fence_test_callback_runs_once(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_signal(fence);
	dma_fence_is_signaled(fence);
	dma_fence_put(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
}

struct order_cb {
	struct dma_fence_cb base;
	int *next;
	int place;
};

static void order_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct order_cb *order = container_of(cb, struct order_cb, base);

	order->place = (*order->next)++;
}

static void dma_fence_test_callbacks_run_in_order(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct order_cb cb[4] = {};
	int next = 1;
	int i;

	for (i = 0; i < ARRAY_SIZE(cb); i++) {
		cb[i].next = &next;
		KUNIT_EXPECT_EQ(test, 0,
				dma_fence_add_callback(fence, &cb[i].base,
						       order_cb_func));
	}
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &cb[1].base));
	dma_fence_signal(fence);

	KUNIT_EXPECT_EQ(test, cb[0].place, 1);
	KUNIT_EXPECT_EQ(test, cb[1].place, 0);
	KUNIT_EXPECT_EQ(test, cb[2].place, 2);
	KUNIT_EXPECT_EQ(test, cb[3].place, 3);
	dma_fence_put(fence);
}

struct state_cb {
	struct dma_fence_cb base;
	bool signaled;
	bool has_timestamp;
	bool off_the_list;
	bool callbacks_done;
	int status;
};

static void state_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct state_cb *state = container_of(cb, struct state_cb, base);

	dma_fence_assert_held(fence);
	state->signaled = dma_fence_is_signaled(fence);
	state->has_timestamp = test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence->flags);
	/* How others see that a callback has run, or is about to. */
	state->off_the_list = list_empty(&cb->node);
	/* There are callbacks that have not returned: this one. */
	state->callbacks_done = dma_fence_callbacks_done(fence);
	/* Takes no lock for a fence that has signaled: the signaler holds it. */
	state->status = dma_fence_get_status(fence);
}

static void dma_fence_test_callback_finds_fence_signaled(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct state_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, state_cb_func));
	dma_fence_set_error(fence, -EIO);
	dma_fence_signal(fence);
	KUNIT_EXPECT_TRUE(test, cb.signaled);
	KUNIT_EXPECT_TRUE(test, cb.has_timestamp);
	KUNIT_EXPECT_TRUE(test, cb.off_the_list);
	KUNIT_EXPECT_FALSE(test, cb.callbacks_done);
	KUNIT_EXPECT_EQ(test, cb.status, -EIO);
	dma_fence_put(fence);
}

static void dma_fence_test_add_after_signal(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	/* It was initialized nevertheless. */
	KUNIT_EXPECT_TRUE(test, list_empty(&cb.base.node));
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	dma_fence_put(fence);
}

static void dma_fence_test_add_when_enable_signaling_fails(struct kunit *test)
{
	struct mock_issuer *issuer =
		mock_issuer_create(test, MOCK_ENABLE_FAILS | mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, -ENOENT,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&cb.base.node));
	KUNIT_EXPECT_TRUE(test, dma_fence_test_signaled_flag(fence));
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	dma_fence_put(fence);
}

static void dma_fence_test_removed_callback_does_not_run(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb *cb = kzalloc(sizeof(*cb), GFP_KERNEL);
	struct mock_cb other = {};

	KUNIT_ASSERT_NOT_NULL(test, cb);
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb->base, mock_cb_func));
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &other.base, mock_cb_func));
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &cb->base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb->count), 0);
	kfree(cb);

	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&other.count), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_removed_callback_can_be_added_again(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	KUNIT_EXPECT_TRUE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	dma_fence_signal(fence);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_put(fence);
}

static void dma_fence_test_remove_after_signal(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	dma_fence_signal(fence);
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_put(fence);
}

static void free_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	kfree(container_of(cb, struct mock_cb, base));
}

/* The signaler does not touch a callback once it has run: it may be freed. */
static void dma_fence_test_callback_frees_itself(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb *cb;
	int i;

	for (i = 0; i < 3; i++) {
		cb = kzalloc(sizeof(*cb), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, cb);
		KUNIT_EXPECT_EQ(test, 0,
				dma_fence_add_callback(fence, &cb->base, free_cb_func));
	}
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal(fence));
	dma_fence_put(fence);
}

static void put_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	mock_cb_func(fence, cb);
	dma_fence_put(fence);
}

/*
 * A callback drops the last reference. What the signaler still does to the fence,
 * and to the lock inside it, comes before the end of a grace period.
 */
static void dma_fence_test_callback_drops_last_reference(struct kunit *test)
{
	struct dma_fence *fence = fence_create(test);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, put_cb_func));
	KUNIT_EXPECT_FALSE(test, dma_fence_check_and_signal(fence));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
}

/* An issuer may be gone before those who had a callback have taken note. */
static void dma_fence_test_remove_after_issuer_freed(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct dma_fence *fence = mock_fence_create(issuer, 1);
	struct mock_cb cb = {};

	KUNIT_EXPECT_EQ(test, 0,
			dma_fence_add_callback(fence, &cb.base, mock_cb_func));
	dma_fence_signal(fence);
	mock_issuer_destroy(issuer);

	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, &cb.base));
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	dma_fence_put(fence);
}

struct signaler {
	struct dma_fence *fence;
	struct completion done;
};

static int signaler_thread(void *data)
{
	struct signaler *signaler = data;

	dma_fence_signal(signaler->fence);
	complete(&signaler->done);
	return 0;
}

struct slow_cb {
	struct dma_fence_cb base;
	bool running;
	bool done;
};

static void slow_cb_func(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct slow_cb *slow = container_of(cb, struct slow_cb, base);

	WRITE_ONCE(slow->running, true);
	mdelay(50);
	WRITE_ONCE(slow->done, true);
}

/* The wait for a callback that is running on another CPU. */
static void wait_for_running_callback(struct kunit *test,
				      void (*use)(struct kunit *test,
						  struct dma_fence *fence,
						  struct dma_fence_cb *cb))
{
	struct signaler signaler;
	struct slow_cb cb = {};
	struct task_struct *task;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");

	signaler.fence = fence_create(test);
	init_completion(&signaler.done);
	KUNIT_ASSERT_EQ(test, 0, dma_fence_add_callback(signaler.fence, &cb.base,
							slow_cb_func));
	task = kthread_run(signaler_thread, &signaler, "dma-fence-signaler");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	while (!READ_ONCE(cb.running))
		cond_resched();

	use(test, signaler.fence, &cb.base);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(cb.done));

	wait_for_completion(&signaler.done);
	dma_fence_put(signaler.fence);
}

static void running_remove(struct kunit *test, struct dma_fence *fence,
			   struct dma_fence_cb *cb)
{
	KUNIT_EXPECT_FALSE(test, dma_fence_remove_callback(fence, cb));
}

static void dma_fence_test_remove_waits_for_running_callback(struct kunit *test)
{
	wait_for_running_callback(test, running_remove);
}

static void running_signal(struct kunit *test, struct dma_fence *fence,
			   struct dma_fence_cb *cb)
{
	KUNIT_EXPECT_TRUE(test, dma_fence_check_and_signal(fence));
}

/* Whoever signals, all callbacks have run when dma_fence_signal() returns. */
static void dma_fence_test_second_signal_waits_for_running_callback(struct kunit *test)
{
	wait_for_running_callback(test, running_signal);
}

static void running_wait(struct kunit *test, struct dma_fence *fence,
			 struct dma_fence_cb *cb)
{
	KUNIT_EXPECT_EQ(test, dma_fence_wait(fence, false), 0);
}

static void dma_fence_test_wait_waits_for_running_callback(struct kunit *test)
{
	wait_for_running_callback(test, running_wait);
}

/*
 * Remove and signal meet at any instant: either the callback was removed, and
 * does not run, or it has run by the time that remove returns. Either way it is
 * freed at once.
 */

struct remove_race {
	struct kunit *test;
	struct dma_fence *fence;
	struct completion go;
	struct completion done;
};

static int remove_race_thread(void *data)
{
	struct remove_race *race = data;

#if IS_ENABLED(CONFIG_KUNIT)
	/* Let the test fail if KASAN finds something here. */
	current->kunit_test = race->test;
#endif
	while (!wait_for_completion_interruptible(&race->go) && race->fence) {
		dma_fence_signal(race->fence);
		complete(&race->done);
	}
#if IS_ENABLED(CONFIG_KUNIT)
	current->kunit_test = NULL;
#endif
	complete(&race->done);

	return 0;
}

static void dma_fence_test_remove_while_signaling(struct kunit *test)
{
	struct mock_issuer *issuer = mock_issuer_create(test, mock_lock_flags(test));
	struct remove_race race = { .test = test };
	unsigned int removed = 0, ran = 0, i;
	struct task_struct *task;

	init_completion(&race.go);
	init_completion(&race.done);
	task = kthread_run(remove_race_thread, &race, "dma-fence-remove-race");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);

	for (i = 0; i < 2000; i++) {
		struct dma_fence *fence = mock_fence_create(issuer, i);
		struct mock_cb *cb = kzalloc(sizeof(*cb), GFP_KERNEL);

		if (!cb || dma_fence_add_callback(fence, &cb->base, mock_cb_func)) {
			KUNIT_FAIL(test, "no callback in round %u", i);
			break;
		}

		/* From before the signal to after it, if there is a second CPU. */
		race.fence = fence;
		complete(&race.go);
		if (i % 16 == 0)
			wait_for_completion(&race.done);
		else
			ndelay(i % 64 * 500);

		if (dma_fence_remove_callback(fence, &cb->base)) {
			KUNIT_EXPECT_EQ(test, atomic_read(&cb->count), 0);
			removed++;
		} else {
			KUNIT_EXPECT_EQ(test, atomic_read(&cb->count), 1);
			ran++;
		}
		kfree(cb);

		if (i % 16)
			wait_for_completion(&race.done);
		dma_fence_put(fence);
	}

	race.fence = NULL;
	complete(&race.go);
	wait_for_completion(&race.done);
	KUNIT_EXPECT_EQ(test, removed + ran, 2000);
	kunit_info(test, "%u removed, %u ran\n", removed, ran);
}

static struct kunit_case dma_fence_callback_tests[] = {
	KUNIT_CASE_PARAM(dma_fence_test_callback_runs_once, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_callbacks_run_in_order, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_callback_finds_fence_signaled,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_add_after_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_add_when_enable_signaling_fails,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_removed_callback_does_not_run,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_removed_callback_can_be_added_again,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_remove_after_signal, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_callback_frees_itself, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_callback_drops_last_reference,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_remove_after_issuer_freed, mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_remove_waits_for_running_callback,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_second_signal_waits_for_running_callback,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_wait_waits_for_running_callback,
			 mock_lock_gen_params),
	KUNIT_CASE_PARAM(dma_fence_test_remove_while_signaling, mock_lock_gen_params),
	{}
};

static struct kunit_suite dma_fence_callback_test_suite = {
	.name = "dma_fence_callback",
	.test_cases = dma_fence_callback_tests,
};

kunit_test_suite(dma_fence_callback_test_suite);
