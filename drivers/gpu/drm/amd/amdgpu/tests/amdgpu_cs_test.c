// SPDX-License-Identifier: MIT
/*
 * The submission of a gang, as far as it gets without BOs.
 */

#include "amdgpu_mock.h"

static void amdgpu_cs_test_gang_with_a_full_leader(struct kunit *test)
{
	struct amdgpu_mock *mock = amdgpu_mock_create(test);
	struct amdgpu_cs_parser *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	struct amdgpu_fpriv *fpriv = kunit_kzalloc(test, sizeof(*fpriv), GFP_KERNEL);
	struct drm_file *file = kunit_kzalloc(test, sizeof(*file), GFP_KERNEL);
	struct drm_sched_entity *entities = kunit_kcalloc(test, 2, sizeof(*entities), GFP_KERNEL);
	struct drm_gpu_scheduler *sched = &mock->ring->sched;
	union drm_amdgpu_cs cs = {};
	struct dma_fence *scheduled;

	KUNIT_ASSERT_NOT_NULL(test, p);
	KUNIT_ASSERT_NOT_NULL(test, fpriv);
	KUNIT_ASSERT_NOT_NULL(test, file);
	KUNIT_ASSERT_NOT_NULL(test, entities);
	file->driver_priv = fpriv;
	p->adev = mock->adev;
	p->filp = file;
	amdgpu_sync_create(&p->sync);
	drm_exec_init(&p->exec, 0, 0);
	for (int i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				drm_sched_entity_init(&entities[i], DRM_SCHED_PRIORITY_NORMAL,
						      &sched, 1, NULL));
		KUNIT_ASSERT_EQ(test, 0, amdgpu_job_alloc(mock->adev, &fpriv->vm, &entities[i], p,
							  1, &p->jobs[i], 0));
		p->entities[i] = &entities[i];
		p->gang_size++;
	}
	p->gang_leader = p->jobs[0];
	amdgpu_mock_fill_dependencies(test, p->gang_leader);

	KUNIT_EXPECT_EQ(test, amdgpu_cs_submit(p, &cs), -EBUSY);
	scheduled = dma_fence_get(&p->jobs[1]->base.s_fence->scheduled);
	/* Its job's, and ours */
	mock_expect_refs(test, scheduled, 2);
	amdgpu_cs_parser_fini(p);
	amdgpu_mock_last_put(test, scheduled);
	for (int i = 0; i < 2; i++)
		drm_sched_entity_destroy(&entities[i]);
}

static struct kunit_case cs_test_cases[] = {
	KUNIT_CASE(amdgpu_cs_test_gang_with_a_full_leader),
	{}
};

static struct kunit_suite cs_test_suite = {
	.name = "amdgpu_cs",
	.test_cases = cs_test_cases,
};

kunit_test_suite(cs_test_suite);
