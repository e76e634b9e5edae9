/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of Initial packets, which anybody can derive who saw the client's first packet, and the
 * seal of Retry packets (RFC 9001 section 5, RFC 9369 section 3.3).
 */
#ifndef QUIC_KEYS_H
#define QUIC_KEYS_H

#include "bridgewarden/dissect.h"
#include "quic/quic_gcm.h"

enum {
	QUIC_V1 = 0x00000001,
	QUIC_V2 = 0x6b3343cf,
};

/* Of the packets of one side. */
struct quic_keys {
	struct quic_gcm packet;
	struct quic_aes header;
	uint8_t iv[QUIC_NONCE];
};

bool quic_is_known_version(uint32_t version); /* all below take none but these */
/* dcid: the Destination Connection ID that the client chose, or got in a Retry. */
void quic_keys_init(struct quic_keys *keys, uint32_t version, struct bytes dcid,
		    enum dis_dir sender);
/* Of a Retry packet without its last 16 bytes, in answer to an Initial sent to `dcid`. */
void quic_retry_tag(uint32_t version, struct bytes dcid, struct bytes packet,
		    uint8_t tag[QUIC_TAG]);

#endif
