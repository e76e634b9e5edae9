/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "firewall/ports.h"

#include "base/text.h"
#include "firewall/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define DROP(name) " counter name \"" name "\" drop\n"

static const char *const names[N_PORTS_DROPS] = {
	[PORTS_ETHERTYPE] = "ethertype",    [PORTS_MAC] = "forged-mac", [PORTS_IP] = "forged-ip",
	[PORTS_OUTSIDE] = "outside-subnet", [PORTS_ARP] = "forged-arp", [PORTS_ND] = "forged-nd",
	[PORTS_BESIDE] = "past-bridge",
};

const char *ports_drop_name(enum ports_drop drop)
{
	return names[drop];
}

/* Adding what may not be there makes the deletion succeed; both happen in one transaction. */
const char ports_removal[] = "add table bridge bridgewarden\n"
			     "delete table bridge bridgewarden\n"
			     "add table inet bridgewarden\n"
			     "delete table inet bridgewarden\n";

/* ---- elements ---- */

/* Both are written to memory streams, checked when they are closed. Elements end with a line end.
 */
struct page {
	FILE *frame, *elements;
	const struct ports_plan *plan;
};

static bool has_mac(const struct ports_owner *owner)
{
	static const uint8_t unknown[6];
	return memcmp(owner->mac, unknown, sizeof(unknown)) != 0;
}

static const char *port_of(const struct page *p, const struct ports_owner *owner)
{
	return p->plan->ports[owner->port].name;
}

/* fe80::, with the interface identifier that a link address gives: RFC 4291 appendix A. */
static struct ip_addr link_local(const uint8_t mac[6])
{
	return (struct ip_addr){{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff,
				 0xfe, mac[3], mac[4], mac[5]}};
}

static void print_number(FILE *to, const uint8_t *bytes, size_t n)
{
	(void)fputs("0x", to);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(to, "%02x", bytes[i]);
}

/* The address as an element's last part. */
static void print_plain(FILE *to, const struct ip_addr *addr)
{
	char text[IP_ADDR_TEXT];
	if (ip_addr_is_v4(addr))
		(void)fputs(ip_addr_print(addr, text), to);
	else
		print_number(to, addr->b, sizeof(addr->b));
	(void)fputc('\n', to);
}

/* "own4", or "known4" without a port. IPv6 addresses are numbers: the sets are asked for the target
 * of a neighbour advertisement, too, and nft knows that field by its place only. */
static void print_address(const struct page *p, const char *port, const struct ip_addr *addr)
{
	const char *set = port ? "own" : "known";
	(void)fprintf(p->elements, "bridge %s%c ", set, ip_addr_is_v4(addr) ? '4' : '6');
	if (port)
		(void)fprintf(p->elements, "\"%s\" . ", port);
	print_plain(p->elements, addr);
}

static void print_usual(const struct page *p, const struct ports_owner *owner)
{
	(void)fprintf(p->elements, "bridge usual%c \"%s\" . ",
		      ip_addr_is_v4(&owner->addr) ? '4' : '6', port_of(p, owner));
	print_number(p->elements, owner->mac, sizeof(owner->mac));
	(void)fputs(" . ", p->elements);
	print_plain(p->elements, &owner->addr);
}

static void print_mac(const struct page *p, const char *port, const uint8_t mac[6])
{
	(void)fprintf(p->elements, "bridge %s-macs ", port ? "own" : "known");
	if (port)
		(void)fprintf(p->elements, "\"%s\" . ", port);
	print_number(p->elements, mac, 6);
	(void)fputc('\n', p->elements);
}

static void print_owner(const struct page *p, const struct ports_owner *owner)
{
	const char *port = port_of(p, owner);
	print_address(p, port, &owner->addr);
	print_address(p, NULL, &owner->addr);
	if (!has_mac(owner))
		return;
	print_usual(p, owner);
	const struct ip_addr local = link_local(owner->mac);
	print_address(p, port, &local);
	print_address(p, NULL, &local);
	print_mac(p, port, owner->mac);
	print_mac(p, NULL, owner->mac);
}

