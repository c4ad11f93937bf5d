/* SPDX-License-Identifier: GPL-2.0-only */
/* How each field of the flow record is read from a flow, and when it is not known. */
#include "record.h"

#include <arpa/inet.h>
#include <nettle/sha1.h>
#include <stdbool.h>
#include <string.h>

#include "abi/tunnel.h"
#include "cgroups.h"
#include "core/count.h"
#include "core/opener.h"
#include "core/outcome.h"
#include "format.h"
#include "labels.h"

enum { /* TCP flags as in side.flags */
	FLAG_FIN = 0x01,
	FLAG_RST = 0x04,
};

#define PROTO_TCP 6

/* Of two numbers read at different moments, the lesser may be the newer one, and be ahead. */
static uint64_t record_less(uint64_t number, uint64_t part)
{
	return number > part ? number - part : 0;
}

/* A flow that was entered just now may not have counted its first frame. */
static uint64_t record_end_ns(const struct record *record)
{
	uint64_t a = record->flow.side[0].last_ns, b = record->flow.side[1].last_ns;
	uint64_t last_ns = a > b ? a : b, start_ns = record->flow.start_ns;

	return last_ns > start_ns ? last_ns : start_ns;
}

static bool record_is_over(const struct record *record)
{
	return record->flow.close != CLOSE_OPEN;
}

/* Values */

static void value_absent(struct value *ret_value)
{
	ret_value->kind = VALUE_ABSENT;
}

static void value_number(struct value *ret_value, uint64_t number)
{
	ret_value->kind = VALUE_NUMBER;
	ret_value->number = number;
}

static void value_bool(struct value *ret_value, bool truth)
{
	ret_value->kind = VALUE_BOOL;
	ret_value->number = truth;
}

/* What is ours, and stays where it is. */
static void value_word(struct value *ret_value, const char *word)
{
	ret_value->len = (uint32_t)strlen(word);
	ret_value->kind = ret_value->len ? VALUE_WORD : VALUE_ABSENT;
	ret_value->text = word;
}

/* What was written into its room, up to here. */
static void value_written(struct value *ret_value, char *end)
{
	*end = '\0';
	ret_value->len = (uint32_t)(end - ret_value->room);
	ret_value->kind = ret_value->len ? VALUE_WORD : VALUE_ABSENT;
	ret_value->text = ret_value->room;
}

static void value_text(struct value *ret_value, const char *text)
{
	ret_value->kind = text && *text ? VALUE_TEXT : VALUE_ABSENT;
	ret_value->text = text;
}

/* The time from one moment to another; captures may have them in the wrong order. */
static void value_elapsed(struct value *ret_value, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns < from_ns) /* captured in the wrong order */
		value_absent(ret_value);
	else
		value_number(ret_value, to_ns - from_ns);
}

static void value_wall(struct value *ret_value, const struct record *record, uint64_t at_ns)
{
	value_number(ret_value, at_ns + (uint64_t)record->wall_offset_ns);
}

/* Names of the connection */

static uint64_t mix64(uint64_t state, uint64_t word)
{
	state += word + 0x9e3779b97f4a7c15ull;
	state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9ull;
	state = (state ^ state >> 27) * 0x94d049bb133111ebull;
	return state ^ state >> 31;
}

/*
 * The interface is left out: the same connection seen at two points has one id. Without the SYN the
 * monotonic start stands in for its number; the wall clock may be set between two records.
 */
uint64_t record_flow_id(const struct flow_key *key, bool has_opener_seq, uint32_t opener_seq,
			uint64_t start_ns)
{
	uint64_t words[4], state = 0;

	memcpy(words, key->addr, sizeof(words));
	for (int i = 0; i < 4; i++)
		state = mix64(state, words[i]);
	state = mix64(state, (uint64_t)ntohs(key->port_be16[0]) << 16 | ntohs(key->port_be16[1]));
	return has_opener_seq ? mix64(state, opener_seq) : mix64(~state, start_ns);
}

uint64_t record_id(const struct record *record)
{
	return record_flow_id(&record->key, opener_has_seq(&record->flow), opener_seq(&record->flow),
			      record->flow.start_ns);
}

