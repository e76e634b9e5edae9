/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of the program; each reports to score.h. */
#ifndef BOUNDS_PARTS_H
#define BOUNDS_PARTS_H

void floods_run(void);	/* floods.c: SYNs, connections, segments out of order */
void slow_run(void);	/* slow.c: who sends slowly, or never reads */
void streams_run(void); /* streams.c: does cost per byte grow with the number of segments? */
void dissect_run(void); /* dissect.c: cost per byte of each dissector on hostile input */
void speed_run(void);	/* speed.c: how much each dissector reads a second; asserts nothing */

#endif
