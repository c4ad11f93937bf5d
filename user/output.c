/* SPDX-License-Identifier: GPL-2.0-only */
/* Where this run's flow records go: a sink and the exporter that writes to it. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach.h"
#include "export_events.h"
#include "export_pairs.h"
#include "log.h"
#include "outbox.h"
#include "record.h"
#include "scribes.h"

static enum output_format resolve_format(const struct options *options)
{
	return options->format == FORMAT_AUTO ? FORMAT_TABLE : options->format;
}

static int check_fields(const struct options *options)
{
	for (size_t i = 0; i < options->field_count; i++) {
		if (record_field(options->fields[i]))
			continue;
		log_error("-e %s: no such field; the header of -o csv names them all",
			  options->fields[i]);
		return EXIT_USAGE;
	}
	return EXIT_DONE;
}

/* Columns that are not what their header says are worse than no record. */
static int check_header(const struct options *options)
{
	if (options->events || options->pairs || options->no_header || resolve_format(options) != FORMAT_CSV ||
	    export_csv_fits(options->output_path, options->fields, options->field_count))
		return EXIT_DONE;
	log_error("%s: its first line does not name the columns that would come behind it; name another file with "
		  "-w, ask for those columns with -e, or append whatever it holds with -H",
		  options->output_path);
	return EXIT_FAILED;
}

int output_open(struct output *output, const struct options *options)
{
	/* The reader before us wrote there, and what it wrote is ours to go on with. */
	bool adopts = options->output_path && options->interface_count &&
		      attach_would_adopt(options->bpffs, options->interfaces, options->interface_count);
	enum output_format format = resolve_format(options);
	const char *bad_field;
	int err, holds;

	*output = (struct output){.events = options->events, .pairs = options->pairs, .adopts = adopts};
	output->goes_on = adopts || options->append;
	err = check_fields(options);
	if (!err && output->goes_on)
		err = check_header(options);
	if (err)
		return err;
	holds = sink_continue(&output->sink, options->output_path);
	if (holds < 0) {
		log_error("%s: cannot be written: %s", options->output_path, strerror(-holds));
		return EXIT_FAILED;
	}
	/* A table's heading comes with its first row; a file that is gone on with has one. */
	err = export_open(&output->exporter, format, output->sink,
			  !options->no_header && !(output->goes_on && holds && format != FORMAT_CSV),
			  options->fields, options->field_count, &bad_field);
	if (!err) {
		output->head = output->events || output->pairs ? NULL : export_head(output->exporter);
		return EXIT_DONE;
	}
	log_error("output: %s", strerror(-err));
	sink_close(output->sink);
	output->sink = NULL;
	return EXIT_FAILED;
}

static void put_head(struct output *output)
{
	if (output->head && sink_is_empty(output->sink))
		sink_put_front(output->sink, output->head);
}

int output_begin(struct output *output)
{
	int err = output->goes_on ? 0 : sink_empty(output->sink);

	if (err) {
		log_error("%s: cannot be emptied: %s", sink_name(output->sink), strerror(-err));
		return EXIT_FAILED;
	}
	if (output->goes_on && !output->adopts)
		sink_mend(output->sink, false);
	put_head(output);
	sink_flush(output->sink);
	return EXIT_DONE;
}

void output_resume(struct output *output, const struct outbox_place *killed)
{
	bool was_empty = sink_is_empty(output->sink), is_same;
	struct outbox_place ours;

	outbox_place_of(sink_descriptor(output->sink), &ours);
	is_same = ours.ino && ours.ino == killed->ino && ours.dev == killed->dev;
	if (is_same || output->goes_on)
		sink_mend(output->sink, is_same);
	if (!was_empty)
		put_head(output);
	sink_flush(output->sink);
}

bool output_is_file(const struct output *output, int fd)
{
	return sink_is_file(output->sink, fd);
}

/* More than any record takes. */
#define RECORD_BYTES_MAX 16384

static bool can_take(struct output *output)
{
	if (!sink_error(output->sink) &&
	    (!sink_waits_for(output->sink) || sink_room(output->sink) >= RECORD_BYTES_MAX))
		return true;
	output->lost++;
	return false;
}

void output_record(struct output *output, const struct record *record, bool is_interval)
{
	output->flows += !is_interval;
	if (output->pairs)
		return;
	if (!can_take(output))
		return;
	if (output->scribes)
		scribes_add(output->scribes, record);
	else if (!output->events)
		export_record(output->exporter, record);
	else if (record->flow.close != CLOSE_OPEN)
		export_closed_event(output->sink, record);
}

