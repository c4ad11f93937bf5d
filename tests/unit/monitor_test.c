/* SPDX-License-Identifier: GPL-2.0-only */
/* The hall with arrays for a host: where each frame is counted, and what full rooms do. */
#include "core.h"

#include "core/monitor.h"

/* ------------------------------------------------------------------ the host */

struct room_entry {
	int is_used;
	struct flow_key key;
	struct half_open entry; /* in the first room */
	struct flow flow;	/* in the second */
	struct holes holes[2];
	struct histogram histograms[2];
	struct rare rares[2];
	int has_holes[2], has_histogram[2], has_rare[2];
};

#define ROOM_MAX 8

static struct room_entry half_open[ROOM_MAX], proven[ROOM_MAX];
static struct half_open_work work;
static size_t half_open_room, proven_room; /* how many entries each takes */
static int holes_room;			   /* how many hole lists there may be */
static int histogram_room, rare_room;
static int mail_is_full;

static struct monitor_config config;
static uint64_t counters[COUNTER_COUNT];
static struct flow_whole posted[ROOM_MAX];
static int posted_count;
static int notices[EVENT_ZERO_WINDOW + 1];

static const volatile struct monitor_config *host_config(void)
{
	return &config;
}

static int host_parse_hops(const struct frame *frame, struct packet *pkt, int hop)
{
	return parse_hops(frame, pkt, hop);
}

static void host_count(__u8 door, enum counter counter)
{
	assert_int_equal(door, DOOR_CAPTURE);
	counters[counter]++;
}

static struct room_entry *entry_in(struct room_entry *room, const struct flow_key *key)
{
	size_t i;

	for (i = 0; i < ROOM_MAX; i++) {
		if (room[i].is_used && !memcmp(&room[i].key, key, sizeof(*key)))
			return &room[i];
	}
	return NULL;
}

static struct room_entry *take_place(struct room_entry *room, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (!room[i].is_used)
			return &room[i];
	}
	return NULL;
}

static struct flow *host_find_flow(const struct flow_key *key)
{
	struct room_entry *entry = entry_in(proven, key);

	return entry ? &entry->flow : NULL;
}

static struct flow *host_seek_flow(const struct flow_key *key)
{
	return host_find_flow(key);
}

static enum room_answer host_enter_flow(const struct flow_key *key, const struct flow *flow)
{
	struct room_entry *entry = take_place(proven, proven_room);

	if (entry_in(proven, key))
		return ROOM_KNOWN;
	if (!entry)
		return ROOM_FULL;
	*entry = (struct room_entry){.is_used = 1, .key = *key, .flow = *flow};
	return ROOM_TAKEN;
}

static int was_faster; /* another CPU, which takes what this one is about to */

static struct flow_whole *host_take_flow(__u8 door, const struct flow_key *key, struct flow *flow)
{
	struct room_entry *entry = entry_in(proven, key);

	(void)door;
	assert_ptr_equal(&entry->flow, flow);
	work.whole = (struct flow_whole){*flow, {entry->rares[0], entry->rares[1]}};
	return was_faster ? NULL : &work.whole;
}

static void host_close_flow(const struct flow_key *key, struct flow_whole *whole)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(whole, &work.whole);
	holes_room += entry->has_holes[0] + entry->has_holes[1];
	rare_room += entry->has_rare[0] + entry->has_rare[1];
	entry->is_used = 0;
}

/* Stands for a CPU that does its work between two looks of this one. */
static void (*meanwhile)(const struct flow_key *key);

static struct half_open *host_find_half_open(const struct flow_key *key)
{
	struct room_entry *entry = entry_in(half_open, key);

	if (meanwhile)
		meanwhile(key);
	return entry ? &entry->entry : NULL;
}

static enum room_answer host_enter_half_open(__u8 door, const struct flow_key *key,
					     const struct half_open *wanted)
{
	struct room_entry *entry = take_place(half_open, half_open_room);

	(void)door;
	if (entry_in(half_open, key))
		return ROOM_KNOWN;
	if (!entry)
		return ROOM_FULL;
	*entry = (struct room_entry){.is_used = 1, .key = *key, .entry = *wanted};
	return ROOM_TAKEN;
}

static int noted_closed; /* how often */

static void host_note_closed(const struct flow_key *key)
{
	(void)key;
	noted_closed++;
}

static int host_close_half_open(const struct flow_key *key, const struct half_open *closed)
{
	struct room_entry *entry = entry_in(half_open, key);

	(void)closed;
	if (!entry || was_faster)
		return -1;
	entry->is_used = 0;
	return 0;
}

static int is_claimed; /* by another interface */

static int host_claim(const struct packet *pkt)
{
	(void)pkt;
	return is_claimed;
}

static struct half_open_work *host_half_open_work(__u8 door)
{
	(void)door;
	return &work;
}

static struct holes *host_find_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	return entry->has_holes[direction] ? &entry->holes[direction] : NULL;
}

static struct holes *host_open_holes(const struct flow_key *key, const struct flow *flow,
				     __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	if (!holes_room)
		return NULL;
	holes_room--;
	entry->has_holes[direction] = 1;
	return &entry->holes[direction];
}

static struct rare *host_find_rare(const struct flow_key *key, const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	return entry->has_rare[direction] ? &entry->rares[direction] : NULL;
}

static struct rare *host_open_rare(const struct flow_key *key, const struct flow *flow, __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	if (!rare_room)
		return NULL;
	rare_room--;
	entry->has_rare[direction] = 1;
	return &entry->rares[direction];
}

