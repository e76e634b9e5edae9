/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Plan to iptables-restore text and back, without a kernel; the BPF programs by an interpreter
 * against a naive twin. */
#include "base/text.h"
#include "bridgewarden/shared.h"
#include "firewall/bpf.h"
#include "firewall/rules.h"

#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>

static char names[3][IFNAMSIZ] = {"br0", "br-0123456789ab", "docker0"};

static struct firewall_plan plan_of(size_t n_interfaces, unsigned n_queues)
{
	return (struct firewall_plan){
		.interfaces = names,
		.n_interfaces = n_interfaces,
		.queue_base = 100,
		.n_queues = n_queues,
		.mark_mask = 0xff00,
		.epoch = 5,
	};
}

static char *print(const struct firewall_plan *plan, enum rules_family family)
{
	static const struct rules_present nothing;
	char *text;
	ck_assert_int_eq(rules_print(plan, family, &nothing, &text), 0);
	return text;
}

/* ---- text ---- */

#define SCOPE_V4(name, bypass)                                                                     \
	"-A BRIDGEWARDEN-" name                                                                    \
	" -p tcp -m connmark --mark 0x1700/0xff00 -m tcp --tcp-flags FIN,SYN,RST NONE -j RETURN\n" \
	"-A BRIDGEWARDEN-" name                                                                    \
	" -p tcp -m connmark --mark 0x1600/0xff00 -m conntrack --ctdir REPLY"                      \
	" -m tcp --tcp-flags FIN,SYN,RST NONE -j RETURN\n"                                         \
	"-A BRIDGEWARDEN-" name " ! -p tcp -m connmark --mark 0x1700/0xff00 -j RETURN\n"           \
	"-A BRIDGEWARDEN-" name                                                                    \
	" ! -p tcp -m connmark --mark 0x1600/0xff00 -m conntrack --ctdir REPLY -j RETURN\n"        \
	"-A BRIDGEWARDEN-" name " -d 224.0.0.0/4 -p igmp -m ttl --ttl-eq 1 -j RETURN\n"            \
	"-A BRIDGEWARDEN-" name " -p icmp -m conntrack --ctstate RELATED -j RETURN\n"              \
	"-A BRIDGEWARDEN-" name " -m conntrack --ctstate NEW -g BRIDGEWARDEN-" name "-NEW\n"       \
	"-A BRIDGEWARDEN-" name " -j NFQUEUE --queue-num 100" bypass "\n"                          \
	"-A BRIDGEWARDEN-" name "-NEW -j NFQUEUE --queue-num 101" bypass "\n"

