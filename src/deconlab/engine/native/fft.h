// One-dimensional Fourier transforms of columns, one per lane, in place. Forward transforms decimate in frequency and leave
// the frequencies in digit-reversed order; inverse ones decimate in time and begin there: nothing is ever reordered.
// An inverse transform is a forward one with real and imaginary parts exchanged, twiddles included.
#pragma once

#include "plan.h"
#include "vector.h"

template <int R>
struct Circle;  // cos and sin of 2π j/R
template <>
struct Circle<3> {
    static constexpr float c[] = {1.0f, -0.5f}, s[] = {0.0f, 0.86602540378443865f};
};
template <>
struct Circle<5> {
    static constexpr float c[] = {1.0f, 0.30901699437494742f, -0.80901699437494742f};
    static constexpr float s[] = {0.0f, 0.95105651629515357f, 0.58778525229247313f};
};
template <>
struct Circle<7> {
    static constexpr float c[] = {1.0f, 0.62348980185873353f, -0.22252093395631440f, -0.90096886790241913f};
    static constexpr float s[] = {0.0f, 0.78183148246802981f, 0.97492791218182361f, 0.43388373911755812f};
};

INLINE cplx add(cplx a, cplx b) { return {a.re + b.re, a.im + b.im}; }
INLINE cplx sub(cplx a, cplx b) { return {a.re - b.re, a.im - b.im}; }
INLINE cplx minus_i(cplx a) { return {a.im, -a.re}; }
INLINE cplx turn(cplx a, float c, float s) { return {a.re * c - a.im * s, a.re * s + a.im * c}; }

// X[k] = Σ x[n] exp(-2πi nk/R), in natural order. Odd primes, by the symmetry of n and R - n.
template <int R>
struct Dft {
    INLINE void run(cplx* x) {
        constexpr int H = R / 2;
        cplx plus[H + 1], less[H + 1], origin = x[0];
#pragma GCC unroll 8
        for (int n = 1; n <= H; ++n) {
            plus[n] = add(x[n], x[R - n]);
            less[n] = sub(x[n], x[R - n]);
            x[0] = add(x[0], plus[n]);
        }
#pragma GCC unroll 8
        for (int k = 1; k <= H; ++k) {
            cplx even = origin, odd = {vec{}, vec{}};
#pragma GCC unroll 8
            for (int n = 1; n <= H; ++n) {
                int j = n * k % R;
                float c = Circle<R>::c[j <= H ? j : R - j], s = j <= H ? Circle<R>::s[j] : -Circle<R>::s[R - j];
                even.re += plus[n].re * c;
                even.im += plus[n].im * c;
                odd.re += less[n].re * s;
                odd.im += less[n].im * s;
            }
            x[k] = {even.re + odd.im, even.im - odd.re};
            x[R - k] = {even.re - odd.im, even.im + odd.re};
        }
    }
};
template <>
struct Dft<1> {
    INLINE void run(cplx*) {}
};
template <>
struct Dft<2> {
    INLINE void run(cplx* x) {
        cplx a = x[0], b = x[1];
        x[0] = add(a, b);
        x[1] = sub(a, b);
    }
};
template <>
struct Dft<4> {
    INLINE void run(cplx* x) {
        cplx a = add(x[0], x[2]), b = sub(x[0], x[2]), c = add(x[1], x[3]), d = minus_i(sub(x[1], x[3]));
        x[0] = add(a, c);
        x[1] = add(b, d);
        x[2] = sub(a, c);
        x[3] = sub(b, d);
    }
};
template <>
struct Dft<8> {
    INLINE void run(cplx* x) {
        constexpr float h = 0.70710678118654752f;
        cplx e[4] = {x[0], x[2], x[4], x[6]}, o[4] = {x[1], x[3], x[5], x[7]};
        Dft<4>::run(e);
        Dft<4>::run(o);
        o[1] = {(o[1].re + o[1].im) * h, (o[1].im - o[1].re) * h};
        o[2] = minus_i(o[2]);
        o[3] = {(o[3].im - o[3].re) * h, (o[3].re + o[3].im) * -h};
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
            x[k] = add(e[k], o[k]);
            x[k + 4] = sub(e[k], o[k]);
        }
    }
};
template <>
struct Dft<9> {
    INLINE void run(cplx* x) {
        cplx y[9];
#pragma GCC unroll 3
        for (int b = 0; b < 3; ++b) {
            y[3 * b] = x[b];
            y[3 * b + 1] = x[b + 3];
            y[3 * b + 2] = x[b + 6];
            Dft<3>::run(y + 3 * b);
        }
        y[4] = turn(y[4], 0.76604444311897804f, -0.64278760968653933f);
        y[5] = turn(y[5], 0.17364817766693035f, -0.98480775301220806f);
        y[7] = turn(y[7], 0.17364817766693035f, -0.98480775301220806f);
        y[8] = turn(y[8], -0.93969262078590838f, -0.34202014332566873f);
#pragma GCC unroll 3
        for (int p = 0; p < 3; ++p) {
            cplx t[3] = {y[p], y[p + 3], y[p + 6]};
            Dft<3>::run(t);
            x[p] = t[0];
            x[p + 3] = t[1];
            x[p + 6] = t[2];
        }
    }
};

// A number of neighbouring transforms share their twiddles: element n of column g is at x[(n * width + g) * 2].
template <bool inverse>
INLINE cplx get(const vec* p) {
    return inverse ? cplx{p[1], p[0]} : cplx{p[0], p[1]};
}
template <bool inverse>
INLINE void put(vec* p, cplx a) {
    p[0] = inverse ? a.im : a.re;
    p[1] = inverse ? a.re : a.im;
}