static struct histogram *host_find_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	return entry->has_histogram[direction] ? &entry->histograms[direction] : NULL;
}

static struct histogram *host_open_histogram(const struct flow_key *key, const struct flow *flow,
					     __u32 direction)
{
	struct room_entry *entry = entry_in(proven, key);

	assert_ptr_equal(&entry->flow, flow);
	if (!histogram_room)
		return NULL;
	entry->has_histogram[direction] = 1;
	return &entry->histograms[direction];
}

static int host_take_samples(const struct flow_key *key, struct flow *flow, __u32 direction,
			     const __u16 buckets[RTT_WAITING], int opens)
{
	struct histogram *histogram = host_find_histogram(key, flow, direction);

	if (!histogram && opens)
		histogram = host_open_histogram(key, flow, direction);
	if (!histogram)
		return opens ? -1 : 0;
	histogram_take(histogram, buckets, RTT_WAITING);
	return 1;
}

/* Groups are the last byte of an address, pairs come in order, and there is room for two of them. */
static __u8 generation;
static struct pair_key pair_keys[PAIR_FIRST + 2];
static struct pair_counters pair_counters[PAIR_FIRST + 2];
static struct chunk pair_buckets[PAIR_FIRST + 2][PAIR_PLACES];
static uint32_t pair_count, group_shift;

static __u8 host_label_generation(void)
{
	return generation;
}

static __u32 host_group(const struct flow_key *key, struct flow *flow, __u32 end)
{
	(void)flow;
	return key->addr[end].bytes[15] + group_shift;
}

static __u32 host_pair(__u32 opener_group, __u32 responder_group)
{
	struct pair_key key = {opener_group, responder_group};
	uint32_t i;

	for (i = PAIR_FIRST; i < pair_count; i++) {
		if (!memcmp(&pair_keys[i], &key, sizeof(key)))
			return i;
	}
	if (i == PAIR_FIRST + 2)
		return PAIR_OTHER;
	pair_keys[i] = key;
	return pair_count++;
}

static struct pair_counters *host_pair_counters(__u32 pair)
{
	return &pair_counters[pair];
}

/* A chunk's number is its place behind those of PAIR_OTHER. */
static __u32 host_pair_chunk(__u32 pair, __u32 place)
{
	return CHUNK_OTHER + (pair - PAIR_OTHER) * PAIR_PLACES + place;
}

static struct chunk *host_chunk(__u32 chunk)
{
	return &pair_buckets[PAIR_OTHER][chunk - CHUNK_OTHER];
}

static int host_post_flow(const struct flow_key *key, const struct flow_whole *whole)
{
	(void)key;
	if (mail_is_full)
		return -1;
	posted[posted_count++] = *whole;
	return 0;
}

static int host_post_notice(enum event_type type, const struct flow *flow, const struct packet *pkt)
{
	(void)flow;
	(void)pkt;
	if (mail_is_full)
		return -1;
	notices[type]++;
	return 0;
}

/* ------------------------------------------------------------------ what tests say */

static int open_house(void **state)
{
	(void)state;
	memset(half_open, 0, sizeof(half_open));
	memset(proven, 0, sizeof(proven));
	memset(counters, 0, sizeof(counters));
	memset(posted, 0, sizeof(posted));
	memset(notices, 0, sizeof(notices));
	meanwhile = NULL;
	half_open_room = proven_room = ROOM_MAX;
	holes_room = ROOM_MAX;
	histogram_room = 1;
	rare_room = ROOM_MAX;
	mail_is_full = was_faster = posted_count = 0;
	memset(pair_counters, 0, sizeof(pair_counters));
	memset(pair_buckets, 0, sizeof(pair_buckets));
	pair_count = PAIR_FIRST;
	generation = 1;
	group_shift = 0;
	is_claimed = 0;
	config = (struct monitor_config){
		.idle_timeout_ns = 100 * S,
		.half_open_timeout_ns = 30 * S,
		.closed_timeout_ns = 5 * S,
	};
	return 0;
}

#define hall_test(name) cmocka_unit_test_setup(name, open_house)

static void pass_frame(const struct frame *frame)
{
	static struct packet pkt;

	monitor_frame(frame, &pkt);
}

static void pass_segment(const struct segment *segment)
{
	__u8 buffer[FRAME_MAX];
	struct frame frame = segment_frame(segment, buffer);

	pass_frame(&frame);
}

#define pass(end, ...) pass_segment(&a_segment(end, __VA_ARGS__))

/* Opens the connection of this client port, which begins at start_us. */
static void connect_port(__u16 port, __u64 start_us)
{
	pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(start_us));
	pass(SERVER, .client_port = port, seq(4999), ack(1000), flags(SYN_ACK),
	     at_us(start_us + 100));
	pass(CLIENT, .client_port = port, seq(1000), ack(5000), at_us(start_us + 150));
}

static struct room_entry *in_room(struct room_entry *room, __u16 port)
{
	struct segment any = {.client_port = port};
	struct flow_key key = segment_key(&any);

	return entry_in(room, &key);
}

static __u64 unique_bytes_in(struct room_entry *room, __u16 port, enum end from)
{
	const struct room_entry *entry = in_room(room, port);

	return entry->flow.side[from].payload_bytes - entry->rares[from].again_bytes;
}

