/* SPDX-License-Identifier: GPL-2.0-only */
/* Where kept programs, links and maps are pinned, and what is noted there about them. */
#include "attach_pins.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS_MAGIC 0xcafe4a11
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Folders */

/* Numbers of namespaces are used again, cookies are not; before Linux 5.14 there are only numbers. */
static uint64_t netns_number(void)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat netns = {};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len)) {
		stat("/proc/self/ns/net", &netns);
		cookie = netns.st_ino;
	}
	if (fd >= 0)
		close(fd);
	return cookie;
}

static int name_folder(struct pins *pins, const char *root)
{
	int len = snprintf(pins->root, sizeof(pins->root), "%s", root);

	if (len >= (int)sizeof(pins->root))
		return -ENAMETOOLONG;
	snprintf(pins->folder, sizeof(pins->folder), "%s/v1/net-%llu", pins->root,
		 (unsigned long long)netns_number());
	pins->is_own_mount = !strcmp(root, PINS_OWN_MOUNT);
	return 0;
}

static const char *named_root(const char *root)
{
	if (!root)
		root = getenv("ACKMON_BPFFS");
	return root && *root ? root : NULL;
}

bool pins_root_is_named(const char *root)
{
	return named_root(root);
}

int pins_find(struct pins *ret_pins, const char *root)
{
	struct pins pins = {.verb_fd = -1, .reader_fd = -1};
	int err;

	root = named_root(root);
	err = name_folder(&pins, root ?: PINS_OWN_MOUNT);
	/* Closed to us is there, too: it is for a group we are not in. */
	if (!root && access(pins.folder, F_OK) && errno != EACCES)
		err = name_folder(&pins, PINS_ROOT);
	if (!err)
		*ret_pins = pins;
	return err;
}

void pins_path(const struct pins *pins, char ret_path[PINS_PATH_MAX], const char *format, ...)
{
	size_t len = (size_t)snprintf(ret_path, PINS_PATH_MAX, "%s/", pins->folder);
	va_list args;

	va_start(args, format);
	vsnprintf(ret_path + len, PINS_PATH_MAX - len, format, args);
	va_end(args);
}

bool pins_exist(const struct pins *pins)
{
	return !access(pins->folder, F_OK);
}

bool pins_have(const struct pins *pins, uint32_t ifindex)
{
	struct pins_place place;

	return !pins_read_place(pins, ifindex, &place) && place.is_complete;
}

/* Every folder on the way to `path`, which is inside of a bpffs. */
static int make_folders(const char *path)
{
	char folder[PINS_PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(folder, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	return 0;
}

/* The nearest folder that is there has to be on a bpffs, else we would make folders anywhere. */
static int check_bpffs(const char *path)
{
	char folder[PINS_PATH_MAX];
	struct statfs fs;
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	while (statfs(folder, &fs)) {
		slash = strrchr(folder, '/');
		if (!slash || slash == folder)
			return -ENOENT;
		*slash = '\0';
	}
	return (uint32_t)fs.f_type == BPFFS_MAGIC ? 0 : -EMEDIUMTYPE;
}

/* A mount of our own */

/* The inode names the namespace. 0: not for us to look at, or no such process. */
static ino_t mounts_of(pid_t pid)
{
	struct stat stat_of;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return stat(path, &stat_of) ? 0 : stat_of.st_ino;
}

/* 0: it has none here, or is gone. */
static pid_t parent_of(pid_t pid)
{
	char path[64], line[512];
	const char *name_end;
	int parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file) || !(name_end = strrchr(line, ')')) ||
	    sscanf(name_end + 1, " %*c %d", &parent) != 1)
		parent = 0;
	fclose(file);
	return parent;
}

/*
 * Whether what is mounted here outlives who started us: the furthest ancestor we may look at, pid 1
 * on most machines, has the same mounts.
 */
static bool mounts_stay(void)
{
	ino_t ours = mounts_of(getpid()), furthest = 0;

	for (pid_t pid = getppid(); pid > 0; pid = parent_of(pid)) {
		ino_t theirs = mounts_of(pid);

		if (theirs)
			furthest = theirs;
	}
	return furthest && furthest == ours;
}

int pins_use_own_mount(struct pins *pins)
{
	return mounts_stay() ? name_folder(pins, PINS_OWN_MOUNT) : -EXDEV;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (uint32_t)fs.f_type == BPFFS_MAGIC;
}

