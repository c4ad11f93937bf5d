/* SPDX-License-Identifier: GPL-2.0-only */
/* Every metric there is: its name, its meaning, and where its value comes from (DESIGN 6). */
#include "metrics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

#include "abi/counters.h"
#include "abi/verdict.h"

static void add_label(struct metric_labels *labels, const char *name, const char *value)
{
	labels->label[labels->count++] = (struct metric_label){name, value};
}

/* Series of pairs */

static const char *known(const char *text)
{
	return *text ? text : "unknown";
}

static struct metric_labels labels_of(const struct metrics *metrics, const struct pair *pair)
{
	const struct label_group *opener = labels_group(metrics->labels, pair->opener);
	const struct label_group *responder = labels_group(metrics->labels, pair->responder);
	bool is_other = pair->is_other, external = opener->external || responder->external;
	struct metric_labels labels = {.count = 0};

	add_label(&labels, "opener_namespace", is_other ? "other" : known(opener->namespace));
	add_label(&labels, "responder_namespace", is_other ? "other" : known(responder->namespace));
	add_label(&labels, "opener_region", is_other ? "other" : known(opener->region));
	add_label(&labels, "responder_region", is_other ? "other" : known(responder->region));
	add_label(&labels, "external", is_other ? "other" : external ? "yes" : "no");
	return labels;
}

/* One value, or several that differ in a further label; NULL names end the list. */
struct variant {
	const char *label;
	const char *value;
	double (*read)(const struct pair *pair, int what);
	int what;
};

static double read_outcome(const struct pair *pair, int outcome)
{
	return (double)pair->counters.outcomes[outcome];
}

static double read_segments(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.segments;
}

static double read_payload(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.payload_bytes;
}

static double read_retransmitted(const struct pair *pair, int cause)
{
	return (double)pair->counters.retransmitted[cause];
}

static double read_spurious(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.spurious;
}

static double read_lost_before(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.recovered;
}

static double read_lost_after(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->lost_after;
}

static double read_reordered(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.reordered;
}

static double read_zero_window(const struct pair *pair, int unused)
{
	(void)unused;
	return (double)pair->counters.zero_window_ns / 1e9;
}

#define VARIANTS_MAX 8

/* In the order of enum pair_histogram where they are histograms: what is the histogram then. */
static const struct pair_family {
	struct metric_family family;
	struct variant variants[VARIANTS_MAX]; /* without a label there is one */
} pair_families[] = {
	{{"ackmon_connect_seconds", METRIC_HISTOGRAM, "seconds",
	  "First SYN to first SYN-ACK of connections that opened: what the application waits, repeated SYNs included."},
	 {{NULL, NULL, NULL, PAIR_CONNECT}}},
	{{"ackmon_handshake_seconds", METRIC_HISTOGRAM, "seconds",
	  "One leg of the handshake: the round trip from here to that end, by the SYN or SYN-ACK that was answered."},
	 {{"leg", "opener", NULL, PAIR_HANDSHAKE_OPENER},
	  {"leg", "responder", NULL, PAIR_HANDSHAKE_RESPONDER}}},
	{{"ackmon_rtt_seconds", METRIC_HISTOGRAM, "seconds",
	  "Round trips from here to that end, from timestamps (RFC 7323) or acknowledgments (Karn, RFC 6298)."},
	 {{"leg", "opener", NULL, PAIR_RTT_OPENER}, {"leg", "responder", NULL, PAIR_RTT_RESPONDER}}},
	{{"ackmon_response_seconds", METRIC_HISTOGRAM, "seconds",
	  "First request byte to first response byte, less the round trip to the responder."},
	 {{NULL, NULL, NULL, PAIR_RESPONSE}}},
	{{"ackmon_connections_total", METRIC_COUNTER, "",
	  "Connections by outcome: established and midstream when they proved themselves, others when given up."},
	 {{"outcome", "established", read_outcome, OUTCOME_ESTABLISHED},
	  {"outcome", "refused", read_outcome, OUTCOME_REFUSED},
	  {"outcome", "reset", read_outcome, OUTCOME_RESET},
	  {"outcome", "no_answer", read_outcome, OUTCOME_NO_ANSWER},
	  {"outcome", "unreachable", read_outcome, OUTCOME_UNREACHABLE},
	  {"outcome", "abandoned", read_outcome, OUTCOME_ABANDONED},
	  {"outcome", "midstream", read_outcome, OUTCOME_MIDSTREAM}}},
	{{"ackmon_segments_total", METRIC_COUNTER, "",
	  "TCP segments on the wire, of both ends: what the ratios of repeats and losses are of."},
	 {{NULL, NULL, read_segments, 0}}},
	{{"ackmon_payload_bytes_total", METRIC_COUNTER, "bytes",
	  "Payload by the IP length, repeats included, of both ends."},
	 {{NULL, NULL, read_payload, 0}}},
	{{"ackmon_retransmitted_segments_total", METRIC_COUNTER, "",
	  "Segments with octets seen here before, by cause: fast (RFC 5681), rto (RFC 6298), probe (RFC 8985)."},
	 {{"cause", "fast", read_retransmitted, CAUSE_FAST},
	  {"cause", "rto", read_retransmitted, CAUSE_RTO},
	  {"cause", "probe", read_retransmitted, CAUSE_PROBE}}},
	{{"ackmon_spurious_segments_total", METRIC_COUNTER, "",
	  "Segments sent again and not needed: acknowledged already, or by a D-SACK (RFC 2883)."},
	 {{NULL, NULL, read_spurious, 0}}},
	{{"ackmon_lost_segments_total", METRIC_COUNTER, "",
	  "Segments lost before this point (they came again and filled a hole) or after it (sent again and needed)."},
	 {{"where", "before", read_lost_before, 0}, {"where", "after", read_lost_after, 0}}},
	{{"ackmon_reordered_segments_total", METRIC_COUNTER, "",
	  "Segments that filled a hole and were sent before the segment that opened it."},
	 {{NULL, NULL, read_reordered, 0}}},
	{{"ackmon_zero_window_seconds_total", METRIC_COUNTER, "seconds",
	  "How long receive windows were closed: the application at that end did not read (RFC 9293, 3.8.6)."},
	 {{NULL, NULL, read_zero_window, 0}}},
};

