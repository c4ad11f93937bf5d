/* SPDX-License-Identifier: GPL-2.0-only */
/* An XDP program of somebody else, outside of any dispatcher: it lets all pass. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int neighbour_xdp(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
