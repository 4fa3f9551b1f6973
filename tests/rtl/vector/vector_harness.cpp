// The vector unit and a requantiser, driven from Python through ctypes.
#include <cstdint>
#include <cstring>

#include "Vbench.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {
struct Bench {
    VerilatedContext context;
    Vbench top{&context};
    void tick() {
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }
};
}  // namespace

extern "C" {
Bench *bench_new() {
    auto *bench = new Bench;
    bench->top.rst = 0;
    bench->top.clk = 0;
    bench->top.eval();
    return bench;
}

void bench_free(Bench *bench) { delete bench; }

// Bus words of WORD_BYTES into SRAM or parameter memory.
void bench_fill(Bench *bench, const uint8_t *data, uint32_t words, int param) {
    auto &top = bench->top;
    (param ? top.param_en : top.fill_en) = 1;
    for (uint32_t word = 0; word < words; word++) {
        top.fill_addr = word;
        std::memcpy(&top.fill_data, data + word * WORD_BYTES, WORD_BYTES);
        top.eval();
        bench->tick();
    }
    top.param_en = top.fill_en = 0;
    top.eval();
}

// One command; its writes go to `sram` too. Returns its cycles, 0 if it does not end.
uint32_t bench_run(Bench *bench, const uint8_t *cmd, uint8_t *sram, uint32_t *outcome,
                   uint32_t limit) {
    auto &top = bench->top;
    std::memcpy(&top.cmd, cmd, 32);
    top.start = 1;
    top.eval();
    for (uint32_t cycle = 1; cycle <= limit; cycle++) {
        if (top.write_en) {
            uint8_t word[WORD_BYTES];
            std::memcpy(word, &top.write_data, WORD_BYTES);
            for (int byte = 0; byte < WORD_BYTES; byte++)
                if (top.write_en >> byte & 1) sram[top.write_addr * WORD_BYTES + byte] = word[byte];
        }
        const bool done = top.done;
        outcome[0] = top.error;
        outcome[1] = top.result;
        bench->tick();
        top.start = 0;
        top.eval();
        if (done) {
            bench->tick();
            bench->tick();
            return cycle;
        }
    }
    return 0;
}

// A stream through the requantiser, `latency` cycles long.
void bench_rescale(Bench *bench, const int32_t *x, const uint32_t *multiplier,
                   const int32_t *shift, const int32_t *zero, int32_t *y, uint32_t n,
                   uint32_t latency) {
    auto &top = bench->top;
    for (uint32_t i = 0; i < n + latency; i++) {
        if (i < n) {
            top.x = x[i];
            top.multiplier = multiplier[i];
            top.shift = shift[i] & 0x3f;
            top.zero = zero[i] & 0xffff;
        }
        top.eval();
        if (i >= latency) y[i - latency] = top.y;
        bench->tick();
    }
}
}