static const char one_bridge[] =
	"*mangle\n"
	":BRIDGEWARDEN-INPUT - [0:0]\n"
	":BRIDGEWARDEN-FORWARD - [0:0]\n"
	":BRIDGEWARDEN-OUTPUT - [0:0]\n"
	":BRIDGEWARDEN-POSTROUTING - [0:0]\n"
	":BRIDGEWARDEN-FROM - [0:0]\n"
	":BRIDGEWARDEN-HOST - [0:0]\n"
	":BRIDGEWARDEN-INTERNAL - [0:0]\n"
	":BRIDGEWARDEN-EGRESS - [0:0]\n"
	":BRIDGEWARDEN-INGRESS - [0:0]\n"
	":BRIDGEWARDEN-INTERNAL-NEW - [0:0]\n"
	":BRIDGEWARDEN-EGRESS-NEW - [0:0]\n"
	":BRIDGEWARDEN-INGRESS-NEW - [0:0]\n"
	"-I INPUT 1 -j BRIDGEWARDEN-INPUT\n"
	"-I FORWARD 1 -j BRIDGEWARDEN-FORWARD\n"
	"-I OUTPUT 1 -j BRIDGEWARDEN-OUTPUT\n"
	"-I POSTROUTING 1 -j BRIDGEWARDEN-POSTROUTING\n"
	"-A BRIDGEWARDEN-OUTPUT -m mark --mark 0xfc00/0xff00 -j RETURN\n"
	"-A BRIDGEWARDEN-POSTROUTING -m mark --mark 0xfc00/0xff00 -j RETURN\n"
	"-A BRIDGEWARDEN-POSTROUTING -m mark ! --mark 0x0/0xff00"
	" -j CONNMARK --save-mark --nfmask 0xff00 --ctmask 0xff00\n"
	"-A BRIDGEWARDEN-INPUT -i br0 -g BRIDGEWARDEN-EGRESS\n"
	"-A BRIDGEWARDEN-FORWARD -i br0 -g BRIDGEWARDEN-FROM\n"
	"-A BRIDGEWARDEN-FROM -o br0 -g BRIDGEWARDEN-INTERNAL\n"
	"-A BRIDGEWARDEN-OUTPUT -o br0 -m addrtype --src-type LOCAL -m conntrack --ctstate "
	"ESTABLISHED"
	" -m conntrack ! --ctstate DNAT -g BRIDGEWARDEN-INGRESS\n"
	"-A BRIDGEWARDEN-POSTROUTING -o br0 -m addrtype --src-type LOCAL -g BRIDGEWARDEN-HOST\n"
	"-A BRIDGEWARDEN-FORWARD -o br0 -m conntrack --ctdir REPLY -g BRIDGEWARDEN-EGRESS\n"
	"-A BRIDGEWARDEN-FORWARD -o br0 -g BRIDGEWARDEN-INGRESS\n"
	"-A BRIDGEWARDEN-FROM -m conntrack --ctdir REPLY -g BRIDGEWARDEN-INGRESS\n"
	"-A BRIDGEWARDEN-FROM -g BRIDGEWARDEN-EGRESS\n"
	"-A BRIDGEWARDEN-HOST -m conntrack --ctstate ESTABLISHED -m conntrack ! --ctstate DNAT -j "
	"RETURN\n"
	"-A BRIDGEWARDEN-HOST -g BRIDGEWARDEN-INGRESS\n" SCOPE_V4("INTERNAL", "")
		SCOPE_V4("EGRESS", " --queue-bypass") SCOPE_V4("INGRESS", "") "COMMIT\n";

START_TEST(one_bridge_and_one_queue)
{
	struct firewall_plan plan = plan_of(1, 1);
	plan.fail_open.egress = true;
	char *text = print(&plan, RULES_V4);
	ck_assert_str_eq(text, one_bridge);
	free(text);
}
END_TEST

static size_t count(const char *text, const char *part)
{
	size_t n = 0;
	while ((text = strstr(text, part))) {
		n++;
		text += strlen(part);
	}
	return n;
}

START_TEST(every_managed_pair_is_internal)
{
	struct firewall_plan plan = plan_of(3, 1);
	char *text = print(&plan, RULES_V4);
	ck_assert_uint_eq(count(text, "-A BRIDGEWARDEN-FROM -o "), 3);
	/* all `-i` before all `-o`: what comes from a managed bridge never counts as ingress */
	const char *last_in = strstr(text, "-A BRIDGEWARDEN-FORWARD -i docker0");
	const char *first_out = strstr(text, "-A BRIDGEWARDEN-FORWARD -o br0");
	ck_assert(last_in && first_out && last_in < first_out);
	free(text);
}
END_TEST

START_TEST(no_interfaces_queue_nothing)
{
	struct firewall_plan plan = plan_of(0, 2);
	char *text = print(&plan, RULES_V6);
	ck_assert_uint_eq(count(text, " -i "), 0);
	ck_assert_uint_eq(count(text, " -o "), 0);
	free(text);
}
END_TEST

START_TEST(ipv6_passes_neighbours_and_listeners_of_the_link_only)
{
	struct firewall_plan plan = plan_of(1, 1);
	char *text = print(&plan, RULES_V6);
	ck_assert_uint_eq(count(text, "--hl-eq 255 -j RETURN"), 12);
	ck_assert_uint_eq(count(text, "-d ff00::/8 -p ipv6-icmp -m icmp6 --icmpv6-type 143 -m hl "
				      "--hl-eq 1 -j RETURN"),
			  3);
	ck_assert_uint_eq(count(text, "DROP"), 0); /* one queue: nothing to tell apart */
	ck_assert_uint_eq(count(text, "-p icmp "), 0);
	free(text);
}
END_TEST

