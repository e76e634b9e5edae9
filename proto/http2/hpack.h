/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HPACK (RFC 7541): the header blocks of one direction, read with the table that their receiver
 * keeps.
 *
 * The table keeps of an entry what can matter again: the length of its name and value, which
 * decide what is evicted; what its name means to http2; and its value where that name means
 * something. A field that means nothing costs the same whether it has ten bytes or four thousand,
 * and one byte that repeats it costs a byte's work.
 *
 * What must stay true: the table here has at every moment the entries that the receiver has, or the
 * block is refused. So the size is at most HPACK_TABLE_MAX, and whoever could announce more is
 * edited down (http2.c).
 */
#ifndef HPACK_H
#define HPACK_H

#include "bridgewarden/bytes.h"

enum {
	HPACK_TABLE_MAX =
		4096,	     /* octets as RFC 7541 section 4.1 counts them; what both begin with */
	HPACK_OVERHEAD = 32, /* of an entry, in that count */
	HPACK_ENTRIES_MAX = HPACK_TABLE_MAX / HPACK_OVERHEAD,
	HPACK_LIST_MAX = 64 * 1024, /* names and values of one block, decoded */
	HPACK_FIELDS_MAX = 104,	    /* http's 100 and the pseudo fields of a request */
	HPACK_NO_LIMIT = UINT16_MAX,
};

/* What a name means. At most 16: four bits of an entry. */
enum hpack_name {
	HPACK_OTHER,
	HPACK_METHOD,
	HPACK_SCHEME,
	HPACK_PATH,
	HPACK_AUTHORITY,
	HPACK_PROTOCOL,
	HPACK_STATUS,
	HPACK_HOST,
	HPACK_LENGTH,
	HPACK_EXPECT,
	HPACK_TYPE,
	HPACK_AGENT,
	HPACK_TE,
	HPACK_GRPC_STATUS,
	HPACK_CONNECTION, /* what HTTP/2 has no place for; refused, never in a table */
	HPACK_NAMES,
};

/* n_name and n_value: what was sent, even where nothing is kept. at: where the value begins. */
struct hpack_entry {
	uint16_t at : 12, name : 4;
	uint16_t n_name : 12;
	uint16_t n_value : 12;
};

/* A ring of entries and one of the bytes of their values; both lose the oldest first. Invariants:
 * size <= max <= HPACK_TABLE_MAX, and size counts at least 32 for each entry and 1 for each byte
 * in room, so that neither ring can overflow. */
struct hpack_table {
	uint16_t max;	/* what the encoder chose */
	uint16_t limit; /* what its receiver allows, and the encoder has acknowledged */
	uint16_t due;	/* the next block begins by choosing at most this; HPACK_NO_LIMIT: none */
	uint16_t size;
	uint16_t n, newest; /* entries; entry[newest] is index 62 */
	uint16_t end;	    /* in room, where the next value goes */
	struct hpack_entry entry[HPACK_ENTRIES_MAX];
	uint8_t room[HPACK_TABLE_MAX];
};

struct hpack_field {
	enum hpack_name name;
	struct bytes value; /* empty for HPACK_OTHER, and where is_again */
	bool is_again;	    /* a name that means something was in the block before */
	bool is_repeated;   /* the value is one of the dynamic table */
};

/* One block while it is read; borrows the block and the table. */
struct hpack_reader {
	struct reader in;
	struct hpack_table *table;
	const char *why; /* it cannot be read on; NULL: it could, so far */
	bool is_limit;	 /* ... because something is larger than we follow */
	uint32_t seen;	 /* bits of the names so far */
	size_t n_fields, n_updates, size, used;
	uint8_t room[HPACK_LIST_MAX];
};

void hpack_init(struct hpack_table *t);
/* The encoder acknowledged that its receiver allows so much. */
void hpack_set_limit(struct hpack_table *t, uint16_t limit);

void hpack_begin(struct hpack_reader *r, struct hpack_table *t, struct bytes block);
/* False: the block ends here, rightly or with r->why. */
bool hpack_next(struct hpack_reader *r, struct hpack_field *out);

/* Decodes into out[room]; the answer is the length, or SIZE_MAX with *why (NULL: it has no room).
 */
size_t hpack_huffman(struct bytes in, uint8_t *out, size_t room, const char **why);

#endif