static void print_owners(const struct page *p)
{
	for (size_t i = 0; i < p->plan->n_owners; i++)
		print_owner(p, &p->plan->owners[i]);
	for (size_t i = 0; i < p->plan->n_host_addrs; i++)
		print_address(p, NULL, &p->plan->host_addrs[i]);
	for (size_t i = 0; i < p->plan->n_host_macs; i++)
		print_mac(p, NULL, p->plan->host_macs[i]);
}

/* ---- ports ---- */

/* What is known of a port's owner. */
enum binding { UNBOUND, BOUND, BOUND_BUT_FOR_MAC };

static void find_bindings(const struct ports_plan *plan, enum binding *out)
{
	for (size_t i = 0; i < plan->n_owners; i++) {
		enum binding *at = &out[plan->owners[i].port];
		if (!has_mac(&plan->owners[i]))
			*at = BOUND_BUT_FOR_MAC;
		else if (*at == UNBOUND)
			*at = BOUND;
	}
}

static void print_way(const struct page *p, const struct ports_port *port, enum binding binding)
{
	switch (binding) {
	case BOUND:
		(void)fputs("goto bound\n", p->elements);
		return;
	case BOUND_BUT_FOR_MAC:
		(void)fputs("goto bound-but-for-mac\n", p->elements);
		return;
	case UNBOUND:
		if (p->plan->bridges[port->bridge].n_subnets)
			(void)fprintf(p->elements, "goto net-%zu\n", port->bridge);
		else
			(void)fputs("goto open\n", p->elements);
		return;
	}
}

static void print_port(const struct page *p, const struct ports_port *port, enum binding binding)
{
	(void)fprintf(p->elements, "bridge managed-ports \"%s\"\n", port->name);
	(void)fprintf(p->elements, "inet managed-ports \"%s\"\n", port->name);
	if (p->plan->bridges[port->bridge].n_nested)
		(void)fprintf(p->elements, "bridge nested \"%s\" : goto nested-%zu\n", port->name,
			      port->bridge);
	(void)fprintf(p->elements, "bridge ways \"%s\" : ", port->name);
	print_way(p, port, binding);
}

static void print_ports(const struct page *p, const enum binding *bindings)
{
	for (size_t i = 0; i < p->plan->n_ports; i++)
		print_port(p, &p->plan->ports[i], bindings[i]);
	for (size_t i = 0; i < p->plan->n_others; i++)
		(void)fprintf(p->elements, "bridge ways \"%s\" : accept\n", p->plan->others[i]);
}

/* ---- chains ---- */

#define ND_TYPES                                                                                   \
	"{ nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, "         \
	"nd-redirect }"
#define UNSPECIFIED_TYPES                                                                          \
	"{ nd-router-solicit, nd-neighbor-solicit, mld-listener-report, mld2-listener-report }"

static const char sets[] = "\tset usual4 { typeof iifname . @ll,48,48 . ip saddr; }\n"
			   "\tset usual6 { typeof iifname . @ll,48,48 . @nh,64,128; }\n"
			   "\tset own4 { type ifname . ipv4_addr; }\n"
			   "\tset own6 { typeof iifname . @nh,64,128; }\n"
			   "\tset own-macs { typeof iifname . @ll,48,48; }\n"
			   "\tset known4 { type ipv4_addr; }\n"
			   "\tset known6 { typeof @nh,64,128; }\n"
			   "\tset known-macs { typeof @ll,48,48; }\n"
			   "\tset managed-ports { type ifname; }\n"
			   "\tmap nested { type ifname : verdict; }\n"
			   "\tmap ways { type ifname : verdict; }\n";

/* Bits from the start of the link header: the source address at 48. Of the network header: the
 * source address of IPv6 at 64, the sender's link address of ARP at 64. Bits of ICMPv6 messages:
 * the target of a neighbour advertisement (RFC 4861 4.4) at 64; the first option of a solicitation
 * or advertisement at 192: type 1 or 2, and a link address at 208. A router solicitation has it
 * at 64. */