static bool addr_is_ipv4(const struct ip_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr->bytes, mapped, sizeof(mapped));
}

/* 20 bytes are 28 characters: six triples, and two bytes that leave one "=". */
static char *base64_of_sha1(char *at, const uint8_t bytes[SHA1_DIGEST_SIZE])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (int i = 0; i < SHA1_DIGEST_SIZE; i += 3) {
		uint32_t third = i + 2 < SHA1_DIGEST_SIZE ? bytes[i + 2] : 0;
		uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | third;

		*at++ = digits[bits >> 18];
		*at++ = digits[bits >> 12 & 63];
		*at++ = digits[bits >> 6 & 63];
		*at++ = digits[bits & 63];
	}
	at[-1] = '=';
	return at;
}

/*
 * Community ID 1, seed 0: SHA-1 of seed, lower and higher address, protocol, padding, ports. The
 * key has the order it asks for.
 */
static void read_community_id(const struct record_end *end, struct value *ret_value)
{
	const struct flow_key *key = &end->record->key;
	uint8_t digest[SHA1_DIGEST_SIZE], input[2 + 2 * 16 + 2 + 2 * 2] = { 0 };
	uint8_t *at = input + 2;
	struct sha1_ctx sha1;

	if (addr_is_ipv4(&key->addr[0])) {
		memcpy(at, key->addr[0].bytes + 12, 4);
		memcpy(at + 4, key->addr[1].bytes + 12, 4);
		at += 8;
	} else {
		memcpy(at, key->addr, 32);
		at += 32;
	}
	*at = PROTO_TCP;
	at += 2;
	memcpy(at, key->port_be16, sizeof(key->port_be16));
	at += sizeof(key->port_be16);

	sha1_init(&sha1);
	sha1_update(&sha1, (size_t)(at - input), input);
	sha1_digest(&sha1, sizeof(digest), digest);
	memcpy(ret_value->room, "1:", 2);
	value_written(ret_value, base64_of_sha1(ret_value->room + 2, digest));
}

static void read_id(const struct record_end *end, struct value *ret_value)
{
	value_written(ret_value, format_hex64(ret_value->room, record_id(end->record)));
}

static void read_addr(const struct record_end *end, struct value *ret_value)
{
	value_written(ret_value, format_addr(ret_value->room, &end->record->key.addr[end->index]));
}

static void read_port(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, ntohs(end->record->key.port_be16[end->index]));
}

/* What became of it */

const char *record_state(const struct record *record)
{
	uint8_t one = record->flow.side[0].flags, other = record->flow.side[1].flags;

	if ((one | other) & FLAG_RST || one & other & FLAG_FIN)
		return "closed";
	if ((one | other) & FLAG_FIN)
		return "closing";
	if (outcome_is_established(&record->flow))
		return "established";
	return record->flow.has_synack ? "syn_received" : "syn_sent";
}

const char *record_outcome(const struct record *record)
{
	static const char *const names[OUTCOME_COUNT] = {
		[OUTCOME_UNKNOWN] = "",
		[OUTCOME_ESTABLISHED] = "established",
		[OUTCOME_REFUSED] = "refused",
		[OUTCOME_RESET] = "reset",
		[OUTCOME_NO_ANSWER] = "no_answer",
		[OUTCOME_UNREACHABLE] = "unreachable",
		[OUTCOME_ABANDONED] = "abandoned",
		[OUTCOME_MIDSTREAM] = "midstream",
	};

	return names[outcome_of(&record->flow, record_is_over(record))];
}

const char *record_close(const struct record *record)
{
	static const char *const names[] = {
		[CLOSE_OPEN] = "open",
		[CLOSE_FIN] = "fin",
		[CLOSE_RST] = "rst",
		[CLOSE_IDLE] = "idle",
		[CLOSE_REUSED] = "reused",
		[CLOSE_EVICTED] = "evicted",
		[CLOSE_END_OF_CAPTURE] = "end_of_capture",
	};

	return record->flow.close < sizeof(names) / sizeof(*names) ? names[record->flow.close] : "";
}

static void read_state(const struct record_end *end, struct value *ret_value)
{
	value_word(ret_value, record_state(end->record));
}

