/* SPDX-License-Identifier: GPL-2.0-only */
/* Writers of flow records: one interface, one file a format. */
#ifndef ACKMON_EXPORT_H
#define ACKMON_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "cli.h"
#include "record.h"
#include "sink.h"

struct exporter;

/*
 * format is TABLE, WIDE, CSV or NDJSON. fields may be NULL (the format's own choice).
 * -EINVAL when a field has no such name; *ret_bad_field then points at it.
 * The table may hold rows back (export_finish() writes them) when the output is not followed live.
 */
int export_open(struct exporter **ret_exporter, enum output_format format, struct sink *sink,
		bool header, const char *const *fields, size_t field_count,
		const char **ret_bad_field);
/* Whether records with these fields (0: all) go behind what the file holds: it is empty, or names the same. */
bool export_csv_fits(const char *path, const char *const *fields, size_t field_count);

void export_record(struct exporter *exporter, const struct record *record);
/* What a file begins with, to be freed; NULL: nothing, or out of memory. */
char *export_head(const struct exporter *exporter);
void export_finish(struct exporter *exporter);
/* Rows that are held back go out: nobody knows when the next one comes. */
void export_let_go(struct exporter *exporter);

/* Its fields, and what spells a line of them, for another thread: 0, -ENOMEM, or -ENOTSUP of a table. */
struct line;
size_t export_field_count(const struct exporter *exporter);
int export_line(struct line **ret_line, const struct exporter *exporter);

void export_close(struct exporter *exporter); /* accepts NULL */

#endif