START_TEST(each_queue_has_its_rule_and_bypass_is_by_scope)
{
	struct firewall_plan plan = plan_of(1, 4);
	plan.fail_open.internal = true;
	for (enum rules_family f = RULES_V4; f < N_RULES_FAMILIES; f++) {
		char *text = print(&plan, f);
		ck_assert_uint_eq(count(text, "--queue-num 100"), 3);
		ck_assert_uint_eq(count(text, "--queue-num 103"), 3);
		ck_assert_uint_eq(count(text, "--queue-num 104"), 3); /* first packets */
		ck_assert_uint_eq(count(text, "--queue-num 107"), 3);
		ck_assert_uint_eq(count(text, "--queue-num 108"), 0);
		ck_assert_uint_eq(count(text, "--queue-bypass"), 8);
		ck_assert_uint_eq(count(text, "-j DROP"), f == RULES_V6 ? 3 : 0);
		free(text);
	}
}
END_TEST

START_TEST(the_epoch_is_in_every_mark)
{
	struct firewall_plan plan = plan_of(1, 1);
	plan.mark_mask = 0x7f8000;
	plan.epoch = 63 + 64; /* more than the mask holds: what is left of it counts */
	char *text = print(&plan, RULES_V4);
	ck_assert_uint_eq(count(text, "--mark 0x7f8000/0x7f8000 "), 6);
	ck_assert_uint_eq(count(text, "--mark 0x7f0000/0x7f8000 "), 6);
	free(text);
}
END_TEST

START_TEST(no_verdict_has_the_mark_of_what_the_engine_sends)
{
	static const uint32_t masks[] = {0xff00, 0xff, 0xff000000, 0x3ff, 0xffffffff};
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		uint32_t injected = firewall_injected_mark(masks[i]);
		ck_assert_uint_ne(injected, 0);
		ck_assert_uint_eq(injected & ~masks[i], 0);
		for (uint32_t epoch = 0; epoch < 2048; epoch++)
			for (enum mark_state s = MARK_BOTH; s <= MARK_OFFLOADED; s++)
				ck_assert_uint_ne(mark_value(masks[i], epoch, s), injected);
	}
}
END_TEST

static struct firewall_source source_of(size_t interface, const char *prefix)
{
	struct firewall_source source = {.interface = interface};
	ck_assert(ip_prefix_parse(prefix, &source.prefix.addr, &source.prefix.length));
	return source;
}

/* br0 with two subnets of one family and one of the other, br-... with one, docker0 unknown. */
static struct firewall_plan plan_with_sources(bool is_enforced)
{
	static struct firewall_source sources[4];
	sources[0] = source_of(0, "198.18.1.0/24");
	sources[1] = source_of(0, "198.18.2.0/23");
	sources[2] = source_of(0, "fd00:1::/64");
	sources[3] = source_of(1, "198.19.0.0/16");
	struct firewall_plan plan = plan_of(3, 1);
	plan.sources = sources;
	plan.n_sources = 4;
	plan.is_enforced = is_enforced;
	return plan;
}

START_TEST(what_comes_from_outside_of_the_subnets_is_dropped)
{
	struct firewall_plan plan = plan_with_sources(true);
	char *text = print(&plan, RULES_V4);
	ck_assert_ptr_nonnull(strstr(
		text, "-A BRIDGEWARDEN-FORWARD -i br0 -s 198.18.1.0/24 -g BRIDGEWARDEN-FROM\n"
		      "-A BRIDGEWARDEN-FORWARD -i br0 -s 198.18.2.0/23 -g BRIDGEWARDEN-FROM\n"
		      "-A BRIDGEWARDEN-FORWARD -i br0 -s 0.0.0.0/32 -p udp -m udp --sport 68 "
		      "--dport 67 -g BRIDGEWARDEN-FROM\n"
		      "-A BRIDGEWARDEN-FORWARD -i br0 -j DROP\n"));
	ck_assert_ptr_nonnull(strstr(
		text, "-A BRIDGEWARDEN-INPUT -i br0 -s 198.18.1.0/24 -g BRIDGEWARDEN-EGRESS\n"));
	ck_assert_uint_eq(count(text, "-i br-0123456789ab -j DROP"), 2);
	ck_assert_uint_eq(count(text, "-i docker0 -j DROP"), 0);
	ck_assert_uint_eq(count(text, "-i docker0 -g "), 2);
	free(text);
}
END_TEST

