/* SPDX-License-Identifier: GPL-2.0-only */
/* The metrics of a live watch: from the kernel side's pairs to whoever wants them, and how. */
#include "metrics_live.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "otlp.h"
#include "owner_maps.h"
#include "pair_maps.h"

#define HOOKS_MAX 128

/* What only the loop's thread may look at; others ask it for this. */
struct facts {
	struct summary summary;
	struct metrics_hook hooks[HOOKS_MAX];
	char names[HOOKS_MAX][IF_NAMESIZE]; /* of the hooks' interfaces, which may go */
	size_t hook_count;
	struct labels *groups;
	uint64_t longest_turn_ns;
};

/*
 * Three threads: the loop's, the HTTP server's, and one that writes files and makes pushes. Rendering
 * takes a second for ten thousand pairs, so it is never the loop's work but at the very end, alone.
 */
struct metrics_live {
	struct metrics_source source;
	struct pair_maps *maps;
	struct owner_maps *owners; /* NULL: nobody asks whose sockets they are */
	struct http *http;
	struct otlp *otlp;
	uint64_t start_wall_ns;
	pthread_mutex_t gathering; /* one at a time reads the maps and asks the loop */
	pthread_mutex_t lock;      /* of the next four */
	pthread_cond_t changed;
	struct facts *asked; /* somebody waits for it */
	bool is_due;         /* file and push */
	bool is_closing;     /* the loop answers no more */
	int ask_fd;          /* wakes the loop; -1: not open */
	pthread_t exporter;
	bool has_exporter;
	bool has_threads; /* others may gather; then the loop is asked */
	_Atomic uint64_t files_ok, files_failed;
	bool textfile_failed; /* said once */
	bool said_owners;
};

bool metrics_are_wanted(const struct options *options)
{
	return options->listen || options->textfile || options->otlp_url || options->pairs;
}

void metrics_configure(const struct options *options, struct monitor_config *config)
{
	if (!metrics_are_wanted(options) && !(options->verb == VERB_ATTACH && options_label(options)))
		return;
	config->aggregate = 1;
	config->pairs_max = PAIR_FIRST + options->max_series;
	config->chunks_max = pair_maps_chunks(config->pairs_max);
}

static uint64_t wall_ns(void)
{
	return clock_monotonic_ns() + (uint64_t)clock_wall_offset_ns();
}

/* Facts */

static int find_facts(struct metrics_live *live, struct facts *ret_facts)
{
	const struct metrics_source *source = &live->source;

	ret_facts->groups = labels_groups_now(source->labels);
	if (!ret_facts->groups)
		return -ENOMEM;
	source->summary(source->context, &ret_facts->summary);
	ret_facts->longest_turn_ns = loop_longest_turn_ns(source->loop);
	ret_facts->hook_count = attach_hooks(source->attach, ret_facts->hooks, HOOKS_MAX);
	if (ret_facts->hook_count > HOOKS_MAX)
		ret_facts->hook_count = HOOKS_MAX;
	for (size_t i = 0; i < ret_facts->hook_count; i++) {
		snprintf(ret_facts->names[i], IF_NAMESIZE, "%s", ret_facts->hooks[i].iface);
		ret_facts->hooks[i].iface = ret_facts->names[i];
	}
	return 0;
}

/* On the loop's thread. */
static void on_asked(void *context)
{
	struct metrics_live *live = context;

	pthread_mutex_lock(&live->lock);
	if (live->asked)
		find_facts(live, live->asked);
	live->asked = NULL;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->lock);
}

/* On another one. -ECANCELED: the loop is about to end. */
static int ask_for_facts(struct metrics_live *live, struct facts *ret_facts)
{
	const uint64_t one = 1;
	int err = 0;

	pthread_mutex_lock(&live->lock);
	live->asked = ret_facts;
	if (write(live->ask_fd, &one, sizeof(one)) < 0)
		err = -errno;
	while (!err && live->asked && !live->is_closing)
		pthread_cond_wait(&live->changed, &live->lock);
	if (live->asked && !err)
		err = -ECANCELED;
	live->asked = NULL;
	pthread_mutex_unlock(&live->lock);
	return err ? err : ret_facts->groups ? 0 : -ENOMEM;
}