/* clang-format off */
static const char fixed_chains[] =
	/* What a frame may be at all. Neighbour discovery behind an extension header, a fragment's
	 * among them, could not be read here; nobody honest sends it (RFC 6980). */
	"\tchain shape {\n"
	"\t\tether type != { ip, ip6, arp }" DROP("ethertype")
	"\t\tether type arp arp htype != 1" DROP("forged-arp")
	"\t\tether type arp arp ptype != ip" DROP("forged-arp")
	"\t\tether type arp arp hlen != 6" DROP("forged-arp")
	"\t\tether type arp arp plen != 4" DROP("forged-arp")
	"\t\ticmpv6 type " ND_TYPES " ip6 nexthdr != ipv6-icmp" DROP("forged-nd")
	"\t}\n"
	/* The host is the router. */
	"\tchain no-router {\n"
	"\t\ticmpv6 type { nd-router-advert, nd-redirect }" DROP("forged-nd")
	"\t}\n"
	"\tchain known-addresses {\n"
	"\t\tip saddr @known4" DROP("forged-ip")
	"\t\tether type ip6 @nh,64,128 @known6" DROP("forged-ip")
	"\t\tether type arp arp saddr ip @known4" DROP("forged-arp")
	"\t\ticmpv6 type nd-neighbor-advert @th,64,128 @known6" DROP("forged-nd")
	"\t}\n"
	"\tchain known-links {\n"
	"\t\t@ll,48,48 @known-macs" DROP("forged-mac")
	"\t\tether type arp @nh,64,48 @known-macs" DROP("forged-arp")
	"\t\ticmpv6 type nd-neighbor-solicit @th,192,8 1 @th,208,48 @known-macs" DROP("forged-nd")
	"\t\ticmpv6 type nd-neighbor-advert @th,192,8 2 @th,208,48 @known-macs" DROP("forged-nd")
	"\t\ticmpv6 type nd-router-solicit @th,64,8 1 @th,80,48 @known-macs" DROP("forged-nd")
	"\t}\n"
	"\tchain own-links {\n"
	"\t\tiifname . @ll,48,48 != @own-macs" DROP("forged-mac")
	"\t\tether type arp iifname . @nh,64,48 != @own-macs" DROP("forged-arp")
	"\t\ticmpv6 type nd-neighbor-solicit @th,192,8 1 iifname . @th,208,48 != @own-macs" DROP("forged-nd")
	"\t\ticmpv6 type nd-neighbor-advert @th,192,8 2 iifname . @th,208,48 != @own-macs" DROP("forged-nd")
	"\t\ticmpv6 type nd-router-solicit @th,64,8 1 iifname . @th,80,48 != @own-macs" DROP("forged-nd")
	"\t}\n"
	/* Before an address is got. */
	"\tchain without-address {\n"
	"\t\tether type arp arp saddr ip 0.0.0.0 accept\n"
	"\t\tip saddr 0.0.0.0 udp sport 68 udp dport 67 accept\n"
	"\t\tip6 saddr :: icmpv6 type " UNSPECIFIED_TYPES " accept\n"
	"\t}\n"
	"\tchain own-addresses {\n"
	"\t\tether type arp iifname . arp saddr ip @own4 accept\n"
	"\t\tiifname . ip saddr @own4 accept\n"
	"\t\ticmpv6 type nd-neighbor-advert goto own-advertisement\n"
	"\t\tether type ip6 iifname . @nh,64,128 @own6 accept\n"
	"\t\tjump without-address\n"
	"\t\tjump known-addresses\n"
	"\t\tip6 saddr fe80::/10 accept\n"
	"\t\tiifname vmap @nested\n"
	"\t\tether type arp" DROP("forged-arp")
	"\t\tcounter name \"forged-ip\" drop\n"
	"\t}\n"
	/* About an own address, from an own address. */
	"\tchain own-advertisement {\n"
	"\t\tiifname . @th,64,128 @own6 goto own-source\n"
	"\t\t@th,64,128 @known6" DROP("forged-nd")
	"\t\t@th,64,16 & 0xffc0 == 0xfe80 goto own-source\n"
	"\t\tiifname vmap @nested\n"
	"\t\tcounter name \"forged-nd\" drop\n"
	"\t}\n"
	"\tchain own-source {\n"
	"\t\tether type ip6 iifname . @nh,64,128 @own6 accept\n"
	"\t\tether type ip6 @nh,64,128 @known6" DROP("forged-ip")
	"\t\tip6 saddr fe80::/10 accept\n"
	"\t\tcounter name \"forged-ip\" drop\n"
	"\t}\n"
	"\tchain bound {\n"
	"\t\tjump shape\n"
	"\t\tjump no-router\n"
	"\t\tjump own-links\n"
	"\t\tgoto own-addresses\n"
	"\t}\n"
	"\tchain bound-but-for-mac {\n"
	"\t\tjump shape\n"
	"\t\tjump no-router\n"
	"\t\tjump known-links\n"
	"\t\tgoto own-addresses\n"
	"\t}\n"
	"\tchain strange {\n"
	"\t\tjump known-links\n"
	"\t\tjump known-addresses\n"
	"\t}\n"
	"\tchain strange-to-managed {\n"
	"\t\tjump shape\n"
	"\t\tjump no-router\n"
	"\t}\n"
	"\tchain open {\n"
	"\t\tjump shape\n"
	"\t\tgoto strange\n"
	"\t}\n";
