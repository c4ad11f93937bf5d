/* SPDX-License-Identifier: GPL-2.0-only */
/* What each option means, and which sentence answers a mistake. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/tunnel.h"
#include "log.h"

#define NS_PER_S 1000000000ull
#define GO_ON (-1)

static const char help_text[] =
	"ackmon watches TCP: how long connections take to open, how far each end is,\n"
	"what was sent again.\n"
	"\n"
	"  ackmon -i IFACE [-i IFACE ...] [options] [filter]   watch live (needs root)\n"
	"  ackmon -r FILE ...             [options] [filter]   read captures (-: stdin)\n"
	"  ackmon -D                                           list interfaces\n"
	"  ackmon attach -i IFACE ... [-m MODE] [--group GROUP] [--events] [--labels FILE] [filter]\n"
	"                                    attach, pin and leave: ackmon -i IFACE takes over\n"
	"                                    what is there, and leaves it there when it ends\n"
	"  ackmon status [-j] [-i IFACE ...] what is attached, how, since when, what was lost\n"
	"  ackmon detach [-i IFACE ...]      take away what attach attached\n"
	"\n"
	"What to read\n"
	"  -i IFACE          an interface, a pattern ('veth*') or all; may be repeated\n"
	"  --transit         how long segments are inside this box, from one watched\n"
	"                    interface to another\n"
	"  --netns NAME|PID|PATH  interfaces of this network namespace; may be repeated\n"
	"  -r FILE ...       pcap or pcapng, also .gz and .zst, in the order given\n"
	"  -m MODE           hook of ingress: auto (default), native, native-vlan, skb or tc\n"
	"  -c N              stop after N frames that the filter selects\n"
	"  --duration TIME   stop after TIME\n"
	"  --decap LIST      look into these tunnels, or all: ipip sit 4in6 6in6 gre erspan\n"
	"                    vxlan vxlan-gpe geneve gtp-u l2tpv3 teredo\n"
	"  filter            as in tcpdump: host 10.0.0.1 and port 443\n"
	"\n"
	"What to write\n"
	"  -o FORMAT         table, wide, csv or ndjson; pairs (also pairs,csv and pairs,ndjson):\n"
	"                    at the end, what each pair of labels came to\n"
	"  -j                the same as -o ndjson\n"
	"  -e FIELD,...      these fields only, in this order\n"
	"  -H                no header line\n"
	"  -w FILE           to FILE; .csv, .ndjson and .json choose the format, too\n"
	"  --append          what FILE holds stays, records come behind it\n"
	"  -I TIME           also show connections still open, every TIME\n"
	"  --events          instead of records a line for each thing that happened: opened,\n"
	"                    refused, retransmitted, recovered, reordered, zero_window, closed\n"
	"  --max-series N    so many pairs of labels are told apart, the rest is \"other\" (1000)\n"
	"  --listen ADDR     answer /metrics: PORT (of 127.0.0.1), ADDR:PORT or a socket's path\n"
	"  --textfile FILE   metrics for node_exporter, every 15 s\n"
	"  --otlp URL        push metrics to an OpenTelemetry collector, every 15 s\n"
	"  --export-interval TIME  another time than 15 s for these two\n"
	"  -n                addresses and ports as numbers\n"
	"  --labels FILE     CSV: prefix,name,namespace,region,zone,external[,port]; SIGHUP and a\n"
	"                    new file of that name are read again\n"
	"  --geoip FILE      region (or, of autonomous systems, namespace) of public addresses\n"
	"                    from a MaxMind database; twice for both\n"
	"\n"
	"How much to remember\n"
	"  --flows N         connections at a time (131072, or a 64th of memory), 810 bytes each\n"
	"  --half-open N     connections that only open (65536), 145 bytes each\n"
	"  --holes N         directions that lose or repeat (16384), 4 kB each, as they come\n"
	"  --histograms N    directions with percentiles (16384), 2 kB each, as they come\n"
	"  --idle-timeout TIME       silence that ends a connection (1h)\n"
	"  --half-open-timeout TIME  ... one that has only been opened, or half closed (70s)\n"
	"  --closed-timeout TIME     ... one that is closed and waits for stragglers (5s; captures: 70s)\n"
	"\n"
	"Other\n"
	"  --bpffs DIR       where attach pins, and who comes after looks (default: $ACKMON_BPFFS,\n"
	"                    or /sys/fs/bpf/ackmon)\n"
	"  --group GROUP     attach: members of GROUP may look at it, without any privilege\n"
	"  --look            look at what is attached while another ackmon reads it: connections\n"
	"                    every -I TIME and at the end, nothing is taken\n"
	"  -Z USER           be USER once everything is attached or opened\n"
	"  -v, -q            say more; say only errors\n"
	"  -V, -h            version; this help\n"
	"\n"
	"TIME is a number of seconds, or has a unit: 10, 0.5, 500ms, 10s, 5m, 1h.\n"
	"In the table \"<\" is the opener's side and \">\" the responder's for round trips\n"
	"(<RTT, RTT>), and who sent again for repeats: RETRANS> the opener, <RETRANS\n"
	"the responder. \"!\" marks connections that failed to open or repeat a lot.\n"
	"\n"
	"Examples\n"
	"  ackmon -i eth0 port 443                connections of port 443, as they end\n"
	"  ackmon -r trace.pcapng -o wide         all connections of a capture\n"
	"  ackmon -i eth0 -I 10 -j | jq .outcome  records every 10 s, for a program\n";

enum { /* options without a letter */
	OPTION_DURATION = 256,
	OPTION_EVENTS,
	OPTION_BPFFS,
	OPTION_GROUP,
	OPTION_LOOK,
	OPTION_LABELS,
	OPTION_GEOIP,
	OPTION_DECAP,
	OPTION_NETNS,
	OPTION_TRANSIT,
	OPTION_APPEND,
	OPTION_FLOWS,
	OPTION_HALF_OPEN,
	OPTION_HOLES,
	OPTION_HISTOGRAMS,
	OPTION_IDLE_TIMEOUT,
	OPTION_HALF_OPEN_TIMEOUT,
	OPTION_CLOSED_TIMEOUT,
	OPTION_MAX_SERIES,
	OPTION_LISTEN,
	OPTION_TEXTFILE,
	OPTION_OTLP,
	OPTION_EXPORT_INTERVAL,
	OPTION_END,
};

