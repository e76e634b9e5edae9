/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and prefixes as text. Names of the verdict vocabulary live in names.c. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "bridgewarden/packet.h"

/* IPv4-mapped addresses print as dotted quads. Returns out. */
const char *ip_addr_print(const struct ip_addr *a, char out[IP_ADDR_TEXT]);
bool ip_addr_parse(const char *text, struct ip_addr *out);
/* "10.0.0.0/8", "fd00::/8" or an address (/32, /128); length counts in 128 bits. False: not a
 * prefix, or host bits are set. */
bool ip_prefix_parse(const char *text, struct ip_addr *addr, uint8_t *length);
bool ip_prefix_contains(const struct ip_addr *prefix, uint8_t length, const struct ip_addr *a);

#endif
