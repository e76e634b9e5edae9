/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each record type holds, and how it is written.
 *
 * One table gives a type its name and the layout of its data, one letter for each item:
 *
 *	a  IPv4 address     n  name              s  string with its length    h  the rest as hex
 *	x  IPv6 address     1 2 4  a number      S  such strings to the end   t  the rest as text
 *	p  service parameters (RFC 9460)         o  EDNS options (RFC 6891)   r  the rest, counted
 *
 * The same walk over the layout checks the data and writes the text, so that the two cannot
 * disagree. A type without a row is "r".
 */
#include "dns_types.h"

struct row {
	uint16_t number;
	const char *name, *layout;
};

/* IANA's registry "Resource Record (RR) TYPEs"; every table of rows ascends. */
static const struct row types[] = {
	{1, "A", "a"},	     {2, "NS", "n"},	      {3, "MD", "n"},	    {4, "MF", "n"},
	{5, "CNAME", "n"},   {6, "SOA", "nn44444"},   {7, "MB", "n"},	    {8, "MG", "n"},
	{9, "MR", "n"},	     {10, "NULL", "r"},	      {11, "WKS", "r"},	    {12, "PTR", "n"},
	{13, "HINFO", "ss"}, {14, "MINFO", "nn"},     {15, "MX", "2n"},	    {16, "TXT", "S"},
	{17, "RP", "nn"},    {18, "AFSDB", "2n"},     {19, "X25", "r"},	    {20, "ISDN", "r"},
	{21, "RT", "2n"},    {24, "SIG", "r"},	      {25, "KEY", "r"},	    {26, "PX", "2nn"},
	{28, "AAAA", "x"},   {29, "LOC", "r"},	      {33, "SRV", "222n"},  {35, "NAPTR", "22sssn"},
	{36, "KX", "2n"},    {37, "CERT", "r"},	      {39, "DNAME", "n"},   {41, "OPT", "o"},
	{42, "APL", "r"},    {43, "DS", "211h"},      {44, "SSHFP", "11h"}, {45, "IPSECKEY", "r"},
	{46, "RRSIG", "r"},  {47, "NSEC", "r"},	      {48, "DNSKEY", "r"},  {49, "DHCID", "r"},
	{50, "NSEC3", "r"},  {51, "NSEC3PARAM", "r"}, {52, "TLSA", "111h"}, {53, "SMIMEA", "111h"},
	{55, "HIP", "r"},    {59, "CDS", "211h"},     {60, "CDNSKEY", "r"}, {61, "OPENPGPKEY", "r"},
	{62, "CSYNC", "r"},  {63, "ZONEMD", "r"},     {64, "SVCB", "2np"},  {65, "HTTPS", "2np"},
	{99, "SPF", "S"},    {108, "EUI48", "h"},     {109, "EUI64", "h"},  {249, "TKEY", "r"},
	{250, "TSIG", "r"},  {251, "IXFR", "r"},      {252, "AXFR", "r"},   {253, "MAILB", "r"},
	{254, "MAILA", "r"}, {255, "ANY", "r"},	      {256, "URI", "22t"},  {257, "CAA", "1st"},
	{32768, "TA", "r"},  {32769, "DLV", "211h"},
};

static const struct row classes[] = {
	{1, "IN", NULL}, {3, "CH", NULL}, {4, "HS", NULL}, {254, "NONE", NULL}, {255, "ANY", NULL}};

static const struct row opcodes[] = {
	{0, "QUERY", NULL},  {1, "IQUERY", NULL}, {2, "STATUS", NULL},
	{4, "NOTIFY", NULL}, {5, "UPDATE", NULL}, {6, "DSO", NULL},
};

