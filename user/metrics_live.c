/* SPDX-License-Identifier: GPL-2.0-only */
/* The metrics of a live watch: from the kernel side's pairs to whoever wants them, and how. */
#include "metrics_live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "otlp.h"
#include "pair_maps.h"

#define HOOKS_MAX 128

struct metrics_live {
	struct metrics_source source;
	struct pair_maps *maps;
	struct http *http;
	struct otlp *otlp;
	uint64_t start_wall_ns;
	bool textfile_failed; /* said once */
};

bool metrics_are_wanted(const struct options *options)
{
	return options->listen || options->textfile || options->otlp_url || options->pairs;
}

void metrics_configure(const struct options *options, struct monitor_config *config)
{
	if (!metrics_are_wanted(options) && !(options->verb == VERB_ATTACH && options->labels_path))
		return;
	config->aggregate = 1;
	config->pairs_max = PAIR_FIRST + options->max_series;
	config->chunks_max = pair_maps_chunks(config->pairs_max);
}

static uint64_t wall_ns(void)
{
	return clock_monotonic_ns() + (uint64_t)clock_wall_offset_ns();
}

static int gather(void *context, enum metrics_format format, struct buffer *buffer)
{
	struct metrics_live *live = context;
	const struct metrics_source *source = &live->source;
	struct metrics_hook hooks[HOOKS_MAX];
	struct summary summary;
	struct pairs pairs;
	struct metrics metrics = {
		.pairs = &pairs,
		.labels = source->labels,
		.summary = &summary,
		.series_max = attach_config(source->attach)->pairs_max - PAIR_FIRST,
		.hooks = hooks,
		.hook_count = attach_hooks(source->attach, hooks, HOOKS_MAX),
		.start_wall_ns = live->start_wall_ns,
		.now_wall_ns = wall_ns(),
	};
	int err = metrics_live_pairs(live, &pairs);

	if (!err)
		err = pairs_merge_series(&pairs, source->labels);
	if (!err) {
		source->summary(source->context, &summary);
		reader_flows(source->reader, &metrics.flows, &metrics.half_open);
		err = metrics_write(&metrics, format, buffer);
	}
	if (err)
		log_error("metrics: %s", strerror(-err));
	pairs_free(&pairs);
	return err;
}

/* --textfile: under another name first, so that node_exporter never reads half of it. */

static int write_all(int fd, const struct buffer *buffer)
{
	size_t done = 0;

	while (done < buffer->len) {
		ssize_t got = write(fd, buffer->bytes + done, buffer->len - done);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got > 0)
			done += (size_t)got;
	}
	return 0;
}

static int write_file(const char *path, const struct buffer *buffer)
{
	char *beside;
	int fd, err;

	if (asprintf(&beside, "%s.%d", path, (int)getpid()) < 0)
		return -ENOMEM;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	err = fd < 0 ? -errno : write_all(fd, buffer);
	/* node_exporter is another user, whatever our umask says. */
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (fd >= 0 && close(fd) && !err)
		err = -errno;
	if (!err && rename(beside, path))
		err = -errno;
	if (err && fd >= 0)
		unlink(beside);
	free(beside);
	return err;
}

static void write_textfile(struct metrics_live *live)
{
	const char *path = live->source.options->textfile;
	struct buffer buffer = {0};
	int err = gather(live, METRICS_TEXT, &buffer);

	if (!err)
		err = write_file(path, &buffer);
	if (err && !live->textfile_failed)
		log_error("--textfile %s: %s; it is tried again", path, strerror(-err));
	live->textfile_failed = err;
	buffer_free(&buffer);
}

static void push(struct metrics_live *live)
{
	struct buffer buffer = {0};

	if (!gather(live, METRICS_OTLP, &buffer))
		otlp_push(live->otlp, &buffer);
	buffer_free(&buffer);
}

static void on_export(void *context)
{
	struct metrics_live *live = context;

	if (live->source.options->textfile)
		write_textfile(live);
	if (live->otlp)
		push(live);
}

static void on_second(void *context)
{
	struct metrics_live *live = context;

	http_check(live->http);
}

/* Public */

static int open_exports(struct metrics_live *live, struct loop *loop, char *ret_error, size_t error_size)
{
	const struct options *options = live->source.options;
	int fd = live->source.listen_fd, err = 0;

	if (options->listen && fd < 0) {
		fd = http_listen(options->listen, ret_error, error_size);
		err = fd < 0 ? fd : 0;
	}
	if (!err && options->listen)
		err = http_open(&live->http, loop, fd, options->listen, gather, live, ret_error,
				error_size);
	if (!err && options->otlp_url)
		err = otlp_open(&live->otlp, options->otlp_url, ret_error, error_size);
	if (err)
		return err;
	if (live->http)
		err = loop_every(loop, 1000000000, on_second, live);
	if (!err && (live->otlp || options->textfile))
		err = loop_every(loop, options->export_interval_ns, on_export, live);
	if (err)
		snprintf(ret_error, error_size, "metrics: %s", strerror(-err));
	return err;
}

int metrics_live_open(struct metrics_live **ret_live, struct loop *loop,
		      const struct metrics_source *source, char *ret_error, size_t error_size)
{
	struct metrics_live *live = calloc(1, sizeof(*live));
	int err = -ENOMEM;

	if (!live)
		goto out;
	live->source = *source;
	live->start_wall_ns = attach_since_wall_ns(source->attach);
	if (!live->start_wall_ns)
		live->start_wall_ns = wall_ns();
	err = -EOPNOTSUPP;
	if (!attach_config(source->attach)->aggregate)
		goto out;
	err = pair_maps_open(&live->maps, source->attach, attach_config(source->attach));
	if (!err)
		err = pair_maps_adopt_names(live->maps, source->labels);
	/* Where programs go on, so do their labels, unless we are told others. */
	if (!err && (source->options->labels_path || !attach_has_kept(source->attach)))
		err = metrics_live_labels(live);
	if (!err) {
		err = open_exports(live, loop, ret_error, error_size);
		if (err)
			goto out_said;
	}
out:
	if (err == -EOPNOTSUPP)
		snprintf(ret_error, error_size, "metrics: the programs left by ackmon attach do not count "
			 "pairs of labels; ackmon attach -i IFACE --labels FILE (or -o pairs) makes them");
	else if (err)
		snprintf(ret_error, error_size, "metrics: %s", strerror(-err));
out_said:
	if (err)
		metrics_live_close(live);
	else
		*ret_live = live;
	return err;
}

int metrics_live_labels(struct metrics_live *live)
{
	return pair_maps_set_labels(live->maps, live->source.labels);
}

void metrics_live_leaving(struct metrics_live *live, const struct flow_key *key, struct flow *flow)
{
	pair_maps_leaving(live->maps, key, flow);
}

int metrics_live_pairs(struct metrics_live *live, struct pairs *ret_pairs)
{
	*ret_pairs = (struct pairs){0};
	return pair_maps_read(live->maps, ret_pairs);
}

void metrics_live_close(struct metrics_live *live)
{
	if (!live)
		return;
	if (live->maps)
		on_export(live);
	http_close(live->http);
	otlp_close(live->otlp);
	pair_maps_close(live->maps);
	free(live);
}
