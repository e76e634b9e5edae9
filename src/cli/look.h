/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looking into answers: a missing key is "" or 0, never a crash. Borrowed. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include <jansson.h>

/* "flow.state": keys with dots between. NULL when it is not there. */
json_t *look(const json_t *object, const char *path);
const char *look_text(const json_t *object, const char *path);
json_int_t look_number(const json_t *object, const char *path);

#endif
