/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Message brokers: AMQP 0-9-1 and 1.0, MQTT 3.1 to 5, NATS, Kafka.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- amqp */

/* The versions that were ever in use, of the eight bytes that open a connection. */
static void amqp_header(struct reader *r)
{
	static const uint8_t versions[][4] = {
		{0, 0, 9, 1}, {1, 1, 0, 9}, {1, 1, 0, 10}, {1, 1, 8, 0},
		{1, 1, 9, 1}, {0, 1, 0, 0}, {2, 1, 0, 0},  {3, 1, 0, 0},
	};
	ident_text(r, "AMQP");
	const struct bytes version = read_bytes(r, 4);
	bool is_known = false;
	for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
		is_known |= bytes_equal(version, bytes_of(versions[i], 4));
	ident_check(r, is_known);
}

/* Connection.Start in a method frame of channel 0, or the header of the version that it wants. */
static void amqp_server(struct reader *r)
{
	if (r->in.p[0] == 'A') {
		amqp_header(r);
		return;
	}
	ident_text(r, "\1\0\0");
	(void)ident_u32(r, 10, 1 << 20); /* compared */
	ident_text(r, "\0\x0a\0\x0a");
}

enum { AMQP_HEADER = 8, AMQP_TLS = 2 };

/* The header of TLS (AMQP 1.0 section 5.2.1) asks for it, and the same header agrees. Whatever else
 * is said ends the reading. */
static uint64_t amqp_asks(struct ident_talk *t, struct reader *r)
{
	const struct bytes header = read_bytes(r, AMQP_HEADER);
	if (reader_ok(r))
		t->phase = header.p[4] == AMQP_TLS ? IDENT_ASKED : IDENT_LEFT;
	return 0;
}

static uint64_t amqp_answers(struct ident_talk *t, struct reader *r)
{
	const struct bytes header = read_bytes(r, AMQP_HEADER);
	if (reader_ok(r)) {
		const bool is_header = bytes_is(bytes_slice(header, 0, 4), "AMQP");
		t->phase = is_header && header.p[4] == AMQP_TLS ? IDENT_AGREED : IDENT_LEFT;
	}
	return 0;
}

/* ---------------------------------------------------------------- mqtt */

enum {
	MQTT_CONNECT = 0x10,
	MQTT_CONNACK = 0x20,
	MQTT_AUTH = 0xf0,
	MQTT_BRIDGE = 0x80, /* Mosquitto's mark of a broker in the level */
};

