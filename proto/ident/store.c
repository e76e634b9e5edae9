/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores: MongoDB, Cassandra (CQL), memcached, Couchbase's key-value service, ZooKeeper.
 */
#include "ident/ident.h"

/* ---------------------------------------------------------------- mongodb */

enum {
	MONGO_HEADER = 16,
	MONGO_SIZE_MAX = 48000000,
	MONGO_REPLY = 1,
	MONGO_UPDATE = 2001,
	MONGO_INSERT = 2002,
	MONGO_QUERY = 2004,
	MONGO_DELETE = 2006,
	MONGO_MSG = 2013,
	MONGO_FLAGS = 0x10003, /* of OP_MSG: checksum, more to come, exhaust allowed */
	BSON_MIN = 5,
};

/* A BSON document's length, the type of its first element and that one's name. */
static void bson(struct reader *r, size_t room)
{
	const uint32_t n = read_u32le(r);
	ident_check(r, n >= BSON_MIN && n <= room);
	const uint8_t type = read_u8(r);
	ident_check(r, (type >= 1 && type <= 0x13) || type == 0x7f || type == 0xff ||
			       (type == 0 && n == BSON_MIN));
	if (reader_ok(r) && type != 0) {
		(void)ident_visible(r, 1); /* compared */
		read_skip(r, 1);
	}
}

static void mongo_msg(struct reader *r, size_t size)
{
	ident_check(r, (read_u32le(r) & ~(uint32_t)MONGO_FLAGS) == 0);
	ident_zeroes(r, 1); /* a section of one document */
	bson(r, size - MONGO_HEADER - 5);
}

/* Flags, then "database.collection". */
static void mongo_old(struct reader *r)
{
	ident_check(r, read_u32le(r) < 0x100);
	const struct bytes rest = bytes_slice(r->in, r->pos, 256);
	const size_t n = bytes_find(rest, 0), dot = bytes_find(rest, '.');
	(void)ident_visible(r, n); /* compared */
	ident_check(r, n < 256 && (n == rest.n || (dot > 0 && dot < n)));
	ident_zeroes(r, 1);
}

static void mongodb_client(struct reader *r)
{
	const uint32_t size = read_u32le(r);
	ident_check(r, size >= MONGO_HEADER + 10 && size <= MONGO_SIZE_MAX);
	read_skip(r, 4);
	const uint32_t answered = read_u32le(r);
	ident_check(r, answered == 0 || answered == UINT32_MAX); /* nothing; old clients say -1 */
	const uint32_t code = read_u32le(r);
	ident_check(r, code == MONGO_MSG || code == MONGO_QUERY || code == MONGO_INSERT ||
			       code == MONGO_UPDATE || code == MONGO_DELETE);
	if (code == MONGO_MSG)
		mongo_msg(r, size);
	else
		mongo_old(r);
}

static void mongodb_server(struct reader *r)
{
	const uint32_t size = read_u32le(r);
	ident_check(r, size >= MONGO_HEADER + 10 && size <= MONGO_SIZE_MAX);
	read_skip(r, 8);
	const uint32_t code = read_u32le(r);
	ident_check(r, code == MONGO_MSG || code == MONGO_REPLY);
}

/* ---------------------------------------------------------------- cassandra */

enum {
	CQL_REPLY = 0x80,
	CQL_OLD = 2, /* up to here the stream's number is one byte */
	CQL_ERROR = 0,
	CQL_STARTUP = 1,
	CQL_READY = 2,
	CQL_AUTHENTICATE = 3,
	CQL_OPTIONS = 5,
	CQL_SUPPORTED = 6,
	CQL_BODY_MAX = 1 << 20, /* of the first frames, which hold a few words */
};

/* A frame's header (native_protocol_v4.spec, 2): version, flags, stream, operation; then the length
 * of the body, which is returned. */
static uint32_t cql_header(struct reader *r, uint8_t direction, uint8_t *flags, uint8_t *code)
{
	const uint8_t version = read_u8(r) ^ direction;
	ident_check(r, (version >= 1 && version <= 6) || version == 0x41 || version == 0x42);
	*flags = ident_u8(r, 0, 0x1f);
	read_skip(r, version <= CQL_OLD ? 1 : 2);
	*code = read_u8(r);
	return ident_u32(r, 0, CQL_BODY_MAX);
}

/* The first key of STARTUP's map, in the words that drivers use. */
static void cql_startup(struct reader *r, uint32_t size)
{
	(void)ident_u16(r, 1, 16); /* compared */
	const uint32_t n = ident_u16(r, 4, 32);
	ident_check(r, n + 4 <= size);
	const struct bytes key = read_bytes(r, reader_ok(r) ? n : 0);
	ident_check(r, ident_has("CQL_VERSION COMPRESSION DRIVER_NAME DRIVER_VERSION CLIENT_ID "
				 "APPLICATION_NAME APPLICATION_VERSION NO_COMPACT "
				 "THROW_ON_OVERLOAD",
				 key));
}

