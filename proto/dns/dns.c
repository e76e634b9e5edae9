/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DNS between a client and its resolver, over UDP and TCP (RFC 1035, 6891, 7766). A unit is a
 * message; over TCP two bytes of length come before it.
 *
 * Answers may come in any order, so the state is a table of what was asked: id and question. An
 * answer must belong to one of them. How many answers may come is counted, since a client that
 * hears nothing asks again with the same id and port and then gets two:
 *
 *	asked, open 1 --asked again--> open 2 --answer--> open 1 --answer--> open 0
 *	open 0 --the same answer once more--> passes, says nothing
 *	       --a different one--> malformed
 *
 * So whoever learns addresses from the events learns each question's answer once, from the first
 * that came.
 *
 * What must stay true: nothing is accepted that two implementations could read differently; an
 * event names only what the whole message, read to its last byte, has proven.
 */
#include "dns_chain.h"
#include "dns_message.h"
#include "dns_signs.h"

#include "bridgewarden/dissect.h"

/* As many as unbound sends over one reused connection; dnsperf keeps 100 open on a socket. */
enum { DNS_ASKED_MAX = 200 };

enum { DNS_LENGTH_SIZE = 2, DNS_UDP = 17, DNS_TCP = 6 };

enum asked_kind {
	ASKED_QUERY,
	ASKED_TRANSFER, /* AXFR, IXFR: any number of messages answers it */
	ASKED_OTHER,	/* another opcode */
};

/* answer: hash of the last answer; counts when has_answer. */
struct asked {
	uint64_t question;
	uint32_t answer;
	uint16_t id;
	uint8_t n_open;
	uint8_t kind : 4, has_answer : 4;
};

/* A ring: the newest is before `next`, the oldest is overwritten. n: how many there are. */
struct dns_state {
	uint8_t is_claimed, next, n, unused[5];
	struct asked asked[DNS_ASKED_MAX];
	struct signs signs;
};

_Static_assert(sizeof(struct asked) == 16, "an entry is a quarter of a cache line");
_Static_assert(sizeof(struct dns_state) <= DIS_STATE_MAX, "one pool slot of the engine");
_Static_assert(DNS_ASKED_MAX <= UINT8_MAX, "next and n are bytes");

enum field {
	F_TYPE,
	F_ID,
	F_OPCODE,
	F_RRNAME,
	F_RRTYPE,
	F_RRCLASS,
	F_NAME_LENGTH,
	F_LABEL_LENGTH,
	F_ENTROPY,
	F_UNIQUE_NAMES,
	F_RCODE,
	F_ANSWERS,
	F_TTL,
	F_ALIASES,
	F_ADDRESSES,
	F_ADDRESS_TTL,
	N_FIELDS,
};

static const struct dis_field dns_fields[N_FIELDS] = {
	[F_TYPE] = {.name = "type"},
	[F_ID] = {.name = "id", .type = DIS_NUMBER},
	[F_OPCODE] = {.name = "opcode", .key = "opcodes", .match = DIS_MATCH_NOCASE},
	[F_RRNAME] = {.name = "rrname", .key = "names", .match = DIS_MATCH_NOCASE},
	[F_RRTYPE] = {.name = "rrtype", .key = "types", .match = DIS_MATCH_NOCASE},
	[F_RRCLASS] = {.name = "rrclass", .key = "classes", .match = DIS_MATCH_NOCASE},
	[F_NAME_LENGTH] = {.name = "name_length", .key = "name_length", .type = DIS_NUMBER},
	[F_LABEL_LENGTH] = {.name = "label_length", .key = "label_length", .type = DIS_NUMBER},
	[F_ENTROPY] = {.name = "entropy", .key = "entropy", .type = DIS_NUMBER},
	[F_UNIQUE_NAMES] = {.name = "unique_names", .key = "unique_names", .type = DIS_NUMBER},
	[F_RCODE] = {.name = "rcode"},
	[F_ANSWERS] = {.name = "answers", .is_list = true},
	[F_TTL] = {.name = "ttl", .type = DIS_NUMBER, .is_list = true},
	[F_ALIASES] = {.name = "aliases", .is_list = true},
	[F_ADDRESSES] = {.name = "addresses", .is_list = true},
	[F_ADDRESS_TTL] = {.name = "address_ttl", .type = DIS_NUMBER},
};

