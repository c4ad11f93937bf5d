/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -i: programs on interfaces, their flows to the output, until somebody says stop. */
#include "watch.h"

#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/claim.h"
#include "attach.h"
#include "cgroups.h"
#include "clock.h"
#include "config.h"
#include "confine.h"
#include "deputy.h"
#include "ending.h"
#include "filter.h"
#include "http.h"
#include "labels.h"
#include "labels_watch.h"
#include "log.h"
#include "loop.h"
#include "metrics_live.h"
#include "notify.h"
#include "outbox.h"
#include "output.h"
#include "privileges.h"
#include "reader.h"
#include "roster.h"
#include "summary.h"

/* Events wait in the ring buffer this long at most: waking the reader for each costs 9 us. */
#define POLL_NS (SECOND_NS / 4)
#define SWEEP_NS SECOND_NS

/*
 * So long a turn of the loop waits for a slow reader of the output, while signals, metrics and the watchdog wait
 * for us. Records have time, in the kernel's tables; what an interval cannot write is lost.
 */
#define TURN_NS (SECOND_NS / 2)
#define INTERVAL_TURN_NS (5 * SECOND_NS)

struct watcher {
	const struct options *options;
	const struct identity *identity; /* to be from when everything is attached; NULL: stay */
	struct output output;
	struct attach *attach;
	struct reader *reader;
	struct loop *loop;
	struct notify *notify; /* NULL: no service manager */
	struct labels *labels; /* NULL: nobody asked */
	struct metrics_live *metrics; /* NULL: the same */
	struct labels_watch *labels_watch;
	int listen_fd; /* of --listen until the metrics have it; -1: none */
	struct clock_offset wall;
	bool in_interval; /* the flows shown now go on */
	bool said_full;
	uint64_t lost_before; /* records, when the output began to wait */
	bool has_failed;
	bool hangup_is_ignored; /* as nohup(1) wants it */
	bool is_waiting;      /* for the output to take something, and that was said */
	uint64_t frames_before; /* we came: what is kept counts on */
	struct roster *roster; /* NULL: we only look */
	struct deputy *deputy; /* follows interfaces; NULL: the same */
	struct cgroups *cgroups; /* NULL: not to be had here */
	char kept_name[IF_NAMESIZE]; /* of an interface that is kept and was not named, just looked up */
	char also[256]; /* names of a record's other interfaces */
};

/* All that is kept together is read together, whether -i names it or not. */
static const char *iface_name(struct watcher *watcher, uint32_t ifindex)
{
	const char *name = roster_name(watcher->roster, ifindex);

	if (!name && attach_is_kept(watcher->attach, ifindex))
		name = if_indextoname(ifindex, watcher->kept_name);
	return name; /* until the next one is asked for */
}

/* "veth1,br0"; what does not fit is left out at a comma. NULL: no other interface saw it. */
static const char *also_names(struct watcher *watcher, const struct flow_key *key,
			      const struct flow *flow)
{
	uint32_t also[CLAIM_ALSO_MAX];
	size_t count = reader_also(watcher->reader, key, flow, also, CLAIM_ALSO_MAX), len = 0;

	for (size_t i = 0; i < count && i < CLAIM_ALSO_MAX; i++) {
		const char *name = iface_name(watcher, also[i]);
		const char *netns = roster_netns(watcher->roster, also[i]);
		int added;

		if (!name)
			continue;
		added = snprintf(watcher->also + len, sizeof(watcher->also) - len, "%s%s%s%s",
				 len ? "," : "", netns ? netns : "", netns ? "/" : "", name);
		if (len + (size_t)added >= sizeof(watcher->also)) {
			watcher->also[len] = '\0';
			break;
		}
		len += (size_t)added;
	}
	return len ? watcher->also : NULL;
}

/* Whose sockets the ends are. Twice: the second look for one may walk the tree and move the first. */
static void find_owners(struct watcher *watcher, struct record *record)
{
	record->cgroup[0] = record->cgroup[1] = NULL;
	for (int i = 0; watcher->cgroups && i < 4; i++)
		record->cgroup[i & 1] = record->flow.side[i & 1].cgroup
						? cgroups_path(watcher->cgroups,
							       record->flow.side[i & 1].cgroup)
						: NULL;
}

static struct flow_whole *room_for_flow(void *context)
{
	struct watcher *watcher = context;
	struct record *record = output_room(&watcher->output);