/* OPTIONS is all zeroes but for version, operation and stream: its flags must be, too. */
static void cassandra_client(struct reader *r)
{
	uint8_t flags, code;
	const uint32_t size = cql_header(r, 0, &flags, &code);
	ident_check(r, code == CQL_STARTUP || code == CQL_OPTIONS);
	if (code == CQL_STARTUP)
		cql_startup(r, size);
	else
		ident_check(r, size == 0 && (flags & 0x0f) == 0);
}

static void cassandra_server(struct reader *r)
{
	uint8_t flags, code;
	(void)cql_header(r, CQL_REPLY, &flags, &code); /* compared */
	ident_check(r, code == CQL_ERROR || code == CQL_READY || code == CQL_AUTHENTICATE ||
			       code == CQL_SUPPORTED);
}

/* ---------------------------------------------------------------- memcached, in bytes */

enum {
	MC_REQUEST = 0x80,
	MC_ANSWER = 0x81,
	MC_KEY_MAX = 250,
	MC_VALUE_MAX = 128 << 20, /* item_size_max of the largest servers */
	MC_HELLO = 0x1f,
	MC_SASL_LIST = 0x20,
	MC_SASL_STEP = 0x22,
};

/* For each operation: bytes of extras, whether a key must, may or must not be there, and a value.
 * (Memcached's protocol_binary, and BinaryProtocolRevamped in its wiki.) */
enum { NO, MAY, MUST };
struct mc_shape {
	uint8_t extras, key, value;
};
static const struct mc_shape mc_shapes[] = {
	{0, MUST, NO},	{8, MUST, MAY}, {8, MUST, MAY}, {8, MUST, MAY}, {0, MUST, NO},
	{20, MUST, NO}, {20, MUST, NO}, {0, NO, NO},	{4, NO, NO},	{0, MUST, NO},
	{0, NO, NO},	{0, NO, NO},	{0, MUST, NO},	{0, MUST, NO},	{0, MUST, MAY},
	{0, MUST, MAY}, {0, MAY, NO},	{8, MUST, MAY}, {8, MUST, MAY}, {8, MUST, MAY},
	{0, MUST, NO},	{20, MUST, NO}, {20, MUST, NO}, {0, NO, NO},	{4, NO, NO},
	{0, MUST, MAY}, {0, MUST, MAY}, {4, NO, NO},	{4, MUST, NO},	{4, MUST, NO},
	{4, MUST, NO},	{0, MAY, MUST}, {0, NO, NO},	{0, MUST, MAY}, {0, MUST, MAY},
};
enum { MC_FLUSH = 8, MC_FLUSH_QUIETLY = 24, MC_SHAPES = sizeof mc_shapes / sizeof *mc_shapes };

static bool mc_fits(uint8_t how, uint32_t n)
{
	return how == MAY || (how == MUST) == (n > 0);
}

/* What stands behind the operation's number in the header of a request. The datatype and the
 * partition are nought, and so is what is compared in all but stores. */
static uint32_t mc_request(struct reader *r, const struct mc_shape *shape, bool is_flush)
{
	const uint32_t key = ident_u16(r, 0, MC_KEY_MAX);
	const uint8_t extras = read_u8(r);
	ident_check(r, extras == shape->extras || (is_flush && extras == 0));
	ident_check(r, mc_fits(shape->key, key));
	ident_zeroes(r, 3);
	const uint32_t body = ident_u32(r, key + extras, MC_VALUE_MAX);
	ident_check(r, mc_fits(shape->value, body - key - extras));
	read_skip(r, 4);
	if (shape->value == NO)
		ident_zeroes(r, 8);
	else
		read_skip(r, 8);
	return key;
}

static void memcached_binary(struct reader *r)
{
	read_skip(r, 1);
	const uint8_t code = ident_u8(r, 0, MC_SHAPES - 1);
	ident_check(r, code != MC_HELLO);
	const bool is_flush = code == MC_FLUSH || code == MC_FLUSH_QUIETLY;
	if (reader_ok(r))
		(void)mc_request(r, &mc_shapes[code], is_flush); /* compared */
}

/* ---------------------------------------------------------------- couchbase */

/* What only Couchbase's clients open with: HELLO with a list of features of two bytes each, the
 * question for the map of errors, or the choice of a bucket. */
