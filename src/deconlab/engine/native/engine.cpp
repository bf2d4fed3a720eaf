// Plans, memory, threads and the choice of the instruction set: the C interface that Python calls.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "plan.h"

#define PUBLIC extern "C" __attribute__((visibility("default")))

extern "C" {
extern const Kernel kernel_baseline;
#if defined(__x86_64__)
extern const Kernel kernel_avx2;
extern const Kernel kernel_avx512;
#endif
}

namespace {

const Kernel* const kernels[] = {
    &kernel_baseline,
#if defined(__x86_64__)
    &kernel_avx2,
    &kernel_avx512,
#endif
};

bool runs(int kernel) {
#if defined(__x86_64__)
    if (kernel == 1) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (kernel == 2) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    }
#endif
    return kernel == 0;
}

// Large radices first: the later levels then work in the first cache.
bool factorise(Axis* axis, long n) {
    static const int radices[] = {8, 9, 7, 5, 4, 3, 2};
    axis->n = n;
    axis->levels = 0;
    long rest = n;
    for (int radix : radices) {
        while (rest % radix == 0 && axis->levels < MAX_LEVELS) {
            if (radix == 8 && rest % 16 == 0 && rest / 8 % 4 != 0 && rest / 8 % 9 != 0) break;  // 4 · 4 rather than 8 · 2
            axis->radix[axis->levels++] = radix;
            rest /= radix;
        }
    }
    if (n == 1) axis->radix[axis->levels++] = 1;
    return rest == 1;
}

bool tabulate(Axis* axis) {
    const double turn = -2 * 3.14159265358979323846;
    long size = axis->n;
    axis->position = (int32_t*)malloc(sizeof(int32_t) * axis->n);
    if (!axis->position) return false;
    for (int l = 0; l < axis->levels; ++l) {
        const int radix = axis->radix[l];
        const long m = size / radix;
        if (m > 1 && radix > 1) {
            float* w = axis->twiddles[l] = (float*)malloc(sizeof(float) * m * (radix - 1) * 2);
            if (!w) return false;
            for (long j = 0; j < m; ++j) {
                for (int p = 1; p < radix; ++p) {
                    const double angle = turn * (double)(j * p) / (double)size;
                    *w++ = (float)cos(angle);
                    *w++ = (float)sin(angle);
                }
            }
        }
        size = m;
    }
    for (long k = 0; k < axis->n; ++k) {
        long frequency = k, place = 0, extent = axis->n;
        for (int l = 0; l < axis->levels; ++l) {
            extent /= axis->radix[l];
            place += frequency % axis->radix[l] * extent;
            frequency /= axis->radix[l];
        }
        axis->position[k] = (int32_t)place;
    }
    return true;
}

void clear(Axis* axis) {
    free(axis->position);
    for (float* table : axis->twiddles) free(table);
}

void* aligned(size_t bytes) {
    const size_t page = bytes >= (size_t)1 << 22 ? (size_t)1 << 21 : 64;
    void* memory = nullptr;
    if (posix_memalign(&memory, page, bytes ? bytes : 64)) return nullptr;
#if defined(MADV_HUGEPAGE)
    if (page > 64) madvise(memory, bytes, MADV_HUGEPAGE);
#endif
    return memory;
}

// Numbers below 1e-38 count as 0 while the engine works: dark voxels come there, and processors take a hundred times as long for
// them. NaN and infinity are what they are.
struct NoDenormals {
#if defined(__x86_64__)
    unsigned before = _mm_getcsr();
    NoDenormals() { _mm_setcsr(before | 0x8040); }
    ~NoDenormals() { _mm_setcsr(before); }
#endif
};

// task(i) for 0 <= i < count, shared out one by one or a few at a time. False if there was no memory to work in.
template <class Task>
bool share(long count, int threads, size_t scratch, Task task) {
    std::atomic<long> next{0};
    std::atomic<bool> failed{false};
    const long batch = count / (threads * 16L) + 1;
    auto work = [&] {
        NoDenormals mode;
        (void)mode;
        float* memory = (float*)aligned(scratch * sizeof(float));
        if (!memory) {
            failed = true;
            return;
        }
        for (long begin; (begin = next.fetch_add(batch)) < count;) {
            for (long i = begin; i < begin + batch && i < count; ++i) task(i, memory);
        }
        free(memory);
    };
    std::vector<std::thread> others;
    try {
        for (int t = 1; t < threads && t < count; ++t) others.emplace_back(work);
    } catch (const std::exception&) {  // fewer threads then
    }
    work();
    for (std::thread& other : others) other.join();
    return !failed;
}

}  // namespace

