/* SPDX-License-Identifier: GPL-2.0-only */
/* What the verifier says of each program, a line each: NAME, instructions walked, bytes translated and JITed, octets of stack. */
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "abi/config.h"
#include "config.h"
#include "attach_form.h"

/* The verifier's statistics alone; BPF_LOG_STATS of the kernel, which no header exports. */
#define LOG_STATS 4

#define PROGRAMS_MAX 8
#define STATISTICS_BYTES (256 * 1024)

static char statistics[PROGRAMS_MAX][STATISTICS_BYTES];

/* The kernel counts since 5.16; older ones only say it in words. */
static int walked_by_words(const char *words, unsigned int *ret_walked)
{
	const char *processed = strstr(words, "processed ");

	return processed && sscanf(processed, "processed %u insns", ret_walked) == 1 ? 0 : -ENOENT;
}

/* ---------------------------------------------------------------- stack */

/* Kernels to 6.7 give each function a multiple of this, and 512 to a chain of calls; later ones are milder. */
#define STACK_ROUND 32

#define FUNCTIONS_MAX 128

struct function {
	size_t start;      /* its first instruction */
	unsigned int own;  /* octets, as the verifier found */
	unsigned int deep; /* with the deepest of those it calls; 0: not reckoned yet */
};

struct translated {
	struct bpf_insn *insns; /* as the kernel has them, without what it found to be dead */
	size_t count;
	struct function functions[FUNCTIONS_MAX];
	size_t function_count;
};

/* Where a call goes, or whose address is taken to be called back; 0: neither, for nobody calls the first. */
static size_t target_of(const struct bpf_insn *insns, size_t at)
{
	const struct bpf_insn *insn = &insns[at];

	if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
		return (size_t)((ssize_t)at + 1 + insn->off);
	if (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC)
		return (size_t)((ssize_t)at + 1 + insn->imm);
	return 0;
}

static struct function *function_at(struct translated *translated, size_t start)
{
	size_t i;

	for (i = 0; i < translated->function_count; i++) {
		if (translated->functions[i].start == start)
			return &translated->functions[i];
	}
	return NULL;
}

static int read_translated(int fd, const struct bpf_prog_info *sizes, struct translated *ret_translated)
{
	struct bpf_func_info *starts = calloc(FUNCTIONS_MAX, sizeof(*starts));
	struct bpf_prog_info info = {
		.xlated_prog_len = sizes->xlated_prog_len,
		.nr_func_info = sizes->nr_func_info,
		.func_info_rec_size = sizeof(*starts),
		.func_info = (__u64)(uintptr_t)starts,
	};
	__u32 info_len = sizeof(info), i;
	int err = 0;

	ret_translated->insns = calloc(1, sizes->xlated_prog_len);
	info.xlated_prog_insns = (__u64)(uintptr_t)ret_translated->insns;
	if (!starts || !ret_translated->insns)
		err = -ENOMEM;
	else if (!sizes->nr_func_info || sizes->nr_func_info > FUNCTIONS_MAX)
		err = -E2BIG;
	else if (bpf_obj_get_info_by_fd(fd, &info, &info_len))
		err = -errno;
	ret_translated->count = info.xlated_prog_len / sizeof(struct bpf_insn);
	ret_translated->function_count = info.nr_func_info;
	for (i = 0; !err && i < info.nr_func_info; i++)
		ret_translated->functions[i] = (struct function){ .start = starts[i].insn_off };
	free(starts);
	return err;
}

/* "stack depth 208+80+0": by functions, in the order in which they lie. */
static int read_own(const char *words, struct translated *translated)
{
	const char *at = strstr(words, "stack depth ");
	size_t i;
	char *end;

	if (!at)
		return -ENOENT;
	at += strlen("stack depth ");
	for (i = 0; i < translated->function_count; i++, at = end + 1) {
		translated->functions[i].own = (unsigned int)strtoul(at, &end, 10);
		if (end == at || (*end != '+') != (i + 1 == translated->function_count))
			return -EBADMSG;
	}
	return 0;
}

/* There is no recursion: the verifier does not take it. */
static unsigned int reckon(struct translated *translated, struct function *function)
{
	int is_last = function + 1 == translated->functions + translated->function_count;
	size_t end = is_last ? translated->count : function[1].start, i;
	unsigned int deepest = 0, own = function->own ? function->own : 1, deep;
	struct function *callee;

	if (function->deep)
		return function->deep;
	for (i = function->start; i < end; i++) {
		callee = function_at(translated, target_of(translated->insns, i));
		deep = callee && callee->start ? reckon(translated, callee) : 0;
		if (deep > deepest)
			deepest = deep;
	}
	function->deep = (own + STACK_ROUND - 1) / STACK_ROUND * STACK_ROUND + deepest;
	return function->deep;
}

/* Octets of the deepest chain of calls, as Linux 6.1 reckons them wherever this runs; 0: not known. */
static unsigned int stack_of(int fd, const struct bpf_prog_info *info, const char *words)
{
	struct translated translated = {};
	unsigned int stack = 0;

	if (!read_translated(fd, info, &translated) && !read_own(words, &translated))
		stack = reckon(&translated, &translated.functions[0]);
	free(translated.insns);
	return stack;
}