static void read_outcome(const struct record_end *end, struct value *ret_value)
{
	value_word(ret_value, record_outcome(end->record));
}

static void read_close(const struct record_end *end, struct value *ret_value)
{
	value_word(ret_value, record_close(end->record));
}

/* Fields of the flow */

static void read_version(const struct record_end *end, struct value *ret_value)
{
	(void)end;
	value_number(ret_value, RECORD_VERSION);
}

static void read_iface(const struct record_end *end, struct value *ret_value)
{
	value_text(ret_value, end->record->iface);
}

static void read_netns(const struct record_end *end, struct value *ret_value)
{
	value_text(ret_value, end->record->netns);
}

static void read_also_ifaces(const struct record_end *end, struct value *ret_value)
{
	value_text(ret_value, end->record->also_ifaces);
}

static void read_vlan(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->flow.vlan);
	if (!ret_value->number)
		value_absent(ret_value);
}

static const char *const tunnel_words[TUNNEL_COUNT] = {
	[TUNNEL_NONE] = "",
#define X(name, word) [TUNNEL_##name] = word,
	TUNNELS(X)
#undef X
};

static const char *tunnel_word(uint8_t tunnel)
{
	return tunnel < TUNNEL_COUNT ? tunnel_words[tunnel] : "";
}

/* The outer one first: gre/vxlan. */
static void read_tunnel(const struct record_end *end, struct value *ret_value)
{
	uint8_t tunnel = end->record->flow.tunnel, outer = tunnel >> 4, inner = tunnel & 15;
	char *at = format_text(ret_value->room, tunnel_word(outer));

	if (outer)
		*at++ = '/';
	value_written(ret_value, format_text(at, tunnel_word(inner)));
}

static void read_tunnel_id(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->flow.tunnel_id);
	if (!ret_value->number)
		value_absent(ret_value);
}

static void read_icmp(const struct record_end *end, struct value *ret_value)
{
	static const char *const words[ICMP_COUNT] = {
		[ICMP_NONE] = "",
#define X(name, word) [ICMP_##name] = word,
		ICMP_REASONS(X)
#undef X
	};
	uint8_t icmp = end->record->flow.icmp;

	value_word(ret_value, icmp < ICMP_COUNT ? words[icmp] : "");
}

static void read_role(const struct record_end *end, struct value *ret_value)
{
	value_word(ret_value, end->record->flow.role == ROLE_GUESSED ? "guessed" : "seen");
}

static void read_start(const struct record_end *end, struct value *ret_value)
{
	value_wall(ret_value, end->record, end->record->flow.start_ns);
}

static void read_end(const struct record_end *end, struct value *ret_value)
{
	value_wall(ret_value, end->record, record_end_ns(end->record));
}

static void read_duration(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, record_end_ns(end->record) - end->record->flow.start_ns);
}

static void read_connect(const struct record_end *end, struct value *ret_value)
{
	const struct flow *flow = &end->record->flow;

	if (flow->has_syn && flow->has_synack)
		value_elapsed(ret_value, flow->syn_ns, flow->synack_ns);
	else
		value_absent(ret_value);
}

static void read_responder_handshake(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->flow.responder_handshake_ns);
	if (!end->record->flow.has_responder_handshake)
		value_absent(ret_value);
}

static void read_opener_handshake(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->flow.opener_handshake_ns);
	if (!end->record->flow.has_opener_handshake)
		value_absent(ret_value);
}

static void read_syn_retrans(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->rare[end->record->flow.opener & 1].syn_retrans);
}

static void read_synack_retrans(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->record->rare[!(end->record->flow.opener & 1)].syn_retrans);
}

static void read_approximate(const struct record_end *end, struct value *ret_value)
{
	const struct side *side = end->record->flow.side;
	const struct rare *rare = end->record->rare;

	value_bool(ret_value, rare[0].holes_dropped || rare[1].holes_dropped ||
				      ((side[0].bits | side[1].bits) & SIDE_RARE_REFUSED));
}

/* Fields of an end */

static void read_segments(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, count_segments(&end->record->flow, end->index));
}

