/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of protocols. An app number is an index here. */
#include "bridgewarden/dissect.h"

extern const struct dissector tls_dissector, quic_dissector, postgres_dissector;
extern const struct dissector http2_dissector;
extern const struct dissector http_dissector, mysql_dissector, redis_dissector, dns_dissector;
/* ident/: recognised, not read */
extern const struct dissector ssh_dissector, vnc_dissector, rdp_dissector;
extern const struct dissector smtp_dissector, imap_dissector, pop3_dissector, ftp_dissector;
extern const struct dissector amqp_dissector, mqtt_dissector, nats_dissector, kafka_dissector;
extern const struct dissector mongodb_dissector, cassandra_dissector, memcached_dissector;
extern const struct dissector couchbase_dissector, zookeeper_dissector;
extern const struct dissector ldap_dissector, kerberos_dissector, radius_dissector;
extern const struct dissector sip_dissector, rtsp_dissector, rtcp_dissector;
extern const struct dissector smb_dissector, tds_dissector, tns_dissector;
extern const struct dissector ntp_dissector, dhcp_dissector, tftp_dissector, snmp_dissector;
extern const struct dissector syslog_dissector, mdns_dissector, llmnr_dissector;
extern const struct dissector wireguard_dissector, ike_dissector, bittorrent_dissector;

/* clang-format off */
const struct dissector *const dissectors[] = {
	&http_dissector,
	&http2_dissector,
	&mysql_dissector,
	&redis_dissector,
	&dns_dissector,
	&tls_dissector,
	&postgres_dissector,
	&quic_dissector,
	&ssh_dissector,
	&vnc_dissector,
	&rdp_dissector,
	&smtp_dissector,
	&imap_dissector,
	&pop3_dissector,
	&ftp_dissector,
	&amqp_dissector,
	&mqtt_dissector,
	&nats_dissector,
	&kafka_dissector,
	&mongodb_dissector,
	&cassandra_dissector,
	&memcached_dissector,
	&couchbase_dissector,
	&zookeeper_dissector,
	&ldap_dissector,
	&kerberos_dissector,
	&radius_dissector,
	&sip_dissector,
	&rtsp_dissector,
	&rtcp_dissector,
	&smb_dissector,
	&tds_dissector,
	&tns_dissector,
	&ntp_dissector,
	&dhcp_dissector,
	&tftp_dissector,
	&snmp_dissector,
	&syslog_dissector,
	&mdns_dissector,
	&llmnr_dissector,
	&wireguard_dissector,
	&ike_dissector,
	&bittorrent_dissector,
};
/* clang-format on */
const size_t n_dissectors = sizeof(dissectors) / sizeof(dissectors[0]);
_Static_assert(sizeof(dissectors) / sizeof(dissectors[0]) <= DIS_APPS_MAX,
	       "an app set is a uint64_t");
