/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -r: capture files through the core, their flows to the output. */
#include "play.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "confine.h"
#include "ending.h"
#include "labels.h"
#include "log.h"
#include "output.h"
#include "pairs.h"
#include "pcap_source.h"
#include "privileges.h"
#include "progress.h"
#include "reading.h"
#include "replay.h"
#include "summary.h"

/* From a pipe what is known is shown this often, however much or little comes. */
#define SHOW_NS 1000000000ull

struct player {
	const struct options *options;
	struct output output;
	struct replay *replay;
	struct reading reading;
	struct labels *labels; /* NULL: nobody asked */
	uint64_t frames;       /* tracked or not */
	uint64_t bytes_before; /* in the captures already played */
	uint64_t size;         /* of all captures; 0: unknown */
	int *fds;      /* of the captures, or why there is none as -errno; -EBADF: played */
	size_t opened; /* captures; before the first the output is left alone */
	bool is_pipe;  /* the one that is played: its writer may still be at it */
	uint64_t shown_ns; /* when what is known was shown */
	const char *cut_short; /* the capture that was not read to its end, or not at all */
	int exit_code;
};

static volatile sig_atomic_t ended_by; /* a signal; SIGALRM: --duration is over */
static volatile sig_atomic_t summary_wanted;

static void on_signal(int signal)
{
	if (signal == SIGUSR1) {
		summary_wanted = 1;
		return;
	}
	ended_by = signal;
	ending_note();
}

static sigset_t signals_caught(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGALRM);
	sigaddset(&signals, SIGUSR1);
	return signals;
}

/* A hangup that was ignored when we came is none of our business: nohup(1). */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
}

static void start_duration(uint64_t duration_ns)
{
	const struct itimerval timer = {
		.it_value = {
			.tv_sec = (time_t)(duration_ns / 1000000000),
			.tv_usec = (suseconds_t)(duration_ns % 1000000000 / 1000) + !!(duration_ns % 1000),
		},
	};

	if (duration_ns)
		setitimer(ITIMER_REAL, &timer, NULL);
}

static void on_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	struct player *player = context;
	struct record record = {.key = *key, .whole = *whole, .labels = player->labels};

	output_record(&player->output, &record, whole->flow.close == CLOSE_OPEN);
}

static void on_event(void *context, const struct segment_event *event)
{
	struct player *player = context;

	output_event(&player->output, event, 0);
}

static void print_summary(const struct player *player)
{
	struct summary summary = {
		.flows = player->output.flows,
		.records_lost = output_lost(&player->output),
	};

	summary.doors[DOOR_CAPTURE] = *replay_counters(player->replay);
	summary_print(&summary);
}

/* A worse exit code stays: usage and failure before loss before done. */
static void note_exit(struct player *player, int exit_code)
{
	static const int rank[] = {[EXIT_DONE] = 0, [EXIT_LOST] = 1, [EXIT_FAILED] = 2, [EXIT_USAGE] = 3};

	if (rank[exit_code] > rank[player->exit_code])
		player->exit_code = exit_code;
}

static bool is_finished(const struct player *player)
{
	return ended_by || sink_error(player->output.sink);
}

static void answer(const struct player *player)
{
	if (!summary_wanted)
		return;
	summary_wanted = 0;
	print_summary(player);
}

/* All that is known, as far as a second has passed since that was done. */
static void show_now_and_then(struct player *player)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns < player->shown_ns + SHOW_NS)
		return;
	player->shown_ns = now_ns;
	replay_sweep_idle(player->replay);
	export_let_go(player->output.exporter);
	output_flush(&player->output);
}

static void look_around(struct player *player, const struct reading_batch *batch)
{
	replay_sweep(player->replay, batch->now_ns);
	progress_update(player->frames, player->bytes_before + batch->bytes, player->size);
	if (player->is_pipe)
		show_now_and_then(player);
	answer(player);
}

/* False: a signal came, or the time is over. Signals are caught here and nowhere else meanwhile. */
static bool came(int fd, uint64_t time_ns, const sigset_t *signals)
{
	struct pollfd input = {.fd = fd, .events = POLLIN};
	struct timespec time = {(time_t)(time_ns / 1000000000), (long)(time_ns % 1000000000)};

	return ppoll(&input, 1, time_ns == UINT64_MAX ? NULL : &time, signals) > 0;
}

