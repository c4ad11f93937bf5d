/* SPDX-License-Identifier: GPL-2.0-only */
/* What the attach files share: a place we are on, the ways onto it, and words for what failed. */
#ifndef ACKMON_ATTACH_INTERNAL_H
#define ACKMON_ATTACH_INTERNAL_H

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <xdp/libxdp.h>

#include "abi/config.h"
#include "attach.h"
#include "interfaces.h"
#include "netns.h"

/* Younger than the headers of libbpf 1.1. */
#define BPF_TCX_INGRESS_TYPE 46
#define BPF_TCX_EGRESS_TYPE 47

enum direction { INGRESS, EGRESS, DIRECTION_COUNT };

/* What frames of an interface start with. */
enum link_kind { STARTS_WITH_ETHERNET, STARTS_WITH_IP, LINK_KINDS };

/* Names of our XDP program: the usual one, and the one that reads the tag in XDP metadata. */
#define XDP_PROGRAM "ackmon_xdp"
#define XDP_VLAN_PROGRAM "ackmon_xdp_vlan"

struct monitor; /* the skeleton; attach_programs.c alone includes it, so the binary holds it once */
struct pins;

/* One interface we are on. */
struct place {
	struct interface interface;
	const struct netns *netns; /* NULL: our own */
	uint64_t netns_cookie;	   /* 0 before Linux 5.14 */
	int claim_fd; /* held as long as we are there */
	int tcx_fd[DIRECTION_COUNT];
	bool has_filter[DIRECTION_COUNT];
	uint32_t filter_prog_id[DIRECTION_COUNT]; /* known without asking, which takes CAP_SYS_ADMIN */
	bool made_clsact;
	enum xdp_attach_mode xdp_mode;
	struct xdp_program *xdp; /* NULL: ingress is not by XDP */
	int xdp_link_fd; /* -1: libxdp's dispatcher has it, or ingress is not by XDP */
	uint32_t xdp_prog_id;
	bool reads_tag; /* in XDP metadata, by a program that is bound to this interface */
	struct monitor *xdp_copy;
	bool is_kept; /* pinned: it stays when we go */
	bool has_links_only; /* another process takes away the rest */
	struct attach_ways ways; /* as another process attached it; else see ways_of() */
};

/* `skel` holds the maps and the TC programs; XDP has a copy for each interface. */
struct attach {
	struct monitor *skel;
	struct monitor_config config;
	struct room_sizes rooms; /* as they were asked for */
	bool is_loaded;
	uint64_t flows_let_go; /* see struct pins_about */
	bool only_looks; /* at what is kept: nothing is loaded, attached or taken */
	struct pins *pins; /* NULL: the maps are ours alone */
	uint64_t since_wall_ns; /* with pins: counting began then */
	uint32_t *kept;	   /* interfaces that were, when we took over: later we may not be let in */
	size_t kept_count;
	struct place *places;
	size_t place_count;
	/* TC programs of other namespaces, by number, and of interfaces without Ethernet header. */
	struct monitor *copies[LINK_KINDS][NETNS_MAX + 1];
};

/* attach_programs.c */

/* The programs as they are compiled, not loaded; whether this process may load them is not asked. */
int attach_new(struct attach **ret_attach, const struct monitor_config *config);

/* Before they are loaded. */
void attach_configure(struct attach *attach, const struct monitor_config *config);

/* The descriptor of a program loaded for all interfaces of the place's namespace; or -errno. */
int attach_program_fd(struct attach *attach, const struct place *place, const char *name);

/* All programs and maps once more, not loaded, for what one interface needs to itself. */
/* Configured as the original, and for multi-buffer frames or not. NULL: errno says why. */
struct monitor *attach_copy_open(const struct attach *attach, const struct netns *netns,
				 bool has_frags, struct bpf_object **ret_object);
