/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classic BPF programs for xt_bpf, as the text that iptables takes. They see the packet from its IP
 * header on.
 *
 * Both directions of a flow must reach one queue, flows of one pair of hosts different ones. The
 * sum of both ports is the same in both directions. Its lowest bit is not used: connect() gives out
 * ports of one parity (measured), so that with two queues all flows to one server would meet in
 * one.
 *
 * IPv4 fragments are whole here: connection tracking has reassembled them.
 */
#ifndef FIREWALL_BPF_H
#define FIREWALL_BPF_H

#include <stdio.h>

enum {
	BPF_EXTENSIONS_MAX = 3,	   /* IPv6 extension headers that are walked */
	BPF_INSTRUCTIONS_MAX = 64, /* XT_BPF_MAX_NUM_INSTR */
};

/* Matches TCP and UDP packets of queue number `queue` out of n_queues (a power of two). */
void bpf_print_queue_v4(FILE *to, unsigned queue, unsigned n_queues);
void bpf_print_queue_v6(FILE *to, unsigned queue, unsigned n_queues);
/* Matches IPv6 packets whose transport header the program above cannot find: too many extension
 * headers, a fragment, AH. */
void bpf_print_hidden_v6(FILE *to);

#endif
