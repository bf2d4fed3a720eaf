// The point-wise maps and losses, each the twin of a function of the same formula in functionals/ and methods/.
#pragma once

#include <math.h>

#include "plan.h"
#include "vector.h"

namespace {

// LANES neighbouring voxels of an array, all of them within the box ...
struct Whole {
    long at;
    vec get(const float* array) const {
        __builtin_prefetch(array + at + 2 * LANES, 0, 2);
        return load(array + at);
    }
    void put(float* array, vec v) const { store(array + at, v); }
    vec inside(vec v) const { return v; }
};

// ... or only some.
struct Part {
    long at;
    int begin, end;
    vec get(const float* array) const {
        float f[LANES] = {};
        for (int i = begin; i < end; ++i) f[i] = array[at + i];
        return load(f);
    }
    void put(float* array, vec v) const {
        float f[LANES];
        store(f, v);
        for (int i = begin; i < end; ++i) array[at + i] = f[i];
    }
    vec inside(vec v) const {
        float f[LANES];
        store(f, v);
        for (int i = 0; i < begin; ++i) f[i] = 0;
        for (int i = end; i < LANES; ++i) f[i] = 0;
        return load(f);
    }
};

template <class At>
INLINE vec of(At at, const float* array, float number) {
    return array ? at.get(array) : splat(number);
}

template <class At>
INLINE vec weighted(At at, const float* weights, vec v) {
    return weights ? at.get(weights) * v : v;
}

struct Copy {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        if (s->input) u = at.get(s->input);
        if (s->output[0]) at.put(s->output[0], u);
        return u;
    }
};

struct Ratio {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec p = at_least(u + of(at, s->array[1], s->number[0]), splat(s->number[1]));
        return weighted(at, s->array[2], at.get(s->array[0]) / p);
    }
};

struct Excess {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec p = at_least(u + of(at, s->array[1], s->number[0]), splat(s->number[1]));
        return weighted(at, s->array[2], 1.0f - at.get(s->array[0]) / p);
    }
};

struct Error {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        return weighted(at, s->array[2], u + of(at, s->array[1], s->number[0]) - at.get(s->array[0]));
    }
};

template <Map kind>
struct Correct {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec from = at.get(s->array[0]);
        vec x = from * at_least(u, vec{}) / at.get(s->array[1]);
        if (kind == CORRECT_AHEAD) {
            at.put(s->output[1], x);
            vec point = at_least(x + s->number[0] * (x - at.get(s->array[2])), vec{});
            at.put(s->output[0], point);
            return point;
        }
        at.put(s->output[0], x);
        if (kind == CORRECT_GAIN) at.put(s->output[1], x - from);
        return x;
    }
};

struct Descend {
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec pulled = s->array[1] ? u + at.get(s->array[1]) : u;
        vec x = at.get(s->array[0]) - s->number[0] * pulled;
        if (s->array[2]) x *= at.get(s->array[2]);
        x = at_most(at_least(x, splat(s->number[1])), splat(s->number[2]));
        at.put(s->output[0], x);
        return x;
    }
};

struct NoLoss {
    static constexpr bool counts = false;
    template <class At>
    INLINE vec run(const Sweep*, At, vec) {
        return vec{};
    }
};

struct HalfDeviance {
    static constexpr bool counts = true;
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec y = at.get(s->loss_array[0]);
        vec p = at_least(u + of(at, s->loss_array[1], s->loss_number[0]), splat(s->loss_number[1]));
        vec deviance = p - y + y * logarithm(choose(y > 0, y / p, splat(1.0f)));
        return weighted(at, s->loss_array[2], deviance);
    }
};

struct HalfSquaredError {
    static constexpr bool counts = true;
    template <class At>
    INLINE vec run(const Sweep* s, At at, vec u) {
        vec error = u + of(at, s->loss_array[1], s->loss_number[0]) - at.get(s->loss_array[0]);
        return weighted(at, s->loss_array[2], 0.5f * error * error);
    }
};

// The rows of a pair of columns (2 LANES voxels from x0 on), where they lie within the box; 0 beside it.
template <class M, class L>
static void map_rows(const Sweep* s, long z, long x0, vec* column, wide* sum) {
    const long begin = s->box.offset[2] - x0, end = begin + s->box.size[2];
    const bool whole = begin <= 0 && end >= 2 * LANES;
    long at = ((z - s->first) * s->box.size[1]) * s->box.size[2] - begin;
    vec* row = column + s->box.offset[1] * 2;
    wide total = *sum;
    for (long y = 0; y < s->box.size[1]; ++y, row += 2, at += s->box.size[2]) {
        for (int h = 0; h < 2; ++h) {
            const int shift = h * LANES;
            vec lost;
            if (whole) {
                Whole here{at + shift};
                lost = L::run(s, here, row[h]);
                row[h] = M::run(s, here, row[h]);
            } else {
                const long low = begin - shift, high = end - shift;
                Part here{at + shift, (int)(low < 0 ? 0 : low > LANES ? LANES : low),
                          (int)(high < 0 ? 0 : high > LANES ? LANES : high)};
                lost = here.inside(L::run(s, here, row[h]));
                row[h] = here.inside(M::run(s, here, row[h]));
            }
            if (L::counts) total += __builtin_convertvector(lost, wide);
        }
    }
    *sum = total;
}

template <class M>
static void map_with_loss(const Sweep* s, long z, long x0, vec* column, wide* sum) {
    switch (s->loss) {
        case HALF_DEVIANCE: return map_rows<M, HalfDeviance>(s, z, x0, column, sum);
        case HALF_SQUARED_ERROR: return map_rows<M, HalfSquaredError>(s, z, x0, column, sum);
        default: return map_rows<M, NoLoss>(s, z, x0, column, sum);
    }
}

static void map_columns(const Sweep* s, long z, long x0, vec* column, wide* sum) {
    switch (s->map) {
        case RATIO: return map_with_loss<Ratio>(s, z, x0, column, sum);
        case EXCESS: return map_with_loss<Excess>(s, z, x0, column, sum);
        case ERROR: return map_with_loss<Error>(s, z, x0, column, sum);
        case CORRECT: return map_rows<Correct<CORRECT>, NoLoss>(s, z, x0, column, sum);
        case CORRECT_AHEAD: return map_rows<Correct<CORRECT_AHEAD>, NoLoss>(s, z, x0, column, sum);
        case CORRECT_GAIN: return map_rows<Correct<CORRECT_GAIN>, NoLoss>(s, z, x0, column, sum);
        case DESCEND: return map_rows<Descend, NoLoss>(s, z, x0, column, sum);
        default: return map_with_loss<Copy>(s, z, x0, column, sum);
    }
}

}  // namespace
