/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon status: our programs on interfaces, how they got there, whose they are, what they counted. */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/counters.h"
#include "abi/key.h"
#include "abi/outbox.h"
#include "attach_internal.h"
#include "attach_others.h"
#include "attach_pins.h"
#include "clock.h"
#include "escape.h"
#include "format.h"
#include "log.h"
#include "outbox.h"
#include "table.h"

#define PROGRAMS_MAX 64

enum ours { OUR_XDP, OUR_INGRESS, OUR_EGRESS, OUR_COUNT };

static const struct {
	const char *program;
	const char *hook;
} ours[OUR_COUNT] = {
	[OUR_XDP] = {XDP_PROGRAM, "xdp"},
	[OUR_INGRESS] = {"ackmon_ingress", "tc-ingress"},
	[OUR_EGRESS] = {"ackmon_egress", "tc-egress"},
};

/* One of our programs where it is attached. */
struct hooked {
	const char *mode; /* "native", "native-vlan", "generic"; "tcx", "clsact"; NULL: it is not */
	uint32_t id;	  /* 0: we may not know */
	const char *with; /* XDP: "dispatcher", "alone" */
};

struct totals {
	uint64_t frames_seen;
	uint64_t frames_tracked;
	uint64_t flows_refused;
	uint64_t frames_no_room;
	uint64_t events_lost;
	uint64_t lines_written;
	uint64_t lines_rescued;
	uint64_t lines_unsure;
	uint64_t flows_let_go;
	pid_t reader_pid; /* who read last; perhaps it still does */
};

struct row {
	char name[IFNAMSIZ];
	uint32_t ifindex;
	struct hooked hooked[OUR_COUNT];
	bool is_kept;	     /* pinned in our folder */
	bool is_kept_other;  /* pinned in another one */
	bool is_gone;	     /* the interface went, the pins did not */
	const char *netns;   /* the folder of another namespace; NULL: it is in ours */
	pid_t watcher;	     /* 0: none */
	uint64_t since_wall_ns;
	uint64_t flows;	     /* of this interface, in both rooms */
	struct totals totals; /* of all interfaces that share these maps */
};

/* Hooks */

static void find_in_dispatcher(int ifindex, struct hooked *hooked)
{
	struct xdp_multiprog *multiprog = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *program = NULL;

	if (libxdp_get_error(multiprog))
		return;
	if (!xdp_multiprog__is_legacy(multiprog)) {
		while ((program = xdp_multiprog__next_prog(program, multiprog)))
			if (attach_program_is(xdp_program__id(program), ours[OUR_XDP].program))
				break;
		if (program) {
			hooked->id = xdp_program__id(program);
			hooked->with = "dispatcher";
		}
	}
	xdp_multiprog__close(multiprog);
}

static void find_xdp(const struct interface *interface, struct hooked *hooked)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};
	uint32_t id;

	if (bpf_xdp_query((int)interface->ifindex, 0, &query))
		return;
	id = query.drv_prog_id ?: query.skb_prog_id;
	if (!id)
		return;
	hooked->mode = query.drv_prog_id ? "native" : "generic";
	if (attach_program_is(id, XDP_VLAN_PROGRAM))
		hooked->mode = "native-vlan";
	if (attach_xdp_is_ours(id)) {
		hooked->id = id;
		hooked->with = "alone";
	} else {
		find_in_dispatcher((int)interface->ifindex, hooked);
	}
	if (!hooked->id)
		hooked->mode = NULL;
}

static void find_tcx(const struct interface *interface, enum ours which, int type,
		     struct hooked *hooked)
{
	__u32 ids[PROGRAMS_MAX] = {}, count = PROGRAMS_MAX;

	if (bpf_prog_query((int)interface->ifindex, type, 0, NULL, ids, &count))
		return; /* no TCX before Linux 6.6 */
	for (__u32 i = 0; i < count && i < PROGRAMS_MAX; i++)
		if (attach_program_is(ids[i], ours[which].program))
			*hooked = (struct hooked){.id = ids[i], .mode = "tcx"};
}