/* ---------------------------------------------------------------- results */

static struct dis_result refuse(enum dis_status status, const char *why)
{
	return (struct dis_result){.status = status, .why = why};
}

static struct dis_result more(size_t want)
{
	return (struct dis_result){.status = DIS_MORE, .want = want};
}

/* ---------------------------------------------------------------- what both events hold */

enum { HEAD_TEXT_MAX = 64, LIST_MAX = 26 };

/* One event while it is put together. A long answer becomes several events: their lists follow
 * each other. Aliases and addresses are at most LIST_MAX together. */
struct draft {
	struct dis_value head[N_FIELDS], answers[LIST_MAX], ttls[LIST_MAX];
	struct dis_value aliases[LIST_MAX], addresses[LIST_MAX];
	size_t n_head, n_answers, n_aliases, n_addresses;
	uint32_t flags, address_ttl;
	struct dns_text words;
	uint8_t words_room[HEAD_TEXT_MAX];
	struct dns_text lists;
	uint8_t lists_room[8 * DNS_RDATA_TEXT_MAX];
};

_Static_assert(N_FIELDS + 3 * LIST_MAX <= DIS_VALUES_MAX, "a full draft fits one event");

static void draft_init(struct draft *d)
{
	d->n_head = d->n_answers = d->n_aliases = d->n_addresses = 0;
	d->flags = 0;
	d->address_ttl = UINT32_MAX;
	d->words = (struct dns_text){.p = d->words_room, .max = sizeof d->words_room};
	d->lists = (struct dns_text){.p = d->lists_room, .max = sizeof d->lists_room};
}

static struct dis_value text_value(enum field field, const struct dns_text *t, size_t from)
{
	return (struct dis_value){.field = (uint16_t)field,
				  .text = bytes_of(t->p + from, t->n - from)};
}

static void put_text(struct draft *d, enum field field, struct bytes text)
{
	d->head[d->n_head++] = (struct dis_value){.field = (uint16_t)field, .text = text};
}

static void put_number(struct draft *d, enum field field, uint64_t number)
{
	d->head[d->n_head++] = (struct dis_value){.field = (uint16_t)field, .number = number};
}

static void put_question(struct draft *d, const struct dns_message *m)
{
	if (m->name.n == 0)
		return;
	put_text(d, F_RRNAME, bytes_of(m->name.text, m->name.n));
	size_t from = d->words.n;
	dns_put_type(&d->words, m->type);
	d->head[d->n_head++] = text_value(F_RRTYPE, &d->words, from);
	from = d->words.n;
	dns_put_class(&d->words, m->class);
	d->head[d->n_head++] = text_value(F_RRCLASS, &d->words, from);
	put_number(d, F_NAME_LENGTH, m->name.wire);
}

static void put_head(struct draft *d, const struct dns_message *m)
{
	put_text(d, F_TYPE, bytes_str(m->is_reply ? "answer" : "query"));
	put_number(d, F_ID, m->id);
	dns_put_opcode(&d->words, m->opcode);
	d->head[d->n_head++] = text_value(F_OPCODE, &d->words, 0);
	put_question(d, m);
	/* What the other operations do to a name is not understood. */
	if (m->opcode != DNS_OPCODE_QUERY)
		d->flags |= DIS_UNPROVEN;
}

static void add_values(struct dis_value *to, size_t *n, const struct dis_value *from, size_t count)
{
	if (count)
		memcpy(to + *n, from, count * sizeof *from);
	*n += count;
}

/* Emits what there is and empties the lists. */
static void emit(const struct dis_sink *sink, enum dis_kind kind, struct draft *d)
{
	struct dis_value v[DIS_VALUES_MAX];
	size_t n = 0;
	add_values(v, &n, d->head, d->n_head);
	add_values(v, &n, d->answers, d->n_answers);
	add_values(v, &n, d->ttls, d->n_answers);
	add_values(v, &n, d->aliases, d->n_aliases);
	add_values(v, &n, d->addresses, d->n_addresses);
	if (d->n_addresses)
		v[n++] = (struct dis_value){.field = F_ADDRESS_TTL, .number = d->address_ttl};
	const struct dis_event e = {.kind = kind, .flags = d->flags, .values = v, .n_values = n};
	sink->event(sink->ctx, &e);
	d->n_answers = d->n_aliases = d->n_addresses = d->lists.n = 0;
}