static void couchbase_client(struct reader *r)
{
	static const struct mc_shape hello = {0, MAY, MUST}, errors = {0, NO, MUST},
				     bucket = {0, MUST, NO};
	ident_check(r, read_u8(r) == MC_REQUEST);
	const uint8_t code = ident_one_of(r, bytes_of("\x1f\xfe\x89", 3));
	const struct mc_shape *shape = code == MC_HELLO ? &hello : code == 0xfe ? &errors : &bucket;
	const uint32_t key = mc_request(r, shape, false);
	if (code == MC_HELLO && reader_ok(r)) {
		(void)ident_visible(r, key); /* the client's name */
		ident_zeroes(r, 1);	     /* features are below 256 */
		read_skip(r, 1);
	}
}

static void mc_answer(struct reader *r)
{
	ident_check(r, read_u8(r) == MC_ANSWER);
	read_skip(r, 1);
	const uint32_t key = ident_u16(r, 0, MC_KEY_MAX);
	const uint8_t extras = ident_u8(r, 0, 24);
	read_skip(r, 3);
	(void)ident_u32(r, key + extras, MC_VALUE_MAX); /* compared */
}

/* ---------------------------------------------------------------- memcached, in words */

/* protocol.txt: of each command how many words follow. "get" and its like could also be typed into
 * Redis; clients of Redis do not. */
struct mc_command {
	const char *names;
	uint8_t at_least, at_most;
};
static const struct mc_command mc_commands[] = {
	{"set add replace append prepend", 4, 5},
	{"cas", 5, 6},
	{"get gets", 1, 100},
	{"gat gats", 2, 100},
	{"incr decr", 2, 3},
	{"delete", 1, 3},
	{"touch", 2, 3},
	{"mg", 1, 30},
	{"md ma me", 1, 30},
	{"ms", 2, 30},
	{"mn stats version flush_all verbosity", 0, 3},
};
enum { MC_COMMANDS = sizeof mc_commands / sizeof *mc_commands };

static bool mc_is_lower(struct bytes word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] != byte_lower(word.p[i]))
			return false;
	return word.n > 0;
}

static const struct mc_command *mc_find(struct bytes word)
{
	for (size_t i = 0; mc_is_lower(word) && i < MC_COMMANDS; i++)
		if (ident_has(mc_commands[i].names, word))
			return &mc_commands[i];
	return NULL;
}

static bool mc_is_number(struct bytes word)
{
	for (size_t i = word.n > 0 && word.p[0] == '-'; i < word.n; i++)
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
	return word.n > 0 && word.n < 12;
}

static struct bytes mc_next_word(struct bytes *line)
{
	const size_t n = bytes_find(*line, ' ');
	const struct bytes word = bytes_slice(*line, 0, n);
	*line = bytes_from(*line, n + 1);
	return word;
}

/* The words behind the command. Of a store: key, flags, time, length. */
static bool mc_words_fit(const struct mc_command *command, struct bytes line)
{
	const bool is_store = command->at_least >= 4;
	size_t n = 0;
	for (; line.n > 0; n++) {
		const struct bytes word = mc_next_word(&line);
		if (word.n == 0 || word.n > MC_KEY_MAX ||
		    bytes_is(bytes_slice(word, 0, 5), "HTTP/"))
			return false;
		if (is_store && n >= 1 && n <= 3 && !mc_is_number(word))
			return false;
	}
	return n >= command->at_least && n <= command->at_most;
}

/* Every prefix of a command goes on; anything else is decided at its first wrong byte. */
static bool mc_may_become(struct bytes start)
{
	for (size_t i = 0; i < MC_COMMANDS; i++) {
		const char *row = mc_commands[i].names;
		while (*row) {
			const size_t n = bytes_find(bytes_str(row), ' ');
			if (start.n <= n && memcmp(row, start.p, start.n) == 0)
				return true;
			row += n + (row[n] == ' ');
		}
	}
	return false;
}

/* Of at most 16 letters of the command; none is longer. */
static bool mc_begins(struct bytes in)
{
	const struct bytes start = bytes_slice(in, 0, 16);
	size_t n = 0;
	while (n < start.n && start.p[n] > ' ')
		n++;
	const struct bytes word = bytes_slice(start, 0, n);
	return n == in.n ? mc_may_become(word) : mc_find(word) != NULL;
}

/* Lines end with CR LF; no blank stands before it. */
static void memcached_text(struct reader *r)
{
	const struct bytes in = bytes_from(r->in, r->pos);
	ident_check(r, in.n == 0 || mc_begins(in));
	struct bytes line = ident_line(r);
	if (!reader_ok(r))
		return;
	ident_check(r, line.n > 0 && line.n + 2 == r->pos - (r->in.n - in.n) &&
			       line.p[line.n - 1] != ' ');
	const struct mc_command *command = mc_find(mc_next_word(&line));
	ident_check(r, command && mc_words_fit(command, line));
}

static void memcached_client(struct reader *r)
{
	if (r->in.p[0] == MC_REQUEST)
		memcached_binary(r);
	else
		memcached_text(r);
}

