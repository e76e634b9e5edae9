/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/queues.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static bool read_u32(const char **text, uint32_t *out)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(*text, &end, 10);
	if (end == *text || errno || value > UINT32_MAX)
		return false;
	*text = end;
	*out = (uint32_t)value;
	return true;
}

bool queue_line_parse(const char *text, struct queue_line *out)
{
	uint32_t *const columns[] = {&out->queue,	 &out->portid,	   &out->waiting,
				     &out->copy_mode,	 &out->copy_range, &out->dropped,
				     &out->user_dropped, &out->sequence};
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (!read_u32(&text, columns[i]))
			return false;
	return true;
}

unsigned queues_read(uint16_t base, unsigned n, struct queue_line *out)
{
	FILE *file = fopen("/proc/self/net/netfilter/nfnetlink_queue", "re");
	char text[256];
	unsigned found = 0;
	while (file && found < n && fgets(text, sizeof(text), file)) {
		struct queue_line *line = &out[found];
		if (queue_line_parse(text, line) && line->queue >= base && line->queue < base + n)
			found++;
	}
	if (file)
		(void)fclose(file); /* was only read */
	return found;
}