/* clang-format on */

/* Before br_netfilter (0), so before IP and its connections see the frame. Nearly every frame is a
 * usual one, and takes one look into a set: its port's own addresses, nothing that could speak for
 * others. */
/* clang-format off */
static const char hooks[] =
	"\tchain prerouting {\n"
	"\t\ttype filter hook prerouting priority -350; policy accept;\n"
	"\t\tether type ip iifname . @ll,48,48 . ip saddr @usual4 accept\n"
	"\t\tether type ip6 ip6 nexthdr { tcp, udp } iifname . @ll,48,48 . @nh,64,128 @usual6 accept\n"
	"\t\tiifname vmap @ways\n"
	"\t\tgoto strange\n"
	"\t}\n"
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority -350; policy accept;\n"
	"\t\tiifname != @managed-ports oifname @managed-ports goto strange-to-managed\n"
	"\t}\n";
/* clang-format on */

static const char inet_table[] = "table inet bridgewarden {\n"
				 "\tset managed-ports { type ifname; }\n"
				 "\tchain prerouting {\n"
				 "\t\ttype filter hook prerouting priority -350; policy accept;\n"
				 "\t\tiifname @managed-ports" DROP("past-bridge") "\t}\n}\n";

/* IPv4 prefixes count from 96. */
static unsigned prefix_length(const struct identity_prefix *prefix)
{
	return ip_addr_is_v4(&prefix->addr) && prefix->length >= 96 ? prefix->length - 96u
								    : prefix->length;
}

static void print_prefixes(const struct page *p, const struct identity_prefix *prefixes, size_t n)
{
	char text[IP_ADDR_TEXT];
	for (size_t i = 0; i < n; i++) {
		const char *addr = ip_addr_print(&prefixes[i].addr, text);
		unsigned length = prefix_length(&prefixes[i]);
		bool is_v4 = ip_addr_is_v4(&prefixes[i].addr);
		(void)fprintf(p->frame, "\t\t%s saddr %s/%u accept\n", is_v4 ? "ip" : "ip6", addr,
			      length);
		if (is_v4)
			(void)fprintf(p->frame, "\t\tether type arp arp saddr ip %s/%u accept\n",
				      addr, length);
	}
}

static void print_bridge(const struct page *p, size_t number)
{
	const struct ports_bridge *b = &p->plan->bridges[number];
	if (b->n_nested) {
		(void)fprintf(p->frame, "\tchain nested-%zu {\n\t\tjump known-addresses\n", number);
		print_prefixes(p, b->nested, b->n_nested);
		(void)fputs("\t\tcounter name \"forged-ip\" drop\n\t}\n", p->frame);
	}
	if (b->n_subnets == 0)
		return;
	(void)fprintf(
		p->frame,
		"\tchain net-%zu {\n\t\tjump shape\n\t\tjump no-router\n\t\tjump known-links\n"
		"\t\tjump known-addresses\n",
		number);
	print_prefixes(p, b->subnets, b->n_subnets);
	print_prefixes(p, b->nested, b->n_nested);
	(void)fputs("\t\tip6 saddr fe80::/10 accept\n\t\tjump without-address\n"
		    "\t\tcounter name \"outside-subnet\" drop\n\t}\n",
		    p->frame);
}

