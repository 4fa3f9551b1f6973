// The chip's surroundings for a simulation with Verilator: clock, external memory, a host on
// AXI4-Lite, and the retire trace. Compiled with the model into a shared library; the functions at
// the end are called from rtl/sim/machine.py. The memory's timing is that of rtl/sim/bus.py.
//
// ZS_BUS_BYTES is given on the compiler's command line, ZS_TRACE for waveforms, ZS_COVERAGE for
// coverage, ZS_GATED where the chip has gated clocks.

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <iterator>
#include <memory>
#include <vector>

#include "Vzeroskip.h"
#include "verilated.h"
#ifdef ZS_COVERAGE
#include "Vzeroskip___024root.h"
#include "Vzeroskip__Syms.h"
#include "verilated_cov.h"
#endif
#ifdef ZS_INJECT
#include "verilated_syms.h"
#endif
#ifdef ZS_TRACE
#include <sstream>
#include <string>

#include "verilated_vcd_c.h"
#endif

namespace {

constexpr unsigned kBus = ZS_BUS_BYTES;
constexpr uint8_t kOkay = 0, kDecErr = 3;
constexpr uint64_t kNever = ~uint64_t{0};
constexpr unsigned kClocks = 8;  // gated ones, at most

// Wide ports are arrays of 32-bit words in Verilator, 64-bit ones plain numbers.
template <typename Port>
void put(Port& port, const uint8_t* bytes) {
    std::memcpy(&port, bytes, kBus);
}
template <typename Port>
void get(const Port& port, uint8_t* bytes) {
    std::memcpy(bytes, &port, kBus);
}

class Crc32 {
  public:
    Crc32() {
        for (uint32_t i = 0; i < 256; ++i) {
            uint32_t c = i;
            for (int k = 0; k < 8; ++k) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
            table_[i] = c;
        }
    }
    uint32_t operator()(uint32_t crc, uint8_t byte) const {
        return table_[(crc ^ byte) & 0xFF] ^ (crc >> 8);
    }

  private:
    std::array<uint32_t, 256> table_;
};

struct Pattern {
    const uint8_t* bits;
    uint64_t length;
    bool at(uint64_t cycle) const { return bits[cycle % length] != 0; }
    // A test has silenced the channel: in cycles that are not counted, too.
    bool silent() const { return length == 1 && bits[0] == 0; }
};

struct Burst {
    uint64_t address;
    uint32_t left;
    uint64_t ready_at;
};

struct Beat {
    uint8_t data[kBus];
    uint64_t strobes;
};

struct Response {
    uint64_t at;  // the first cycle in which it may come
    uint8_t answer;
};

// npu.chip.memory.WriteOrder
enum WriteOrder : uint32_t { kEither, kAddressFirst, kDataFirst, kTogether };

}  // namespace

extern "C" {

struct zs_config {
    uint8_t* data;  // external memory
    uint64_t data_bytes;
    uint8_t* sram;  // kept equal to the vector SRAM
    uint64_t sram_bytes;
    uint64_t latency;
    uint64_t gap;
    const uint8_t* pattern[5];  // ar, r, aw, w, b
    uint64_t pattern_length[5];
    uint32_t order;  // WriteOrder
    const char* waves;  // file, or null
    const char* signals;  // full names of those in the file, a line each; null for all
};

struct zs_memory {
    const char* name;  // the module's place
    uint8_t* words;
    uint64_t depth;
    uint64_t word_bytes;
    uint64_t width;  // bits
};

struct zs_retire {
    uint64_t start;
    uint64_t end;
    uint32_t pc;
    uint32_t written;
};

}  // extern "C"

namespace {

class Harness {
  public:
    explicit Harness(const zs_config& config)
        : config_(config), stamp_(config.sram_bytes, 0), context_(new VerilatedContext),
          chip_(new Vzeroskip(context_.get())) {
        for (int i = 0; i < 5; ++i) pattern_[i] = {config.pattern[i], config.pattern_length[i]};
#ifdef ZS_TRACE
        if (config.waves) {
            context_->traceEverOn(true);
            waves_.reset(new VerilatedVcdC);
            chip_->trace(waves_.get(), 99);
            if (config.signals) {
                std::istringstream names(config.signals);
                for (std::string name; std::getline(names, name);) waves_->dumpvars(1, name);
            }
            waves_->open(config.waves);
        }
#endif
        chip_->clk = 0;
        chip_->rst = 1;
        cycle();
        cycle();
        chip_->rst = 0;
        chip_->eval();
#ifdef ZS_INJECT
        find_memories();
#endif
    }