/* The flow that an entry of the first room stands for. */
static const struct flow *half_open_flow(__u16 port)
{
	struct room_entry *entry = in_room(half_open, port);

	work.key = entry->key;
	work.entry = entry->entry;
	half_open_expand(&work);
	return &work.flow;
}

static uint64_t reasons(void)
{
	uint64_t sum = 0;
	int i;

	for (i = FRAMES_TRACKED + 1; i <= COUNTER_REASONS_LAST; i++)
		sum += counters[i];
	return sum;
}

/* ------------------------------------------------------------------ rooms */

static void a_syn_opens_a_flow_in_the_half_open_room(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	assert_non_null(in_room(half_open, 1));
	assert_int_equal(counters[COUNTER_flows_opened], 1);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
}

static void a_completed_handshake_moves_to_the_flow_table(void **state)
{
	(void)state;
	connect_port(1, 10);
	assert_null(in_room(half_open, 1));
	assert_non_null(in_room(proven, 1));
	assert_int_equal(counters[COUNTER_flows_promoted], 1);
}

static void what_was_learned_moves_along(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(in_room(proven, 1)->flow.responder_handshake_ns, 100 * US);
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 100);
}

static void a_flood_of_syns_never_enters_the_flow_table(void **state)
{
	__u16 port;

	(void)state;
	for (port = 1; port <= 100; port++)
		pass(CLIENT, .client_port = port, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
	assert_int_equal(counters[COUNTER_frames_no_room], 100 - ROOM_MAX);
}

static void without_room_a_new_flow_is_counted_and_nothing_else(void **state)
{
	(void)state;
	half_open_room = 0;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	assert_int_equal(counters[COUNTER_frames_no_room], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 0);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void a_full_flow_table_refuses_once_and_shows_the_opening(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_EVICTED);
	assert_int_equal(posted[0].flow.opener_handshake_ns, 50 * US);
}

static void frames_of_a_refused_flow_are_counted_and_open_nothing(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(100), at_ms(2));
	assert_int_equal(counters[COUNTER_frames_refused], 2);
	assert_int_equal(counters[FRAMES_TRACKED], 3);
	assert_int_equal(counters[COUNTER_flows_opened], 1);
	assert_null(in_room(proven, 1));
}

static void a_new_syn_may_try_again_where_a_flow_was_refused(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(1));
	assert_int_equal(counters[COUNTER_flows_opened], 2);
	assert_int_equal(half_open_flow(1)->syn_ns, 1 * S);
}

static void a_refused_flow_that_fell_silent_is_forgotten(void **state)
{
	(void)state;
	proven_room = 0;
	connect_port(1, 10);
	proven_room = 1;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(40));
	assert_int_equal(counters[COUNTER_frames_refused], 0);
	assert_int_equal(counters[COUNTER_flows_opened], 2);
}

static void what_does_not_fit_the_first_room_enters_the_second_early(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), bytes(10), at_us(10));
	pass(SERVER, .client_port = 1, seq(4999), ack(1010), flags(SYN_ACK), at_us(20));
	assert_int_equal(counters[COUNTER_flows_early], 1);
	assert_false(in_room(proven, 1)->flow.proven);
	pass(CLIENT, .client_port = 1, seq(1010), ack(5000), at_us(30));
	assert_true(in_room(proven, 1)->flow.proven);
	assert_int_equal(counters[COUNTER_flows_promoted], 0);
}

static void two_sack_blocks_are_a_flow_at_once(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), two_sacks(6000, 6100, 7000, 7100),
	     at_us(10));
	assert_int_equal(counters[COUNTER_flows_early], 1);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].sacks, 2);
}

static void what_fits_neither_room_is_refused_with_its_record(void **state)
{
	(void)state;
	proven_room = 0;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), two_sacks(6000, 6100, 7000, 7100),
	     at_us(10));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
	assert_int_equal(posted[0].flow.side[CLIENT].frames, 1);
}

/* Opened is what is somewhere now: nothing is counted twice, nothing is lost. */
static void every_opened_flow_is_accounted_for(void **state)
{
	size_t i, present = 0;

	(void)state;
	proven_room = 2;
	connect_port(1, 10);
	connect_port(2, 20);
	connect_port(3, 30);
	pass(CLIENT, .client_port = 4, seq(999), flags(TCP_SYN), at_us(40));
	pass(CLIENT, .client_port = 5, seq(999), flags(TCP_SYN), at_us(40));
	pass(CLIENT, .client_port = 5, seq(70000), flags(TCP_SYN), at_us(50));
	for (i = 0; i < ROOM_MAX; i++)
		present += half_open[i].is_used &&
			   half_open[i].entry.kind != HALF_OPEN_REFUSED;
	assert_int_equal(counters[COUNTER_flows_opened],
			 counters[COUNTER_flows_promoted] + counters[COUNTER_flows_early] +
				 counters[COUNTER_flows_refused] +
				 counters[COUNTER_half_open_ended] + present);
	assert_int_equal(present, 2);
}

static void promote_meanwhile(const struct flow_key *key)
{
	meanwhile = NULL;
	work.flow = (struct flow){.start_ns = 1};
	host_enter_flow(key, &work.flow);
}

