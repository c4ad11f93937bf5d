/* SPDX-License-Identifier: GPL-2.0-only */
/* The tunnels that can be followed, by the words of --decap and of the record. */
#ifndef ACKMON_ABI_TUNNEL_H
#define ACKMON_ABI_TUNNEL_H

#define TUNNELS(X)                                                                             \
	X(IPIP, "ipip")           /* IPv4 in IPv4 (RFC 2003) */                                \
	X(SIT, "sit")             /* IPv6 in IPv4 (RFC 4213) */                                \
	X(4IN6, "4in6")           /* RFC 2473 */                                               \
	X(6IN6, "6in6")                                                                        \
	X(GRE, "gre")             /* RFC 2784, RFC 2890, NVGRE: RFC 7637 */                    \
	X(ERSPAN, "erspan")       /* draft-foschiano-erspan */                                 \
	X(VXLAN, "vxlan")         /* RFC 7348 */                                               \
	X(VXLAN_GPE, "vxlan-gpe") /* draft-ietf-nvo3-vxlan-gpe */                              \
	X(GENEVE, "geneve")       /* RFC 8926 */                                               \
	X(GTP_U, "gtp-u")         /* 3GPP TS 29.281 */                                         \
	X(L2TPV3, "l2tpv3")       /* RFC 3931 */                                               \
	X(TEREDO, "teredo")       /* RFC 4380 */

enum tunnel { /* at most 15: two fit into a byte */
	TUNNEL_NONE,
#define X(name, word) TUNNEL_##name,
	TUNNELS(X)
#undef X
	TUNNEL_COUNT,
};

/* Bit i of monitor_config.decap: enum tunnel i is followed. */
#define TUNNEL_BIT(tunnel) (1u << (tunnel))
#define TUNNELS_ALL ((1u << TUNNEL_COUNT) - 2)

#endif