static const struct option long_options[] = {
	{ "interface", required_argument, NULL, 'i' },
	{ "read", required_argument, NULL, 'r' },
	{ "output", required_argument, NULL, 'o' },
	{ "ndjson", no_argument, NULL, 'j' },
	{ "no-header", no_argument, NULL, 'H' },
	{ "fields", required_argument, NULL, 'e' },
	{ "write", required_argument, NULL, 'w' },
	{ "append", no_argument, NULL, OPTION_APPEND },
	{ "interval", required_argument, NULL, 'I' },
	{ "count", required_argument, NULL, 'c' },
	{ "mode", required_argument, NULL, 'm' },
	{ "numeric", no_argument, NULL, 'n' },
	{ "list-interfaces", no_argument, NULL, 'D' },
	{ "relinquish-privileges", required_argument, NULL, 'Z' },
	{ "duration", required_argument, NULL, OPTION_DURATION },
	{ "events", no_argument, NULL, OPTION_EVENTS },
	{ "bpffs", required_argument, NULL, OPTION_BPFFS },
	{ "group", required_argument, NULL, OPTION_GROUP },
	{ "look", no_argument, NULL, OPTION_LOOK },
	{ "labels", required_argument, NULL, OPTION_LABELS },
	{ "geoip", required_argument, NULL, OPTION_GEOIP },
	{ "decap", required_argument, NULL, OPTION_DECAP },
	{ "netns", required_argument, NULL, OPTION_NETNS },
	{ "transit", no_argument, NULL, OPTION_TRANSIT },
	{ "flows", required_argument, NULL, OPTION_FLOWS },
	{ "half-open", required_argument, NULL, OPTION_HALF_OPEN },
	{ "holes", required_argument, NULL, OPTION_HOLES },
	{ "histograms", required_argument, NULL, OPTION_HISTOGRAMS },
	{ "idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT },
	{ "half-open-timeout", required_argument, NULL, OPTION_HALF_OPEN_TIMEOUT },
	{ "closed-timeout", required_argument, NULL, OPTION_CLOSED_TIMEOUT },
	{ "max-series", required_argument, NULL, OPTION_MAX_SERIES },
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "textfile", required_argument, NULL, OPTION_TEXTFILE },
	{ "otlp", required_argument, NULL, OPTION_OTLP },
	{ "export-interval", required_argument, NULL, OPTION_EXPORT_INTERVAL },
	{ "verbose", no_argument, NULL, 'v' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* "-": operands come in their place, as 1; ":": a missing argument is not an unknown option. */
static const char short_options[] = "-:i:r:o:jHe:w:I:c:m:nDvqVhZ:";

/* The command line while it is read. */
struct reading {
	struct options *options;
	const char **interfaces; /* the same memory as in options, writable */
	const char **captures;
	const char **netns;
	bool seen[OPTION_END]; /* by what getopt_long() calls it */
	bool after_capture; /* an operand here may be one more capture */
	bool usage;         /* a mistake was found, and its sentence printed */
	bool no_memory;
};

#define USAGE(reading, ...)                                                                   \
	do {                                                                                   \
		log_error(__VA_ARGS__);                                                        \
		(reading)->usage = true;                                                       \
	} while (0)

/* Names */

struct name {
	const char *name;
	int value;
};

static const struct name format_names[] = {
	{ "table", FORMAT_TABLE },
	{ "wide", FORMAT_WIDE },
	{ "csv", FORMAT_CSV },
	{ "ndjson", FORMAT_NDJSON },
	{ NULL, -1 },
};

static const struct name mode_names[] = {
	{ "auto", HOOK_AUTO },
	{ "native", HOOK_NATIVE },
	{ "native-vlan", HOOK_NATIVE_VLAN },
	{ "skb", HOOK_SKB },
	{ "tc", HOOK_TC },
	{ NULL, -1 },
};

static const struct name tunnel_names[] = {
#define X(name, word) { word, TUNNEL_BIT(TUNNEL_##name) },
	TUNNELS(X)
#undef X
	{ "all", TUNNELS_ALL },
	{ NULL, -1 },
};

static const struct name path_endings[] = {
	{ ".csv", FORMAT_CSV },
	{ ".ndjson", FORMAT_NDJSON },
	{ ".json", FORMAT_NDJSON },
	{ NULL, FORMAT_TABLE },
};

static int name_value(const struct name *names, const char *name)
{
	while (names->name && strcmp(names->name, name))
		names++;
	return names->value;
}

static bool text_ends(const char *text, const char *ending)
{
	size_t len = strlen(text), ending_len = strlen(ending);

	return len >= ending_len && !strcmp(text + len - ending_len, ending);
}

static enum output_format format_of_path(const char *path)
{
	const struct name *ending = path_endings;

	while (ending->name && !text_ends(path, ending->name))
		ending++;
	return (enum output_format)ending->value;
}

/* Numbers and times */

/* A whole number from one to the largest; false for anything else. */
static bool parse_count(const char *text, uint64_t *ret_count)
{
	char *end;
	unsigned long long count;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	count = strtoull(text, &end, 10);
	if (errno || *end || !count)
		return false;
	*ret_count = count;
	return true;
}

static uint64_t unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{ "", NS_PER_S },
		{ "ns", 1 },
		{ "us", 1000 },
		{ "ms", 1000000 },
		{ "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },
		{ "min", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!strcmp(units[i].name, unit))
			return units[i].ns;
	}
	return 0;
}

/*
 * Digits, a decimal point and digits, a unit. By integers: 0.1 s is 100000000 ns, not nearly so.
 * False when it is no time, is nothing at all, or is longer than a century.
 */
static bool parse_time(const char *text, uint64_t *ret_ns)
{
	const uint64_t longest_ns = 100ull * 365 * 24 * 3600 * NS_PER_S;
	size_t whole_len = strspn(text, "0123456789"), part_len = 0;
	const char *part = text + whole_len;
	uint64_t ns = 0, step, unit;

	if (*part == '.')
		part_len = strspn(++part, "0123456789");
	unit = unit_ns(part + part_len);
	if (!unit || !(whole_len + part_len))
		return false;
	for (size_t i = 0; i < whole_len; i++) {
		ns = ns * 10 + (uint64_t)(text[i] - '0');
		if (ns > longest_ns / unit)
			return false;
	}
	ns *= unit;
	step = unit;
	for (size_t i = 0; i < part_len; i++) {
		uint64_t digit = (uint64_t)(part[i] - '0');

		ns += digit * step / 10;
		step /= 10;
	}
	*ret_ns = ns;
	return ns != 0;
}

/* Options */

static void set_format(struct reading *reading, const char *name)
{
	int format = name_value(format_names, name);

	if (!strncmp(name, "pairs", 5) && (!name[5] || name[5] == ',')) {
		reading->options->pairs = true;
		if (!name[5])
			return;
		format = name_value(format_names, name + 6);
	}
	if (format >= 0)
		reading->options->format = (enum output_format)format;
	else
		USAGE(reading, "-o %s: no such format; use table, wide, csv, ndjson, or pairs as in "
			       "pairs,csv", name);
}

static void set_mode(struct reading *reading, const char *name)
{
	int mode = name_value(mode_names, name);

	if (mode < 0)
		USAGE(reading, "-m %s: no such mode; use auto, native, native-vlan, skb or tc", name);
	else
		reading->options->mode = (enum hook_mode)mode;
}

/* Words split at commas; more than one --decap adds up. */
static void add_tunnels(struct reading *reading, const char *list)
{
	while (!reading->usage) {
		size_t len = strcspn(list, ",");
		char word[16];
		int bits;

		snprintf(word, sizeof(word), "%.*s", len < sizeof(word) ? (int)len : 15, list);
		bits = name_value(tunnel_names, word);
		if (bits < 0)
			USAGE(reading,
			      "--decap %.*s: no such tunnel; use all, or some of ipip, sit, 4in6, "
			      "6in6, gre, erspan, vxlan, vxlan-gpe, geneve, gtp-u, l2tpv3, teredo",
			      (int)len, list);
		else
			reading->options->decap |= (uint32_t)bits;
		if (!list[len])
			return;
		list += len + 1;
	}
}

static void set_frame_limit(struct reading *reading, const char *text)
{
	if (!parse_count(text, &reading->options->frame_limit))
		USAGE(reading, "-c %s: not a number of frames; give a whole number above 0", text);
}

#define ROOM_MAX (1u << 26)

static void set_room(struct reading *reading, const char *option, const char *text,
		     uint32_t *ret_entries)
{
	uint64_t entries;

	if (parse_count(text, &entries) && entries <= ROOM_MAX)
		*ret_entries = (uint32_t)entries;
	else
		USAGE(reading, "%s %s: not a number of entries; give a whole number from 1 to %u",
		      option, text, ROOM_MAX);
}

static void set_max_series(struct reading *reading, const char *text)
{
	uint64_t max;

	if (!parse_count(text, &max) || max > SERIES_MAX)
		USAGE(reading, "--max-series %s: not a number from 1 to %u", text, SERIES_MAX);
	else
		reading->options->max_series = (uint32_t)max;
}

static void add_geoip(struct reading *reading, const char *path)
{
	struct options *options = reading->options;

	if (options->geoip_count == GEOIP_MAX)
		USAGE(reading, "--geoip: at most %u, one of places and one of autonomous systems", GEOIP_MAX);
	else
		options->geoip[options->geoip_count++] = path;
}

static void set_time(struct reading *reading, const char *option, const char *text,
		     uint64_t *ret_ns)
{
	if (!parse_time(text, ret_ns))
		USAGE(reading, "%s %s: not a time; give seconds or a unit, as in 10, 0.5, 500ms",
		      option, text);
}

/* Twice the same interface is watched once. */
static void add_interface(struct reading *reading, const char *name)
{
	struct options *options = reading->options;

	if (!*name) {
		USAGE(reading, "-i: the interface name is empty; ackmon -D lists the interfaces");
		return;
	}
	for (size_t i = 0; i < options->interface_count; i++) {
		if (!strcmp(options->interfaces[i], name))
			return;
	}
	reading->interfaces[options->interface_count++] = name;
}

static void add_netns(struct reading *reading, const char *name)
{
	struct options *options = reading->options;

	if (!*name) {
		USAGE(reading, "--netns: the name is empty; give one of ip netns list, a process "
			       "number or a path");
		return;
	}
	for (size_t i = 0; i < options->netns_count; i++) {
		if (!strcmp(options->netns[i], name))
			return;
	}
	reading->netns[options->netns_count++] = name;
}

static void add_capture(struct reading *reading, const char *path)
{
	if (!*path)
		USAGE(reading, "-r: the file name is empty; give a capture, or - for stdin");
	else
		reading->captures[reading->options->capture_count++] = path;
}

/* One more word behind a separator. */
static void append_text(struct reading *reading, char **text, const char *separator,
			const char *word)
{
	char *joined;

	if (asprintf(&joined, "%s%s%s", *text ? *text : "", *text ? separator : "", word) < 0) {
		reading->no_memory = true;
		return;
	}
	free(*text);
	*text = joined;
}

/* The names of all -e, split at commas. The array and the names are one block. */
static void set_fields(struct reading *reading, const char *list)
{
	size_t count = 1;
	const char **fields;
	char *names;

	for (const char *at = list; *at; at++)
		count += *at == ',';
	fields = malloc(count * sizeof(*fields) + strlen(list) + 1);
	if (!fields) {
		reading->no_memory = true;
		return;
	}
	names = strcpy((char *)&fields[count], list);
	for (size_t i = 0; i < count; i++) {
		fields[i] = strsep(&names, ",");
		if (!*fields[i] && !reading->usage)
			USAGE(reading, "-e %s: a field name is empty", list);
	}
	reading->options->fields = fields;
	reading->options->field_count = count;
}

/* Operands */

static bool is_capture_name(const char *word)
{
	static const char *const endings[] = {
		".pcap", ".pcapng", ".cap", ".pcap.gz", ".pcap.zst", ".pcapng.gz", ".pcapng.zst",
	};

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		if (text_ends(word, endings[i]))
			return true;
	}
	return false;
}