/* Its first room is empty already, and a moment ago the second one was. */
static void a_flow_promoted_by_another_cpu_is_found(void **state)
{
	(void)state;
	meanwhile = promote_meanwhile;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_null(in_room(half_open, 1));
	assert_int_equal(in_room(proven, 1)->flow.side[CLIENT].frames, 1);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void open_meanwhile(const struct flow_key *key)
{
	struct segment syn = a_segment(CLIENT, seq(999), flags(TCP_SYN), at_us(10));
	struct packet pkt = segment_packet(&syn);
	struct half_open entry;

	meanwhile = NULL;
	half_open_begin(&entry, &pkt);
	host_enter_half_open(DOOR_CAPTURE, key, &entry);
}

static void a_connection_opened_by_another_cpu_is_found(void **state)
{
	(void)state;
	meanwhile = open_meanwhile;
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_us(110));
	assert_int_equal(half_open_flow(1)->responder_handshake_ns, 100 * US);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
}

static void a_full_flow_table_forgets_nobody(void **state)
{
	(void)state;
	proven_room = 1;
	connect_port(1, 10);
	connect_port(2, 20);
	assert_non_null(in_room(proven, 1));
	assert_null(in_room(proven, 2));
	assert_int_equal(counters[COUNTER_flows_refused], 1);
}

static void tuples_do_not_mix(void **state)
{
	(void)state;
	connect_port(1, 10);
	connect_port(2, 20);
	pass(CLIENT, .client_port = 2, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 0);
	assert_int_equal(unique_bytes_in(proven, 2, CLIENT), 100);
}

/* ------------------------------------------------------------------ the end of flows */

static void the_host_is_told_when_both_ends_have_sent_fin(void **state)
{
	(void)state;
	connect_port(1, 10);
	noted_closed = 0;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(TCP_FIN | TCP_ACK), at_ms(1));
	assert_int_equal(noted_closed, 0);
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), flags(TCP_FIN | TCP_ACK), at_ms(2));
	assert_int_equal(noted_closed, 1);
}

static void the_host_is_told_of_a_reset(void **state)
{
	(void)state;
	connect_port(1, 10);
	noted_closed = 0;
	pass(CLIENT, .client_port = 1, seq(1000), flags(TCP_RST), at_ms(1));
	assert_int_equal(noted_closed, 1);
}

static void another_syn_ends_the_flow_as_reused(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), flags(FIN_ACK), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1001), flags(FIN_ACK), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(3));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
	assert_int_equal(counters[COUNTER_flows_ended], 1);
	assert_int_equal(half_open_flow(1)->syn_ns, 3 * MS);
}

/* RFC 5961, 4: the responder answers with a challenge ACK, and nobody has lost a connection. */
static void a_forged_syn_does_not_cut_a_live_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(2));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), at_ms(3));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(4));
	assert_int_equal(posted_count, 0);
	assert_int_equal(unique_bytes_in(proven, 1, CLIENT), 200);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].suspects, 0);
	assert_int_equal(half_open_flow(1)->syn_ns, 2 * MS); /* it has a record of its own */
}

static void its_syn_ack_cuts_a_live_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_ms(1002));
	assert_int_equal(posted_count, 0);
	pass(SERVER, .client_port = 1, seq(90000), ack(70001), flags(SYN_ACK), at_ms(1003));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
	pass(CLIENT, .client_port = 1, seq(70001), ack(90001), at_ms(1004));
	assert_int_equal(in_room(proven, 1)->flow.syn_ns, 2 * MS);
	assert_int_equal(in_room(proven, 1)->flow.synack_ns, 1003 * MS);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].syn_retrans, 1);
	assert_int_equal(in_room(proven, 1)->flow.is_established, 1);
}

static void after_a_minute_of_silence_a_syn_is_believed(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(61));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
}

static void a_frame_after_long_silence_opens_another_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(200));
	assert_int_equal(posted_count, 1);
	assert_int_equal(posted[0].flow.close, CLOSE_IDLE);
	assert_int_equal(half_open_flow(1)->role, ROLE_GUESSED);
}

static void a_straggler_of_a_reset_flow_stays_with_it(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), flags(RST_ACK), at_s(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_s(2));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_flows_opened], 1);
}

static void a_half_open_flow_that_ends_is_counted_as_half_open(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(2));
	assert_int_equal(counters[COUNTER_half_open_ended], 1);
	assert_int_equal(counters[COUNTER_flows_ended], 0);
	assert_int_equal(posted[0].flow.close, CLOSE_REUSED);
}

static void what_another_cpu_ends_is_posted_there_alone(void **state)
{
	(void)state;
	connect_port(1, 10);
	was_faster = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_flows_ended], 0);
}

static void what_another_cpu_ends_in_the_first_room_is_posted_there_alone(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	was_faster = 1;
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(2));
	assert_int_equal(posted_count, 0);
	assert_int_equal(counters[COUNTER_half_open_ended], 0);
}

static void mail_that_found_no_room_is_counted(void **state)
{
	(void)state;
	mail_is_full = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(counters[COUNTER_events_lost], 1);
	assert_int_equal(counters[COUNTER_flows_opened], 2);
}

/* ------------------------------------------------------------------ notices */

static void nobody_asked_for_notices(void **state)
{
	(void)state;
	connect_port(1, 10);
	assert_int_equal(notices[EVENT_OPENED], 0);
}

static void a_proven_flow_is_noticed_once(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(notices[EVENT_OPENED], 1);
	assert_int_equal(notices[EVENT_SEGMENT], 0);
}

static void a_repeat_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(300));
	assert_int_equal(notices[EVENT_SEGMENT], 1);
}

static void a_refusal_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	pass(SERVER, .client_port = 1, seq(0), ack(1000), flags(RST_ACK), at_us(90));
	assert_int_equal(notices[EVENT_REFUSED], 1);
}

