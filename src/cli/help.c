/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/help.h"

#include <stddef.h>
#include <string.h>

const char cli_help[] =
	"Usage: bridgewarden [--runtime-dir DIR] COMMAND [OPTION...]\n"
	"\n"
	"Ask the daemon\n"
	"  status                    engine, queues, generation, counters, mode\n"
	"  flows [FILTER...]         live flows\n"
	"      --from X --to Y       identity (a glob), address or prefix\n"
	"      --app A --rule R --verdict allow|deny|pending\n"
	"      --not FILTER VALUE    the filter that follows must not match\n"
	"      --since 5m            also those that ended since, and violations\n"
	"      --follow              then every new record\n"
	"      --limit N             at most so many live ones (2000)\n"
	"  ids                       endpoints, their addresses and identities\n"
	"  explain FLOW_ID           each rule, and which of its parts did not match\n"
	"  explain 'SENTENCE'        the same for \"blog/wordpress -> blog/db mysql 'SELECT 1'\"\n"
	"  reload                    load the policy file again; on any error the old one stays\n"
	"\n"
	"Without a daemon\n"
	"  explain 'SENTENCE' --policy FILE\n"
	"  policy check FILE         report errors and warnings; --strict: fail for either\n"
	"  policy test FILE          run its tests\n"
	"  policy print FILE         the whole policy as one file, as it was understood\n"
	"  policy schema             a JSON Schema of the file, for editors\n"
	"  replay PCAP... --policy FILE   the engine over a capture\n"
	"\n"
	"`bridgewarden help COMMAND` says more about one.\n"
	"-o json gives JSON lines. The same filter twice means either, different filters mean "
	"both.\n"
	"Exit status: 0 yes or done, 1 no or an error, 2 differs, 64 wrong usage, 69 no daemon.\n";

#define COMMON                                                                                     \
	"\n"                                                                                       \
	"  -o table|json         for people, or JSON lines with a \"schema\" version\n"            \
	"  --runtime-dir DIR     where the daemon's socket is (/run/bridgewarden)\n"

#define FILTERS                                                                                    \
	"  --from X, --to Y      an identity (a glob: 'blog/*'), an address or a prefix\n"         \
	"  --app A               http, mysql, postgres, redis, dns, tls\n"                         \
	"  --rule R              the rule that decided\n"                                          \
	"  --verdict V           allow, deny or pending\n"                                         \
	"  --not                 the filter that follows must not match\n"

static const struct {
	const char *command, *text;
} pages[] = {
	{"status", "Usage: bridgewarden status\n"
		   "Is the daemon ready, by which policy, what do engine, Docker, firewall and "
		   "queues do, and\n"
		   "each counter that is not 0. Exit status 1 while it is not ready.\n" COMMON},
	{"flows",
	 "Usage: bridgewarden flows [FILTER...]\n"
	 "Connections that live now, with verdict and the rule or reason behind it.\n"
	 "\n" FILTERS
	 "  --since 5m            also those that ended since, and violations, as far as memory "
	 "goes\n"
	 "  --follow              then every new record, until Ctrl-C\n"
	 "  --limit N             at most so many live ones (2000)\n"
	 "\n"
	 "The same filter twice means either; different filters mean both.\n" COMMON "\n"
	 "  bridgewarden flows --to blog/db --not --app mysql --since 1h\n"
	 "  bridgewarden flows --verdict deny --follow\n"},
	{"ids",
	 "Usage: bridgewarden ids\n"
	 "Endpoints, their addresses and networks, and as which identity they are judged. With\n"
	 "-o json also every selector by which a policy may name them.\n" COMMON},
	{"explain",
	 "Usage: bridgewarden explain FLOW_ID\n"
	 "       bridgewarden explain 'SENTENCE' [--policy FILE]\n"
	 "Why a flow (by its number in `flows` and in records), or what a sentence describes, is\n"
	 "judged as it is: each rule, which part of it did not match, and the allow that came\n"
	 "nearest. A sentence is asked of the running daemon and its identities, or of FILE, "
	 "where\n"
	 "who it names is made up as in tests.\n"
	 "\n"
	 "  FROM -> TO[:PORT] [APP [[FIELD=VALUE]...] [REQUEST]] [= allow|deny [by RULE|default]]\n"
	 "\n"
	 "Exit status: 0 allowed (or as the sentence expects), 1 not.\n" COMMON "\n"
	 "  bridgewarden explain \"blog/wordpress -> blog/db mysql 'DROP TABLE wp_posts'\"\n"
	 "  bridgewarden explain 'internet -> blog/wordpress:443 tcp' --policy FILE\n"},
	{"reload",
	 "Usage: bridgewarden reload\n"
	 "Loads the policy file again and runs its tests; waits until the engine judges by it. On "
	 "any\n"
	 "error the policy of before stays, the error is printed and the exit status is "
	 "1.\n" COMMON},
	{"policy",
	 "Usage: bridgewarden policy check [--strict] FILE    errors and warnings, with line and "
	 "column\n"
	 "       bridgewarden policy test FILE     the same, then the tests in the file\n"
	 "       bridgewarden policy print FILE    the whole policy as one file, as it was "
	 "understood\n"
	 "       bridgewarden policy schema        the language as a JSON Schema, for editors\n"
	 "No daemon, root or Docker is needed. Exit status: 0 good, 1 not. --strict: warnings are "
	 "not good.\n"},
	{"replay",
	 "Usage: bridgewarden replay PCAP... --policy FILE [OPTION...]\n"
	 "The engine over capture files (pcap, pcapng): the records that it would have made, on "
	 "stdout.\n"
	 "\n"
	 "  --policy FILE         judge by this\n"
	 "  --ids FILE            who the addresses are: an inventory\n"
	 "  --checksums           packets with wrong checksums are invalid, as they are live\n"
	 "  -o table|json         a line a record, or the records\n"},
};

const char *cli_help_of(const char *command)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].command, command) == 0)
			return pages[i].text;
	return NULL;
}