START_TEST(addresses_of_the_link_pass_where_ipv6_has_no_subnet)
{
	struct firewall_plan plan = plan_with_sources(true);
	char *text = print(&plan, RULES_V6);
	ck_assert_ptr_nonnull(strstr(
		text,
		"-A BRIDGEWARDEN-INPUT -i br-0123456789ab -s fe80::/10 -g BRIDGEWARDEN-EGRESS\n"
		"-A BRIDGEWARDEN-INPUT -i br-0123456789ab -s ::/128 -p ipv6-icmp -g "
		"BRIDGEWARDEN-EGRESS\n"
		"-A BRIDGEWARDEN-INPUT -i br-0123456789ab -j DROP\n"));
	ck_assert_uint_eq(count(text, "-s fd00:1::/64 "), 2);
	ck_assert_uint_eq(count(text, "198.18."), 0);
	free(text);
}
END_TEST

START_TEST(what_only_observes_drops_and_changes_nothing)
{
	struct firewall_plan plan = plan_with_sources(false);
	for (enum rules_family f = RULES_V4; f < N_RULES_FAMILIES; f++) {
		char *text = print(&plan, f);
		ck_assert_uint_eq(count(text, "DROP"), 0);
		ck_assert_uint_eq(count(text, "CHECKSUM"), 0);
		ck_assert_uint_eq(count(text, " -s "), 0);
		free(text);
	}
}
END_TEST

START_TEST(checksums_are_finished_before_the_first_queue_but_not_of_the_host)
{
	struct firewall_plan plan = plan_with_sources(true);
	char *text = print(&plan, RULES_V4);
	ck_assert_uint_eq(count(text, "-j CHECKSUM --checksum-fill"), 3);
	ck_assert_uint_eq(count(text, "-A BRIDGEWARDEN-INGRESS ! -p sctp -m addrtype ! --src-type "
				      "LOCAL -j CHECKSUM"),
			  1);
	const char *fill = strstr(text, "-A BRIDGEWARDEN-INTERNAL ! -p sctp -j CHECKSUM");
	const char *offloaded = strstr(text, "-A BRIDGEWARDEN-INTERNAL ! -p tcp -m connmark");
	const char *queued = strstr(text, "-A BRIDGEWARDEN-INTERNAL -j NFQUEUE");
	ck_assert(fill && offloaded && queued && offloaded < fill && fill < queued);
	free(text);
	plan.is_unfilled = true;
	text = print(&plan, RULES_V4);
	ck_assert_uint_eq(count(text, "CHECKSUM"), 0);
	free(text);
}
END_TEST

/* ---- what is there already ---- */

static const char save[] = "# Generated by iptables-save\n*mangle\n:FORWARD ACCEPT [7:9]\n:MINE - "
			   "[0:0]\n:BRIDGEWARDEN-FORWARD - [3:4]\n"
			   ":BRIDGEWARDEN-OLD - [0:0]\n"
			   "-A INPUT -j BRIDGEWARDEN-INPUT\n-A INPUT -j MINE\n"
			   "-A FORWARD -i eth0 -j ACCEPT\n-A FORWARD -j BRIDGEWARDEN-FORWARD \n"
			   "-A OUTPUT -j BRIDGEWARDEN-OUTPUT\n-A POSTROUTING -j "
			   "BRIDGEWARDEN-POSTROUTING\n-A MINE -g BRIDGEWARDEN-OLD\n"
			   "-A BRIDGEWARDEN-FORWARD -i br0 -j RETURN\nCOMMIT\n";

