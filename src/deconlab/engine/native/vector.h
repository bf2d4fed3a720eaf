// Vectors of LANES floats: one lane is one column of the image. Compiled once per instruction set, so that everything here
// has internal linkage: a function shared between instruction sets would be run on processors that lack them.
#pragma once

#include <stdint.h>
#include <string.h>

#ifndef LANES
#define LANES 8
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef double wide __attribute__((vector_size(8 * LANES)));

struct cplx {
    vec re, im;
};

INLINE vec load(const float* p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float* p, vec v) { memcpy(p, &v, sizeof v); }

INLINE vec splat(float s) { return s - vec{}; }

INLINE vec choose(ivec where, vec a, vec b) { return (vec)((where & (ivec)a) | (~where & (ivec)b)); }

// NaN goes through both, as it does through torch.maximum and torch.clamp.
INLINE vec at_least(vec a, vec floor) { return choose(a < floor, floor, a); }
INLINE vec at_most(vec a, vec ceiling) { return choose(a > ceiling, ceiling, a); }

// log(a) for normal a > 0, to 1e-7 relative to max(|log a|, 1e-2); a polynomial of log(1 + t)/t - 1 + t/2 on [√½ - 1, √2 - 1].
INLINE vec logarithm(vec a) {
    ivec bits = (ivec)a - 0x3f3504f3;  // √½ becomes the lower end of the mantissa
    vec exponent = __builtin_convertvector(bits >> 23, vec);
    vec t = (vec)((bits & 0x007fffff) + 0x3f3504f3) - 1.0f;
    vec p = 7.0376836292e-2f * t - 1.1514610310e-1f;
    p = p * t + 1.1676998740e-1f;
    p = p * t - 1.2420140846e-1f;
    p = p * t + 1.4249322787e-1f;
    p = p * t - 1.6668057665e-1f;
    p = p * t + 2.0000714765e-1f;
    p = p * t - 2.4999993993e-1f;
    p = p * t + 3.3333331174e-1f;
    vec square = t * t;
    return exponent * 0.693359375f + (t + (p * t * square - 0.5f * square + exponent * -2.12194440e-4f));
}

#define SHUFFLE __builtin_shufflevector

// rows[i][j] <- rows[j][i]
INLINE void transpose(vec* r) {
#if LANES == 4
    vec a = SHUFFLE(r[0], r[1], 0, 4, 1, 5), b = SHUFFLE(r[0], r[1], 2, 6, 3, 7);
    vec c = SHUFFLE(r[2], r[3], 0, 4, 1, 5), d = SHUFFLE(r[2], r[3], 2, 6, 3, 7);
    r[0] = SHUFFLE(a, c, 0, 1, 4, 5);
    r[1] = SHUFFLE(a, c, 2, 3, 6, 7);
    r[2] = SHUFFLE(b, d, 0, 1, 4, 5);
    r[3] = SHUFFLE(b, d, 2, 3, 6, 7);
#elif LANES == 8
    vec s[8], t[8];
    for (int i = 0; i < 8; i += 2) {
        s[i] = SHUFFLE(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        s[i + 1] = SHUFFLE(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        t[i] = SHUFFLE(s[i], s[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        t[i + 1] = SHUFFLE(s[i], s[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        t[i + 2] = SHUFFLE(s[i + 1], s[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        t[i + 3] = SHUFFLE(s[i + 1], s[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = SHUFFLE(t[i], t[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        r[i + 4] = SHUFFLE(t[i], t[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#elif LANES == 16
    vec s[16], t[16];
    for (int i = 0; i < 16; i += 2) {
        s[i] = SHUFFLE(r[i], r[i + 1], 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
        s[i + 1] = SHUFFLE(r[i], r[i + 1], 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
    }
    for (int i = 0; i < 16; i += 4) {
        t[i] = SHUFFLE(s[i], s[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        t[i + 1] = SHUFFLE(s[i], s[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        t[i + 2] = SHUFFLE(s[i + 1], s[i + 3], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
        t[i + 3] = SHUFFLE(s[i + 1], s[i + 3], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
    }
    // Row i of t holds column i mod 4 of each of the four 4 x 4 blocks of rows i - i mod 4: the blocks are transposed next.
    for (int i = 0; i < 4; ++i) {
        vec a = t[i], b = t[i + 4], c = t[i + 8], d = t[i + 12];
        vec ab = SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        vec ba = SHUFFLE(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        vec cd = SHUFFLE(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
        vec dc = SHUFFLE(c, d, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        r[i] = SHUFFLE(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        r[i + 4] = SHUFFLE(ba, dc, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        r[i + 8] = SHUFFLE(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        r[i + 12] = SHUFFLE(ba, dc, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
    }
#else
#error "LANES must be 4, 8 or 16"
#endif
}