static void write_pair(struct metrics_writer *writer, const struct pair_family *family,
		       const struct pair *pair)
{
	struct metric_labels labels = labels_of(writer->metrics, pair);
	size_t own = labels.count;

	for (int i = 0; i < VARIANTS_MAX; i++) {
		const struct variant *variant = &family->variants[i];

		if (i && !variant->label)
			break;
		labels.count = own;
		if (variant->label)
			add_label(&labels, variant->label, variant->value);
		if (family->family.type == METRIC_HISTOGRAM)
			writer->histogram(writer, &labels, pair, variant->what);
		else
			writer->value(writer, &labels, variant->read(pair, variant->what));
	}
}

static void write_pairs(struct metrics_writer *writer)
{
	const struct pairs *pairs = writer->metrics->pairs;

	for (size_t i = 0; i < sizeof(pair_families) / sizeof(*pair_families); i++) {
		writer->family = &pair_families[i].family;
		writer->begin(writer);
		for (size_t j = 0; j < pairs->count; j++)
			write_pair(writer, &pair_families[i], &pairs->pairs[j]);
		writer->end(writer);
	}
}

/* About itself */

static void begin(struct metrics_writer *writer, const struct metric_family *family)
{
	writer->family = family;
	writer->begin(writer);
}

static void put_value(struct metrics_writer *writer, const char *name, const char *value, double number)
{
	struct metric_labels labels = {.count = 0};

	if (name)
		add_label(&labels, name, value);
	writer->value(writer, &labels, number);
}

static void write_frames(struct metrics_writer *writer)
{
	static const struct metric_family family = {
		"ackmon_frames_total", METRIC_COUNTER, "",
		"Frames by door and by what became of them; the sum is all that were seen."};
	static const char *const doors[DOOR_COUNT] = {"xdp", "tc_ingress", "tc_egress", "capture"};
	static const char *const results[] = {
		"seen", "tracked",
#define X(name, meaning) #name,
		UNTRACKED_REASONS(X)
#undef X
	};

	begin(writer, &family);
	for (int door = 0; door < DOOR_COUNT; door++) {
		const __u64 *value = writer->metrics->summary->doors[door].value;

		if (door == DOOR_CAPTURE)
			continue;
		for (int i = FRAMES_TRACKED; i <= COUNTER_REASONS_LAST; i++) {
			struct metric_labels labels = {.count = 0};
			const char *result = results[i];

			add_label(&labels, "door", doors[door]);
			add_label(&labels, "result",
				  strncmp(result, "frames_", 7) ? result : result + 7);
			writer->value(writer, &labels, (double)value[i]);
		}
	}
	writer->end(writer);
}

