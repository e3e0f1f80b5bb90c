// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <drm/drm.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_mode.h>

#include "common.h"
#include "kms.h"

#define MANY		64	/* more than any driver here has of anything */
#define CONNECTED	1
#define PRIMARY		1
#define ptr(p)		((__u64)(unsigned long)(p))

struct display {
	int card;
	__u32 crtc, connector, plane, fb[2];
	struct drm_mode_modeinfo mode;
};

/* A commit in the making: the properties of each object in a row. */
struct commit {
	__u32 objs[3], counts[3], props[MANY];
	__u64 values[MANY];
	int nr_objs, nr_props;
};

/* The property of an object, by its name: its id, or 0; and its value. */
static __u32 property(int card, __u32 obj, const char *name, __u64 *value)
{
	__u32 ids[MANY];
	__u64 values[MANY];
	struct drm_mode_obj_get_properties of = {
		.obj_id = obj, .obj_type = DRM_MODE_OBJECT_ANY, .count_props = MANY,
		.props_ptr = ptr(ids), .prop_values_ptr = ptr(values),
	};
	unsigned int i;

	check(ioctl(card, DRM_IOCTL_MODE_OBJ_GETPROPERTIES, &of), "OBJ_GETPROPERTIES");
	for (i = 0; i < of.count_props && i < MANY; i++) {
		struct drm_mode_get_property prop = { .prop_id = ids[i] };

		check(ioctl(card, DRM_IOCTL_MODE_GETPROPERTY, &prop), "GETPROPERTY");
		if (strcmp(prop.name, name))
			continue;
		if (value)
			*value = values[i];
		return ids[i];
	}
	return 0;
}

static void set(struct commit *c, struct display *d, __u32 obj, const char *name, __u64 value)
{
	__u32 id = property(d->card, obj, name, NULL);

	if (!id) {
		errno = ENOENT;
		fail(name);
	}
	if (!c->nr_objs || c->objs[c->nr_objs - 1] != obj)
		c->objs[c->nr_objs++] = obj;
	c->counts[c->nr_objs - 1]++;
	c->props[c->nr_props] = id;
	c->values[c->nr_props++] = value;
}

static void commit(struct commit *c, struct display *d, __u32 flags)
{
	struct drm_mode_atomic arg = {
		.flags = flags, .count_objs = c->nr_objs,
		.objs_ptr = ptr(c->objs), .count_props_ptr = ptr(c->counts),
		.props_ptr = ptr(c->props), .prop_values_ptr = ptr(c->values),
	};

	check(ioctl(d->card, DRM_IOCTL_MODE_ATOMIC, &arg), "MODE_ATOMIC");
}

/* Is it what we want?  Then remember its smallest mode. */
static int find_mode(struct display *d, __u32 connector, int writeback)
{
	static struct drm_mode_modeinfo modes[4 * MANY];
	struct drm_mode_get_connector arg = { .connector_id = connector };
	unsigned int i;

	/* With no room for modes it looks whether something is plugged in. */
	check(ioctl(d->card, DRM_IOCTL_MODE_GETCONNECTOR, &arg), "GETCONNECTOR");
	if (writeback != (arg.connector_type == DRM_MODE_CONNECTOR_WRITEBACK))
		return 0;
	if ((!writeback && arg.connection != CONNECTED) || !arg.count_modes)
		return 0;

	arg.modes_ptr = ptr(modes);
	arg.count_modes = 4 * MANY;
	arg.count_props = arg.count_encoders = 0;
	check(ioctl(d->card, DRM_IOCTL_MODE_GETCONNECTOR, &arg), "GETCONNECTOR");
	d->connector = connector;
	d->mode = modes[0];
	for (i = 1; i < arg.count_modes && i < 4 * MANY; i++)
		if (modes[i].hdisplay * modes[i].vdisplay < d->mode.hdisplay * d->mode.vdisplay)
			d->mode = modes[i];
	return 1;
}

/* The first CRTC, its primary plane, and a connector. */
static void find(struct display *d, int writeback)
{
	__u32 crtcs[MANY], connectors[MANY], planes[MANY];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = ptr(crtcs), .count_crtcs = MANY,
		.connector_id_ptr = ptr(connectors), .count_connectors = MANY,
	};
	struct drm_mode_get_plane_res plane_res = {
		.plane_id_ptr = ptr(planes), .count_planes = MANY,
	};
	unsigned int i;

	check(ioctl(d->card, DRM_IOCTL_MODE_GETRESOURCES, &res), "GETRESOURCES");
	if (res.count_crtcs)
		d->crtc = crtcs[0];
	for (i = 0; i < res.count_connectors && !d->connector; i++)
		find_mode(d, connectors[i], writeback);

	check(ioctl(d->card, DRM_IOCTL_MODE_GETPLANERESOURCES, &plane_res), "GETPLANERESOURCES");
	for (i = 0; i < plane_res.count_planes && !d->plane; i++) {
		struct drm_mode_get_plane plane = { .plane_id = planes[i] };
		__u64 type = 0;

		check(ioctl(d->card, DRM_IOCTL_MODE_GETPLANE, &plane), "GETPLANE");
		property(d->card, planes[i], "type", &type);
		if (type == PRIMARY && (plane.possible_crtcs & 1))
			d->plane = planes[i];
	}
	if (!d->crtc || !d->connector || !d->plane) {
		errno = ENODEV;
		fail(writeback ? "a writeback connector" : "a display");
	}
}

