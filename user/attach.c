/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs on interfaces: how they get there, and that they leave without a trace. */
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/pkt_sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "interfaces.h"
#include "log.h"
#include "monitor.skel.h"

/* What our filters on a clsact qdisc are known by, together with the name of their program. */
#define FILTER_PRIORITY 0xac
#define FILTER_HANDLE 0xacc

/* Younger than the headers of libbpf 1.1. */
#define BPF_TCX_INGRESS_TYPE 46
#define BPF_TCX_EGRESS_TYPE 47
#define BPF_BEFORE_FLAG (1U << 3)

#define RUN_DIRECTORY "/run/ackmon"
#define TC_FILTERS_MAX 64
#define TCX_PROGRAMS_MAX 64

enum direction { INGRESS, EGRESS, DIRECTION_COUNT };

static const struct hook {
	const char *program;
	enum bpf_tc_attach_point clsact_point;
	int tcx_type;
} hooks[DIRECTION_COUNT] = {
	[INGRESS] = {"ackmon_ingress", BPF_TC_INGRESS, BPF_TCX_INGRESS_TYPE},
	[EGRESS] = {"ackmon_egress", BPF_TC_EGRESS, BPF_TCX_EGRESS_TYPE},
};

static const char xdp_program_name[] = "ackmon_xdp";

/* Drivers that pay for native XDP by giving something up; `auto` leaves them as they are. */
static const struct costly_driver {
	const char *driver;
	const char *cost;
} costly_drivers[] = {
	{"veth", "native XDP would switch the peer's GSO off"},
	{"virtio_net", "native XDP would switch the receive offloads off"},
};

/* One interface we are on. */
struct place {
	struct interface interface;
	int claim_fd; /* held as long as we are there */
	int tcx_fd[DIRECTION_COUNT];
	bool has_filter[DIRECTION_COUNT];
	bool made_clsact;
	enum xdp_attach_mode xdp_mode;
	struct xdp_program *xdp; /* NULL: ingress is not by XDP */
	struct monitor *xdp_skel;
};

/*
 * `skel` holds the maps and the TC programs. XDP has an object of its own for each interface, with
 * the same maps: libxdp makes a program a part of one interface's dispatcher, and what could not
 * be loaded in one way cannot be loaded again in another.
 */
struct attach {
	struct monitor *skel;
	bool is_loaded;
	struct place *places;
	size_t place_count;
};

/* What the kernel said when it refused the last netlink request; empty: nothing. */
static char kernel_message[256];

static int fail(char *ret_error, size_t error_size, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static int fail(char *ret_error, size_t error_size, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_error, error_size, format, args);
	va_end(args);
	return err;
}