static void find_filters(const struct interface *interface, struct row *row)
{
	struct tc_filter filters[PROGRAMS_MAX];
	size_t count;

	if (interface_tc_filters(interface, filters, PROGRAMS_MAX, &count))
		return;
	for (size_t i = 0; i < count && i < PROGRAMS_MAX; i++) {
		bool is_ingress = TC_H_MIN(filters[i].parent) == TC_H_MIN_INGRESS;
		enum ours which = is_ingress ? OUR_INGRESS : OUR_EGRESS;

		if (filters[i].prog_id &&
		    attach_program_is(filters[i].prog_id, ours[which].program))
			row->hooked[which] =
				(struct hooked){.id = filters[i].prog_id, .mode = "clsact"};
	}
}

static void find_programs(const struct interface *interface, struct row *row)
{
	find_xdp(interface, &row->hooked[OUR_XDP]);
	find_tcx(interface, OUR_INGRESS, BPF_TCX_INGRESS_TYPE, &row->hooked[OUR_INGRESS]);
	find_tcx(interface, OUR_EGRESS, BPF_TCX_EGRESS_TYPE, &row->hooked[OUR_EGRESS]);
	find_filters(interface, row);
}

static uint32_t any_program(const struct row *row)
{
	for (int which = OUR_EGRESS; which >= 0; which--)
		if (row->hooked[which].id)
			return row->hooked[which].id;
	return 0;
}

/* What the maps of a program say */

/* The descriptor of the program's map of this name, or -errno. */
static int program_map(uint32_t prog_id, const char *name, struct bpf_map_info *ret_info)
{
	struct bpf_prog_info program = {};
	__u32 ids[PROGRAM_MAPS_MAX] = {}, len = sizeof(program);
	int fd = bpf_prog_get_fd_by_id(prog_id), err;

	if (fd < 0)
		return fd;
	program.nr_map_ids = PROGRAM_MAPS_MAX;
	program.map_ids = (uint64_t)(uintptr_t)ids;
	err = bpf_obj_get_info_by_fd(fd, &program, &len);
	close(fd);
	for (__u32 i = 0; !err && i < program.nr_map_ids && i < PROGRAM_MAPS_MAX; i++) {
		fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			continue;
		*ret_info = (struct bpf_map_info){};
		len = sizeof(*ret_info);
		if (!bpf_obj_get_info_by_fd(fd, ret_info, &len) && !strcmp(ret_info->name, name))
			return fd;
		close(fd);
	}
	return err ? err : -ENOENT;
}

/* What is kept for us may be read where programs may not be asked. */
static int open_map(const struct pins *pins, const struct row *row, const char *name,
		    struct bpf_map_info *ret_info)
{
	char path[PINS_PATH_MAX];
	__u32 len = sizeof(*ret_info);
	int fd, err;

	if (!row->is_kept)
		return program_map(any_program(row), name, ret_info);
	pins_path(pins, path, "maps/%s", name);
	fd = pins_look(path);
	if (fd < 0)
		return fd;
	*ret_info = (struct bpf_map_info){};
	err = bpf_obj_get_info_by_fd(fd, ret_info, &len);
	if (err)
		close(fd);
	return err ? err : fd;
}

static void close_map(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void read_counters(const struct pins *pins, const struct row *row, struct totals *totals)
{
	int cpus = libbpf_num_possible_cpus();
	struct door_counters *by_cpu;
	struct bpf_map_info info;
	int fd = open_map(pins, row, "counters", &info);

	if (fd < 0)
		return;
	by_cpu = cpus > 0 ? calloc((size_t)cpus, sizeof(*by_cpu)) : NULL;
	/* Another version counts other things: then nothing is better than nonsense. */
	for (uint32_t door = 0; by_cpu && info.value_size == sizeof(*by_cpu) &&
				door < info.max_entries; door++) {
		if (bpf_map_lookup_elem(fd, &door, by_cpu))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++) {
			const __u64 *value = by_cpu[cpu].value;

			totals->frames_seen += value[FRAMES_SEEN];
			totals->frames_tracked += value[FRAMES_TRACKED];
			totals->flows_refused += value[COUNTER_flows_refused];
			totals->frames_no_room += value[COUNTER_frames_no_room];
			totals->events_lost += value[COUNTER_events_lost];
		}
	}
	free(by_cpu);
	close(fd);
}

struct counting {
	uint32_t ifindex;
	uint64_t flows;
};

static int count_here(void *context, const struct table_head *head, bool is_closed)
{
	struct counting *counting = context;

	(void)is_closed;
	counting->flows += head->key.ifindex == counting->ifindex;
	return 0;
}