static uint64_t counter_sum(const struct metrics *metrics, enum counter counter)
{
	uint64_t sum = 0;

	for (int door = 0; door < DOOR_COUNT; door++)
		sum += metrics->summary->doors[door].value[counter];
	return sum;
}

static void write_flows(struct metrics_writer *writer)
{
	static const struct metric_family flows = {
		"ackmon_flows", METRIC_GAUGE, "",
		"Connections being followed: established ones, and those that have yet to prove themselves."};
	static const struct metric_family evicted = {
		"ackmon_flows_evicted_total", METRIC_COUNTER, "",
		"Connections not followed for want of room: forgotten while opening, refused by the full table, or let go by an upgrade."};
	static const struct metric_family events = {
		"ackmon_events_lost_total", METRIC_COUNTER, "",
		"Records or events lost: the ring buffer was full, or the output took no more."};
	const struct metrics *metrics = writer->metrics;

	begin(writer, &flows);
	put_value(writer, "state", "established", (double)metrics->flows);
	put_value(writer, "state", "half_open", (double)metrics->half_open);
	writer->end(writer);
	begin(writer, &evicted);
	put_value(writer, "reason", "half_open", (double)summary_count(metrics->summary, COUNTER_half_open_forgotten));
	put_value(writer, "reason", "table_full",
		  (double)counter_sum(metrics, COUNTER_flows_refused));
	put_value(writer, "reason", "layout", (double)metrics->summary->flows_let_go);
	writer->end(writer);
	begin(writer, &events);
	put_value(writer, "where", "ring_buffer", (double)counter_sum(metrics, COUNTER_events_lost));
	put_value(writer, "where", "output", (double)metrics->summary->records_lost);
	writer->end(writer);
}

static void write_series(struct metrics_writer *writer)
{
	static const struct metric_family series = {
		"ackmon_series", METRIC_GAUGE, "", "Pairs of labels told apart now."};
	static const struct metric_family max = {
		"ackmon_series_max", METRIC_GAUGE, "", "Pairs of labels there is room for (--max-series)."};
	static const struct metric_family other = {
		"ackmon_series_other_total", METRIC_COUNTER, "",
		"Connections and samples counted in the labels \"other\", because there was no room for their own."};
	const struct pairs *pairs = writer->metrics->pairs;
	const struct pair *in_other = pairs_other(pairs);

	begin(writer, &series);
	put_value(writer, NULL, NULL, (double)pairs->count);
	writer->end(writer);
	begin(writer, &max);
	put_value(writer, NULL, NULL, (double)writer->metrics->series_max);
	writer->end(writer);
	begin(writer, &other);
	put_value(writer, "what", "connections", in_other ? (double)pair_connections(in_other) : 0);
	put_value(writer, "what", "samples", in_other ? (double)pair_samples(in_other) : 0);
	writer->end(writer);
}

static void write_owners(struct metrics_writer *writer)
{
	static const struct metric_family missed = {
		"ackmon_owners_missed_total", METRIC_COUNTER, "",
		"Ends of this host counted by their address alone: their cgroup was not known yet, or not before the connection was counted."};
	const struct pairs *pairs = writer->metrics->pairs;

	begin(writer, &missed);
	put_value(writer, "reason", "unknown", (double)pairs->owners_unknown);
	put_value(writer, "reason", "late", (double)pairs->owners_late);
	writer->end(writer);
}

static void put_exports(struct metrics_writer *writer, const char *to, const struct metrics_exports *exports)
{
	struct metric_labels labels = {.count = 0};

	add_label(&labels, "to", to);
	add_label(&labels, "result", "ok");
	writer->value(writer, &labels, (double)exports->ok);
	labels.count = 1;
	add_label(&labels, "result", "failed");
	writer->value(writer, &labels, (double)exports->failed);
}

static void write_work(struct metrics_writer *writer)
{
	static const struct metric_family exports = {
		"ackmon_exports_total", METRIC_COUNTER, "",
		"Times these metrics were pushed or written, by where to (otlp, textfile) and whether it worked."};
	static const struct metric_family turn = {
		"ackmon_longest_turn_seconds", METRIC_GAUGE, "seconds",
		"The longest that the reader did one thing at a stretch; the ring buffer has to hold what comes meanwhile."};

	begin(writer, &exports);
	put_exports(writer, "otlp", &writer->metrics->otlp);
	put_exports(writer, "textfile", &writer->metrics->textfile);
	writer->end(writer);
	begin(writer, &turn);
	put_value(writer, NULL, NULL, (double)writer->metrics->longest_turn_ns / 1e9);
	writer->end(writer);
}

