// What all instruction sets share: sizes, tables and the description of a sweep. Plain data only.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MAX_LEVELS 32
#define GROUP 4  // columns (of lanes) that pass through z together

struct Axis {
    long n;
    int levels;
    int radix[MAX_LEVELS];
    float* twiddles[MAX_LEVELS];  // for level l: w^(jp), w = exp(-2πi / size at l), j < m, 1 <= p < radix
    int32_t* position;            // where frequency k is stored
};

// The spectrum of a real volume z × y × x, halved along y. Lanes are neighbouring frequencies along y; of a block of lanes
// GROUP neighbours along x lie together for every z (a tile), so that the sweep along z reads memory in order.
struct Plan {
    Axis z, y, x;
    int lanes;
    long half;     // frequencies along y
    long blocks;   // of lanes, along y
    long tiles;    // along x
    long rows;     // of a tile: z, made odd against cache conflicts
    size_t tile;   // floats per tile
    size_t spectrum;  // floats
    size_t scratch;   // floats that one thread needs
};

struct Box {
    long offset[3], size[3];
};

enum Map {
    COPY = 0,  // u itself, to or from an array
    RATIO,     // w y/max(u + b, floor)
    EXCESS,    // w (1 - y/max(u + b, floor))
    ERROR,     // w (u + b - y)
    CORRECT,   // point max(u, 0)/sensitivity
    CORRECT_AHEAD,  // the same, and how far momentum carries it
    CORRECT_GAIN,   // the same, and what was gained: x - point
    DESCEND,   // project(x - step (u + pull))
};

enum Loss { NO_LOSS = 0, HALF_DEVIANCE, HALF_SQUARED_ERROR };

// One sweep over the slices of a box: back from the spectrum, a point-wise map, on into the spectrum.
struct Sweep {
    const Plan* plan;
    float* spectrum;
    Box box;
    int32_t inverse, forward;  // whether the spectrum is read, whether it is written
    int64_t first, last;       // the slices of the box; all arrays begin at slice `first`
    int32_t map, loss;
    const float* input;    // forward without inverse: what is transformed
    float* output[2];      // where results go; NULL where nobody asks
    const float* array[4]; // y, background, weights | point, sensitivity, x | x, pull, support; NULL where absent
    float number[4];       // background, floor | momentum | step size, lower, upper
    const float* loss_array[3];
    float loss_number[2];
    double* loss_of_slice;  // one sum per slice, from `first` on
};

struct Columns {
    const Plan* plan;
    float* spectrum;
    const float* otf;  // NULL: forward only, all the way to the frequencies
    int32_t conjugate;
    int64_t in_first, in_last, out_first, out_last;  // slices that are not 0, slices that are wanted
};

struct Kernel {
    int lanes;
    void (*slice)(const Sweep*, long slice, float* scratch);
    void (*tile)(const Columns*, long tile, float* scratch);
};
