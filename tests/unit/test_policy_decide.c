/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy says to a subject, an application and an event: one row a question. */
#include "policy_fixture.h"

#include "base/text.h"
#include "identity/inventory.h"
#include "policy/image.h"

/*
 * The little world of these tests. blog is managed; far is not. 198.18.9.9 and 198.18.1.200 are
 * nobody's: the first anywhere, the second within blog.
 */
static const char world[] =
	"networks:\n"
	"- {name: blog, bridge: br-blog, project: blog, subnets: [198.18.1.0/24], gateways: "
	"[198.18.1.1]}\n"
	"- {name: far, bridge: br-far, subnets: [198.18.2.0/24], gateways: [198.18.2.1]}\n"
	"endpoints:\n"
	"- {ip: 198.18.1.2, container: web-1, project: blog, service: web, image: 'nginx:1',\n"
	"   labels: {tier: front}, networks: [blog], mac: '02:00:00:00:00:02'}\n"
	"- {ip: 198.18.1.3, container: db-1, project: blog, service: db, networks: [blog]}\n"
	"- {ip: 198.18.2.2, container: far-1, project: far, service: web, networks: [far]}\n"
	"- {ip: 198.19.0.5, container: vm}\n";

#define WEB	   "198.18.1.2"
#define DB	   "198.18.1.3"
#define OUT	   "198.18.9.9"

#define HEAD	   "version: 1\nmanage: [network:blog]\n"
#define PAIR(rest) "- {from: blog/web, to: blog/db, " rest "}\n"

enum stage { CONNECTION, APPLICATION, REQUEST, UNPROVEN, SESSION, REPLY, OPAQUE };

enum { NO_APP = POLICY_APP_NONE };

struct question {
	const char *policy;
	const char *from, *to;
	uint8_t ip_proto;
	uint16_t port;
	enum stage stage;
	uint8_t app;
	const char *values; /* "method=GET path=/a path=/b" */
	const char *want; /* "verdict rule reason mode", then " final" " log" " silent" " apps=" */
};

static const char two_modes[] =
	HEAD "rules:\n" PAIR("name: soft, app: web, mode: shadow, deny: [{paths: /s*}]")
		PAIR("name: hard, app: web, deny: [{paths: /h*}]")
			PAIR("name: ok, app: web, allow: [{methods: GET}]");
static const char constrained[] = HEAD "rules:\n" PAIR(
	"name: get, app: web, port: 80, allow: [{methods: [GET, HEAD], paths: [/a/*, /b/**]}, "
	"{paths: /c, max_body: 100}]")
	PAIR("name: read, app: sql, allow: [{verbs: read, tables: 'wp_*'}, "
	     "{verbs: drop, unparsed: allow}]")
		PAIR("name: no-root, app: sql, deny: [{users: root}]");
static const char shadow_trial[] =
	HEAD "rules:\n" PAIR("name: try, app: web, mode: shadow, allow: [{methods: GET}]");
static const char raw[] = HEAD "rules:\n" PAIR("name: all, app: tcp, port: '100-200', allow: true")
	PAIR("name: ping, app: icmp, allow: true, log: all")
		PAIR("name: dns, app: names, allow: true, log: sample "
		     "1/7") "- {name: out, from: blog/*, to: internet, "
			    "app: tcp, allow: true}\n"
			    "- {name: in, from: any, to: blog/web, app: "
			    "tcp, port: 80, allow: true}\n"
			    "- {name: never, from: any, to: blog/web, "
			    "app: tcp, port: 22, deny: true, log: "
			    "none}\n";
static const char raw_and_deny[] = HEAD "rules:\n" PAIR("name: all, app: tcp, allow: true")
	PAIR("name: no-admin, app: web, deny: [{paths: /admin}]");
static const char open_defaults[] =
	"version: 1\nmanage: [network:blog]\ndefaults: {internal: allow, egress: allow, ingress: "
	"allow}\n"
	"rules:\n" PAIR("name: get, app: web, port: 80, allow: [{methods: GET}]") PAIR(
		"name: no-drop, app: sql, deny: [{verbs: drop}]") "- {name: outside, from: any, "
								  "to: 'cidr:198.18.9.0/24', app: "
								  "tcp, port: 25, deny: true}\n";
static const char tls_choices[] =
	HEAD "rules:\n" PAIR("name: any, app: web, port: 1, tls: any, allow: [{methods: GET}]")
		PAIR("name: forbid, app: web, port: 2, allow: [{methods: GET}]") PAIR(
			"name: require, app: web, port: 3, tls: require, allow: true")
			PAIR("name: plain, app: web, port: 4, allow: true") PAIR(
				"name: closed, app: web, port: 5, tls: forbid, allow: true")
				PAIR("name: ok, app: web, port: 6, allow: true")
					PAIR("name: blind, app: web, port: 6, deny: [{paths: /x}]")
						PAIR("name: ok7, app: web, port: 7, allow: true")
							PAIR("name: seeing, app: web, port: 7, "
							     "tls: any, deny: [{paths: /x}]");
static const char replies[] = HEAD
	"rules:\n" PAIR("name: fine, app: web, allow: [{methods: GET, status: [200-299, 304]}]")
		PAIR("name: no-500, app: web, deny: [{status: 500-599}]");
static const char zones[] = "version: 1\nmanage: [network:blog]\ndefaults: {internal: allow, "
			    "egress: deny, ingress: allow}\n";
