/* SPDX-License-Identifier: GPL-2.0-only */
/* How many instructions the verifier walks until it trusts each program: "NAME NUMBER" a line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "abi/config.h"
#include "config.h"
#include "monitor.skel.h"

/* The verifier's statistics alone; BPF_LOG_STATS of the kernel, which no header exports. */
#define LOG_STATS 4

#define STATISTICS_BYTES (64 * 1024)

/* The kernel counts since 5.16; older ones only say it in words. */
static int walked_by_words(const char *statistics, unsigned int *ret_walked)
{
	const char *processed = strstr(statistics, "processed ");

	return processed && sscanf(processed, "processed %u insns", ret_walked) == 1 ? 0 : -ENOENT;
}

static int print_walked(const struct bpf_program *program, const char *statistics)
{
	struct bpf_prog_info info = {};
	__u32 info_len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &info_len);
	unsigned int walked = err ? 0 : info.verified_insns;

	if (!walked)
		err = walked_by_words(statistics, &walked);
	if (err) {
		fprintf(stderr, "%s: %s\n", bpf_program__name(program), strerror(-err));
		return err;
	}
	printf("%s %u\n", bpf_program__name(program), walked);
	return 0;
}

int main(void)
{
	static char statistics[8][STATISTICS_BYTES];
	struct monitor_config config = config_defaults();
	struct monitor *skel = monitor__open();
	struct bpf_program *program;
	unsigned int i = 0;
	int err;

	if (!skel) {
		fprintf(stderr, "skeleton: %s\n", strerror(errno));
		return 1;
	}
	/* As it is loaded to watch, with everything a person can turn on. */
	config.filter[0].kind = FILTER_NET;
	memcpy((void *)&skel->rodata->config, &config, sizeof(config));
	bpf_object__for_each_program(program, skel->obj) {
		bpf_program__set_log_level(program, LOG_STATS);
		if (i < sizeof(statistics) / sizeof(statistics[0]))
			bpf_program__set_log_buf(program, statistics[i++], STATISTICS_BYTES);
	}
	err = monitor__load(skel);
	if (err)
		fprintf(stderr, "loading the programs: %s\n", strerror(-err));
	i = 0;
	bpf_object__for_each_program(program, skel->obj) {
		if (!err)
			err = print_walked(program, statistics[i++]);
	}
	monitor__destroy(skel);
	return err ? 1 : 0;
}