START_TEST(reads_what_is_ours_and_only_that)
{
	struct rules_present p;
	ck_assert_int_eq(rules_parse(bytes_str(save), &p), 0);
	ck_assert(p.has_any);
	ck_assert(!p.is_in_place); /* FORWARD begins with another rule, and MINE goes to one of ours
				    */
	ck_assert_str_eq(p.ours, ":BRIDGEWARDEN-FORWARD\n:BRIDGEWARDEN-OLD\n-A "
				 "BRIDGEWARDEN-FORWARD -i br0 -j RETURN\n");
	ck_assert_uint_eq(count(p.jumps, "\n"), 5);
	rules_present_fini(&p);
}
END_TEST

START_TEST(removal_takes_exactly_ours)
{
	struct rules_present p;
	char *text;
	ck_assert_int_eq(rules_parse(bytes_str(save), &p), 0);
	ck_assert_int_eq(rules_print_removal(&p, &text), 0);
	ck_assert_str_eq(
		text,
		"*mangle\n:BRIDGEWARDEN-FORWARD - [0:0]\n:BRIDGEWARDEN-OLD - [0:0]\n"
		"-D INPUT -j BRIDGEWARDEN-INPUT\n-D FORWARD -j BRIDGEWARDEN-FORWARD\n"
		"-D OUTPUT -j BRIDGEWARDEN-OUTPUT\n-D POSTROUTING -j BRIDGEWARDEN-POSTROUTING\n"
		"-D MINE -g BRIDGEWARDEN-OLD\n-X BRIDGEWARDEN-FORWARD\n-X "
		"BRIDGEWARDEN-OLD\nCOMMIT\n");
	free(text);
	rules_present_fini(&p);
}
END_TEST

START_TEST(a_new_plan_mends_jumps_and_ends_chains_of_an_older_version)
{
	struct firewall_plan plan = plan_of(1, 1);
	struct rules_present p;
	char *text;
	ck_assert_int_eq(rules_parse(bytes_str(save), &p), 0);
	ck_assert_int_eq(rules_print(&plan, RULES_V4, &p, &text), 0);
	ck_assert_uint_eq(count(text, "-D "), 5);
	ck_assert_uint_eq(count(text, "-I FORWARD 1 "), 1);
	ck_assert_uint_eq(count(text, ":BRIDGEWARDEN-OLD - [0:0]\n"), 1);
	ck_assert_uint_eq(count(text, "-X BRIDGEWARDEN-OLD\n"), 1);
	ck_assert_uint_eq(count(text, "-X "), 1);
	free(text);
	rules_present_fini(&p);
}
END_TEST

START_TEST(jumps_in_place_are_left_alone)
{
	static const char right[] =
		"-A FORWARD -j BRIDGEWARDEN-FORWARD\n-A FORWARD -j ACCEPT\n-A INPUT -j "
		"BRIDGEWARDEN-INPUT\n"
		"-A OUTPUT -j BRIDGEWARDEN-OUTPUT\n-A POSTROUTING -j BRIDGEWARDEN-POSTROUTING\n";
	struct firewall_plan plan = plan_of(1, 1);
	struct rules_present p;
	char *text;
	ck_assert_int_eq(rules_parse(bytes_str(right), &p), 0);
	ck_assert(p.is_in_place);
	ck_assert_int_eq(rules_print(&plan, RULES_V4, &p, &text), 0);
	ck_assert_uint_eq(count(text, "-D "), 0);
	ck_assert_uint_eq(count(text, "-I "), 0);
	free(text);
	rules_present_fini(&p);
}
END_TEST

START_TEST(an_empty_table_has_nothing_of_ours)
{
	struct rules_present p;
	ck_assert_int_eq(rules_parse(bytes_str(""), &p), 0);
	ck_assert(!p.has_any && !p.is_in_place);
	rules_present_fini(&p);
}
END_TEST

/* ---- plans ---- */