	return record ? &record->whole : NULL;
}

/* The flow may be in its record already. */
static void on_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct watcher *watcher = context;
	struct record own, *room = output_room(&watcher->output), *record = room ? room : &own;

	if (whole != &record->whole)
		record->whole = *whole;
	record->key = *key;
	record->wall_offset_ns = watcher->wall.ns;
	record->also_ifaces = also_names(watcher, key, &whole->flow); /* first: it looks up names, too */
	record->iface = iface_name(watcher, key->ifindex);
	record->netns = roster_netns(watcher->roster, key->ifindex);
	record->labels = options_label(watcher->options) ? watcher->labels : NULL;
	find_owners(watcher, record);
	reader_transit(watcher->reader, key, !watcher->in_interval, record->transit);
	output_record(&watcher->output, record, watcher->in_interval);
}

static void on_event(void *context, const struct segment_event *event)
{
	struct watcher *watcher = context;

	output_event(&watcher->output, event, watcher->wall.ns);
}

/* A table's lines are not its records alone. */
static void place_of_output(void *context, struct outbox_place *ret_place)
{
	struct watcher *watcher = context;
	enum output_format format = watcher->options->format;

	if (sink_has_front(watcher->output.sink)) /* a line that is no record would be counted as one */
		return;
	if (watcher->options->events || format == FORMAT_CSV || format == FORMAT_NDJSON)
		outbox_place_of(sink_descriptor(watcher->output.sink), ret_place);
}

static void resume_output(void *context, const struct outbox_place *killed)
{
	struct watcher *watcher = context;

	output_resume(&watcher->output, killed);
}

static int flush_output(void *context)
{
	struct watcher *watcher = context;

	return output_flush(&watcher->output);
}

static void read_summary(struct watcher *watcher, struct summary *ret_summary)
{
	*ret_summary = (struct summary){0};
	reader_counters(watcher->reader, ret_summary);
	if (!attach_has_kept(watcher->attach))
		ret_summary->flows = watcher->output.flows;
	ret_summary->records_lost = output_lost(&watcher->output);
	ret_summary->flows_let_go = attach_flows_let_go(watcher->attach);
}

static uint64_t frames_seen(const struct summary *summary)
{
	uint64_t frames = 0;
	int door;

	for (door = 0; door < DOOR_COUNT; door++)
		frames += summary->doors[door].value[FRAMES_SEEN];
	return frames;
}

/* What -c counts. With a filter, which knows TCP alone, that is what came as far as its connection. */
static uint64_t frames_selected(const struct watcher *watcher, const struct summary *summary)
{
	uint64_t frames = 0;

	if (!watcher->options->filter)
		return frames_seen(summary);
	for (int door = 0; door < DOOR_COUNT; door++)
		frames += summary->doors[door].value[FRAMES_TRACKED];
	return frames;
}

static void stop_when_enough(struct watcher *watcher)
{
	struct summary summary;

	if (sink_error(watcher->output.sink)) {
		loop_stop(watcher->loop);
		return;
	}
	if (!watcher->options->frame_limit)
		return;
	reader_counters(watcher->reader, &summary);
	if (frames_selected(watcher, &summary) - watcher->frames_before >= watcher->options->frame_limit)
		loop_stop(watcher->loop);
}

/* Nothing is lost by that alone: what ends meanwhile waits in the kernel's tables, as long as these take it. */
static void say_when_waiting(struct watcher *watcher)
{
	const char *name = sink_name(watcher->output.sink);
	int err = output_waits_for(&watcher->output);

	if (watcher->is_waiting == !!err)
		return;
	watcher->is_waiting = err;
	if (err) {
		watcher->lost_before = output_lost(&watcher->output);
		log_error("%s: %s: records wait in the kernel's tables until there is room, and what those "
			  "cannot take is counted",
			  name, output_wait_reason(&watcher->output));
		return;
	}
	log_info("%s: there is room again, and the records that waited are written; lost meanwhile: %llu", name,
		 (unsigned long long)(output_lost(&watcher->output) - watcher->lost_before));
}

static void refresh_cgroups(struct watcher *watcher)
{
	if (!watcher->cgroups)
		return;
	cgroups_refresh(watcher->cgroups);
	if (watcher->metrics)
		metrics_live_owners(watcher->metrics);
}

