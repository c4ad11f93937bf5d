/* SPDX-License-Identifier: GPL-2.0-only */
/* Where kept programs, links and maps are pinned, and what is noted there about them. */
#ifndef ACKMON_ATTACH_PINS_H
#define ACKMON_ATTACH_PINS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/config.h"

#define PINS_ROOT "/sys/fs/bpf/ackmon"
#define PINS_OWN_MOUNT "/run/ackmon/bpf" /* a bpffs of our own: /sys/fs/bpf is closed to groups */
#define PINS_PATH_MAX 512
#define PINS_MAPS_MAX 32
#define PROGRAM_MAPS_MAX 64 /* no program of ours, of any version, uses more */
#define PINS_NAME_MAX 16

/*
 * ROOT/v1/net-COOKIE/      of one network namespace: all its kept interfaces share their maps
 *     about                struct pins_about
 *     maps/NAME            flows, half_open, counters, events, ...
 *     programs/NAME        of TC, the same for all interfaces
 *     if-IFINDEX/place     struct pins_place
 *     if-IFINDEX/NAME      links (xdp_link, ingress, egress) and the XDP program
 */
struct pins {
	char root[PINS_PATH_MAX / 2];
	char folder[PINS_PATH_MAX];
	bool is_own_mount;
	int verb_fd;   /* its lock: one attach, detach or adoption at a time */
	int reader_fd; /* its lock: one reader at a time */
};

struct pins_layout {
	char map[PINS_NAME_MAX];
	uint64_t layout; /* see pins_map_layout() */
};

struct pins_about {
	uint32_t bytes; /* of this struct, in the version that wrote it */
	uint32_t map_count;
	uint64_t since_wall_ns;
	uint64_t flows_let_go;  /* by upgrades to another layout, all together */
	uint64_t frames_let_go; /* counted before, and no longer */
	char version[16];
	struct monitor_config config;
	struct pins_layout maps[PINS_MAPS_MAX];
};

enum xdp_way { XDP_NOT_USED, XDP_ALONE, XDP_DISPATCHED };
enum tc_way { TC_NOT_USED, TC_BY_TCX, TC_BY_FILTER };

struct pins_place {
	uint32_t ifindex;
	char name[IFNAMSIZ]; /* when it was attached */
	uint8_t xdp_way;     /* enum xdp_way */
	uint8_t xdp_generic;
	uint8_t tc_way[2];   /* enum tc_way, by direction */
	uint8_t made_clsact;
	uint8_t is_complete; /* else whoever attached it was killed on the way */
	uint8_t xdp_reads_tag;
	uint8_t reserved;
	uint64_t since_wall_ns;
};

struct bpf_object;
struct bpf_map;

/*
 * Names the folder of this namespace. root NULL: $ACKMON_BPFFS, or the one of PINS_OWN_MOUNT and
 * PINS_ROOT that has such a folder. Touches nothing.
 */
int pins_find(struct pins *ret_pins, const char *root);

/* Whether the person named a root, one way or the other. */
bool pins_root_is_named(const char *root);

/*
 * Lets pins_lock() make a bpffs at PINS_OWN_MOUNT and this folder there. -EXDEV: this mount namespace
 * ends with its processes, and what is pinned in a mount of its own would end with it.
 */
int pins_use_own_mount(struct pins *pins);
bool pins_exist(const struct pins *pins);
bool pins_have(const struct pins *pins, uint32_t ifindex);

/* Waits for its turn. -ENOENT: nothing is kept there, and `create` is false. -EMEDIUMTYPE: no bpffs. */
int pins_lock(struct pins *pins, bool create);
void pins_unlock(struct pins *pins);

/* Holds it until pins_unlock_reader() or the end of the process. -EBUSY: somebody else reads. */
int pins_lock_reader(struct pins *pins);
void pins_unlock_reader(struct pins *pins);

void pins_path(const struct pins *pins, char ret_path[PINS_PATH_MAX], const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* In place of what is pinned there. The folder above is made when it is not there. */
int pins_put(int fd, const char *path);
int pins_get(const char *path); /* a descriptor, or -errno */
int pins_look(const char *path); /* one for reading only, which takes no capability from Linux 5.19 on */

/*
 * Lets a group read the maps and the notes: never links and programs, and no folder may be opened, so
 * that none of its locks can be held by those who only look.
 */
int pins_share(const struct pins *pins, gid_t gid);
/* The group it is shared with; 0: none. */
gid_t pins_group(const struct pins *pins);
/* The folder above that lets no member of the group through; false: none does so. */
bool pins_are_closed_to(const struct pins *pins, gid_t gid, char ret_path[PINS_PATH_MAX]);

/* Removes a folder with what is pinned in it, one level deep. */
void pins_remove(const char *path);
/* Removes the folders above what was removed, as far as they are empty. */
void pins_tidy(const struct pins *pins);

/* -ENOENT: not there; -ESTALE: written by a version that noted other things. */
int pins_read_about(const struct pins *pins, struct pins_about *ret_about);
int pins_write_about(const struct pins *pins, const struct pins_about *about);
int pins_read_place(const struct pins *pins, uint32_t ifindex, struct pins_place *ret_place);
int pins_write_place(const struct pins *pins, const struct pins_place *place);

/* All kept interfaces; the caller frees. */
int pins_list(const struct pins *pins, uint32_t **ret_ifindexes, size_t *ret_count);

/* A number that changes when the type of a map's keys, values or records does, in any member. */
uint64_t pins_map_layout(const struct bpf_object *object, const struct bpf_map *map);

#endif
