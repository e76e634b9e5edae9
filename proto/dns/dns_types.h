/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of this dissector share among themselves. */
#ifndef DNS_TYPES_H
#define DNS_TYPES_H

#include "dns_message.h"

/* The first reason stays. */
void dns_fail(struct dns_reader *d, const char *why);
/* NULL when the data of the record is as its type wants. */
const char *dns_check_data(struct bytes message, const struct dns_record *record,
			   struct dns_memo *memo);

#endif