static void a_window_that_closes_is_noticed(void **state)
{
	(void)state;
	config.events = 1;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(0), at_ms(1));
	assert_int_equal(notices[EVENT_ZERO_WINDOW], 1);
}

/* ------------------------------------------------------------------ what is rare */

static void an_orderly_flow_owns_no_rare_counts(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(100), at_ms(2));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5100), flags(FIN_ACK), at_ms(3));
	assert_int_equal(rare_room, ROOM_MAX);
}

/* Kept in the first room, entered with the flow, added to in the table, and gone with its record. */
static void rare_counts_go_with_their_flow(void **state)
{
	(void)state;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(0));
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(1000));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_ms(1100));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_ms(1101));
	assert_true(in_room(proven, 1)->has_rare[CLIENT]);
	assert_false(in_room(proven, 1)->has_rare[SERVER]);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1102));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1500));
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].retransmitted_segments, 2);
	pass(CLIENT, .client_port = 1, seq(999999), flags(TCP_SYN), at_s(200));
	assert_int_equal(posted[0].rare[CLIENT].retransmitted_segments, 2);
	assert_int_equal(posted[0].rare[CLIENT].syn_retrans, 1);
	assert_int_equal(rare_room, ROOM_MAX);
}

static void rare_counts_without_room_are_counted_and_the_flow_says_so(void **state)
{
	(void)state;
	rare_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(300));
	assert_int_equal(counters[COUNTER_rares_refused], 1);
	assert_true(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE_REFUSED);
	assert_false(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE);
}

static void rare_counts_that_find_no_room_as_the_flow_enters_are_counted_too(void **state)
{
	(void)state;
	rare_room = 0;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(0));
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_ms(1000));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_ms(1100));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_ms(1101));
	assert_int_equal(counters[COUNTER_rares_refused], 1);
	assert_true(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE_REFUSED);
	assert_false(in_room(proven, 1)->flow.side[CLIENT].bits & SIDE_RARE);
}

/* ------------------------------------------------------------------ holes */

static void an_orderly_flow_owns_no_hole_list(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(2));
	assert_int_equal(holes_room, ROOM_MAX);
}

static void a_hole_opens_a_list_for_its_direction_only(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1300), ack(5000), bytes(100), at_ms(2));
	assert_true(in_room(proven, 1)->has_holes[CLIENT]);
	assert_false(in_room(proven, 1)->has_holes[SERVER]);
	assert_int_equal(holes_room, ROOM_MAX - 1);
}

static void a_hole_list_without_room_is_counted_and_the_flow_says_so(void **state)
{
	(void)state;
	holes_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_holes_refused], 1);
	assert_int_equal(in_room(proven, 1)->rares[CLIENT].holes_dropped, 1);
	assert_int_equal(counters[FRAMES_TRACKED], 4);
}

static void the_hole_list_goes_with_its_flow(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1100), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(70000), flags(TCP_SYN), at_s(200));
	assert_int_equal(holes_room, ROOM_MAX);
}

/* ------------------------------------------------------------------ counters */

static void every_frame_is_tracked_or_has_a_reason(void **state)
{
	__u8 buffer[FRAME_MAX];
	struct segment data = a_segment(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	struct frame frame = segment_frame(&data, buffer);
	const __u8 *cut;

	(void)state;
	for (cut = buffer; cut <= buffer + 14 + 40; cut++) {
		frame.end = cut;
		pass_frame(&frame);
	}
	assert_int_equal(counters[FRAMES_SEEN], 14 + 40 + 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
	assert_int_equal(counters[COUNTER_frames_truncated], 14 + 40);
	assert_int_equal(counters[FRAMES_TRACKED] + reasons(), counters[FRAMES_SEEN]);
}

/* From a router on the way: the SYN with this number could not be delivered. */
static void pass_icmp(__u32 syn_seq)
{
	__u8 syn_buffer[FRAME_MAX], buffer[FRAME_MAX];
	struct segment syn = a_segment(CLIENT, seq(syn_seq), flags(TCP_SYN), at_ms(2));
	struct frame frame = segment_frame(&syn, syn_buffer);
	const __u32 quote_len = 20 + 8;

	memcpy(buffer, syn_buffer, 14 + 20);
	buffer[14 + 2] = 0;
	buffer[14 + 3] = (__u8)(20 + 8 + quote_len);
	buffer[14 + 9] = 1;
	memset(buffer + 34, 0, 8);
	buffer[34] = 3;
	buffer[35] = 13;
	memcpy(buffer + 42, syn_buffer + 14, quote_len);
	frame.data = buffer;
	frame.end = buffer + 42 + quote_len;
	frame.wire_bytes = 42 + quote_len;
	pass_frame(&frame);
}

static void an_icmp_error_says_why_a_syn_has_no_answer(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(0));
	pass_icmp(1234); /* of another connection, or a guess */
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 1);
	assert_int_equal(counters[COUNTER_unreachables], 0);
	assert_int_equal(half_open[0].entry.icmp, ICMP_NONE);
	pass_icmp(999);
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 2);
	assert_int_equal(counters[COUNTER_unreachables], 1);
	assert_int_equal(half_open[0].entry.icmp, ICMP_ADMIN);
	assert_int_equal(counters[FRAMES_TRACKED] + reasons(), counters[FRAMES_SEEN]);
}

