/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contract of a protocol dissector.
 *
 * A dissector is a function of (state, input) only: no input/output, clock, allocation, writable
 * globals or kept pointers. Zeroed memory is its first state; it owns nothing; its state is plain
 * data that may be copied, and continued by another process. That is why the same code runs in the
 * engine, under replay, in fuzzers and in policy tests, and why an engine can be replaced under
 * load.
 *
 * The engine buffers. Each call shows, as one slice, all bytes of one direction that are not yet
 * consumed. A call judges at most ONE unit (a request, a statement, a command, a message) and says
 * how it went:
 *
 *   DIS_MORE       the unit is not whole yet; `want` says how long the next slice must be at least
 *                  (want > in.n, want <= max_unit). Nothing is consumed. No REQUEST event was
 *                  emitted for it.
 *   DIS_DONE       one unit ends after `consumed` bytes; `skip` bytes after that nobody needs to
 *                  see (a body). consumed + skip > 0. The engine calls again with the rest, if any.
 *   DIS_NOT_MINE   these bytes are another protocol. Only before the first event.
 *   DIS_MALFORMED  after the claim: bytes that two receivers could read differently, or that no
 *                  implementation would send.
 *   DIS_LIMIT      a unit longer than max_unit, or a table of the state is full.
 *   DIS_STOPPED    from byte `consumed` on the stream is opaque to this dissector for good (TLS
 *                  began, a tunnel was opened). A DIS_OPAQUE event says why. Feed is not called
 *                  again.
 *
 * Because only whole units are consumed, where the network cuts the bytes cannot change the events.
 * What a dissector learns from a partial unit it must forget: state changes only together with
 * DIS_DONE or DIS_STOPPED, with two exceptions:
 *
 *   the claim   DIS_CLAIM, the first event, may come with DIS_MORE and nothing consumed.
 *   a mark      After the claim a call may leave how much of the partial unit it has searched, so
 *               that the next call, which is shown the same bytes and more, need not search them
 *               again. A mark saves work and nothing else: a state without it, as it was when the
 *               unit began, gives the same answer and the same events to the same slice, and both
 *               states are equal once no unit is partial.
 *
 * The first event is the claim ("these bytes are mine") and must be DIS_CLAIM. It is emitted once,
 * as early as the bytes prove the protocol, since until then every byte is held back from the
 * receiver. Before it, the state stays zero: the engine starts from zeroed memory at each attempt
 * until the claim. After a claim with DIS_MORE the state may be non-zero (it records "claimed").
 *
 * Who speaks first is part of the protocol: a server-first dissector (mysql) answers NOT_MINE to
 * client bytes that come before the server's; a client-first dissector (http) to server bytes that
 * come first.
 */
#ifndef BRIDGEWARDEN_DISSECT_H
#define BRIDGEWARDEN_DISSECT_H

#include "bridgewarden/bytes.h"

enum {
	DIS_STATE_MAX = 12 * 1024, /* state_size of any dissector; one pool slot of the engine */
	DIS_UNIT_MAX = 64 * 1024,  /* max_unit of any dissector */
	DIS_VALUES_MAX =
		96,	   /* values in one event; what does not fit makes the event DIS_UNPROVEN */
	DIS_APPS_MAX = 64, /* dissectors; a set of them is one uint64_t */
	DIS_REFUSAL_MAX = 1024, /* a refusal in the client's protocol */
	DIS_WHY_MAX = 200,	/* the sentence in it */
};

enum dis_dir { DIS_TO_SERVER, DIS_TO_CLIENT };

enum dis_status { DIS_MORE, DIS_DONE, DIS_NOT_MINE, DIS_MALFORMED, DIS_LIMIT, DIS_STOPPED };

struct dis_result {
	enum dis_status status;
	size_t consumed; /* <= in.n; not shown again */
	size_t want;	 /* DIS_MORE: least length of the next slice, in.n+1..max_unit */
	uint64_t skip;	 /* DIS_DONE: opaque bytes after consumed that nobody needs to see */
	const char *why; /* static text, lower case, for MALFORMED, LIMIT, NOT_MINE; else NULL */
};

enum dis_kind {
	DIS_CLAIM,   /* first event; no values needed */
	DIS_SESSION, /* a login or other fact about the connection: judged on the keys whose fields
			it has */
	DIS_REQUEST, /* a unit that policy judges: every constraint of a rule applies */
	DIS_REPLY,   /* recorded; judged on the keys whose fields it has (status) */
	DIS_OPAQUE, /* what follows cannot be read; the value of the field "opaque" says why: "tls",
		       "tunnel"... */
};

enum {
	/* Event flag: the dissector could not prove the fields (unknown grammar, too many values,
	 * key positions unknown). Policy denies unless a rule allows without constraints or says
	 * `unparsed: allow`. */
	DIS_UNPROVEN = 1u << 0,
};

/* One value of a field. A list field has several values in a row with the same index. */
struct dis_value {
	uint16_t field;	   /* index in dissector->fields */
	struct bytes text; /* DIS_STRING; borrowed for the time of the call */
	uint64_t number;   /* DIS_NUMBER */
};

