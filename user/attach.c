/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on interfaces: how they get there, and that they leave without a trace. */
#include "abi/aggregate.h"
#include "abi/owner.h"
#include "attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach_form.h"
#include "attach_internal.h"
#include "abi/key.h"
#include "abi/link.h"
#include "log.h"
#include "metrics.h"
#include "privileges.h"
#include "table.h"

/* Drivers that pay for native XDP by giving something up; `auto` leaves them as they are. */
static const struct costly_driver {
	const char *driver;
	const char *cost;
} costly_drivers[] = {
	{"veth", "native XDP would switch the peer's GSO off"},
	{"virtio_net", "native XDP would switch the receive offloads off"},
};

/* Words */

/* What the kernel said when it refused the last netlink request; empty: nothing. */
static char kernel_message[256];

int attach_fail(char *ret_error, size_t error_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, error_size, format, args);
	va_end(args);
	return err;
}

/* Of a verifier's log its end tells why; the rest is what it walked on the way there. */
#define TOLD_LINES 8

static void tell_lines(const char *text)
{
	size_t left = 0, len = strcspn(text, "\n");

	log_debug("%.*s", (int)len, text);
	text += len;
	for (const char *at = text; *at; at++)
		left += *at == '\n' && at[1];
	for (; left; left--) {
		text++;
		len = strcspn(text, "\n");
		if (left <= TOLD_LINES)
			log_debug("  %.*s", (int)len, text);
		text += len;
	}
}

/* The libraries' warnings are details for -v: refusals are part of finding the way in. */
static void remember_warning(const char *format, va_list args)
{
	static const char prefix[] = "libbpf: Kernel error message: ";
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	if (!strncmp(text, prefix, strlen(prefix)))
		snprintf(kernel_message, sizeof(kernel_message), "%.*s",
			 (int)strcspn(text + strlen(prefix), "\n"), text + strlen(prefix));
	tell_lines(text);
	free(text);
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN)
		remember_warning(format, args);
	return 0;
}

static int print_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	if (level == LIBXDP_WARN)
		remember_warning(format, args);
	return 0;
}

const char *attach_explain(int err)
{
	static char text[384];

	if (kernel_message[0])
		snprintf(text, sizeof(text), "%s: %s", strerror(-err), kernel_message);
	else
		snprintf(text, sizeof(text), "%s", strerror(-err));
	return text;
}

void attach_forget_kernel_message(void)
{
	kernel_message[0] = '\0';
}

void attach_listen_to_libraries(void)
{
	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
}

/* Programs */

/* Parts of names of groups, of which most groups need one. */
#define LABEL_NAMES_MAX 131072u

/* Pairs of labels take their memory at once, histograms most of it. */
static void size_pairs(struct monitor *skel, const struct monitor_config *config)
{
	bpf_map__set_max_entries(skel->maps.pair_numbers, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pairs, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pair_chunks, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.pair_reader, config->pairs_max);
	bpf_map__set_max_entries(skel->maps.chunks, config->chunks_max);
	bpf_map__set_max_entries(skel->maps.owner_marks, OWNER_PLACES);
	if (config->kept)
		bpf_map__set_max_entries(skel->maps.label_names, LABEL_NAMES_MAX);
}

/* From here on pairs and chunks are given out; generation 1 of the labels is empty. */
static int begin_pairs(struct monitor *skel)
{
	struct aggregate_state state = {
		.pairs = PAIR_FIRST,
		.chunks = CHUNK_FIRST,
		.generation = 1,
	};
	struct aggregate_state before = {};
	__u32 zero = 0;
	int err = bpf_map__lookup_elem(skel->maps.pair_state, &zero, sizeof(zero), &before,
				       sizeof(before), 0);

	if (err || before.generation) /* they were counted in before, and go on */
		return err;
	return bpf_map__update_elem(skel->maps.pair_state, &zero, sizeof(zero), &state,
				    sizeof(state), BPF_ANY);
}

static int open_programs(struct attach *attach, const struct monitor_config *config)
{
	attach->skel = form_open(form_is_older());
	if (!attach->skel)
		return -errno;
	attach->config = *config;
	/* A kernel may be built without cgroups of sockets. */
	if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_cgroup_id, NULL) != 1)
		attach->config.owners = 0;
	attach->skel->rodata->config = attach->config;
	if (!config->several)
		bpf_map__set_max_entries(attach->skel->maps.claims, 1);
	if (!config->transit)
		bpf_map__set_max_entries(attach->skel->maps.transit_marks, 1);
	if (config->aggregate)
		size_pairs(attach->skel, config);
	else
		bpf_map__set_max_entries(attach->skel->maps.owner_marks, 1);
	return bpf_program__set_autoload(attach->skel->progs.ackmon_xdp, false);
}