/* Its sockets are about to be opened. */
static void on_cgroup(void *context)
{
	struct watcher *watcher = context;

	cgroups_have_news(watcher->cgroups);
	refresh_cgroups(watcher);
}

static void on_poll(void *context)
{
	struct watcher *watcher = context;

	output_turn(&watcher->output, TURN_NS);
	refresh_cgroups(watcher);
	reader_poll(watcher->reader);
	output_flush(&watcher->output);
	say_when_waiting(watcher);
	stop_when_enough(watcher);
}

/* Flows of interfaces that went leave while their names are known. */
static void bury_gone(struct watcher *watcher)
{
	const uint32_t *gone;
	size_t count;

	if (!watcher->roster)
		return;
	gone = roster_gone(watcher->roster, &count);
	if (!count)
		return;
	reader_poll(watcher->reader);
	if (reader_leave(watcher->reader, gone, count) == -EAGAIN)
		return; /* the output takes nothing: the names are needed until then */
	roster_bury(watcher->roster);
}

/* Said once, while it can still be mended; the summary has the numbers. */
static void say_when_full(struct watcher *watcher)
{
	struct summary summary;

	if (watcher->said_full)
		return;
	reader_counters(watcher->reader, &summary);
	if (!summary_count(&summary, COUNTER_flows_refused))
		return;
	watcher->said_full = true;
	log_error("the flow table is full: new connections are counted, and shown as far as they "
		  "opened; --flows N gives it more room, --idle-timeout TIME empties it sooner");
}

static void on_sweep(void *context)
{
	struct watcher *watcher = context;

	output_turn(&watcher->output, TURN_NS);
	clock_follow_wall(&watcher->wall);
	reader_sweep(watcher->reader, clock_monotonic_ns());
	bury_gone(watcher);
	say_when_full(watcher);
	output_flush(&watcher->output);
}

/* Not at the next sweep: a record written meanwhile would stand between both times. */
static void on_clock_set(void *context)
{
	struct watcher *watcher = context;

	clock_follow_wall(&watcher->wall);
}

static void on_news(void *context)
{
	struct watcher *watcher = context;

	if (!deputy_hear(watcher->deputy)) {
		bury_gone(watcher);
		return;
	}
	log_error("the process that attaches to interfaces was ended, so this one ends, too");
	watcher->has_failed = true;
	loop_stop(watcher->loop);
}

static void on_interval(void *context)
{
	struct watcher *watcher = context;

	int err;

	output_turn(&watcher->output, INTERVAL_TURN_NS);
	watcher->in_interval = true;
	output_begin_many(&watcher->output);
	err = reader_interval(watcher->reader);
	output_end_many(&watcher->output);
	if (!err && output_flush(&watcher->output) == -EAGAIN)
		output_drop_waiting(&watcher->output);
	watcher->in_interval = false;
}

static void on_stop(void *context)
{
	struct watcher *watcher = context;

	loop_stop(watcher->loop);
}

static void on_labels(void *context)
{
	struct watcher *watcher = context;
	char error[512];

	if (labels_reload(watcher->labels, error, sizeof(error)))
		log_error("%s; the labels read before stay", error);
	else if (watcher->metrics && metrics_live_labels(watcher->metrics))
		log_error("%s: the kernel side keeps the labels read before: no room for so many",
			  labels_path(watcher->labels));
	else
		log_info("%s: %u prefixes read again", labels_path(watcher->labels),
			 labels_prefix_count(watcher->labels));
}

/*
 * A file is opened again, as after logrotate, and labels are read again. A terminal that hung up ends
 * a watch that has neither, unless whoever started it had hangups ignored.
 */
static void on_hangup(void *context)
{
	struct watcher *watcher = context;

	if (options_label(watcher->options))
		on_labels(watcher);
	if (watcher->options->output_path)
		output_reopen(&watcher->output);
	else if (!options_label(watcher->options) && !watcher->options->listen && !watcher->hangup_is_ignored)
		loop_stop(watcher->loop);
}

static void on_summary(void *context)
{
	struct summary summary;

	read_summary(context, &summary);
	summary_print(&summary);
}