/* A folder is none: one named tcp leaves the word what it is. */
static bool is_there(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	errno = EISDIR;
	return !S_ISDIR(st.st_mode);
}

/* What follows -r FILE is a capture as long as there is such a file; then the filter begins. */
static void take_operand(struct reading *reading, const char *word)
{
	if (reading->after_capture && (!strcmp(word, "-") || is_there(word))) {
		add_capture(reading, word);
		return;
	}
	if (reading->after_capture && is_capture_name(word))
		USAGE(reading, "%s: %s", word, strerror(errno));
	reading->after_capture = false;
	append_text(reading, &reading->options->filter, " ", word);
}

/*
 * optopt is 0 for a word with two dashes that is no option, an option's letter when that option was
 * given too much, and else a letter that is none: then argv[optind - 1] may be the word before.
 */
static void take_unknown_option(struct reading *reading, const char *word)
{
	if (!optopt)
		USAGE(reading, "%s: no such option; see ackmon -h", word);
	else if (optopt > 255 || strchr(short_options, optopt))
		USAGE(reading, "%s: takes no argument; see ackmon -h", word);
	else
		USAGE(reading, "-%c: no such option; see ackmon -h", optopt);
}

static void take_option(struct reading *reading, int option, char **fields)
{
	struct options *options = reading->options;

	reading->seen[option] = true;
	switch (option) {
	case 'i':
		add_interface(reading, optarg);
		break;
	case 'r':
		add_capture(reading, optarg);
		break;
	case 'o':
		set_format(reading, optarg);
		break;
	case 'j':
		options->format = FORMAT_NDJSON;
		break;
	case 'H':
		options->no_header = true;
		break;
	case 'e':
		append_text(reading, fields, ",", optarg);
		break;
	case 'w':
		options->output_path = optarg;
		break;
	case 'I':
		set_time(reading, "-I", optarg, &options->interval_ns);
		break;
	case 'c':
		set_frame_limit(reading, optarg);
		break;
	case 'm':
		set_mode(reading, optarg);
		break;
	case 'n':
		options->numeric = true;
		break;
	case 'Z':
		options->user = optarg;
		break;
	case 'D':
		options->list_interfaces = true;
		break;
	case OPTION_DURATION:
		set_time(reading, "--duration", optarg, &options->duration_ns);
		break;
	case OPTION_LISTEN:
		options->listen = optarg;
		break;
	case OPTION_TEXTFILE:
		options->textfile = optarg;
		break;
	case OPTION_OTLP:
		options->otlp_url = optarg;
		break;
	case OPTION_EXPORT_INTERVAL:
		set_time(reading, "--export-interval", optarg, &options->export_interval_ns);
		break;
	case OPTION_MAX_SERIES:
		set_max_series(reading, optarg);
		break;
	case OPTION_LABELS:
		options->labels_path = optarg;
		break;
	case OPTION_GEOIP:
		add_geoip(reading, optarg);
		break;
	case OPTION_APPEND:
		options->append = true;
		break;
	case OPTION_TRANSIT:
		options->transit = true;
		break;
	case OPTION_NETNS:
		add_netns(reading, optarg);
		break;
	case OPTION_BPFFS:
		options->bpffs = optarg;
		break;
	case OPTION_GROUP:
		options->group = optarg;
		break;
	case OPTION_LOOK:
		options->look = true;
		break;
	case OPTION_EVENTS:
		options->events = true;
		break;
	case OPTION_DECAP:
		add_tunnels(reading, optarg);
		break;
	case OPTION_FLOWS:
		set_room(reading, "--flows", optarg, &options->rooms.flows);
		break;
	case OPTION_HALF_OPEN:
		set_room(reading, "--half-open", optarg, &options->rooms.half_open);
		break;
	case OPTION_HOLES:
		set_room(reading, "--holes", optarg, &options->rooms.holes);
		break;
	case OPTION_HISTOGRAMS:
		set_room(reading, "--histograms", optarg, &options->rooms.histograms);
		break;
	case OPTION_IDLE_TIMEOUT:
		set_time(reading, "--idle-timeout", optarg, &options->idle_timeout_ns);
		break;
	case OPTION_HALF_OPEN_TIMEOUT:
		set_time(reading, "--half-open-timeout", optarg, &options->half_open_timeout_ns);
		break;
	case OPTION_CLOSED_TIMEOUT:
		set_time(reading, "--closed-timeout", optarg, &options->closed_timeout_ns);
		break;
	case 'v':
		options->verbosity++;
		break;
	case 'q':
		options->verbosity = -1;
		break;
	}
}

