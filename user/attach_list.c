/* SPDX-License-Identifier: GPL-2.0-only */
/* ackmon -D: the interfaces, what XDP they can do, and the programs already on them. */
#include <bpf/bpf.h>
#include <linux/pkt_sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "attach_internal.h"

#define TC_FILTERS_MAX 64
#define TCX_PROGRAMS_MAX 64

static const struct tcx_hook {
	const char *name;
	int type;
} tcx_hooks[] = {
	{"tcx-ingress", BPF_TCX_INGRESS_TYPE},
	{"tcx-egress", BPF_TCX_EGRESS_TYPE},
};

/* Programs as "name(id)", joined by commas; "-" when there are none. */
struct program_list {
	char text[160];
	size_t len;
};

static void list_program(struct program_list *list, const char *how, uint32_t id)
{
	char name[BPF_OBJ_NAME_LEN] = "?";

	if (!id)
		return;
	attach_program_name(id, name);
	if (list->len < sizeof(list->text))
		list->len += snprintf(list->text + list->len, sizeof(list->text) - list->len,
				      "%s%s %s(%u)", list->len ? ", " : "", how, name, id);
}

static void list_xdp_programs(const struct interface *interface, struct program_list *list)
{
	struct bpf_xdp_query_opts query = {.sz = sizeof(query)};

	if (bpf_xdp_query(interface->ifindex, 0, &query))
		return;
	list_program(list, "xdp-native", query.drv_prog_id);
	list_program(list, "xdp-skb", query.skb_prog_id);
	list_program(list, "xdp-hw", query.hw_prog_id);
}

static void list_tcx_programs(const struct interface *interface, struct program_list *list)
{
	for (size_t hook = 0; hook < sizeof(tcx_hooks) / sizeof(tcx_hooks[0]); hook++) {
		__u32 ids[TCX_PROGRAMS_MAX] = {}, count = TCX_PROGRAMS_MAX;

		if (bpf_prog_query(interface->ifindex, tcx_hooks[hook].type, 0, NULL, ids, &count))
			continue; /* no TCX before Linux 6.6 */
		for (__u32 i = 0; i < count && i < TCX_PROGRAMS_MAX; i++)
			list_program(list, tcx_hooks[hook].name, ids[i]);
	}
}

static void list_filters(const struct interface *interface, struct program_list *list)
{
	struct tc_filter filters[TC_FILTERS_MAX];
	size_t count;

	if (interface_tc_filters(interface, filters, TC_FILTERS_MAX, &count))
		return;
	for (size_t i = 0; i < count && i < TC_FILTERS_MAX; i++)
		list_program(list,
			     TC_H_MIN(filters[i].parent) == TC_H_MIN_INGRESS ? "tc-ingress"
									     : "tc-egress",
			     filters[i].prog_id);
}

static const char *xdp_modes(const struct interface *interface)
{
	int native;

	if (!interface->is_ethernet)
		return "-";
	native = interface_native_xdp(interface);
	if (native < 0)
		return "skb,?";
	if (native && interface_xdp_tag(interface) == 1)
		return "native,native-vlan,skb";
	return native ? "native,skb" : "skb";
}

static void print_interface(const struct interface *interface)
{
	struct program_list list = {.text = "-"};
	char speed[16] = "-";

	list_xdp_programs(interface, &list);
	list_tcx_programs(interface, &list);
	list_filters(interface, &list);
	if (interface->speed_mbit)
		snprintf(speed, sizeof(speed), "%uM", interface->speed_mbit);
	printf("%-15s  %-5s  %6u  %7s  %-14s  %-22s  %s\n", interface->name,
	       interface->is_up ? "up" : "down", interface->mtu, speed, interface->driver,
	       xdp_modes(interface), list.text);
}

int attach_list(void)
{
	struct interface *interfaces;
	size_t count;
	int err;

	attach_listen_to_libraries();
	err = interfaces_list(&interfaces, &count);
	if (err)
		return err;
	printf("%-15s  %-5s  %6s  %7s  %-14s  %-22s  %s\n", "INTERFACE", "STATE", "MTU", "SPEED",
	       "DRIVER", "XDP", "PROGRAMS");
	for (size_t i = 0; i < count; i++)
		print_interface(&interfaces[i]);
	free(interfaces);
	return 0;
}
