/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding, checksums, cleaning and building of packets. What two receivers could read differently
 * must be refused (I02, I03, I09 to I14 of the threat table); packets are built by engine_rig.h,
 * which shares no code with src/packet.
 */
#include "engine_rig.h"

#include "packet/build.h"
#include "packet/checksum.h"
#include "packet/decode.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct rig_end a4 = {.ip = "198.18.0.2", .port = 40000},
			    b4 = {.ip = "198.18.0.3", .port = 80};
static const struct rig_end a6 = {.ip = "fd00:18::2", .port = 40000},
			    b6 = {.ip = "fd00:18::3", .port = 80};

static uint8_t packet[70000];
static size_t n_packet;

static enum packet_status decode(struct packet *p)
{
	/* At the end of a block of its own size, so that a sanitizer sees every byte read too far.
	 */
	static uint8_t *copy;
	free(copy);
	copy = malloc(n_packet ? n_packet : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, packet, n_packet);
	return packet_decode(bytes_of(copy, n_packet), p);
}

static void segment(bool v6, const struct rig_segment *s)
{
	n_packet = rig_tcp(packet, v6 ? &a6 : &a4, v6 ? &b6 : &b4, s);
}

static const struct rig_segment plain = {
	.flags = TCP_ACK | TCP_PSH, .seq = 7, .ack = 9, .data = "hello", .n = 5, .window = 512};

static void mend_ipv4(void)
{
	rig_put(packet + 10, 0, 2);
	rig_put(packet + 10, (uint16_t)~rig_sum(0, packet, 20), 2);
}

START_TEST(reads_a_segment)
{
	struct packet p;
	segment(_i, &plain);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert_uint_eq(p.ip_version, _i ? 6 : 4);
	ck_assert_int_eq(ip_addr_is_v4(&p.src), !_i);
	ck_assert_uint_eq(p.src_port, 40000);
	ck_assert_uint_eq(p.dst_port, 80);
	ck_assert_uint_eq(p.seq, 7);
	ck_assert_uint_eq(p.ack, 9);
	ck_assert_uint_eq(p.window, 512);
	ck_assert(bytes_is(p.data, "hello"));
	ck_assert_uint_eq(p.data_at, n_packet - 5);
	ck_assert(packet_checksum_ok(&p));
}
END_TEST

START_TEST(reads_a_datagram)
{
	struct packet p;
	n_packet = rig_udp(packet, _i ? &a6 : &a4, _i ? &b6 : &b4, bytes_str("query"));
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(bytes_is(p.data, "query"));
	ck_assert(packet_checksum_ok(&p));
	packet[n_packet - 1] ^= 1;
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(!packet_checksum_ok(&p));
}
END_TEST

/* I13: none over IPv4 means none; IPv6 knows no such thing. */
START_TEST(a_datagram_without_checksum)
{
	struct packet p;
	n_packet = rig_udp(packet, _i ? &a6 : &a4, _i ? &b6 : &b4, bytes_str("query"));
	rig_put(packet + (_i ? 40 : 20) + 6, 0, 2);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert_int_eq(packet_checksum_ok(&p), !_i);
}
END_TEST

START_TEST(reads_an_echo_and_its_identifier)
{
	struct packet p;
	n_packet = rig_echo(packet, _i ? &a6 : &a4, _i ? &b6 : &b4, _i ? 128 : 8, 4711);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert_uint_eq(p.src_port, 4711);
	ck_assert_uint_eq(p.dst_port >> 8, _i ? 128 : 8);
	ck_assert(packet_checksum_ok(&p));
}
END_TEST

START_TEST(never_reads_past_the_end)
{
	struct packet p;
	size_t whole;
	for (int kind = 0; kind < 6; kind++) {
		bool v6 = kind % 2;
		if (kind < 2)
			segment(v6, &plain);
		else if (kind < 4)
			n_packet =
				rig_udp(packet, v6 ? &a6 : &a4, v6 ? &b6 : &b4, bytes_str("query"));
		else
			n_packet = rig_echo(packet, v6 ? &a6 : &a4, v6 ? &b6 : &b4, 8, 1);
		whole = n_packet;
		for (n_packet = 0; n_packet < whole; n_packet++)
			ck_assert_int_eq(decode(&p), PACKET_INVALID);
	}
}
END_TEST

