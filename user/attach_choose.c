/* SPDX-License-Identifier: GPL-2.0-only */
/* Which ways an interface is watched: as it was told to, or what costs nothing there; and the sentence that says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach_internal.h"

/* Drivers that pay for native XDP by giving something up; `auto` leaves them as they are. */
static const struct costly_driver {
	const char *driver;
	const char *cost;
} costly_drivers[] = {
	{"veth", "native XDP would switch the peer's GSO off"},
	{"virtio_net", "native XDP would switch the receive offloads off"},
};

static const char *native_cost(const struct interface *interface)
{
	for (size_t i = 0; i < sizeof(costly_drivers) / sizeof(costly_drivers[0]); i++)
		if (!strcmp(interface->driver, costly_drivers[i].driver))
			return costly_drivers[i].cost;
	return NULL;
}

/*
 * A frame on loopback leaves by egress and comes back by ingress: watched at both it would be
 * counted twice, so one of them is left alone.
 */
static int attach_loopback(struct attach *attach, struct place *place, enum hook_mode mode,
			   char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	if (mode == HOOK_NATIVE || mode == HOOK_NATIVE_VLAN)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: loopback has no native XDP; try -m skb or -m tc",
				   place->interface.name);
	if (mode != HOOK_SKB) {
		err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
		if (!err)
			snprintf(ret_note, note_size,
				 "%s: TC egress (%s) only: loopback passes each frame twice",
				 place->interface.name, attach_tc_kind(place));
		return err;
	}
	err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, XDP_MODE_SKB);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: generic XDP refused: %s; try -m tc", place->interface.name,
				   attach_explain(err));
	snprintf(ret_note, note_size,
		 "%s: generic XDP ingress only: loopback passes each frame twice",
		 place->interface.name);
	return 0;
}

static int attach_both_tc(struct attach *attach, struct place *place, const char *why,
			  char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	int err;

	err = attach_tc_start(attach, place, INGRESS, ret_error, error_size);
	if (!err)
		err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: TC ingress and egress (%s)%s%s",
			 place->interface.name, attach_tc_kind(place), why ? ": " : "", why ?: "");
	return err;
}

/* What XDP cannot see of what comes in, and who can; nothing where nobody looks at tags. */
static void say_hidden_tags(const struct interface *interface, char *ret_words, size_t size)
{
	const char *name = interface->name;

	if (!interface_takes_tags_off(interface) || !interface_has_vlans(interface))
		return;
	if (interface_xdp_tag(interface) == 1)
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m native-vlan or -m tc");
	else if (!strcmp(interface->driver, "veth")) /* whose peer leaves them off */
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m tc");
	else
		snprintf(ret_words, size, "; VLAN tags are taken off before XDP, so records of connections "
			 "that come in miss them: try -m tc or ethtool -K %s rxvlan off", name);
}

static int attach_xdp_and_tc(struct attach *attach, struct place *place, enum hook_mode mode,
			     char *ret_note, size_t note_size, char *ret_error, size_t error_size)
{
	const struct interface *interface = &place->interface;
	bool generic = mode == HOOK_SKB;
	char why[192] = "";
	int err;

	err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE);
	if (err == -EEXIST || err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "%s: XDP is taken by a program that is not ours; try -m tc",
				   interface->name);
	if (err && mode == HOOK_AUTO) {
		if (err == -EOPNOTSUPP)
			snprintf(why, sizeof(why), "driver %s has no native XDP",
				 interface->driver);
		else
			snprintf(why, sizeof(why), "native XDP refused: %s", attach_explain(err));
		return attach_both_tc(attach, place, why, ret_note, note_size, ret_error,
				      error_size);
	}
	if (err == -EOPNOTSUPP && !generic)
		return attach_fail(ret_error, error_size, err,
				   "%s: driver %s has no native XDP; try -m skb or -m tc",
				   interface->name, interface->driver);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: %s XDP refused: %s; try %s-m tc", interface->name,
				   generic ? "generic" : "native", attach_explain(err),
				   generic ? "" : "-m skb or ");
	err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (err)
		return err;
	say_hidden_tags(interface, why, sizeof(why));
	snprintf(ret_note, note_size, "%s: %s XDP ingress, TC egress (%s)%s", interface->name,
		 generic ? "generic" : "native", attach_tc_kind(place), why);
	return 0;
}

/* A driver that cannot tell tags takes the program all the same, and never says one: it is asked first. */
static int check_tag(const struct interface *interface, char *ret_error, size_t error_size)
{
	int tag = interface_xdp_tag(interface);

	if (tag < 0)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: XDP is told VLAN tags from Linux 6.8 on; try -m tc, which knows "
				   "them everywhere",
				   interface->name);
	if (!tag)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: driver %s does not tell XDP the VLAN tag it takes off; try -m tc, "
				   "or ethtool -K %s rxvlan off and -m native",
				   interface->name, interface->driver, interface->name);
	return 0;
}

static int attach_native_vlan(struct attach *attach, struct place *place, char *ret_note,
			      size_t note_size, char *ret_error, size_t error_size)
{
	const char *name = place->interface.name;
	int err;

	place->reads_tag = true;
	err = check_tag(&place->interface, ret_error, error_size);
	if (!err)
		err = attach_xdp_check_foreign(place, ret_error, error_size);
	if (err)
		return err;
	err = attach_xdp_start(attach, place, XDP_MODE_NATIVE);
	if (err == -EEXIST || err == -EBUSY)
		return attach_fail(ret_error, error_size, err,
				   "%s: XDP is taken by a program that is not ours; try -m tc", name);
	if (err == -ESRCH)
		return attach_fail(ret_error, error_size, err,
				   "%s: reading VLAN tags by XDP takes a kernel built with BTF; try -m tc",
				   name);
	if (err)
		return attach_fail(ret_error, error_size, err,
				   "%s: native XDP that reads VLAN tags refused: %s; try -m tc", name,
				   attach_explain(err));
	err = attach_tc_start(attach, place, EGRESS, ret_error, error_size);
	if (!err)
		snprintf(ret_note, note_size, "%s: native XDP ingress with VLAN tags, TC egress (%s)",
			 name, attach_tc_kind(place));
	return err;
}

int attach_choose(struct attach *attach, struct place *place, enum hook_mode mode, char *ret_note,
		  size_t note_size, char *ret_error, size_t error_size)
{
	const char *cost = native_cost(&place->interface);

	if (place->interface.is_loopback)
		return attach_loopback(attach, place, mode, ret_note, note_size, ret_error,
				       error_size);
	if (place->interface.is_raw_ip && mode != HOOK_AUTO && mode != HOOK_TC)
		return attach_fail(ret_error, error_size, -EOPNOTSUPP,
				   "%s: its frames have no Ethernet header, which XDP wants; try -m tc",
				   place->interface.name);
	if (place->interface.is_raw_ip)
		return attach_both_tc(attach, place, "frames without Ethernet header", ret_note,
				      note_size, ret_error, error_size);
	if (mode == HOOK_TC)
		return attach_both_tc(attach, place, NULL, ret_note, note_size, ret_error,
				      error_size);
	if (mode == HOOK_NATIVE_VLAN)
		return attach_native_vlan(attach, place, ret_note, note_size, ret_error, error_size);
	if (mode == HOOK_AUTO && cost)
		return attach_both_tc(attach, place, cost, ret_note, note_size, ret_error,
				      error_size);
	return attach_xdp_and_tc(attach, place, mode, ret_note, note_size, ret_error, error_size);
}