static const struct row rcodes[] = {
	{0, "NOERROR", NULL},	{1, "FORMERR", NULL},	 {2, "SERVFAIL", NULL},
	{3, "NXDOMAIN", NULL},	{4, "NOTIMP", NULL},	 {5, "REFUSED", NULL},
	{6, "YXDOMAIN", NULL},	{7, "YXRRSET", NULL},	 {8, "NXRRSET", NULL},
	{9, "NOTAUTH", NULL},	{10, "NOTZONE", NULL},	 {11, "DSOTYPENI", NULL},
	{16, "BADVERS", NULL},	{17, "BADKEY", NULL},	 {18, "BADTIME", NULL},
	{19, "BADMODE", NULL},	{20, "BADNAME", NULL},	 {21, "BADALG", NULL},
	{22, "BADTRUNC", NULL}, {23, "BADCOOKIE", NULL},
};

#define N_ROWS(table) (sizeof(table) / sizeof((table)[0]))

static const struct row *find_row(const struct row *rows, size_t n, uint16_t number)
{
	size_t low = 0;
	while (low < n) {
		const size_t middle = low + (n - low) / 2;
		if (rows[middle].number == number)
			return &rows[middle];
		if (rows[middle].number < number)
			low = middle + 1;
		else
			n = middle;
	}
	return NULL;
}

static void put_named(struct dns_text *t, const struct row *row, const char *prefix,
		      uint16_t number)
{
	dns_put(t, bytes_str(row ? row->name : prefix));
	if (!row)
		dns_put_number(t, number);
}

void dns_put_type(struct dns_text *t, uint16_t type)
{
	put_named(t, find_row(types, N_ROWS(types), type), "TYPE", type);
}

void dns_put_class(struct dns_text *t, uint16_t class)
{
	put_named(t, find_row(classes, N_ROWS(classes), class), "CLASS", class);
}

void dns_put_opcode(struct dns_text *t, uint8_t opcode)
{
	put_named(t, find_row(opcodes, N_ROWS(opcodes), opcode), "OPCODE", opcode);
}

void dns_put_rcode(struct dns_text *t, uint16_t rcode)
{
	put_named(t, find_row(rcodes, N_ROWS(rcodes), rcode), "RCODE", rcode);
}

/* "TYPE" and a number without leading zeroes (RFC 3597 section 5). */
static bool numbered_type(struct bytes text, uint16_t *type)
{
	uint32_t value = 0;
	if (!bytes_is_nocase(bytes_slice(text, 0, 4), "TYPE") || text.n < 5 || text.n > 9)
		return false;
	for (size_t i = 4; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text.p[i] - '0');
	}
	*type = (uint16_t)value;
	return value <= UINT16_MAX && (text.n == 5 || text.p[4] != '0');
}

bool dns_type_of(struct bytes text, uint16_t *type)
{
	for (size_t i = 0; i < N_ROWS(types); i++)
		if (bytes_is_nocase(text, types[i].name)) {
			*type = types[i].number;
			return true;
		}
	return numbered_type(text, type);
}

/* ---------------------------------------------------------------- text */

void dns_put(struct dns_text *t, struct bytes b)
{
	b = bytes_slice(b, 0, t->max - t->n);
	if (b.n)
		memcpy(t->p + t->n, b.p, b.n);
	t->n += b.n;
}

void dns_put_number(struct dns_text *t, uint64_t number)
{
	uint8_t digits[20];
	size_t at = sizeof digits;
	do {
		digits[--at] = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number);
	dns_put(t, bytes_of(digits + at, sizeof digits - at));
}

static void put_hex(struct dns_text *t, unsigned value, int digits)
{
	static const char hex[] = "0123456789abcdef";
	for (int i = digits - 1; i >= 0; i--)
		dns_put(t, bytes_of(&hex[value >> (4 * i) & 0xf], 1));
}

static void put_hex_bytes(struct dns_text *t, struct bytes b)
{
	for (size_t i = 0; i < b.n && t->n < t->max; i++)
		put_hex(t, b.p[i], 2);
}

/* Blanks stay; what a terminal would act on does not. */
static void put_printable(struct dns_text *t, struct bytes b)
{
	for (size_t i = 0; i < b.n && t->n < t->max; i++) {
		if (b.p[i] >= ' ' && b.p[i] < 0x7f && b.p[i] != '\\') {
			dns_put(t, bytes_of(&b.p[i], 1));
			continue;
		}
		dns_put(t, bytes_str("\\x"));
		put_hex(t, b.p[i], 2);
	}
}