    ~Harness() {
#ifdef ZS_TRACE
        if (waves_) waves_->close();
#endif
        chip_->final();
#ifdef ZS_COVERAGE
        auto& counts = chip_->rootp->vlSymsp->__Vcoverage;
        earlier_.resize(std::size(counts));
        for (size_t i = 0; i < earlier_.size(); ++i) earlier_[i] += counts[i];
#endif
    }

    // Verilator's coverage of this and all earlier chips of the process. To write and to read a file
    // takes longer than a small program, so that it is the last chip that writes it.
    void coverage(const char* file) {
#ifdef ZS_COVERAGE
        auto& counts = chip_->rootp->vlSymsp->__Vcoverage;
        for (size_t i = 0; i < earlier_.size(); ++i) counts[i] += earlier_[i];
        earlier_.clear();
        context_->coveragep()->write(file);
#else
        (void)file;
#endif
    }

    // A memory of its own at `base`, in place of the real one and always ready: for programs.
    void stage(uint8_t* bytes, uint64_t n_bytes, uint64_t base) {
        staged_ = bytes;
        staged_bytes_ = n_bytes;
        staged_base_ = base;
    }

    int write(uint32_t address, uint32_t value) {
        chip_->s_axil_awaddr = address;
        chip_->s_axil_awvalid = 1;
        chip_->s_axil_wdata = value;
        chip_->s_axil_wstrb = 0xF;
        chip_->s_axil_wvalid = 1;
        chip_->s_axil_bready = 1;
        bool taken = false;
        for (int i = 0; i < 1000; ++i) {
            chip_->eval();
            const bool answered = chip_->s_axil_bvalid;
            const int response = chip_->s_axil_bresp;
            taken = taken || (chip_->s_axil_awready && chip_->s_axil_wready);
            cycle();
            if (taken) chip_->s_axil_awvalid = chip_->s_axil_wvalid = 0;
            if (answered) {
                chip_->s_axil_bready = 0;
                return response;
            }
        }
        return -1;
    }

    int read(uint32_t address, uint32_t* value) {
        chip_->s_axil_araddr = address;
        chip_->s_axil_arvalid = 1;
        chip_->s_axil_rready = 1;
        bool taken = false;
        for (int i = 0; i < 1000; ++i) {
            chip_->eval();
            const bool answered = chip_->s_axil_rvalid;
            const int response = chip_->s_axil_rresp;
            *value = chip_->s_axil_rdata;
            taken = taken || chip_->s_axil_arready;
            cycle();
            if (taken) chip_->s_axil_arvalid = 0;
            if (answered) {
                chip_->s_axil_rready = 0;
                return response;
            }
        }
        return -1;
    }

    // Runs for at most `limit` cycles: 1 = interrupt, 2 = a command retired (if asked), 0 = limit.
    int run(uint64_t limit, bool stop_at_retire) {
        for (uint64_t i = 0; i < limit; ++i) {
            const size_t before = retired_.size();
            cycle();
            if (stop_at_retire && retired_.size() != before) return 2;
            if (chip_->irq) return 1;
        }
        return 0;
    }

    void pass(uint64_t cycles) {
        for (uint64_t i = 0; i < cycles; ++i) cycle();
    }

    uint64_t cycles() const { return active_; }
    // Cycles with an edge of gated clock `index`, of those that the chip counts and of all.
    uint64_t clocked(unsigned index, bool all) const {
        return index < kClocks ? (all ? clocked_ : clocked_active_)[index] : 0;
    }
    uint64_t running() const { return running_; }
    uint64_t simulated() const { return simulated_; }

    std::vector<zs_retire>& retired() { return retired_; }

#ifdef ZS_INJECT
    // Every memory in a module of its own, in the order of their names.
    void find_memories() {
        for (const auto& named : *context_->scopeNameMap()) {
            if (VerilatedVarNameMap* vars = named.second->varsp()) {
                for (auto& var : *vars) {
                    const VerilatedVar& words = var.second;
                    if (words.udims() != 1) continue;
                    const uint64_t depth = uint64_t(words.high(1) - words.low(1)) + 1;
                    memories_.push_back({named.first, static_cast<uint8_t*>(words.datap()), depth,
                                         words.totalSize() / depth, uint64_t(words.entBits())});
                }
            }
        }
    }

    const std::vector<zs_memory>& memories() const { return memories_; }
    void settle() { chip_->eval(); }
#endif

  private:
    void cycle() {
        // What the chip does in this cycle is in its registers already.
        const bool counted = chip_->debug_active;
        const bool free = staged_ != nullptr || !counted;
        drive(free);
        chip_->clk = 0;
        chip_->eval();
        dump(0);
        memory();
        watch();
#ifdef ZS_GATED
        clocks_on_ = chip_->debug_clocks;
#endif
        chip_->clk = 1;
        chip_->eval();
        dump(1);
#ifdef ZS_GATED
        for (unsigned i = 0; i < kClocks; ++i) {
            const bool on = clocks_on_ >> i & 1;
            clocked_[i] += on;
            clocked_active_[i] += on && counted && staged_ == nullptr;
        }
#endif
        active_ += counted && staged_ == nullptr;
        now_ += 1;
        ++simulated_;
    }