/* Any byte may be anything: no read outside, and slices that lie in the packet. */
START_TEST(random_bytes_are_decoded_or_refused)
{
	uint64_t dice = 1;
	for (int i = 0; i < 200000; i++) {
		struct packet p;
		segment(i % 2, &plain);
		if (i % 3 == 0)
			n_packet = rig_udp(packet, i % 2 ? &a6 : &a4, i % 2 ? &b6 : &b4,
					   bytes_str("query"));
		for (unsigned k = 1 + rig_below(&dice, 3); k > 0; k--)
			packet[rig_below(&dice, (uint32_t)n_packet)] = (uint8_t)rig_random(&dice);
		n_packet -= rig_below(&dice, 3);
		if (decode(&p) != PACKET_OK)
			continue;
		RIG_ASSERT(p.raw.n <= n_packet);
		RIG_ASSERT(p.data.p == p.raw.p + p.data_at && p.data_at + p.data.n == p.raw.n);
		(void)packet_checksum_ok(&p); /* reads all of it */
	}
}
END_TEST

/* I03: the IP length counts, whatever lies behind. */
START_TEST(trailing_bytes_are_no_payload)
{
	struct packet p;
	segment(_i, &plain);
	memcpy(packet + n_packet, (const uint8_t[]){1, 2, 3, 4, 5}, 5);
	n_packet += 5;
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(bytes_is(p.data, "hello"));
	ck_assert_uint_eq(p.raw.n, n_packet - 5);
	ck_assert(packet_checksum_ok(&p));
}
END_TEST

struct change {
	const char *what;
	bool v6;
	size_t at;
	uint32_t value;
	size_t n;
};

static const struct change refused[] = {
	{"version 5", false, 0, 0x55, 1},
	{"IPv4 options (I02)", false, 0, 0x46, 1},
	{"IPv4 header shorter than itself", false, 0, 0x44, 1},
	{"total length beyond the packet (I03)", false, 2, 4000, 2},
	{"total length below the header (I03)", false, 2, 19, 2},
	{"total length cuts the TCP header", false, 2, 39, 2},
	{"more fragments (R2)", false, 6, 0x2000, 2},
	{"a later fragment (R2)", false, 6, 0x0001, 2},
	{"source 0.0.0.0 (I14)", false, 12, 0, 4},
	{"source multicast (I14)", false, 12, 0xe0000001, 4},
	{"source broadcast (I14)", false, 12, 0xffffffff, 4},
	{"source port 0 (I14)", false, 20, 0, 2},
	{"destination port 0 (I14)", false, 22, 0, 2},
	{"data offset 4 (T22)", false, 32, 0x40, 1},
	{"data offset beyond the segment (T22)", false, 32, 0xf0, 1},
	{"hop-by-hop options (I11)", true, 6, IPPROTO_HOPOPTS, 1},
	{"destination options (I11)", true, 6, IPPROTO_DSTOPTS, 1},
	{"routing header (I11)", true, 6, IPPROTO_ROUTING, 1},
	{"no next header (I12)", true, 6, IPPROTO_NONE, 1},
	{"mobility (I12)", true, 6, 135, 1},
	{"payload beyond the packet", true, 4, 4000, 2},
	{"payload shorter than TCP", true, 4, 19, 2},
	{"source multicast", true, 8, 0xff020000, 4},
	{"source port 0", true, 40, 0, 2},
};

START_TEST(refuses_what_could_be_read_in_two_ways)
{
	const struct change *c = &refused[_i];
	struct packet p;
	segment(c->v6, &plain);
	rig_put(packet + c->at, c->value, c->n);
	if (!c->v6)
		mend_ipv4();
	ck_assert_msg(decode(&p) == PACKET_INVALID, "%s", c->what);
}
END_TEST

/* RFC 4291 2.5.5.2 addresses on the wire would be taken for the IPv4 host. */
START_TEST(refuses_mapped_addresses)
{
	static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 3};
	struct packet p;
	segment(true, &plain);
	memcpy(packet + (_i ? 24 : 8), mapped, 16);
	ck_assert_int_eq(decode(&p), PACKET_INVALID);
}
END_TEST

static void insert_fragment_header(uint8_t next, uint16_t offset_more)
{
	segment(true, &plain);
	memmove(packet + 48, packet + 40, n_packet - 40);
	memset(packet + 40, 0, 8);
	packet[40] = next;
	rig_put(packet + 42, offset_more, 2);
	packet[6] = IPPROTO_FRAGMENT;
	n_packet += 8;
	rig_put(packet + 4, (uint32_t)(n_packet - 40), 2);
}