/* The whole of it */

static const struct name verb_names[] = {
	{ "attach", VERB_ATTACH },
	{ "status", VERB_STATUS },
	{ "detach", VERB_DETACH },
	{ NULL, -1 },
};

static bool is_planned_verb(const char *word)
{
	return !strcmp(word, "top") || !strcmp(word, "check");
}

/* Help and version end the program, whatever else was typed; the first mistake does too. */
static int read_words(struct reading *reading, int argc, char **argv, char **fields)
{
	int option;

	optind = 0; /* start anew: a test reads more than one command line */
	opterr = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help_text, stdout);
			return EXIT_DONE;
		}
		if (option == 'V') {
			puts("ackmon " ACKMON_VERSION);
			return EXIT_DONE;
		}
		if (option == 1)
			take_operand(reading, optarg);
		else if (option == '?')
			take_unknown_option(reading, argv[optind - 1]);
		else if (option == ':')
			USAGE(reading, "%s: its argument is missing; see ackmon -h",
			      argv[argc - 1]);
		else
			take_option(reading, option, fields);
		if (option != 1)
			reading->after_capture = option == 'r';
		if (reading->usage)
			return EXIT_USAGE;
	}
	for (; optind < argc; optind++) /* behind "--" */
		append_text(reading, &reading->options->filter, " ", argv[optind]);
	return GO_ON;
}

