/* The team of threads that all kernels share, if there is one. */

#include "parallel.h"

Team xconv_team = 0;

/* Use the function at this address, GOMP_parallel, or threads of our own if it is 0. */
void use_team(int64_t address) { xconv_team = (Team)address; }
