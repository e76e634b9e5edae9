/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protocols that are recognised and not read: what their dissectors share.
 *
 * A protocol is at most four proofs, one for each transport and side: functions that read the first
 * bytes of a side from front to back and fail at the first byte that cannot be the protocol's. The
 * reader's end is the answer:
 *
 *	ok        the bytes prove the protocol
 *	missing   all bytes so far fit, some are to come (over UDP: no)
 *	bad       no
 *
 * What must stay true of a proof: more bytes never change a yes or a no, so it may not look at how
 * many bytes are there, except over UDP, where a datagram is whole and its length is evidence. It
 * asks for no byte beyond IDENT_UNIT_MAX, and compares each byte before it asks for the next ones.
 * No two proofs hold for the same first bytes (tests/proto/test_ident.c). ident.md says for each
 * protocol what proves it.
 */
#ifndef IDENT_IDENT_H
#define IDENT_IDENT_H

#include "bridgewarden/dissect.h"
#include "tls/tls_record.h"

enum {
	IDENT_UNIT_MAX = 2048, /* most bytes of one side that are ever waited for */
	IDENT_TALK_MAX = 8192, /* of a line between the opening and TLS */
	IDENT_LINE_MAX = 1024, /* of a text protocol's line; SMTP, FTP and IRC stay below 512 */
	IDENT_TCP = 6,
	IDENT_UDP = 17,
};

typedef void ident_proof(struct reader *r);

/* Where a conversation that may turn to TLS is. What is said in clear has no place between the
 * question and the hello: one side would read it as sent before, the other as sent under TLS. */
enum ident_phase {
	IDENT_CLEAR,  /* units of both sides are read one by one */
	IDENT_MAY,    /* in clear, or the client's hello now: the server offered it */
	IDENT_ASKED,  /* the client waits for the answer, and says nothing before it */
	IDENT_AGREED, /* the client's hello comes next, and nothing else of either side */
	IDENT_LEFT,   /* nothing more is read */
};

enum {
	IDENT_PENDING_MAX = 250, /* commands sent ahead: mail names its recipients at once */
	IDENT_TAG_MAX = 32,
};

/* What the units of a conversation leave. Zeroed: nothing was said. */
struct ident_talk {
	uint8_t phase;		      /* enum ident_phase */
	uint8_t has_greeted, is_amid; /* the server has; it is amid an answer of several lines */
	uint8_t n_pending;	      /* commands whose answers are to come */
	uint32_t is_long;	      /* bit i: the i-th answer to come has lines up to "." */
	uint32_t number;	      /* of the message that asked for TLS, or of messages */
	uint8_t code[3];	      /* of the answer that it is amid */
	uint8_t n_tag, tag[IDENT_TAG_MAX]; /* of the command that asked for TLS */
};

/* Reads one unit, up to where the reader then stands. What it leaves in the talk is kept when the
 * unit was whole and right. Returns how many bytes behind it nobody needs to see. */
typedef uint64_t ident_unit(struct ident_talk *t, struct reader *r);

/* Who may speak first. */
enum ident_opener { IDENT_CLIENT, IDENT_SERVER, IDENT_EITHER };

/* What is not there (NULL) is not asked for: where the second side proves nothing, the first does.
 */
struct ident {
	enum ident_opener opener;
	ident_proof *tcp[2], *udp[2]; /* by enum dis_dir */
	/* Over TCP, where it may turn to TLS: both or none. The first unit of a side is read when
	 * its proof has held for the same bytes. */
	ident_unit *unit[2];
};

/* Zeroed: nobody has spoken. is_proven[] by enum dis_dir. */
struct ident_state {
	uint8_t is_claimed, is_proven[2], spare;
	struct ident_talk talk;
};

enum { IDENT_N_FIELDS = 1, IDENT_N_FIELDS_TLS = 3 };
extern const struct dis_field ident_fields[IDENT_N_FIELDS_TLS];

struct dis_result ident_feed(const struct ident *id, struct ident_state *st, uint8_t ip_proto,
			     enum dis_dir dir, struct bytes in, const struct dis_sink *sink);

/* A feed called `name`, of the `struct ident` behind it. */
#define IDENT_FEED(name, ...)                                                                      \
	static struct dis_result name(void *state, uint8_t ip_proto, enum dis_dir dir,             \
				      struct bytes in, const struct dis_sink *sink)                \
	{                                                                                          \
		static const struct ident this = {__VA_ARGS__};                                    \
		return ident_feed(&this, state, ip_proto, dir, in, sink);                          \
	}

