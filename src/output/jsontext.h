/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes that strangers chose, as JSON strings. JSON text is UTF-8; NUL and every byte that is no
 * part of valid UTF-8 (RFC 3629: no surrogates, no overlong forms) becomes the four characters
 * \xNN: any value gives a valid line. Control characters are left to the JSON encoder. New
 * references; NULL only when out of memory.
 */
#ifndef OUTPUT_JSONTEXT_H
#define OUTPUT_JSONTEXT_H

#include "bridgewarden/bytes.h"

#include <jansson.h>

json_t *json_text(struct bytes value);
/* Counts and ids: JSON integers here are signed 64 bits; what is larger is shown as the largest. */
json_t *json_count(uint64_t value);
/* Length of the valid UTF-8 sequence that b begins with; 0: none. */
size_t utf8_length(struct bytes b);

#endif