static int open_loop(struct watcher *watcher)
{
	const struct options *options = watcher->options;
	struct sigaction hangup;
	int err = loop_open(&watcher->loop);

	watcher->hangup_is_ignored = !sigaction(SIGHUP, NULL, &hangup) && hangup.sa_handler == SIG_IGN;
	if (!err)
		err = loop_on_signal(watcher->loop, SIGINT, on_stop, watcher);
	if (!err)
		err = loop_on_signal(watcher->loop, SIGTERM, on_stop, watcher);
	if (!err)
		err = loop_on_signal(watcher->loop, SIGHUP, on_hangup, watcher);
	if (!err)
		err = loop_on_signal(watcher->loop, SIGUSR1, on_summary, watcher);
	if (!err)
		err = loop_every(watcher->loop, POLL_NS, on_poll, watcher);
	if (!err)
		err = loop_every(watcher->loop, SWEEP_NS, on_sweep, watcher);
	if (!err)
		err = loop_on_clock_set(watcher->loop, on_clock_set, watcher);
	if (!err && options->interval_ns)
		err = loop_every(watcher->loop, options->interval_ns, on_interval, watcher);
	if (!err && options->labels_path)
		err = labels_watch_open(&watcher->labels_watch, watcher->loop,
					options->labels_path, on_labels, watcher);
	if (!err && watcher->cgroups && cgroups_news_fd(watcher->cgroups) >= 0)
		err = loop_on_fd(watcher->loop, cgroups_news_fd(watcher->cgroups), on_cgroup, watcher);
	if (!err && options->duration_ns)
		err = loop_once(watcher->loop, options->duration_ns, on_stop, watcher);
	if (err) {
		log_error("cannot wait for timers and signals: %s", strerror(-err));
		return err;
	}
	err = notify_open(&watcher->notify, watcher->loop);
	if (err)
		log_error("NOTIFY_SOCKET: the service manager cannot be told: %s; start without it, "
			  "or see that the socket is there", strerror(-err));
	return err;
}

/* What `ackmon attach` left goes on: same maps, same configuration, nothing counted twice. */
static int adopt(struct watcher *watcher, char *ret_error, size_t error_size)
{
	const struct options *options = watcher->options;
	char note[1024] = "";
	int adopted;

	adopted = attach_adopt(watcher->attach, options->bpffs, options->interfaces,
			       options->interface_count, note, sizeof(note), ret_error, error_size);
	if (note[0])
		log_info("%s", note);
	if (adopted > 0 && (options->rooms.flows || options->rooms.half_open || options->rooms.holes ||
			    options->rooms.histograms || options->idle_timeout_ns ||
			    options->half_open_timeout_ns || options->closed_timeout_ns))
		log_error("what is attached keeps its timeouts and sizes: ackmon attach -i IFACE changes "
			  "the timeouts, detach and attach the sizes");
	return adopted < 0 ? adopted : 0;
}

/* 1: looks at what is attached, by wish or because more is not allowed; 0: does not; or -errno. */
static int look(struct watcher *watcher)
{
	const struct options *options = watcher->options;
	char error[512] = "";
	int err;

	if (!options->look && !privileges_check_watching(error, sizeof(error)))
		return 0;
	err = attach_look(&watcher->attach, options->bpffs, options->interfaces, options->interface_count,
			  error, sizeof(error));
	if (!err && options->look) {
		log_error("--look: nothing that may be read is attached to %s; ackmon attach -i %s --group "
			  "GROUP does both",
			  options->interfaces[0], options->interfaces[0]);
		return -ENOENT;
	}
	if (err == 1 && (options->events || metrics_are_wanted(options) || options->filter)) {
		log_error("looking at what is attached gives its connections as they are: --events, "
			  "metrics and a filter are for the one who reads it");
		return -EINVAL;
	}
	if (err < 0)
		log_error("%s", error);
	if (err == 1)
		log_info("looking at what ackmon attach left, and taking nothing: connections are shown %s",
			 options->interval_ns ? "every -I TIME and at the end"
					      : "at the end; -I TIME also shows them meanwhile");
	return err;
}

/* attach_close() takes back what was done. */
static int attach_all(struct watcher *watcher, const struct monitor_config *config)
{
	char error[512] = "";
	int err = look(watcher);

	if (err)
		return err < 0 ? err : 0;
	err = attach_open(&watcher->attach, config, error, sizeof(error));
	if (!err)
		attach_resize(watcher->attach, &watcher->options->rooms);
	if (!err)
		err = adopt(watcher, error, sizeof(error));
	if (!err)
		err = roster_open(&watcher->roster, watcher->options, watcher->attach, error,
				  sizeof(error));
	if (err)
		log_error("%s", error);
	return err;
}

