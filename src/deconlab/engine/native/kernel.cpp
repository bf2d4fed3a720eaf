// The two sweeps of an iteration, compiled once per instruction set (KERNEL names the table that this file exports).
#include "fft.h"
#include "maps.h"

namespace {

const long V = LANES;
const long PAIR = 2 * LANES;  // image columns per column transform: one real column in the real part, one in the imaginary

inline vec* spectrum_at(const Sweep* s, long block, long x, long z) {
    const Plan* p = s->plan;
    const size_t tile = (size_t)(block * p->tiles + x / GROUP) * p->tile;
    return (vec*)(s->spectrum + tile) + ((s->box.offset[0] + z) * GROUP + x % GROUP) * 2;
}

// Frequencies of two real columns a, b (rows of `half`: a.re a.im b.re b.im) -> their transform a + ib, in stored order.
void tangle(const Axis* axis, const vec* half, vec* whole) {
    const long n = axis->n;
    const int32_t* position = axis->position;
    whole[0] = half[0];
    whole[1] = half[2];
    for (long k = 1; 2 * k < n; ++k) {
        const vec* h = half + 4 * k;
        vec *low = whole + 2 * position[k], *high = whole + 2 * position[n - k];
        low[0] = h[0] - h[3];
        low[1] = h[1] + h[2];
        high[0] = h[0] + h[3];
        high[1] = h[2] - h[1];
    }
    if (n % 2 == 0) {
        whole[2 * position[n / 2]] = half[2 * n];
        whole[2 * position[n / 2] + 1] = half[2 * n + 2];
    }
}

// Backwards, times 2.
void untangle(const Axis* axis, const vec* whole, vec* half) {
    const long n = axis->n;
    const int32_t* position = axis->position;
    for (long k = 0; 2 * k <= n; ++k) {
        vec* h = half + 4 * k;
        const vec *low = whole + 2 * position[k], *high = whole + 2 * position[k ? n - k : 0];
        h[0] = low[0] + high[0];
        h[1] = low[1] - high[1];
        h[2] = low[1] + high[1];
        h[3] = high[0] - low[0];
    }
}

// Row x of a slice's lines (lanes along y) <-> T (lanes along x): V × V blocks.
void lines_to_columns(const vec* lines, vec* half, bool second) {
    vec re[V], im[V];
    for (long i = 0; i < V; ++i) re[i] = lines[2 * i], im[i] = lines[2 * i + 1];
    transpose(re);
    transpose(im);
    for (long i = 0; i < V; ++i) half[4 * i + 2 * second] = re[i], half[4 * i + 2 * second + 1] = im[i];
}

void columns_to_lines(const vec* half, vec* lines, bool second) {
    vec re[V], im[V];
    for (long i = 0; i < V; ++i) re[i] = half[4 * i + 2 * second], im[i] = half[4 * i + 2 * second + 1];
    transpose(re);
    transpose(im);
    for (long i = 0; i < V; ++i) lines[2 * i] = re[i], lines[2 * i + 1] = im[i];
}

// Part `part` of `parts` of what the point-wise map will read of this slice: asked for in order and ahead of time, because the
// map itself goes down narrow columns, which no hardware foresees.
void announce(const Sweep* s, long z, long part, long parts) {
    const long voxels = s->box.size[1] * s->box.size[2], share = (voxels + parts - 1) / parts, begin = part * share;
    const long end = begin + share < voxels ? begin + share : voxels;
    const float* arrays[] = {s->array[0], s->array[1], s->array[2], s->array[3]};
    for (const float* array : arrays) {
        if (!array) continue;
        const float* p = array + (z - s->first) * voxels;
        for (long i = begin; i < end; i += 16) __builtin_prefetch(p + i, 0, 2);
    }
}

void slice(const Sweep* s, long z, float* scratch) {
    const Plan* p = s->plan;
    const long X = p->x.n, Y = p->y.n;
    const long padded = (X + PAIR - 1) / PAIR * PAIR;
    const long first = s->box.offset[2] / PAIR, last = (s->box.offset[2] + s->box.size[2] + PAIR - 1) / PAIR;
    const long stride = p->blocks * V * 4;  // vectors of T per pair of columns
    vec* lines = (vec*)scratch;
    vec* column = lines + padded * 2;
    vec* T = column + Y * 2;
    if (s->inverse) {
        for (long x = X; x < padded; ++x) lines[2 * x] = lines[2 * x + 1] = vec{};
        for (long b = 0; b < p->blocks; ++b) {
            for (long x = 0; x < X; x += GROUP) {
                const long count = X - x < GROUP ? X - x : GROUP;
                memcpy(lines + 2 * x, spectrum_at(s, b, x, z), count * 2 * sizeof(vec));
                if (b + 1 < p->blocks) {
                    const char* next = (const char*)spectrum_at(s, b + 1, x, z);
                    for (size_t byte = 0; byte < GROUP * 2 * sizeof(vec); byte += 64) __builtin_prefetch(next + byte, 1, 2);
                }
            }
            announce(s, z, b, p->blocks);
            inverse(&p->x, lines);
            for (long j = first; j < last; ++j) {
                lines_to_columns(lines + j * PAIR * 2, T + j * stride + b * V * 4, false);
                lines_to_columns(lines + j * PAIR * 2 + 2 * V, T + j * stride + b * V * 4, true);
            }
        }
    }
    wide sum = {};
    for (long j = first; j < last; ++j) {
        if (s->inverse) {
            tangle(&p->y, T + j * stride, column);
            inverse(&p->y, column);
        }
        if (s->forward) {  // darkness around the box
            const long begin = s->box.offset[1], end = begin + s->box.size[1];
            memset(column, 0, begin * 2 * sizeof(vec));
            memset(column + end * 2, 0, (Y - end) * 2 * sizeof(vec));
        }
        map_columns(s, z, j * PAIR, column, &sum);
        if (s->forward) {
            forward(&p->y, column);
            vec* half = T + j * stride;
            untangle(&p->y, column, half);
            for (long k = p->half; k < p->blocks * V; ++k) half[4 * k] = half[4 * k + 1] = half[4 * k + 2] = half[4 * k + 3] = vec{};
        }
    }
    if (s->loss) {
        double total = 0;
        for (long i = 0; i < V; ++i) total += sum[i];
        s->loss_of_slice[z - s->first] = total;
    }
    if (s->forward) {
        for (long b = 0; b < p->blocks; ++b) {
            memset(lines, 0, first * PAIR * 2 * sizeof(vec));
            memset(lines + last * PAIR * 2, 0, (padded - last * PAIR) * 2 * sizeof(vec));
            for (long j = first; j < last; ++j) {
                columns_to_lines(T + j * stride + b * V * 4, lines + j * PAIR * 2, false);
                columns_to_lines(T + j * stride + b * V * 4, lines + j * PAIR * 2 + 2 * V, true);
            }
            forward(&p->x, lines);
            for (long x = 0; x < X; x += GROUP) {
                const long count = X - x < GROUP ? X - x : GROUP;
                memcpy(spectrum_at(s, b, x, z), lines + 2 * x, count * 2 * sizeof(vec));
            }
        }
    }
}

void multiply(const Columns* c, vec* x, const vec* otf) {
    const Axis* axis = &c->plan->z;
    const int radix = axis->radix[axis->levels - 1];
    const long blocks = axis->n / radix;
    if (c->conjugate) {
        FOR_RADIX(radix, (middle<R, true, GROUP>(x, blocks, otf)))
    } else {
        FOR_RADIX(radix, (middle<R, false, GROUP>(x, blocks, otf)))
    }
}

void tile(const Columns* c, long index, float* scratch) {
    const Plan* p = c->plan;
    const Axis* axis = &p->z;
    const size_t row = GROUP * 2 * sizeof(vec);
    char* stored = (char*)(c->spectrum + index * p->tile);
    char* x = (char*)scratch;
    memset(x, 0, c->in_first * row);
    memcpy(x + c->in_first * row, stored + c->in_first * row, (c->in_last - c->in_first) * row);
    memset(x + c->in_last * row, 0, (axis->n - c->in_last) * row);
    if (!c->otf) {
        forward_levels<GROUP>(axis, 0, axis->levels, (vec*)x, 1, axis->n);
        memcpy(stored, x, axis->n * row);
        return;
    }
    forward_levels<GROUP>(axis, 0, axis->levels - 1, (vec*)x, 1, axis->n);
    multiply(c, (vec*)x, (const vec*)(c->otf + index * p->tile));
    inverse_levels<GROUP>(axis, 0, axis->levels - 1, (vec*)x, 1, axis->n);
    memcpy(stored + c->out_first * row, x + c->out_first * row, (c->out_last - c->out_first) * row);
}

}  // namespace

extern "C" const Kernel KERNEL;
const Kernel KERNEL = {LANES, slice, tile};
