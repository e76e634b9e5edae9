/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of words, for both dialects: keywords, functions, values of settings. Every list is in the
 * order of its bytes and in lower case; the text that is looked for may be in any.
 */
#ifndef SQL_LIST_H
#define SQL_LIST_H

#include "bridgewarden/bytes.h"

/* Its place in the list, or n. */
size_t sql_list_find(struct bytes text, const char *const *list, size_t n);

/* The same of a whole array. */
#define SQL_LIST_LENGTH(list) (sizeof(list) / sizeof((list)[0]))
#define SQL_LIST_HAS(list, text)                                                                   \
	(sql_list_find(text, list, SQL_LIST_LENGTH(list)) < SQL_LIST_LENGTH(list))

#endif
