/* SPDX-License-Identifier: GPL-2.0-only */
/* What is kept for other network namespaces, and what of it nobody can reach any more. */
#include "attach_others.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *others_name(const struct pins *other)
{
	return strrchr(other->folder, '/') + 1;
}

static int add(const struct pins *ours, const char *root, const char *name, struct pins **others, size_t *count)
{
	struct pins *more = reallocarray(*others, *count + 1, sizeof(*more)), *other;

	if (!more)
		return -ENOMEM;
	*others = more;
	other = &more[*count];
	*other = *ours;
	other->verb_fd = other->reader_fd = -1;
	other->is_own_mount = !strcmp(root, PINS_OWN_MOUNT);
	snprintf(other->root, sizeof(other->root), "%s", root);
	/* What does not fit is a name that we never gave. */
	if (snprintf(other->folder, sizeof(other->folder), "%s/v1/%s", root, name) < (int)sizeof(other->folder))
		++*count;
	return 0;
}

static int list_in(const struct pins *ours, const char *root, struct pins **others, size_t *count)
{
	const struct dirent *entry;
	char path[PINS_PATH_MAX];
	int err = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/v1", root);
	folder = opendir(path);
	while (folder && !err && (entry = readdir(folder)))
		if (!strncmp(entry->d_name, "net-", 4) && strcmp(entry->d_name, others_name(ours)))
			err = add(ours, root, entry->d_name, others, count);
	if (folder)
		closedir(folder);
	return err;
}

int others_list(const struct pins *ours, const char *root, struct pins **ret_others, size_t *ret_count)
{
	struct pins *others = NULL;
	size_t count = 0;
	int err;

	if (pins_root_is_named(root)) {
		err = list_in(ours, ours->root, &others, &count);
	} else {
		err = list_in(ours, PINS_OWN_MOUNT, &others, &count);
		if (!err)
			err = list_in(ours, PINS_ROOT, &others, &count);
	}
	if (err) {
		free(others);
		return err;
	}
	*ret_others = others;
	*ret_count = count;
	return 0;
}

enum link_state { LINK_IS_NOT_THERE, LINK_HOLDS, LINK_LOST_ITS_INTERFACE };

static enum link_state link_state(const struct pins *other, uint32_t ifindex, const char *name)
{
	struct bpf_link_info info = {};
	char path[PINS_PATH_MAX];
	__u32 len = sizeof(info);
	int fd, err;

	pins_path(other, path, "if-%u/%s", ifindex, name);
	fd = pins_get(path);
	if (fd == -ENOENT)
		return LINK_IS_NOT_THERE;
	if (fd < 0)
		return LINK_HOLDS; /* as far as we know */
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	/* Links of XDP and of TCX both begin with it. */
	return err || info.xdp.ifindex ? LINK_HOLDS : LINK_LOST_ITS_INTERFACE;
}

static bool place_is_gone(const struct pins *other, uint32_t ifindex)
{
	static const char *const links[] = {"xdp_link", "ingress", "egress"};
	bool is_gone = false;

	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		enum link_state state = link_state(other, ifindex, links[i]);

		if (state == LINK_HOLDS)
			return false;
		is_gone |= state == LINK_LOST_ITS_INTERFACE;
	}
	return is_gone;
}

bool others_is_gone(const struct pins *other)
{
	uint32_t *ifindexes;
	bool is_gone;
	size_t count;

	if (pins_list(other, &ifindexes, &count))
		return false;
	is_gone = count;
	for (size_t i = 0; is_gone && i < count; i++)
		is_gone = place_is_gone(other, ifindexes[i]);
	free(ifindexes);
	return is_gone;
}
