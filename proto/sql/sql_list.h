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

/* A long list, whose words all begin with a letter and have two bytes at least, with where each
 * letter begins; at[26] is its length. The tests check it, and say what it should be. */
enum { SQL_INDEXED_MIN = 2, SQL_LETTERS = 26 };
struct sql_index {
	const char *const *list;
	uint16_t at[SQL_LETTERS + 1];
};

/* Its place in the list, or SIZE_MAX. */
size_t sql_index_find(struct bytes text, const struct sql_index *index);

/* sql_list_find of a whole array. */
#define SQL_LIST_LENGTH(list) (sizeof(list) / sizeof((list)[0]))
#define SQL_LIST_HAS(list, text)                                                                   \
	(sql_list_find(text, list, SQL_LIST_LENGTH(list)) < SQL_LIST_LENGTH(list))

#endif
