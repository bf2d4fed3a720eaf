// The native engine under address and undefined-behaviour sanitizers: every kernel of this processor, on shapes from one voxel
// upwards, against a convolution by its definition. Arrays are allocated to the byte, so that any read beyond them is caught.
// Compiled and run by `make sanitize`.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "plan.h"

struct Engine;
extern "C" {
int engine_best_kernel();
Engine* engine_new(int64_t z, int64_t y, int64_t x, int kernel);
void engine_free(Engine*);
uint64_t engine_spectrum_bytes(const Engine*);
void* engine_allocate(uint64_t bytes, int zero);
void engine_release(void*);
void engine_settle(void*, uint64_t);
void engine_scale(float*, uint64_t, float);
int engine_sweep(const Engine*, const Sweep*, int threads);
int engine_columns(const Engine*, const Columns*, int threads);
}

static unsigned long seed = 1;
static float uniform() {
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (float)(seed >> 40) / (float)(1ul << 24);
}

static int failures = 0;
static void expect(bool good, const char* what, const long* shape, int kernel, double error) {
    if (good) return;
    printf("kernel %d, %ld x %ld x %ld: %s is off by %g\n", kernel, shape[0], shape[1], shape[2], what, error);
    ++failures;
}

typedef std::vector<float> Volume;

static double difference(const Volume& a, const std::vector<double>& b) {
    double worst = 0, size = 1e-30;
    for (size_t i = 0; i < a.size(); ++i) {
        worst = fmax(worst, fabs(a[i] - b[i]));
        size = fmax(size, fabs(b[i]));
    }
    return isfinite(worst) ? worst / size : INFINITY;
}

// The data of a box of u, convolved with h (or correlated), where u is 0 outside its own box.
static std::vector<double> blurred(const Volume& u, const Box& from, const Box& to, const Volume& h, const long* n, bool back) {
    std::vector<double> result;
    long p[3], q[3];
    for (p[0] = 0; p[0] < to.size[0]; ++p[0])
        for (p[1] = 0; p[1] < to.size[1]; ++p[1])
            for (p[2] = 0; p[2] < to.size[2]; ++p[2]) {
                double sum = 0;
                size_t i = 0;
                for (q[0] = 0; q[0] < from.size[0]; ++q[0])
                    for (q[1] = 0; q[1] < from.size[1]; ++q[1])
                        for (q[2] = 0; q[2] < from.size[2]; ++q[2], ++i) {
                            long at = 0;
                            for (int d = 0; d < 3; ++d) {
                                long shift = to.offset[d] + p[d] - from.offset[d] - q[d];
                                if (back) shift = -shift;
                                at = at * n[d] + (shift % n[d] + n[d]) % n[d];
                            }
                            sum += (double)u[i] * h[at];
                        }
                result.push_back(sum);
            }
    return result;
}

static Volume random_volume(const long* n, float least) {
    Volume v(n[0] * n[1] * n[2]);
    for (float& value : v) value = least + uniform();
    return v;
}

