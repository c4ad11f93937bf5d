/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on interfaces: how they get there, and that they leave without a trace. */
#ifndef ACKMON_ATTACH_H
#define ACKMON_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/config.h"
#include "cli.h"
#include "privileges.h"

struct attach; /* the loaded programs, their maps, and every place they are attached to */
struct bpf_map;
struct netns;

/*
 * Opens and configures the programs; loading waits for the first interface. On failure -errno and
 * one sentence with the way out in ret_error (no root, a missing capability, no BPF).
 */
int attach_open(struct attach **ret_attach, const struct monitor_config *config, char *ret_error,
		size_t error_size);

/* How much the maps hold; before they are loaded. Maps that are taken over keep their size. */
void attach_resize(struct attach *attach, const struct room_sizes *rooms);

/* One sentence: how many entries of what, and the memory that takes. */
void attach_describe_rooms(const struct attach *attach, char *ret_text, size_t text_size);

/* Loads the programs; attaching does it where this was not done before. */
int attach_load(struct attach *attach, char *ret_error, size_t error_size);

/*
 * Attaches ingress by `mode` and egress by TC. All or nothing for this interface. netns is where it
 * is (NULL: in our own namespace) and must live as long as the attachment. ret_note (may be NULL)
 * gets one sentence: what was attached where, in which mode and why; ret_ifindex (may be NULL) the
 * number of the interface that had the name.
 */
int attach_interface(struct attach *attach, const struct netns *netns, const char *name,
		     enum hook_mode mode, unsigned int *ret_ifindex, char *ret_note,
		     size_t note_size, char *ret_error, size_t error_size);

/* The interface is no longer there: forgets what was attached to it, and what that left behind. */
void attach_forget(struct attach *attach, const struct netns *netns, unsigned int ifindex);

/*
 * Takes over what `ackmon attach` left in `root` (NULL: $ACKMON_BPFFS, or its usual place), when one
 * of these interfaces is among it: from then on the maps are those, and the configuration too. Goes
 * before the first attach_interface(). 1: taken over; 0: none of them is kept; or -errno. ret_note
 * gets a sentence when something is to be said.
 */
int attach_adopt(struct attach *attach, const char *root, const char *const *names, size_t count,
		 char *ret_note, size_t note_size, char *ret_error, size_t error_size);

/*
 * Looks at what `ackmon attach` left there for one of these interfaces, and takes nothing: maps are
 * opened for reading only, which takes no capability where they are shared with our group. 1: they are
 * open; 0: none of them is kept; or -errno and a sentence.
 */
int attach_look(struct attach **ret_attach, const char *root, const char *const *names, size_t count,
		char *ret_error, size_t error_size);
bool attach_only_looks(const struct attach *attach);

/* Connections that upgrades of what is kept had to let go, since it was attached. */
uint64_t attach_flows_let_go(const struct attach *attach);

/* Would attach_adopt() take something over? */
bool attach_would_adopt(const char *root, const char *const *names, size_t count);

/* This interface was attached by `ackmon attach`, and stays so when we go. */
bool attach_is_kept(const struct attach *attach, unsigned int ifindex);
bool attach_has_kept(const struct attach *attach); /* any */

/* When what was taken over was first attached; 0: nothing was. */
uint64_t attach_since_wall_ns(const struct attach *attach);

const struct monitor_config *attach_config(const struct attach *attach);

/* The verbs: an exit code, and their sentences are printed. */
int attach_keep(const struct options *options, const struct monitor_config *config);
int attach_drop(const struct options *options);
int attach_status(const struct options *options);

/*
 * The shared maps, by name ("flows", "half_open", "holes", "counters", "events"); after the first
 * interface.
 */
struct bpf_map *attach_map(const struct attach *attach, const char *name);

struct bpf_object;
struct bpf_object *attach_object(const struct attach *attach);

/* How an interface is watched, told between processes. */
struct attach_ways {
	uint8_t xdp;   /* enum attach_xdp_way */
	uint8_t tc[2]; /* enum attach_tc_way, ingress and egress */
	uint8_t reserved;
};
enum attach_xdp_way { WAY_NO_XDP, WAY_NATIVE, WAY_GENERIC, WAY_NATIVE_VLAN, XDP_WAYS };
enum attach_tc_way { WAY_NO_TC, WAY_TCX, WAY_CLSACT };

/*
 * Two processes with one attachment, after a fork. Links of the kernel, which go when they are closed, and
 * claims are the one's; what takes a capability to be taken away, and what comes, is the other's.
 */
void attach_keep_links(struct attach *attach);
void attach_keep_rest(struct attach *attach);

/* What the other attached: its ways, and a descriptor of its claim, or -1. */
int attach_claim(struct attach *attach, const struct netns *netns, unsigned int ifindex,
		 struct attach_ways *ret_ways);
/* What the one is told of that. Takes claim_fd over. */
void attach_note(struct attach *attach, const struct netns *netns, unsigned int ifindex, const char *name,
		 const struct attach_ways *ways, int claim_fd);

/* Interfaces, hooks and modes, as they are attached now. Returns how many there are, at most `room`. */
struct metrics_hook;
size_t attach_hooks(const struct attach *attach, struct metrics_hook *ret_hooks, size_t room);

/*
 * What attach_stop() needs for all that is attached now: nothing where the kernel's links do it, more
 * where filters or a dispatcher have to be taken away.
 */
capabilities attach_to_leave(const struct attach *attach);

/* Detaches everything that is ours and nothing else; the maps stay readable. Accepts NULL. */
void attach_stop(struct attach *attach);

/* Detaches and frees everything. Accepts NULL and half-open things. */
void attach_close(struct attach *attach);

/* -D: one line an interface on stdout: name, state, driver, XDP modes, programs already there. */
int attach_list(void);

#endif