static uint64_t count_flows(const struct pins *pins, const struct row *row, const char *name, const char *tags_name,
			    bool is_flows)
{
	struct counting counting = {.ifindex = row->ifindex};
	struct bpf_map_info info, places_info;
	int tags_fd = open_map(pins, row, tags_name, &info);
	int places_fd = open_map(pins, row, name, &places_info);
	int about_fd = open_map(pins, row, "tables", &info);
	struct table table = {};

	/* Another version may keep them in another way. */
	if (tags_fd >= 0 && places_fd >= 0 && about_fd >= 0 &&
	    !table_open_fds(&table, tags_fd, places_fd, about_fd, is_flows, false) &&
	    places_info.value_size == table.place_bytes)
		table_walk(&table, 0, table.buckets, count_here, &counting);
	table_close(&table);
	close_map(tags_fd);
	close_map(places_fd);
	close_map(about_fd);
	return counting.flows;
}

static void read_outbox(const struct pins *pins, struct totals *totals)
{
	struct outbox *outbox;
	char path[PINS_PATH_MAX];
	__u32 zero = 0;
	int fd;

	pins_path(pins, path, "maps/outbox");
	fd = pins_look(path);
	if (fd < 0)
		return;
	/* Memory that is shared with the reader takes the right to write. */
	outbox = malloc(sizeof(*outbox));
	if (outbox && !bpf_map_lookup_elem(fd, &zero, outbox)) {
		totals->lines_written = outbox->now.lines;
		totals->lines_rescued = outbox->now.lines_rescued;
		totals->lines_unsure = outbox->now.lines_unsure;
		totals->reader_pid = (pid_t)outbox->reader_pid;
	}
	free(outbox);
	close(fd);
}

/* When the program was loaded, for what has no note. */
static uint64_t loaded_wall_ns(uint32_t prog_id)
{
	struct bpf_prog_info program = {};
	__u32 len = sizeof(program);
	struct timespec boot = {}, wall = {};
	int fd = bpf_prog_get_fd_by_id(prog_id);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &program, &len))
		program.load_time = 0;
	close(fd);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (uint64_t)(wall.tv_sec - boot.tv_sec) * 1000000000ull +
	       (uint64_t)(wall.tv_nsec - boot.tv_nsec) + program.load_time;
}

/* Rows */

/* As they were attached, for who may not ask what is there. */
static void take_from_note(const struct pins_place *kept, struct row *row)
{
	static const char *const ways[] = {[TC_BY_TCX] = "tcx", [TC_BY_FILTER] = "clsact"};

	if (kept->xdp_way != XDP_NOT_USED)
		row->hooked[OUR_XDP] = (struct hooked){
			.mode = kept->xdp_generic     ? "generic"
				: kept->xdp_reads_tag ? "native-vlan"
						      : "native",
			.with = kept->xdp_way == XDP_ALONE ? "alone" : "dispatcher",
		};
	row->hooked[OUR_INGRESS].mode = ways[kept->tc_way[0] % 3];
	row->hooked[OUR_EGRESS].mode = ways[kept->tc_way[1] % 3];
}

static bool is_wanted(const struct options *options, const char *name)
{
	if (!options->interface_count)
		return true;
	for (size_t i = 0; i < options->interface_count; i++)
		if (!strcmp(options->interfaces[i], name))
			return true;
	return false;
}

static void read_tables(const struct pins *pins, struct row *row)
{
	read_counters(pins, row, &row->totals);
	row->flows = count_flows(pins, row, "flows", "flow_tags", true) +
		     count_flows(pins, row, "half_open", "half_open_tags", false);
}

static void fill_row(const struct pins *pins, struct row *row)
{
	uint32_t prog_id = any_program(row);
	struct pins_about about;
	struct pins_place kept;

	row->is_kept = !pins_read_place(pins, row->ifindex, &kept) && kept.is_complete;
	if (row->is_kept) {
		row->since_wall_ns = kept.since_wall_ns;
		read_outbox(pins, &row->totals);
		if (!pins_read_about(pins, &about))
			row->totals.flows_let_go = about.flows_let_go;
		if (!prog_id)
			take_from_note(&kept, row);
	} else if (prog_id) {
		row->since_wall_ns = loaded_wall_ns(prog_id);
		row->is_kept_other = attach_program_is_kept(prog_id);
	}
	row->watcher = attach_claimant(row->ifindex);
	if (!prog_id && !row->is_kept)
		return;
	read_tables(pins, row);
}