static void emit_claim(const struct dis_sink *sink)
{
	const struct dis_event e = {.kind = DIS_CLAIM};
	sink->event(sink->ctx, &e);
}

/* ---------------------------------------------------------------- requests */

static const char *check_query(const struct dns_message *m)
{
	if (m->counts[DNS_ANSWER])
		return "answers in a query";
	if (m->counts[DNS_AUTHORITY] && m->type != DNS_TYPE_IXFR)
		return "an authority section in a query";
	if (m->rcode)
		return "a response code in a query";
	return NULL;
}

/* NULL: *m is right. The bodies of other operations than QUERY are not read. */
static const char *parse_message(struct bytes message, enum dis_dir dir, struct dns_message *m)
{
	struct dns_reader d = dns_reader_at(message, 0);
	if (!dns_read_head(&d, m))
		return d.why ? d.why : "a message cut short";
	if (m->is_reply != (dir == DIS_TO_CLIENT))
		return m->is_reply ? "an answer from the client" : "a query from the server";
	if (m->opcode != DNS_OPCODE_QUERY)
		return NULL;
	if (m->counts[DNS_QUESTION] > 1)
		return "more than one question";
	const char *why = m->is_reply ? NULL : check_query(m);
	return why ? why : dns_check_records(m);
}

static const char *parse_request(struct bytes message, struct dns_message *m)
{
	const char *why = parse_message(message, DIS_TO_SERVER, m);
	if (why)
		return why;
	if (m->opcode == DNS_OPCODE_QUERY && m->counts[DNS_QUESTION] == 0)
		return "a query without a question";
	return NULL;
}

static void put_signs(struct draft *d, struct signs *signs, const struct dns_message *m)
{
	if (m->name.n == 0)
		return;
	put_number(d, F_LABEL_LENGTH, signs_label_length(&m->name));
	put_number(d, F_ENTROPY, signs_entropy(&m->name));
	put_number(d, F_UNIQUE_NAMES, signs_count(signs, &m->name));
}

static void emit_request(const struct dns_message *m, struct signs *signs,
			 const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put_head(&d, m);
	put_signs(&d, signs, m);
	emit(sink, DIS_REQUEST, &d);
}

/* ---------------------------------------------------------------- what was asked */

/* Of name, type and class; for another operation of its opcode alone: its answers may omit the
 * rest. */
static uint64_t question_hash(const struct dns_message *m)
{
	const uint8_t kind[] = {(uint8_t)(m->type >> 8), (uint8_t)m->type, (uint8_t)(m->class >> 8),
				(uint8_t)m->class};
	if (m->opcode != DNS_OPCODE_QUERY)
		return dns_hash(DNS_HASH_START, bytes_of(&m->opcode, 1));
	return dns_hash(dns_hash(DNS_HASH_START, bytes_of(kind, sizeof kind)),
			bytes_of(m->name.text, m->name.n));
}

static enum asked_kind kind_of(const struct dns_message *m)
{
	if (m->opcode != DNS_OPCODE_QUERY)
		return ASKED_OTHER;
	return m->type == DNS_TYPE_AXFR || m->type == DNS_TYPE_IXFR ? ASKED_TRANSFER : ASKED_QUERY;
}

/* The i-th newest. */
static size_t slot_of(const struct dns_state *s, size_t i)
{
	return i < s->next ? s->next - 1 - i : s->next + DNS_ASKED_MAX - 1 - i;
}

static struct asked *find_asked(struct dns_state *s, uint16_t id, uint64_t question)
{
	for (size_t i = 0; i < s->n; i++) {
		struct asked *a = &s->asked[slot_of(s, i)];
		if (a->id == id && a->question == question)
			return a;
	}
	return NULL;
}

