/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a file to a policy that may be put in force: loaded without error, its tests passed, its
 * inventory read. All or nothing; what was said on the way is collected for whoever asked.
 */
#ifndef CONTROL_RELOAD_H
#define CONTROL_RELOAD_H

#include "bridgewarden/identity.h"
#include "policy/load.h"

/* Zeroed memory is empty. */
struct loaded {
	struct policy *policy;
	struct identity_set inventory;
	char *text; /* errors and warnings as a compiler prints them, failed tests; "" or more, NULL
		       only for want of memory */
};

/* 0, or -EINVAL and the reasons in text. The caller takes what it wants out of it and calls
 * loaded_fini() either way. */
int loaded_read(const char *path, struct loaded *out);
void loaded_fini(struct loaded *loaded);
/* What differs but only counts after a restart, as lines appended to text. */
void loaded_note_restart(struct loaded *loaded, const struct policy *running);

#endif
