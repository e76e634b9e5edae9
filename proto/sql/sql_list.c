/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Halves the list until the word is found. */
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

size_t sql_list_find(struct bytes text, const char *const *list, size_t n)
{
	size_t low = 0, high = n;
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
	return n;
}