/* I09: a whole packet behind a fragment header; I10: a fragment, or a chain. */
START_TEST(takes_an_atomic_fragment_only)
{
	struct packet p;
	insert_fragment_header(IPPROTO_TCP, 0);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(bytes_is(p.data, "hello"));
	ck_assert(packet_checksum_ok(&p));
	insert_fragment_header(IPPROTO_TCP, 1);
	ck_assert_int_eq(decode(&p), PACKET_INVALID);
	insert_fragment_header(IPPROTO_TCP, 8);
	ck_assert_int_eq(decode(&p), PACKET_INVALID);
	insert_fragment_header(IPPROTO_FRAGMENT, 0);
	ck_assert_int_eq(decode(&p), PACKET_INVALID);
	insert_fragment_header(IPPROTO_DSTOPTS, 0);
	ck_assert_int_eq(decode(&p), PACKET_INVALID);
}
END_TEST

/* I13 */
START_TEST(refuses_a_datagram_whose_length_differs)
{
	struct packet p;
	for (int by = -1; by < 2; by += 2) {
		n_packet = rig_udp(packet, _i ? &a6 : &a4, _i ? &b6 : &b4, bytes_str("query"));
		rig_put(packet + (_i ? 40 : 20) + 4, (uint32_t)(13 + by), 2);
		ck_assert_int_eq(decode(&p), PACKET_INVALID);
	}
}
END_TEST

START_TEST(a_protocol_without_ports_is_other)
{
	struct packet p;
	segment(_i, &plain);
	packet[_i ? 6 : 9] = 132;
	if (!_i)
		mend_ipv4();
	ck_assert_int_eq(decode(&p), PACKET_OTHER);
	ck_assert_uint_eq(p.ip_proto, 132);
	ck_assert_uint_eq(p.src_port, 0);
	/* ICMP of the other family is no ICMP */
	packet[_i ? 6 : 9] = _i ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	ck_assert_int_eq(decode(&p), PACKET_OTHER);
}
END_TEST

/* ---- checksums ---- */

START_TEST(checksums_agree_with_a_plain_sum_at_every_length)
{
	uint8_t data[200];
	uint64_t dice = 3;
	for (size_t n = 0; n < sizeof(data); n++) {
		struct packet p;
		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)(n % 3 ? rig_random(&dice) : 0xff);
		struct rig_segment s = plain;
		s.data = data;
		s.n = n;
		segment(n % 2, &s);
		RIG_ASSERT(decode(&p) == PACKET_OK && packet_checksum_ok(&p));
		packet[(n % 2 ? 40 : 20) + 16] ^= 0x40;
		RIG_ASSERT(decode(&p) == PACKET_OK && !packet_checksum_ok(&p));
		packet_fix_checksums(&p, packet);
		(void)rig_read(bytes_of(packet, n_packet)); /* asserts that they are right */
	}
}
END_TEST

START_TEST(a_wrong_header_checksum_is_seen)
{
	struct packet p;
	segment(false, &plain);
	packet[8] ^= 1;
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(!packet_checksum_ok(&p));
}
END_TEST

/* ---- cleaning ---- */

static enum clean_result clean(const struct rig_segment *s)
{
	struct packet p;
	segment(false, s);
	ck_assert_int_eq(packet_decode(bytes_of(packet, n_packet), &p), PACKET_OK);
	enum clean_result result = packet_clean_tcp(&p, packet);
	ck_assert_uint_eq(p.tcp_flags, packet[33]);
	return result;
}

/* I03 */
START_TEST(the_reserved_bit_of_ipv4_is_cleared)
{
	struct packet p;
	segment(0, &plain);
	packet[6] |= 0x80;
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert_int_eq(packet_clean_tcp(&p, packet), CLEAN_CHANGED);
	ck_assert_uint_eq(packet[6] & 0x80, 0);
	ck_assert_int_eq(packet_clean_tcp(&p, packet), CLEAN_SAME);
}
END_TEST

START_TEST(urgent_and_reserved_bits_are_cleared)
{
	static const struct rig_segment rows[] = {
		{.flags = TCP_ACK | TCP_URG, .urgent = 3, .data = "abc", .n = 3}, /* T33 */
		{.flags = TCP_ACK | TCP_URG, .data = "abc", .n = 3},		  /* T34 */
		{.flags = TCP_ACK, .urgent = 3, .data = "abc", .n = 3},		  /* T37 */
		{.flags = TCP_ACK, .reserved = 0x0f, .data = "abc", .n = 3},	  /* T52 */
		{.flags = TCP_SYN | TCP_URG | TCP_PSH, .urgent = 1},
	};
	for (size_t i = 0; i < N(rows); i++) {
		ck_assert_int_eq(clean(&rows[i]), CLEAN_CHANGED);
		ck_assert_uint_eq(packet[32] & 0x0f, 0);
		ck_assert_uint_eq(packet[33], rows[i].flags & ~TCP_URG);
		ck_assert_uint_eq(rig_get(packet + 38, 2), 0);
		ck_assert_int_eq(clean(&plain), CLEAN_SAME);
	}
}
END_TEST