    void dump(int half) {
#ifdef ZS_TRACE
        if (waves_) waves_->dump(10 * simulated_ + 5 * half);
#else
        (void)half;
#endif
    }

    // --- external memory ------------------------------------------------------------------------
    uint8_t* window(uint64_t address) {
        if (staged_) {
            const uint64_t at = address - staged_base_;
            return address >= staged_base_ && at + kBus <= staged_bytes_ ? staged_ + at : nullptr;
        }
        return address + kBus <= config_.data_bytes ? config_.data + address : nullptr;
    }

    bool open(int channel, bool free) const {
        const Pattern& pattern = pattern_[channel];
        return free ? !pattern.silent() : pattern.at(active_);
    }

    void drive(bool free) {
        chip_->m_axi_arready = open(0, free);
        chip_->m_axi_awready = open(2, free) && takes_address();
        chip_->m_axi_wready = takes_beat(free);
        const bool due = !reads_.empty() && now_ >= reads_.front().ready_at && now_ >= next_read_;
        const bool has_read = offered_ || (due && open(1, free));
        chip_->m_axi_rvalid = has_read;
        if (has_read) {
            const Burst& burst = reads_.front();
            const uint8_t* bytes = window(burst.address);
            static const uint8_t zeros[kBus] = {};
            put(chip_->m_axi_rdata, bytes ? bytes : zeros);
            chip_->m_axi_rresp = bytes ? kOkay : kDecErr;
            chip_->m_axi_rlast = burst.left == 1;
        }
        const bool answers = !responses_.empty() && now_ >= responses_.front().at;
        chip_->m_axi_bvalid = answers && open(4, free);
        chip_->m_axi_bresp = responses_.empty() ? kOkay : responses_.front().answer;
    }

    // Whether a write's address may come now, as far as the order goes.
    bool takes_address() const {
        if (addressed_) return false;
        if (config_.order == kDataFirst) return filled_;
        return config_.order != kTogether || (both_offered_ && now_ >= next_write_);
    }

    bool takes_beat(bool free) const {
        if (filled_ || now_ < next_write_) return false;
        if (config_.order == kTogether && beats_.empty()) return takes_address() && open(2, free);
        return open(3, free) && (config_.order != kAddressFirst || addressed_);
    }

    void memory() {
        offered_ = chip_->m_axi_rvalid && !chip_->m_axi_rready;
        if (chip_->m_axi_rvalid && chip_->m_axi_rready) {
            next_read_ = now_ + config_.gap;
            Burst& burst = reads_.front();
            burst.address += kBus;
            if (--burst.left == 0) reads_.pop_front();
        }
        if (chip_->m_axi_arvalid && chip_->m_axi_arready)
            reads_.push_back({chip_->m_axi_araddr, chip_->m_axi_arlen + 1u, now_ + config_.latency});
        if (reads_.empty()) next_read_ = 0;
        if (chip_->m_axi_bvalid && chip_->m_axi_bready) responses_.pop_front();
        if (chip_->m_axi_wvalid && chip_->m_axi_wready) {
            Beat beat;
            get(chip_->m_axi_wdata, beat.data);
            beat.strobes = chip_->m_axi_wstrb;
            beats_.push_back(beat);
            filled_ = chip_->m_axi_wlast;
            next_write_ = now_ + config_.gap;
        }
        if (chip_->m_axi_awvalid && chip_->m_axi_awready) {
            addressed_ = true;
            write_address_ = chip_->m_axi_awaddr;
        }
        both_offered_ = chip_->m_axi_awvalid && chip_->m_axi_wvalid;
        if (addressed_ && filled_) store();
        if (responses_.empty() && beats_.empty()) next_write_ = 0;
    }

    // All of a burst is there, whichever came first. Its response comes behind those before it.
    void store() {
        uint8_t answer = kOkay;
        for (const Beat& beat : beats_) {
            if (uint8_t* bytes = window(write_address_)) {
                for (unsigned i = 0; i < kBus; ++i) {
                    if (beat.strobes >> i & 1) {
                        bytes[i] = beat.data[i];
                        sent_.push_back(beat.data[i]);
                    }
                }
            } else {
                answer = kDecErr;
            }
            write_address_ += kBus;
        }
        beats_.clear();
        addressed_ = filled_ = false;
        both_offered_ = false;  // what is seen on offer from now on is the next burst
        responses_.push_back({now_ + config_.latency, answer});
    }