/* The newest that may be answered without its question. */
static struct asked *find_bare(struct dns_state *s, const struct dns_message *m)
{
	for (size_t i = 0; i < s->n; i++) {
		struct asked *a = &s->asked[slot_of(s, i)];
		if (a->id != m->id || a->kind == ASKED_OTHER)
			continue;
		if (a->kind == ASKED_TRANSFER || (m->rcode && m->counts[DNS_ANSWER] == 0))
			return a;
	}
	return NULL;
}

static void note_asked(struct dns_state *s, const struct dns_message *m)
{
	const uint64_t question = question_hash(m);
	struct asked *a = find_asked(s, m->id, question);
	if (!a) {
		a = &s->asked[s->next];
		*a = (struct asked){.question = question, .id = m->id, .kind = kind_of(m) & 0xf};
		s->next = (uint8_t)((s->next + 1) % DNS_ASKED_MAX);
		s->n = (uint8_t)(s->n < DNS_ASKED_MAX ? s->n + 1 : DNS_ASKED_MAX);
	}
	if (a->n_open < UINT8_MAX)
		a->n_open++;
}

/* ---------------------------------------------------------------- the addresses of an answer */

/* What the records of one answer may come to as text: far more than servers make of them, and a
 * bound on what pointers to long names can. */
enum { TEXT_LEAST = 8192, TEXT_PER_BYTE = 6, OWNERS_LEAST = 1024, OWNERS_PER_BYTE = 1 };

/* text: bytes written so far. is_on_way: the owner of the record at hand is one of the chain's;
 * known from the record before where that has the same. */
struct listing {
	struct draft *d;
	const struct dis_sink *sink;
	struct dns_chain chain;
	size_t text;
	bool is_on_way;
};

static bool has_room(const struct draft *d)
{
	return d->lists.max - d->lists.n >= DNS_RDATA_TEXT_MAX &&
	       d->n_aliases + d->n_addresses < LIST_MAX;
}

static void add_address(void *ctx, struct bytes address)
{
	struct listing *l = ctx;
	struct draft *d = l->d;
	if (!has_room(d))
		emit(l->sink, DIS_REPLY, d);
	const size_t from = d->lists.n;
	dns_put_address(&d->lists, address);
	d->addresses[d->n_addresses++] = text_value(F_ADDRESSES, &d->lists, from);
}

static void add_aliases(struct listing *l, struct bytes message)
{
	struct draft *d = l->d;
	for (size_t i = 0; i < l->chain.n_targets; i++) {
		struct dns_reader reader = dns_reader_at(message, l->chain.targets[i]);
		struct dns_name name;
		if (!has_room(d))
			emit(l->sink, DIS_REPLY, d);
		const size_t from = d->lists.n;
		dns_read_name(&reader, &name);
		dns_put(&d->lists, bytes_of(name.text, name.n));
		d->aliases[d->n_aliases++] = text_value(F_ALIASES, &d->lists, from);
	}
}

static bool has_addresses(uint16_t type)
{
	return type == DNS_TYPE_A || type == DNS_TYPE_AAAA || type == DNS_TYPE_SVCB ||
	       type == DNS_TYPE_HTTPS;
}

static void add_addresses(struct listing *l, struct bytes message, const struct dns_record *r)
{
	if (l->is_on_way && r->class == DNS_CLASS_IN && has_addresses(r->type))
		dns_each_address(message, r, add_address, l);
}

/* What must hold for the first event of an answer as for the last: the least TTL, and that there
 * are no addresses of other names, which some resolvers' answer are, too: musl's, Go's. */
static void weigh_addresses(struct listing *l, const struct dns_message *m)
{
	struct dns_reader at = dns_reader_at(m->all, m->records_at);
	struct dns_record r;
	size_t owners = 0; /* their text: pointers to long names make much of little */
	l->d->address_ttl = l->chain.ttl;
	l->d->flags |= l->chain.is_cut ? DIS_UNPROVEN : 0;
	r.owner_pointer = 0;
	for (unsigned i = 0; i < m->counts[DNS_ANSWER]; i++) {
		if (owners > OWNERS_LEAST + OWNERS_PER_BYTE * m->all.n) {
			l->d->flags |= DIS_UNPROVEN;
			return;
		}
		if (dns_read_record(&at, &r)) {
			owners += r.owner.n;
			l->is_on_way = dns_chain_has(&l->chain, &r.owner);
		}
		if (r.class != DNS_CLASS_IN || !has_addresses(r.type))
			continue;
		if (!l->is_on_way)
			l->d->flags |= DIS_UNPROVEN;
		else if (dns_ttl(&r) < l->d->address_ttl)
			l->d->address_ttl = dns_ttl(&r);
	}
}

