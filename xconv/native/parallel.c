/* The team of threads that all kernels share, if there is one. */

#include <stdlib.h>

#include "parallel.h"

Team xconv_team = 0;

/* OpenMP's threads do not live on in a process that was forked. */
static void forget_team(void) { xconv_team = 0; }

/* Use the function at this address, GOMP_parallel, or threads of our own if it is 0. */
void use_team(int64_t address) {
    static int is_watching = 0;
    if (!is_watching)
        is_watching = !pthread_atfork(NULL, NULL, forget_team);
    xconv_team = (Team)address;
}
