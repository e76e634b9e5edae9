/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sanitizer builds only: see sandbox.h. */
#include "engine/sandbox.h"

#include "base/log.h"

void sandbox_drop_privileges(uint32_t uid, uint32_t gid)
{
	log_warn("sanitizer build: the engine keeps its privileges (uid=%u gid=%u were asked for)",
		 uid, gid);
}

void sandbox_restrict_calls(void)
{
	log_warn("sanitizer build: no system call filter");
}