static bool has_rooms(const struct room_sizes *rooms)
{
	return rooms->flows || rooms->half_open || rooms->holes || rooms->histograms;
}

static void check_standard_input(struct reading *reading)
{
	const struct options *options = reading->options;
	size_t times = 0;

	for (size_t i = 0; i < options->capture_count; i++)
		times += !strcmp(options->captures[i], "-");
	if (times > 1)
		USAGE(reading, "-r -: standard input can be read only once");
}

/* What goes together */

static const char *option_name(int option)
{
	const struct option *at = long_options;

	while (at->name && at->val != option)
		at++;
	return at->name;
}

static bool is_replay(const struct options *options)
{
	return options->verb == VERB_WATCH && options->capture_count;
}

static bool writes_events(const struct options *options)
{
	return options->verb == VERB_WATCH && options->events;
}

static bool writes_pairs(const struct options *options)
{
	return options->verb == VERB_WATCH && options->pairs;
}

/* What would do nothing there; the words follow the option's name. */
static const struct misfit {
	bool (*where)(const struct options *options);
	int options[5];
	const char *words;
} misfits[] = {
	{ is_replay, { OPTION_LISTEN, OPTION_TEXTFILE, OPTION_OTLP, OPTION_EXPORT_INTERVAL },
	  "metrics are of what is watched with -i; -o pairs says what a capture came to" },
	{ is_replay, { 'm', OPTION_LOOK, OPTION_BPFFS }, "is for -i: nothing is attached to read a capture" },
	{ writes_events, { 'e', 'I' }, "is about records, and --events writes what happened instead" },
	{ writes_pairs, { 'e', 'I' }, "is about records, and -o pairs writes none, but one table at the end" },
};