struct Engine {
    Plan plan;
    const Kernel* kernel;
};

PUBLIC int engine_interface() { return 2; }

// The best kernel that this processor runs: 0 baseline, 1 AVX2, 2 AVX-512.
PUBLIC int engine_best_kernel() {
    int best = 0;
    for (int k = 0; k < (int)(sizeof kernels / sizeof *kernels); ++k) {
        if (runs(k)) best = k;
    }
    return best;
}

PUBLIC void engine_free(Engine* engine) {
    if (!engine) return;
    clear(&engine->plan.z);
    clear(&engine->plan.y);
    clear(&engine->plan.x);
    free(engine);
}

// NULL if a size has a prime factor above 7, if the kernel does not run here, or without memory.
PUBLIC Engine* engine_new(int64_t z, int64_t y, int64_t x, int kernel) {
    const int64_t longest = (int64_t)1 << 30;
    if (z < 1 || y < 1 || x < 1 || z > longest || y > longest || x > longest) return nullptr;
    if (kernel < 0 || kernel >= (int)(sizeof kernels / sizeof *kernels) || !runs(kernel)) return nullptr;
    Engine* engine = (Engine*)calloc(1, sizeof(Engine));
    if (!engine) return nullptr;
    engine->kernel = kernels[kernel];
    Plan* p = &engine->plan;
    if (!factorise(&p->z, z) || !factorise(&p->y, y) || !factorise(&p->x, x) || !tabulate(&p->z) || !tabulate(&p->y) ||
        !tabulate(&p->x)) {
        engine_free(engine);
        return nullptr;
    }
    const long lanes = engine->kernel->lanes, pairs = (x + 2 * lanes - 1) / (2 * lanes);
    p->half = y / 2 + 1;
    p->blocks = (p->half + lanes - 1) / lanes;
    p->tiles = (x + GROUP - 1) / GROUP;
    p->rows = z == 1 ? 1 : z | 1;
    p->tile = (size_t)p->rows * GROUP * 2 * lanes;
    p->spectrum = p->tile * p->tiles * p->blocks;
    const size_t slice = (size_t)(pairs * 2 * lanes * 2 + y * 2 + pairs * p->blocks * lanes * 4) * lanes;
    const size_t column = (size_t)z * GROUP * 2 * lanes;
    p->scratch = slice > column ? slice : column;
    return engine;
}

PUBLIC uint64_t engine_spectrum_bytes(const Engine* engine) { return engine->plan.spectrum * sizeof(float); }

PUBLIC uint64_t engine_scratch_bytes(const Engine* engine) { return engine->plan.scratch * sizeof(float); }

// Memory for a volume, in huge pages where there are any; NULL if there is none. `zero` touches it.
PUBLIC void* engine_allocate(uint64_t bytes, int zero) {
    void* memory = bytes > SIZE_MAX / 2 ? nullptr : aligned((size_t)bytes);
    if (memory && zero) memset(memory, 0, (size_t)bytes);
    return memory;
}

PUBLIC void engine_release(void* memory) { free(memory); }

// Moves what is there already into huge pages, where the system can: a slice is then read twice as fast. Changes no value.
// What setting up has left behind in the heap goes back to the system on the way.
PUBLIC void engine_settle(void* memory, uint64_t bytes) {
#if defined(__linux__)
    const uintptr_t page = (uintptr_t)1 << 21, begin = ((uintptr_t)memory + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)memory + bytes) / page * page;
    if (begin < end) madvise((void*)begin, end - begin, 25 /* MADV_COLLAPSE, Linux 6.1 */);
#else
    (void)memory, (void)bytes;
#endif
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

PUBLIC void engine_scale(float* values, uint64_t bytes, float factor) {
    for (uint64_t i = 0; i < bytes / sizeof(float); ++i) values[i] *= factor;
}

// Both return 0, or 1 without memory.
PUBLIC int engine_sweep(const Engine* engine, const Sweep* given, int threads) {
    Sweep sweep = *given;
    sweep.plan = &engine->plan;
    const bool done = share(sweep.last - sweep.first, threads, engine->plan.scratch, [&](long i, float* memory) {
        engine->kernel->slice(&sweep, sweep.first + i, memory);
    });
    return done ? 0 : 1;
}

PUBLIC int engine_columns(const Engine* engine, const Columns* given, int threads) {
    Columns columns = *given;
    columns.plan = &engine->plan;
    const bool done = share(engine->plan.tiles * engine->plan.blocks, threads, engine->plan.scratch,
                            [&](long i, float* memory) { engine->kernel->tile(&columns, i, memory); });
    return done ? 0 : 1;
}
