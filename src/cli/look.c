/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/look.h"

#include <string.h>

json_t *look(const json_t *object, const char *path)
{
	json_t *found = NULL;
	for (;;) {
		size_t length = strcspn(path, ".");
		found = json_object_getn(object, path, length);
		if (!found || path[length] == '\0')
			return found;
		object = found;
		path += length + 1;
	}
}

const char *look_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(look(object, path));
	return text ? text : "";
}

json_int_t look_number(const json_t *object, const char *path)
{
	return json_integer_value(look(object, path));
}