/* These take little; all else would be ignored. */
static const int status_options[] = { 'i', 'o', 'j', 'H', 'v', 'q', OPTION_BPFFS, 0 };
static const int detach_options[] = { 'i', 'v', 'q', OPTION_BPFFS, 0 };
static const int list_options[] = { 'D', 'v', 'q', 0 };

static bool is_one_of(const int *options, int option)
{
	while (*options && *options != option)
		options++;
	return *options;
}

static void check_takes(struct reading *reading, const char *what, const int *taken)
{
	for (int option = 0; option < OPTION_END; option++) {
		if (reading->seen[option] && !is_one_of(taken, option)) {
			USAGE(reading, "%s: --%s means nothing here; see ackmon -h", what, option_name(option));
			return;
		}
	}
	if (reading->options->filter)
		USAGE(reading, "%s: \"%s\" means nothing here; see ackmon -h", what, reading->options->filter);
}

static void check_misfits(struct reading *reading)
{
	for (size_t i = 0; i < sizeof(misfits) / sizeof(*misfits); i++) {
		if (!misfits[i].where(reading->options))
			continue;
		for (const int *option = misfits[i].options; *option && !reading->usage; option++)
			if (reading->seen[*option])
				USAGE(reading, "--%s: %s", option_name(*option), misfits[i].words);
	}
}