/* Held while the mount is made, used for the first time, or taken away. A descriptor, or -errno. */
static int lock_own_mount(void)
{
	char parent[] = PINS_OWN_MOUNT;
	int fd;

	*strrchr(parent, '/') = '\0';
	if (mkdir(parent, 0755) && errno != EEXIST)
		return -errno;
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	if (fd >= 0)
		close(fd);
	return -errno;
}

static int make_own_mount(void)
{
	if (is_bpffs(PINS_OWN_MOUNT))
		return 0;
	if (mkdir(PINS_OWN_MOUNT, 0700) && errno != EEXIST)
		return -errno;
	return mount("ackmon", PINS_OWN_MOUNT, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")
		       ? -errno
		       : 0;
}

/* Stays when something is still in it, or in use: whoever fills it holds the lock, then a folder. */
static void remove_own_mount(void)
{
	int fd = lock_own_mount();

	if (fd < 0)
		return;
	if (is_bpffs(PINS_OWN_MOUNT) && access(PINS_OWN_MOUNT "/v1", F_OK) && !umount2(PINS_OWN_MOUNT, UMOUNT_NOFOLLOW))
		rmdir(PINS_OWN_MOUNT);
	close(fd);
}

/* Locks */

static int lock_folder(const char *path, int operation)
{
	struct stat locked, there;
	int fd, err;

	for (;;) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (flock(fd, operation)) {
			err = errno == EWOULDBLOCK ? -EBUSY : -errno;
			close(fd);
			return err;
		}
		/* Whoever had it may have removed the folder, and a new one may have its name. */
		if (!fstat(fd, &locked) && !stat(path, &there) && locked.st_ino == there.st_ino)
			return fd;
		close(fd);
	}
}

static int lock_here(struct pins *pins, bool create)
{
	char path[PINS_PATH_MAX];
	int err;

	for (;;) {
		if (create) {
			err = check_bpffs(pins->root);
			if (err)
				return err;
			pins_path(pins, path, "maps/");
			err = make_folders(path);
			if (err == -ENOENT)
				continue; /* somebody tidied up below us */
			if (err)
				return err;
		}
		pins->verb_fd = lock_folder(pins->folder, LOCK_EX);
		if (pins->verb_fd != -ENOENT || !create)
			break;
	}
	if (pins->verb_fd >= 0 && create)
		return make_folders(path);
	return pins->verb_fd < 0 ? pins->verb_fd : 0;
}

int pins_lock(struct pins *pins, bool create)
{
	int fd, err;

	if (!create || !pins->is_own_mount)
		return lock_here(pins, create);
	fd = lock_own_mount();
	if (fd < 0)
		return fd;
	err = make_own_mount();
	if (!err)
		err = lock_here(pins, create);
	close(fd);
	return err;
}

void pins_unlock(struct pins *pins)
{
	if (pins->verb_fd < 0)
		return;
	close(pins->verb_fd);
	pins->verb_fd = -1;
	if (pins->is_own_mount)
		remove_own_mount();
}

int pins_lock_reader(struct pins *pins)
{
	char path[PINS_PATH_MAX];
	int fd;

	pins_path(pins, path, "maps");
	fd = lock_folder(path, LOCK_EX | LOCK_NB);
	if (fd < 0)
		return fd;
	pins->reader_fd = fd;
	return 0;
}

void pins_unlock_reader(struct pins *pins)
{
	if (pins->reader_fd >= 0)
		close(pins->reader_fd);
	pins->reader_fd = -1;
}

/* Pins */

int pins_put(int fd, const char *path)
{
	char fresh[PINS_PATH_MAX];
	int err = make_folders(path);

	if (err)
		return err;
	/* Beside and then in its place: a kill in between leaves the one or the other. */
	if (snprintf(fresh, sizeof(fresh), "%s-new", path) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	unlink(fresh);
	err = bpf_obj_pin(fd, fresh);
	if (!err && rename(fresh, path))
		err = -errno;
	return err;
}

int pins_get(const char *path)
{
	return bpf_obj_get(path);
}

int pins_look(const char *path)
{
	LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = BPF_F_RDONLY);

	return bpf_obj_get_opts(path, &options);
}

void pins_remove(const char *path)
{
	char entry[PINS_PATH_MAX + NAME_MAX + 2];
	DIR *folder = opendir(path);
	const struct dirent *dirent;

	if (folder) {
		while ((dirent = readdir(folder))) {
			if (dirent->d_name[0] == '.')
				continue;
			snprintf(entry, sizeof(entry), "%s/%s", path, dirent->d_name);
			unlink(entry);
		}
		closedir(folder);
		rmdir(path);
	} else {
		unlink(path);
	}
}