int attach_new(struct attach **ret_attach, const struct monitor_config *config)
{
	struct attach *attach;
	int err;

	attach_listen_to_libraries();
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return -ENOMEM;
	err = open_programs(attach, config);
	if (err)
		attach_close(attach);
	else
		*ret_attach = attach;
	return err;
}

int attach_open(struct attach **ret_attach, const struct monitor_config *config, char *ret_error,
		size_t error_size)
{
	int err = privileges_check_watching(ret_error, error_size);

	if (err)
		return err;
	err = attach_new(ret_attach, config);
	if (err)
		attach_fail(ret_error, error_size, err, "the BPF programs cannot be opened: %s",
			    strerror(-err));
	return err;
}

int attach_load(struct attach *attach, char *ret_error, size_t error_size)
{
	int err;

	if (attach->is_loaded)
		return 0;
	err = monitor__load(attach->skel);
	if (err == -ENOMEM) {
		char rooms[256];

		attach_describe_rooms(attach, rooms, sizeof(rooms));
		return attach_fail(ret_error, error_size, err, "there is no memory for this: %s", rooms);
	}
	if (err == -E2BIG)
		return attach_fail(ret_error, error_size, err,
				   "the verifier of this kernel gives up on the BPF programs; "
				   "please report it with uname -r");
	if (err == -EPERM)
		return attach_fail(ret_error, error_size, err,
				   "the kernel does not let us load BPF programs; outside of a "
				   "container and with CAP_PERFMON and CAP_SYS_RESOURCE too it "
				   "may");
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "the kernel refuses the BPF programs: %s; Linux 5.10 or newer "
				   "is needed, and -v shows what it said",
				   strerror(-err));
	err = table_begin(attach->skel->obj);
	if (err)
		return attach_fail(ret_error, error_size, err, "tables of connections: %s", strerror(-err));
	if (attach->config.aggregate)
		err = begin_pairs(attach->skel);
	if (err)
		return attach_fail(ret_error, error_size, err, "pairs of labels: %s",
				   strerror(-err));
	attach->is_loaded = true;
	return 0;
}

static struct attach_ways ways_of(const struct place *place)
{
	struct attach_ways ways = place->ways;

	if (place->xdp || place->xdp_link_fd >= 0)
		ways.xdp = place->xdp_mode == XDP_MODE_SKB ? WAY_GENERIC
			   : place->reads_tag		   ? WAY_NATIVE_VLAN
							   : WAY_NATIVE;
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0)
			ways.tc[direction] = WAY_TCX;
		else if (place->has_filter[direction])
			ways.tc[direction] = WAY_CLSACT;
	}
	return ways;
}

size_t attach_hooks(const struct attach *attach, struct metrics_hook *ret_hooks, size_t room)
{
	static const char *const directions[DIRECTION_COUNT] = {
		[INGRESS] = "tc_ingress",
		[EGRESS] = "tc_egress",
	};
	static const char *const xdp_ways[XDP_WAYS] = {
		[WAY_NATIVE] = "native",
		[WAY_GENERIC] = "generic",
		[WAY_NATIVE_VLAN] = "native-vlan",
	};
	size_t count = 0;

	for (size_t i = 0; i < attach->place_count; i++) {
		const struct place *place = &attach->places[i];
		const struct attach_ways ways = ways_of(place);
		const char *name = place->interface.name;

		if (ways.xdp && count < room)
			ret_hooks[count++] = (struct metrics_hook){
				name, "xdp", xdp_ways[ways.xdp]};
		for (int direction = 0; direction < DIRECTION_COUNT; direction++)
			if (ways.tc[direction] && count < room)
				ret_hooks[count++] = (struct metrics_hook){
					name, directions[direction],
					ways.tc[direction] == WAY_CLSACT ? "clsact" : "tcx"};
	}
	return count;
}

struct bpf_map *attach_map(const struct attach *attach, const char *name)
{
	return bpf_object__find_map_by_name(attach->skel->obj, name);
}