static void add_answer(struct listing *l, struct bytes message, const struct dns_record *r)
{
	struct draft *d = l->d;
	if (d->n_answers == LIST_MAX || d->lists.max - d->lists.n < DNS_RDATA_TEXT_MAX)
		emit(l->sink, DIS_REPLY, d);
	const size_t from = d->lists.n;
	struct dns_text t = {.p = d->lists.p, .n = from, .max = from + DNS_RDATA_TEXT_MAX};
	dns_put_data(&t, message, r);
	d->answers[d->n_answers] = text_value(F_ANSWERS, &t, from);
	d->ttls[d->n_answers++] = (struct dis_value){.field = F_TTL, .number = dns_ttl(r)};
	d->lists.n = t.n;
	l->text += t.n - from;
}

/* Who is told that there is no such name, or asked something else, learns no address. A transfer
 * tells of a whole zone. */
static bool is_learned(const struct dns_message *m)
{
	return m->rcode == 0 && m->class == DNS_CLASS_IN && m->name.n > 0 &&
	       kind_of(m) == ASKED_QUERY;
}

static void put_answers(struct draft *d, const struct dns_message *m, const struct dis_sink *sink)
{
	struct dns_reader at = dns_reader_at(m->all, m->records_at);
	struct dns_record r;
	struct listing l = {.d = d, .sink = sink};
	const bool learns = is_learned(m);
	if (learns) {
		dns_chain_follow(&l.chain, m);
		weigh_addresses(&l, m);
		add_aliases(&l, m->all);
	}
	r.owner_pointer = 0;
	for (unsigned i = 0; i < m->counts[DNS_ANSWER]; i++) {
		if (l.text > TEXT_LEAST + TEXT_PER_BYTE * m->all.n) {
			d->flags |= DIS_UNPROVEN;
			return;
		}
		if (dns_read_record(&at, &r)) {
			l.text += r.owner.n;
			l.is_on_way = learns && dns_chain_has(&l.chain, &r.owner);
		}
		add_answer(&l, m->all, &r);
		if (learns)
			add_addresses(&l, m->all, &r);
	}
}

static void emit_reply(const struct dns_message *m, const struct dis_sink *sink)
{
	struct draft d;
	draft_init(&d);
	put_head(&d, m);
	const size_t from = d.words.n;
	dns_put_rcode(&d.words, m->rcode);
	d.head[d.n_head++] = text_value(F_RCODE, &d.words, from);
	if (m->opcode == DNS_OPCODE_QUERY)
		put_answers(&d, m, sink);
	emit(sink, DIS_REPLY, &d);
}

/* ---------------------------------------------------------------- one message */

static const char *take_request(struct dns_state *s, struct bytes message,
				const struct dis_sink *sink)
{
	struct dns_message m;
	const char *why = parse_request(message, &m);
	if (why)
		return why;
	emit_request(&m, &s->signs, sink);
	note_asked(s, &m);
	return NULL;
}

static struct asked *find_question(struct dns_state *s, const struct dns_message *m)
{
	const bool is_bare = m->opcode == DNS_OPCODE_QUERY && m->counts[DNS_QUESTION] == 0;
	return is_bare ? find_bare(s, m) : find_asked(s, m->id, question_hash(m));
}

/* `a` is what this answers. Emits, unless it is the same once more. */
static const char *take_answer(struct asked *a, const struct dns_message *m,
			       const struct dis_sink *sink)
{
	const uint32_t hash = (uint32_t)dns_hash(DNS_HASH_START, m->all);
	const bool is_repeat = a->has_answer && a->answer == hash;
	if (a->n_open == 0 && a->kind != ASKED_TRANSFER)
		return is_repeat ? NULL : "a second, different answer to one question";
	emit_reply(m, sink);
	if (a->n_open)
		a->n_open--;
	a->answer = hash;
	a->has_answer = 1;
	return NULL;
}

