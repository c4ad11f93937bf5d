/* SPDX-License-Identifier: GPL-2.0-only */
/* Flow records as RFC 4180 text: fixed columns, a header line, nothing where nothing is known. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "escape.h"
#include "export_internal.h"
#include "export_line.h"

#define LINE_END "\r\n"

static const struct line_style style = {
	.end = LINE_END,
	.escape = escape_csv,
};

static char *csv_head(const struct exporter *exporter)
{
	size_t size = sizeof(LINE_END);
	char *text, *at;

	for (size_t i = 0; i < exporter->field_count; i++)
		size += strlen(exporter->fields[i]->name) + 1;
	text = at = malloc(size);
	if (!text)
		return NULL;
	for (size_t i = 0; i < exporter->field_count; i++) {
		if (i)
			*at++ = ',';
		at = stpcpy(at, exporter->fields[i]->name);
	}
	strcpy(at, LINE_END);
	return text;
}

static const char *field_name(const char *const *names, size_t i)
{
	size_t count;

	return names ? names[i] : record_fields(&count)[i].name;
}

/* Whether the line names these fields and no others; somebody may have made its end an LF alone. */
static bool line_names(const char *line, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *name = field_name(names, i);
		size_t len = strlen(name);

		if (strncmp(line, name, len))
			return false;
		line += len;
		if (i + 1 < count && *line++ != ',')
			return false;
	}
	return !line[strspn(line, LINE_END)];
}

bool export_csv_fits(const char *path, const char *const *names, size_t count)
{
	FILE *file = NULL;
	char *line = NULL;
	bool fits = true;
	struct stat st;
	size_t size;

	if (!count) {
		names = NULL;
		record_fields(&count);
	}
	if (!stat(path, &st) && S_ISREG(st.st_mode))
		file = fopen(path, "re");
	if (file && getline(&line, &size, file) > 0)
		fits = line_names(line, names, count);
	free(line);
	if (file)
		fclose(file);
	return fits;
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
	.head = csv_head,
	.record = csv_record,
	.close = csv_close,
	.style = &style,
};