void attach_configure(struct attach *attach, const struct monitor_config *config)
{
	attach->config = *config;
	attach->skel->rodata->config = *config;
	if (config->aggregate)
		size_pairs(attach->skel, config);
}

uint64_t attach_since_wall_ns(const struct attach *attach)
{
	return attach->since_wall_ns;
}

const struct monitor_config *attach_config(const struct attach *attach)
{
	return &attach->config;
}

struct bpf_object *attach_object(const struct attach *attach)
{
	return attach->skel->obj;
}

static struct monitor *configure_copy(struct monitor *copy, const struct attach *attach,
				      const struct netns *netns, bool has_frags,
				      struct bpf_object **ret_object)
{
	if (!copy)
		return NULL;
	copy->rodata->config = attach->config;
	copy->rodata->config.has_frags = has_frags;
	copy->rodata->config.netns = netns ? (uint8_t)netns->number : 0;
	*ret_object = copy->obj;
	return copy;
}

struct monitor *attach_copy_open(const struct attach *attach, const struct netns *netns,
				 bool has_frags, struct bpf_object **ret_object)
{
	return configure_copy(form_open(form_is_older()), attach, netns, has_frags, ret_object);
}

struct monitor *attach_copy_open_vlan(const struct attach *attach, const struct netns *netns,
				      bool has_frags, struct bpf_object **ret_object)
{
	return configure_copy(form_open_vlan(), attach, netns, has_frags, ret_object);
}

int attach_copy_share(const struct attach *attach, struct bpf_object *copy, const char *programs)
{
	struct bpf_program *program;
	struct bpf_map *map;
	int err;

	bpf_object__for_each_program(program, copy) {
		bool is_wanted = !strncmp(bpf_program__name(program), programs, strlen(programs));

		err = bpf_program__set_autoload(program, is_wanted);
		if (err)
			return err;
	}
	bpf_object__for_each_map(map, copy) {
		if (bpf_map__is_internal(map)) /* the configuration is the copy's own */
			continue;
		err = bpf_map__reuse_fd(map, bpf_map__fd(attach_map(attach, bpf_map__name(map))));
		if (err)
			return err;
	}
	return 0;
}

/*
 * What is seen in another namespace has its number in the key, and what frames start with decides how
 * they are read: both are constants of the program.
 */
static int load_copy(struct attach *attach, const struct netns *netns, enum link_kind kind,
		     struct monitor **ret_copy)
{
	struct bpf_object *object;
	struct monitor *copy = attach_copy_open(attach, netns, false, &object);
	int err;

	if (!copy)
		return -errno;
	copy->rodata->config.link = kind == STARTS_WITH_IP ? LINK_RAW_IP : LINK_ETHERNET;
	err = attach_copy_share(attach, object, "ackmon_");
	if (!err)
		err = bpf_program__set_autoload(copy->progs.ackmon_xdp, false);
	if (!err)
		err = bpf_object__load(object);
	if (err) {
		monitor__destroy(copy);
		return err;
	}
	*ret_copy = copy;
	return 0;
}

int attach_program_fd(struct attach *attach, const struct place *place, const char *name)
{
	enum link_kind kind = place->interface.is_raw_ip ? STARTS_WITH_IP : STARTS_WITH_ETHERNET;
	struct monitor **copy = &attach->copies[kind][place->netns ? place->netns->number : 0];
	const struct monitor *monitor = attach->skel;
	int err;

	if (place->netns || kind != STARTS_WITH_ETHERNET) {
		err = *copy ? 0 : load_copy(attach, place->netns, kind, copy);
		if (err)
			return err;
		monitor = *copy;
	}
	return bpf_program__fd(bpf_object__find_program_by_name(monitor->obj, name));
}

void attach_copy_close(struct monitor *copy)
{
	monitor__destroy(copy);
}

int attach_program_name(uint32_t id, char ret_name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd, err;

	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return fd;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	if (!err)
		memcpy(ret_name, info.name, BPF_OBJ_NAME_LEN);
	return err;
}

bool attach_program_is(uint32_t id, const char *name)
{
	char its_name[BPF_OBJ_NAME_LEN];

	return !attach_program_name(id, its_name) && !strcmp(its_name, name);
}

/* Claims: an abstract socket is seen in its network namespace only, and dies with its process. */

static socklen_t claim_address(unsigned int ifindex, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1, "ackmon/%u",
			ifindex);
}