/* What IDENT_DISSECTOR and its kin set besides. */
#define IDENT_PLAIN	      .max_unit = IDENT_UNIT_MAX, .n_fields = IDENT_N_FIELDS
#define IDENT_TLS	      .max_unit = TLS_UNIT_MAX, .n_fields = IDENT_N_FIELDS_TLS
#define IDENT_MEMBERS(...)    __VA_ARGS__

/* NAME_dissector, of the `struct ident` behind it; ..._TLS: of one that has units; ..._IN_GROUP:
 * with a `struct dis_multicast`. */
#define IDENT_DISSECTOR(...)     IDENT_DISSECTOR_OF(IDENT_MEMBERS(IDENT_PLAIN), __VA_ARGS__)
#define IDENT_DISSECTOR_TLS(...) IDENT_DISSECTOR_OF(IDENT_MEMBERS(IDENT_TLS), __VA_ARGS__)
#define IDENT_IN_GROUP(id, first_proto, second_proto, its_group, ...)                              \
	IDENT_DISSECTOR_OF(IDENT_MEMBERS(IDENT_PLAIN, .group = its_group), id, first_proto,        \
			   second_proto, __VA_ARGS__)
#define IDENT_DISSECTOR_OF(members, id, first_proto, second_proto, ...)                            \
	IDENT_FEED(id##_feed, __VA_ARGS__)                                                         \
	extern const struct dissector id##_dissector;                                              \
	const struct dissector id##_dissector = {                                                  \
		.name = #id,                                                                       \
		.object = #id,                                                                     \
		.ip_protos = {first_proto, second_proto},                                          \
		.state_size = sizeof(struct ident_state),                                          \
		.is_sealed = true,                                                                 \
		.fields = ident_fields,                                                            \
		.feed = id##_feed,                                                                 \
		members,                                                                           \
	}

/* ---- what proofs are made of ---- */

/* The next bytes are these. The macro takes a literal, which may hold NUL. */
void ident_bytes(struct reader *r, struct bytes literal);
#define ident_text(r, literal) ident_bytes(r, bytes_of(literal, sizeof(literal) - 1))
/* The next bytes are one of these texts, of which the first that fits is consumed. Ends with NULL.
 */
void ident_begins(struct reader *r, const char *const *forms);
/* The next byte is one of them; returned. */
uint8_t ident_one_of(struct reader *r, struct bytes set);
/* A number in a range: compared when it is whole. */
void ident_check(struct reader *r, bool holds);
uint8_t ident_u8(struct reader *r, uint8_t low, uint8_t high);
uint32_t ident_u16(struct reader *r, uint32_t low, uint32_t high);
uint32_t ident_u32(struct reader *r, uint32_t low, uint32_t high);
void ident_zeroes(struct reader *r, size_t n);
/* n bytes of visible ASCII. */
struct bytes ident_visible(struct reader *r, size_t n);
/* A line of text up to LF, which is consumed; without the CR before it. Control bytes but tab are
 * no text. */
struct bytes ident_line(struct reader *r);
/* Lines of a talk, of at most IDENT_TALK_MAX bytes. A client's ends with CR LF and has no other
 * control byte: some servers end a line at any of the two. A server's ends with LF: where a client
 * reads on, the server has to say more, which nobody may who has agreed to TLS. */
struct bytes ident_client_line(struct reader *r);
struct bytes ident_server_line(struct reader *r);
/* A run of 1 to max bytes of [A-Za-z], ended by any other byte, which is not consumed. */
struct bytes ident_word(struct reader *r, size_t max);
/* Is `word` in this row of words, which blanks part? Any case. */
bool ident_has(const char *row, struct bytes word);
/* The input ends here: of datagrams. */
void ident_end(struct reader *r);
/* Does `text` hold `needle` (lower case), in any case? */
bool ident_finds(struct bytes text, const char *needle);

/* A tag and a length as BER has them (X.690), definite form of at most four bytes; returns the
 * length. */
size_t ident_ber(struct reader *r, uint8_t tag);
size_t ident_ber_any(struct reader *r, uint8_t *tag);
/* An INTEGER or ENUMERATED of 1 to 5 bytes that is not negative. */
uint64_t ident_ber_number(struct reader *r, uint8_t tag);

#endif
