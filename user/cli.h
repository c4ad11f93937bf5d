/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line, as the person typed it and as the program reads it. */
#ifndef ACKMON_CLI_H
#define ACKMON_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1, /* run-time failure */
	EXIT_USAGE = 2,
	EXIT_LOST = 3, /* done, but some data was lost */
};

#define SERIES_USUAL 1000u
#define SERIES_MAX 65000u /* struct flow has 16 bits for a pair */

enum output_format {
	FORMAT_AUTO, /* table on a terminal and elsewhere, unless -w names *.csv, *.ndjson or *.json */
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_CSV,
	FORMAT_NDJSON,
};

enum hook_mode {
	HOOK_AUTO,   /* native XDP where it costs nothing, else TC */
	HOOK_NATIVE, /* XDP in the driver */
	HOOK_NATIVE_VLAN, /* ... which also asks it for the tag that was taken off */
	HOOK_SKB,    /* generic XDP */
	HOOK_TC,
};

enum verb {
	VERB_WATCH, /* none was given: live or replay */
	VERB_ATTACH,
	VERB_STATUS,
	VERB_DETACH,
};

/* Entries of the kernel's tables; 0: as many as usual. */
struct room_sizes {
	uint32_t flows;      /* --flows */
	uint32_t half_open;  /* --half-open */
	uint32_t holes;      /* --holes */
	uint32_t histograms; /* --histograms */
};

#define GEOIP_MAX 2

struct options {
	enum verb verb;
	const char *bpffs; /* --bpffs; NULL: $ACKMON_BPFFS, or the usual place */
	const char *group; /* --group: who may look at what attach keeps; NULL: as it was, else root */
	bool look;         /* --look: read what is kept, take nothing */
	const char *const *interfaces; /* -i, repeated */
	size_t interface_count;
	const char *const *netns; /* --netns, repeated: where they are; none: in our own namespace */
	size_t netns_count;
	const char *const *captures; /* -r, repeated, and what follows it up to the next option */
	size_t capture_count;
	enum output_format format;
	bool no_header;               /* -H */
	const char *const *fields;    /* -e, split at commas; NULL: the format's own choice */
	size_t field_count;
	const char *output_path;      /* -w; NULL: stdout */
	bool append;                  /* --append: behind what the file holds */
	uint64_t frame_limit;         /* -c; 0: none */
	uint64_t interval_ns;         /* -I; 0: none */
	uint64_t duration_ns;         /* --duration; 0: none */
	enum hook_mode mode;          /* -m */
	bool pairs;                   /* -o pairs: at the end what each pair of labels came to */
	uint32_t max_series;          /* --max-series: pairs of labels told apart */
	const char *listen;           /* --listen, --textfile, --otlp: metrics live; NULL: not so */
	const char *textfile;
	const char *otlp_url;
	uint64_t export_interval_ns;  /* --export-interval, of the last two */
	const char *labels_path;      /* --labels; NULL: none */
	const char *geoip[GEOIP_MAX]; /* --geoip */
	size_t geoip_count;
	bool events;                  /* --events: what happened, as NDJSON, instead of records */
	uint32_t decap;               /* --decap: TUNNEL_BIT() each */
	struct room_sizes rooms;
	uint64_t idle_timeout_ns;      /* --idle-timeout; 0: as usual */
	uint64_t half_open_timeout_ns; /* --half-open-timeout; the same */
	uint64_t closed_timeout_ns;    /* --closed-timeout; the same */
	bool transit;                 /* --transit: time between coming in and going out */
	bool list_interfaces;         /* -D */
	bool numeric;                 /* -n */
	const char *user;             /* -Z: who to be once everything is attached; NULL: who we are */
	int verbosity;                /* -v adds one, -q sets -1 */
	char *filter;                 /* words after the options joined by blanks; NULL: none */
};

/* Do addresses have names, from a file or a database? */
static inline bool options_label(const struct options *options)
{
	return options->labels_path || options->geoip_count;
}

/*
 * Reads argv. Returns -1 when the program should go on with *ret_options, else the exit code it
 * should end with (help and version print to stdout and give EXIT_DONE; a mistake prints one
 * sentence to stderr and gives EXIT_USAGE). cli_free() frees what it holds.
 */
int cli_parse(int argc, char **argv, struct options *ret_options);
void cli_free(struct options *options);

#endif