/* 0 when it does not tell. */
static pid_t claim_owner(const struct sockaddr_un *address, socklen_t len)
{
	struct ucred owner = {};
	socklen_t owner_len = sizeof(owner);
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)address, len) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &owner_len))
		owner.pid = 0;
	close(fd);
	return owner.pid;
}

pid_t attach_claimant(unsigned int ifindex)
{
	struct sockaddr_un address;
	socklen_t len = claim_address(ifindex, &address);

	return claim_owner(&address, len);
}

/* Numbers of namespaces are used again, cookies are not; 0 before Linux 5.14. */
uint64_t attach_netns_cookie(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	if (fd >= 0)
		close(fd);
	return cookie;
}

static int refuse_claimed(const struct place *place, const struct sockaddr_un *address,
			  socklen_t len, char *ret_error, size_t error_size)
{
	const char *name = place->interface.name;
	pid_t owner = claim_owner(address, len);

	if (owner == getpid())
		return attach_fail(ret_error, error_size, -EADDRINUSE,
				   "%s: given twice; once is enough", name);
	if (owner > 0)
		return attach_fail(ret_error, error_size, -EADDRINUSE,
				   "%s: another ackmon (process %d) is watching it; end that one "
				   "first",
				   name, (int)owner);
	return attach_fail(ret_error, error_size, -EADDRINUSE,
			   "%s: another ackmon is watching it; end that one first", name);
}

/* A socket left in another namespace would keep it alive for ever: there we only look. */
static int claim_interface(struct place *place, char *ret_error, size_t error_size)
{
	struct sockaddr_un address;
	socklen_t len = claim_address(place->interface.ifindex, &address);
	const char *name = place->interface.name;
	int err = 0;

	place->claim_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (place->claim_fd < 0)
		return attach_fail(ret_error, error_size, -errno, "%s: no socket to claim it: %s",
				   name, strerror(errno));
	if (bind(place->claim_fd, (struct sockaddr *)&address, len))
		err = -errno;
	else
		listen(place->claim_fd, SOMAXCONN);
	if (place->netns) {
		close(place->claim_fd);
		place->claim_fd = -1;
	}
	if (err == -EADDRINUSE)
		return refuse_claimed(place, &address, len, ret_error, error_size);
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: cannot be claimed: %s", name,
				   strerror(-err));
	return 0;
}

/* Choosing */

static const char *native_cost(const struct interface *interface)
{
	for (size_t i = 0; i < sizeof(costly_drivers) / sizeof(costly_drivers[0]); i++)
		if (!strcmp(interface->driver, costly_drivers[i].driver))
			return costly_drivers[i].cost;
	return NULL;
}

/*
 * A frame on loopback leaves by egress and comes back by ingress: watched at both it would be
 * counted twice, so one of them is left alone.
 */
static int attach_loopback(struct attach *attach, struct place *place, enum hook_mode mode,
			   char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	if (mode == HOOK_NATIVE || mode == HOOK_NATIVE_VLAN)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: loopback has no native XDP; try -m skb or -m tc",
				   place->interface.name);
	if (mode != HOOK_SKB) {
		err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
		if (!err)
			snprintf(ret_note, note_size,
				 "%s: TC egress (%s) only: loopback passes each frame twice",
				 place->interface.name, attach_tc_kind(place));
		return err;
	}
	err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, XDP_MODE_SKB);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: generic XDP refused: %s; try -m tc", place->interface.name,
				   attach_explain(err));
	snprintf(ret_note, note_size,
		 "%s: generic XDP ingress only: loopback passes each frame twice",
		 place->interface.name);
	return 0;
}

static int attach_both_tc(struct attach *attach, struct place *place, const char *why,
			  char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	err = attach_tc_start(attach, place, INGRESS, ret_error, error_size);
	if (!err)
		err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: TC ingress and egress (%s)%s%s",
			 place->interface.name, attach_tc_kind(place), why ? ": " : "", why ?: "");
	return err;
}

/* What XDP cannot see of what comes in, and who can; nothing where nobody looks at tags. */
static void say_hidden_tags(const struct interface *interface, char *ret_words, size_t size)
{
	const char *name = interface->name;

	if (!interface_takes_tags_off(interface) || !interface_has_vlans(interface))
		return;
	if (interface_xdp_tag(interface) == 1)
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m native-vlan or -m tc");
	else if (!strcmp(interface->driver, "veth")) /* whose peer leaves them off */
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m tc");
	else
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m tc or ethtool -K %s rxvlan off", name);
}

