/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What the KUnit tests of imagination call in other files of the driver.
 */

#ifndef PVR_TEST_H
#define PVR_TEST_H

struct kunit;

void pvr_test_take_context_state(struct kunit *test);

#endif /* PVR_TEST_H */