static void write_line(void *context, const char *line, size_t len)
{
	struct output *output = context;

	if (can_take(output))
		sink_write(output->sink, line, len);
}

void output_begin_many(struct output *output)
{
	if (!output->events && !output->pairs &&
	    scribes_open(&output->scribes, output->exporter, write_line, output))
		output->scribes = NULL;
}

struct record *output_room(const struct output *output)
{
	return output->scribes ? scribes_room(output->scribes) : NULL;
}

void output_end_many(struct output *output)
{
	if (!output->scribes)
		return;
	scribes_finish(output->scribes);
	scribes_close(output->scribes);
	output->scribes = NULL;
}

void output_event(struct output *output, const struct segment_event *event, int64_t wall_offset_ns)
{
	if (can_take(output))
		export_segment_event(output->sink, event, wall_offset_ns);
}

int output_pairs(struct output *output, const struct options *options, const struct pairs *pairs,
		 const struct labels *labels)
{
	int err = export_pairs(output->sink, resolve_format(options), !options->no_header, pairs, labels);

	if (err)
		log_error("output: %s", strerror(-err));
	return err ? EXIT_FAILED : EXIT_DONE;
}

int output_give_to(struct output *output, uid_t uid, gid_t gid)
{
	return sink_give_to(output->sink, uid, gid);
}

int output_flush(struct output *output)
{
	int err;

	if (output->scribes)
		scribes_finish(output->scribes);
	err = sink_flush(output->sink);
	return sink_waits_for(output->sink) ? -EAGAIN : err;
}

void output_turn(struct output *output, uint64_t ns)
{
	sink_turn(output->sink, ns);
}

void output_be_patient(struct output *output)
{
	sink_be_patient(output->sink);
}

int output_waits_for(const struct output *output)
{
	return output->sink ? sink_waits_for(output->sink) : 0;
}

static const char *reason(int err)
{
	return err == -EAGAIN ? "its reader takes no more" : strerror(-err);
}

const char *output_wait_reason(const struct output *output)
{
	return reason(output_waits_for(output));
}

uint64_t output_lost(const struct output *output)
{
	return output->lost + (output->sink ? sink_lost(output->sink) : 0);
}

void output_give_up(struct output *output)
{
	sink_give_up(output->sink);
}

void output_drop_waiting(struct output *output)
{
	sink_drop_waiting(output->sink);
}

void output_reopen(struct output *output)
{
	int err;

	sink_flush(output->sink);
	err = sink_reopen(output->sink, output->head);
	sink_flush(output->sink);
	if (err < 0)
		log_error("%s: cannot be opened again: %s", sink_name(output->sink),
			  err == -ENXIO ? "nobody reads it" : strerror(-err));
}

int output_close(struct output *output)
{
	int err;

	if (!output->sink)
		return EXIT_DONE;
	export_finish(output->exporter);
	export_close(output->exporter);
	free(output->head);
	sink_flush(output->sink);
	err = sink_error(output->sink);
	if (sink_waits_for(output->sink) == -EAGAIN)
		log_error("%s: its reader takes no more; the records that were on their way count as unsure, and the "
			  "next ackmon on these interfaces writes those behind them",
			  sink_name(output->sink));
	else if (sink_waits_for(output->sink))
		log_error("%s: %s; the records that wait are kept, and the next ackmon on these interfaces "
			  "writes them",
			  sink_name(output->sink), output_wait_reason(output));
	if (err == -EPIPE)
		log_error("%s: closed by its reader; the records behind that point are lost",
			  sink_name(output->sink));
	else if (err == -ETIMEDOUT)
		log_error("%s: its reader takes no more; the records behind that point are lost",
			  sink_name(output->sink));
	else if (err)
		log_error("%s: %s; the records behind that point are lost; free some space or name "
			  "another file with -w",
			  sink_name(output->sink), strerror(-err));
	output->lost = output_lost(output);
	if (!err)
		err = sink_close(output->sink);
	else
		sink_close(output->sink);
	*output = (struct output){.flows = output->flows, .lost = output->lost};
	return err == -ETIMEDOUT ? EXIT_LOST : err ? EXIT_FAILED : EXIT_DONE;
}