static int attach_xdp_and_tc(struct attach *attach, struct place *place, enum hook_mode mode,
			     char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	const struct interface *interface = &place->interface;
	bool generic = mode == HOOK_SKB;
	char why[192] = "";
	int err;

	err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	if (err == -EEXIST || err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "%s: XDP is taken by a program that is not ours; try -m tc",
				   interface->name);
	if (err && mode == HOOK_AUTO) {
		if (err == -EOPNOTSUPP)
			snprintf(why, sizeof(why), "driver %s has no native XDP",
				 interface->driver);
		else
			snprintf(why, sizeof(why), "native XDP refused: %s", attach_explain(err));
		return attach_both_tc(attach, place, why, ret_note, note_size, ret_error,
				      error_size);
	}
	if (err == -EOPNOTSUPP && !generic)
		return attach_fail(ret_error, error_size, err,
				   "%s: driver %s has no native XDP; try -m skb or -m tc",
				   interface->name, interface->driver);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: %s XDP refused: %s; try %s-m tc", interface->name,
				   generic ? "generic" : "native", attach_explain(err),
				   generic ? "" : "-m skb or ");
	err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (err)
		return err;
	say_hidden_tags(interface, why, sizeof(why));
	snprintf(ret_note, note_size, "%s: %s XDP ingress, TC egress (%s)%s", interface->name,
		 generic ? "generic" : "native", attach_tc_kind(place), why);
	return 0;
}

/* A driver that cannot tell tags takes the program all the same, and never says one: it is asked first. */
static int check_tag(const struct interface *interface, char *ret_error, size_t error_size)
{
	int tag = interface_xdp_tag(interface);

	if (tag < 0)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: XDP is told VLAN tags from Linux 6.8 on; try -m tc, which knows "
				   "them everywhere",
				   interface->name);
	if (!tag)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: driver %s does not tell XDP the VLAN tag it takes off; try -m tc, "
				   "or ethtool -K %s rxvlan off and -m native",
				   interface->name, interface->driver, interface->name);
	return 0;
}

static int attach_native_vlan(struct attach *attach, struct place *place, char *ret_note,
			      size_t note_size, char *ret_error, size_t error_size)
{
	const char *name = place->interface.name;
	int err;

	place->reads_tag = true;
	err = check_tag(&place->interface, ret_error, error_size);
	if (!err)
		err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, XDP_MODE_NATIVE);
	if (err == -EEXIST || err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "%s: XDP is taken by a program that is not ours; try -m tc", name);
	if (err == -ESRCH)
		return attach_fail(ret_error, error_size, err,
				   "%s: reading VLAN tags by XDP takes a kernel built with BTF; try -m tc",
				   name);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: native XDP that reads VLAN tags refused: %s; try -m tc", name,
				   attach_explain(err));
	err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: native XDP ingress with VLAN tags, TC egress (%s)",
			 name, attach_tc_kind(place));
	return err;
}

static int attach_place(struct attach *attach, struct place *place, enum hook_mode mode,
			char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	const char *cost = native_cost(&place->interface);

	if (place->interface.is_loopback)
		return attach_loopback(attach, place, mode, ret_note, note_size, ret_error,
				       error_size);
	if (place->interface.is_raw_ip && mode != HOOK_AUTO && mode != HOOK_TC)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: its frames have no Ethernet header, which XDP wants; try -m tc",
				   place->interface.name);
	if (place->interface.is_raw_ip)
		return attach_both_tc(attach, place, "frames without Ethernet header", ret_note,
				      note_size, ret_error, error_size);
	if (mode == HOOK_TC)
		return attach_both_tc(attach, place, NULL, ret_note, note_size, ret_error,
				      error_size);
	if (mode == HOOK_NATIVE_VLAN)
		return attach_native_vlan(attach, place, ret_note, note_size, ret_error, error_size);
	if (mode == HOOK_AUTO && cost)
		return attach_both_tc(attach, place, cost, ret_note, note_size, ret_error,
				      error_size);
	return attach_xdp_and_tc(attach, place, mode, ret_note, note_size, ret_error, error_size);
}

/* Coming and going */

