/* SPDX-License-Identifier: GPL-2.0-only */
/* Which writer a format has, and which fields it is given. */
#include "export.h"

#include <errno.h>
#include <stdlib.h>

#include "export_internal.h"
#include "export_line.h"

static const struct export_writer *export_writer(enum output_format format)
{
	switch (format) {
	case FORMAT_CSV:
		return &export_csv;
	case FORMAT_NDJSON:
		return &export_ndjson;
	default:
		return &export_table;
	}
}

static int choose_all_fields(struct exporter *exporter)
{
	const struct record_field *fields = record_fields(&exporter->field_count);

	exporter->fields = calloc(exporter->field_count, sizeof(*exporter->fields));
	if (!exporter->fields)
		return -ENOMEM;
	for (size_t i = 0; i < exporter->field_count; i++)
		exporter->fields[i] = &fields[i];
	return 0;
}

static int choose_fields(struct exporter *exporter, const char *const *names, size_t count,
			 const char **ret_bad_field)
{
	exporter->fields = calloc(count, sizeof(*exporter->fields));
	if (!exporter->fields)
		return -ENOMEM;
	exporter->chosen = true;
	exporter->field_count = count;
	for (size_t i = 0; i < count; i++) {
		exporter->fields[i] = record_field(names[i]);
		if (exporter->fields[i])
			continue;
		*ret_bad_field = names[i];
		return -EINVAL;
	}
	return 0;
}

int export_open(struct exporter **ret_exporter, enum output_format format, struct sink *sink,
		bool header, const char *const *fields, size_t field_count,
		const char **ret_bad_field)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	int err;

	if (!exporter)
		return -ENOMEM;
	exporter->writer = export_writer(format);
	exporter->sink = sink;
	exporter->header = header;
	exporter->wide = format == FORMAT_WIDE;
	if (field_count)
		err = choose_fields(exporter, fields, field_count, ret_bad_field);
	else
		err = choose_all_fields(exporter);
	if (!err)
		err = exporter->writer->open(exporter);
	if (err) {
		free(exporter->fields);
		free(exporter);
		return err;
	}
	*ret_exporter = exporter;
	return 0;
}

void export_record(struct exporter *exporter, const struct record *record)
{
	exporter->writer->record(exporter, record);
}

char *export_head(const struct exporter *exporter)
{
	return exporter->header && exporter->writer->head ? exporter->writer->head(exporter) : NULL;
}

void export_finish(struct exporter *exporter)
{
	if (exporter->writer->finish)
		exporter->writer->finish(exporter);
}

void export_let_go(struct exporter *exporter)
{
	if (exporter->writer->let_go)
		exporter->writer->let_go(exporter);
}

size_t export_field_count(const struct exporter *exporter)
{
	return exporter->field_count;
}

int export_line(struct line **ret_line, const struct exporter *exporter)
{
	const struct line_style *style = exporter->writer->style;

	return style ? line_open(ret_line, exporter, style) : -ENOTSUP;
}

void export_close(struct exporter *exporter)
{
	if (!exporter)
		return;
	exporter->writer->close(exporter);
	free(exporter->fields);
	free(exporter);
}
