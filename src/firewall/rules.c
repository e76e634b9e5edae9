/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/rules.h"

#include "base/text.h"
#include "bridgewarden/shared.h"
#include "firewall/bpf.h"
#include "firewall/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define OURS "BRIDGEWARDEN-"

enum {
	INTERFACES_MAX = 1024, /* the kernel's limit of ports on one bridge; far more than anybody's
				  bridges */
	ND_HOP_LIMIT = 255,    /* RFC 4861: a router would have made it less */
	MLD_HOP_LIMIT = 1,     /* RFC 3810, and IGMP alike: never forwarded */
};

static const char *const builtin[] = {"INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
static const char *const chains[] = {"INPUT",	"FORWARD",	"OUTPUT",     "POSTROUTING",
				     "FROM",	"HOST",		"INTERNAL",   "EGRESS",
				     "INGRESS", "INTERNAL-NEW", "EGRESS-NEW", "INGRESS-NEW"};

#define N_BUILTIN (sizeof(builtin) / sizeof(builtin[0]))
#define N_CHAINS  (sizeof(chains) / sizeof(chains[0]))

/* Where the rules are printed to: a memory stream, whose failure shows when it is closed. */
struct page {
	FILE *to;
	const struct firewall_plan *plan;
	enum rules_family family;
};

/* One rule of one of our chains. */
static void rule(const struct page *p, const char *chain, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void rule(const struct page *p, const char *chain, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	(void)fprintf(p->to, "-A " OURS "%s ", chain);
	(void)vfprintf(p->to, format, args);
	(void)fputc('\n', p->to);
	va_end(args);
}

/* ---- queueing ---- */

/* The engine has said that it need not see the rest. Of TCP it always sees the ends. */
static void print_offloaded(const struct page *p, const char *chain)
{
	uint32_t mask = p->plan->mark_mask, epoch = p->plan->epoch;
	uint32_t all = mark_value(mask, epoch, MARK_OFFLOADED),
		 replies = mark_value(mask, epoch, MARK_REQUESTS);
	const char *const data = "-m tcp --tcp-flags FIN,SYN,RST NONE";
	const char *const reply = "-m conntrack --ctdir REPLY";
	rule(p, chain, "-p tcp -m connmark --mark 0x%x/0x%x %s -j RETURN", all, mask, data);
	rule(p, chain, "-p tcp -m connmark --mark 0x%x/0x%x %s %s -j RETURN", replies, mask, reply,
	     data);
	rule(p, chain, "! -p tcp -m connmark --mark 0x%x/0x%x -j RETURN", all, mask);
	rule(p, chain, "! -p tcp -m connmark --mark 0x%x/0x%x %s -j RETURN", replies, mask, reply);
}

/* Without these no IPv6 address is found. The hop limit proves that no router forwarded them, so
 * they lead nowhere else. */
static void print_link_local(const struct page *p, const char *chain)
{
	for (unsigned type = 133; type <= 136; type++)
		rule(p, chain, "-p ipv6-icmp -m icmp6 --icmpv6-type %u -m hl --hl-eq %d -j RETURN",
		     type, ND_HOP_LIMIT);
	static const unsigned listener[] = {130, 131, 132, 143};
	for (size_t i = 0; i < sizeof(listener) / sizeof(listener[0]); i++)
		rule(p, chain,
		     "-d ff00::/8 -p ipv6-icmp -m icmp6 --icmpv6-type %u -m hl --hl-eq %d -j "
		     "RETURN",
		     listener[i], MLD_HOP_LIMIT);
}

/* What the kernels themselves say to their link, and errors of connections that were judged. */
static void print_icmp(const struct page *p, const char *chain)
{
	if (p->family == RULES_V6)
		print_link_local(p, chain);
	else
		rule(p, chain, "-d 224.0.0.0/4 -p igmp -m ttl --ttl-eq %d -j RETURN",
		     MLD_HOP_LIMIT);
	rule(p, chain, "-p %s -m conntrack --ctstate RELATED -j RETURN",
	     p->family == RULES_V4 ? "icmp" : "ipv6-icmp");
}

/* first: which number the queues begin with */
static void print_queue(const struct page *p, const char *chain, unsigned queue, unsigned first,
			const char *bypass)
{
	(void)fprintf(p->to, "-A " OURS "%s -m bpf --bytecode \"", chain);
	if (p->family == RULES_V4)
		bpf_print_queue_v4(p->to, queue, p->plan->n_queues);
	else
		bpf_print_queue_v6(p->to, queue, p->plan->n_queues);
	(void)fprintf(p->to, "\" -j NFQUEUE --queue-num %u%s\n", first + queue, bypass);
}

static void print_queues(const struct page *p, const char *chain, unsigned first,
			 const char *bypass)
{
	for (unsigned queue = 1; queue < p->plan->n_queues; queue++)
		print_queue(p, chain, queue, first, bypass);
	rule(p, chain, "-j NFQUEUE --queue-num %u%s", first, bypass);
}

/* A transport header that cannot be found would send one flow to two queues, and each worker would
 * judge half of it. */
static void print_hidden(const struct page *p, const char *chain)
{
	(void)fprintf(p->to, "-A " OURS "%s -m bpf --bytecode \"", chain);
	bpf_print_hidden_v6(p->to);
	(void)fputs("\" -j DROP\n", p->to);
}

/* Only this scope has packets that came in over no interface. */
static bool is_of_host(const char *chain)
{
	return strcmp(chain, "INGRESS") == 0;
}

/* A packet whose checksum its sender left unfinished says where it is to be put. Where no hardware
 * does that the kernel does it behind our hooks, and writes two bytes wherever a lying sender said,
 * after the verdict. Done before: what is judged is what arrives. Not of what this host sends (its
 * own word is good), and not SCTP, whose checksum is another one. */
static void print_fill(const struct page *p, const char *chain, const char *which)
{
	if (p->plan->is_enforced && !p->plan->is_unfilled)
		rule(p, chain, "! -p sctp%s -j CHECKSUM --checksum-fill", which);
}

static void print_scope(const struct page *p, const char *chain, bool is_open)
{
	const char *bypass = is_open ? " --queue-bypass" : "";
	print_offloaded(p, chain);
	print_icmp(p, chain);
	print_fill(p, chain, is_of_host(chain) ? " -m addrtype ! --src-type LOCAL" : "");
	if (p->family == RULES_V6 && p->plan->n_queues > 1)
		print_hidden(p, chain);
	char fresh[32];
	(void)snprintf(fresh, sizeof(fresh), "%s-NEW", chain); /* fits: constants */
	rule(p, chain, "-m conntrack --ctstate NEW -g " OURS "%s", fresh);
	print_queues(p, chain, p->plan->queue_base, bypass);
	print_queues(p, fresh, p->plan->queue_base + p->plan->n_queues, bypass);
}

/* ---- the ways there ---- */

/* A packet that cannot meet a DNAT any more: its addresses in OUTPUT are final. */
#define SETTLED "-m conntrack --ctstate ESTABLISHED -m conntrack ! --ctstate DNAT"
#define REPLY	"-m conntrack --ctdir REPLY"
#define OF_HOST "-m addrtype --src-type LOCAL"

static bool is_of_family(const struct page *p, const struct identity_prefix *prefix)
{
	return ip_addr_is_v4(&prefix->addr) == (p->family == RULES_V4);
}

static void print_source(const struct page *p, const char *chain, const char *to,
			 const struct firewall_source *source)
{
	char addr[IP_ADDR_TEXT];
	const struct identity_prefix *prefix = &source->prefix;
	/* IPv4 prefixes count from 96 */
	unsigned length = p->family == RULES_V4 ? prefix->length - 96u : prefix->length;
	if (is_of_family(p, prefix))
		rule(p, chain, "-i %s -s %s/%u -g " OURS "%s",
		     p->plan->interfaces[source->interface], ip_addr_print(&prefix->addr, addr),
		     length, to);
}

/* What comes in over a managed interface: from an address that can be there, or from none yet.
 * A container may forge others, and its neighbour would believe to hear the internet. */
static void print_from(const struct page *p, const char *chain, size_t interface, const char *to)
{
	const char *name = p->plan->interfaces[interface];
	bool is_known = false;
	for (size_t i = 0; i < p->plan->n_sources && p->plan->is_enforced; i++) {
		if (p->plan->sources[i].interface != interface)
			continue;
		is_known = true;
		print_source(p, chain, to, &p->plan->sources[i]);
	}
	if (is_known && p->family == RULES_V4) {
		rule(p, chain,
		     "-i %s -s 0.0.0.0/32 -p udp -m udp --sport 68 --dport 67 -g " OURS "%s", name,
		     to);
	} else if (is_known) {
		rule(p, chain, "-i %s -s fe80::/10 -g " OURS "%s", name, to);
		rule(p, chain, "-i %s -s ::/128 -p ipv6-icmp -g " OURS "%s", name, to);
	}
	if (is_known)
		rule(p, chain, "-i %s -j DROP", name);
	else
		rule(p, chain, "-i %s -g " OURS "%s", name, to);
}

static void print_ways(const struct page *p)
{
	for (size_t i = 0; i < p->plan->n_interfaces; i++) {
		const char *name = p->plan->interfaces[i];
		print_from(p, "INPUT", i, "EGRESS");
		print_from(p, "FORWARD", i, "FROM");
		rule(p, "FROM", "-o %s -g " OURS "INTERNAL", name);
		rule(p, "OUTPUT", "-o %s " OF_HOST " " SETTLED " -g " OURS "INGRESS", name);
		rule(p, "POSTROUTING", "-o %s " OF_HOST " -g " OURS "HOST", name);
	}
	/* A scope is of connections: replies go with the packet that asked. */
	for (size_t i = 0; i < p->plan->n_interfaces; i++) {
		rule(p, "FORWARD", "-o %s " REPLY " -g " OURS "EGRESS", p->plan->interfaces[i]);
		rule(p, "FORWARD", "-o %s -g " OURS "INGRESS", p->plan->interfaces[i]);
	}
	rule(p, "FROM", REPLY " -g " OURS "INGRESS");
	rule(p, "FROM", "-g " OURS "EGRESS");
	rule(p, "HOST", SETTLED " -j RETURN");
	rule(p, "HOST", "-g " OURS "INGRESS");
}

/* Before the ways: what the engine itself sent is not judged, and its mark is not the connection's.
 */
static void print_marks(const struct page *p)
{
	uint32_t mask = p->plan->mark_mask, injected = firewall_injected_mark(mask);
	rule(p, "OUTPUT", "-m mark --mark 0x%x/0x%x -j RETURN", injected, mask);
	rule(p, "POSTROUTING", "-m mark --mark 0x%x/0x%x -j RETURN", injected, mask);
	rule(p, "POSTROUTING",
	     "-m mark ! --mark 0x0/0x%x -j CONNMARK --save-mark --nfmask 0x%x --ctmask 0x%x", mask,
	     mask, mask);
}

/* ---- what is there already ---- */

/* "-A FORWARD ..." as "-D FORWARD ...", for each line. */
static void print_deletions(FILE *to, const char *jumps)
{
	for (const char *at = jumps; at && *at;) {
		const char *end = strchrnul(at, '\n');
		(void)fprintf(to, "-D%.*s\n", (int)(end - at) - 2, at + 2);
		at = *end ? end + 1 : end;
	}
}

static bool is_chain_of_plan(const char *name, size_t n)
{
	for (size_t i = 0; i < N_CHAINS; i++)
		if (strlen(chains[i]) == n && memcmp(chains[i], name, n) == 0)
			return true;
	return false;
}

/* Calls `print` for each of our chains that is there; `name` is without our prefix. */
static void each_chain(const char *ours, FILE *to, void (*print)(FILE *to, const char *name, int n))
{
	for (const char *at = ours; at && *at;) {
		const char *end = strchrnul(at, '\n');
		if (*at == ':') {
			const char *name = at + 1 + strlen(OURS);
			print(to, name, (int)strcspn(name, " \n"));
		}
		at = *end ? end + 1 : end;
	}
}

/* Declaring a chain empties it. */
static void print_declaration(FILE *to, const char *name, int n)
{
	(void)fprintf(to, ":" OURS "%.*s - [0:0]\n", n, name);
}

static void print_end(FILE *to, const char *name, int n)
{
	(void)fprintf(to, "-X " OURS "%.*s\n", n, name);
}

static void print_strange_declaration(FILE *to, const char *name, int n)
{
	if (!is_chain_of_plan(name, (size_t)n))
		print_declaration(to, name, n);
}

static void print_strange_end(FILE *to, const char *name, int n)
{
	if (!is_chain_of_plan(name, (size_t)n))
		print_end(to, name, n);
}

static void print_jumps(const struct page *p, const struct rules_present *present)
{
	if (present->is_in_place)
		return;
	print_deletions(p->to, present->jumps);
	for (size_t i = 0; i < N_BUILTIN; i++)
		(void)fprintf(p->to, "-I %s 1 -j " OURS "%s\n", builtin[i], builtin[i]);
}

/* ---- whole inputs ---- */

int rules_print(const struct firewall_plan *plan, enum rules_family family,
		const struct rules_present *present, char **text)
{
	size_t n;
	struct page p = {.to = open_memstream(text, &n), .plan = plan, .family = family};
	if (!p.to)
		return -ENOMEM;
	(void)fputs("*mangle\n", p.to);
	for (size_t i = 0; i < N_CHAINS; i++)
		print_declaration(p.to, chains[i], (int)strlen(chains[i]));
	each_chain(present->ours, p.to, print_strange_declaration);
	print_jumps(&p, present);
	print_marks(&p);
	print_ways(&p);
	print_scope(&p, "INTERNAL", plan->fail_open.internal);
	print_scope(&p, "EGRESS", plan->fail_open.egress);
	print_scope(&p, "INGRESS", plan->fail_open.ingress);
	each_chain(present->ours, p.to, print_strange_end);
	(void)fputs("COMMIT\n", p.to);
	return print_close(p.to, text);
}

int rules_print_removal(const struct rules_present *present, char **text)
{
	size_t n;
	FILE *to = open_memstream(text, &n);
	if (!to)
		return -ENOMEM;
	(void)fputs("*mangle\n", to);
	each_chain(present->ours, to, print_declaration);
	print_deletions(to, present->jumps);
	each_chain(present->ours, to, print_end);
	(void)fputs("COMMIT\n", to);
	return print_close(to, text);
}

/* ---- reading iptables-save ---- */

/* While its lines are read. */
struct reading {
	FILE *ours, *jumps;
	bool has_begun[N_BUILTIN];
	unsigned n_jumps, n_first;
};

static bool begins(struct bytes line, const char *text)
{
	return bytes_is(bytes_slice(line, 0, strlen(text)), text);
}

static bool is_jump_to_ours(struct bytes line)
{
	return memmem(line.p, line.n, "-j " OURS, strlen("-j " OURS)) ||
	       memmem(line.p, line.n, "-g " OURS, strlen("-g " OURS));
}

/* -1: another chain */
static int builtin_of(struct bytes chain)
{
	for (size_t i = 0; i < N_BUILTIN; i++)
		if (bytes_is(chain, builtin[i]))
			return (int)i;
	return -1;
}

static bool is_right_jump(struct bytes line, const char *name)
{
	char right[64];
	(void)snprintf(right, sizeof(right), "-A %s -j " OURS "%s", name,
		       name); /* fits: constants */
	return bytes_is(line, right);
}

/* A line "-A CHAIN ..." of a chain that is not ours. */
static void read_foreign_rule(struct reading *r, struct bytes line)
{
	struct bytes rest = bytes_from(line, 3);
	int which = builtin_of(bytes_slice(rest, 0, bytes_find(rest, ' ')));
	bool is_first = which >= 0 && !r->has_begun[which];
	if (which >= 0)
		r->has_begun[which] = true;
	if (!is_jump_to_ours(line))
		return;
	r->n_jumps++;
	if (is_first && is_right_jump(line, builtin[which]))
		r->n_first++;
	(void)fprintf(r->jumps, "%.*s\n", (int)line.n, (const char *)line.p);
}

static void read_line(struct reading *r, struct bytes line)
{
	if (begins(line, ":" OURS)) {
		struct bytes name = bytes_slice(line, 0, bytes_find(line, ' '));
		(void)fprintf(r->ours, "%.*s\n", (int)name.n, (const char *)name.p);
	} else if (begins(line, "-A " OURS)) {
		(void)fprintf(r->ours, "%.*s\n", (int)line.n, (const char *)line.p);
	} else if (begins(line, "-A ")) {
		read_foreign_rule(r, line);
	}
}

static void read_lines(struct reading *r, struct bytes save)
{
	while (save.n > 0) {
		size_t end = bytes_find(save, '\n');
		struct bytes line = bytes_slice(save, 0, end);
		/* iptables-save of one version ends some lines with a blank */
		while (line.n > 0 && line.p[line.n - 1] == ' ')
			line.n--;
		read_line(r, line);
		save = bytes_from(save, end + 1);
	}
}

int rules_parse(struct bytes save, struct rules_present *out)
{
	*out = (struct rules_present){0};
	size_t n_ours = 0, n_jumps = 0;
	struct reading r = {.ours = open_memstream(&out->ours, &n_ours)};
	if (!r.ours)
		return -ENOMEM;
	r.jumps = open_memstream(&out->jumps, &n_jumps);
	if (r.jumps)
		read_lines(&r, save);
	int ours = print_close(r.ours, &out->ours);
	int jumps = r.jumps ? print_close(r.jumps, &out->jumps) : -ENOMEM;
	if (ours < 0 || jumps < 0) {
		rules_present_fini(out);
		return -ENOMEM;
	}
	out->has_any = *out->ours || *out->jumps;
	out->is_in_place = r.n_first == N_BUILTIN && r.n_jumps == N_BUILTIN;
	return 0;
}

void rules_present_fini(struct rules_present *present)
{
	free(present->ours);
	free(present->jumps);
	*present = (struct rules_present){0};
}

/* ---- is it a plan ---- */

/* A "-" in front would be an option. */
static bool is_plain_name(const char *name)
{
	return print_is_plain_name(name) && name[0] != '-';
}

static bool is_power_of_two(unsigned n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

int rules_check_plan(const struct firewall_plan *plan, struct error *err)
{
	if (plan->n_interfaces > INTERFACES_MAX)
		return error_set(err, -EINVAL, "%zu managed interfaces: at most %d",
				 plan->n_interfaces, (int)INTERFACES_MAX);
	for (size_t i = 0; i < plan->n_interfaces; i++)
		if (memchr(plan->interfaces[i], '\0', IFNAMSIZ) == NULL ||
		    !is_plain_name(plan->interfaces[i]))
			return error_set(
				err, -EINVAL,
				"managed interface %zu has a name that iptables cannot take", i);
	if (!is_power_of_two(plan->n_queues) || plan->n_queues > SHARED_WORKERS_MAX ||
	    plan->queue_base + 2 * plan->n_queues > UINT16_MAX + 1u)
		return error_set(err, -EINVAL,
				 "queues %u to %u: twice a power of two up to %d, numbers below "
				 "65536",
				 plan->queue_base, plan->queue_base + 2 * plan->n_queues - 1,
				 (int)SHARED_WORKERS_MAX);
	if (plan->mark_mask == 0 || mark_value(plan->mark_mask, 0, MARK_OFFLOADED) ==
					    mark_value(plan->mark_mask, 0, MARK_BOTH))
		return error_set(err, -EINVAL, "mark mask 0x%x is too small", plan->mark_mask);
	return 0;
}
