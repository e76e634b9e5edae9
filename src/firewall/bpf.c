/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program is written with labels and two passes away from text: jumps name a label, and are
 * resolved when all of it is there. Labels are forward only, as BPF demands.
 */
#include "firewall/bpf.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum label {
	LABEL_NEXT, /* the following instruction */
	LABEL_PORTS,
	LABEL_YES,
	LABEL_NO,
	LABEL_HEADER, /* LABEL_HEADER + i: extension header i */
	N_LABELS = LABEL_HEADER + BPF_EXTENSIONS_MAX + 1,
};

struct instruction {
	uint16_t code;
	uint8_t yes, no; /* enum label; LABEL_NEXT for what is no jump */
	uint32_t k;
};

struct program {
	struct instruction at[BPF_INSTRUCTIONS_MAX];
	unsigned n;
	unsigned place[N_LABELS];
};

static void put_instruction(struct program *p, struct instruction instruction)
{
	if (p->n < BPF_INSTRUCTIONS_MAX)
		p->at[p->n] = instruction;
	p->n++;
}

static void put(struct program *p, uint16_t code, uint32_t k)
{
	put_instruction(p, (struct instruction){.code = code, .k = k});
}

static void jump_if(struct program *p, uint32_t k, unsigned yes, unsigned no)
{
	put_instruction(p, (struct instruction){
				   .code = BPF_JMP | BPF_JEQ | BPF_K,
				   .k = k,
				   .yes = (uint8_t)yes,
				   .no = (uint8_t)no,
			   });
}

static void label(struct program *p, unsigned name)
{
	p->place[name] = p->n;
}

/* A jump counts from the instruction behind it. */
static unsigned distance(const struct program *p, unsigned from, unsigned name)
{
	return name == LABEL_NEXT ? 0 : p->place[name] - from - 1;
}

static void print(const struct program *p, FILE *to)
{
	(void)fprintf(to, "%u", p->n); /* a memory stream: checked at its end */
	for (unsigned i = 0; i < p->n; i++) {
		const struct instruction *in = &p->at[i];
		(void)fprintf(to, ",%u %u %u %u", in->code, distance(p, i, in->yes),
			      distance(p, i, in->no), in->k);
	}
}

static void put_ends(struct program *p)
{
	label(p, LABEL_YES);
	put(p, BPF_RET | BPF_K, UINT16_MAX);
	label(p, LABEL_NO);
	put(p, BPF_RET | BPF_K, 0);
}

/* X: where the transport header begins. */
static void put_ports(struct program *p, unsigned queue, unsigned n_queues)
{
	label(p, LABEL_PORTS);
	put(p, BPF_LD | BPF_H | BPF_IND, 0);
	put(p, BPF_ST, 0);
	put(p, BPF_LD | BPF_H | BPF_IND, 2);
	put(p, BPF_LDX | BPF_MEM, 0);
	put(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(p, BPF_ALU | BPF_RSH | BPF_K, 1);
	put(p, BPF_ALU | BPF_AND | BPF_K, n_queues - 1);
	jump_if(p, queue, LABEL_YES, LABEL_NO);
}

void bpf_print_queue_v4(FILE *to, unsigned queue, unsigned n_queues)
{
	struct program p = {0};
	label(&p, LABEL_HEADER);
	put(&p, BPF_LD | BPF_B | BPF_ABS, 9); /* protocol */
	jump_if(&p, IPPROTO_TCP, LABEL_HEADER + 1, LABEL_NEXT);
	jump_if(&p, IPPROTO_UDP, LABEL_HEADER + 1, LABEL_NO);
	label(&p, LABEL_HEADER + 1);
	put(&p, BPF_LDX | BPF_B | BPF_MSH, 0); /* X = header length */
	put_ports(&p, queue, n_queues);
	put_ends(&p);
	print(&p, to);
}

/* A: type of the header at X. Afterwards those of the next one. */
static void put_step(struct program *p, unsigned name)
{
	label(p, name);
	put(p, BPF_LD | BPF_B | BPF_IND, 0); /* type of the next one, kept in M[0] */
	put(p, BPF_ST, 0);
	put(p, BPF_LD | BPF_B | BPF_IND, 1); /* length in units of 8 bytes beyond the first */
	put(p, BPF_ALU | BPF_ADD | BPF_K, 1);
	put(p, BPF_ALU | BPF_LSH | BPF_K, 3);
	put(p, BPF_ALU | BPF_ADD | BPF_X, 0);
	put(p, BPF_MISC | BPF_TAX, 0);
	put(p, BPF_LD | BPF_MEM, 0);
}

static void put_first_v6(struct program *p)
{
	put(p, BPF_LDX | BPF_IMM, 40);
	put(p, BPF_LD | BPF_B | BPF_ABS, 6);
}

static void jump_if_extension(struct program *p, unsigned yes, unsigned no)
{
	jump_if(p, IPPROTO_HOPOPTS, yes, LABEL_NEXT);
	jump_if(p, IPPROTO_ROUTING, yes, LABEL_NEXT);
	jump_if(p, IPPROTO_DSTOPTS, yes, no);
}

void bpf_print_queue_v6(FILE *to, unsigned queue, unsigned n_queues)
{
	struct program p = {0};
	put_first_v6(&p);
	for (unsigned i = 0; i <= BPF_EXTENSIONS_MAX; i++) {
		bool is_last = i == BPF_EXTENSIONS_MAX;
		jump_if(&p, IPPROTO_TCP, LABEL_PORTS, LABEL_NEXT);
		jump_if(&p, IPPROTO_UDP, LABEL_PORTS, is_last ? LABEL_NO : LABEL_NEXT);
		if (is_last)
			break;
		jump_if_extension(&p, LABEL_HEADER + i, LABEL_NO);
		put_step(&p, LABEL_HEADER + i);
	}
	put_ports(&p, queue, n_queues);
	put_ends(&p);
	print(&p, to);
}

void bpf_print_hidden_v6(FILE *to)
{
	struct program p = {0};
	put_first_v6(&p);
	for (unsigned i = 0; i < BPF_EXTENSIONS_MAX; i++) {
		jump_if(&p, IPPROTO_FRAGMENT, LABEL_YES, LABEL_NEXT);
		jump_if(&p, IPPROTO_AH, LABEL_YES, LABEL_NEXT);
		jump_if_extension(&p, LABEL_HEADER + i, LABEL_NO);
		put_step(&p, LABEL_HEADER + i);
	}
	jump_if(&p, IPPROTO_FRAGMENT, LABEL_YES, LABEL_NEXT);
	jump_if(&p, IPPROTO_AH, LABEL_YES, LABEL_NEXT);
	jump_if_extension(&p, LABEL_YES, LABEL_NO);
	put_ends(&p);
	print(&p, to);
}