void pins_tidy(const struct pins *pins)
{
	char path[PINS_PATH_MAX];

	rmdir(pins->folder);
	snprintf(path, sizeof(path), "%s/v1", pins->root);
	rmdir(path);
	rmdir(pins->root); /* not a mount */
}

/* Sharing */

static int give(const char *path, gid_t gid, mode_t mode)
{
	return chown(path, (uid_t)-1, gid) || chmod(path, mode) ? -errno : 0;
}

/* All that is pinned in a folder and is named so; name NULL: everything. */
static int give_all(const char *folder, const char *name, gid_t gid)
{
	char path[PINS_PATH_MAX + NAME_MAX + 2];
	const struct dirent *dirent;
	DIR *entries = opendir(folder);
	int err = 0;

	while (entries && !err && (dirent = readdir(entries))) {
		if (dirent->d_name[0] == '.' || (name && strcmp(dirent->d_name, name)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, dirent->d_name);
		err = give(path, gid, 0640);
	}
	if (entries)
		closedir(entries);
	return err ? err : give(folder, gid, 0710);
}

static int share_places(const struct pins *pins, gid_t gid)
{
	char folder[PINS_PATH_MAX];
	uint32_t *ifindexes;
	size_t count;
	int err = pins_list(pins, &ifindexes, &count);

	if (err)
		return err;
	for (size_t i = 0; !err && i < count; i++) {
		pins_path(pins, folder, "if-%u", ifindexes[i]);
		err = give_all(folder, "place", gid);
	}
	free(ifindexes);
	return err;
}

/* The folder last: it says that all of this is done. */
int pins_share(const struct pins *pins, gid_t gid)
{
	char path[PINS_PATH_MAX];
	int err;

	pins_path(pins, path, "maps");
	err = give_all(path, NULL, gid);
	if (!err)
		err = share_places(pins, gid);
	pins_path(pins, path, "about");
	if (!err)
		err = give(path, gid, 0640);
	/* Ways to it; a root that somebody named is not ours to open. */
	snprintf(path, sizeof(path), "%s/v1", pins->root);
	if (!err && (chmod(path, 0711) || (pins->is_own_mount && chmod(pins->root, 0711))))
		err = -errno;
	return err ? err : give(pins->folder, gid, 0710);
}

gid_t pins_group(const struct pins *pins)
{
	struct stat folder;

	return stat(pins->folder, &folder) || (folder.st_mode & 0777) != 0710 ? 0 : folder.st_gid;
}

static bool lets_through(const char *folder, gid_t gid)
{
	struct stat at;

	if (stat(folder, &at))
		return false;
	return at.st_mode & (at.st_gid == gid ? S_IXGRP : S_IXOTH);
}

bool pins_are_closed_to(const struct pins *pins, gid_t gid, char ret_path[PINS_PATH_MAX])
{
	snprintf(ret_path, PINS_PATH_MAX, "%s", pins->folder);
	for (char *at = ret_path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (!lets_through(ret_path, gid))
			return true;
		*at = '/';
	}
	return false;
}

/* Notes: maps of one entry, which bpffs can hold and a file system of ours need not. */

static int write_note(const char *path, const char *name, const void *note, uint32_t bytes)
{
	__u32 zero = 0;
	int fd, err;

	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, sizeof(zero), bytes, 1, NULL);
	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(fd, &zero, note, BPF_ANY);
	if (!err)
		err = pins_put(fd, path);
	close(fd);
	return err;
}

static int read_note(const char *path, void *ret_note, uint32_t bytes)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	int fd, err;

	fd = pins_look(path);
	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (!err && info.value_size != bytes)
		err = -ESTALE;
	if (!err)
		err = bpf_map_lookup_elem(fd, &zero, ret_note);
	close(fd);
	return err;
}

int pins_read_about(const struct pins *pins, struct pins_about *ret_about)
{
	struct pins_about about;
	char path[PINS_PATH_MAX];
	int err;

	pins_path(pins, path, "about");
	err = read_note(path, &about, sizeof(about));
	if (err)
		return err;
	if (about.bytes != sizeof(about) || about.map_count > PINS_MAPS_MAX)
		return -ESTALE;
	*ret_about = about;
	return 0;
}

int pins_write_about(const struct pins *pins, const struct pins_about *about)
{
	char path[PINS_PATH_MAX];

	pins_path(pins, path, "about");
	return write_note(path, "ackmon_about", about, sizeof(*about));
}

int pins_read_place(const struct pins *pins, uint32_t ifindex, struct pins_place *ret_place)
{
	char path[PINS_PATH_MAX];

	pins_path(pins, path, "if-%u/place", ifindex);
	return read_note(path, ret_place, sizeof(*ret_place));
}