static void write_self(struct metrics_writer *writer)
{
	static const struct metric_family hooks = {
		"ackmon_attach_info", METRIC_INFO, "", "Where the programs are attached."};
	static const struct metric_family build = {"ackmon_build_info", METRIC_INFO, "", "The version."};
	static const struct metric_family cpu = {
		"ackmon_cpu_seconds_total", METRIC_COUNTER, "seconds",
		"CPU time of this process; what the programs take is in that of the traffic they see."};
	struct rusage usage = {0};

	begin(writer, &hooks);
	for (size_t i = 0; i < writer->metrics->hook_count; i++) {
		const struct metrics_hook *hook = &writer->metrics->hooks[i];
		struct metric_labels labels = {.count = 0};

		add_label(&labels, "iface", hook->iface);
		add_label(&labels, "hook", hook->hook);
		add_label(&labels, "mode", hook->mode);
		writer->value(writer, &labels, 1);
	}
	writer->end(writer);
	begin(writer, &build);
	put_value(writer, "version", ACKMON_VERSION, 1);
	writer->end(writer);
	getrusage(RUSAGE_SELF, &usage);
	begin(writer, &cpu);
	put_value(writer, NULL, NULL,
		  (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			  (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	writer->end(writer);
}

/* Public */

int metrics_write(const struct metrics *metrics, enum metrics_format format, struct buffer *buffer)
{
	struct metrics_writer writer = {
		.metrics = metrics,
		.buffer = buffer,
		.is_openmetrics = format == METRICS_OPENMETRICS,
	};

	if (format == METRICS_PROTOBUF)
		metrics_protobuf_writer(&writer);
	else if (format == METRICS_OTLP)
		metrics_otlp_writer(&writer);
	else
		metrics_text_writer(&writer);
	if (writer.open)
		writer.open(&writer);
	write_pairs(&writer);
	write_flows(&writer);
	write_frames(&writer);
	write_series(&writer);
	write_owners(&writer);
	write_work(&writer);
	write_self(&writer);
	if (writer.close)
		writer.close(&writer);
	if (writer.series.failed)
		buffer->failed = true;
	buffer_free(&writer.series);
	return buffer->failed ? -ENOMEM : 0;
}

const char *metrics_content_type(enum metrics_format format)
{
	switch (format) {
	case METRICS_OPENMETRICS:
		return "application/openmetrics-text; version=1.0.0; charset=utf-8";
	case METRICS_PROTOBUF:
		return "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
		       "encoding=delimited";
	case METRICS_OTLP:
		return "application/x-protobuf";
	default:
		return "text/plain; version=0.0.4; charset=utf-8";
	}
}

/* One media range of an Accept header: is it one of ours, and how much is it wanted? */
static bool match_range(const char *range, size_t len, enum metrics_format *ret_format, double *ret_q)
{
	char text[256];
	const char *q;

	if (len >= sizeof(text))
		return false;
	memcpy(text, range, len);
	text[len] = '\0';
	q = strcasestr(text, ";q=");
	if (!q)
		q = strcasestr(text, "; q=");
	*ret_q = 1;
	if (q && sscanf(strchr(q, '=') + 1, "%lf", ret_q) != 1)
		return false;
	if (strcasestr(text, "application/vnd.google.protobuf") &&
	    strcasestr(text, "io.prometheus.client.MetricFamily") &&
	    strcasestr(text, "encoding=delimited"))
		*ret_format = METRICS_PROTOBUF;
	else if (strcasestr(text, "application/openmetrics-text"))
		*ret_format = METRICS_OPENMETRICS;
	else if (strcasestr(text, "text/plain") || strstr(text, "*/*") || strcasestr(text, "text/*"))
		*ret_format = METRICS_TEXT;
	else
		return false;
	return *ret_q > 0;
}

enum metrics_format metrics_negotiate(const char *accept)
{
	enum metrics_format best = METRICS_TEXT, format;
	double best_q = 0, q;

	while (accept && *accept) {
		size_t len = strcspn(accept, ",");

		if (match_range(accept, len, &format, &q) && q > best_q) {
			best = format;
			best_q = q;
		}
		accept += len;
		accept += *accept == ',';
	}
	return best;
}