/* The same of XDP alone, in the form that reads the tag in its metadata. */
struct monitor *attach_copy_open_vlan(const struct attach *attach, const struct netns *netns,
				      bool has_frags, struct bpf_object **ret_object);

/* Lets the copy load only programs whose name begins so, and use the maps of all. */
int attach_copy_share(const struct attach *attach, struct bpf_object *copy, const char *programs);
void attach_copy_close(struct monitor *copy);			  /* accepts NULL */

int attach_program_name(uint32_t id, char ret_name[BPF_OBJ_NAME_LEN]);
bool attach_program_is(uint32_t id, const char *name);

/* attach_claim.c */

/* Makes it ours, or says whose it is. */
int attach_claim_place(struct place *place, char *ret_error, size_t error_size);
uint64_t attach_netns_cookie(void); /* of our own namespace; 0: the kernel does not say */

/* The process that watches the interface; 0: none. */
pid_t attach_claimant(unsigned int ifindex);

/* attach_choose.c: starts what the mode says, or what suits the interface, and says in ret_note what that is. */
int attach_choose(struct attach *attach, struct place *place, enum hook_mode mode, char *ret_note,
		  size_t note_size, char *ret_error, size_t error_size);

/* attach.c */
void attach_leave(struct place *place);

/* attach_words.c */

/* Writes the sentence and gives back err. */
int attach_fail(char *ret_error, size_t error_size, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "Invalid argument", and the kernel's own words when it had some since the last forgetting. */
const char *attach_explain(int err);
void attach_forget_kernel_message(void);

/* What libbpf and libxdp warn of goes to -v and to attach_explain(). */
void attach_listen_to_libraries(void);

/* attach_xdp.c: 0 or -errno; what has not been started may be stopped. place->reads_tag says in which form. */
int attach_xdp_start(struct attach *attach, struct place *place, enum xdp_attach_mode mode);
void attach_xdp_stop(struct place *place);
void attach_xdp_let_go(struct place *place); /* of what is pinned, so that it stays */
int attach_xdp_check_foreign(const struct place *place, char *ret_error, size_t error_size);
bool attach_xdp_can_share(void); /* by libxdp's dispatcher */
bool attach_xdp_is_ours(uint32_t id); /* in either form */
void attach_xdp_remove_leftover(const struct place *place);
void attach_xdp_forget(struct place *place); /* the interface is gone */

/* attach_tc.c: the same for TC, both directions apart. */
int attach_tc_start(struct attach *attach, struct place *place, enum direction direction,
		    char *ret_error, size_t error_size);
void attach_tc_stop(struct place *place);
void attach_tc_forget(struct place *place); /* the interface is gone */
void attach_tc_let_go(struct place *place);
/* The program in our filter, in one step. */
int attach_tc_replace(struct place *place, enum direction direction, int prog_fd);
void attach_tc_remove_leftovers(struct place *place);
const char *attach_tc_kind(const struct place *place); /* "TCX" or "clsact" */

/* attach_adopt.c */

/* For what `ackmon attach` attached: nothing is attached again. */
int attach_adopt_place(struct attach *attach, struct place *place, char *ret_note, size_t note_size,
		       char *ret_error, size_t error_size);
/* Programs of ours are there which somebody keeps elsewhere. */
int attach_check_kept(const struct place *place, char *ret_error, size_t error_size);
bool attach_program_is_kept(uint32_t id);
void attach_close_pins(struct attach *attach);
void attach_forget_reader(struct attach *attach); /* in another process: its lock is not ours */
/* As -i means it: a name, a pattern, or all that are up. */
bool attach_any_selects(const char *const *words, size_t count, const struct interface *interface);

/* attach_renew.c */
struct pins_about;
struct bpf_map;
bool attach_is_working_space(const struct bpf_map *map); /* not kept: nobody needs it as it was */
/* Every kept map is as this version has it. */
bool attach_everything_fits(const struct attach *attach, const struct pins *pins,
			    const struct pins_about *about);

#endif