START_TEST(refuses_names_that_iptables_would_read_as_more)
{
	static const char *const bad[] = {"",	"a b",	"br0 -j ACCEPT", "br+", "!br",
					  "-i", "br\n", "br\"",		 "br%d"};
	struct error err;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char name[1][IFNAMSIZ] = {{0}};
		strncpy(name[0], bad[i], IFNAMSIZ - 1);
		struct firewall_plan plan = plan_of(1, 1);
		plan.interfaces = name;
		ck_assert_msg(rules_check_plan(&plan, &err) == -EINVAL, "'%s'", bad[i]);
	}
	char unended[1][IFNAMSIZ];
	memset(unended, 'a', sizeof(unended));
	struct firewall_plan plan = plan_of(1, 1);
	plan.interfaces = unended;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
}
END_TEST

START_TEST(refuses_queues_and_masks_that_cannot_be)
{
	struct error err;
	struct firewall_plan plan = plan_of(3, 16);
	ck_assert_int_eq(rules_check_plan(&plan, &err), 0);
	plan.n_queues = 3;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
	plan.n_queues = 0;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
	plan.n_queues = 32;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
	plan = plan_of(1, 2);
	plan.queue_base = 65532;
	ck_assert_int_eq(rules_check_plan(&plan, &err), 0);
	plan.queue_base = 65533;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
	plan = plan_of(1, 1);
	plan.mark_mask = 0;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
	plan.mark_mask = 1;
	ck_assert_int_eq(rules_check_plan(&plan, &err), -EINVAL);
}
END_TEST

/* ---- BPF ---- */

struct insn {
	unsigned code, yes, no, k;
};

/* "2,48 0 0 9,6 0 0 0" */
static unsigned read_program(const char *text, struct insn out[BPF_INSTRUCTIONS_MAX])
{
	char *at;
	unsigned long n = strtoul(text, &at, 10);
	ck_assert_uint_le(n, BPF_INSTRUCTIONS_MAX);
	for (unsigned i = 0; i < n; i++) {
		ck_assert_int_eq(*at, ',');
		out[i].code = (unsigned)strtoul(at + 1, &at, 10);
		out[i].yes = (unsigned)strtoul(at, &at, 10);
		out[i].no = (unsigned)strtoul(at, &at, 10);
		out[i].k = (unsigned)strtoul(at, &at, 10);
	}
	ck_assert_int_eq(*at, '\0');
	return (unsigned)n;
}

/* What the kernel does with the instructions that we use; a load past the end returns 0. */
static unsigned run(const struct insn *program, unsigned n, const uint8_t *p, size_t size)
{
	uint32_t a = 0, x = 0, m = 0;
	for (unsigned pc = 0; pc < n; pc++) {
		const struct insn *in = &program[pc];
		size_t at = in->k + ((in->code & 0xe0) == BPF_IND ? x : 0);
		switch (in->code) {
		case BPF_LD | BPF_B | BPF_ABS:
		case BPF_LD | BPF_B | BPF_IND:
			if (at >= size)
				return 0;
			a = p[at];
			break;
		case BPF_LD | BPF_H | BPF_IND:
			if (at + 2 > size)
				return 0;
			a = (uint32_t)p[at] << 8 | p[at + 1];
			break;
		case BPF_LDX | BPF_B | BPF_MSH:
			x = (p[in->k] & 15u) * 4;
			break;
		case BPF_LDX | BPF_IMM:
			x = in->k;
			break;
		case BPF_ST:
			m = a;
			break;
		case BPF_LDX | BPF_MEM:
			x = m;
			break;
		case BPF_LD | BPF_MEM:
			a = m;
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_ALU | BPF_ADD | BPF_X:
			a += x;
			break;
		case BPF_ALU | BPF_ADD | BPF_K:
			a += in->k;
			break;
		case BPF_ALU | BPF_LSH | BPF_K:
			a <<= in->k;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			a >>= in->k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= in->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == in->k ? in->yes : in->no;
			break;
		case BPF_RET | BPF_K:
			return in->k;
		default:
			ck_abort_msg("instruction %u", in->code);
		}
	}
	ck_abort_msg("the program has no end");
}