/* The pairs first: the groups' names are to be no older. */
static int read_all(struct metrics_live *live, struct pairs *ret_pairs, struct facts *ret_facts)
{
	int err;

	pthread_mutex_lock(&live->gathering);
	err = pair_maps_read(live->maps, ret_pairs);
	if (!err && live->has_threads)
		err = ask_for_facts(live, ret_facts);
	else if (!err)
		err = find_facts(live, ret_facts);
	pthread_mutex_unlock(&live->gathering);
	return err;
}

static int render(struct metrics_live *live, struct pairs *pairs, struct facts *facts,
		  enum metrics_format format, struct buffer *buffer)
{
	struct metrics metrics = {
		.pairs = pairs,
		.labels = facts->groups,
		.summary = &facts->summary,
		.series_max = attach_config(live->source.attach)->pairs_max - PAIR_FIRST,
		.textfile = {live->files_ok, live->files_failed},
		.longest_turn_ns = facts->longest_turn_ns,
		.hooks = facts->hooks,
		.hook_count = facts->hook_count,
		.start_wall_ns = live->start_wall_ns,
		.now_wall_ns = wall_ns(),
	};
	int err = pairs_merge_series(pairs, facts->groups);

	if (err)
		return err;
	reader_flows(live->source.reader, &metrics.flows, &metrics.half_open);
	if (live->otlp)
		otlp_counts(live->otlp, &metrics.otlp.ok, &metrics.otlp.failed);
	return metrics_write(&metrics, format, buffer);
}

static int gather(void *context, enum metrics_format format, struct buffer *buffer)
{
	struct metrics_live *live = context;
	struct facts *facts = calloc(1, sizeof(*facts));
	struct pairs pairs = {0};
	int err = facts ? read_all(live, &pairs, facts) : -ENOMEM;

	if (!err)
		err = render(live, &pairs, facts, format, buffer);
	if (err && err != -ECANCELED)
		log_error("metrics: %s", strerror(-err));
	pairs_free(&pairs);
	if (facts)
		labels_groups_free(facts->groups);
	free(facts);
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
	if (err && err != -ECANCELED && !live->textfile_failed)
		log_error("--textfile %s: %s; it is tried again", path, strerror(-err));
	if (err == -ECANCELED) /* the last one comes */
		err = 0;
	else if (err)
		live->files_failed++;
	else
		live->files_ok++;
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

static void export_now(struct metrics_live *live)
{
	if (live->source.options->textfile)
		write_textfile(live);
	if (live->otlp)
		push(live);
}

static void *run_exporter(void *context)
{
	struct metrics_live *live = context;

	pthread_mutex_lock(&live->lock);
	while (!live->is_closing) {
		if (!live->is_due) {
			pthread_cond_wait(&live->changed, &live->lock);
			continue;
		}
		live->is_due = false;
		pthread_mutex_unlock(&live->lock);
		export_now(live);
		pthread_mutex_lock(&live->lock);
	}
	pthread_mutex_unlock(&live->lock);
	return NULL;
}

static void on_export(void *context)
{
	struct metrics_live *live = context;

	pthread_mutex_lock(&live->lock);
	live->is_due = true;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->lock);
}

/* Signals are the loop's. */
static int start_exporter(struct metrics_live *live)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&live->exporter, NULL, run_exporter, live);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	live->has_exporter = !err;
	return -err;
}

/* From here on this thread is alone. */
static void stop_threads(struct metrics_live *live)
{
	pthread_mutex_lock(&live->lock);
	live->is_closing = true;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->lock);
	http_close(live->http);
	live->http = NULL;
	if (live->has_exporter)
		pthread_join(live->exporter, NULL);
	live->has_exporter = live->has_threads = false;
}