/* The libraries' warnings are details for -v: refusals are part of finding the way in. */
static void remember_warning(const char *format, va_list args)
{
	static const char prefix[] = "libbpf: Kernel error message: ";
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	if (!strncmp(text, prefix, strlen(prefix)))
		snprintf(kernel_message, sizeof(kernel_message), "%.255s", text + strlen(prefix));
	log_debug("%s", text);
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

/* "Invalid argument", and the kernel's own words when it had some. */
static const char *explain(int err)
{
	static char text[384];

	if (kernel_message[0])
		snprintf(text, sizeof(text), "%s: %s", strerror(-err), kernel_message);
	else
		snprintf(text, sizeof(text), "%s", strerror(-err));
	return text;
}

/* Opening */

static bool has_capability(const struct __user_cap_data_struct *data, unsigned int capability)
{
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

static int check_capabilities(char *ret_error, size_t error_size)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
	bool bpf, net_admin;

	if (syscall(SYS_capget, &header, data))
		return 0; /* the kernel will say it itself */
	bpf = has_capability(data, CAP_BPF) || has_capability(data, CAP_SYS_ADMIN);
	net_admin = has_capability(data, CAP_NET_ADMIN);
	if (bpf && net_admin)
		return 0;
	return fail(ret_error, error_size, -EPERM,
		    "watching live needs %s%s%s; try sudo, or replay a capture with -r",
		    bpf ? "" : "CAP_BPF", bpf || net_admin ? "" : " and ",
		    net_admin ? "" : "CAP_NET_ADMIN");
}

static int open_programs(struct attach *attach, const struct monitor_config *config)
{
	attach->skel = monitor__open();
	if (!attach->skel)
		return -errno;
	memcpy((void *)&attach->skel->rodata->config, config, sizeof(*config));
	return bpf_program__set_autoload(attach->skel->progs.ackmon_xdp, false);
}

int attach_open(struct attach **ret_attach, const struct monitor_config *config, char *ret_error,
		size_t error_size)
{
	struct attach *attach;
	int err;

	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
	err = check_capabilities(ret_error, error_size);
	if (err)
		return err;
	attach = calloc(1, sizeof(*attach));
	if (!attach)
		return fail(ret_error, error_size, -ENOMEM, "out of memory");
	err = open_programs(attach, config);
	if (err) {
		attach_close(attach);
		return fail(ret_error, error_size, err, "the BPF programs cannot be opened: %s",
			    strerror(-err));
	}
	*ret_attach = attach;
	return 0;
}

static int load_programs(struct attach *attach, char *ret_error, size_t error_size)
{
	int err;

	if (attach->is_loaded)
		return 0;
	err = monitor__load(attach->skel);
	if (err == -E2BIG)
		return fail(ret_error, error_size, err,
			    "the verifier of this kernel gives up on the BPF programs; please "
			    "report it with uname -r");
	if (err == -EPERM)
		return fail(ret_error, error_size, err,
			    "the kernel does not let us load BPF programs; outside of a container "
			    "and with CAP_PERFMON and CAP_SYS_RESOURCE too it may");
	if (err)
		return fail(ret_error, error_size, err,
			    "the kernel refuses the BPF programs: %s; Linux 5.10 or newer is "
			    "needed, and -v shows what it said",
			    strerror(-err));
	attach->is_loaded = true;
	return 0;
}

struct bpf_map *attach_map(const struct attach *attach, const char *name)
{
	return bpf_object__find_map_by_name(attach->skel->obj, name);
}

/* Whose program */

static int program_name(uint32_t id, char ret_name[BPF_OBJ_NAME_LEN])
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

static bool program_is(uint32_t id, const char *name)
{
	char its_name[BPF_OBJ_NAME_LEN];

	return !program_name(id, its_name) && !strcmp(its_name, name);
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

static int claim_interface(struct place *place, char *ret_error, size_t error_size)
{
	struct sockaddr_un address;
	socklen_t len = claim_address(place->interface.ifindex, &address);
	const char *name = place->interface.name;
	pid_t owner;
	int err;

	place->claim_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (place->claim_fd < 0)
		return fail(ret_error, error_size, -errno, "%s: no socket to claim it: %s", name,
			    strerror(errno));
	if (!bind(place->claim_fd, (struct sockaddr *)&address, len)) {
		listen(place->claim_fd, SOMAXCONN);
		return 0;
	}
	err = -errno;
	if (err != -EADDRINUSE)
		return fail(ret_error, error_size, err, "%s: cannot be claimed: %s", name,
			    strerror(-err));
	owner = claim_owner(&address, len);
	if (owner == getpid())
		return fail(ret_error, error_size, err, "%s: given twice; once is enough", name);
	if (owner > 0)
		return fail(ret_error, error_size, err,
			    "%s: another ackmon (process %d) is watching it; end that one first",
			    name, (int)owner);
	return fail(ret_error, error_size, err,
		    "%s: another ackmon is watching it; end that one first", name);
}

/* The clsact qdisc: ours when we made it, which a note in RUN_DIRECTORY tells the next start. */

static void note_path(const struct interface *interface, char *ret_path, size_t size)
{
	struct stat netns = {};

	stat("/proc/self/ns/net", &netns);
	snprintf(ret_path, size, RUN_DIRECTORY "/clsact-%llu-%u", (unsigned long long)netns.st_ino,
		 interface->ifindex);
}

/* Numbers of namespaces are used again, cookies are not; 0 before Linux 5.14. */
static uint64_t netns_cookie(int socket_fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif
	if (getsockopt(socket_fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		return 0;
	return cookie;
}

static void write_clsact_note(const struct place *place)
{
	char path[96];
	FILE *file;

	note_path(&place->interface, path, sizeof(path));
	mkdir(RUN_DIRECTORY, 0755);
	file = fopen(path, "we");
	if (!file) {
		log_debug("%s: %s: the clsact qdisc would outlive a kill -9", path,
			  strerror(errno));
		return;
	}
	fprintf(file, "%llu\n", (unsigned long long)netns_cookie(place->claim_fd));
	fclose(file);
}

static bool has_clsact_note(const struct place *place)
{
	char path[96];
	unsigned long long cookie;
	FILE *file;
	bool is_ours;

	note_path(&place->interface, path, sizeof(path));
	file = fopen(path, "re");
	if (!file)
		return false;
	is_ours = fscanf(file, "%llu", &cookie) == 1 && cookie == netns_cookie(place->claim_fd);
	fclose(file);
	return is_ours;
}

static void remove_clsact_note(const struct place *place)
{
	char path[96];

	note_path(&place->interface, path, sizeof(path));
	unlink(path);
	rmdir(RUN_DIRECTORY); /* the last one does it */
}

static struct bpf_tc_hook clsact_hook(const struct place *place, enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = place->interface.ifindex,
		.attach_point = point,
	};
}

/* Takes away our qdisc, unless somebody else has moved in meanwhile. */
static void remove_clsact(struct place *place)
{
	struct bpf_tc_hook both = clsact_hook(place, BPF_TC_INGRESS | BPF_TC_EGRESS);
	size_t filters;

	if (!interface_tc_filters(&place->interface, NULL, 0, &filters) && !filters)
		bpf_tc_hook_destroy(&both);
	remove_clsact_note(place);
	place->made_clsact = false;
}

static void remove_our_filter(const struct place *place, enum direction direction)
{
	struct bpf_tc_hook hook = clsact_hook(place, hooks[direction].clsact_point);
	struct bpf_tc_opts query = {
		.sz = sizeof(query),
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
	struct bpf_tc_opts detach = query;

	if (!bpf_tc_query(&hook, &query) && program_is(query.prog_id, hooks[direction].program))
		bpf_tc_detach(&hook, &detach);
}

static int make_clsact(struct place *place)
{
	struct bpf_tc_hook both = clsact_hook(place, BPF_TC_INGRESS | BPF_TC_EGRESS);
	int err = bpf_tc_hook_create(&both);

	if (err == -EEXIST)
		return 0; /* somebody else's, or ours already */
	if (err)
		return err;
	place->made_clsact = true;
	write_clsact_note(place);
	return 0;
}

static int attach_filter(struct place *place, enum direction direction, int prog_fd)
{
	struct bpf_tc_hook hook = clsact_hook(place, hooks[direction].clsact_point);
	struct bpf_tc_opts opts = {
		.sz = sizeof(opts),
		.prog_fd = prog_fd,
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
	int err;

	err = make_clsact(place);
	if (err)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	place->has_filter[direction] = !err;
	return err;
}

/* TC */

static bool wants_clsact(void)
{
	const char *choice = getenv("ACKMON_TC");

	return choice && !strcmp(choice, "clsact");
}

/*
 * First in the row: a program before us could decide about a frame (and TC would ask no further),
 * and what is watched is what came and what was sent, whatever is decided then.
 */
static int attach_tcx(struct place *place, enum direction direction, int prog_fd)
{
	struct bpf_link_create_opts opts = {.sz = sizeof(opts), .flags = BPF_BEFORE_FLAG};
	int fd = bpf_link_create(prog_fd, place->interface.ifindex, hooks[direction].tcx_type,
				 &opts);

	if (fd < 0)
		return fd;
	place->tcx_fd[direction] = fd;
	return 0;
}

static int attach_tc(const struct attach *attach, struct place *place, enum direction direction,
		     char *ret_error, size_t error_size)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(attach->skel->obj, hooks[direction].program);
	const char *where = direction == INGRESS ? "ingress" : "egress";
	int prog_fd = bpf_program__fd(program);
	int err = -EINVAL;

	if (!wants_clsact())
		err = attach_tcx(place, direction, prog_fd);
	if (err == -EINVAL) /* no TCX before Linux 6.6 */
		err = attach_filter(place, direction, prog_fd);
	if (err == -EEXIST)
		return fail(ret_error, error_size, err,
			    "%s: a foreign TC %s filter has priority %d and handle 0x%x, which we "
			    "use; move it",
			    place->interface.name, where, FILTER_PRIORITY, FILTER_HANDLE);
	if (err == -ENOENT)
		return fail(ret_error, error_size, err,
			    "%s: TC %s needs the kernel modules sch_ingress and cls_bpf; try "
			    "modprobe",
			    place->interface.name, where);
	if (err)
		return fail(ret_error, error_size, err, "%s: TC %s refuses our program: %s",
			    place->interface.name, where, explain(err));
	return 0;
}

static void detach_tc(struct place *place)
{
	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		if (place->tcx_fd[direction] >= 0) {
			/* At once; closing alone may leave it to a worker of the kernel. */
			bpf_link_detach(place->tcx_fd[direction]);
			close(place->tcx_fd[direction]);
			place->tcx_fd[direction] = -1;
		}
		if (place->has_filter[direction])
			remove_our_filter(place, direction);
		place->has_filter[direction] = false;
	}
	if (place->made_clsact)
		remove_clsact(place);
}

/* XDP */

static int open_xdp_copy(const struct attach *attach, struct place *place)
{
	struct bpf_program *program;
	struct bpf_map *map;
	int err;

	place->xdp_skel = monitor__open();
	if (!place->xdp_skel)
		return -errno;
	bpf_object__for_each_program(program, place->xdp_skel->obj) {
		bool is_xdp = program == place->xdp_skel->progs.ackmon_xdp;

		err = bpf_program__set_autoload(program, is_xdp);
		if (err)
			return err;
	}
	bpf_object__for_each_map(map, place->xdp_skel->obj) {
		err = bpf_map__reuse_fd(map, bpf_map__fd(attach_map(attach, bpf_map__name(map))));
		if (err)
			return err;
	}
	return 0;
}

static void close_xdp_copy(struct place *place)
{
	xdp_program__close(place->xdp);
	place->xdp = NULL;
	monitor__destroy(place->xdp_skel);
	place->xdp_skel = NULL;
}

static int attach_xdp_copy(const struct attach *attach, struct place *place,
			   enum xdp_attach_mode mode, bool frags)
{
	struct xdp_program_opts opts = {.sz = sizeof(opts), .prog_name = xdp_program_name};
	int err;

	err = open_xdp_copy(attach, place);
	if (err)
		return err;
	opts.obj = place->xdp_skel->obj;
	place->xdp = xdp_program__create(&opts);
	err = libxdp_get_error(place->xdp);
	if (err) {
		place->xdp = NULL;
		return err;
	}
	err = xdp_program__set_xdp_frags_support(place->xdp, frags);
	if (err)
		return err;
	return xdp_program__attach(place->xdp, place->interface.ifindex, mode, 0);
}

/*
 * With frags, so that large MTUs and merged frames pass. Kernels before 5.18 do not know the flag,
 * and a dispatcher started by a program without frags takes none that has them.
 */
static int attach_xdp(const struct attach *attach, struct place *place, enum xdp_attach_mode mode)
{
	int err = 0;

	for (int frags = 1; frags >= 0; frags--) {
		kernel_message[0] = '\0';
		err = attach_xdp_copy(attach, place, mode, frags);
		if (!err) {
			place->xdp_mode = mode;
			return 0;
		}
		close_xdp_copy(place);
		if (err != -EINVAL)
			break;
	}
	return err;
}

static void detach_xdp(struct place *place)
{
	if (place->xdp)
		xdp_program__detach(place->xdp, place->interface.ifindex, place->xdp_mode, 0);
	close_xdp_copy(place);
}

/* What a killed ackmon left: its program alone, or in a dispatcher with others. */
static void remove_xdp_leftover(const struct place *place)
{
	int ifindex = place->interface.ifindex;
	struct xdp_multiprog *multiprog = xdp_multiprog__get_from_ifindex(ifindex);
	enum xdp_attach_mode mode;
	struct xdp_program *program = NULL;

	if (libxdp_get_error(multiprog))
		return;
	mode = xdp_multiprog__attach_mode(multiprog);
	if (xdp_multiprog__is_legacy(multiprog)) {
		program = xdp_multiprog__main_prog(multiprog);
		if (program && program_is(xdp_program__id(program), xdp_program_name))
			xdp_program__detach(program, ifindex, mode, 0);
	} else {
		while ((program = xdp_multiprog__next_prog(program, multiprog)))
			if (program_is(xdp_program__id(program), xdp_program_name))
				break;
		if (program)
			xdp_program__detach(program, ifindex, mode, 0);
	}
	xdp_multiprog__close(multiprog);
}

/* Foreign programs stay, except that we may join those behind a dispatcher. */
static int check_foreign_xdp(const struct place *place, char *ret_error, size_t error_size)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	int ifindex = place->interface.ifindex;
	struct xdp_multiprog *multiprog;
	char name[BPF_OBJ_NAME_LEN] = "?";
	bool is_shared;
	uint32_t id;

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0; /* attaching will tell */
	id = query.drv_prog_id ?: query.skb_prog_id ?: query.hw_prog_id;
	if (!id)
		return 0;
	multiprog = xdp_multiprog__get_from_ifindex(ifindex);
	if (!libxdp_get_error(multiprog)) {
		is_shared = !xdp_multiprog__is_legacy(multiprog);
		xdp_multiprog__close(multiprog);
		if (is_shared)
			return 0;
	}
	program_name(id, name);
	return fail(ret_error, error_size, -EBUSY,
		    "%s: XDP is taken by program \"%s\" (id %u), which is not ours; try -m tc",
		    place->interface.name, name, id);
}

/* Choosing */

static const char *native_cost(const struct interface *interface)
{
	for (size_t i = 0; i < sizeof(costly_drivers) / sizeof(costly_drivers[0]); i++)
		if (!strcmp(interface->driver, costly_drivers[i].driver))
			return costly_drivers[i].cost;
	return NULL;
}

static const char *tc_kind(const struct place *place)
{
	return place->tcx_fd[EGRESS] >= 0 ? "TCX" : "clsact";
}

/*
 * A frame on loopback leaves by egress and comes back by ingress: watched at both it would be
 * counted twice, so one of them is left alone.
 */
static int attach_loopback(const struct attach *attach, struct place *place, enum hook_mode mode,
			   char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	if (mode == HOOK_NATIVE)
		return fail(ret_error, error_size, -EOPNOTSUPP,
			    "%s: loopback has no native XDP; try -m skb or -m tc",
			    place->interface.name);
	if (mode != HOOK_SKB) {
		err = attach_tc(attach, place, EGRESS, ret_error, error_size);
		if (!err)
			snprintf(ret_note, note_size,
				 "%s: TC egress (%s) only: loopback passes each frame twice",
				 place->interface.name, tc_kind(place));
		return err;
	}
	err = check_foreign_xdp(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp(attach, place, XDP_MODE_SKB);
	if (err)
		return fail(ret_error, error_size, err, "%s: generic XDP refused: %s; try -m tc",
			    place->interface.name, explain(err));
	snprintf(ret_note, note_size,
		 "%s: generic XDP ingress only: loopback passes each frame twice",
		 place->interface.name);
	return 0;
}

static int attach_both_tc(const struct attach *attach, struct place *place, const char *why,
			  char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	err = attach_tc(attach, place, INGRESS, ret_error, error_size);
	if (!err)
		err = attach_tc(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: TC ingress and egress (%s)%s%s",
			 place->interface.name, tc_kind(place), why ? ": " : "", why ?: "");
	return err;
}

static int attach_xdp_and_tc(const struct attach *attach, struct place *place, enum hook_mode mode,
			     char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	const struct interface *interface = &place->interface;
	bool generic = mode == HOOK_SKB;
	char why[160] = "";
	int err;

	err = check_foreign_xdp(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp(attach, place, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	if (err == -EEXIST || err == -EBUSY)
		return fail(ret_error, error_size, err,
			    "%s: XDP is taken by a program that is not ours; try -m tc",
			    interface->name);
	if (err && mode == HOOK_AUTO) {
		if (err == -EOPNOTSUPP)
			snprintf(why, sizeof(why), "driver %s has no native XDP",
				 interface->driver);
		else
			snprintf(why, sizeof(why), "native XDP refused: %s", explain(err));
		return attach_both_tc(attach, place, why, ret_note, note_size, ret_error,
				      error_size);
	}
	if (err == -EOPNOTSUPP && !generic)
		return fail(ret_error, error_size, err,
			    "%s: driver %s has no native XDP; try -m skb or -m tc", interface->name,
			    interface->driver);
	if (err)
		return fail(ret_error, error_size, err, "%s: %s XDP refused: %s; try %s-m tc",
			    interface->name, generic ? "generic" : "native", explain(err),
			    generic ? "" : "-m skb or ");
	err = attach_tc(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: %s XDP ingress, TC egress (%s)", interface->name,
			 generic ? "generic" : "native", tc_kind(place));
	return err;
}

static int attach_place(const struct attach *attach, struct place *place, enum hook_mode mode,
			char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	const char *cost = native_cost(&place->interface);

	if (place->interface.is_loopback)
		return attach_loopback(attach, place, mode, ret_note, note_size, ret_error,
				       error_size);
	if (mode == HOOK_TC)
		return attach_both_tc(attach, place, NULL, ret_note, note_size, ret_error,
				      error_size);
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
			return fail(ret_error, error_size, err,
				    "%s: no such interface; did you mean %s? (ackmon -D lists "
				    "them)",
				    name, nearest);
		return fail(ret_error, error_size, err,
			    "%s: no such interface; ackmon -D lists those there are", name);
	}
	if (err)
		return fail(ret_error, error_size, err, "%s: %s", name, strerror(-err));
	if (!ret_interface->is_ethernet)
		return fail(ret_error, error_size, -EPROTONOSUPPORT,
			    "%s: its frames have no Ethernet header, which is not supported yet; "
			    "watch the interface below it",
			    name);
	return 0;
}

static void remove_leftovers(struct place *place)
{
	size_t filters;

	remove_xdp_leftover(place);
	if (!interface_tc_filters(&place->interface, NULL, 0, &filters) && filters) {
		remove_our_filter(place, INGRESS);
		remove_our_filter(place, EGRESS);
	}
	if (has_clsact_note(place))
		remove_clsact(place);
}

static void leave_place(struct place *place)
{
	detach_xdp(place);
	detach_tc(place);
	if (place->claim_fd >= 0)
		close(place->claim_fd);
	place->claim_fd = -1;
}

static struct place *add_place(struct attach *attach, const struct interface *interface)
{
	struct place *places =
		reallocarray(attach->places, attach->place_count + 1, sizeof(*places));

	if (!places)
		return NULL;
	attach->places = places;
	places[attach->place_count] = (struct place){
		.interface = *interface,
		.claim_fd = -1,
		.tcx_fd = {-1, -1},
	};
	return &places[attach->place_count++];
}

int attach_interface(struct attach *attach, const char *name, enum hook_mode mode, char *ret_note,
		     size_t note_size, char *ret_error, size_t error_size)
{
	struct interface interface;
	struct place *place;
	char note[256] = "";
	int err;

	err = find_interface(name, &interface, ret_error, error_size);
	if (err)
		return err;
	place = add_place(attach, &interface);
	if (!place)
		return fail(ret_error, error_size, -ENOMEM, "out of memory");

	err = claim_interface(place, ret_error, error_size);
	if (err)
		goto out;
	err = load_programs(attach, ret_error, error_size);
	if (err)
		goto out;
	remove_leftovers(place);
	err = attach_place(attach, place, mode, note, sizeof(note), ret_error, error_size);
	if (err)
		goto out;
	if (ret_note)
		snprintf(ret_note, note_size, "%s%s", note,
			 interface.is_up ? "" : " (the interface is down)");
out:
	if (err) {
		leave_place(place);
		attach->place_count--;
	}
	return err;
}

void attach_stop(struct attach *attach)
{
	if (!attach)
		return;
	for (size_t i = 0; i < attach->place_count; i++)
		leave_place(&attach->places[i]);
	attach->place_count = 0;
}

void attach_close(struct attach *attach)
{
	if (!attach)
		return;
	attach_stop(attach);
	free(attach->places);
	monitor__destroy(attach->skel);
	free(attach);
}

/* -D */

/* Programs as "name(id)", joined by commas; "-" when there are none. */
struct program_list {
	char text[160];
	size_t len;
};

static void list_program(struct program_list *list, const char *how, uint32_t id)
{
	char name[BPF_OBJ_NAME_LEN] = "?";

	if (!id)
		return;
	program_name(id, name);
	if (list->len < sizeof(list->text))
		list->len += snprintf(list->text + list->len, sizeof(list->text) - list->len,
				      "%s%s %s(%u)", list->len ? ", " : "", how, name, id);
}

static void list_xdp_programs(const struct interface *interface, struct program_list *list)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};

	if (bpf_xdp_query(interface->ifindex, 0, &query))
		return;
	list_program(list, "xdp-native", query.drv_prog_id);
	list_program(list, "xdp-skb", query.skb_prog_id);
	list_program(list, "xdp-hw", query.hw_prog_id);
}

static void list_tcx_programs(const struct interface *interface, struct program_list *list)
{
	static const char *const names[] = {"tcx-ingress", "tcx-egress"};

	for (int direction = 0; direction < DIRECTION_COUNT; direction++) {
		__u32 ids[TCX_PROGRAMS_MAX] = {}, count = TCX_PROGRAMS_MAX;

		if (bpf_prog_query(interface->ifindex, hooks[direction].tcx_type, 0, NULL, ids,
				   &count))
			continue; /* no TCX before Linux 6.6 */
		for (__u32 i = 0; i < count && i < TCX_PROGRAMS_MAX; i++)
			list_program(list, names[direction], ids[i]);
	}
}

static void list_filters(const struct interface *interface, struct program_list *list)
{
	struct tc_filter filters[TC_FILTERS_MAX];
	size_t count;

	if (interface_tc_filters(interface, filters, TC_FILTERS_MAX, &count))
		return;
	for (size_t i = 0; i < count && i < TC_FILTERS_MAX; i++)
		list_program(list,
			     TC_H_MIN(filters[i].parent) == TC_H_MIN_INGRESS ? "tc-ingress"
									     : "tc-egress",
			     filters[i].prog_id);
}

static const char *xdp_modes(const struct interface *interface)
{
	int native;

	if (!interface->is_ethernet)
		return "-";
	native = interface_native_xdp(interface);
	if (native < 0)
		return "skb,?";
	return native ? "native,skb" : "skb";
}

static void print_interface(const struct interface *interface)
{
	struct program_list list = {.text = "-"};
	char speed[16] = "-";

	list_xdp_programs(interface, &list);
	list_tcx_programs(interface, &list);
	list_filters(interface, &list);
	if (interface->speed_mbit)
		snprintf(speed, sizeof(speed), "%uM", interface->speed_mbit);
	printf("%-15s  %-5s  %6u  %7s  %-14s  %-10s  %s\n", interface->name,
	       interface->is_up ? "up" : "down", interface->mtu, speed, interface->driver,
	       xdp_modes(interface), list.text);
}

int attach_list(void)
{
	struct interface *interfaces;
	size_t count;
	int err;

	libbpf_set_print(print_libbpf);
	libxdp_set_print(print_libxdp);
	err = interfaces_list(&interfaces, &count);
	if (err)
		return err;
	printf("%-15s  %-5s  %6s  %7s  %-14s  %-10s  %s\n", "INTERFACE", "STATE", "MTU", "SPEED",
	       "DRIVER", "XDP", "PROGRAMS");
	for (size_t i = 0; i < count; i++)
		print_interface(&interfaces[i]);
	free(interfaces);
	return 0;
}
