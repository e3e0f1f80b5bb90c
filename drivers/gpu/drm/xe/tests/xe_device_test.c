// SPDX-License-Identifier: GPL-2.0 AND MIT
/*
 * The work of a device that is unbound but not released, when the module goes.
 */

#include <drm/drm_kunit_helpers.h>

#include "tests/xe_kunit_helpers.h"
#include "xe_ggtt_types.h"
#include "xe_hw_engine_group_types.h"

enum device_test_wq {
	RESUME, SRIOV, G2H, GT, PREEMPT, UNORDERED, ORDERED, DESTROY, TTM, GGTT, WQS
};

struct device_test {
	struct xe_device *xe;
	struct xe_hw_engine_group group;
	struct workqueue_struct *wqs[WQS];
};

static void safe_mode_fn(struct work_struct *work)
{
	struct xe_guc_ct *ct = container_of(work, typeof(*ct), safe_mode_worker.work);

	queue_delayed_work(ct->g2h_wq, &ct->safe_mode_worker, 1);
}

static struct workqueue_struct *create_wq(struct kunit *test)
{
	struct workqueue_struct *wq = alloc_workqueue("xe-device-test", 0, 0);

	KUNIT_ASSERT_NOT_NULL(test, wq);
	return wq;
}

/* With all the workqueues that it gets when it is probed. */
static int device_test_init(struct kunit *test)
{
	struct device_test *t;
	struct xe_device *xe;
	struct xe_guc_ct *ct;
	struct xe_gt *gt;

	xe_kunit_helper_xe_device_test_init(test);
	xe = test->priv;
	gt = xe_device_get_gt(xe, 0);
	ct = &gt->uc.guc.ct;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	t->xe = xe;
	KUNIT_ASSERT_EQ(test, xe_device_init_workqueues(xe), 0);

	gt->hw_engines[0].name = "rcs0";
	gt->hw_engines[0].hw_engine_group = &t->group;
	INIT_DELAYED_WORK(&ct->safe_mode_worker, safe_mode_fn);

	t->group.resume_wq = create_wq(test);
	xe->sriov.wq = create_wq(test);
	ct->g2h_wq = create_wq(test);
	xe->ttm.wq = create_wq(test);
	gt_to_tile(gt)->mem.ggtt->wq = create_wq(test);

	t->wqs[RESUME] = t->group.resume_wq;
	t->wqs[SRIOV] = xe->sriov.wq;
	t->wqs[G2H] = ct->g2h_wq;
	t->wqs[TTM] = xe->ttm.wq;
	t->wqs[GGTT] = gt_to_tile(gt)->mem.ggtt->wq;
	t->wqs[GT] = gt->ordered_wq;
	t->wqs[PREEMPT] = xe->preempt_fence_wq;
	t->wqs[UNORDERED] = xe->unordered_wq;
	t->wqs[ORDERED] = xe->ordered_wq;
	t->wqs[DESTROY] = xe->destroy_wq;
	test->priv = t;
	return 0;
}

static void device_test_exit(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct xe_device *xe = t->xe;
	struct xe_gt *gt = xe_device_get_gt(xe, 0);

	cancel_delayed_work_sync(&gt->uc.guc.ct.safe_mode_worker);
	gt->hw_engines[0].name = NULL;
	for (int i = 0; i < WQS; i++)
		flush_wq(t->wqs[i]);
	xe_device_fini_workqueues(xe);
	destroy_workqueue(t->group.resume_wq);
	destroy_workqueue(xe->sriov.wq);
	destroy_workqueue(gt->uc.guc.ct.g2h_wq);
	destroy_workqueue(xe->ttm.wq);
	destroy_workqueue(gt_to_tile(gt)->mem.ggtt->wq);
	xe->ttm.wq = NULL;
	gt_to_tile(gt)->mem.ggtt->wq = NULL;
}

/* A work that queues another one just before it is done. */
struct link {
	struct work_struct work;
	struct workqueue_struct *next_wq;
	struct link *next;
	bool done;
};

static void link_fn(struct work_struct *work)
{
	struct link *l = container_of(work, typeof(*l), work);

	usleep_range(2000, 3000);
	if (l->next)
		queue_work(l->next_wq, &l->next->work);
	WRITE_ONCE(l->done, true);
}