static void read_frames(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, count_frames(&end->record->flow, end->index));
}

static void read_unique(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, record_less(end->side->payload_bytes, end->rare->again_bytes));
}

/* A window that is still closed was closed up to the last packet. */
static void read_zero_window(const struct record_end *end, struct value *ret_value)
{
	uint64_t since_ns = end->rare->zero_window_since_ns, end_ns = record_end_ns(end->record);

	value_number(ret_value, end->rare->zero_window_ns);
	if (since_ns && end_ns > since_ns)
		ret_value->number += end_ns - since_ns;
}

static void value_rtt(struct value *ret_value, const struct side *side, uint64_t rtt_ns)
{
	if (side->rtt_samples)
		value_number(ret_value, rtt_ns);
	else
		value_absent(ret_value);
}

static void read_rtt_min(const struct record_end *end, struct value *ret_value)
{
	value_rtt(ret_value, end->side, end->side->rtt_min_ns);
}

static void read_rtt_mean(const struct record_end *end, struct value *ret_value)
{
	uint32_t samples = end->side->rtt_samples;

	value_rtt(ret_value, end->side, samples ? end->side->rtt_sum_ns / samples : 0);
}

static void read_rtt_max(const struct record_end *end, struct value *ret_value)
{
	value_rtt(ret_value, end->side, end->side->rtt_max_ns);
}

static void read_mss(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->side->mss);
	if (!end->side->mss)
		value_absent(ret_value);
}

static void read_wscale(const struct record_end *end, struct value *ret_value)
{
	value_number(ret_value, end->side->wscale);
	if (!(end->side->bits & SIDE_WSCALE))
		value_absent(ret_value);
}

static void value_percentile(const struct side *side, uint64_t ns, struct value *ret_value)
{
	if (side->bits & SIDE_QUANTILES)
		value_number(ret_value, ns);
	else
		value_absent(ret_value);
}

static void read_rtt_p50(const struct record_end *end, struct value *ret_value)
{
	value_percentile(end->side, end->side->rtt_p50_ns, ret_value);
}

static void read_rtt_p95(const struct record_end *end, struct value *ret_value)
{
	value_percentile(end->side, end->side->rtt_p95_ns, ret_value);
}

static void read_response(const struct record_end *end, struct value *ret_value)
{
	const struct flow *flow = &end->record->flow;

	if (flow->has_response)
		value_number(ret_value, flow->response_ns);
	else
		value_absent(ret_value);
}

/* Needless when it passed, and needless as the other end said later. */
static void read_spurious(const struct record_end *end, struct value *ret_value)
{
	const struct rare *other = &end->record->rare[!end->index];

	value_number(ret_value, (uint64_t)end->rare->spurious + other->dsack_spurious);
}

static bool record_counts_by_ecn_flags(const struct record *record)
{
	return (record->flow.side[0].bits | record->flow.side[1].bits) & SIDE_ACCECN;
}

/* With accurate ECN the flags are a counter's digits (RFC 9768): that they are set says nothing. */
static void value_ecn_flag(const struct record_end *end, uint32_t count, struct value *ret_value)
{
	value_number(ret_value, count);
	if (record_counts_by_ecn_flags(end->record))
		value_absent(ret_value);
}

static void read_ecn_ece(const struct record_end *end, struct value *ret_value)
{
	value_ecn_flag(end, end->rare->ecn_ece, ret_value);
}

static void read_ecn_cwr(const struct record_end *end, struct value *ret_value)
{
	value_ecn_flag(end, end->rare->ecn_cwr, ret_value);
}

/* The flags ever seen, lowest bit first: FIN SYN RST PSH ACK URG ECE CWR. */
static void read_flags(const struct record_end *end, struct value *ret_value)
{
	char *at = ret_value->room;

	for (unsigned int flags = end->side->flags; flags; flags &= flags - 1)
		*at++ = "FSRPAUEC"[__builtin_ctz(flags)];
	value_written(ret_value, at);
}

/* Labels */

static const struct label *end_label(const struct record_end *end)
{
	const struct record *record = end->record;

	return record->labels ? labels_find(record->labels, &record->key.addr[end->index],
					    ntohs(record->key.port_be16[end->index])) :
				NULL;
}