static const char zones_too[] = "version: 1\nmanage: [network:blog]\ndefaults: {internal: deny, "
				"egress: allow, ingress: deny}\n";
static const char fence[] =
	"version: 1\nmanage: ['network:*']\ndefaults: {ringfence: project}\nrules:\n" PAIR(
		"name: one, app: web, port: 80, allow: [{methods: GET}]")
		PAIR("name: no, port: 9, deny: true");
/* Weaker and stronger, earlier and later: the order of rules must not matter. */
static const char orders[] =
	HEAD "rules:\n" PAIR("name: hard1, app: web, port: 1, deny: [{paths: /x}]")
		PAIR("name: soft1, app: web, port: 1, mode: shadow, deny: [{paths: /x}]")
			PAIR("name: ok1, app: web, port: 1, allow: true, broad: true, log: all")
				PAIR("name: quiet1, app: web, port: 1, allow: [{methods: GET}], "
				     "mode: observe");
static const char watched[] =
	HEAD "rules:\n" PAIR("name: watch, app: tcp, port: 1-2, mode: observe, deny: true")
		PAIR("name: watch-too, app: tcp, port: 2, mode: observe, deny: true")
			PAIR("name: ok, app: tcp, port: 1-2, allow: true");
static const char log_first[] = HEAD "rules:\n" PAIR("name: one, app: web, allow: true, log: all")
	PAIR("name: two, app: web, allow: true")
		PAIR("name: three, app: sql, allow: [{verbs: drop}]")
			PAIR("name: four, app: sql, deny: [{tables: x}]");
static const char tie[] = "version: 1\nmode: shadow\nmanage: [network:blog]\nrules:\n" PAIR(
	"name: same, app: tcp, deny: true, mode: shadow");
static const char deny_of_app[] =
	HEAD "rules:\n" PAIR("name: sql, app: sql, port: 1, allow: [{verbs: read}]")
		PAIR("name: drop, app: web, port: 1, deny: [{methods: PUT}]")
			PAIR("name: names, app: names, port: 1, allow: true");
static const char unparsed[] =
	HEAD "rules:\n" PAIR("name: a, app: sql, port: 1, allow: [{verbs: read, users: u, "
			     "unparsed: allow}]")
		PAIR("name: d, app: sql, port: 1, deny: [{tables: secret, unparsed: allow}]")
			PAIR("name: e, app: sql, port: 2, deny: [{tables: secret}]");
static const char trial_and_stop[] =
	HEAD "rules:\n" PAIR("name: try, app: web, port: 1, mode: shadow, allow: [{methods: GET}]")
		PAIR("name: stop, app: sql, port: 1, deny: [{verbs: drop}]")
			PAIR("name: all, app: tcp, port: 2, allow: true") PAIR(
				"name: watch, app: sql, port: 2, mode: observe, deny: [{verbs: "
				"drop}]");
static const char quiet[] = "version: 1\nmode: shadow\nmanage: [network:blog]\nrules:\n" PAIR(
	"name: strict, app: web, mode: enforce, port: 80, allow: [{methods: GET}]")
	PAIR("name: stop, app: sql, mode: enforce, port: 81, deny: [{verbs: drop}]")
		PAIR("name: watch, app: tcp, port: 82, deny: true, mode: observe");
static const char logged[] = HEAD "rules:\n" PAIR("name: all, app: web, allow: true, log: all");
static const char lenient[] =
	"version: 1\nmanage: [network:blog]\ndefaults: {unidentified: allow}\n"
	"rules:\n" PAIR("name: get, app: web, allow: true");
static const char soft_deny_over_hard_default[] =
	HEAD "rules:\n" PAIR("name: soft, app: tcp, mode: shadow, port: 9, deny: true");

static const char variants[] = HEAD "rules:\n" PAIR("name: both, app: plain, port: 1, allow: true")
	PAIR("name: second, app: plain2, port: 2, allow: true");