static void put_ipv4(struct dns_text *t, const uint8_t *p)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			dns_put(t, bytes_str("."));
		dns_put_number(t, p[i]);
	}
}

static unsigned group_of(const uint8_t *p, size_t i)
{
	return (unsigned)p[2 * i] << 8 | p[2 * i + 1];
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952 section 4.2). */
static void find_zeroes(const uint8_t *p, unsigned *at, unsigned *n)
{
	*at = *n = 0;
	for (unsigned i = 0, run = 0; i < 8; i++) {
		run = group_of(p, i) ? 0 : run + 1;
		if (run > 1 && run > *n) {
			*n = run;
			*at = i + 1 - run;
		}
	}
}

static void put_ipv6(struct dns_text *t, const uint8_t *p)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	if (memcmp(p, mapped, sizeof mapped) == 0) {
		dns_put(t, bytes_str("::ffff:"));
		put_ipv4(t, p + 12);
		return;
	}
	unsigned zero, n_zero;
	find_zeroes(p, &zero, &n_zero);
	for (unsigned i = 0; i < 8; i++) {
		if (n_zero && i == zero) {
			dns_put(t, bytes_str("::"));
			i += n_zero - 1;
			continue;
		}
		if (i && !(n_zero && i == zero + n_zero))
			dns_put(t, bytes_str(":"));
		const unsigned g = group_of(p, i);
		put_hex(t, g, g > 0xfff ? 4 : g > 0xff ? 3 : g > 0xf ? 2 : 1);
	}
}

void dns_put_address(struct dns_text *t, struct bytes address)
{
	if (address.n == 4)
		put_ipv4(t, address.p);
	else if (address.n == 16)
		put_ipv6(t, address.p);
}

/* ---------------------------------------------------------------- the data of a record */

/* text: NULL while checking. found: told of each address, or NULL. */
struct data {
	struct dns_reader d; /* ends where the data ends */
	struct dns_text *text;
	void (*found)(void *ctx, struct bytes address);
	void *ctx;
};

static struct bytes take(struct data *x, size_t n)
{
	return read_bytes(&x->d.r, n);
}

static struct bytes take_rest(struct data *x)
{
	return take(x, reader_left(&x->d.r));
}

static void item_number(struct data *x, size_t n)
{
	const uint64_t number = read_be(&x->d.r, n);
	if (x->text)
		dns_put_number(x->text, number);
}

static void item_address(struct data *x, size_t n)
{
	const struct bytes address = take(x, n);
	if (address.n == 0)
		return;
	if (x->found)
		x->found(x->ctx, address);
	if (x->text)
		dns_put_address(x->text, address);
}

static void item_name(struct data *x)
{
	struct dns_name name;
	if (!x->text) {
		dns_read_name(&x->d, NULL);
		return;
	}
	dns_read_name(&x->d, &name);
	dns_put(x->text, bytes_of(name.text, name.n));
}

static void item_string(struct data *x)
{
	const struct bytes s = take(x, read_u8(&x->d.r));
	if (x->text)
		put_printable(x->text, s);
}

static void item_strings(struct data *x)
{
	do
		item_string(x);
	while (reader_ok(&x->d.r) && reader_left(&x->d.r));
}

static void item_rest(struct data *x, char how)
{
	const struct bytes rest = take_rest(x);
	if (!x->text)
		return;
	if (how == 'h') {
		put_hex_bytes(x->text, rest);
	} else if (how == 't') {
		put_printable(x->text, rest);
	} else {
		dns_put(x->text, bytes_str("\\# "));
		dns_put_number(x->text, rest.n);
	}
}

static void item_options(struct data *x)
{
	while (reader_ok(&x->d.r) && reader_left(&x->d.r)) {
		read_skip(&x->d.r, 2);
		read_skip(&x->d.r, read_u16be(&x->d.r));
	}
}

enum { SVC_ALPN = 1, SVC_PORT = 3, SVC_IPV4HINT = 4, SVC_IPV6HINT = 6 };