/* ---- whole texts ---- */

static void print_frame(const struct page *p)
{
	(void)fprintf(p->frame, "table bridge bridgewarden {\n%s%s", sets, fixed_chains);
	for (size_t i = 0; i < p->plan->n_bridges; i++)
		print_bridge(p, i);
	(void)fprintf(p->frame, "%s}\n%s", hooks, inet_table);
}

static int check_plan(const struct ports_plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->n_ports; i++)
		if (!print_is_plain_name(plan->ports[i].name))
			return error_set(err, -EINVAL,
					 "a bridge port has a name that nft cannot take");
	for (size_t i = 0; i < plan->n_others; i++)
		if (!print_is_plain_name(plan->others[i]))
			return error_set(err, -EINVAL,
					 "a bridge port has a name that nft cannot take");
	return 0;
}

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

static size_t count_lines(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* Takes the lines over: the elements point into them, elements[n_elements] owns them. */
static int split_lines(char *lines, struct ports_text *out)
{
	size_t n = 0, kept = 0;
	out->elements = calloc(count_lines(lines) + 1, sizeof(*out->elements));
	if (!out->elements)
		return -ENOMEM;
	for (char *at = lines, *end; (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		out->elements[n++] = at;
	}
	qsort(out->elements, n, sizeof(*out->elements), by_text);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(out->elements[kept - 1], out->elements[i]) != 0)
			out->elements[kept++] = out->elements[i];
	out->n_elements = kept;
	out->lines = lines;
	return 0;
}

static int print_pages(const struct ports_plan *plan, const enum binding *bindings,
		       struct ports_text *out)
{
	size_t n;
	char *lines = NULL;
	struct page p = {.plan = plan, .frame = open_memstream(&out->frame, &n)};
	p.elements = p.frame ? open_memstream(&lines, &n) : NULL;
	if (p.elements) {
		print_frame(&p);
		print_owners(&p);
		print_ports(&p, bindings);
	}
	int frame = p.frame ? print_close(p.frame, &out->frame) : -ENOMEM;
	int elements = p.elements ? print_close(p.elements, &lines) : -ENOMEM;
	if (frame == 0 && elements == 0 && split_lines(lines, out) == 0)
		return 0;
	free(lines);
	ports_text_fini(out);
	return -ENOMEM;
}

int ports_print(const struct ports_plan *plan, struct ports_text *out, struct error *err)
{
	*out = (struct ports_text){0};
	int r = check_plan(plan, err);
	if (r < 0)
		return r;
	enum binding *bindings = calloc(plan->n_ports + 1, sizeof(*bindings));
	if (bindings)
		find_bindings(plan, bindings);
	r = bindings ? print_pages(plan, bindings, out) : -ENOMEM;
	free(bindings);
	return r < 0 ? error_set(err, r, "out of memory") : 0;
}

void ports_text_fini(struct ports_text *text)
{
	free(text->frame);
	free(text->elements);
	free(text->lines);
	*text = (struct ports_text){0};
}

/* ---- inputs ---- */

/* "add element bridge bridgewarden own4 { A, B }\n": those of one set stand side by side. */
struct input {
	FILE *to;
	const char *verb, *set; /* of the command that is open; set NULL: none */
	size_t set_length;
};

static void end_command(struct input *in)
{
	if (in->set)
		(void)fputs(" }\n", in->to);
	in->set = NULL;
}

static void add_element(struct input *in, const char *verb, const char *element)
{
	size_t family = strcspn(element, " "), n = family + 1;
	n += strcspn(element + n, " ");
	bool is_same = in->set && in->verb == verb && in->set_length == n &&
		       memcmp(in->set, element, n) == 0;
	if (!is_same) {
		end_command(in);
		(void)fprintf(in->to, "%s element %.*s bridgewarden%.*s { ", verb, (int)family,
			      element, (int)(n - family), element + family);
		in->verb = verb;
		in->set = element;
		in->set_length = n;
	} else {
		(void)fputs(", ", in->to);
	}
	(void)fputs(element + n + 1, in->to);
}

static const char add[] = "add", delete[] = "delete";

int ports_print_whole(const struct ports_text *text, const struct ports_drops *drops, char **out)
{
	size_t n;
	struct input in = {.to = open_memstream(out, &n)};
	if (!in.to)
		return -ENOMEM;
	(void)fputs(ports_removal, in.to);
	for (enum ports_drop i = 0; i < N_PORTS_DROPS; i++)
		(void)fprintf(in.to,
			      "table %s bridgewarden {\n\tcounter %s { packets %" PRIu64
			      " bytes 0 }\n}\n",
			      i == PORTS_BESIDE ? "inet" : "bridge", names[i], drops->packets[i]);
	(void)fputs(text->frame, in.to);
	for (size_t i = 0; i < text->n_elements; i++)
		add_element(&in, add, text->elements[i]);
	end_command(&in);
	return print_close(in.to, out);
}

/* What is in `some` and not in `others`; both are sorted. */
static void print_missing(struct input *in, const char *verb, const struct ports_text *some,
			  const struct ports_text *others)
{
	size_t k = 0;
	for (size_t i = 0; i < some->n_elements; i++) {
		int order = -1;
		while (k < others->n_elements &&
		       (order = strcmp(others->elements[k], some->elements[i])) < 0)
			k++;
		if (k == others->n_elements || order != 0)
			add_element(in, verb, some->elements[i]);
	}
	end_command(in);
}

int ports_print_change(const struct ports_text *from, const struct ports_text *to, char **out)
{
	size_t n;
	struct input in = {.to = open_memstream(out, &n)};
	if (!in.to)
		return -ENOMEM;
	print_missing(&in, delete, from, to); /* first: a port may have another way now */
	print_missing(&in, add, to, from);
	return print_close(in.to, out);
}

/* ---- reading ---- */

size_t ports_strip_elements(char *listing)
{
	static const char begin[] = "elements = {";
	size_t n = 0;
	char *to = listing;
	for (char *at = listing, *next; *at; at = next) {
		char *end = NULL;
		next = at + 1;
		if (strncmp(at, begin, strlen(begin)) == 0)
			end = strchr(at, '}');
		if (!end) {
			*to++ = *at;
			continue;
		}
		for (n++; at < end; at++)
			n += *at == ',';
		next = end + 1;
	}
	*to = '\0';
	return n;
}

/* The word behind the first occurrence of `before`, within the text. */
static struct bytes word_after(struct bytes text, const char *before)
{
	const uint8_t *at = text.n ? memmem(text.p, text.n, before, strlen(before)) : NULL;
	if (!at)
		return (struct bytes){0};
	struct bytes rest = bytes_from(text, (size_t)(at - text.p) + strlen(before));
	size_t n = 0;
	while (n < rest.n && rest.p[n] != ' ' && rest.p[n] != '\n')
		n++;
	return bytes_slice(rest, 0, n);
}

static uint64_t number_of(struct bytes word)
{
	uint64_t number = 0;
	for (size_t i = 0; i < word.n && word.p[i] >= '0' && word.p[i] <= '9'; i++)
		number = number * 10 + (word.p[i] - '0');
	return number;
}

void ports_parse_drops(struct bytes listing, struct ports_drops *out)
{
	for (enum ports_drop i = 0; i < N_PORTS_DROPS; i++) {
		char head[32];
		(void)snprintf(head, sizeof(head), "counter %s {", names[i]); /* fits */
		const uint8_t *at =
			listing.n ? memmem(listing.p, listing.n, head, strlen(head)) : NULL;
		if (at)
			out->packets[i] += number_of(word_after(
				bytes_from(listing, (size_t)(at - listing.p)), "packets "));
	}
}
