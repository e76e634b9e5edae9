/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Halves the list, or the part of it with the right first letter, until the word is found. */
#include "sql/sql_list.h"

/* <0, 0, >0 as text sorts before, at or after the lower-case word. */
static int compare(struct bytes text, const char *word)
{
	for (size_t i = 0; i < text.n; i++) {
		const int difference = (int)byte_lower(text.p[i]) - (int)(uint8_t)word[i];
		if (difference != 0 || !word[i])
			return difference ? difference : 1; /* a NUL in the text ends no word */
	}
	return word[text.n] ? -1 : 0;
}

static size_t find_between(struct bytes text, const char *const *list, size_t low, size_t high)
{
	while (low < high) {
		const size_t middle = (low + high) / 2;
		const int order = compare(text, list[middle]);
		if (order == 0)
			return middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return SIZE_MAX;
}

size_t sql_list_find(struct bytes text, const char *const *list, size_t n)
{
	const size_t at = find_between(text, list, 0, n);
	return at == SIZE_MAX ? n : at;
}

size_t sql_index_find(struct bytes text, const struct sql_index *index)
{
	const uint8_t first = text.n ? byte_lower(text.p[0]) : 0;
	if (text.n < SQL_INDEXED_MIN || first < 'a' || first > 'z')
		return SIZE_MAX;
	return find_between(text, index->list, index->at[first - 'a'], index->at[first - 'a' + 1]);
}
