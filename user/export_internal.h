/* SPDX-License-Identifier: GPL-2.0-only */
/* What export.c and the writers behind it share: the chosen fields, and the steps of a writer. */
#ifndef ACKMON_EXPORT_INTERNAL_H
#define ACKMON_EXPORT_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "export.h"
#include "record.h"
#include "sink.h"

struct line_style;

struct exporter {
	const struct export_writer *writer;
	struct sink *sink;
	bool header; /* wanted */
	bool wide;
	bool chosen; /* fields are what the person named */
	size_t field_count;
	const struct record_field **fields;
	void *state; /* the writer's own */
};

/* A writer is a table of steps; NULL where it has nothing to do. */
struct export_writer {
	int (*open)(struct exporter *exporter); /* 0 or -ENOMEM, with nothing left behind */
	void (*record)(struct exporter *exporter, const struct record *record);
	char *(*head)(const struct exporter *exporter); /* what a file begins with, to be freed */
	void (*let_go)(struct exporter *exporter); /* what it holds back */
	void (*finish)(struct exporter *exporter);
	void (*close)(struct exporter *exporter);
	const struct line_style *style; /* a line a record, and nothing else; NULL: otherwise */
};

extern const struct export_writer export_csv;
extern const struct export_writer export_ndjson;
extern const struct export_writer export_table;

#endif