int pins_write_place(const struct pins *pins, const struct pins_place *place)
{
	char path[PINS_PATH_MAX];

	pins_path(pins, path, "if-%u/place", place->ifindex);
	return write_note(path, "ackmon_place", place, sizeof(*place));
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int pins_list(const struct pins *pins, uint32_t **ret_ifindexes, size_t *ret_count)
{
	DIR *folder = opendir(pins->folder);
	const struct dirent *dirent;
	uint32_t *ifindexes = NULL, *more, ifindex;
	size_t count = 0;
	int err = 0;

	if (!folder && errno != ENOENT)
		return -errno;
	while (folder && (dirent = readdir(folder))) {
		if (sscanf(dirent->d_name, "if-%u", &ifindex) != 1)
			continue;
		more = reallocarray(ifindexes, count + 1, sizeof(*ifindexes));
		if (!more) {
			err = -ENOMEM;
			break;
		}
		ifindexes = more;
		ifindexes[count++] = ifindex;
	}
	if (folder)
		closedir(folder);
	if (err) {
		free(ifindexes);
		return err;
	}
	if (count)
		qsort(ifindexes, count, sizeof(*ifindexes), by_number);
	*ret_ifindexes = ifindexes;
	*ret_count = count;
	return 0;
}

/* Layouts: every name, size and offset of a type, by FNV-1a. */

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *byte = bytes;

	while (len--)
		hash = (hash ^ *byte++) * 0x100000001b3ull;
	return hash;
}

static uint64_t mix_number(uint64_t hash, uint32_t number)
{
	return mix_bytes(hash, &number, sizeof(number));
}

static uint64_t mix_name(uint64_t hash, const struct btf *btf, uint32_t name_off)
{
	const char *name = btf__name_by_offset(btf, name_off);

	return mix_bytes(hash, name ? name : "", name ? strlen(name) + 1 : 1);
}

static uint64_t mix_type(uint64_t hash, const struct btf *btf, uint32_t id, int depth)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	if (!type || depth > 16)
		return hash;
	hash = mix_number(hash, btf_kind(type));
	if (btf_is_array(type)) {
		hash = mix_number(hash, btf_array(type)->nelems);
		return mix_type(hash, btf, btf_array(type)->type, depth + 1);
	}
	hash = mix_number(hash, type->size);
	if (btf_is_composite(type)) {
		for (uint32_t i = 0; i < btf_vlen(type); i++) {
			const struct btf_member *member = &btf_members(type)[i];

			hash = mix_name(hash, btf, member->name_off);
			hash = mix_number(hash, member->offset);
			hash = mix_type(hash, btf, member->type, depth + 1);
		}
	} else if (btf_is_enum(type)) {
		for (uint32_t i = 0; i < btf_vlen(type); i++) {
			hash = mix_name(hash, btf, btf_enum(type)[i].name_off);
			hash = mix_number(hash, (uint32_t)btf_enum(type)[i].val);
		}
	}
	return hash;
}

/* What the type of a map does not name: the order of counters, the records of the ring buffer. */
static uint64_t mix_unnamed(uint64_t hash, const struct btf *btf, const char *map)
{
	static const struct {
		const char *map, *type;
		uint32_t kind;
	} unnamed[] = {
		{"counters", "counter", BTF_KIND_ENUM},
		{"counters", "door", BTF_KIND_ENUM},
		{"events", "event_type", BTF_KIND_ENUM},
		{"events", "flow_event", BTF_KIND_STRUCT},
		{"events", "segment_event", BTF_KIND_STRUCT},
	};

	for (size_t i = 0; i < sizeof(unnamed) / sizeof(*unnamed); i++) {
		int id = btf__find_by_name_kind(btf, unnamed[i].type, unnamed[i].kind);

		if (!strcmp(unnamed[i].map, map) && id > 0)
			hash = mix_type(hash, btf, (uint32_t)id, 0);
	}
	return hash;
}

uint64_t pins_map_layout(const struct bpf_object *object, const struct bpf_map *map)
{
	const struct btf *btf = bpf_object__btf(object);
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = mix_number(hash, bpf_map__type(map));
	hash = mix_number(hash, bpf_map__key_size(map));
	hash = mix_number(hash, bpf_map__value_size(map));
	hash = mix_number(hash, bpf_map__map_flags(map));
	hash = mix_type(hash, btf, bpf_map__btf_key_type_id(map), 0);
	hash = mix_type(hash, btf, bpf_map__btf_value_type_id(map), 0);
	return mix_unnamed(hash, btf, bpf_map__name(map));
}