struct sample {
	uint8_t bytes[256];
	size_t size;
	bool has_ports, is_hidden;
	unsigned sum;
};

static void put_ports(struct sample *s, size_t at, unsigned src, unsigned dst)
{
	const uint8_t ports[4] = {(uint8_t)(src >> 8), (uint8_t)src, (uint8_t)(dst >> 8),
				  (uint8_t)dst};
	memcpy(s->bytes + at, ports, 4);
	s->size = at + 8;
	s->sum = src + dst;
}

static struct sample sample_v4(uint8_t proto, unsigned option_words, unsigned src, unsigned dst)
{
	struct sample s = {.has_ports = proto == 6 || proto == 17};
	s.bytes[0] = (uint8_t)(0x45 + option_words);
	s.bytes[9] = proto;
	put_ports(&s, 20 + (size_t)option_words * 4, src, dst);
	return s;
}

/* Extension headers of the given types before TCP or UDP; each (i + 1) * 8 bytes long. */
static struct sample sample_v6(const uint8_t *types, unsigned n, uint8_t proto, unsigned src,
			       unsigned dst)
{
	struct sample s = {.has_ports = (proto == 6 || proto == 17) && n <= BPF_EXTENSIONS_MAX};
	s.is_hidden = n > BPF_EXTENSIONS_MAX || proto == 44 || proto == 51;
	size_t at = 40, type_at = 6;
	s.bytes[0] = 0x60;
	for (unsigned i = 0; i < n; i++) {
		s.bytes[type_at] = types[i];
		type_at = at;
		s.bytes[at + 1] = (uint8_t)i;
		at += (size_t)(i + 1) * 8;
	}
	s.bytes[type_at] = proto;
	put_ports(&s, at, src, dst);
	return s;
}

struct program {
	struct insn insn[BPF_INSTRUCTIONS_MAX];
	unsigned n;
};

/* Printed and read once. */
static const struct program *program_of(bool is_v6, unsigned queue, unsigned n_queues)
{
	static struct program all[2][SHARED_WORKERS_MAX][SHARED_WORKERS_MAX + 1];
	struct program *p = &all[is_v6][queue][n_queues];
	char text[2048] = "";
	if (p->n > 0)
		return p;
	FILE *to = fmemopen(text, sizeof(text), "w");
	if (is_v6)
		bpf_print_queue_v6(to, queue, n_queues);
	else
		bpf_print_queue_v4(to, queue, n_queues);
	(void)fclose(to);
	p->n = read_program(text, p->insn);
	return p;
}

/* Does the program of that queue match the first n bytes of the packet? */
static bool matches(const struct sample *s, size_t n, bool is_v6, unsigned queue, unsigned n_queues)
{
	const struct program *p = program_of(is_v6, queue, n_queues);
	return run(p->insn, p->n, s->bytes, n) != 0;
}

static void assert_spread(const struct sample *s, bool is_v6, unsigned n_queues)
{
	for (unsigned queue = 0; queue < n_queues; queue++) {
		bool wanted = s->has_ports && (s->sum / 2) % n_queues == queue;
		ck_assert_int_eq(matches(s, s->size, is_v6, queue, n_queues), wanted);
		for (size_t cut = 20; cut < s->size - 4; cut += 3) /* the ports are not whole */
			ck_assert(!matches(s, cut, is_v6, queue, n_queues));
	}
}

START_TEST(ipv4_flows_are_spread_by_both_ports)
{
	for (unsigned n_queues = 2; n_queues <= SHARED_WORKERS_MAX; n_queues *= 2)
		for (unsigned port = 32768; port < 32768 + 64; port += 2)
			for (unsigned options = 0; options <= 10; options += 5) {
				struct sample there = sample_v4(6, options, port, 3306),
					      back = sample_v4(6, 0, 3306, port);
				struct sample udp = sample_v4(17, options, port, 53),
					      icmp = sample_v4(1, 0, port, 0);
				assert_spread(&there, false, n_queues);
				assert_spread(&back, false, n_queues);
				assert_spread(&udp, false, n_queues);
				assert_spread(&icmp, false, n_queues);
			}
}
END_TEST