/* Until there is something to read, or nobody wants it any more; what is known is shown first. */
static void wait_for(struct player *player, int fd)
{
	const sigset_t caught = signals_caught();
	uint64_t shown_ns = player->shown_ns, time_ns = SHOW_NS;
	sigset_t before;

	output_flush(&player->output);
	sigprocmask(SIG_BLOCK, &caught, &before);
	do {
		answer(player);
		show_now_and_then(player);
		/* Shown since it began: there is nothing more to come. */
		if (player->shown_ns != shown_ns)
			time_ns = UINT64_MAX;
	} while (!is_finished(player) && !came(fd, time_ns, &before));
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void show_all(struct player *player, void (*show)(struct replay *replay))
{
	output_begin_many(&player->output);
	show(player->replay);
	output_end_many(&player->output);
}

static void play_batch(struct player *player, const struct reading_batch *batch, int fd)
{
	player->frames += batch->frames;
	replay_track(player->replay, batch->looked);
	if (batch->due == DUE_INTERVAL)
		show_all(player, replay_interval);
	else if (batch->due == DUE_LOOK)
		look_around(player, batch);
	else if (batch->due == DUE_WAIT)
		wait_for(player, fd);
}

static bool is_pipe(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && !S_ISREG(st.st_mode);
}

static void play_capture(struct player *player, size_t index)
{
	const char *path = player->options->captures[index];
	const struct reading_batch *batch;
	struct pcap_source *source;
	const char *reason;
	char error[512];
	uint64_t bytes, size;
	int fd = player->fds[index], got;

	player->is_pipe = is_pipe(fd);
	if (player->is_pipe)
		wait_for(player, fd);
	player->cut_short = path;
	if (is_finished(player))
		return;
	got = pcap_source_open_fd(&source, fd, path, player->options->filter, error,
				  sizeof(error));
	player->fds[index] = -EBADF;
	if (got == -EINTR)
		return;
	player->cut_short = NULL;
	if (got) {
		log_error("%s", error);
		note_exit(player, got == -EINVAL ? EXIT_USAGE : EXIT_FAILED);
		return;
	}
	if (!player->opened && output_begin(&player->output)) {
		note_exit(player, EXIT_FAILED);
		pcap_source_close(source);
		return;
	}
	player->opened++;
	reading_begin(&player->reading, source);
	while (!is_finished(player) && (batch = reading_next(&player->reading)))
		play_batch(player, batch, fd);
	got = reading_end(&player->reading, &reason);
	log_progress_done();
	if (got == 1 || got == -EINTR) {
		player->cut_short = path;
	} else if (got < 0) {
		log_error("%s", reason);
		note_exit(player, EXIT_LOST);
	}
	if (pcap_source_left_out(source, error, sizeof(error))) {
		log_error("%s", error);
		note_exit(player, EXIT_LOST);
	}
	pcap_source_position(source, &bytes, &size);
	player->bytes_before += bytes;
	pcap_source_close(source);
}

/* 0 as soon as one is a pipe: then nobody knows how much there is. */
static uint64_t captures_size(const struct options *options)
{
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < options->capture_count; i++) {
		struct stat st;

		if (stat(options->captures[i], &st) || !S_ISREG(st.st_mode))
			return 0;
		size += (uint64_t)st.st_size;
	}
	return size;
}

static int open_labels(struct player *player)
{
	const struct options *options = player->options;
	char error[512];

	if (!options_label(options) && !options->pairs)
		return EXIT_DONE;
	if (!labels_open_geoip(&player->labels, options->labels_path, options->geoip, options->geoip_count, error,
			       sizeof(error)))
		return EXIT_DONE;
	log_error("%s", error);
	return EXIT_FAILED;
}

static void show_pairs(struct player *player)
{
	struct pairs pairs = {0};
	const struct pair *other;
	int err = replay_pairs(player->replay, &pairs);

	if (err) {
		log_error("pairs: %s", strerror(-err));
		note_exit(player, EXIT_FAILED);
		return;
	}
	pairs_sort(&pairs, player->labels);
	note_exit(player, output_pairs(&player->output, player->options, &pairs, player->labels));
	other = pairs_other(&pairs);
	if (other && pair_connections(other))
		log_info("%" PRIu64 " flows had no room among %u pairs and are in \"other\"; "
			 "--max-series gives more",
			 pair_connections(other), player->options->max_series);
	pairs_free(&pairs);
}