    // --- retire trace ---------------------------------------------------------------------------
    void watch() {
        if (uint64_t enables = chip_->debug_sram_en) {
            uint8_t word[kBus];
            get(chip_->debug_sram_data, word);
            const uint64_t at = uint64_t{chip_->debug_sram_addr} * kBus;
            for (unsigned i = 0; i < kBus; ++i) {
                if (enables >> i & 1 && at + i < config_.sram_bytes) {
                    config_.sram[at + i] = word[i];
                    stamp_[at + i] = epoch_;
                }
            }
            if (at < first_) first_ = at;
            if (at + kBus > end_) end_ = at + kBus;
        }
        if (chip_->debug_register_en && chip_->debug_register_index != 0)
            for (int i = 0; i < 4; ++i) sent_.push_back(chip_->debug_register_value >> 8 * i & 0xFF);
        if (staged_) {
            if (chip_->debug_retire) forget();
            return;
        }
        running_ += chip_->debug_running;
        if (chip_->debug_start) started_ = active_;
        if (chip_->debug_retire) {
            retired_.push_back({started_, active_, chip_->debug_pc, digest()});
            forget();
        }
    }

    uint32_t digest() const {
        uint32_t crc = ~0u;
        for (uint64_t at = first_; at < end_ && at < config_.sram_bytes; ++at)
            if (stamp_[at] == epoch_) crc = crc32_(crc, config_.sram[at]);
        for (const uint8_t byte : sent_) crc = crc32_(crc, byte);
        return ~crc;
    }

    void forget() {
        ++epoch_;
        first_ = kNever;
        end_ = 0;
        sent_.clear();
    }

    zs_config config_;
    Pattern pattern_[5];
    uint64_t now_ = 0, active_ = 0, running_ = 0, simulated_ = 0;
    std::array<uint64_t, kClocks> clocked_{}, clocked_active_{};
    uint32_t clocks_on_ = 0;

    uint8_t* staged_ = nullptr;
    uint64_t staged_bytes_ = 0, staged_base_ = 0;
    std::deque<Burst> reads_;
    uint64_t next_read_ = 0;
    bool offered_ = false;  // a read beat stays on offer until it is taken
    // Of the write burst that is coming: its address, its beats, the last of them.
    bool addressed_ = false, filled_ = false, both_offered_ = false;
    std::vector<Beat> beats_;
    uint64_t write_address_ = 0, next_write_ = 0;
    std::deque<Response> responses_;  // of the bursts before it

    Crc32 crc32_;
    std::vector<uint32_t> stamp_;
    uint32_t epoch_ = 1;
    uint64_t first_ = kNever, end_ = 0, started_ = 0;
    std::vector<uint8_t> sent_;
    std::vector<zs_retire> retired_;
#ifdef ZS_INJECT
    std::vector<zs_memory> memories_;
#endif

    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vzeroskip> chip_;
#ifdef ZS_COVERAGE
    static inline std::vector<uint32_t> earlier_;
#endif
#ifdef ZS_TRACE
    std::unique_ptr<VerilatedVcdC> waves_;
#endif
};

}  // namespace

#pragma GCC visibility push(default)
extern "C" {

Harness* zs_new(const zs_config* config) { return new Harness(*config); }
void zs_free(Harness* h) { delete h; }
void zs_stage(Harness* h, uint8_t* bytes, uint64_t n_bytes, uint64_t base) {
    h->stage(bytes, n_bytes, base);
}
int zs_write(Harness* h, uint32_t address, uint32_t value) { return h->write(address, value); }
int zs_read(Harness* h, uint32_t address, uint32_t* value) { return h->read(address, value); }
int zs_run(Harness* h, uint64_t limit, int stop) { return h->run(limit, stop != 0); }
void zs_coverage(Harness* h, const char* file) { h->coverage(file); }
void zs_pass(Harness* h, uint64_t cycles) { h->pass(cycles); }
uint64_t zs_cycles(const Harness* h) { return h->cycles(); }
uint64_t zs_clocked(const Harness* h, unsigned index, int all) { return h->clocked(index, all != 0); }
uint64_t zs_running(const Harness* h) { return h->running(); }
uint64_t zs_simulated(const Harness* h) { return h->simulated(); }
#ifdef ZS_INJECT
uint64_t zs_memories(const Harness* h, const zs_memory** memories) {
    *memories = h->memories().data();
    return h->memories().size();
}
void zs_settle(Harness* h) { h->settle(); }
#endif
// Hands over the records since the last call; they stay valid until the next cycle.
uint64_t zs_retired(Harness* h, const zs_retire** records) {
    static thread_local std::vector<zs_retire> taken;
    taken.swap(h->retired());
    h->retired().clear();
    *records = taken.data();
    return taken.size();
}

}  // extern "C"
#pragma GCC visibility pop