static void an_icmp_error_about_an_answered_syn_is_too_late(void **state)
{
	(void)state;
	pass(CLIENT, seq(999), flags(TCP_SYN), at_ms(0));
	pass(SERVER, seq(4999), ack(1000), flags(TCP_SYN | TCP_ACK), at_ms(1));
	pass_icmp(999);
	assert_int_equal(counters[COUNTER_frames_icmp_errors], 1);
	assert_int_equal(counters[COUNTER_unreachables], 0);
}

static void a_first_fragment_is_tracked_and_noted(void **state)
{
	__u8 buffer[FRAME_MAX];
	struct segment data = a_segment(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	struct frame frame = segment_frame(&data, buffer);

	(void)state;
	buffer[14 + 6] = 0x20;
	pass_frame(&frame);
	assert_int_equal(counters[COUNTER_frames_first_fragments], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 1);
}

static void a_suspect_segment_is_counted(void **state)
{
	(void)state;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(0x90000000u), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(counters[COUNTER_segments_suspect], 1);
	assert_int_equal(counters[FRAMES_TRACKED], 4);
}

static void a_frame_older_than_its_flow_is_counted(void **state)
{
	(void)state;
	connect_port(1, 1000);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_us(900));
	assert_int_equal(counters[COUNTER_times_backwards], 1);
}

/* ------------------------------------------------------------------ the filter */

static void ask_for_port(int term, __u16 first, __u16 last)
{
	config.filter[term] = (struct filter_term){
		.kind = FILTER_PORT,
		.port_first = first,
		.port_last = last,
	};
}

static void ask_for_net(int term, __u32 addr, __u32 prefix_len)
{
	struct filter_term *net = &config.filter[term];

	*net = (struct filter_term){.kind = FILTER_NET, .addr = ipv4_addr(addr)};
	memset(net->mask.bytes, 0xff, 12);
	net->mask.words_be32[3] = __builtin_bswap32(~0u << (32 - prefix_len));
	net->addr.words_be32[3] &= net->mask.words_be32[3];
}

static int is_selected(void)
{
	uint64_t before = counters[FRAMES_TRACKED];

	pass(CLIENT, seq(1000), ack(5000), bytes(100), at_ms(1));
	return counters[FRAMES_TRACKED] != before;
}

static void no_filter_selects_everything(void **state)
{
	(void)state;
	assert_true(is_selected());
}

static void a_filtered_frame_is_counted_as_such(void **state)
{
	(void)state;
	ask_for_port(0, 443, 443);
	assert_false(is_selected());
	assert_int_equal(counters[COUNTER_frames_filtered], 1);
	assert_int_equal(counters[COUNTER_flows_opened], 0);
}

static void a_port_of_either_end_selects(void **state)
{
	(void)state;
	ask_for_port(0, SERVER_PORT, SERVER_PORT);
	assert_true(is_selected());
	ask_for_port(0, CLIENT_PORT, CLIENT_PORT);
	assert_true(is_selected());
}

static void a_range_of_ports_includes_both_its_ends(void **state)
{
	(void)state;
	ask_for_port(0, 70, 80);
	assert_true(is_selected());
	ask_for_port(0, 80, 90);
	assert_true(is_selected());
	ask_for_port(0, 81, 90);
	assert_false(is_selected());
}

static void a_net_of_either_end_selects(void **state)
{
	(void)state;
	ask_for_net(0, SERVER_ADDR, 32);
	assert_true(is_selected());
	ask_for_net(0, CLIENT_ADDR, 8);
	assert_true(is_selected());
	ask_for_net(0, 0xc0a80000, 16); /* 192.168/16 */
	assert_false(is_selected());
}

static void versions_select(void **state)
{
	(void)state;
	config.filter[0].kind = FILTER_IP4;
	assert_true(is_selected());
	config.filter[0].kind = FILTER_IP6;
	assert_false(is_selected());
}

static void all_terms_must_match(void **state)
{
	(void)state;
	ask_for_net(0, CLIENT_ADDR, 32);
	ask_for_port(1, SERVER_PORT, SERVER_PORT);
	assert_true(is_selected());
	ask_for_port(2, 443, 443);
	assert_false(is_selected());
}

static void four_terms_fit(void **state)
{
	(void)state;
	ask_for_net(0, CLIENT_ADDR, 32);
	ask_for_net(1, SERVER_ADDR, 32);
	config.filter[2].kind = FILTER_IP4;
	ask_for_port(3, 443, 443);
	assert_false(is_selected());
}

/* ------------------------------------------------------------------ pairs of labels */

static uint64_t samples(uint32_t pair, enum pair_histogram histogram)
{
	uint64_t sum = 0;

	for (int place = 0; place < PAIR_CHUNKS; place++)
		for (int i = 0; i < CHUNK_BUCKETS; i++)
			sum += pair_buckets[pair][histogram * PAIR_CHUNKS + place].count[i];
	return sum;
}

static uint64_t samples_at(uint32_t pair, enum pair_histogram histogram, uint64_t ns)
{
	uint32_t bucket = histogram_fine_bucket(ns);

	return pair_buckets[pair][histogram * PAIR_CHUNKS + bucket / CHUNK_BUCKETS]
		.count[bucket % CHUNK_BUCKETS];
}