static __u32 framebuffer(struct display *d)
{
	struct drm_mode_create_dumb dumb = {
		.width = d->mode.hdisplay, .height = d->mode.vdisplay, .bpp = 32,
	};
	struct drm_mode_fb_cmd2 fb = {
		.width = d->mode.hdisplay, .height = d->mode.vdisplay,
		.pixel_format = DRM_FORMAT_XRGB8888,
	};

	check(ioctl(d->card, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), "CREATE_DUMB");
	fb.handles[0] = dumb.handle;
	fb.pitches[0] = dumb.pitch;
	check(ioctl(d->card, DRM_IOCTL_MODE_ADDFB2, &fb), "ADDFB2");
	return fb.fb_id;
}

static void cap(int card, __u64 capability)
{
	struct drm_set_client_cap arg = { .capability = capability, .value = 1 };

	check(ioctl(card, DRM_IOCTL_SET_CLIENT_CAP, &arg), "SET_CLIENT_CAP");
}

static void switch_on(struct display *d, int writeback)
{
	struct drm_mode_create_blob blob = {
		.data = ptr(&d->mode), .length = sizeof(d->mode),
	};
	struct commit c = {};

	cap(d->card, DRM_CLIENT_CAP_UNIVERSAL_PLANES);
	cap(d->card, DRM_CLIENT_CAP_ATOMIC);
	if (writeback)
		cap(d->card, DRM_CLIENT_CAP_WRITEBACK_CONNECTORS);
	find(d, writeback);
	d->fb[0] = framebuffer(d);
	d->fb[1] = framebuffer(d);
	check(ioctl(d->card, DRM_IOCTL_MODE_CREATEPROPBLOB, &blob), "CREATEPROPBLOB");

	set(&c, d, d->connector, "CRTC_ID", d->crtc);
	set(&c, d, d->crtc, "MODE_ID", blob.blob_id);
	set(&c, d, d->crtc, "ACTIVE", 1);
	set(&c, d, d->plane, "FB_ID", d->fb[0]);
	set(&c, d, d->plane, "CRTC_ID", d->crtc);
	set(&c, d, d->plane, "CRTC_W", d->mode.hdisplay);
	set(&c, d, d->plane, "CRTC_H", d->mode.vdisplay);
	set(&c, d, d->plane, "SRC_W", d->mode.hdisplay << 16);
	set(&c, d, d->plane, "SRC_H", d->mode.vdisplay << 16);
	commit(&c, d, DRM_MODE_ATOMIC_ALLOW_MODESET);
}

/* The plane's part, which waits.  The card must not, when it is closed. */
static void show(struct commit *c, struct display *d, __u32 fb, int in_fence)
{
	int i;

	set(c, d, d->plane, "FB_ID", fb);
	if (in_fence >= 0)
		set(c, d, d->plane, "IN_FENCE_FD", in_fence);
	commit(c, d, DRM_MODE_ATOMIC_NONBLOCK);
	for (i = 0; i < 2 && in_fence >= 0; i++) {
		struct drm_mode_closefb close = { .fb_id = d->fb[i] };

		check(ioctl(d->card, DRM_IOCTL_MODE_CLOSEFB, &close), "CLOSEFB");
	}
}

int kms_flip(int card, int in_fence)
{
	struct display d = { .card = card };
	struct commit c = {};
	__s32 fence = -1;

	switch_on(&d, 0);
	set(&c, &d, d.crtc, "OUT_FENCE_PTR", ptr(&fence));
	show(&c, &d, d.fb[1], in_fence);
	return check(fence, "OUT_FENCE_PTR");
}

int kms_writeback(int card, int in_fence)
{
	struct display d = { .card = card };
	struct commit c = {};
	__s32 fence = -1;

	switch_on(&d, 1);
	set(&c, &d, d.connector, "WRITEBACK_FB_ID", d.fb[1]);
	set(&c, &d, d.connector, "WRITEBACK_OUT_FENCE_PTR", ptr(&fence));
	show(&c, &d, d.fb[0], in_fence);
	return check(fence, "WRITEBACK_OUT_FENCE_PTR");
}
