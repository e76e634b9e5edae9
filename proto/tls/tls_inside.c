/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls_inside.h"

#include "tls/tls_record.h"

struct dis_result tls_read_inside(struct bytes in, struct tls_client_hello *out)
{
	uint8_t room[TLS_UNIT_MAX];
	const struct tls_scan scan = tls_scan_message(in, TLS_CLIENT_HELLO);
	struct dis_result r = {.status = scan.status, .why = scan.why, .want = scan.want};
	if (r.status != DIS_DONE)
		return r;
	r.consumed = scan.end;
	r.status = tls_parse_client_hello(tls_join_message(in, &scan, room), out, &r.why);
	if (r.status == DIS_DONE && scan.left > 0)
		r = (struct dis_result){.status = DIS_MALFORMED,
					.why = "bytes behind the hello in its record"};
	if (r.status != DIS_DONE)
		r.consumed = 0;
	return r;
}