static const struct label_group *end_group(const struct record_end *end)
{
	const struct label *label = end_label(end);

	return label ? labels_group(end->record->labels, label->group) : NULL;
}

static void read_name(const struct record_end *end, struct value *ret_value)
{
	const struct label *label = end_label(end);
	const char *cgroup = end->record->cgroup[end->index];
	value_text(ret_value, label ? label->name : NULL);
	if (ret_value->kind != VALUE_ABSENT || !cgroup)
		return;
	_Static_assert(CGROUP_NAME_MAX <= VALUE_ROOM, "names of cgroups have room");
	cgroup_name(cgroup, ret_value->room);
	value_text(ret_value, ret_value->room);
}

static void read_namespace(const struct record_end *end, struct value *ret_value)
{
	const struct label_group *group = end_group(end);
	const char *cgroup = end->record->cgroup[end->index];

	value_text(ret_value, group ? group->namespace : NULL);
	if (ret_value->kind != VALUE_ABSENT || !cgroup)
		return;
	_Static_assert(CGROUP_NAMESPACE_MAX <= VALUE_ROOM, "so have their namespaces");
	cgroup_namespace(cgroup, ret_value->room);
	value_text(ret_value, ret_value->room);
}

static void read_region(const struct record_end *end, struct value *ret_value)
{
	const struct label_group *group = end_group(end);

	value_text(ret_value, group ? group->region : NULL);
}

static const struct transit *end_transit(const struct record_end *end)
{
	return &end->record->transit[end->index];
}

static void value_transit(const struct record_end *end, struct value *ret_value, uint64_t number)
{
	if (end_transit(end)->samples)
		value_number(ret_value, number);
	else
		value_absent(ret_value);
}

static void read_transit_samples(const struct record_end *end, struct value *ret_value)
{
	value_transit(end, ret_value, end_transit(end)->samples);
}

static void read_transit_min(const struct record_end *end, struct value *ret_value)
{
	value_transit(end, ret_value, end_transit(end)->min_ns);
}

static void read_transit_mean(const struct record_end *end, struct value *ret_value)
{
	uint64_t samples = end_transit(end)->samples;

	value_transit(end, ret_value, samples ? end_transit(end)->sum_ns / samples : 0);
}

static void read_transit_max(const struct record_end *end, struct value *ret_value)
{
	value_transit(end, ret_value, end_transit(end)->max_ns);
}

static void read_cgroup(const struct record_end *end, struct value *ret_value)
{
	value_text(ret_value, end->record->cgroup[end->index]);
}

static void read_external(const struct record_end *end, struct value *ret_value)
{
	const struct label_group *group = end_group(end);

	value_bool(ret_value, group && group->external);
	if (!group)
		value_absent(ret_value);
}

/* The table */

/* No reader, but a place in struct side. */
#define SIDE_NUMBER(member)                                                                   \
	NULL, .offset = offsetof(struct side, member), .width = sizeof(((struct side *)0)->member)

#define RARE_NUMBER(member)                                                                   \
	NULL, .is_rare = 1, .offset = offsetof(struct rare, member), .width = sizeof(((struct rare *)0)->member)

#define END_FIELD(end, name, ...)                                                             \
	{ end "_" name, .of_responder = end[0] == 'r', .read = __VA_ARGS__ }

/* 0 unless something went wrong: see end_is_quiet(). */
#define QUIET_FIELD(end, name, ...)                                                           \
	END_FIELD(end, name, __VA_ARGS__, .quiet = end[0] == 'r' ? QUIET_RESPONDER : QUIET_OPENER)

#define HOST_FIELD(end, name, ...) END_FIELD(end, name, __VA_ARGS__, .quiet = QUIET_HOST)