/* Events have one form; a name that promises another one is a mistake, too. */
static void check_events(struct reading *reading)
{
	const struct options *options = reading->options;

	if (!writes_events(options) || options->format == FORMAT_NDJSON)
		return;
	if (options->pairs || options->format != FORMAT_AUTO)
		USAGE(reading, "--events: are written as NDJSON; leave -o out");
	else if (options->output_path && format_of_path(options->output_path) == FORMAT_CSV)
		USAGE(reading, "--events: are written as NDJSON; give %s another name, or say -j",
		      options->output_path);
}

/* What to watch is named by exactly one of -i, -r and -D. */
static void check_source(struct reading *reading)
{
	const struct options *options = reading->options;

	if (options->verb != VERB_WATCH && (options->netns_count || options->capture_count)) {
		USAGE(reading, "attach, status and detach are about this network namespace; go into "
			       "another one by nsenter --net=/run/netns/NAME");
		return;
	}
	if (options->group && options->verb != VERB_ATTACH) {
		USAGE(reading, "--group: is for attach: ackmon attach -i IFACE --group GROUP");
		return;
	}
	if (options->look && (options->verb != VERB_WATCH || !options->interface_count)) {
		USAGE(reading, "--look: at which interface? ackmon --look -i IFACE");
		return;
	}
	if (options->verb == VERB_STATUS)
		check_takes(reading, "status", status_options);
	else if (options->verb == VERB_DETACH)
		check_takes(reading, "detach", detach_options);
	else if (options->list_interfaces)
		check_takes(reading, "-D", list_options);
	if (options->list_interfaces || options->verb == VERB_STATUS || options->verb == VERB_DETACH)
		return;
	if (options->verb == VERB_ATTACH) {
		if (!options->interface_count)
			USAGE(reading, "attach: to which interface? ackmon attach -i IFACE; ackmon "
				       "-D lists the interfaces");
		return;
	}
	if (options->capture_count && has_rooms(&options->rooms))
		USAGE(reading, "--flows, --half-open, --holes and --histograms are for -i; reading "
			       "captures takes the memory it needs");
	else if (options->interface_count && options->capture_count)
		USAGE(reading, "-i and -r: choose one, interfaces or capture files");
	else if (options->append && !options->output_path)
		USAGE(reading, "--append: to which file? Name it with -w");
	else if (options->transit && !options->interface_count)
		USAGE(reading, "--transit: is measured live, between two interfaces given with -i");
	else if (options->netns_count && !options->interface_count)
		USAGE(reading, "--netns: name its interfaces with -i; -i all takes all that are up");
	else if (!options->interface_count && !options->capture_count)
		USAGE(reading, "nothing to watch; name an interface with -i or a capture with -r "
			       "(ackmon -h tells more, ackmon -D lists the interfaces)");
	else
		check_standard_input(reading);
}

