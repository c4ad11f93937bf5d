/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as one JSON object a line (RFC 8259): what is not known is left out. */
#include "escape.h"
#include "export_internal.h"
#include "export_line.h"

static const struct line_style style = {
	.has_names = true,
	.begin = '{',
	.end = "}\n",
	.escape = escape_json,
};

static int ndjson_open(struct exporter *exporter)
{
	struct line *line;
	int err = line_open(&line, exporter, &style);

	if (!err)
		exporter->state = line;
	return err;
}

static void ndjson_record(struct exporter *exporter, const struct record *record)
{
	line_write(exporter->state, exporter->sink, record);
}

static void ndjson_close(struct exporter *exporter)
{
	line_close(exporter->state);
}

const struct export_writer export_ndjson = {
	.open = ndjson_open,
	.record = ndjson_record,
	.close = ndjson_close,
	.style = &style,
};
