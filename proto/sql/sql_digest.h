/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The digest of a statement: the same for all that differ in their literals alone.
 *
 * What is hashed are the tokens, a blank behind each: words that the grammar knows in lower case
 * (PostgreSQL: all without quotes), every literal as "?", a list of literals as one, numbers and
 * texts alike. Comments and blanks are no tokens. The hash is BLAKE2s (RFC 7693) of 8 bytes and
 * without a key: rules may allow a digest, so a statement with a digest of somebody's choice must
 * not be cheap to find, which rules out the faster hashes of tables.
 *
 * Zeroed memory is no beginning: sql_digest_init. Plain data, without padding.
 */
#ifndef SQL_DIGEST_H
#define SQL_DIGEST_H

#include "bridgewarden/bytes.h"

enum { SQL_DIGEST_BLOCK = 64, SQL_DIGEST_SIZE = 8, SQL_DIGEST_TEXT = 2 * SQL_DIGEST_SIZE };

struct sql_digest {
	uint32_t h[8];
	uint32_t n; /* bytes of whole blocks; wraps after 4 GiB of tokens, the same for all */
	uint8_t block[SQL_DIGEST_BLOCK];
	uint8_t n_block;
	uint8_t is_literal; /* the last token was one */
	uint8_t is_comma;   /* behind it came a comma, which is not hashed yet */
	uint8_t unused;
};

void sql_digest_init(struct sql_digest *d);
void sql_digest_literal(struct sql_digest *d);
void sql_digest_byte(struct sql_digest *d, uint8_t punct);
/* `mark` is its opening quote, or 0; is_folded: letters count as small ones. */
void sql_digest_word(struct sql_digest *d, uint8_t mark, struct bytes word, bool is_folded);

/* In hexadecimal digits. */
void sql_digest_end(const struct sql_digest *d, char out[SQL_DIGEST_TEXT]);

#endif
