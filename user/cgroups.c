/* SPDX-License-Identifier: GPL-2.0-only */
/* Cgroups by their number: the path, and whom it stands for - a unit, a container, a pod. */
#include "cgroups.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "escape.h"
#include "log.h"

/* A host has some hundred. A tree that goes on for ever must not take all memory. */
#define ENTRIES_MAX 65536u
#define DEPTH_MAX 32

#define ASKED_EVERY_NS 1000000000ull
#define REFRESHED_EVERY_NS 2000000000ull
/* A walk may cost this part of the time between two of them. */
#define WALK_SHARE 50

#define CONTAINER_DIGITS 64
#define CONTAINER_SHOWN 12
#define POD_UID_LEN 36

struct entry {
	uint32_t id;
	uint32_t walk; /* the last one that found it */
	char *path;    /* NULL: a free place */
	bool visited;
};

struct cgroups {
	char *root;
	struct entry *entries; /* a hash table, by id */
	uint32_t room;	       /* a power of two */
	uint32_t count;
	uint32_t walk;
	uint64_t walked_ns;
	uint64_t cost_ns;
	int news_fd;   /* inotify: a directory came; -1: not to be had */
	bool has_news; /* since the last walk began */
	bool is_cut; /* more than ENTRIES_MAX, and the sentence was said */
};

/* The table */

static struct entry *entry_place(const struct cgroups *cgroups, uint32_t id)
{
	uint32_t at = id * 2654435761u;

	for (;; at++) {
		struct entry *entry = &cgroups->entries[at & (cgroups->room - 1)];

		if (!entry->path || entry->id == id)
			return entry;
	}
}

/* Into another table; of those that are gone nothing is kept when there is no room for them. */
static int rebuild(struct cgroups *cgroups, uint32_t room, bool keeps_gone)
{
	struct cgroups old = *cgroups;
	struct entry *entries = calloc(room, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	cgroups->entries = entries;
	cgroups->room = room;
	cgroups->count = 0;
	for (uint32_t i = 0; i < old.room; i++) {
		struct entry *entry = &old.entries[i];

		if (!entry->path)
			continue;
		if (!keeps_gone && entry->walk != cgroups->walk) {
			free(entry->path);
			continue;
		}
		*entry_place(cgroups, entry->id) = *entry;
		cgroups->count++;
	}
	free(old.entries);
	return 0;
}

static int make_room(struct cgroups *cgroups)
{
	if (cgroups->count < cgroups->room / 2)
		return 0;
	if (cgroups->room / 2 < ENTRIES_MAX)
		return rebuild(cgroups, cgroups->room * 2, true);
	if (rebuild(cgroups, cgroups->room, false))
		return -ENOMEM;
	if (cgroups->count < cgroups->room / 2)
		return 0;
	if (!cgroups->is_cut)
		log_error("more than %u cgroups: some connections will not be named",
			  ENTRIES_MAX);
	cgroups->is_cut = true;
	return -ENOSPC;
}

/* Before it is looked into: what comes later is news. */
static void watch_for_children(const struct cgroups *cgroups, const char *path)
{
	char whole[PATH_MAX];

	if (cgroups->news_fd >= 0 && snprintf(whole, sizeof(whole), "%s%s", cgroups->root, path) < PATH_MAX)
		inotify_add_watch(cgroups->news_fd, whole, IN_CREATE | IN_ONLYDIR);
}

static int note(struct cgroups *cgroups, uint32_t id, const char *path)
{
	int err = make_room(cgroups);
	struct entry *entry;

	if (err)
		return err;
	entry = entry_place(cgroups, id);
	entry->walk = cgroups->walk;
	if (entry->path && !strcmp(entry->path, path))
		return 0;
	cgroups->count += !entry->path;
	free(entry->path);
	entry->id = id;
	entry->visited = false;
	entry->path = strdup(path);
	watch_for_children(cgroups, path);
	if (!entry->path)
		cgroups->count--;
	return entry->path ? 0 : -ENOMEM;
}

/* The walk: one directory a cgroup, whose inode is its number. */

struct walk {
	struct cgroups *cgroups;
	char path[PATH_MAX]; /* below the root; empty there */
	size_t len;
};

static void walk_directory(struct walk *walk, int fd, int depth)
{
	struct stat status;
	struct dirent *child;
	DIR *directory;

	if (!fstat(fd, &status))
		note(walk->cgroups, (uint32_t)status.st_ino, walk->len ? walk->path : "/");
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return;
	}
	while (depth < DEPTH_MAX && (child = readdir(directory))) {
		size_t len = strlen(child->d_name), before = walk->len;
		int child_fd;

		if (child->d_type != DT_DIR || child->d_name[0] == '.' ||
		    before + 1 + len >= sizeof(walk->path))
			continue;
		child_fd = openat(dirfd(directory), child->d_name,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child_fd < 0) /* gone meanwhile, or not for us */
			continue;
		walk->path[before] = '/';
		memcpy(walk->path + before + 1, child->d_name, len + 1);
		walk->len = before + 1 + len;
		walk_directory(walk, child_fd, depth + 1);
		walk->len = before;
		walk->path[before] = '\0';
	}
	closedir(directory);
}