/* Over UDP eight bytes stand before it: a number, 0 of how many datagrams, two that nobody sets. */
static void memcached_datagram(struct reader *r)
{
	read_skip(r, 2);
	ident_zeroes(r, 2);
	(void)ident_u16(r, 1, 1024); /* compared */
	read_skip(r, 2);
	if (reader_left(r) > 0 && r->in.p[r->pos] == MC_REQUEST)
		memcached_binary(r);
	else
		memcached_text(r);
}

static void memcached_server(struct reader *r)
{
	if (r->in.p[0] == MC_ANSWER) {
		mc_answer(r);
		return;
	}
	const struct bytes line = ident_line(r);
	struct bytes rest = line;
	const struct bytes word = mc_next_word(&rest);
	ident_check(r, line.n == 0 ? false
				   : mc_is_number(word) ||
					     ident_has("VALUE END STORED NOT_STORED EXISTS "
						       "NOT_FOUND ERROR CLIENT_ERROR SERVER_ERROR "
						       "STAT VERSION OK DELETED TOUCHED RESET HD "
						       "EN VA NF NS EX MN ME BUSY",
						       word));
}

/* ---------------------------------------------------------------- zookeeper */

enum {
	ZK_CONNECT = 44,   /* bytes of a request to connect, and one more with "read only" */
	ZK_CONNECTED = 36, /* and of its answer */
	ZK_PASSWORD = 16,
	ZK_TIMEOUT_MAX = 3600 * 1000,
};

/* ConnectRequest: version 0, the last transaction seen, a timeout in ms, a session and its password
 * of 16 bytes. */
static void zk_connect(struct reader *r)
{
	(void)ident_u32(r, ZK_CONNECT, ZK_CONNECT + 1); /* compared */
	ident_zeroes(r, 4);
	read_skip(r, 8);
	(void)ident_u32(r, 1, ZK_TIMEOUT_MAX); /* compared */
	read_skip(r, 8);
	(void)ident_u32(r, ZK_PASSWORD, ZK_PASSWORD); /* compared */
}

/* The questions of four letters that are nobody else's word, and how their answers begin. */
static void zk_word(struct reader *r)
{
	static const char *const words[] = {"ruok", "mntr", "srvr", "isro",
					    "envi", "wchs", "dirs", NULL};
	ident_begins(r, words);
}

static void zk_text(struct reader *r)
{
	static const char *const answers[] = {"imok",
					      "Zookeeper version",
					      "zk_",
					      "Environment",
					      "This ZooKeeper",
					      "Snapshot",
					      "ro",
					      "rw",
					      "null",
					      "ruok is not",
					      "mntr is not",
					      "srvr is not",
					      "isro is not",
					      "envi is not",
					      "wchs is not",
					      "dirs is not",
					      "datadir_size",
					      NULL};
	const struct bytes rest = bytes_slice(r->in, r->pos, 1);
	if (rest.n == 1 && rest.p[0] >= '0' && rest.p[0] <= '9')
		(void)ident_line(r); /* "2 connections watching 1 paths" */
	else
		ident_begins(r, answers);
}

static void zookeeper_client(struct reader *r)
{
	if (r->in.p[0] == 0)
		zk_connect(r);
	else
		zk_word(r);
}

/* To a word it answers in text. */
static void zookeeper_server(struct reader *r)
{
	if (r->in.p[0] != 0) {
		zk_text(r);
		return;
	}
	(void)ident_u32(r, ZK_CONNECTED, ZK_CONNECTED + 1); /* compared */
	ident_zeroes(r, 4);
	(void)ident_u32(r, 0, ZK_TIMEOUT_MAX); /* compared */
	read_skip(r, 8);
	(void)ident_u32(r, ZK_PASSWORD, ZK_PASSWORD); /* compared */
}

/* ---------------------------------------------------------------- the dissectors */

IDENT_DISSECTOR(mongodb, IDENT_TCP, 0, .opener = IDENT_CLIENT,
		.tcp = {mongodb_client, mongodb_server});
IDENT_DISSECTOR(cassandra, IDENT_TCP, 0, .opener = IDENT_CLIENT,
		.tcp = {cassandra_client, cassandra_server});
IDENT_DISSECTOR(memcached, IDENT_TCP, IDENT_UDP, .opener = IDENT_CLIENT,
		.tcp = {memcached_client, memcached_server}, .udp = {memcached_datagram, NULL});
IDENT_DISSECTOR(couchbase, IDENT_TCP, 0, .opener = IDENT_CLIENT,
		.tcp = {couchbase_client, mc_answer});
IDENT_DISSECTOR(zookeeper, IDENT_TCP, 0, .opener = IDENT_CLIENT,
		.tcp = {zookeeper_client, zookeeper_server});
