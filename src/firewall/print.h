/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the printers of rules.c (iptables) and ports.c (nft) share. */
#ifndef FIREWALL_PRINT_H
#define FIREWALL_PRINT_H

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends a memory stream, whose failure shows here. -ENOMEM: *text is freed and NULL. */
static inline int print_close(FILE *to, char **text)
{
	bool is_bad = ferror(to) != 0;
	if (fclose(to) == 0 && !is_bad)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}

/* No blank, quote, wildcard or "!", which either program would read as more than a name. */
static inline bool print_is_plain_name(const char *name)
{
	size_t n =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.@:");
	return n > 0 && n < IFNAMSIZ && name[n] == '\0';
}

#endif
