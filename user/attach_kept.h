/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files about kept programs share: `ackmon attach` and `detach`, readers that come, and another version's pins. */
#ifndef ACKMON_ATTACH_KEPT_H
#define ACKMON_ATTACH_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach_internal.h"
#include "attach_pins.h"
#include "clock.h"

static const char *const tc_programs[DIRECTION_COUNT] = {"ackmon_ingress", "ackmon_egress"};

static inline uint64_t attach_wall_ns(void)
{
	return (uint64_t)((int64_t)clock_monotonic_ns() + clock_wall_offset_ns());
}

/* attach_renew.c */

/* What a change of layout leaves behind, for the sentence about it. */
struct left {
	uint64_t flows;
	uint64_t frames;
	bool is_any;
};

void attach_count_left(const char *path, const char *name, struct left *left);
int attach_reuse_map(const struct pins *pins, struct bpf_map *map);

/* Our programs with the kept maps, as far as these are as we know them, in the place of the kept ones. */
int attach_renew(struct attach *attach, struct pins *pins, struct left *ret_left,
		 char *ret_error, size_t error_size);
void attach_say_left(const struct left *left, const char *folder, char *ret_note, size_t note_size);

/* attach_places.c: what is pinned of an interface */

struct place attach_place_at(const struct pins *pins, const struct pins_place *kept);
struct pins_place attach_describe_place(const struct place *place);
int attach_pin_links(const struct pins *pins, const struct place *place);
int attach_pin_xdp_program(const struct pins *pins, const struct place *place);
int attach_pin_tc_programs(struct attach *attach, const struct pins *pins);
/* Takes away what was attached there, and nothing else. */
void attach_remove_place(const struct pins *pins, uint32_t ifindex);
int attach_renew_places(struct attach *attach, struct pins *pins);

/* attach_adopt.c: 0, or -errno and a sentence; attach_lock_pins() gives -ENOENT without one. */

int attach_find_pins(const char *root, struct pins *ret_pins, char *ret_error, size_t error_size);
int attach_lock_pins(struct pins *pins, bool create, char *ret_error, size_t error_size);
int attach_lock_reader(struct pins *pins, char *ret_error, size_t error_size);
/* Who reads; 0: nobody knows. */
pid_t attach_reader(const struct pins *pins);
bool attach_is_full_name(const char *word);

/* attach_keep.c: with this group; 0: with none. */
int attach_share(const struct pins *pins, gid_t gid, char *ret_error, size_t error_size);

#endif