#define END_FIELDS(end)                                                                 \
	END_FIELD(end, "segments", read_segments),                                      \
	END_FIELD(end, "frames", read_frames),                                          \
	END_FIELD(end, "wire_bytes", SIDE_NUMBER(wire_bytes)),                          \
	END_FIELD(end, "payload_bytes", SIDE_NUMBER(payload_bytes)),                    \
	END_FIELD(end, "unique_bytes", read_unique),                      \
	QUIET_FIELD(end, "retransmitted_segments", RARE_NUMBER(retransmitted_segments)),\
	QUIET_FIELD(end, "retransmitted_bytes", RARE_NUMBER(retransmitted_bytes)),      \
	QUIET_FIELD(end, "fin_retrans", RARE_NUMBER(fin_retrans)),                      \
	QUIET_FIELD(end, "fast", RARE_NUMBER(fast)),                                    \
	QUIET_FIELD(end, "rto", RARE_NUMBER(rto)),                                      \
	QUIET_FIELD(end, "probe", RARE_NUMBER(probe)),                                  \
	QUIET_FIELD(end, "spurious", read_spurious),                                    \
	QUIET_FIELD(end, "recovered_segments", RARE_NUMBER(recovered_segments)),        \
	QUIET_FIELD(end, "recovered_bytes", RARE_NUMBER(recovered_bytes)),              \
	QUIET_FIELD(end, "reordered", RARE_NUMBER(reordered)),                          \
	QUIET_FIELD(end, "late", RARE_NUMBER(late)),                                    \
	QUIET_FIELD(end, "unresolved", RARE_NUMBER(unresolved)),                        \
	QUIET_FIELD(end, "copies", RARE_NUMBER(copies)),                                \
	QUIET_FIELD(end, "gap_bytes", RARE_NUMBER(gap_bytes)),                          \
	QUIET_FIELD(end, "holes_dropped", RARE_NUMBER(holes_dropped)),                  \
	QUIET_FIELD(end, "keepalives", RARE_NUMBER(keepalives)),                        \
	QUIET_FIELD(end, "window_probes", RARE_NUMBER(window_probes)),                  \
	QUIET_FIELD(end, "zero_windows", RARE_NUMBER(zero_windows)),                    \
	QUIET_FIELD(end, "zero_window_ns", read_zero_window),                           \
	QUIET_FIELD(end, "dup_acks", SIDE_NUMBER(dup_acks)),                            \
	QUIET_FIELD(end, "sacks", RARE_NUMBER(sacks)),                                  \
	QUIET_FIELD(end, "dsacks", RARE_NUMBER(dsacks)),                                \
	QUIET_FIELD(end, "window_full", RARE_NUMBER(window_full)),                      \
	QUIET_FIELD(end, "ecn_ce", RARE_NUMBER(ecn_ce)),                                \
	QUIET_FIELD(end, "ecn_ece", read_ecn_ece),                                      \
	QUIET_FIELD(end, "ecn_cwr", read_ecn_cwr),                                      \
	QUIET_FIELD(end, "suspects", RARE_NUMBER(suspects)),                            \
	QUIET_FIELD(end, "ttl_changes", RARE_NUMBER(ttl_changes)),                      \
	END_FIELD(end, "rtt_samples", SIDE_NUMBER(rtt_samples)),                        \
	END_FIELD(end, "rtt_min_ns", read_rtt_min),                                     \
	END_FIELD(end, "rtt_mean_ns", read_rtt_mean),                                   \
	END_FIELD(end, "rtt_max_ns", read_rtt_max),                                     \
	END_FIELD(end, "rtt_p50_ns", read_rtt_p50),                                     \
	END_FIELD(end, "rtt_p95_ns", read_rtt_p95),                                     \
	END_FIELD(end, "mss", read_mss),                                                \
	END_FIELD(end, "wscale", read_wscale),                                          \
	END_FIELD(end, "flags", read_flags)

#define END_LABELS(end)                                                                 \
	HOST_FIELD(end, "name", read_name),                                             \
	HOST_FIELD(end, "namespace", read_namespace),                                   \
	HOST_FIELD(end, "region", read_region),                                         \
	HOST_FIELD(end, "external", read_external),                                     \
	HOST_FIELD(end, "cgroup", read_cgroup),                                         \
	HOST_FIELD(end, "transit_samples", read_transit_samples),                       \
	HOST_FIELD(end, "transit_min_ns", read_transit_min),                            \
	HOST_FIELD(end, "transit_mean_ns", read_transit_mean),                          \
	HOST_FIELD(end, "transit_max_ns", read_transit_max)

