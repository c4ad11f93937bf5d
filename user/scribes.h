/* SPDX-License-Identifier: GPL-2.0-only */
/* Many records become lines: on as many threads as there are CPUs, and in the order in which they came. */
#ifndef ACKMON_SCRIBES_H
#define ACKMON_SCRIBES_H

#include <stddef.h>

#include "export.h"
#include "record.h"

/*
 * For records that leave all at once. They are copied into blocks that go round in a ring, so memory is
 * bounded. When the ring is full for the first time helpers are started, for few records never; then, and
 * whenever it is full again, who gives the records spells a block as well. Helpers end with scribes_close().
 */
struct scribes;

/* Lines, by the thread that gives the records: len octets, ended as the format ends them. */
typedef void (*scribes_line_fn)(void *context, const char *line, size_t len);

/* 0, -ENOTSUP when that is not worth it here (one CPU, a format of more than lines, few fields), or -ENOMEM. */
int scribes_open(struct scribes **ret_scribes, const struct exporter *exporter, scribes_line_fn on_line,
		 void *context);

/* Where the next record may be made, which scribes_add() then need not copy: any octets of one before. */
struct record *scribes_room(struct scribes *scribes);

/* Its texts are copied as well; labels are not, and must stay as they are until scribes_finish(). */
void scribes_add(struct scribes *scribes, const struct record *record);

/* Every line that was not yet handed out is. */
void scribes_finish(struct scribes *scribes);

/* What was not finished is dropped. Accepts NULL. */
void scribes_close(struct scribes *scribes);

#endif
