/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -r: capture files through the core, their flows to the output. */
#include "play.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "confine.h"
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
	size_t opened; /* captures */
	int exit_code;
};

static volatile sig_atomic_t interrupted;
static volatile sig_atomic_t summary_wanted;

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		summary_wanted = 1;
	else
		interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
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
		.records_lost = player->output.lost,
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
	return interrupted || sink_error(player->output.sink) ||
	       (player->options->frame_limit && player->frames >= player->options->frame_limit);
}

static void look_around(struct player *player, const struct reading_batch *batch)
{
	replay_sweep(player->replay, batch->now_ns);
	progress_update(player->frames, player->bytes_before + batch->bytes, player->size);
	if (summary_wanted) {
		summary_wanted = 0;
		print_summary(player);
	}
}

static void show_all(struct player *player, void (*show)(struct replay *replay))
{
	output_begin_many(&player->output);
	show(player->replay);
	output_end_many(&player->output);
}

static void play_batch(struct player *player, const struct reading_batch *batch)
{
	player->frames += batch->frames;
	replay_track(player->replay, batch->looked);
	if (batch->due == DUE_INTERVAL)
		show_all(player, replay_interval);
	else if (batch->due == DUE_LOOK)
		look_around(player, batch);
}

static void play_capture(struct player *player, size_t index)
{
	const char *path = player->options->captures[index];
	const struct reading_batch *batch;
	struct pcap_source *source;
	const char *reason;
	char error[512];
	uint64_t bytes, size;
	int got;

	got = pcap_source_open_fd(&source, player->fds[index], path, player->options->filter, error,
				  sizeof(error));
	player->fds[index] = -EBADF;
	player->opened += !got;
	if (got) {
		log_error("%s", error);
		note_exit(player, got == -EINVAL ? EXIT_USAGE : EXIT_FAILED);
		return;
	}
	reading_begin(&player->reading, source);
	while (!is_finished(player) && (batch = reading_next(&player->reading)))
		play_batch(player, batch);
	got = reading_end(&player->reading, &reason);
	log_progress_done();
	if (got < 0 && !interrupted) {
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
		err = give_up_privileges(player);
	}
	if (err) {
		output_close(&player->output);
		reading_close(&player->reading);
		replay_close(player->replay);
		return err;
	}
	catch_signals();
	for (i = 0; i < player->options->capture_count && !is_finished(player); i++)
		play_capture(player, i);
	show_all(player, replay_finish);
	if (player->options->pairs)
		show_pairs(player);
	note_exit(player, output_close(&player->output));
	if (player->opened)
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