static const struct question questions[] = {
	/* a rule for a protocol judges its variants, not the other way round */
	{variants, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=plain,plain2"},
	{variants, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_PLAIN, "",
	 "allow both rule enforce final"},
	{variants, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_PLAIN2, "",
	 "allow both rule enforce final"},
	{variants, WEB, DB, IPPROTO_TCP, 2, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=plain2"},
	{variants, WEB, DB, IPPROTO_TCP, 2, APPLICATION, APP_PLAIN2, "",
	 "allow second rule enforce final"},
	{variants, WEB, DB, IPPROTO_TCP, 2, APPLICATION, APP_PLAIN, "",
	 "deny - wrong-protocol enforce"},
	/* no rule speaks of the pair: the zone's default */
	{raw, DB, WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, DB, OUT, IPPROTO_UDP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, OUT, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, OUT, "198.18.2.2", IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, "198.18.1.200", "198.18.1.201", IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "deny - default enforce"},
	{open_defaults, DB, WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "allow - none enforce final"},
	{open_defaults, WEB, OUT, IPPROTO_TCP, 26, CONNECTION, NO_APP, "",
	 "allow - none enforce final"},
	{open_defaults, OUT, WEB, IPPROTO_TCP, 26, CONNECTION, NO_APP, "",
	 "allow - none enforce final"},
	/* within a project, and not beyond */
	{fence, DB, WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "allow - none enforce final"},
	{fence, WEB, DB, IPPROTO_UDP, 1, CONNECTION, NO_APP, "", "allow - none enforce final"},
	{fence, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=PUT", "deny - default enforce"},
	{fence, WEB, DB, IPPROTO_TCP, 9, CONNECTION, NO_APP, "", "deny no rule enforce"},
	{fence, WEB, "198.18.2.2", IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "deny - default enforce"},
	{fence, WEB, "198.18.1.200", IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "deny - default enforce"},
	{fence, "198.19.0.5", WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "deny - default enforce"},
	{fence, WEB, OUT, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	/* a default of allow does not swallow what a rule constrains */
	{open_defaults, WEB, DB, IPPROTO_TCP, 80, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web,sql"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=PUT",
	 "deny - default enforce"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 81, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=sql"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 81, APPLICATION, APP_WEB, "",
	 "allow - none enforce final"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 81, REQUEST, APP_SQL, "verb=drop",
	 "deny no-drop rule enforce"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 81, REQUEST, APP_SQL, "verb=select",
	 "allow - none enforce"},
	{open_defaults, WEB, DB, IPPROTO_TCP, 81, APPLICATION, NO_APP, "",
	 "allow - none enforce final"},
	/* strangers to each other: the internal default */
	{open_defaults, "198.18.2.2", OUT, IPPROTO_TCP, 25, CONNECTION, NO_APP, "",
	 "deny outside rule enforce"},
	{open_defaults, "198.18.2.2", OUT, IPPROTO_TCP, 26, CONNECTION, NO_APP, "",
	 "allow - none enforce final"},
	/* raw rules: ports and protocols */
	{raw, WEB, DB, IPPROTO_TCP, 99, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=names"},
	{raw, WEB, DB, IPPROTO_TCP, 100, CONNECTION, NO_APP, "",
	 "allow all rule enforce apps=names"},
	{raw, WEB, DB, IPPROTO_TCP, 200, APPLICATION, APP_WEB, "", "allow all rule enforce final"},
	{raw, WEB, DB, IPPROTO_TCP, 201, APPLICATION, APP_WEB, "", "deny - wrong-protocol enforce"},
	{raw, WEB, DB, IPPROTO_TCP, 201, APPLICATION, NO_APP, "", "deny - unidentified enforce"},
	{raw, WEB, DB, IPPROTO_UDP, 53, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=names"},
	{raw, WEB, DB, IPPROTO_UDP, 53, APPLICATION, APP_NAMES, "", "allow dns rule enforce log=7"},
	{raw, WEB, DB, IPPROTO_ICMP, 0, CONNECTION, NO_APP, "",
	 "allow ping rule enforce log=1 replies"},
	{raw, WEB, DB, IPPROTO_ICMPV6, 0, CONNECTION, NO_APP, "",
	 "allow ping rule enforce log=1 replies"},
	{raw, WEB, DB, 47, 0, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, WEB, OUT, IPPROTO_TCP, 5, CONNECTION, NO_APP, "", "allow out rule enforce final"},
	{raw, WEB, "10.0.0.1", IPPROTO_TCP, 5, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, WEB, "198.18.1.1", IPPROTO_TCP, 5, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, WEB, "198.18.2.2", IPPROTO_TCP, 5, CONNECTION, NO_APP, "", "deny - default enforce"},
	{raw, OUT, WEB, IPPROTO_TCP, 80, CONNECTION, NO_APP, "", "allow in rule enforce final"},
	{raw, OUT, WEB, IPPROTO_TCP, 22, CONNECTION, NO_APP, "", "deny never rule enforce silent"},
	/* a raw allow beside a constrained deny: all must be read, what is not read passes */
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web"},
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_SQL, "",
	 "allow all rule enforce final"},
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, APPLICATION, NO_APP, "",
	 "allow all rule enforce final"},
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web"},
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/admin",
	 "deny no-admin rule enforce"},
	{raw_and_deny, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/a",
	 "allow all rule enforce"},
	/* constraints: items are OR, keys are AND, values are OR; of lists all to allow, one to
	   deny */
	{constrained, WEB, DB, IPPROTO_TCP, 80, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web,sql"},
	{constrained, WEB, DB, IPPROTO_TCP, 81, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=sql"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=GET path=/a/x",
	 "allow get rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB,
	 "method=GET path=/a/x path=/b/y/z", "allow get rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=GET path=/a/x path=/z",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=GET path=/a/x/y",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=get path=/a/x",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "path=/a/x",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "path=/c size=100",
	 "allow get rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "path=/c size=101",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "path=/c",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_SQL,
	 "verb=SELECT tables=wp_a tables=wp_b", "allow read rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_SQL,
	 "verb=select tables=wp_a tables=x", "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_SQL, "verb=insert tables=wp_a",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_SQL, "verb=selec tables=wp_a",
	 "deny - default enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_SQL,
	 "verb=select tables=wp_a user=root", "deny no-root rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 81, APPLICATION, APP_WEB, "",
	 "deny - wrong-protocol enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 81, REQUEST, APP_WEB, "method=GET path=/a/x",
	 "deny - wrong-protocol enforce"},
	/* what could not be proven */
	{constrained, WEB, DB, IPPROTO_TCP, 81, UNPROVEN, APP_SQL, "verb=select tables=wp_a",
	 "deny no-root unparsed enforce"},
	{two_modes, WEB, DB, IPPROTO_TCP, 81, UNPROVEN, APP_WEB, "method=GET",
	 "deny hard unparsed enforce"},
	{shadow_trial, WEB, DB, IPPROTO_TCP, 81, UNPROVEN, APP_WEB, "method=GET",
	 "deny - unparsed shadow"},
	{logged, WEB, DB, IPPROTO_TCP, 81, UNPROVEN, APP_WEB, "",
	 "allow all rule enforce log=1 replies"},
	/* sessions are judged by what they have */
	{constrained, WEB, DB, IPPROTO_TCP, 81, SESSION, APP_SQL, "user=root",
	 "deny no-root rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 81, SESSION, APP_SQL, "user=wp",
	 "allow read rule enforce"},
	/* replies */
	{replies, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web replies"},
	{replies, WEB, DB, IPPROTO_TCP, 1, REPLY, APP_WEB, "status=204",
	 "allow fine rule enforce replies"},
	{replies, WEB, DB, IPPROTO_TCP, 1, REPLY, APP_WEB, "status=404", "deny - default enforce"},
	{replies, WEB, DB, IPPROTO_TCP, 1, REPLY, APP_WEB, "status=503",
	 "deny no-500 rule enforce"},
	{constrained, WEB, DB, IPPROTO_TCP, 80, REPLY, APP_WEB, "status=503",
	 "allow get rule enforce"},
	{replies, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET",
	 "allow fine rule enforce replies"},
	{replies, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=PUT",
	 "deny - default enforce"},
	/* encryption */
	{tls_choices, WEB, DB, IPPROTO_TCP, 1, OPAQUE, APP_WEB, "opaque=tls",
	 "allow any rule enforce final"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 2, OPAQUE, APP_WEB, "opaque=tls",
	 "deny - opaque enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 3, OPAQUE, APP_WEB, "opaque=tls",
	 "allow require rule enforce final"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 3, OPAQUE, APP_WEB, "opaque=tunnel",
	 "deny - opaque enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 3, REQUEST, APP_WEB, "method=GET",
	 "deny - default enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 3, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 4, APPLICATION, APP_WEB, "",
	 "allow plain rule enforce final"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 4, OPAQUE, APP_WEB, "opaque=tunnel",
	 "allow plain rule enforce final"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 5, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 5, OPAQUE, APP_WEB, "opaque=tls",
	 "deny - opaque enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 5, REQUEST, APP_WEB, "method=PUT",
	 "allow closed rule enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 6, OPAQUE, APP_WEB, "opaque=tls",
	 "deny blind opaque enforce"},
	{tls_choices, WEB, DB, IPPROTO_TCP, 7, OPAQUE, APP_WEB, "opaque=tls",
	 "allow ok7 rule enforce final"},
	/* modes: an enforced deny beats a softer one; a softer one is reported where the rest would
	   pass */
	{two_modes, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/h",
	 "deny hard rule enforce"},
	{two_modes, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/s",
	 "deny soft rule shadow"},
	{two_modes, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/s path=/h",
	 "deny hard rule enforce"},
	{two_modes, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=PUT path=/s",
	 "deny - default enforce"},
	{two_modes, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/",
	 "allow ok rule enforce"},
	{soft_deny_over_hard_default, WEB, DB, IPPROTO_TCP, 9, CONNECTION, NO_APP, "",
	 "deny - default enforce"},
	/* pending: as much as the strongest denial that may come */
	{trial_and_stop, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web,sql"},
	{trial_and_stop, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "pending - none shadow apps=web"},
	{trial_and_stop, WEB, DB, IPPROTO_TCP, 2, CONNECTION, NO_APP, "",
	 "pending - none observe apps=sql"},
	/* zones have each their default */
	{zones, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "allow - none enforce final"},
	{zones, WEB, OUT, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{zones, OUT, WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "allow - none enforce final"},
	{zones_too, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	{zones_too, WEB, OUT, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "allow - none enforce final"},
	{zones_too, OUT, WEB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	/* the order of rules does not matter */
	{orders, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web replies"},
	{orders, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "pending - none enforce apps=web replies"},
	{orders, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/x",
	 "deny hard1 rule enforce"},
	{orders, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET path=/",
	 "allow ok1 rule enforce log=1 replies"},
	{watched, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "", "deny watch rule observe final"},
	{watched, WEB, DB, IPPROTO_TCP, 2, CONNECTION, NO_APP, "", "deny watch rule observe final"},
	{log_first, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "allow one rule enforce log=1 replies"},
	{log_first, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_SQL, "verb=set",
	 "deny - default enforce"},
	{tie, WEB, DB, IPPROTO_TCP, 2, CONNECTION, NO_APP, "", "deny same rule shadow final"},
	{deny_of_app, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "deny - wrong-protocol enforce"},
	{deny_of_app, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=GET",
	 "deny - wrong-protocol enforce"},
	{deny_of_app, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_SQL, "verb=drop",
	 "deny - default enforce"},
	{deny_of_app, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=PUT",
	 "deny drop rule enforce"},
	/* `unparsed: allow` judges what is there, and only where the event says that it is unproven
	 */
	{unparsed, WEB, DB, IPPROTO_TCP, 1, UNPROVEN, APP_SQL, "verb=select",
	 "allow a rule enforce"},
	{unparsed, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_SQL, "verb=select",
	 "deny - default enforce"},
	{unparsed, WEB, DB, IPPROTO_TCP, 1, UNPROVEN, APP_SQL, "verb=select tables=secret",
	 "deny d rule enforce"},
	{unparsed, WEB, DB, IPPROTO_TCP, 2, UNPROVEN, APP_SQL, "tables=secret",
	 "deny e rule enforce"},
	{unparsed, WEB, DB, IPPROTO_TCP, 2, UNPROVEN, APP_SQL, "tables=x",
	 "deny e unparsed enforce"},
	/* an allow in shadow is a trial of its constraints */
	{shadow_trial, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none shadow apps=web"},
	{shadow_trial, WEB, DB, IPPROTO_TCP, 1, REQUEST, APP_WEB, "method=PUT",
	 "deny - default shadow"},
	{shadow_trial, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_SQL, "",
	 "deny - wrong-protocol shadow final"},
	{shadow_trial, WEB, DB, IPPROTO_UDP, 1, CONNECTION, NO_APP, "", "deny - default enforce"},
	/* a file in shadow with enforced rules */
	{quiet, WEB, DB, IPPROTO_TCP, 9, CONNECTION, NO_APP, "", "deny - default shadow final"},
	{quiet, WEB, DB, IPPROTO_TCP, 80, REQUEST, APP_WEB, "method=PUT", "deny - default enforce"},
	{quiet, WEB, DB, IPPROTO_TCP, 81, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=sql"},
	{quiet, WEB, DB, IPPROTO_TCP, 81, REQUEST, APP_SQL, "verb=drop", "deny stop rule enforce"},
	{quiet, WEB, DB, IPPROTO_TCP, 81, REQUEST, APP_SQL, "verb=set", "deny - default shadow"},
	{quiet, WEB, DB, IPPROTO_TCP, 82, CONNECTION, NO_APP, "", "deny - default shadow final"},
	/* what is recorded is not offloaded */
	{logged, WEB, DB, IPPROTO_TCP, 1, CONNECTION, NO_APP, "",
	 "pending - none enforce apps=web replies"},
	{logged, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_WEB, "",
	 "allow all rule enforce log=1 replies"},
	{lenient, WEB, DB, IPPROTO_TCP, 1, APPLICATION, NO_APP, "", "allow - none enforce final"},
	{lenient, WEB, DB, IPPROTO_TCP, 1, APPLICATION, APP_SQL, "",
	 "deny - wrong-protocol enforce"},
};

static struct policy_blob compile_with(const struct policy *policy, const char *inventory,
				       long today)
{
	struct identity_set ids = {0};
	struct policy_blob blob;
	struct error err;
	ck_assert_int_eq(inventory_load_text("ids", inventory, strlen(inventory), &ids, &err), 0);
	const struct policy_inputs inputs = {
		.ids = &ids, .generation = 7, .epoch = 3, .today = today};
	ck_assert_int_eq(policy_compile(policy, &inputs, &blob, &err), 0);
	identity_set_fini(&ids);
	return blob;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a;
	ck_assert(ip_addr_parse(text, &a));
	return a;
}

static struct policy_owner owner_of(const struct policy_image *image, const char *text)
{
	struct ip_addr a = address(text);
	return policy_owner(image, &a);
}

static size_t parse_values(uint8_t app, char *text, struct dis_value *out)
{
	size_t n = 0;
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		char *value = strchr(word, '=');
		*value++ = '\0';
		const struct dissector *d = dissectors[app];
		uint16_t f = 0;
		while (f < d->n_fields && strcmp(d->fields[f].name, word) != 0)
			f++;
		ck_assert_uint_lt(f, d->n_fields);
		out[n++] = (struct dis_value){
			.field = f, .text = bytes_str(value), .number = strtoull(value, NULL, 10)};
	}
	return n;
}

static void decide(const struct policy_image *image, const struct question *q,
		   const struct policy_subject *s, const struct policy_candidates *c,
		   struct policy_decision *out)
{
	static const enum dis_kind kinds[] = {
		[REQUEST] = DIS_REQUEST, [UNPROVEN] = DIS_REQUEST, [SESSION] = DIS_SESSION,
		[REPLY] = DIS_REPLY,	 [OPAQUE] = DIS_OPAQUE,
	};
	struct dis_value values[8];
	char text[256];
	if (q->stage == CONNECTION) {
		policy_decide_connection(image, s, c, out);
		return;
	}
	if (q->stage == APPLICATION) {
		policy_decide_app(image, s, c, q->app, out);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s", q->values);
	const struct dis_event event = {
		.kind = kinds[q->stage],
		.flags = q->stage == UNPROVEN ? DIS_UNPROVEN : 0,
		.values = values,
		.n_values = parse_values(q->app, text, values),
	};
	policy_decide_event(image, s, c, q->app, &event, out);
}

static void spell(const struct policy_image *image, const struct policy_decision *d, FILE *f)
{
	const char *rule = policy_rule_name(image, d->rule);
	fprintf(f, "%s %s %s %s", verdict_name(d->verdict), *rule ? rule : "-",
		reason_name(d->reason), mode_name(d->mode));
	if (d->is_final)
		fputs(" final", f);
	if (d->log_allow)
		fprintf(f, " log=%u", d->log_sample);
	if (!d->log_deny && d->verdict == VERDICT_DENY)
		fputs(" silent", f);
	for (size_t i = 0, n = 0; i < n_dissectors && !d->log_allow; i++)
		if (d->apps >> i & 1)
			fprintf(f, "%s%s", n++ ? "," : " apps=", dissectors[i]->name);
	if (d->needs_replies)
		fputs(" replies", f);
}

START_TEST(decides)
{
	const struct question *q = &questions[_i];
	struct policy *policy = load_good(q->policy);
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_image *image = policy_image_of(&blob);
	struct policy_owner from = owner_of(image, q->from), to = owner_of(image, q->to);
	const struct policy_subject subject = {
		.from = from.identity,
		.to = to.identity,
		.from_container = from.is_container,
		.to_container = to.is_container,
		.ip_proto = q->ip_proto,
		.to_port = q->port,
	};
	struct policy_candidates candidates;
	struct policy_decision decision;
	char got[256] = "";
	policy_candidates(image, &subject, &candidates);
	decide(image, q, &subject, &candidates, &decision);
	FILE *f = fmemopen(got, sizeof(got), "w");
	spell(image, &decision, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_msg(strcmp(got, q->want) == 0, "row %d (%s -> %s:%u, %s)\n got %s\nwant %s\n", _i,
		      q->from, q->to, q->port, q->values, got, q->want);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

/* ---- owners ---- */

static const struct {
	const char *addr, *name;
	bool is_known, is_container;
} owners[] = {
	{"198.18.1.2", "blog/web", true, true},
	{"198.18.1.3", "blog/db", true, true},
	{"198.18.1.1", "host", true, false},
	{"198.18.2.1", "host", true, false},
	{"198.18.1.200", "unknown", false, true},
	{"198.18.2.2", "unmanaged", true, false},
	{"198.18.2.200", "unmanaged", true, false},
	{"198.19.0.5", "vm", true, true},
	{"198.18.9.9", "internet", true, false},
	{"8.8.8.8", "internet", true, false},
	{"2001:4860::1", "internet", true, false},
	{"10.9.8.7", "private", true, false},
	{"172.31.0.1", "private", true, false},
	{"172.32.0.1", "internet", true, false},
	{"192.168.1.1", "private", true, false},
	{"127.0.0.1", "private", true, false},
	{"169.254.1.1", "private", true, false},
	{"100.64.0.1", "private", true, false},
	{"100.128.0.1", "internet", true, false},
	{"fd00::1", "private", true, false},
	{"fe80::1", "private", true, false},
	{"::1", "private", true, false},
	{"ff02::1", "private", true, false},
	{"224.0.0.251", "private", true, false},
	{"198.19.0.6", "cidr:198.19.0.0/16", true, false},
	{"198.19.1.1", "@crm", true, false},
	{"198.19.1.2", "cidr:198.19.1.0/24", true, false},
};

START_TEST(knows_owners)
{
	struct policy *policy = load_good(
		HEAD
		"identities: {crm: ['cidr:198.19.1.1/32']}\nrules:\n"
		"- {name: a, from: 'cidr:198.19.0.0/16', to: 'cidr:198.19.1.0/24', deny: true}\n"
		"- {name: b, from: '@crm', to: any, deny: true}\n");
	struct policy_blob blob = compile_with(policy, world, 0);
	struct policy_owner o = owner_of(policy_image_of(&blob), owners[_i].addr);
	ck_assert_str_eq(policy_identity_name(policy_image_of(&blob), o.identity), owners[_i].name);
	ck_assert_int_eq(o.is_known, owners[_i].is_known);
	ck_assert_int_eq(o.is_container, owners[_i].is_container);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

START_TEST(knows_link_addresses)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
	struct policy *policy = load_good(HEAD);
	struct policy_blob blob = compile_with(policy, world, 0);
	struct policy_owner o = owner_of(policy_image_of(&blob), WEB);
	ck_assert(o.has_mac);
	ck_assert_mem_eq(o.mac, mac, 6);
	ck_assert(!owner_of(policy_image_of(&blob), DB).has_mac);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

START_TEST(gives_a_disputed_address_to_nobody)
{
	struct policy *policy = load_good("version: 1\n");
	struct policy_blob blob =
		compile_with(policy,
			     "endpoints: [{ip: 1.1.1.1, container: a, mac: '02:00:00:00:00:01'}, "
			     "{ip: 1.1.1.1, container: b}, {ips: [1.1.1.2, 1.1.1.2], container: c, "
			     "networks: [x, y]}]\n",
			     0);
	struct policy_owner o = owner_of(policy_image_of(&blob), "1.1.1.1");
	ck_assert(!o.is_known);
	ck_assert(o.is_container);
	ck_assert(!o.has_mac);
	ck_assert(owner_of(policy_image_of(&blob), "1.1.1.2").is_known);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

/* ---- selectors: who matches `from`? ---- */

static const struct {
	const char *selector;
	const char *who; /* of w(eb) d(b) v(m) h(ost) o(ut) u(nknown) p(rivate) f(ar) */
} selected[] = {
	{"any", "wdvhoupf"},
	{"host", "h"},
	{"internet", "o"},
	{"blog/web", "w"},
	{"blog/*", "wd"},
	{"'*/web'", "w"},
	{"'bl?g/d*'", "d"},
	{"blog/we", ""},
	{"'container:web-1'", "w"},
	{"'container:*-1'", "wd"},
	{"'container:vm'", "v"},
	{"'image:nginx:1'", "w"},
	{"'image:nginx:*'", "w"},
	{"'label:tier=front'", "w"},
	{"'label:tier=*'", "w"},
	{"'label:tier=back'", ""},
	{"'network:blog'", "wd"},
	{"'network:*o*'", "wd"},
	{"'network:far'", ""},
	{"'cidr:198.18.1.0/24'", "wdhu"},
	{"'cidr:198.18.1.3'", "d"},
	{"'cidr:0.0.0.0/0'", "wdvhoupf"},
	{"'cidr:fd00::/8'", ""},
	{"[blog/web, host]", "wh"},
	{"{all: [blog/*, 'label:tier=front']}", "w"},
	{"{all: [blog/*, {not: blog/web}]}", "d"},
	{"'not:blog/*'", "vhoupf"},
	{"'not:not:blog/*'", "wd"},
	{"{not: [blog/web, internet]}", "dvhupf"},
	{"'@mix'", "wh"},
	{"{all: ['@mix', 'not:host']}", "w"},
	{"'@nest'", "wvh"},
};

START_TEST(selects)
{
	static const struct {
		char name;
		const char *addr;
	} who[] = {{'w', WEB},		{'d', DB},	    {'v', "198.19.0.5"},
		   {'h', "198.18.1.1"}, {'o', OUT},	    {'u', "198.18.1.200"},
		   {'p', "10.0.0.1"},	{'f', "198.18.2.2"}};
	char text[512], got[16] = "";
	(void)snprintf(text, sizeof(text),
		       HEAD "identities: {mix: [blog/web, host], nest: ['@mix', 'container:v?']}\n"
			    "rules: [{name: r, from: %s, to: any, deny: true}]\n",
		       selected[_i].selector);
	struct policy *policy = load_good(text);
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_image *image = policy_image_of(&blob);
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		struct policy_subject s = {.from = owner_of(image, who[i].addr).identity,
					   .to = owner_of(image, OUT).identity,
					   .ip_proto = 6};
		struct policy_candidates c;
		policy_candidates(image, &s, &c);
		if (c.n)
			got[strlen(got)] = who[i].name;
	}
	ck_assert_str_eq(got, selected[_i].who);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

/* ---- the rest ---- */

START_TEST(walks_more_candidates_than_fit)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	fputs(HEAD "rules:\n", f);
	for (int i = 0; i < 100; i++)
		fprintf(f, "- {name: r%d, from: any, to: any, app: web, allow: [{paths: /%d}]}\n",
			i, i);
	fputs("- {name: stop, from: any, to: any, app: web, deny: [{paths: /99}]}\n", f);
	ck_assert_int_eq(fclose(f), 0);
	struct policy *policy = load_good(text);
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_image *image = policy_image_of(&blob);
	struct policy_subject s = {.from = owner_of(image, WEB).identity,
				   .to = owner_of(image, DB).identity,
				   .from_container = true,
				   .to_container = true,
				   .ip_proto = 6,
				   .to_port = 80};
	struct policy_candidates c;
	struct policy_decision d;
	policy_candidates(image, &s, &c);
	ck_assert_uint_eq(c.n, POLICY_CANDIDATES_MAX);
	ck_assert(!c.is_complete);
	struct dis_value path = {.field = WEB_PATH, .text = bytes_str("/98")};
	const struct dis_event event = {.kind = DIS_REQUEST, .values = &path, .n_values = 1};
	policy_decide_event(image, &s, &c, APP_WEB, &event, &d);
	ck_assert_int_eq(d.verdict, VERDICT_ALLOW);
	ck_assert_str_eq(policy_rule_name(image, d.rule), "r98");
	path.text = bytes_str("/99");
	policy_decide_event(image, &s, &c, APP_WEB, &event, &d);
	ck_assert_str_eq(policy_rule_name(image, d.rule), "stop");
	policy_blob_free(&blob);
	policy_free(policy);
	free(text);
}
END_TEST

/* What a flow kept from another image, or a dissector that errs, must do no harm. */
START_TEST(survives_strange_questions)
{
	struct policy *policy = load_good(tls_choices);
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_image *image = policy_image_of(&blob);
	struct policy_subject s = {.from = 1 << 30, .to = UINT32_MAX, .from_container = true};
	struct policy_candidates c = {.n = 255, .is_complete = true};
	struct policy_decision d;
	for (size_t i = 0; i < POLICY_CANDIDATES_MAX; i++)
		c.rule[i] = (uint32_t)(image->rules.n + i % 2 * 1000);
	policy_decide_connection(image, &s, &c, &d);
	ck_assert_int_eq(d.verdict, VERDICT_DENY);
	ck_assert_uint_eq(d.rule, POLICY_NO_RULE);
	c.is_complete = false;
	policy_decide_app(image, &s, &c, 77, &d);
	ck_assert_int_eq(d.reason, REASON_UNIDENTIFIED);
	policy_candidates(image, &s, &c);
	ck_assert_uint_eq(c.n, 0);
	const struct dis_value value = {.field = 999, .text = bytes_str("tls")};
	struct dis_event event = {
		.kind = DIS_OPAQUE, .flags = ~0u, .values = &value, .n_values = 1};
	s.from = owner_of(image, WEB).identity;
	s.to = owner_of(image, DB).identity;
	s.ip_proto = IPPROTO_TCP;
	s.to_port = 3;
	policy_candidates(image, &s, &c);
	policy_decide_event(image, &s, &c, APP_WEB, &event, &d);
	ck_assert_int_eq(d.reason, REASON_OPAQUE);
	event.kind = DIS_CLAIM;
	policy_decide_event(image, &s, &c, APP_WEB, &event, &d);
	ck_assert_int_eq(d.verdict, VERDICT_PENDING);
	policy_decide_event(image, &s, &c, 77, &event, &d);
	ck_assert_int_eq(d.reason, REASON_UNIDENTIFIED);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

START_TEST(leaves_expired_rules_out)
{
	struct policy *policy = load_good("version: 1\nrules:\n- {name: a, from: any, to: any, "
					  "deny: true, expires: 2024-10-04}\n");
	for (long today = TEST_TODAY; today < TEST_TODAY + 2; today++) {
		struct policy_blob blob = compile_with(policy, world, today);
		ck_assert_str_eq(policy_rule_name(policy_image_of(&blob), 0),
				 today == TEST_TODAY ? "a" : "");
		policy_blob_free(&blob);
	}
	policy_free(policy);
}
END_TEST

START_TEST(hands_on_settings)
{
	struct policy *policy =
		load_good("version: 1\nmode: shadow\ndefaults: {refuse: drop, midstream: deny, "
			  "malformed: allow, "
			  "unidentified: allow, unknown_identity: {hold: 1s, then: allow}}\n"
			  "engine: {connmark_mask: 0x00ff0000}\n");
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_settings *s = policy_settings(policy_image_of(&blob));
	ck_assert_uint_eq(s->generation, 7);
	ck_assert_uint_eq(s->epoch, 3);
	ck_assert_int_eq(s->mode, MODE_SHADOW);
	ck_assert_int_eq(s->refuse, POLICY_REFUSE_DROP);
	ck_assert_int_eq(s->midstream, VERDICT_DENY);
	ck_assert_int_eq(s->malformed, VERDICT_ALLOW);
	ck_assert_int_eq(s->unidentified, VERDICT_ALLOW);
	ck_assert_int_eq(s->unknown_then, VERDICT_ALLOW);
	ck_assert_uint_eq(s->unknown_hold_ms, 1000);
	ck_assert_uint_eq(s->mark_mask, 0x00ff0000);
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

/* ---- explain ---- */

struct lines {
	char text[1024];
};

static void add_line(void *ctx, const struct policy_explanation *e)
{
	struct lines *l = ctx;
	size_t n = strlen(l->text);
	(void)snprintf(l->text + n, sizeof(l->text) - n, "%u%s %s [%s] [%s]\n", e->rule,
		       e->decides ? "*" : "", e->matches ? "matches" : e->matcher,
		       e->want ? e->want : "", e->got ? e->got : "");
}

START_TEST(explains)
{
	struct policy *policy = load_good(
		HEAD "rules:\n- {name: a, from: host, to: any, deny: true}\n"
		     "- {name: b, from: any, to: [host, blog/web], deny: true}\n"
		     "- {name: c, from: any, to: any, app: names, port: 53, allow: true}\n"
		     "- {name: d, from: any, to: any, app: web, port: 81-90, allow: true}\n"
		     "- {name: e, from: any, to: any, app: sql, allow: true}\n"
		     "- {name: f, from: blog/web, to: any, app: web, port: 80, "
		     "allow: [{methods: GET, paths: [/a, /b]}, {methods: PUT}]}\n"
		     "- {name: g, from: any, to: any, app: web, deny: [{paths: /a*}]}\n");
	struct policy_blob blob = compile_with(policy, world, 0);
	const struct policy_image *image = policy_image_of(&blob);
	struct policy_subject s = {.from = owner_of(image, WEB).identity,
				   .to = owner_of(image, DB).identity,
				   .from_container = true,
				   .to_container = true,
				   .ip_proto = 6,
				   .to_port = 80};
	const struct dis_value values[] = {{.field = WEB_METHOD, .text = bytes_str("GET")},
					   {.field = WEB_PATH, .text = bytes_str("/b")},
					   {.field = WEB_PATH, .text = bytes_str("/abc")}};
	const struct dis_event event = {.kind = DIS_REQUEST, .values = values, .n_values = 3};
	struct lines l = {.text = ""};
	policy_explain(image, &s, APP_WEB, &event, add_line, &l);
	ck_assert_str_eq(l.text, "0 from [host] [blog/web]\n"
				 "1 to [[host, blog/web]] [blog/db]\n"
				 "2 port [53] [80]\n"
				 "3 port [81-90] [80]\n"
				 "4 app [sql] [web]\n"
				 "5 paths [/a, /b] [/b, /abc]\n"
				 "6* matches [] []\n");
	policy_blob_free(&blob);
	policy_free(policy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("policy_decide");
	TCase *tests = tcase_create("decide");
	tcase_add_loop_test(tests, decides, 0, sizeof(questions) / sizeof(questions[0]));
	tcase_add_loop_test(tests, knows_owners, 0, sizeof(owners) / sizeof(owners[0]));
	tcase_add_loop_test(tests, selects, 0, sizeof(selected) / sizeof(selected[0]));
	tcase_add_test(tests, knows_link_addresses);
	tcase_add_test(tests, gives_a_disputed_address_to_nobody);
	tcase_add_test(tests, walks_more_candidates_than_fit);
	tcase_add_test(tests, survives_strange_questions);
	tcase_add_test(tests, leaves_expired_rules_out);
	tcase_add_test(tests, hands_on_settings);
	tcase_add_test(tests, explains);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