static int find_interface(const char *name, struct interface *ret_interface, char *ret_error,
			  size_t error_size)
{
	char nearest[IFNAMSIZ];
	int err = interface_find(name, ret_interface);

	if (err == -ENODEV) {
		interface_nearest_name(name, nearest);
		if (nearest[0])
			return attach_fail(ret_error, error_size, err,
					   "%s: no such interface; did you mean %s? (ackmon -D "
					   "lists them)",
					   name, nearest);
		return attach_fail(ret_error, error_size, err,
				   "%s: no such interface; ackmon -D lists those there are", name);
	}
	if (err)
		return attach_fail(ret_error, error_size, err, "%s: %s", name, strerror(-err));
	if (!ret_interface->is_ethernet && !ret_interface->is_raw_ip)
		return attach_fail(ret_error, error_size, -EPROTONOSUPPORT,
				   "%s: its frames start with neither an Ethernet nor an IP header, "
				   "which is not supported; watch the interface below it",
				   name);
	return 0;
}

static void remove_leftovers(struct place *place)
{
	attach_xdp_remove_leftover(place);
	attach_tc_remove_leftovers(place);
}

static void end_claim(struct place *place)
{
	if (place->claim_fd >= 0)
		close(place->claim_fd);
	place->claim_fd = -1;
}

/* Needs no capability, and no way into the namespace. */
static void leave_links(struct place *place)
{
	if (place->xdp)
		attach_xdp_let_go(place);
	else
		attach_xdp_stop(place);
	place->has_filter[INGRESS] = place->has_filter[EGRESS] = false;
	place->made_clsact = false;
	attach_tc_stop(place);
	end_claim(place);
}

static void forget_place(struct place *place)
{
	if (place->has_links_only) {
		leave_links(place);
		return;
	}
	attach_xdp_forget(place);
	attach_tc_forget(place);
	end_claim(place);
}

void attach_leave(struct place *place)
{
	int home;

	if (place->has_links_only) {
		leave_links(place);
		return;
	}
	if (netns_enter(place->netns, &home)) { /* the namespace went, and its interfaces with it */
		forget_place(place);
		return;
	}
	if (place->is_kept) {
		attach_xdp_let_go(place);
		attach_tc_let_go(place);
	} else {
		attach_xdp_stop(place);
		attach_tc_stop(place);
	}
	end_claim(place);
	netns_return(home);
}

static struct place *add_place(struct attach *attach, const struct netns *netns,
			       const struct interface *interface)
{
	struct place *places =
		reallocarray(attach->places, attach->place_count + 1, sizeof(*places));

	if (!places)
		return NULL;
	attach->places = places;
	places[attach->place_count] = (struct place){
		.interface = *interface,
		.netns = netns,
		.netns_cookie = attach_netns_cookie(),
		.claim_fd = -1,
		.tcx_fd = {-1, -1},
		.xdp_link_fd = -1,
	};
	return &places[attach->place_count++];
}

/* Inside the interface's namespace. */
static int attach_here(struct attach *attach, const struct netns *netns, const char *name,
		       enum hook_mode mode, unsigned int *ret_ifindex, char *ret_note,
		       size_t note_size, char *ret_error, size_t error_size)
{
	struct interface interface;
	struct place *place;
	char note[384] = "";
	int err;

	err = find_interface(name, &interface, ret_error, error_size);
	if (err)
		return err;
	if (interface.ifindex >> KEY_NETNS_SHIFT)
		return attach_fail(ret_error, error_size, -ERANGE,
				   "%s: the kernel numbers it %u, beyond what is kept of an "
				   "interface; make it anew with ip link add ... index N",
				   name, interface.ifindex);
	place = add_place(attach, netns, &interface);
	if (!place)
		return attach_fail(ret_error, error_size, -ENOMEM, "out of memory");

	err = claim_interface(place, ret_error, error_size);
	if (err)
		goto out;
	if (!netns && attach_is_kept(attach, interface.ifindex)) {
		err = attach_adopt_place(attach, place, note, sizeof(note), ret_error, error_size);
		goto noted;
	}
	err = attach_check_kept(place, ret_error, error_size);
	if (err)
		goto out;
	err = attach_load(attach, ret_error, error_size);
	if (err)
		goto out;
	remove_leftovers(place);
	err = attach_place(attach, place, mode, note, sizeof(note), ret_error, error_size);
noted:
	if (err)
		goto out;
	if (ret_ifindex)
		*ret_ifindex = interface.ifindex;
	if (ret_note)
		snprintf(ret_note, note_size, "%s%s", note,
			 interface.is_up ? "" : " (the interface is down)");
out:
	if (err) {
		attach_leave(place);
		attach->place_count--;
	}
	return err;
}

