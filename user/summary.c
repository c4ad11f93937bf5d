/* SPDX-License-Identifier: GPL-2.0-only */
/* How the line at the end is put into words. */
#include "summary.h"

#include <stdarg.h>
#include <stdio.h>

#include "format.h"
#include "log.h"

#define SENTENCE_MAX 3072

struct sentence {
	size_t len;
	char text[SENTENCE_MAX];
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence,
						       const char *format, ...)
{
	size_t room = sizeof(sentence->text) - sentence->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(sentence->text + sentence->len, room, format, args);
	va_end(args);
	if (len > 0)
		sentence->len += (size_t)len < room ? (size_t)len : room - 1;
}

static void say_number(struct sentence *sentence, uint64_t number)
{
	char text[FORMAT_NUMBER_MAX];

	*format_grouped(text, number) = '\0';
	say(sentence, "%s", text);
}

uint64_t summary_count(const struct summary *summary, enum counter counter)
{
	uint64_t sum = 0;

	for (int door = 0; door < DOOR_COUNT; door++)
		sum += summary->doors[door].value[counter];
	return sum;
}

/* Where the frames came in; one door needs no telling apart. */
static void say_doors(struct sentence *sentence, const struct summary *summary)
{
	static const char *const names[DOOR_COUNT] = {
		[DOOR_XDP] = "XDP ingress",
		[DOOR_TC_INGRESS] = "TC ingress",
		[DOOR_TC_EGRESS] = "TC egress",
		[DOOR_CAPTURE] = "captures",
	};
	uint64_t all = summary_count(summary, FRAMES_SEEN);
	const char *before = " (";

	for (int door = 0; door < DOOR_COUNT; door++) {
		uint64_t seen = summary->doors[door].value[FRAMES_SEEN];

		if (!seen || seen == all)
			continue;
		say(sentence, "%s", before);
		say_number(sentence, seen);
		say(sentence, " %s", names[door]);
		before = ", ";
	}
	if (*before == ',')
		say(sentence, ")");
}

struct part {
	uint64_t count;
	const char *meaning;
};

/* "; not tracked: 300 (IP, but not TCP), 45 (later IP fragment, no TCP header in it)" */
static void say_parts(struct sentence *sentence, const char *head, const struct part *parts,
		      size_t part_count)
{
	const char *before = head;

	for (size_t i = 0; i < part_count; i++) {
		if (!parts[i].count)
			continue;
		say(sentence, "%s", before);
		say_number(sentence, parts[i].count);
		say(sentence, " (%s)", parts[i].meaning);
		before = ", ";
	}
}

static void say_untracked(struct sentence *sentence, const struct summary *summary)
{
	const struct part parts[] = {
#define X(name, meaning) { summary_count(summary, COUNTER_##name), meaning },
		UNTRACKED_REASONS(X)
#undef X
	};

	say_parts(sentence, "; not tracked: ", parts, sizeof(parts) / sizeof(*parts));
}

static void say_lost(struct sentence *sentence, const struct summary *summary)
{
	const struct part parts[] = {
		{ summary_count(summary, COUNTER_events_lost),
		  "event the full ring buffer could not take" },
		{ summary_count(summary, COUNTER_flows_refused),
		  "proven flow the full flow table could not take" },
		{ summary_count(summary, COUNTER_half_open_forgotten),
		  "half-open flow forgotten early, its room was full" },
		{ summary_count(summary, COUNTER_holes_refused),
		  "hole list that found no room; the flow is approximate" },
		{ summary_count(summary, COUNTER_rares_refused),
		  "rare counts that found no room; the flow is approximate" },
		{ summary_count(summary, COUNTER_histograms_refused),
		  "histogram that found no room; the flow has no percentiles" },
		{ summary_count(summary, COUNTER_transits_refused),
		  "connection whose time inside this box found no room" },
		{ summary->flows_let_go, "connection let go when another version took over" },
		{ summary->lines_unsure,
		  "record a killed reader was writing: nobody knows whether it is" },
		{ summary->records_lost, "record the output could not take" },
	};

	say_parts(sentence, "; lost: ", parts, sizeof(parts) / sizeof(*parts));
}

void summary_print(const struct summary *summary)
{
	uint64_t seen = summary_count(summary, FRAMES_SEEN);
	struct sentence sentence = { .len = 0 };

	say_number(&sentence, seen);
	say(&sentence, seen == 1 ? " frame seen" : " frames seen");
	say_doors(&sentence, summary);
	say(&sentence, ", ");
	say_number(&sentence, summary_count(summary, FRAMES_TRACKED));
	say(&sentence, " tracked in ");
	say_number(&sentence, summary->flows);
	say(&sentence, summary->flows == 1 ? " flow" : " flows");
	if (summary->secondaries) {
		say(&sentence, "; counted once though seen at another interface too: ");
		say_number(&sentence, summary->secondaries);
	}
	say_untracked(&sentence, summary);
	say_lost(&sentence, summary);
	log_info("%s", sentence.text);
}

int summary_is_lossy(const struct summary *summary)
{
	return summary->records_lost || summary->lines_unsure ||
	       summary->flows_let_go || summary_count(summary, COUNTER_events_lost) ||
	       summary_count(summary, COUNTER_half_open_forgotten) ||
	       summary_count(summary, COUNTER_flows_refused) ||
	       summary_count(summary, COUNTER_frames_no_room);
}