static void an_opening_counts_in_its_pair_when_it_is_complete(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_us(10));
	pass(SERVER, .client_port = 1, seq(4999), ack(1000), flags(SYN_ACK), at_us(110));
	assert_int_equal(pair_count, PAIR_FIRST);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), at_us(160));
	assert_int_equal(pair_keys[PAIR_FIRST].opener, 1);
	assert_int_equal(pair_keys[PAIR_FIRST].responder, 2);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair->segments, 3);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_CONNECT, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_HANDSHAKE_RESPONDER, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_HANDSHAKE_OPENER, 50 * US), 1);
	assert_int_equal(pair->sum_ns[PAIR_CONNECT], 100 * US);
	/* The SYN-ACK and the ACK are the first round trips to each end, and came before the pair was known. */
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_RESPONDER, 100 * US), 1);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_OPENER, 50 * US), 1);
}

static void each_packet_counts_once_in_its_pair(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(SERVER, .client_port = 1, seq(5000), ack(1100), bytes(500), at_ms(3));
	assert_int_equal(pair->segments, 5);
	assert_int_equal(pair->payload_bytes, 600);
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RTT_RESPONDER, 2 * MS), 1);
	/* 2 ms less the 100 us of the shortest way there and back. */
	assert_int_equal(samples_at(PAIR_FIRST, PAIR_RESPONSE, 1900 * US), 1);
	assert_int_equal(samples(PAIR_FIRST, PAIR_RESPONSE), 1);
	pass(SERVER, .client_port = 1, seq(5500), ack(1100), bytes(500), at_ms(4));
	assert_int_equal(samples(PAIR_FIRST, PAIR_RESPONSE), 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
}

static void what_was_sent_again_counts_by_its_cause(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(900));
	assert_int_equal(pair->retransmitted[CAUSE_RTO], 1);
	assert_int_equal(pair->retransmitted[CAUSE_FAST], 0);
}

static void a_window_that_opens_again_counts_how_long_it_was_closed(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(0), at_ms(10));
	assert_int_equal(pair->zero_window_ns, 0);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), window(100), at_ms(30));
	assert_int_equal(pair->zero_window_ns, 20 * MS);
}

static void what_never_opened_counts_when_it_leaves(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	pass(CLIENT, .client_port = 1, seq(999), flags(TCP_SYN), at_s(1));
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(50));
	assert_int_equal(pair->outcomes[OUTCOME_NO_ANSWER], 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 0);
	assert_int_equal(pair->segments, 1);
}

static void what_opened_counts_no_second_time_when_it_leaves(void **state)
{
	struct pair_counters *pair = &pair_counters[PAIR_FIRST];

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(500));
	assert_int_equal(counters[COUNTER_flows_ended], 1);
	assert_int_equal(pair->outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair->segments, 3);
}

static void a_flow_the_full_table_refused_counts_too(void **state)
{
	(void)state;
	config.aggregate = 1;
	proven_room = 0;
	connect_port(1, 10);
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1)); /* counted as refused */
	assert_int_equal(pair_counters[PAIR_FIRST].outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(pair_counters[PAIR_FIRST].segments, 3);
	assert_int_equal(samples(PAIR_FIRST, PAIR_CONNECT), 1);
}

static struct pair_counters sum_of_pairs(void)
{
	struct pair_counters sum = {};

	for (uint32_t pair = PAIR_FIRST; pair < pair_count; pair++) {
		sum.segments += pair_counters[pair].segments;
		sum.payload_bytes += pair_counters[pair].payload_bytes;
		sum.outcomes[OUTCOME_ESTABLISHED] += pair_counters[pair].outcomes[OUTCOME_ESTABLISHED];
	}
	return sum;
}

/* A question each minute; who looks each hour finds sixty more, whatever the labels are called by then. */
static void a_flow_open_for_a_day_is_in_every_hour_and_never_twice(void **state)
{
	struct pair_counters now, before;
	uint32_t minute;

	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	before = sum_of_pairs();
	assert_int_equal(before.outcomes[OUTCOME_ESTABLISHED], 1);
	for (minute = 1; minute <= 24 * 60; minute++) {
		pass(CLIENT, .client_port = 1, seq(1000 + 100 * (minute - 1)), ack(5000), bytes(100),
		     at_s(60ull * minute));
		if (minute % 60)
			continue;
		now = sum_of_pairs();
		assert_int_equal(now.segments - before.segments, 60);
		assert_int_equal(now.payload_bytes - before.payload_bytes, 6000);
		before = now;
		if (minute == 5 * 60 || minute == 17 * 60) { /* new labels; the first two pairs come again */
			generation++;
			group_shift = group_shift ? 0 : 10;
		}
	}
	assert_int_equal(pair_count, PAIR_FIRST + 2);
	pass(SERVER, .client_port = 1, seq(5000), ack(1000), flags(RST_ACK), at_s(60ull * minute));
	pass(CLIENT, .client_port = 1, seq(70000999), flags(TCP_SYN), at_s(60ull * minute + 30));
	assert_int_equal(posted_count, 1);
	now = sum_of_pairs();
	assert_int_equal(now.segments, 3 + 24 * 60 + 1);
	assert_int_equal(now.outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(samples(PAIR_FIRST, PAIR_CONNECT) + samples(PAIR_FIRST + 1, PAIR_CONNECT), 1);
}

static void new_labels_move_a_flow_and_count_nothing_twice(void **state)
{
	(void)state;
	config.aggregate = 1;
	connect_port(1, 10);
	generation = 2;
	group_shift = 10;
	pass(CLIENT, .client_port = 1, seq(1000), ack(5000), bytes(100), at_ms(1));
	assert_int_equal(pair_counters[PAIR_FIRST].segments, 3);
	assert_int_equal(pair_counters[PAIR_FIRST].payload_bytes, 0);
	assert_int_equal(pair_keys[PAIR_FIRST + 1].opener, 11);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].segments, 1);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].payload_bytes, 100);
	assert_int_equal(pair_counters[PAIR_FIRST + 1].outcomes[OUTCOME_ESTABLISHED], 0);
}

