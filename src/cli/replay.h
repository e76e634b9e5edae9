/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `bridgewarden replay PCAP... --policy FILE [--ids FILE] [-o json]`: the real engine over a
 * capture. argv[0] is "replay". */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

int cli_replay(int argc, char **argv);

#endif
