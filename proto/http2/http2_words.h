/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HTTP2_WORDS_H
#define HTTP2_WORDS_H

#include "bridgewarden/dissect.h"

/* As struct dissector's members. */
enum dis_due http2_due(const void *state);
size_t http2_refuse(const void *state, uint8_t ip_proto, struct bytes unit, struct bytes why,
		    uint8_t *out);

#endif