static void owner_words(const struct row *row, char *ret_words, size_t size)
{
	if (row->netns)
		snprintf(ret_words, size, "%s %s", row->is_gone ? "gone with" : "attached in", row->netns);
	else if (row->is_gone)
		snprintf(ret_words, size, "interface is gone");
	else if ((row->is_kept || row->is_kept_other) && row->watcher)
		snprintf(ret_words, size, "attached%s, read by %d",
			 row->is_kept ? "" : " elsewhere", (int)row->watcher);
	else if (row->is_kept || row->is_kept_other)
		snprintf(ret_words, size, "attached%s, no reader",
			 row->is_kept ? "" : " elsewhere");
	else if (row->watcher)
		snprintf(ret_words, size, "process %d", (int)row->watcher);
	else
		snprintf(ret_words, size, "nobody: left by a killed one");
}

/* "xdp native alone (12), tc-egress tcx (14)" */
static void hook_words(const struct row *row, char *ret_words, size_t size)
{
	size_t len = 0;

	snprintf(ret_words, size, "-");
	for (int which = 0; which < OUR_COUNT; which++) {
		const struct hooked *hooked = &row->hooked[which];

		if (!hooked->mode || len >= size)
			continue;
		len += (size_t)snprintf(ret_words + len, size - len, "%s%s %s%s%s",
					len ? ", " : "", ours[which].hook, hooked->mode,
					hooked->with ? " " : "", hooked->with ?: "");
		if (hooked->id && len < size)
			len += (size_t)snprintf(ret_words + len, size - len, " (%u)", hooked->id);
	}
}

static uint64_t losses(const struct totals *totals)
{
	return totals->flows_refused + totals->events_lost + totals->frames_no_room +
	       totals->lines_unsure + totals->flows_let_go;
}

static void print_row(const struct row *row)
{
	char owner[64], hooks[192], since[32] = "-", text[FORMAT_NUMBER_MAX];
	time_t seconds = (time_t)(row->since_wall_ns / 1000000000);
	struct tm local;

	owner_words(row, owner, sizeof(owner));
	hook_words(row, hooks, sizeof(hooks));
	if (seconds && localtime_r(&seconds, &local))
		strftime(since, sizeof(since), "%F %T", &local);
	*format_grouped(text, row->flows) = '\0';
	printf("%-15s  %-28s  %-19s  %9s", row->name, owner, since, text);
	*format_grouped(text, row->totals.frames_seen) = '\0';
	printf("  %13s", text);
	*format_grouped(text, losses(&row->totals)) = '\0';
	printf("  %6s  %s\n", text, hooks);
}

static const char *owner_name(const struct row *row)
{
	if (row->is_kept)
		return "attached";
	if (row->is_kept_other)
		return "attached_elsewhere";
	return row->watcher ? "process" : "nobody";
}

static void print_json(const struct row *row)
{
	char name[IFNAMSIZ * ESCAPE_MAX + 2];
	const struct totals *totals = &row->totals;
	const char *before = "";

	*escape_json(name, row->name) = '\0';
	printf("{\"iface\":%s,\"ifindex\":%u,\"owner\":\"%s\",\"gone\":%s", name, row->ifindex,
	       owner_name(row), row->is_gone ? "true" : "false");
	if (row->netns)
		printf(",\"netns\":\"%s\"", row->netns);
	if (row->watcher)
		printf(",\"pid\":%d", (int)row->watcher);
	if (row->since_wall_ns)
		printf(",\"since_ns\":%llu", (unsigned long long)row->since_wall_ns);
	printf(",\"programs\":[");
	for (int which = 0; which < OUR_COUNT; which++) {
		const struct hooked *hooked = &row->hooked[which];

		if (!hooked->mode)
			continue;
		printf("%s{\"hook\":\"%s\",\"mode\":\"%s\"", before, ours[which].hook,
		       hooked->mode);
		if (hooked->with)
			printf(",\"with\":\"%s\"", hooked->with);
		if (hooked->id)
			printf(",\"id\":%u", hooked->id);
		printf("}");
		before = ",";
	}
	printf("],\"flows\":%llu,\"frames_seen\":%llu,\"frames_tracked\":%llu,"
	       "\"flows_refused\":%llu,\"frames_no_room\":%llu,\"events_lost\":%llu",
	       (unsigned long long)row->flows, (unsigned long long)totals->frames_seen,
	       (unsigned long long)totals->frames_tracked,
	       (unsigned long long)totals->flows_refused,
	       (unsigned long long)totals->frames_no_room,
	       (unsigned long long)totals->events_lost);
	if (row->is_kept)
		printf(",\"records_written\":%llu,\"records_rescued\":%llu,\"records_unsure\":%llu,"
		       "\"flows_let_go\":%llu",
		       (unsigned long long)totals->lines_written,
		       (unsigned long long)totals->lines_rescued,
		       (unsigned long long)totals->lines_unsure,
		       (unsigned long long)totals->flows_let_go);
	printf("}\n");
}