/* All of them while we still may: who parses captures has no right that the parsing does not need. */
static int open_captures(struct player *player)
{
	size_t count = player->options->capture_count;
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	player->fds = calloc(count, sizeof(*player->fds));
	if (!player->fds)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		player->fds[i] = pcap_source_open_path(player->options->captures[i]);
	return 0;
}

static void close_captures(struct player *player)
{
	for (size_t i = 0; player->fds && i < player->options->capture_count; i++)
		if (player->fds[i] >= 0)
			close(player->fds[i]);
	free(player->fds);
}

static int check_output(const struct player *player)
{
	const struct options *options = player->options;

	for (size_t i = 0; i < options->capture_count; i++) {
		if (player->fds[i] < 0 || !output_is_file(&player->output, player->fds[i]))
			continue;
		log_error("%s: records would be written into the capture they are of; name another file with -w",
			  options->captures[i]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* Names in a filter are looked up over the network. */
static int give_up_privileges(struct player *player)
{
	const struct options *options = player->options;
	struct confinement confinement = {.networks = options->filter};
	struct identity identity;
	char error[512];
	int err = 0;

	if (options->user) {
		if (privileges_find_user(options->user, &identity, error, sizeof(error))) {
			log_error("%s", error);
			return EXIT_USAGE;
		}
		err = output_give_to(&player->output, identity.uid, identity.gid);
		if (err)
			snprintf(error, sizeof(error), "%s: cannot be given to %s: %s",
				 options->output_path, options->user, strerror(-err));
	}
	if (!err)
		err = privileges_drop(options->user ? &identity : NULL, 0, error, sizeof(error));
	if (!err)
		err = confine(&confinement, error, sizeof(error));
	if (err)
		log_error("%s", error);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static const char *name_of_end(void)
{
	switch (ended_by) {
	case SIGALRM:
		return "--duration";
	case SIGINT:
		return "SIGINT";
	case SIGHUP:
		return "SIGHUP";
	}
	return "SIGTERM";
}

/* What was left unread is not lost, but whoever reads the records has to know. */
static void say_cut_short(const struct player *player, size_t played)
{
	const char *const *captures = player->options->captures;
	const char *name = player->cut_short;

	if (!name && played < player->options->capture_count)
		name = captures[played];
	if (!ended_by || !name)
		return;
	log_info("%s: ended by %s behind frame %" PRIu64 "; what follows was not read",
		 strcmp(name, "-") ? name : "standard input", name_of_end(), player->frames);
}

static int play_all(struct player *player)
{
	struct monitor_config config =
		config_of(config_of_captures(), player->options);
	size_t i;
	int err;

	err = output_open(&player->output, player->options);
	if (err)
		return err;
	err = replay_open(&player->replay, &config, on_flow, on_event, player);
	if (err) {
		log_error("replay: %s", strerror(-err));
		output_close(&player->output);
		return EXIT_FAILED;
	}
	if (player->options->pairs)
		err = replay_aggregate(player->replay, player->labels,
				       PAIR_FIRST + player->options->max_series);
	if (err) {
		log_error("pairs: %s", strerror(-err));
		output_close(&player->output);
		replay_close(player->replay);
		return EXIT_FAILED;
	}
	if (open_captures(player) || reading_open(&player->reading, player->replay, player->options->interval_ns,
						  player->options->frame_limit)) {
		log_error("replay: out of memory");
		err = EXIT_FAILED;
	} else {
		catch_signals();
		start_duration(player->options->duration_ns);
		err = check_output(player);
		if (!err)
			err = give_up_privileges(player);
	}
	if (err) {
		output_close(&player->output);
		reading_close(&player->reading);
		replay_close(player->replay);
		return err;
	}
	player->shown_ns = clock_monotonic_ns();
	for (i = 0; i < player->options->capture_count && !is_finished(player) &&
		    !reading_has_enough(&player->reading); i++)
		play_capture(player, i);
	say_cut_short(player, i);
	if (player->opened)
		show_all(player, replay_finish);
	if (player->opened && player->options->pairs)
		show_pairs(player);
	note_exit(player, output_close(&player->output));
	if (player->opened || ended_by)
		print_summary(player);
	reading_close(&player->reading);
	replay_close(player->replay);
	return player->exit_code;
}

int play(const struct options *options)
{
	struct player player = {.options = options, .size = captures_size(options)};
	int err = open_labels(&player);

	if (!err)
		err = play_all(&player);
	close_captures(&player);
	labels_close(player.labels);
	return err;
}
