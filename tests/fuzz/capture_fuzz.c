/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes taken for a capture file end in a sentence or in counted frames, never in a crash. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pcap.h>

#include "config.h"
#include "pcap_records.h"
#include "pcap_source.h"
#include "replay.h"

/* A few bytes can unpack to a great many frames; the first ones are enough. */
#define FRAMES_MAX 20000

static uint64_t last_ns;
static volatile unsigned int touched;

static void must(int claim, const char *what)
{
	if (claim)
		return;
	fprintf(stderr, "capture_fuzz: not true: %s\n", what);
	abort();
}

static void show_flow(void *context, const struct flow_key *key, const struct flow_whole *whole)
{
	const struct flow *flow = &whole->flow;

	(void)context;
	(void)key;
	must(whole->rare[0].again_bytes <= flow->side[0].payload_bytes, "again <= payload");
	must(whole->rare[1].again_bytes <= flow->side[1].payload_bytes, "again <= payload");
	must(flow->side[0].holes <= HOLES_MAX && flow->side[1].holes <= HOLES_MAX, "holes <= 64");
}

static void check_counters(struct replay *replay, uint64_t frames)
{
	const __u64 *value = replay_counters(replay)->value;
	uint64_t accounted = value[FRAMES_TRACKED];
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		accounted += value[i];
	must(value[FRAMES_SEEN] == frames, "every frame was seen");
	must(accounted == frames, "every frame is tracked or has a reason");
}

/* Every byte that a frame claims to have must be there. */
static void touch(const struct frame *frame)
{
	const uint8_t *at = frame->data, *end = frame->end;
	unsigned int sum = 0;

	must(end >= at, "a frame ends behind its start");
	must(frame->wire_bytes >= (size_t)(end - at), "wire length covers what was captured");
	while (at < end)
		sum += *at++;
	touched = sum;
}

static void play(const char *path, const char *filter, struct replay *replay)
{
	struct pcap_source *source;
	char error[256] = "";
	struct frame frame;
	uint64_t frames = 0;
	int selected, got;

	got = pcap_source_open(&source, path, filter, error, sizeof(error));
	if (got) {
		must(got < 0 && error[0], "a refused file is told why");
		return;
	}
	while (frames < FRAMES_MAX) {
		got = pcap_source_next(source, &frame, &selected, error, sizeof(error));
		if (got <= 0)
			break;
		frames++;
		touch(&frame);
		last_ns = frame.time_ns;
		if (selected)
			replay_frame(replay, &frame);
		else
			replay_filtered(replay);
	}
	must(got >= 0 || error[0], "a damaged file is told why");
	pcap_source_close(source);
	check_counters(replay, frames);
}

struct bytes {
	const uint8_t *at;
	size_t left;
};

static ssize_t read_some(void *cookie, char *to, size_t size)
{
	struct bytes *bytes = cookie;

	if (size > 4093) /* no round number: records end inside portions */
		size = 4093;
	if (size > bytes->left)
		size = bytes->left;
	memcpy(to, bytes->at, size);
	bytes->at += size;
	bytes->left -= size;
	return (ssize_t)size;
}

/* Our reader of classic files and libpcap see the same frames, and the same end. */
static void compare_readers(const uint8_t *data, size_t size)
{
	struct bytes bytes = {data + PCAP_FILE_HEADER_BYTES, size - PCAP_FILE_HEADER_BYTES};
	char reason[PCAP_ERRBUF_SIZE];
	struct pcap_records records;
	struct pcap_record record;
	struct pcap_pkthdr *header;
	const uint8_t *captured;
	int got, result, frames = 0;
	pcap_t *pcap;
	FILE *file;

	if (size < PCAP_FILE_HEADER_BYTES || !pcap_records_know(data))
		return;
	file = fmemopen((void *)(uintptr_t)data, size, "r");
	pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (!pcap) {
		fclose(file);
		return;
	}
	if (pcap_records_open(&records, data, read_some, &bytes))
		abort();
	do {
		got = pcap_records_next(&records, &record, reason, sizeof(reason));
		result = pcap_next_ex(pcap, &header, &captured);
		/* A few link types may have larger frames; none of them carries IP. */
		if (got < 0 && result == 1 && header->caplen > records.captured_max)
			break;
		must((got == 1) == (result == 1), "both readers find a frame or neither");
		must((got == 0) == (result == PCAP_ERROR_BREAK), "both find the end or neither");
		if (got != 1)
			break;
		must(record.captured == header->caplen && record.wire_bytes == header->len,
		     "both lengths are libpcap's");
		must(!memcmp(record.bytes, captured, record.captured), "the bytes are libpcap's");
		/* Beyond a second a fraction is garbage, which libpcap reads as signed. */
		if (header->ts.tv_usec < 0 || header->ts.tv_usec >= 1000000000)
			continue;
		must((uint32_t)(record.time_ns / 1000000000) == (uint32_t)header->ts.tv_sec &&
			     record.time_ns % 1000000000 == (uint64_t)header->ts.tv_usec,
		     "the time is libpcap's");
	} while (++frames < FRAMES_MAX);
	pcap_records_close(&records);
	pcap_close(pcap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *filter = size && data[size - 1] % 4 == 0 ? "tcp port 80 or ip6" : NULL;
	struct monitor_config config = config_of_captures();
	struct replay *replay;
	char path[64];
	int fd = memfd_create("capture", MFD_CLOEXEC);

	compare_readers(data, size);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (replay_open(&replay, &config, show_flow, NULL, NULL))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	play(path, filter, replay);
	replay_sweep(replay, last_ns);
	replay_finish(replay);
	replay_close(replay);
	close(fd);
	return 0;
}
