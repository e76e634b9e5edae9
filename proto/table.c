/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of protocols. An app number is an index here. */
#include "bridgewarden/dissect.h"

extern const struct dissector tls_dissector, postgres_dissector;
extern const struct dissector http_dissector, mysql_dissector, redis_dissector, dns_dissector;

/* clang-format off */
const struct dissector *const dissectors[] = {
	&http_dissector,
	&mysql_dissector,
	&redis_dissector,
	&dns_dissector,
	&tls_dissector,
	&postgres_dissector,
};
/* clang-format on */
const size_t n_dissectors = sizeof(dissectors) / sizeof(dissectors[0]);
_Static_assert(sizeof(dissectors) / sizeof(dissectors[0]) <= DIS_APPS_MAX,
	       "an app set is a uint64_t");