static void show(const struct options *options, const struct row *row, bool is_first)
{
	if (options->format == FORMAT_NDJSON) {
		print_json(row);
		return;
	}
	if (is_first && !options->no_header)
		printf("%-15s  %-28s  %-19s  %9s  %13s  %6s  %s\n", "INTERFACE", "OWNER", "SINCE",
		       "FLOWS", "FRAMES", "LOST", "PROGRAMS");
	print_row(row);
}

/* Pins whose interface is no longer there. */
static size_t show_gone(const struct options *options, const struct pins *pins, size_t shown)
{
	uint32_t *ifindexes;
	size_t count;

	if (pins_list(pins, &ifindexes, &count))
		return shown;
	for (size_t i = 0; i < count; i++) {
		struct row row = {.ifindex = ifindexes[i], .is_gone = true, .is_kept = true};
		struct pins_place kept;

		if (if_indextoname(ifindexes[i], row.name) ||
		    pins_read_place(pins, ifindexes[i], &kept))
			continue;
		memcpy(row.name, kept.name, sizeof(row.name));
		row.since_wall_ns = kept.since_wall_ns;
		read_outbox(pins, &row.totals);
		if (is_wanted(options, row.name))
			show(options, &row, !shown++);
	}
	free(ifindexes);
	return shown;
}

static size_t show_other(const struct options *options, const struct pins *other, bool is_gone, size_t shown)
{
	uint32_t *ifindexes;
	size_t count;

	if (pins_list(other, &ifindexes, &count))
		return shown;
	for (size_t i = 0; i < count; i++) {
		struct row row = {.ifindex = ifindexes[i], .is_gone = is_gone, .is_kept = true,
				  .netns = others_name(other)};
		struct pins_place kept;

		if (pins_read_place(other, ifindexes[i], &kept))
			continue;
		memcpy(row.name, kept.name, sizeof(row.name));
		row.since_wall_ns = kept.since_wall_ns;
		if (!is_gone)
			take_from_note(&kept, &row);
		read_outbox(other, &row.totals);
		read_tables(other, &row);
		show(options, &row, !shown++);
	}
	free(ifindexes);
	return shown;
}

/* Nobody else tells of them: an interface that is named is one of ours. */
static void show_others(const struct options *options, const struct pins *pins, size_t shown)
{
	struct pins *others;
	bool any_gone = false;
	size_t count;

	if (options->interface_count || others_list(pins, options->bpffs, &others, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		bool is_gone = others_is_gone(&others[i]);

		shown = show_other(options, &others[i], is_gone, shown);
		any_gone |= is_gone;
	}
	free(others);
	if (any_gone)
		log_info("what a namespace that is gone left is memory that nobody uses; ackmon detach "
			 "removes it, with all that is attached here");
}

int attach_status(const struct options *options)
{
	struct interface *interfaces;
	size_t count, shown = 0;
	struct pins pins;
	int err;

	attach_listen_to_libraries();
	err = pins_find(&pins, options->bpffs);
	if (!err)
		err = interfaces_list(&interfaces, &count);
	if (err) {
		log_error("status: %s", strerror(-err));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < count; i++) {
		struct row row = {.ifindex = interfaces[i].ifindex};

		memcpy(row.name, interfaces[i].name, sizeof(row.name));
		if (!is_wanted(options, row.name))
			continue;
		find_programs(&interfaces[i], &row);
		if (!any_program(&row) && !pins_have(&pins, row.ifindex))
			continue;
		fill_row(&pins, &row);
		show(options, &row, !shown++);
	}
	free(interfaces);
	shown = show_gone(options, &pins, shown);
	if (!shown)
		log_info("ackmon is on no interface here%s",
			 geteuid() ? "; without root not all can be seen" : "");
	show_others(options, &pins, shown);
	return EXIT_DONE;
}