/* In the deputy: what it never needs, and what must not live on in it when we are killed. */
static void leave_behind(void *context)
{
	struct watcher *watcher = context;

	loop_close(watcher->loop);
	notify_close(watcher->notify);
	close(sink_descriptor(watcher->output.sink));
}

static int open_deputy(struct watcher *watcher)
{
	char error[512] = "";
	int err;

	if (!watcher->roster)
		return 0;
	err = deputy_open(&watcher->deputy, watcher->roster, watcher->attach, watcher->options,
			  watcher->identity, leave_behind, watcher, error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	err = loop_on_input(watcher->loop, deputy_fd(watcher->deputy), on_news, watcher);
	if (err)
		log_error("cannot wait for interfaces: %s", strerror(-err));
	return err;
}

static void summary_of(void *context, struct summary *ret_summary)
{
	read_summary(context, ret_summary);
}

static void on_taken(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct watcher *watcher = context;

	if (watcher->metrics)
		metrics_live_leaving(watcher->metrics, key, whole);
}

/* Ports below 1024 are taken while we may; a socket with a path belongs to who we are afterwards. */
static int open_listener(struct watcher *watcher)
{
	char error[512];

	if (!watcher->options->listen || strchr(watcher->options->listen, '/'))
		return 0;
	watcher->listen_fd = http_listen(watcher->options->listen, error, sizeof(error));
	if (watcher->listen_fd >= 0)
		return 0;
	log_error("%s", error);
	return watcher->listen_fd;
}

static int open_metrics(struct watcher *watcher)
{
	const struct metrics_source source = {
		.options = watcher->options,
		.attach = watcher->attach,
		.labels = watcher->labels,
		.cgroups = watcher->cgroups,
		.reader = watcher->reader,
		.listen_fd = watcher->listen_fd,
		.loop = watcher->loop,
		.summary = summary_of,
		.context = watcher,
	};
	char error[512];
	int err;

	/* Kept programs that count pairs need a reader who does its part, whether it shows them or not. */
	if (attach_only_looks(watcher->attach) ||
	    (!metrics_are_wanted(watcher->options) && !attach_config(watcher->attach)->aggregate))
		return 0;
	err = metrics_live_open(&watcher->metrics, &source, error, sizeof(error));
	if (err)
		log_error("%s", error);
	return err;
}

static int show_pairs(struct watcher *watcher)
{
	struct pairs pairs;
	int err = metrics_live_pairs(watcher->metrics, &pairs);

	if (err) {
		log_error("pairs: %s", strerror(-err));
		return EXIT_FAILED;
	}
	pairs_sort(&pairs, watcher->labels);
	err = output_pairs(&watcher->output, watcher->options, &pairs, watcher->labels);
	pairs_free(&pairs);
	return err;
}

/* What is left to do is reading maps and writing files; whatever takes a capability is the deputy's. */
static int give_up_privileges(struct watcher *watcher)
{
	const struct confinement confinement = {
		.reads_maps = true,
		.networks = metrics_are_wanted(watcher->options),
	};
	char error[512], kept[128];
	int err = 0;

	if (watcher->identity)
		err = output_give_to(&watcher->output, watcher->identity->uid, watcher->identity->gid);
	if (err) {
		log_error("%s: cannot be given to %s: %s", watcher->options->output_path,
			  watcher->options->user, strerror(-err));
		return err;
	}
	err = privileges_drop(watcher->identity, privileges_to_read_maps(), error, sizeof(error));
	if (!err)
		err = confine(&confinement, error, sizeof(error));
	if (err) {
		log_error("%s", error);
		return err;
	}
	privileges_text(kept, sizeof(kept));
	if (kept[0])
		log_info("%s kept, to read on this kernel", kept);
	return 0;
}

static int run(struct watcher *watcher, const struct monitor_config *config)
{
	const struct reader_output reader_output = {
		.on_flow = on_flow,
		.room = room_for_flow,
		.on_event = watcher->options->events ? on_event : NULL,
		.on_taken = on_taken,
		.resume = resume_output,
		.place = place_of_output,
		.flush = flush_output,
		.context = watcher,
	};
	struct summary summary;
	char rooms[256];
	int err, columns;

	/* Signals first: from the first program on, none may end us without taking it back. */
	err = open_loop(watcher);
	if (!err)
		err = attach_all(watcher, config);
	/* Before there is more that it would have to leave behind. */
	if (!err)
		err = open_deputy(watcher);
	if (!err && attach_config(watcher->attach)->aggregate && !watcher->labels)
		err = labels_open(&watcher->labels, NULL, rooms, sizeof(rooms));
	if (err)
		return EXIT_FAILED;
	output_be_patient(&watcher->output);
	err = reader_open(&watcher->reader, watcher->attach, attach_config(watcher->attach),
			  &reader_output);
	if (err) {
		log_error("cannot read the flow table: %s", strerror(-err));
		return EXIT_FAILED;
	}
	attach_describe_rooms(watcher->attach, rooms, sizeof(rooms));
	log_info("%s", rooms);
	/* Before the server's threads: they are to have no more rights than we. */
	if (open_listener(watcher) || give_up_privileges(watcher) || open_metrics(watcher) ||
	    output_begin(&watcher->output))
		return EXIT_FAILED;
	read_summary(watcher, &summary);
	if (attach_has_kept(watcher->attach))
		watcher->frames_before = frames_selected(watcher, &summary);
	if (sink_is_terminal(watcher->output.sink, &columns))
		log_info("a connection is shown when it is over; -I 10 also shows the open ones every "
			 "10 s; Ctrl-C ends");
	notify_ready(watcher->notify);
	err = loop_run(watcher->loop);
	ending_note(); /* asked once more, we do not wait for who reads us */
	ending_catch();
	notify_stopping(watcher->notify);
	/* What comes from here on belongs to nobody's record: stop counting before the last look. */
	deputy_close(watcher->deputy);
	watcher->deputy = NULL;
	attach_stop(watcher->attach);
	if (!attach_has_kept(watcher->attach)) /* else the next reader writes what this one cannot */
		output_give_up(&watcher->output);
	if (attach_only_looks(watcher->attach)) /* who takes writes what is in the outbox before taking more */
		output_begin_many(&watcher->output);
	reader_finish(watcher->reader);
	output_end_many(&watcher->output);
	if (reader_left(watcher->reader))
		log_info("%llu connections go on; the next ackmon on these interfaces shows them",
			 (unsigned long long)reader_left(watcher->reader));
	read_summary(watcher, &summary);
	if (watcher->options->pairs && !err)
		err = show_pairs(watcher);
	metrics_live_close(watcher->metrics); /* a last time, while there is something to read */
	watcher->metrics = NULL;
	err = err ? EXIT_FAILED : output_close(&watcher->output);
	if (!attach_has_kept(watcher->attach))
		summary.flows = watcher->output.flows;
	summary.records_lost = output_lost(&watcher->output);
	summary_print(&summary);
	if (watcher->has_failed)
		return EXIT_FAILED;
	return !err && summary_is_lossy(&summary) ? EXIT_LOST : err;
}

int watch(const struct options *options)
{
	struct watcher watcher = {.options = options, .listen_fd = -1};
	struct monitor_config config = config_of(config_defaults(), options);
	struct identity identity;
	char error[512];
	int exit_code;

	clock_follow_wall(&watcher.wall);
	if (filter_parse(options->filter, config.filter, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_USAGE;
	}
	if (options->user) {
		if (privileges_find_user(options->user, &identity, error, sizeof(error))) {
			log_error("%s", error);
			return EXIT_USAGE;
		}
		watcher.identity = &identity;
	}
	metrics_configure(options, &config);
	if (options->verb == VERB_ATTACH)
		return attach_keep(options, &config);
	if ((options_label(options) || config.aggregate) &&
	    labels_open_geoip(&watcher.labels, options->labels_path, options->geoip, options->geoip_count,
			      error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILED;
	}
	config.several = roster_has_several(options);
	config.transit = options->transit;
	config.owners = !cgroups_open(&watcher.cgroups);
	exit_code = output_open(&watcher.output, options);
	if (exit_code) {
		labels_close(watcher.labels);
		return exit_code;
	}
	exit_code = run(&watcher, &config);
	metrics_live_close(watcher.metrics);
	output_close(&watcher.output);
	reader_close(watcher.reader);
	deputy_close(watcher.deputy);
	attach_close(watcher.attach);
	labels_watch_close(watcher.labels_watch);
	roster_close(watcher.roster);
	cgroups_close(watcher.cgroups);
	loop_close(watcher.loop);
	notify_close(watcher.notify);
	labels_close(watcher.labels);
	return exit_code;
}