static void resolve_output(struct options *options)
{
	if (options->output_path && !strcmp(options->output_path, "-"))
		options->output_path = NULL;
	if (options->format != FORMAT_AUTO)
		return;
	options->format = options->events ? FORMAT_NDJSON : FORMAT_TABLE;
	if (options->output_path && !options->events)
		options->format = format_of_path(options->output_path);
}

static int read_command_line(struct reading *reading, int argc, char **argv)
{
	char *fields = NULL;
	int code;

	if (argc > 1 && name_value(verb_names, argv[1]) >= 0) {
		reading->options->verb = (enum verb)name_value(verb_names, argv[1]);
		argc--;
		argv++;
	} else if (argc > 1 && is_planned_verb(argv[1])) {
		log_error("%s: not built yet; watch with ackmon -i IFACE, read with ackmon -r FILE",
			  argv[1]);
		return EXIT_USAGE;
	}
	code = read_words(reading, argc, argv, &fields);
	if (code == GO_ON && fields)
		set_fields(reading, fields);
	free(fields);
	if (code != GO_ON)
		return code;
	if (!reading->usage)
		check_source(reading);
	if (!reading->usage)
		check_misfits(reading);
	if (!reading->usage)
		check_events(reading);
	if (reading->no_memory) {
		log_error("the command line does not fit into memory");
		return EXIT_FAILED;
	}
	if (reading->usage)
		return EXIT_USAGE;
	resolve_output(reading->options);
	return GO_ON;
}

int cli_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = { .format = FORMAT_AUTO, .max_series = SERIES_USUAL,
				   .export_interval_ns = 15 * NS_PER_S };
	struct reading reading = { .options = &options };
	int code;

	reading.interfaces = calloc((size_t)argc + 1, sizeof(*reading.interfaces));
	reading.captures = calloc((size_t)argc + 1, sizeof(*reading.captures));
	reading.netns = calloc((size_t)argc + 1, sizeof(*reading.netns));
	options.interfaces = reading.interfaces;
	options.captures = reading.captures;
	options.netns = reading.netns;
	if (!reading.interfaces || !reading.captures || !reading.netns) {
		log_error("the command line does not fit into memory");
		code = EXIT_FAILED;
	} else {
		code = read_command_line(&reading, argc, argv);
	}
	if (code == GO_ON)
		*ret_options = options;
	else
		cli_free(&options);
	return code;
}

void cli_free(struct options *options)
{
	free((void *)options->interfaces);
	free((void *)options->captures);
	free((void *)options->netns);
	free((void *)options->fields);
	free(options->filter);
	*options = (struct options){ 0 };
}