/* Public */

static int open_exports(struct metrics_live *live, char *ret_error, size_t error_size)
{
	const struct options *options = live->source.options;
	struct loop *loop = live->source.loop;
	int fd = live->source.listen_fd, err = 0;

	live->has_threads = true;
	live->ask_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	err = loop_on_fd(loop, live->ask_fd, on_asked, live);
	if (!err && options->otlp_url)
		err = otlp_open(&live->otlp, options->otlp_url, ret_error, error_size);
	if (err && *ret_error)
		return err;
	if (!err && (live->otlp || options->textfile))
		err = start_exporter(live);
	if (!err && live->has_exporter)
		err = loop_every(loop, options->export_interval_ns, on_export, live);
	if (err) {
		snprintf(ret_error, error_size, "metrics: %s", strerror(-err));
		return err;
	}
	if (options->listen && fd < 0)
		fd = http_listen(options->listen, ret_error, error_size);
	if (options->listen)
		err = fd < 0 ? fd : http_open(&live->http, fd, options->listen, gather, live, ret_error,
					      error_size);
	return err;
}

int metrics_live_open(struct metrics_live **ret_live, const struct metrics_source *source,
		      char *ret_error, size_t error_size)
{
	struct metrics_live *live = calloc(1, sizeof(*live));
	int err = -ENOMEM;

	if (!live)
		goto out;
	live->source = *source;
	live->ask_fd = -1;
	pthread_mutex_init(&live->gathering, NULL);
	pthread_mutex_init(&live->lock, NULL);
	pthread_cond_init(&live->changed, NULL);
	*ret_error = '\0';
	live->start_wall_ns = attach_since_wall_ns(source->attach);
	if (!live->start_wall_ns)
		live->start_wall_ns = wall_ns();
	err = -EOPNOTSUPP;
	if (!attach_config(source->attach)->aggregate)
		goto out;
	err = pair_maps_open(&live->maps, source->attach, attach_config(source->attach));
	if (!err)
		err = pair_maps_adopt_names(live->maps, source->labels);
	if (!err && source->cgroups && attach_config(source->attach)->owners)
		err = owner_maps_open(&live->owners, source->attach, live->maps, source->labels);
	/* Where programs go on, so do their labels, unless we are told others. */
	if (!err && (options_label(source->options) || !attach_has_kept(source->attach)))
		err = metrics_live_labels(live);
	if (!err)
		metrics_live_owners(live);
	if (!err) {
		err = open_exports(live, ret_error, error_size);
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
	metrics_live_owners(live); /* so that new groups are joined with owners before they are asked for */
	return pair_maps_set_labels(live->maps, live->source.labels);
}

void metrics_live_owners(struct metrics_live *live)
{
	int err = live->owners ? owner_maps_tell(live->owners, live->source.cgroups) : 0;

	if (!err || live->said_owners)
		return;
	log_error("cgroups: some ends count by their address alone: %s", strerror(-err));
	live->said_owners = true;
}

void metrics_live_leaving(struct metrics_live *live, const struct flow_key *key,
			  const struct flow_whole *whole)
{
	pair_maps_leaving(live->maps, key, whole);
}

int metrics_live_pairs(struct metrics_live *live, struct pairs *ret_pairs)
{
	stop_threads(live);
	*ret_pairs = (struct pairs){0};
	return pair_maps_read(live->maps, ret_pairs);
}

/* The loop has ended, or never began: nobody looks at ask_fd any more, which is the loop's to close. */
void metrics_live_close(struct metrics_live *live)
{
	if (!live)
		return;
	stop_threads(live);
	if (live->maps)
		export_now(live);
	otlp_close(live->otlp);
	owner_maps_close(live->owners);
	pair_maps_close(live->maps);
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->lock);
	pthread_mutex_destroy(&live->gathering);
	free(live);
}