static const char *take_reply(struct dns_state *s, struct bytes message,
			      const struct dis_sink *sink)
{
	struct dns_message m;
	const char *why = parse_message(message, DIS_TO_CLIENT, &m);
	if (why)
		return why;
	struct asked *a = find_question(s, &m);
	return a ? take_answer(a, &m, sink) : "an answer to no question";
}

static const char *take_message(struct dns_state *s, enum dis_dir dir, struct bytes message,
				const struct dis_sink *sink)
{
	return dir == DIS_TO_SERVER ? take_request(s, message, sink) : take_reply(s, message, sink);
}

/* ---------------------------------------------------------------- claim */

enum { CLAIM_COUNT_MAX = 16 }; /* of records in a first message: an OPT, a signature, hardly more */

enum { NETBIOS_LABEL = 32, NETBIOS_NB = 32, NETBIOS_NBSTAT = 33 };

/* The NetBIOS name service has the format of DNS, but other names and other types (RFC 1002 4.2.1).
 */
static bool is_netbios(const struct dns_message *m)
{
	struct bytes label = bytes_slice(m->all, DNS_HEADER_SIZE, 1 + NETBIOS_LABEL);
	if (label.n <= NETBIOS_LABEL || label.p[0] != NETBIOS_LABEL)
		return false;
	for (size_t i = 1; i < label.n; i++)
		if (label.p[i] < 'A' || label.p[i] > 'P')
			return false;
	return m->type == NETBIOS_NB || m->type == NETBIOS_NBSTAT;
}

/* A header that asks, and a question that can be read. missing: how many more bytes it takes to
 * know. */
static bool is_query(struct bytes message, size_t *missing)
{
	struct dns_reader d = dns_reader_at(message, 0);
	struct dns_message m;
	const bool is_whole = dns_read_head(&d, &m);
	*missing = d.r.missing;
	if (message.n < DNS_HEADER_SIZE)
		return false;
	bool is_plausible = !m.is_reply && m.counts[DNS_QUESTION] > 0;
	for (int i = 0; i < DNS_SECTIONS; i++)
		is_plausible = is_plausible && m.counts[i] <= CLAIM_COUNT_MAX;
	if (!is_plausible)
		*missing = 0;
	return is_plausible && is_whole && !is_netbios(&m);
}

/* True: claimed. False: *missing more bytes are needed, or (0) it is no query. */
static bool claim(struct dns_state *s, struct bytes message, const struct dis_sink *sink,
		  size_t *missing)
{
	if (!s->is_claimed && is_query(message, missing)) {
		s->is_claimed = 1;
		emit_claim(sink);
	}
	return s->is_claimed;
}

/* ---------------------------------------------------------------- the dissector */

static const char not_dns[] = "no dns query";

static struct dis_result feed_datagram(struct dns_state *s, enum dis_dir dir, struct bytes in,
				       const struct dis_sink *sink)
{
	size_t missing;
	if (!claim(s, in, sink, &missing))
		return refuse(DIS_NOT_MINE, not_dns);
	const char *why = take_message(s, dir, in, sink);
	if (why)
		return refuse(DIS_MALFORMED, why);
	return (struct dis_result){.status = DIS_DONE, .consumed = in.n};
}

/* Before the claim nothing but the question is waited for, and never past the message's end. */
static struct dis_result feed_first(struct dns_state *s, struct bytes in, size_t whole,
				    const struct dis_sink *sink)
{
	size_t missing;
	const struct bytes message = bytes_slice(in, DNS_LENGTH_SIZE, whole - DNS_LENGTH_SIZE);
	if (claim(s, message, sink, &missing))
		return more(whole);
	if (missing == 0 || in.n >= whole || missing > whole - in.n)
		return refuse(DIS_NOT_MINE, not_dns);
	return more(in.n + missing);
}

/* Its header and question can still be read, or are. What comes in pieces is let through in pieces:
 * the first ones must not be something else. */
static bool may_become_message(struct bytes begin)
{
	struct dns_reader d = dns_reader_at(begin, 0);
	struct dns_message m;
	const bool is_readable = dns_read_head(&d, &m) || d.r.missing > 0;
	return is_readable && (begin.n < DNS_HEADER_SIZE || m.counts[DNS_QUESTION] <= 1);
}

