/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential run: generated frames, right and wrong, through a loaded program and through the native core.
 * Every counter, every event and every byte of every flow must be the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "abi/tunnel.h"
#include "config.h"
#include "differ.h"
#include "pcap_source.h"

uint64_t differ_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int differ_fail(struct differ *differ, int err, const char *what)
{
	snprintf(differ->error, sizeof(differ->error), "%s: %s", what, strerror(-err));
	return err;
}

void *differ_grown(void *array, size_t count, size_t *size, size_t bytes)
{
	if (count < *size)
		return array;
	*size = *size ? 2 * *size : 1024;
	array = realloc(array, *size * bytes);
	if (!array) {
		fputs("differ: out of memory\n", stderr);
		exit(1);
	}
	return array;
}

static void make_epoch(struct differ *differ, uint64_t number)
{
	unsigned int i;

	scene_begin(differ->scene, number);
	for (i = 0; i < EPOCH_FRAMES; i++)
		scene_next(differ->scene, &differ->epoch[i]);
}

static void show_progress(const struct differ *differ, uint64_t wanted, uint64_t start_ns)
{
	double seconds = (double)(differ_now_ns() - start_ns) / 1e9;

	fprintf(stderr, "%s: %" PRIu64 " of %" PRIu64 " frames, %.0f a second, the program %.0f ns a frame\n",
		differ->program.door_name, differ->frames, wanted, (double)differ->frames / seconds,
		(double)differ->program_ns / (double)differ->frames);
}

static void add_up(struct differ *differ)
{
	size_t i;

	for (i = 0; i < COUNTER_COUNT; i++)
		differ->sum.value[i] += differ->native.counters.value[i];
	for (i = 0; i < differ->native.event_count; i++) {
		if (differ->native.events[i].type == EVENT_SEGMENT)
			differ->classes[differ->native.events[i].class]++;
	}
	differ->flows += differ->native.row_count;
}

/* How far the frames went: a counter or class that stays at 0 was not tried. */
static void show_sums(const struct differ *differ)
{
	static const char *const names[] = {
		"plain", "keepalive", "window_probe", "copy", "late", "retransmitted",
		"recovered", "reordered", "unresolved", "new", "suspect",
	};
	int i;

	printf("# flows %" PRIu64 "\n", differ->flows);
	for (i = 0; i < COUNTER_COUNT; i++) {
		if (program_counter_name(i))
			printf("# %s %llu\n", program_counter_name(i), differ->sum.value[i]);
	}
	for (i = SEGMENT_KEEPALIVE; i <= SEGMENT_SUSPECT; i++) {
		if (i != SEGMENT_NEW)
			printf("# class %s %" PRIu64 "\n", names[i], differ->classes[i]);
	}
}

/* 0: no difference in `wanted` frames, 1: one was found and explained, or -errno. */
static int run(struct differ *differ, uint64_t wanted, uint64_t first)
{
	uint64_t start_ns = differ_now_ns(), shown_ns = start_ns, number = first;
	int same = 1;

	for (; same > 0 && differ->frames < wanted; number++) {
		make_epoch(differ, number);
		same = differ_run_epoch(differ, EPOCH_FRAMES);
		differ->frames += EPOCH_FRAMES;
		add_up(differ);
		if (differ_now_ns() - shown_ns > 10000000000u) {
			shown_ns = differ_now_ns();
			show_progress(differ, wanted, start_ns);
		}
	}
	if (same < 0)
		return same;
	show_progress(differ, wanted, start_ns);
	printf("%s: %" PRIu64 " frames, %llu tracked, %s\n", differ->program.door_name,
	       differ->frames, differ->sum.value[FRAMES_TRACKED],
	       same ? "0 differences" : "different");
	show_sums(differ);
	if (!same)
		differ_explain(differ, number - 1);
	return !same;
}

/* The frames of a capture, as seeds. */
static int read_seeds(const char *path, struct seed_frame **seeds, size_t *count, size_t *size,
		      char *error, size_t error_size)
{
	struct pcap_source *source;
	struct frame frame;
	int selected, err = pcap_source_open(&source, path, NULL, error, error_size);

	if (err)
		return err;
	while (pcap_source_next(source, &frame, &selected, error, error_size) > 0) {
		size_t len = (const char *)frame.end - (const char *)frame.data;
		struct seed_frame *seed;

		if (len < FEED_BYTES_MIN)
			continue;
		*seeds = differ_grown(*seeds, *count, size, sizeof(**seeds));
		seed = &(*seeds)[(*count)++];
		seed->len = (uint32_t)(len < FEED_BYTES_MAX ? len : FEED_BYTES_MAX);
		seed->wire_bytes = frame.wire_bytes;
		seed->link = frame.link;
		memcpy(seed->bytes, frame.data, seed->len);
	}
	pcap_source_close(source);
	return 0;
}

static const char usage[] =
	"usage: differ [-n FRAMES] [-s FIRST] [-d] [-f] [-x] xdp|tc_ingress|tc_egress [SEEDS.pcap...]\n"
	"  -n  how many frames, in epochs of 16384 (100000)\n"
	"  -s  number of the first epoch (1): the same number is the same frames\n"
	"  -d  all tunnels are followed\n"
	"  -f  with a filter\n"
	"  -x  the core is lied to about one frame: a difference must be found\n";

int main(int argc, char **argv)
{
	static struct differ differ;
	struct seed_frame *seeds = NULL;
	size_t seed_count = 0, seed_size = 0;
	uint64_t wanted = 100000, first = 1;
	int option, err = 0;

	differ.config = program_config();
	while ((option = getopt(argc, argv, "n:s:dfx")) != -1) {
		switch (option) {
		case 'n':
			wanted = strtoull(optarg, NULL, 10);
			break;
		case 's':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'd':
			differ.config.decap = TUNNELS_ALL;
			break;
		case 'f':
			differ.config.filter[0] = (struct filter_term){
				.kind = FILTER_PORT, .port_first = 1500, .port_last = 2500,
			};
			break;
		case 'x':
			differ.lies = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind >= argc || !program_find_door(argv[optind], &differ.program.door)) {
		fputs(usage, stderr);
		return 2;
	}
	while (!err && ++optind < argc)
		err = read_seeds(argv[optind], &seeds, &seed_count, &seed_size, differ.error,
				 sizeof(differ.error));
	if (!err)
		err = differ_open(&differ, seeds, seed_count);
	if (!err)
		err = run(&differ, wanted, first);
	if (err < 0)
		fprintf(stderr, "differ: %s\n", differ.error);
	differ_close(&differ);
	free(seeds);
	return err ? 1 : 0;
}