static void pairs_without_room_are_the_other_one(void **state)
{
	(void)state;
	config.aggregate = 1;
	pair_count = PAIR_FIRST + 2;
	memset(pair_keys, 0xff, sizeof(pair_keys));
	connect_port(1, 10);
	assert_int_equal(pair_counters[PAIR_OTHER].outcomes[OUTCOME_ESTABLISHED], 1);
	assert_int_equal(samples(PAIR_OTHER, PAIR_CONNECT), 1);
}

static void a_flow_that_another_interface_claimed_counts_nowhere(void **state)
{
	(void)state;
	config.aggregate = 1;
	is_claimed = 1;
	connect_port(1, 10);
	assert_int_equal(counters[COUNTER_flows_promoted], 1);
	assert_int_equal(pair_count, PAIR_FIRST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		hall_test(a_syn_opens_a_flow_in_the_half_open_room),
		hall_test(a_completed_handshake_moves_to_the_flow_table),
		hall_test(what_was_learned_moves_along),
		hall_test(a_flood_of_syns_never_enters_the_flow_table),
		hall_test(without_room_a_new_flow_is_counted_and_nothing_else),
		hall_test(a_full_flow_table_refuses_once_and_shows_the_opening),
		hall_test(frames_of_a_refused_flow_are_counted_and_open_nothing),
		hall_test(a_new_syn_may_try_again_where_a_flow_was_refused),
		hall_test(a_refused_flow_that_fell_silent_is_forgotten),
		hall_test(what_does_not_fit_the_first_room_enters_the_second_early),
		hall_test(two_sack_blocks_are_a_flow_at_once),
		hall_test(what_fits_neither_room_is_refused_with_its_record),
		hall_test(every_opened_flow_is_accounted_for),
		hall_test(a_flow_promoted_by_another_cpu_is_found),
		hall_test(a_connection_opened_by_another_cpu_is_found),
		hall_test(a_full_flow_table_forgets_nobody),
		hall_test(tuples_do_not_mix),
		hall_test(the_host_is_told_when_both_ends_have_sent_fin),
		hall_test(the_host_is_told_of_a_reset),
		hall_test(another_syn_ends_the_flow_as_reused),
		hall_test(a_forged_syn_does_not_cut_a_live_flow),
		hall_test(its_syn_ack_cuts_a_live_flow),
		hall_test(after_a_minute_of_silence_a_syn_is_believed),
		hall_test(a_frame_after_long_silence_opens_another_flow),
		hall_test(a_straggler_of_a_reset_flow_stays_with_it),
		hall_test(a_half_open_flow_that_ends_is_counted_as_half_open),
		hall_test(what_another_cpu_ends_is_posted_there_alone),
		hall_test(what_another_cpu_ends_in_the_first_room_is_posted_there_alone),
		hall_test(mail_that_found_no_room_is_counted),
		hall_test(nobody_asked_for_notices),
		hall_test(a_proven_flow_is_noticed_once),
		hall_test(a_repeat_is_noticed),
		hall_test(a_refusal_is_noticed),
		hall_test(a_window_that_closes_is_noticed),
		hall_test(an_orderly_flow_owns_no_rare_counts),
		hall_test(rare_counts_go_with_their_flow),
		hall_test(rare_counts_without_room_are_counted_and_the_flow_says_so),
		hall_test(rare_counts_that_find_no_room_as_the_flow_enters_are_counted_too),
		hall_test(an_orderly_flow_owns_no_hole_list),
		hall_test(a_hole_opens_a_list_for_its_direction_only),
		hall_test(a_hole_list_without_room_is_counted_and_the_flow_says_so),
		hall_test(the_hole_list_goes_with_its_flow),
		hall_test(every_frame_is_tracked_or_has_a_reason),
		hall_test(an_icmp_error_says_why_a_syn_has_no_answer),
		hall_test(an_icmp_error_about_an_answered_syn_is_too_late),
		hall_test(a_first_fragment_is_tracked_and_noted),
		hall_test(a_suspect_segment_is_counted),
		hall_test(a_frame_older_than_its_flow_is_counted),
		hall_test(no_filter_selects_everything),
		hall_test(a_filtered_frame_is_counted_as_such),
		hall_test(a_port_of_either_end_selects),
		hall_test(a_range_of_ports_includes_both_its_ends),
		hall_test(a_net_of_either_end_selects),
		hall_test(versions_select),
		hall_test(all_terms_must_match),
		hall_test(four_terms_fit),
		hall_test(an_opening_counts_in_its_pair_when_it_is_complete),
		hall_test(each_packet_counts_once_in_its_pair),
		hall_test(what_was_sent_again_counts_by_its_cause),
		hall_test(a_window_that_opens_again_counts_how_long_it_was_closed),
		hall_test(what_never_opened_counts_when_it_leaves),
		hall_test(what_opened_counts_no_second_time_when_it_leaves),
		hall_test(a_flow_the_full_table_refused_counts_too),
		hall_test(a_flow_open_for_a_day_is_in_every_hour_and_never_twice),
		hall_test(new_labels_move_a_flow_and_count_nothing_twice),
		hall_test(pairs_without_room_are_the_other_one),
		hall_test(a_flow_that_another_interface_claimed_counts_nowhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