START_TEST(even_ports_reach_every_queue)
{
	for (unsigned queue = 0; queue < SHARED_WORKERS_MAX; queue++) {
		unsigned n = 0;
		for (unsigned port = 32768; port < 32768 + 64; port += 2) {
			struct sample s = sample_v4(6, 0, port, 3306);
			n += matches(&s, s.size, false, queue, SHARED_WORKERS_MAX);
		}
		ck_assert_uint_eq(n, 2);
	}
}
END_TEST

static const uint8_t extensions[][5] = {
	{0, 43, 60, 60, 60}, {60, 60, 60, 60, 60}, {0, 60, 43, 0, 60}};

START_TEST(ipv6_flows_are_spread_alike_with_and_without_extension_headers)
{
	for (unsigned n = 0; n <= 5; n++)
		for (unsigned port = 32768; port < 32768 + 8; port++)
			for (size_t i = 0; i < 3; i++) {
				struct sample tcp = sample_v6(extensions[i], n, 6, port, 80);
				struct sample udp = sample_v6(extensions[i], n, 17, 53, port);
				struct sample icmp = sample_v6(extensions[i], n, 58, port, 0);
				assert_spread(&tcp, true, 4);
				assert_spread(&udp, true, 4);
				assert_spread(&icmp, true, 4);
			}
}
END_TEST

START_TEST(a_transport_header_that_cannot_be_found_is_told)
{
	char text[2048] = "";
	struct insn program[BPF_INSTRUCTIONS_MAX];
	FILE *to = fmemopen(text, sizeof(text), "w");
	bpf_print_hidden_v6(to);
	(void)fclose(to);
	unsigned size = read_program(text, program);
	static const uint8_t protos[] = {6, 17, 58, 44, 51, 59};
	for (unsigned n = 0; n <= 5; n++)
		for (size_t i = 0; i < 3; i++)
			for (size_t k = 0; k < sizeof(protos); k++) {
				struct sample s = sample_v6(extensions[i], n, protos[k], 1, 2);
				ck_assert_int_eq(run(program, size, s.bytes, s.size) != 0,
						 s.is_hidden);
			}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firewall_rules");
	TCase *tc = tcase_create("pure");
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, one_bridge_and_one_queue);
	tcase_add_test(tc, every_managed_pair_is_internal);
	tcase_add_test(tc, no_interfaces_queue_nothing);
	tcase_add_test(tc, ipv6_passes_neighbours_and_listeners_of_the_link_only);
	tcase_add_test(tc, each_queue_has_its_rule_and_bypass_is_by_scope);
	tcase_add_test(tc, what_comes_from_outside_of_the_subnets_is_dropped);
	tcase_add_test(tc, addresses_of_the_link_pass_where_ipv6_has_no_subnet);
	tcase_add_test(tc, what_only_observes_drops_and_changes_nothing);
	tcase_add_test(tc, checksums_are_finished_before_the_first_queue_but_not_of_the_host);
	tcase_add_test(tc, the_epoch_is_in_every_mark);
	tcase_add_test(tc, no_verdict_has_the_mark_of_what_the_engine_sends);
	tcase_add_test(tc, reads_what_is_ours_and_only_that);
	tcase_add_test(tc, removal_takes_exactly_ours);
	tcase_add_test(tc, a_new_plan_mends_jumps_and_ends_chains_of_an_older_version);
	tcase_add_test(tc, jumps_in_place_are_left_alone);
	tcase_add_test(tc, an_empty_table_has_nothing_of_ours);
	tcase_add_test(tc, refuses_names_that_iptables_would_read_as_more);
	tcase_add_test(tc, refuses_queues_and_masks_that_cannot_be);
	tcase_add_test(tc, ipv4_flows_are_spread_by_both_ports);
	tcase_add_test(tc, even_ports_reach_every_queue);
	tcase_add_test(tc, ipv6_flows_are_spread_alike_with_and_without_extension_headers);
	tcase_add_test(tc, a_transport_header_that_cannot_be_found_is_told);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
