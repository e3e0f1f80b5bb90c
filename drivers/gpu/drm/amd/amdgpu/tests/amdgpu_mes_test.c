// SPDX-License-Identifier: MIT
/*
 * A ring of a MES queue, which comes and goes while the device stays. The firmware
 * that would run it does nothing.
 */

#include <linux/bitmap.h>
#include <linux/idr.h>
#include <linux/rcupdate.h>

#include "amdgpu.h"
#include "amdgpu_mes.h"
#include "amdgpu_mes_ctx.h"
#include "amdgpu_mock.h"

#define DOORBELLS	64

struct mes_test {
	struct amdgpu_mock *mock;
	DECLARE_BITMAP(doorbells, DOORBELLS);
	struct amdgpu_vm vm;
	struct amdgpu_bo_va va;
	struct amdgpu_mes_process process;
	struct amdgpu_mes_gang gang;
	struct amdgpu_mes_ctx_data ctx;
	struct amdgpu_ring *ring;
};

static int mock_add_hw_queue(struct amdgpu_mes *mes, struct mes_add_queue_input *input)
{
	return 0;
}

static int mock_remove_hw_queue(struct amdgpu_mes *mes, struct mes_remove_queue_input *input)
{
	return 0;
}

static const struct amdgpu_mes_funcs mock_mes_funcs = {
	.add_hw_queue = mock_add_hw_queue,
	.remove_hw_queue = mock_remove_hw_queue,
};

static int mock_init_mqd(struct amdgpu_device *adev, void *mqd, struct amdgpu_mqd_prop *prop)
{
	return 0;
}

static void remove_ring(struct mes_test *t)
{
	amdgpu_mes_remove_ring(t->mock->adev, t->ring);
	t->ring = NULL;
}

static void mes_test_destroy(void *data)
{
	struct mes_test *t = data;
	struct amdgpu_mes *mes = &t->mock->adev->mes;

	/* If a test that failed has left one. */
	remove_ring(t);
	dma_fence_put(t->vm.last_update);
	dma_fence_put(t->va.last_pt_update);
	idr_destroy(&mes->queue_id_idr);
	idr_destroy(&mes->gang_id_idr);
	mutex_destroy(&mes->mutex_hidden);
}

static int mes_test_init(struct kunit *test)
{
	struct mes_test *t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	struct amdgpu_device *adev;
	struct amdgpu_mes *mes;

	KUNIT_ASSERT_NOT_NULL(test, t);
	t->mock = amdgpu_mock_create(test);
	amdgpu_mock_add_memory(t->mock);
	adev = t->mock->adev;
	adev->mqds[AMDGPU_RING_TYPE_SDMA].mqd_size = PAGE_SIZE;
	adev->mqds[AMDGPU_RING_TYPE_SDMA].init_mqd = mock_init_mqd;

	mes = &adev->mes;
	mes->adev = adev;
	mes->funcs = &mock_mes_funcs;
	mes->doorbell_bitmap = t->doorbells;
	mes->num_mes_dbs = DOORBELLS;
	idr_init(&mes->gang_id_idr);
	idr_init(&mes->queue_id_idr);
	spin_lock_init(&mes->queue_id_lock);
	mutex_init(&mes->mutex_hidden);

	t->vm.last_update = dma_fence_get_stub();
	t->va.last_pt_update = dma_fence_get_stub();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, mes_test_destroy, t));
	t->process.vm = &t->vm;
	t->gang.process = &t->process;
	INIT_LIST_HEAD(&t->gang.queue_list);
	t->gang.gang_id = idr_alloc(&mes->gang_id_idr, &t->gang, 1, 0, GFP_KERNEL);
	KUNIT_ASSERT_GT(test, t->gang.gang_id, 0);
	t->ctx.meta_data_va = &t->va;
	t->ctx.meta_data_ptr = kunit_kzalloc(test, sizeof(struct amdgpu_mes_ctx_meta_data),
					     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t->ctx.meta_data_ptr);
	KUNIT_ASSERT_EQ(test, 0, amdgpu_mes_add_ring(adev, t->gang.gang_id, AMDGPU_RING_TYPE_SDMA,
						     0, &t->ctx, &t->ring));

	test->priv = t;
	return 0;
}

static struct dma_fence *emit(struct kunit *test)
{
	struct mes_test *t = test->priv;
	struct dma_fence *fence = NULL;

	KUNIT_ASSERT_EQ(test, amdgpu_fence_emit(t->ring, &fence, NULL, 0), 0);
	return fence;
}

static void amdgpu_mes_test_held_while_the_ring_goes(struct kunit *test)
{
	struct mes_test *t = test->priv;
	int before = amdgpu_mock_awake(t->mock);
	struct dma_fence *fences[3];
	struct mock_cb cb = {};

	fences[0] = emit(test);
	mock_expect_names(test, fences[0], "amdgpu", t->ring->name);
	amdgpu_mock_complete_all(t->ring);
	fences[1] = emit(test);
	/* and starts the fallback timer */
	KUNIT_ASSERT_EQ(test, dma_fence_add_callback(fences[1], &cb.base, mock_cb_func), 0);
	fences[2] = emit(test);

	remove_ring(t);
	KUNIT_EXPECT_EQ(test, amdgpu_mock_awake(t->mock), before);
	KUNIT_EXPECT_EQ(test, atomic_read(&cb.count), 1);
	KUNIT_EXPECT_EQ(test, cb.error, -ENODEV);
	amdgpu_mock_use(test, fences[0], 1);
	amdgpu_mock_use(test, fences[1], -ENODEV);
	amdgpu_mock_use(test, fences[2], -ENODEV);
	for (int i = 0; i < ARRAY_SIZE(fences); i++)
		amdgpu_mock_last_put(test, fences[i]);
	rcu_barrier();
}

/* R11: the ring is freed at the end of this. */
static void amdgpu_mes_test_removal_waits_for_a_grace_period(struct kunit *test)
{
	struct mes_test *t = test->priv;
	struct rcu_gp_oldstate before;

	get_state_synchronize_rcu_full(&before);
	remove_ring(t);
	KUNIT_EXPECT_TRUE(test, poll_state_synchronize_rcu_full(&before));
}

static struct kunit_case mes_test_cases[] = {
	KUNIT_CASE(amdgpu_mes_test_held_while_the_ring_goes),
	KUNIT_CASE(amdgpu_mes_test_removal_waits_for_a_grace_period),
	{}
};

static struct kunit_suite mes_test_suite = {
	.name = "amdgpu_mes",
	.test_cases = mes_test_cases,
	.init = mes_test_init,
};

kunit_test_suite(mes_test_suite);
