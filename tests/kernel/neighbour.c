/* SPDX-License-Identifier: GPL-2.0-only */
/* Somebody else's programs on an interface, by TCX, that do nothing: they have to outlive us untouched. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

/* Younger than the headers of libbpf 1.1. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

static int load(const char *name)
{
	const struct bpf_insn next[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, name, "GPL", next, 2, NULL);
}

static int hold(const char *name, int type, unsigned int ifindex)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd = load(name);

	if (fd >= 0)
		fd = bpf_link_create(fd, (int)ifindex, type, NULL);
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len))
		fd = -errno;
	if (fd < 0)
		fprintf(stderr, "%s: %s\n", name, strerror(-fd));
	else
		printf("link %u\n", info.id);
	return fd;
}

/* usage: neighbour IFACE: names its links, says "ready" and holds on until it is killed; exit 77: no TCX here */
int main(int argc, char **argv)
{
	unsigned int ifindex = argc == 2 ? if_nametoindex(argv[1]) : 0;

	if (!ifindex) {
		fprintf(stderr, "usage: neighbour IFACE\n");
		return 2;
	}
	if (hold("neighbour_in", TCX_INGRESS, ifindex) < 0 ||
	    hold("neighbour_out", TCX_EGRESS, ifindex) < 0)
		return 77;
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