static void check_alpn(struct data *x, struct bytes value)
{
	struct reader r = reader_of(value);
	while (reader_ok(&r) && reader_left(&r))
		if (read_bytes(&r, read_u8(&r)).n == 0)
			read_fail(&r);
	if (!reader_ok(&r) || value.n == 0)
		dns_fail(&x->d, "a bad alpn list");
}

static void item_hints(struct data *x, struct bytes value, size_t each)
{
	if (value.n == 0 || value.n % each)
		dns_fail(&x->d, "bad address hints");
	for (; x->found && value.n >= each; value = bytes_from(value, each))
		x->found(x->ctx, bytes_slice(value, 0, each));
}

static void item_parameter(struct data *x, unsigned key, struct bytes value)
{
	if (key == SVC_ALPN)
		check_alpn(x, value);
	else if (key == SVC_PORT && value.n != 2)
		dns_fail(&x->d, "a bad port");
	else if (key == SVC_IPV4HINT)
		item_hints(x, value, 4);
	else if (key == SVC_IPV6HINT)
		item_hints(x, value, 16);
}

/* RFC 9460 section 2.2: keys in rising order, none twice. */
static void item_parameters(struct data *x)
{
	for (unsigned least = 0; reader_ok(&x->d.r) && reader_left(&x->d.r);) {
		const unsigned key = read_u16be(&x->d.r);
		const struct bytes value = take(x, read_u16be(&x->d.r));
		if (!reader_ok(&x->d.r))
			return;
		if (key < least)
			dns_fail(&x->d, "service parameters out of order");
		least = key + 1;
		item_parameter(x, key, value);
	}
}

static void read_item(struct data *x, char item)
{
	switch (item) {
	case 'a':
		item_address(x, 4);
		break;
	case 'x':
		item_address(x, 16);
		break;
	case 'n':
		item_name(x);
		break;
	case 's':
		item_string(x);
		break;
	case 'S':
		item_strings(x);
		break;
	case 'p':
		item_parameters(x);
		break;
	case 'o':
		item_options(x);
		break;
	case '1':
	case '2':
	case '4':
		item_number(x, (size_t)(item - '0'));
		break;
	default:
		item_rest(x, item);
		break;
	}
}

/* Only the class IN gives addresses their form. */
static const char *layout_of(const struct dns_record *record)
{
	const struct row *row = find_row(types, N_ROWS(types), record->type);
	const bool is_address = record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA;
	return !row || (is_address && record->class != DNS_CLASS_IN) ? "r" : row->layout;
}

/* NULL when every item was there and nothing is left. */
static const char *read_data(struct data *x, struct bytes message, const struct dns_record *record)
{
	const struct bytes upto = bytes_slice(message, 0, record->data_at + record->data_n);
	struct dns_memo *memo = x->d.memo;
	x->d = dns_reader_at(upto, record->data_at);
	x->d.memo = memo;
	const char *const layout = layout_of(record);
	for (size_t i = 0; layout[i] && reader_ok(&x->d.r); i++) {
		if (x->text && i && layout[i] != 'p')
			dns_put(x->text, bytes_str(" "));
		read_item(x, layout[i]);
	}
	if (x->d.r.missing)
		return "record data shorter than its type wants";
	if (x->d.why)
		return x->d.why;
	return reader_left(&x->d.r) ? "record data longer than its type wants" : NULL;
}

const char *dns_check_data(struct bytes message, const struct dns_record *record,
			   struct dns_memo *memo)
{
	struct data x = {.d = {.memo = memo}};
	return read_data(&x, message, record);
}

void dns_put_data(struct dns_text *t, struct bytes message, const struct dns_record *record)
{
	struct data x = {.text = t};
	(void)read_data(&x, message, record); /* it was checked before */
}

void dns_each_address(struct bytes message, const struct dns_record *record,
		      void (*found)(void *ctx, struct bytes address), void *ctx)
{
	struct data x = {.found = found, .ctx = ctx};
	(void)read_data(&x, message, record); /* it was checked before */
}
