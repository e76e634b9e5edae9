/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "share.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void *share_memory(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

int share_out(unsigned n_jobs, int (*work)(void *ctx, unsigned number), void *ctx)
{
	pid_t job[SHARE_JOBS_MAX];
	int bad = 0, status;
	for (unsigned i = 0; i < n_jobs; i++) {
		job[i] = fork();
		if (job[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			_exit(work(ctx, i) ? EXIT_FAILURE : EXIT_SUCCESS);
		}
		bad |= job[i] < 0;
	}
	for (unsigned i = 0; i < n_jobs; i++)
		if (job[i] > 0)
			bad |= waitpid(job[i], &status, 0) != job[i] || status != 0;
	return bad ? -1 : 0;
}