INLINE cplx twiddled(cplx a, const float* w) { return turn(a, w[0], w[1]); }

template <int R, bool inverse, int width>
static void level(vec* x, long blocks, long m, const float* twiddles) {
    const long step = m * width * 2;
    for (long block = 0; block < blocks; ++block) {
        const float* w = twiddles;
        for (long j = 0; j < m; ++j, w += 2 * (R - 1)) {
            for (int g = 0; g < width; ++g, x += 2) {
                cplx a[R];
#pragma GCC unroll 9
                for (int p = 0; p < R; ++p) a[p] = get<inverse>(x + p * step);
                if (inverse && R > 1) {
#pragma GCC unroll 9
                    for (int p = 1; p < R; ++p) a[p] = twiddled(a[p], w + 2 * (p - 1));
                }
                Dft<R>::run(a);
                if (!inverse && R > 1) {
#pragma GCC unroll 9
                    for (int p = 1; p < R; ++p) a[p] = twiddled(a[p], w + 2 * (p - 1));
                }
#pragma GCC unroll 9
                for (int p = 0; p < R; ++p) put<inverse>(x + p * step, a[p]);
            }
        }
        x += (R - 1) * step;
    }
}

// The last level forward and the first level backward, where m = 1 and there are no twiddles.
template <int R, bool inverse, int width>
static void innermost(vec* x, long blocks) {
    for (long block = 0; block < blocks; ++block, x += R * width * 2) {
        for (int g = 0; g < width; ++g) {
            cplx a[R];
#pragma GCC unroll 9
            for (int p = 0; p < R; ++p) a[p] = get<inverse>(x + (p * width + g) * 2);
            Dft<R>::run(a);
#pragma GCC unroll 9
            for (int p = 0; p < R; ++p) put<inverse>(x + (p * width + g) * 2, a[p]);
        }
    }
}

// Both of them with the transfer function between: one round trip through the cache instead of three.
template <int R, bool conjugate, int width>
static void middle(vec* x, long blocks, const vec* otf) {
    for (long block = 0; block < blocks; ++block) {
        for (int g = 0; g < width; ++g) {
            cplx a[R];
#pragma GCC unroll 9
            for (int p = 0; p < R; ++p) a[p] = get<false>(x + (p * width + g) * 2);
            Dft<R>::run(a);
#pragma GCC unroll 9
            for (int p = 0; p < R; ++p) {
                cplx h = get<false>(otf + (p * width + g) * 2);
                vec im = conjugate ? -h.im : h.im;
                // Exchanged on the way, for the inverse.
                a[p] = {a[p].re * im + a[p].im * h.re, a[p].re * h.re - a[p].im * im};
            }
            Dft<R>::run(a);
#pragma GCC unroll 9
            for (int p = 0; p < R; ++p) put<true>(x + (p * width + g) * 2, a[p]);
        }
        x += R * width * 2;
        otf += R * width * 2;
    }
}

#define FOR_RADIX(r, call)              \
    switch (r) {                        \
        case 2: { constexpr int R = 2; call; break; } \
        case 3: { constexpr int R = 3; call; break; } \
        case 4: { constexpr int R = 4; call; break; } \
        case 5: { constexpr int R = 5; call; break; } \
        case 7: { constexpr int R = 7; call; break; } \
        case 8: { constexpr int R = 8; call; break; } \
        case 9: { constexpr int R = 9; call; break; } \
        default: { constexpr int R = 1; call; break; } \
    }

// The levels from `first` on of `count` transforms of the size that is left there; `last` is where to stop.
template <int width>
static void forward_levels(const Axis* axis, int first, int last, vec* x, long count, long size) {
    for (int l = first; l < last; ++l) {
        const long m = size / axis->radix[l];
        if (m == 1) {
            FOR_RADIX(axis->radix[l], (innermost<R, false, width>(x, count)))
        } else {
            FOR_RADIX(axis->radix[l], (level<R, false, width>(x, count, m, axis->twiddles[l])))
        }
        count *= axis->radix[l];
        size = m;
    }
}

template <int width>
static void inverse_levels(const Axis* axis, int first, int last, vec* x, long count, long size) {
    for (int l = first; l < last; ++l) {
        count *= axis->radix[l];
        size /= axis->radix[l];
    }
    for (int l = last - 1; l >= first; --l) {
        const int radix = axis->radix[l];
        count /= radix;
        if (size == 1) {
            FOR_RADIX(radix, (innermost<R, true, width>(x, count)))
        } else {
            FOR_RADIX(radix, (level<R, true, width>(x, count, size, axis->twiddles[l])))
        }
        size *= radix;
    }
}

// One transform of a whole axis. After the first level its parts fit the first cache, one after the other.
static void forward(const Axis* axis, vec* x) {
    if (axis->levels < 2) return forward_levels<1>(axis, 0, axis->levels, x, 1, axis->n);
    const int parts = axis->radix[0];
    const long size = axis->n / parts;
    forward_levels<1>(axis, 0, 1, x, 1, axis->n);
    for (int p = 0; p < parts; ++p) forward_levels<1>(axis, 1, axis->levels, x + p * size * 2, 1, size);
}

static void inverse(const Axis* axis, vec* x) {
    if (axis->levels < 2) return inverse_levels<1>(axis, 0, axis->levels, x, 1, axis->n);
    const int parts = axis->radix[0];
    const long size = axis->n / parts;
    for (int p = 0; p < parts; ++p) inverse_levels<1>(axis, 1, axis->levels, x + p * size * 2, 1, size);
    inverse_levels<1>(axis, 0, 1, x, 1, axis->n);
}