static void walk_tree(struct cgroups *cgroups)
{
	uint64_t begin_ns = clock_monotonic_ns();
	int fd = open(cgroups->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk walk = {.cgroups = cgroups};

	cgroups->walk++;
	cgroups->has_news = false;
	if (fd >= 0)
		walk_directory(&walk, fd, 0);
	cgroups->walked_ns = clock_monotonic_ns();
	cgroups->cost_ns = cgroups->walked_ns - begin_ns;
}

static void walk_when_old(struct cgroups *cgroups, uint64_t age_ns)
{
	uint64_t rest_ns = cgroups->cost_ns * WALK_SHARE;

	if (clock_monotonic_ns() - cgroups->walked_ns >= (rest_ns > age_ns ? rest_ns : age_ns))
		walk_tree(cgroups);
}

void cgroups_refresh(struct cgroups *cgroups)
{
	walk_when_old(cgroups, cgroups->has_news ? 0 : REFRESHED_EVERY_NS);
}

int cgroups_news_fd(const struct cgroups *cgroups)
{
	return cgroups->news_fd;
}

void cgroups_have_news(struct cgroups *cgroups)
{
	cgroups->has_news = true;
}

const char *cgroups_path(struct cgroups *cgroups, uint32_t id)
{
	const char *path = entry_place(cgroups, id)->path;

	if (path)
		return path;
	walk_when_old(cgroups, ASKED_EVERY_NS);
	return entry_place(cgroups, id)->path;
}

int cgroups_visit_new(struct cgroups *cgroups, cgroups_visit_fn visit, void *context)
{
	int err = 0;

	for (uint32_t i = 0; i < cgroups->room && !err; i++) {
		struct entry *entry = &cgroups->entries[i];

		if (!entry->path || entry->visited)
			continue;
		err = visit(context, entry->id, entry->path);
		entry->visited = !err;
	}
	return err;
}

void cgroups_forget_gone(struct cgroups *cgroups)
{
	rebuild(cgroups, cgroups->room, false);
	for (uint32_t i = 0; i < cgroups->room; i++)
		cgroups->entries[i].visited = false;
}

/* Where it is mounted: "31 23 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", blanks as \040. */
static int find_mount(char ret_path[PATH_MAX])
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int err = -ENOENT;

	if (!file)
		return -errno;
	while (err && getline(&line, &size, file) > 0) {
		char format[32];

		if (!strstr(line, " - cgroup2 "))
			continue;
		snprintf(format, sizeof(format), "%%*s %%*s %%*s %%*s %%%ds", PATH_MAX - 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (sscanf(line, format, ret_path) == 1 && !strchr(ret_path, '\\'))
			err = 0;
#pragma GCC diagnostic pop
	}
	free(line);
	fclose(file);
	return err;
}

int cgroups_open_at(struct cgroups **ret_cgroups, const char *root)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));

	if (!cgroups)
		return -ENOMEM;
	cgroups->news_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	cgroups->root = strdup(root);
	if (!cgroups->root || rebuild(cgroups, 256, true)) {
		cgroups_close(cgroups);
		return -ENOMEM;
	}
	walk_tree(cgroups);
	*ret_cgroups = cgroups;
	return 0;
}

int cgroups_open(struct cgroups **ret_cgroups)
{
	char root[PATH_MAX];
	int err = find_mount(root);

	return err ? err : cgroups_open_at(ret_cgroups, root);
}

void cgroups_close(struct cgroups *cgroups)
{
	if (!cgroups)
		return;
	for (uint32_t i = 0; i < cgroups->room; i++)
		free(cgroups->entries[i].path);
	free(cgroups->entries);
	free(cgroups->root);
	free(cgroups);
}

/* Names */