struct option_row {
	const char *what;
	bool is_syn;
	enum clean_result result;
	size_t n;
	uint8_t in[20], out[20];
};

static const struct option_row option_rows[] = {
	{"none", false, CLEAN_SAME, 0, {0}, {0}},
	{"timestamps",
	 false,
	 CLEAN_SAME,
	 12,
	 {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8},
	 {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
	{"one SACK block",
	 false,
	 CLEAN_SAME,
	 12,
	 {1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8},
	 {1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8}},
	{"SACK of no whole block", false, CLEAN_CHANGED, 4, {5, 4, 1, 2}, {1, 1, 1, 1}},
	{"MSS where there is no SYN", false, CLEAN_CHANGED, 4, {2, 4, 5, 0xb4}, {1, 1, 1, 1}},
	{"plain SYN",
	 true,
	 CLEAN_SAME,
	 12,
	 {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 0, 0},
	 {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 0, 0}},
	{"MPTCP (T64)", true, CLEAN_CHANGED, 4, {30, 4, 0, 1}, {1, 1, 1, 1}},
	{"fast open (T54)", true, CLEAN_CHANGED, 4, {34, 4, 9, 9}, {1, 1, 1, 1}},
	{"fast open, experimental", true, CLEAN_CHANGED, 4, {254, 4, 0xf9, 0x89}, {1, 1, 1, 1}},
	{"user timeout (T52)", true, CLEAN_CHANGED, 4, {28, 4, 1, 1}, {1, 1, 1, 1}},
	{"MSS of a wrong length", true, CLEAN_CHANGED, 4, {2, 3, 5, 1}, {1, 1, 1, 1}},
	{"unknown", false, CLEAN_CHANGED, 4, {99, 2, 1, 0}, {1, 1, 1, 0}},
	{"what follows the end is nobody's", false, CLEAN_SAME, 4, {0, 30, 0, 0}, {0, 30, 0, 0}},
	{"MD5 (T50)", false, CLEAN_REFUSED, 20, {19, 18}, {19, 18}},
	{"AO (T51)", false, CLEAN_REFUSED, 4, {29, 4, 1, 1}, {29, 4, 1, 1}},
	{"length 0 (T52)", false, CLEAN_REFUSED, 4, {8, 0, 1, 1}, {8, 0, 1, 1}},
	{"length 1 (T52)", true, CLEAN_REFUSED, 4, {2, 1, 1, 1}, {2, 1, 1, 1}},
	{"runs over the end (T52)", false, CLEAN_REFUSED, 4, {1, 1, 8, 10}, {1, 1, 8, 10}},
	{"a kind without a length", true, CLEAN_REFUSED, 4, {1, 1, 1, 2}, {1, 1, 1, 2}},
};

START_TEST(options_are_plain_afterwards)
{
	const struct option_row *row = &option_rows[_i];
	struct rig_segment s = plain;
	s.flags = row->is_syn ? TCP_SYN : TCP_ACK;
	s.options = row->in;
	s.n_options = row->n;
	ck_assert_msg(clean(&s) == row->result, "%s", row->what);
	ck_assert_msg(memcmp(packet + 40, row->out, row->n) == 0, "%s", row->what);
}
END_TEST

START_TEST(trimming_mends_the_length)
{
	for (size_t keep = 0; keep <= 6; keep++) {
		struct packet p;
		segment(_i, &plain);
		ck_assert_int_eq(packet_decode(bytes_of(packet, n_packet), &p), PACKET_OK);
		packet_trim_data(&p, packet, keep);
		packet_clear_flags(&p, packet, TCP_PSH);
		packet_fix_checksums(&p, packet);
		ck_assert_uint_eq(p.data.n, keep < 5 ? keep : 5);
		struct rig_view v = rig_read(bytes_of(packet, p.raw.n));
		ck_assert_uint_eq(v.data.n, p.data.n);
		ck_assert_uint_eq(v.flags, TCP_ACK);
	}
}
END_TEST

START_TEST(an_offer_is_read_and_bounded)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4, 1, 3, 3, 200};
	struct rig_segment s = {.flags = TCP_SYN, .options = options, .n_options = sizeof(options)};
	struct packet p;
	segment(false, &s);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	struct tcp_offer offer = packet_tcp_offer(&p);
	ck_assert_uint_eq(offer.mss, 1460);
	ck_assert(offer.has_wscale);
	ck_assert_uint_eq(offer.wscale, 14);
}
END_TEST

