/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as RFC 4180 text: fixed columns, a header line, nothing where nothing is known. */
#include "escape.h"
#include "export_internal.h"
#include "export_line.h"

#define LINE_END "\r\n"

static const struct line_style style = {
	.end = LINE_END,
	.escape = escape_csv,
};

static void csv_header(struct exporter *exporter)
{
	for (size_t i = 0; i < exporter->field_count; i++) {
		if (i)
			sink_text(exporter->sink, ",");
		sink_text(exporter->sink, exporter->fields[i]->name);
	}
	sink_text(exporter->sink, LINE_END);
}

static int csv_open(struct exporter *exporter)
{
	struct line *line;
	int err = line_open(&line, exporter, &style);

	if (!err)
		exporter->state = line;
	return err;
}

static void csv_record(struct exporter *exporter, const struct record *record)
{
	line_write(exporter->state, exporter->sink, record);
}

static void csv_close(struct exporter *exporter)
{
	line_close(exporter->state);
}

const struct export_writer export_csv = {
	.open = csv_open,
	.begin = csv_header,
	.record = csv_record,
	.close = csv_close,
	.style = &style,
};
