/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record layer in clear (RFC 8446 section 5.1): one handshake message out of as many records as
 * its sender chose to use.
 *
 *	16 0301 0003 | 01 00 00     16 0301 0001 | c4     16 0301 00c4 | 03 03 ...
 *	record         a part of the message
 *
 * Only records of handshake may stand between its first and its last byte: some receivers refuse
 * anything else there, others skip it.
 */
#ifndef TLS_RECORD_H
#define TLS_RECORD_H

#include "bridgewarden/dissect.h"

enum tls_content {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
};

enum {
	TLS_RECORD_HEADER = 5,
	TLS_FRAGMENT_MAX = 16384,	  /* of a record in clear */
	TLS_CIPHERTEXT_MAX = 16384 + 256, /* of one that is not */
	/* A hello in its records. Below the 16 KiB that are held for one whom nobody has claimed
	 * yet: a first hello is claimed when it is whole. Real ones have at most 2 KiB, and pass in
	 * records of one byte, too. */
	TLS_UNIT_MAX = 15 * 1024,
	TLS_MESSAGE_HEADER = 4, /* type, length */
};

struct tls_record {
	uint8_t type;
	uint16_t version;
	size_t length; /* of the fragment */
};

/* Reads the header at the front of `in`. NULL: read, or in.n is less than the header. */
const char *tls_read_header(struct bytes in, struct tls_record *out);

/* DIS_DONE: the message is in the first `end` bytes; its header included it has `length` bytes.
 * left: bytes of its last record that lie behind it, there or still to come. DIS_MORE: `want` is
 * the least in which it can be whole. */
struct tls_scan {
	enum dis_status status;
	const char *why;
	size_t length, end, left, want;
};

struct tls_scan tls_scan_message(struct bytes in, uint8_t type);

/* The message that a scan of the same `in` found: borrowed from `in` where one record has all of
 * it, else put together in room[TLS_UNIT_MAX]. */
struct bytes tls_join_message(struct bytes in, const struct tls_scan *scan, uint8_t *room);

#endif