/* The length of what follows: seven bits a byte, the lowest first. */
static size_t mqtt_length(struct reader *r)
{
	size_t n = 0;
	for (unsigned shift = 0; shift < 28; shift += 7) {
		const uint8_t c = read_u8(r);
		n |= (size_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return n;
	}
	read_fail(r);
	return 0;
}

/* CONNECT (3.1): the name of the protocol with the level that belongs to it; the lowest flag is
 * reserved, a will has a quality of 0 to 2, and none without a will. */
static void mqtt_client(struct reader *r)
{
	ident_check(r, read_u8(r) == MQTT_CONNECT);
	const size_t n = mqtt_length(r);
	ident_check(r, n >= 12);
	const bool is_old = ident_u16(r, 4, 6) == 6;
	if (is_old)
		ident_text(r, "MQIsdp");
	else
		ident_text(r, "MQTT");
	const uint8_t level = read_u8(r) & (uint8_t)~MQTT_BRIDGE;
	ident_check(r, is_old ? level == 3 : level == 4 || level == 5);
	const uint8_t flags = read_u8(r);
	const bool has_will = flags & 4;
	ident_check(r, !(flags & 1) && (flags & 0x18) != 0x18);
	ident_check(r, has_will || !(flags & 0x38));
}

static void mqtt_server(struct reader *r)
{
	const uint8_t type = ident_one_of(r, bytes_of("\x20\xf0", 2));
	const size_t n = mqtt_length(r);
	ident_check(r, n >= 2 || type == MQTT_AUTH);
	if (type == MQTT_CONNACK) {
		ident_check(r, read_u8(r) <= 1);
		read_skip(r, 1);
	}
}

/* ---------------------------------------------------------------- nats */

/* "INFO {...}" of the server comes first; its first key is always the server's id. */
static void nats_server(struct reader *r)
{
	ident_text(r, "INFO {");
	const struct bytes rest = bytes_slice(r->in, r->pos, 16);
	size_t n = 0;
	while (n < rest.n && rest.p[n] == ' ')
		n++;
	read_skip(r, n);
	ident_text(r, "\"server_");
}

/* The greeting offers TLS or demands it, and the client's hello is the answer. Whoever says more
 * takes that back. */
static uint64_t nats_info(struct ident_talk *t, struct reader *r)
{
	const struct bytes line = ident_server_line(r);
	const bool offers = ident_finds(line, "\"tls_required\":true") ||
			    ident_finds(line, "\"tls_available\":true");
	t->phase = !t->has_greeted && offers ? IDENT_MAY : IDENT_CLEAR;
	t->has_greeted = 1;
	return 0;
}

static uint64_t nats_command(struct ident_talk *t, struct reader *r)
{
	read_skip(r, 1);
	t->phase = IDENT_LEFT;
	return 0;
}

static void nats_client(struct reader *r)
{
	const struct bytes word = ident_word(r, 7);
	ident_check(r, ident_has("CONNECT PING PONG SUB PUB HPUB UNSUB", word));
	(void)ident_one_of(r, bytes_str(" \t\r\n")); /* compared */
}

/* ---------------------------------------------------------------- kafka */

enum {
	KAFKA_HEADER = 10,	    /* key, version, correlation, length of the client's name */
	KAFKA_SIZE_MAX = 100 << 20, /* socket.request.max.bytes */
	KAFKA_NAME_MAX = 255,
	KAFKA_FETCH = 1,
	KAFKA_LIST_OFFSETS = 2,
	KAFKA_API_VERSIONS = 18,
};

/* The highest version of each API key (https://kafka.apache.org/protocol, 4.0), and three beyond it
 * for the ones to come. */
static const uint8_t kafka_versions[] = {
	13, 18, 11, 13, 7, 4, 8, 3, 10, 10, 6, 9, 4, 5, 5, 6, 5, 1, 4, 7, 6, 2, 6,
	4,  5,	4,  4,	1, 5, 3, 3, 3,	4,  2, 2, 4, 2, 3, 3, 2, 2, 3, 2, 2, 0, 0,
	0,  0,	1,  1,	0, 0, 2, 1, 1,	2,  3, 2, 0, 0, 2, 0, 4, 1, 0, 1, 1, 0, 1,
	1,  1,	1,  0,	0, 0, 0, 1, 1,	1,  1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0,
};
enum { KAFKA_SPARE = 3, KAFKA_KEYS = sizeof kafka_versions };

static bool kafka_is_request(uint32_t key, uint32_t version)
{
	return key < KAFKA_KEYS && version <= (uint32_t)kafka_versions[key] + KAFKA_SPARE;
}

/* What follows where the client has no name: a consumer is no replica. */
static void kafka_nameless(struct reader *r, uint32_t key)
{
	ident_check(r, key == KAFKA_FETCH || key == KAFKA_LIST_OFFSETS);
	ident_text(r, "\xff\xff\xff\xff");
}

/* A request's header, version 1 and 2: size, key, version, correlation, the client's name, which is
 * what proves it. */
static void kafka_client(struct reader *r)
{
	const uint32_t size = ident_u32(r, KAFKA_HEADER, KAFKA_SIZE_MAX);
	const uint32_t key = ident_u16(r, 0, KAFKA_KEYS - 1), version = ident_u16(r, 0, 0xff);
	ident_check(r, kafka_is_request(key, version));
	ident_check(r, (key | version) != 0 || (size != 44 && size != 45)); /* ZooKeeper's */
	ident_zeroes(r, 1); /* correlations count from nought: no letters, as PostgreSQL has here */
	read_skip(r, 3);
	const uint32_t n = read_u16be(r);
	if (n == 0 || n == 0xffff) {
		if (size != KAFKA_HEADER || key != KAFKA_API_VERSIONS)
			kafka_nameless(r, key);
		return;
	}
	ident_check(r, n <= KAFKA_NAME_MAX && n + KAFKA_HEADER <= size);
	(void)ident_visible(r, reader_ok(r) ? n : 0); /* compared */
}

static void kafka_server(struct reader *r)
{
	(void)ident_u32(r, 4, KAFKA_SIZE_MAX); /* compared */
	ident_zeroes(r, 1);
	read_skip(r, 3);
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR_TLS(amqp, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {amqp_header, amqp_server},
		    .unit = {amqp_asks, amqp_answers});
IDENT_DISSECTOR(mqtt, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {mqtt_client, mqtt_server});
IDENT_DISSECTOR_TLS(nats, IDENT_TCP, 0, .opener = IDENT_SERVER, .tcp = {nats_client, nats_server},
		    .unit = {nats_command, nats_info});
IDENT_DISSECTOR(kafka, IDENT_TCP, 0, .opener = IDENT_CLIENT, .tcp = {kafka_client, kafka_server});