static void check(const long* n, const Box& data, int kernel, int threads) {
    Engine* engine = engine_new(n[0], n[1], n[2], kernel);
    if (!engine) {
        expect(false, "making it", n, kernel, 0);
        return;
    }
    const uint64_t bytes = engine_spectrum_bytes(engine);
    float* otf = (float*)engine_allocate(bytes, 1);
    float* spectrum = (float*)engine_allocate(bytes, 1);
    const Box whole = {{0, 0, 0}, {n[0], n[1], n[2]}};
    Volume h = random_volume(n, 0), x = random_volume(n, 0.5f), sensitivity = random_volume(n, 1), previous = random_volume(n, 0);
    Volume y = random_volume(data.size, 0), background = random_volume(data.size, 0.1f), weights = random_volume(data.size, 0);
    y[0] = 0;

    Sweep make = {};
    make.spectrum = otf, make.box = whole, make.forward = 1, make.last = n[0], make.input = h.data();
    std::vector<double> loss(n[0]);
    make.loss_of_slice = loss.data();
    engine_sweep(engine, &make, threads);
    Columns whole_columns = {nullptr, otf, nullptr, 0, 0, n[0], 0, n[0]};
    engine_columns(engine, &whole_columns, threads);
    engine_scale(otf, bytes, 1.0f / (4 * n[0] * n[1] * n[2]));

    // One step of Richardson-Lucy and how far momentum carries it, as the engine does it and as the formula has it.
    Sweep begin = make;
    begin.spectrum = spectrum, begin.input = x.data();
    engine_sweep(engine, &begin, threads);
    const long first = data.offset[0], last = first + data.size[0];
    Columns there = {nullptr, spectrum, otf, 0, 0, n[0], first, last}, back = {nullptr, spectrum, otf, 1, first, last, 0, n[0]};
    engine_columns(engine, &there, threads);
    Sweep ratio = {};
    ratio.spectrum = spectrum, ratio.box = data, ratio.inverse = ratio.forward = 1, ratio.last = data.size[0];
    ratio.map = RATIO, ratio.loss = HALF_DEVIANCE, ratio.loss_of_slice = loss.data();
    const float* arrays[] = {y.data(), background.data(), weights.data()};
    for (int i = 0; i < 3; ++i) ratio.array[i] = ratio.loss_array[i] = arrays[i];
    ratio.number[1] = ratio.loss_number[1] = 1e-6f;
    engine_sweep(engine, &ratio, threads);
    engine_columns(engine, &back, threads);
    Volume point(x.size()), estimate(x.size());
    Sweep correct = {};
    correct.spectrum = spectrum, correct.box = whole, correct.inverse = correct.forward = 1, correct.last = n[0];
    correct.map = CORRECT_AHEAD, correct.output[0] = point.data(), correct.output[1] = estimate.data();
    correct.array[0] = x.data(), correct.array[1] = sensitivity.data(), correct.array[2] = previous.data();
    correct.number[0] = 0.5f, correct.loss_of_slice = loss.data();
    double total = 0;
    for (long z = 0; z < data.size[0]; ++z) total += loss[z];
    engine_sweep(engine, &correct, threads);

    std::vector<double> prediction = blurred(x, whole, data, h, n, false);
    double expected = 0;
    Volume quotient(prediction.size());
    for (size_t i = 0; i < prediction.size(); ++i) {
        const double p = prediction[i] + background[i];
        quotient[i] = (float)(weights[i] * y[i] / p);
        expected += weights[i] * (p - y[i] + (y[i] > 0 ? y[i] * log(y[i] / p) : 0));
    }
    std::vector<double> correction = blurred(quotient, data, whole, h, n, true);
    std::vector<double> wanted(x.size()), carried(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
        wanted[i] = x[i] * correction[i] / sensitivity[i];
        carried[i] = fmax(wanted[i] + 0.5 * (wanted[i] - previous[i]), 0);
    }
    expect(difference(estimate, wanted) < 1e-5, "the estimate", n, kernel, difference(estimate, wanted));
    expect(difference(point, carried) < 1e-5, "the next point", n, kernel, difference(point, carried));
    expect(fabs(total - expected) < 1e-5 * (1 + fabs(expected)), "the loss", n, kernel, total - expected);

    // What the last pass has begun is the next point's transform.
    engine_columns(engine, &there, threads);
    Volume seen(y.size());
    Sweep look = {};
    look.spectrum = spectrum, look.box = data, look.inverse = 1, look.last = data.size[0], look.output[0] = seen.data();
    look.loss_of_slice = loss.data();
    engine_sweep(engine, &look, threads);
    std::vector<double> next = blurred(point, whole, data, h, n, false);
    expect(difference(seen, next) < 1e-5, "the next prediction", n, kernel, difference(seen, next));
    engine_settle(x.data(), x.size() * sizeof(float));
    engine_release(otf);
    engine_release(spectrum);
    engine_free(engine);
}

int main() {
    const long shapes[][3] = {{1, 1, 1}, {1, 1, 2}, {1, 2, 1}, {2, 1, 1}, {1, 1, 7}, {1, 5, 1}, {3, 1, 1}, {1, 1, 60}, {1, 9, 35},
                              {4, 6, 10}, {5, 7, 9}, {2, 16, 33 - 1}, {16, 3, 5}, {1, 18, 81}, {9, 8, 49}, {7, 25, 18}};
    for (int kernel = 0; kernel <= engine_best_kernel(); ++kernel) {
        for (const long* n : shapes) {
            check(n, {{0, 0, 0}, {n[0], n[1], n[2]}}, kernel, 1);
            Box part;
            for (int d = 0; d < 3; ++d) {
                part.offset[d] = n[d] / 3;
                part.size[d] = (n[d] - part.offset[d] + 1) / 2;
            }
            check(n, part, kernel, 2);
        }
    }
    expect(!engine_new(1, 11, 1, 0) && !engine_new(0, 1, 1, 0) && !engine_new(1, 1, 1, 9), "what it must refuse", shapes[0], 0, 0);
    expect(!engine_allocate((uint64_t)1 << 62, 0), "memory that there is not", shapes[0], 0, 0);
    printf(failures ? "%d failures\n" : "native engine: all as it should be\n", failures);
    return failures != 0;
}