struct feeding {
	const char *name;
	/* one queues work on the next, up to WQS */
	enum device_test_wq wqs[5];
};

static const struct feeding feedings[] = {
	{ "a queue is resumed, hangs, and is reset",	{ RESUME, GT, WQS } },
	{ "the GuC relays a message, asks for a reset",	{ SRIOV, G2H, GT, WQS } },
	{ "a hung job's bind fence, user fence",	{ GT, UNORDERED, ORDERED, WQS } },
	{ "a preempted VM is bound again",		{ PREEMPT, ORDERED, WQS } },
	{ "a page table job's user fence",		{ UNORDERED, ORDERED, WQS } },
	{ "a preempt fence puts its queue",		{ PREEMPT, DESTROY, WQS } },
	{ "a queue puts a buffer, which puts its VM",	{ DESTROY, TTM, DESTROY, WQS } },
	{ "a VMA puts a buffer, that a GGTT node",	{ DESTROY, TTM, GGTT, WQS } },
};

KUNIT_ARRAY_PARAM_DESC(feeding, feedings, name);

static void xe_device_test_module_waits_for_work_and_what_it_queues(struct kunit *test)
{
	const struct feeding *f = test->param_value;
	struct device_test *t = test->priv;
	struct link links[ARRAY_SIZE(f->wqs)] = {};
	int n = 0;

	while (f->wqs[n] != WQS) {
		INIT_WORK_ONSTACK(&links[n].work, link_fn);
		if (n) {
			links[n - 1].next = &links[n];
			links[n - 1].next_wq = t->wqs[f->wqs[n]];
		}
		n++;
	}
	queue_work(t->wqs[f->wqs[0]], &links[0].work);
	xe_device_module_exit();
	for (int i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE_MSG(test, READ_ONCE(links[i].done), "work %d", i);
	for (int i = 0; i < n; i++) {
		flush_work(&links[i].work);
		destroy_work_on_stack(&links[i].work);
	}
}

/* It arms itself again as long as there are no MSIs: none when the device is unbound. */
static void xe_device_test_module_stops_the_timer_of_the_ct(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct xe_guc_ct *ct = &xe_device_get_gt(t->xe, 0)->uc.guc.ct;

	queue_delayed_work(ct->g2h_wq, &ct->safe_mode_worker, 1);
	xe_device_module_exit();
	KUNIT_EXPECT_FALSE(test, delayed_work_pending(&ct->safe_mode_worker));
}

/* What a device that is released does: its GTs are gone by then. */
static void xe_device_test_release_waits_for_the_end_of_vms(struct kunit *test)
{
	struct device_test *t = test->priv;
	struct link links[3] = {};

	for (int i = 0; i < 3; i++)
		INIT_WORK_ONSTACK(&links[i].work, link_fn);
	links[0].next = &links[1];
	links[0].next_wq = t->xe->ttm.wq;
	links[1].next = &links[2];
	links[1].next_wq = t->xe->destroy_wq;
	queue_work(t->xe->destroy_wq, &links[0].work);
	xe_device_fini_workqueues(t->xe);
	for (int i = 0; i < 3; i++) {
		KUNIT_EXPECT_TRUE(test, READ_ONCE(links[i].done));
		destroy_work_on_stack(&links[i].work);
	}
	KUNIT_EXPECT_NULL(test, t->xe->destroy_wq);
	for (int i = PREEMPT; i <= DESTROY; i++)
		t->wqs[i] = NULL;
}

static struct kunit_case device_test_cases[] = {
	KUNIT_CASE_PARAM(xe_device_test_module_waits_for_work_and_what_it_queues,
			 feeding_gen_params),
	KUNIT_CASE(xe_device_test_module_stops_the_timer_of_the_ct),
	KUNIT_CASE(xe_device_test_release_waits_for_the_end_of_vms),
	{}
};

static struct kunit_suite device_suite = {
	.name = "xe_device",
	.test_cases = device_test_cases,
	.init = device_test_init,
	.exit = device_test_exit,
};

kunit_test_suites(&device_suite);