/* The 64 digits of a container in one part of a path, or NULL. */
static const char *container_digits(const char *part, size_t len)
{
	size_t run = 0;

	for (size_t i = 0; i < len; i++) {
		run = isxdigit((unsigned char)part[i]) && !isupper((unsigned char)part[i]) ? run + 1
											   : 0;
		if (run == CONTAINER_DIGITS)
			return &part[i + 1 - run];
	}
	return NULL;
}

/* "kubepods-burstable-pod1234_abcd.slice" (systemd) or "pod1234-abcd": the uid, with dashes. */
static bool pod_uid(const char *path, char ret_uid[POD_UID_LEN + 1])
{
	const char *at = strstr(path, "kubepods");

	while (at && (at = strstr(at, "pod"))) {
		size_t len = 0;

		at += 3;
		while (len < POD_UID_LEN && (isxdigit((unsigned char)at[len]) || at[len] == '-' ||
					     at[len] == '_'))
			len++;
		if (len < POD_UID_LEN && len != 32) /* a static pod's uid has no dashes */
			continue;
		for (size_t i = 0; i < len; i++)
			ret_uid[i] = at[i] == '_' ? '-' : at[i];
		ret_uid[len] = '\0';
		return true;
	}
	return false;
}

/* Who runs it: what stands before the digits ("docker-", "/docker/", "crio-"), or "container". */
static void runtime_name(const char *path, const char *digits, char ret_runtime[24])
{
	const char *end = digits, *begin;
	size_t len;

	while (end > path && (end[-1] == '-' || end[-1] == '/'))
		end--;
	begin = end;
	while (begin > path && begin[-1] != '/')
		begin--;
	len = (size_t)(end - begin);
	if (len > 23 || !len)
		snprintf(ret_runtime, 24, "container");
	else
		snprintf(ret_runtime, 24, "%.*s", (int)len, begin);
}

void cgroup_name(const char *path, char ret_name[CGROUP_NAME_MAX])
{
	const char *part = strrchr(path, '/'), *digits = container_digits(path, strlen(path));
	char uid[POD_UID_LEN + 1], runtime[24];

	part = part ? part + 1 : path;
	if (pod_uid(path, uid) && digits)
		snprintf(ret_name, CGROUP_NAME_MAX, "pod:%s/%.*s", uid, CONTAINER_SHOWN, digits);
	else if (pod_uid(path, uid))
		snprintf(ret_name, CGROUP_NAME_MAX, "pod:%s", uid);
	else if (digits) {
		runtime_name(path, digits, runtime);
		snprintf(ret_name, CGROUP_NAME_MAX, "%s:%.*s", runtime, CONTAINER_SHOWN, digits);
	} else
		snprintf(ret_name, CGROUP_NAME_MAX, "%s", part);
}

/* Labels are text: whatever a directory may be called, this is UTF-8. */
static void copy_text(const char *text, size_t len, char ret_text[CGROUP_NAMESPACE_MAX])
{
	len = len < CGROUP_NAMESPACE_MAX ? len : CGROUP_NAMESPACE_MAX - 1;
	memcpy(ret_text, text, len);
	ret_text[len] = '\0';
	for (uint8_t *at = (uint8_t *)ret_text; *at;) {
		size_t bytes = *at < 0x80 ? 1 : escape_utf8_length(at);

		if (!bytes)
			*at = '?';
		at += bytes ? bytes : 1;
	}
}

static bool ends_in(const char *part, size_t len, const char *end)
{
	return len > strlen(end) && !memcmp(part + len - strlen(end), end, strlen(end));
}

void cgroup_namespace(const char *path, char ret_namespace[CGROUP_NAMESPACE_MAX])
{
	const char *digits = container_digits(path, strlen(path)), *part = path, *slice = NULL;
	char uid[POD_UID_LEN + 1], runtime[24];
	size_t len = 0, slice_len = 0;

	if (pod_uid(path, uid)) {
		copy_text("kubepods", strlen("kubepods"), ret_namespace);
		return;
	}
	for (;;) {
		part += strspn(part, "/");
		len = strcspn(part, "/");
		if (!ends_in(part, len, ".slice"))
			break;
		slice = part;
		slice_len = len;
		part += len;
	}
	if (!ends_in(part, len, ".service") && digits) {
		runtime_name(path, digits, runtime);
		copy_text(runtime, strlen(runtime), ret_namespace);
	} else if (!ends_in(part, len, ".service") && slice) {
		copy_text(slice, slice_len, ret_namespace);
	} else {
		copy_text(part, len, ret_namespace);
	}
}