/* ---- building ---- */

START_TEST(resets_are_sound)
{
	struct packet p;
	struct tcp_segment reset = {.src_port = 80,
				    .dst_port = 40000,
				    .seq = 0xdeadbeef,
				    .ack = 77,
				    .flags = _i % 2 ? TCP_RST | TCP_ACK : TCP_RST};
	segment(_i / 2, &plain);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	reset.src = p.dst;
	reset.dst = p.src;
	n_packet = build_tcp(&reset, packet);
	struct rig_view v = rig_read(bytes_of(packet, n_packet));
	ck_assert_uint_eq(v.flags, TCP_RST | (_i % 2 ? TCP_ACK : 0));
	ck_assert_uint_eq(v.seq, 0xdeadbeef);
	ck_assert_uint_eq(v.ack, _i % 2 ? 77 : 0);
	ck_assert_int_eq(decode(&p), PACKET_OK);
	ck_assert(packet_checksum_ok(&p));
	ck_assert_uint_eq(p.src_port, 80);
}
END_TEST

/* RFC 4443 2.4 (c), RFC 1812 4.3.2.3: as much of the cause as fits. */
START_TEST(an_icmp_error_quotes_its_cause)
{
	static uint8_t big[60000], cause[61000];
	for (unsigned i = 0; i < 4; i++) {
		struct packet p;
		bool v6 = i % 2;
		size_t n = i < 2 ? 10 : sizeof(big);
		n_packet = rig_udp(packet, v6 ? &a6 : &a4, v6 ? &b6 : &b4, bytes_of(big, n));
		memcpy(cause, packet, n_packet);
		ck_assert_int_eq(packet_decode(bytes_of(cause, n_packet), &p), PACKET_OK);
		uint8_t out[PACKET_BUILD_MAX];
		size_t built = build_icmp_prohibited(&p, out);
		size_t header = v6 ? 48 : 28;
		struct rig_view v = rig_read(bytes_of(out, built));
		ck_assert_uint_eq(v.proto, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
		ck_assert_uint_eq(out[header - 8], v6 ? 1 : 3);
		ck_assert_uint_eq(out[header - 7], v6 ? 1 : 13);
		ck_assert(memcmp(out + header, cause, built - header) == 0);
		ck_assert_uint_eq(built, i < 2 ? header + n_packet : v6 ? 1280 : 576);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("packet");
	TCase *tc = tcase_create("packet");
	tcase_add_loop_test(tc, reads_a_segment, 0, 2);
	tcase_add_loop_test(tc, reads_a_datagram, 0, 2);
	tcase_add_loop_test(tc, a_datagram_without_checksum, 0, 2);
	tcase_add_loop_test(tc, reads_an_echo_and_its_identifier, 0, 2);
	tcase_add_test(tc, never_reads_past_the_end);
	tcase_add_test(tc, random_bytes_are_decoded_or_refused);
	tcase_add_loop_test(tc, trailing_bytes_are_no_payload, 0, 2);
	tcase_add_loop_test(tc, refuses_what_could_be_read_in_two_ways, 0, N(refused));
	tcase_add_loop_test(tc, refuses_mapped_addresses, 0, 2);
	tcase_add_test(tc, takes_an_atomic_fragment_only);
	tcase_add_loop_test(tc, refuses_a_datagram_whose_length_differs, 0, 2);
	tcase_add_loop_test(tc, a_protocol_without_ports_is_other, 0, 2);
	tcase_add_test(tc, checksums_agree_with_a_plain_sum_at_every_length);
	tcase_add_test(tc, a_wrong_header_checksum_is_seen);
	tcase_add_test(tc, the_reserved_bit_of_ipv4_is_cleared);
	tcase_add_test(tc, urgent_and_reserved_bits_are_cleared);
	tcase_add_loop_test(tc, options_are_plain_afterwards, 0, N(option_rows));
	tcase_add_loop_test(tc, trimming_mends_the_length, 0, 2);
	tcase_add_test(tc, an_offer_is_read_and_bounded);
	tcase_add_loop_test(tc, resets_are_sound, 0, 4);
	tcase_add_test(tc, an_icmp_error_quotes_its_cause);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