static struct dis_result feed_stream(struct dns_state *s, enum dis_dir dir, struct bytes in,
				     const struct dis_sink *sink)
{
	struct reader r = reader_of(in);
	const size_t length = read_u16be(&r);
	if (!reader_ok(&r))
		return more(DNS_LENGTH_SIZE);
	const size_t whole = DNS_LENGTH_SIZE + length;
	if (length < DNS_HEADER_SIZE)
		return s->is_claimed ? refuse(DIS_MALFORMED, "a length shorter than a header")
				     : refuse(DIS_NOT_MINE, not_dns);
	if (whole > DIS_UNIT_MAX)
		return s->is_claimed ? refuse(DIS_LIMIT, "a message longer than can be held")
				     : refuse(DIS_NOT_MINE, not_dns);
	if (!s->is_claimed) {
		const struct dis_result first = feed_first(s, in, whole, sink);
		if (!s->is_claimed)
			return first;
	}
	const struct bytes message = bytes_slice(in, DNS_LENGTH_SIZE, length);
	if (in.n < whole && !may_become_message(message))
		return refuse(DIS_MALFORMED, "a message whose question cannot be read");
	if (in.n < whole)
		return more(whole);
	const char *why = take_message(s, dir, message, sink);
	if (why)
		return refuse(DIS_MALFORMED, why);
	return (struct dis_result){.status = DIS_DONE, .consumed = whole};
}

static struct dis_result dns_feed(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				  const struct dis_sink *sink)
{
	struct dns_state *s = state;
	if (dir == DIS_TO_CLIENT && !s->is_claimed)
		return refuse(DIS_NOT_MINE, "the server speaks first");
	return ip_proto == DNS_UDP ? feed_datagram(s, dir, in, sink)
				   : feed_stream(s, dir, in, sink);
}

/* ---------------------------------------------------------------- refusal */

static void put_u16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static size_t dns_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			 uint8_t *out)
{
	(void)state; /* an answer names its question: any order will do */
	size_t head = ip_proto == DNS_UDP ? 0 : DNS_LENGTH_SIZE;
	struct dns_message m;
	if (parse_request(bytes_from(unit, head), &m))
		return 0;
	size_t n = dns_refusal(&m, why, out + head);
	if (head)
		put_u16(out, (unsigned)n);
	return head + n;
}

/* ---------------------------------------------------------------- sentences of policy tests */

/* "A example.com", or "example.com" for A: writes the query and reads it as if it came from the
 * network. */
static bool dns_say(struct bytes text, const struct dis_sink *sink)
{
	uint8_t wire[DNS_HEADER_SIZE + DNS_NAME_MAX + 4] = {[2] = 0x01, [5] = 1};
	uint16_t type = DNS_TYPE_A;
	const size_t blank = bytes_find(text, ' ');
	if (blank < text.n && !dns_type_of(bytes_slice(text, 0, blank), &type))
		return false;
	const struct bytes name = blank < text.n ? bytes_from(text, blank + 1) : text;
	if (name.n == 0 || bytes_find(name, ' ') < name.n)
		return false;
	const size_t n = dns_name_to_wire(name, wire + DNS_HEADER_SIZE);
	if (n == 0)
		return false;
	put_u16(wire + DNS_HEADER_SIZE + n, type);
	put_u16(wire + DNS_HEADER_SIZE + n + 2, DNS_CLASS_IN);
	struct dns_message m;
	if (parse_request(bytes_of(wire, DNS_HEADER_SIZE + n + 4), &m))
		return false;
	struct signs signs = {0};
	emit_request(&m, &signs, sink);
	return true;
}

extern const struct dissector dns_dissector;
const struct dissector dns_dissector = {
	.name = "dns",
	.object = "dns",
	.ip_protos = {DNS_UDP, DNS_TCP},
	.state_size = sizeof(struct dns_state),
	.max_unit = DIS_UNIT_MAX,
	.fields = dns_fields,
	.n_fields = N_FIELDS,
	.feed = dns_feed,
	.refuse = dns_refuse,
	.say = dns_say,
};