int attach_interface(struct attach *attach, const struct netns *netns, const char *name,
		     enum hook_mode mode, unsigned int *ret_ifindex, char *ret_note,
		     size_t note_size, char *ret_error, size_t error_size)
{
	int home, err = netns_enter(netns, &home);

	if (err)
		return attach_fail(ret_error, error_size, err,
				   "--netns %s: cannot be entered: %s", netns->name,
				   strerror(-err));
	err = attach_here(attach, netns, name, mode, ret_ifindex, ret_note, note_size, ret_error,
			  error_size);
	netns_return(home);
	return err;
}

void attach_forget(struct attach *attach, const struct netns *netns, unsigned int ifindex)
{
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		if (place->netns != netns || place->interface.ifindex != ifindex)
			continue;
		forget_place(place);
		attach->places[i] = attach->places[--attach->place_count];
		return;
	}
}

void attach_keep_links(struct attach *attach)
{
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		place->ways = ways_of(place);
		place->has_links_only = !place->is_kept;
	}
}

/* Descriptors of what is the other's go, so that it goes with the other. */
void attach_keep_rest(struct attach *attach)
{
	if (attach->pins)
		attach_forget_reader(attach);
	for (size_t i = 0; i < attach->place_count; i++) {
		struct place *place = &attach->places[i];

		if (place->xdp_link_fd >= 0 || place->is_kept)
			attach_xdp_let_go(place);
		for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
			if (place->tcx_fd[direction] >= 0)
				close(place->tcx_fd[direction]);
			place->tcx_fd[direction] = -1;
		}
		end_claim(place);
	}
}

static struct place *find_place(struct attach *attach, const struct netns *netns, unsigned int ifindex)
{
	for (size_t i = 0; i < attach->place_count; i++)
		if (attach->places[i].netns == netns && attach->places[i].interface.ifindex == ifindex)
			return &attach->places[i];
	return NULL;
}

int attach_claim(struct attach *attach, const struct netns *netns, unsigned int ifindex,
		 struct attach_ways *ret_ways)
{
	struct place *place = find_place(attach, netns, ifindex);
	int claim_fd;

	if (!place)
		return -1;
	*ret_ways = ways_of(place);
	claim_fd = place->claim_fd;
	place->claim_fd = -1;
	return claim_fd;
}

/* Listening once more makes us the one whom status names. */
void attach_note(struct attach *attach, const struct netns *netns, unsigned int ifindex, const char *name,
		 const struct attach_ways *ways, int claim_fd)
{
	struct interface interface = {.ifindex = ifindex};
	struct place *place;

	if (claim_fd >= 0)
		listen(claim_fd, SOMAXCONN);
	memcpy(interface.name, name, sizeof(interface.name));
	place = add_place(attach, netns, &interface);
	if (!place)
		return;
	place->claim_fd = claim_fd;
	place->has_links_only = true;
	place->ways = *ways;
}

capabilities attach_to_leave(const struct attach *attach)
{
	capabilities set = 0;

	for (size_t i = 0; i < attach->place_count; i++) {
		const struct place *place = &attach->places[i];
		bool has_qdisc = place->has_filter[INGRESS] || place->has_filter[EGRESS];

		if (place->is_kept || place->has_links_only)
			continue;
		if (place->xdp)
			set |= PRIVILEGES_TO_LEAVE_DISPATCHER;
		if (has_qdisc || place->made_clsact)
			set |= place->netns ? PRIVILEGES_TO_LEAVE_FILTER_ELSEWHERE
					    : PRIVILEGES_TO_LEAVE_FILTER;
	}
	return set;
}

void attach_stop(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->place_count; i++)
		attach_leave(&attach->places[i]);
	attach->place_count = 0;
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	attach_stop(attach);
	attach_close_pins(attach);
	free(attach->places);
	free(attach->kept);
	for (int kind = 0; kind < LINK_KINDS; kind++)
		for (int i = 0; i <= NETNS_MAX; i++)
			monitor__destroy(attach->copies[kind][i]);
	monitor__destroy(attach->skel);
	free(attach);
}