/* ---------------------------------------------------------------- each program */

static int print_walked(const struct bpf_program *program, const char *words)
{
	struct bpf_prog_info info = {};
	__u32 info_len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &info_len);
	unsigned int walked = err ? 0 : info.verified_insns;

	if (!walked)
		err = walked_by_words(words, &walked);
	if (err) {
		fprintf(stderr, "%s: %s\n", bpf_program__name(program), strerror(-err));
		return err;
	}
	printf("%s %u %u %u %u\n", bpf_program__name(program), walked, info.xlated_prog_len,
	       info.jited_prog_len, stack_of(bpf_program__fd(program), &info, words));
	return 0;
}

/* Where `config` lies among the constants. */
static struct monitor_config *find_config(const struct bpf_object *object)
{
	const struct btf *btf = bpf_object__btf(object);
	__s32 section_id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = btf__type_by_id(btf, section_id);
	const struct btf_var_secinfo *variable;
	struct bpf_map *map;
	size_t size;
	char *rodata;
	int i;

	bpf_object__for_each_map(map, object) {
		if (strstr(bpf_map__name(map), ".rodata"))
			break;
	}
	rodata = map ? (char *)bpf_map__initial_value(map, &size) : NULL;
	if (!rodata || !section)
		return NULL;
	variable = btf_var_secinfos(section);
	for (i = 0; i < btf_vlen(section); i++, variable++) {
		const struct btf_type *type = btf__type_by_id(btf, variable->type);

		if (!strcmp(btf__name_by_offset(btf, type->name_off), "config"))
			return (struct monitor_config *)(rodata + variable->offset);
	}
	return NULL;
}

static struct bpf_object *open_object(const char *path, bool older)
{
	size_t size;
	const void *elf = older ? monitor_older__elf_bytes(&size) : monitor__elf_bytes(&size);

	if (path)
		return bpf_object__open_file(path, NULL);
	return bpf_object__open_mem(elf, size, NULL);
}

/* As it is loaded to watch, with everything a person can turn on. */
static int configure(struct bpf_object *object)
{
	struct monitor_config *config = find_config(object);

	if (!config)
		return -ENOENT;
	*config = config_defaults();
	config->aggregate = 1;
	config->owners = 1;
	config->filter[0].kind = FILTER_NET;
	return 0;
}

/* The first complaint the verifier ended with; its statistics come behind. */
static void explain(const char *words)
{
	const char *line = words, *next;

	for (; line && *line; line = next ? next + 1 : NULL) {
		next = strchr(line, '\n');
		fprintf(stderr, "  %.*s\n", next ? (int)(next - line) : (int)strlen(line), line);
	}
}

static int load(struct bpf_object *object)
{
	struct bpf_program *program;
	unsigned int i = 0;
	int err;

	bpf_object__for_each_program(program, object) {
		bpf_program__set_log_level(program, LOG_STATS);
		if (i < PROGRAMS_MAX)
			bpf_program__set_log_buf(program, statistics[i++], STATISTICS_BYTES);
	}
	err = bpf_object__load(object);
	if (!err)
		return 0;
	fprintf(stderr, "loading the programs: %s\n", strerror(-err));
	for (i = 0; i < PROGRAMS_MAX; i++)
		explain(statistics[i]);
	return err;
}

/* BPF_F_XDP_DEV_BOUND_ONLY, younger than the headers of libbpf 1.1. */
#define DEV_BOUND (1U << 6)

static int bind_to(struct bpf_object *object, const char *interface)
{
	unsigned int ifindex = if_nametoindex(interface);
	struct bpf_program *program;

	if (!ifindex)
		return -errno;
	bpf_object__for_each_program(program, object) {
		bpf_program__set_ifindex(program, ifindex);
		bpf_program__set_flags(program, DEV_BOUND);
	}
	return 0;
}

static const char usage[] =
	"usage: walked [-o | OBJECT [INTERFACE]]\n"
	"Loads the programs of OBJECT, or those ackmon would load here; -o: their form for old kernels.\n"
	"With INTERFACE bound to it, which is for virtual machines: a Linux 6.18 crashed on such a program.\n";

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *program;
	unsigned int i = 0;
	bool older;
	int err;

	if (argc > 3) {
		fputs(usage, stderr);
		return 2;
	}
	older = argc > 1 ? !strcmp(argv[1], "-o") : form_is_older();
	object = open_object(argc > 1 && !older ? argv[1] : NULL, older);
	if (!object) {
		fprintf(stderr, "%s: %s\n", argc > 1 ? argv[1] : "skeleton", strerror(errno));
		return 1;
	}
	err = configure(object);
	if (err)
		fprintf(stderr, "no config among the constants: %s\n", strerror(-err));
	if (!err && argc > 2) {
		err = bind_to(object, argv[2]);
		if (err)
			fprintf(stderr, "%s: %s\n", argv[2], strerror(-err));
	}
	if (!err)
		err = load(object);
	bpf_object__for_each_program(program, object) {
		if (!err)
			err = print_walked(program, statistics[i++]);
	}
	bpf_object__close(object);
	return err ? 1 : 0;
}