static const struct record_field fields[] = {
	{ "v", .read = read_version },
	{ "id", .read = read_id },
	{ "community_id", .read = read_community_id },
	{ "iface", .read = read_iface },
	{ "netns", .read = read_netns, .quiet = QUIET_PLACE },
	{ "also_ifaces", .read = read_also_ifaces, .quiet = QUIET_PLACE },
	{ "vlan", .read = read_vlan, .quiet = QUIET_PLACE },
	{ "tunnel", .read = read_tunnel, .quiet = QUIET_PLACE },
	{ "tunnel_id", .read = read_tunnel_id, .quiet = QUIET_PLACE },
	{ "role", .read = read_role },
	END_FIELD("opener", "addr", read_addr),
	END_FIELD("opener", "port", read_port),
	END_FIELD("responder", "addr", read_addr),
	END_FIELD("responder", "port", read_port),
	{ "start_ns", .read = read_start },
	{ "end_ns", .read = read_end },
	{ "duration_ns", .read = read_duration },
	{ "state", .read = read_state },
	{ "close", .read = read_close },
	{ "outcome", .read = read_outcome },
	{ "icmp", .read = read_icmp },
	{ "connect_ns", .read = read_connect },
	{ "responder_handshake_ns", .read = read_responder_handshake },
	{ "opener_handshake_ns", .read = read_opener_handshake },
	{ "response_ns", .read = read_response },
	{ "syn_retrans", .read = read_syn_retrans },
	{ "synack_retrans", .read = read_synack_retrans },
	{ "approximate", .read = read_approximate },
	END_FIELDS("opener"),
	END_FIELDS("responder"),
	END_LABELS("opener"),
	END_LABELS("responder"),
};

#define FIELD_COUNT (sizeof(fields) / sizeof(*fields))

const struct record_field *record_fields(size_t *ret_count)
{
	*ret_count = FIELD_COUNT;
	return fields;
}

const struct record_field *record_field(const char *name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	}
	return NULL;
}

/*
 * struct rare is what the quiet fields are read from, and little else: that it is all zeros is asked in one go.
 */
static bool end_is_quiet(const struct record *record, uint32_t index)
{
	uint64_t words[sizeof(struct rare) / sizeof(uint64_t)];
	const struct side *side = &record->flow.side[index];
	uint64_t any = side->dup_acks | record->rare[!index].dsack_spurious | record_counts_by_ecn_flags(record);

	_Static_assert(sizeof(struct rare) == sizeof(words), "struct rare is whole words");
	memcpy(words, &record->rare[index], sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		any |= words[i];
	return !any;
}

uint32_t record_quiet(const struct record *record)
{
	const struct flow *flow = &record->flow;
	uint32_t opener = flow->opener & 1, quiet = 0;

	if (end_is_quiet(record, opener))
		quiet |= 1 << QUIET_OPENER;
	if (end_is_quiet(record, !opener))
		quiet |= 1 << QUIET_RESPONDER;
	if (!record->netns && !record->also_ifaces && !flow->vlan && !flow->tunnel && !flow->tunnel_id)
		quiet |= 1 << QUIET_PLACE;
	if (!record->labels && !record->cgroup[0] && !record->cgroup[1] && !record->transit[0].samples &&
	    !record->transit[1].samples)
		quiet |= 1 << QUIET_HOST;
	return quiet;
}

static struct record_end record_end_of(const struct record *record, uint8_t of_responder)
{
	uint8_t index = (record->flow.opener & 1) ^ of_responder;

	return (struct record_end){record, &record->flow.side[index], &record->rare[index], index};
}

void record_ends(const struct record *record, struct record_end ret_ends[2])
{
	ret_ends[0] = record_end_of(record, 0);
	ret_ends[1] = record_end_of(record, 1);
}

void record_read(const struct record *record, const struct record_field *field,
		 struct value *ret_value)
{
	struct record_end end = record_end_of(record, field->of_responder);

	if (field->read)
		field->read(&end, ret_value);
	else
		value_number(ret_value, record_number(&end, field));
}
