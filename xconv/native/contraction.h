/* Let a product and a sum be rounded as one. For files that compute sums, whose order and rounding
   differ from library to library anyway; others return the bits of torch's operators. */

#ifndef CONTRACTION_H
#define CONTRACTION_H

#if defined(__clang__)
#pragma clang fp contract(fast)
#else
#pragma GCC optimize("fp-contract=fast")
#endif

#endif