struct dis_event {
	enum dis_kind kind;
	uint32_t flags;
	const struct dis_value *values; /* borrowed for the time of the call */
	size_t n_values;
};

/* Where a dissector puts what it found. Both functions are set; neither keeps a pointer. */
struct dis_sink {
	void (*event)(void *ctx, const struct dis_event *event);
	/* Replace in.p[offset..] by bytes of the same length before they are forwarded (clear an
	 * offer of compression). Only for bytes that this call consumes. */
	void (*edit)(void *ctx, size_t offset, struct bytes replacement);
	void *ctx;
};

enum dis_type { DIS_STRING, DIS_NUMBER };

/* How a constraint's pattern is compared with a value. A value list must match wholly to allow,
 * anywhere to deny. */
enum dis_match {
	DIS_MATCH_GLOB,	  /* case-sensitive; * any run, ? one byte */
	DIS_MATCH_NOCASE, /* the same, ASCII case folded */
	DIS_MATCH_PATH,	  /* * stops at '/', ** does not */
	DIS_MATCH_WORD,	  /* one of `words` or a group, ASCII case folded; anything else is a load
			     error */
};

/* What of the server's replies is still to come before words of ours may stand in their place. */
enum dis_due {
	DIS_DUE_NOTHING,
	DIS_DUE_OTHERS, /* the client would understand the words, but lose replies by the end that
			   follows them */
	DIS_DUE_FIRST,	/* the client would take the words for one of the replies */
};

/* A name for several words: mysql "read", redis "@write". Tables end with a NULL name / NULL
 * member. */
struct dis_group {
	const char *name;
	const char *const *members;
};

struct dis_field {
	const char *name; /* in records and explanations: "http_method", "tables" */
	const char *key;  /* the constraint of the policy file: "methods"; NULL: recorded only */
	enum dis_type type;
	enum dis_match match;
	bool is_list;		  /* a record shows an array; events may hold several values */
	const char *const *words; /* DIS_MATCH_WORD: the closed set, NULL-terminated, lower case */
	const struct dis_group *groups; /* may be NULL */
};

/* A multicast service whose bytes are another protocol's, or may be: what proves it is where they
 * are sent. Datagrams to this port of these groups are shown to this dissector alone, by this feed.
 * Addresses as struct ip_addr has them: IPv4 behind ::ffff. */
struct dis_multicast {
	uint16_t port;
	uint8_t addr[2][16];
	struct dis_result (*feed)(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				  const struct dis_sink *sink);
};

struct dissector {
	const char *name;     /* in policy: "postgres" */
	const char *object;   /* in records: "pgsql" */
	uint8_t ip_protos[2]; /* IPPROTO_TCP and/or IPPROTO_UDP; 0 = none */
	size_t state_size;    /* <= DIS_STATE_MAX */
	size_t max_unit;      /* <= DIS_UNIT_MAX: most bytes ever held back per direction */
	bool is_sealed; /* judges how a connection opens; the rest is opaque by nature (tls) */
	/* The same requests in other words on the wire, as HTTP/2 is of HTTP: rules for that
	 * protocol judge this one too, and `fields` are the very same. NULL: a protocol of its own.
	 */
	const struct dissector *variant_of;
	const struct dis_field *fields;
	size_t n_fields;
	/* Over UDP each datagram is one slice and must be consumed whole or refused; DIS_MORE is
	 * malformed there. */
	struct dis_result (*feed)(void *state, uint8_t ip_proto, enum dis_dir dir, struct bytes in,
				  const struct dis_sink *sink);
	const struct dis_multicast *group; /* NULL: none; elsewhere `feed` holds */
	/* Must the next server bytes be shown, for requests to be read rightly? NULL: always. After
	 * a `false` the engine may stop showing the server's bytes for the rest of the connection.
	 */
	bool (*needs_replies)(const void *state);
	/* Where all that the server said was shown: which replies to requests before the one just
	 * refused are not through? NULL: `refuse` looks for itself. */
	enum dis_due (*due)(const void *state);
	/* What a server of this protocol would send to say that the unit just judged is refused:
	 * written to out[DIS_REFUSAL_MAX]; the answer is its length. The connection is closed
	 * behind it (over UDP nothing follows). `unit` is the refused unit as feed had it, `state`
	 * what feed left, `why` printable ASCII without quotes of at most DIS_WHY_MAX bytes. 0: the
	 * client would take it for something else (the reply to an earlier request is not through)
	 * or cannot be told; it gets a reset. NULL: never. */
	size_t (*refuse)(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
			 uint8_t *out);
	/* Emits the DIS_REQUEST event of one request written as in policy tests: "GET /x", "SELECT
	 * 1", "GET k", "A example.com". `text` has no outer quotes. False: cannot be read so;
	 * nothing was emitted. */
	bool (*say)(struct bytes text, const struct dis_sink *sink);
};

/* proto/table.c: the list is code that anyone can read. An app number is an index here. */
extern const struct dissector *const dissectors[];
extern const size_t n_dissectors;

#endif
