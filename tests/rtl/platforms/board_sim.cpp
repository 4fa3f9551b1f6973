// A board in Verilator, with its serial line on stdin and stdout, bit by bit.
//
// argv[1]: clock cycles of a bit. A byte from stdin becomes a start bit, eight bits and a stop bit
// on `receive`; what comes on `send` is sampled in the middle of its bits and goes to stdout. Ends
// with stdin.
#include <poll.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "Vboard.h"
#include "verilated.h"

namespace {

constexpr int kFrame = 10;        // bits, with start and stop
constexpr int kBetween = 64;      // cycles between looks at stdin
constexpr int kIdleMs = 1;        // a wait where nothing is going on

class Line {
   public:
    explicit Line(int divisor) : divisor_(divisor) {}

    // What the host drives in this cycle.
    int drive() {
        const int level = left_ == 0 ? 1 : bits_ & 1;
        if (left_ != 0 && ++sent_ == divisor_) {
            sent_ = 0;
            bits_ >>= 1;
            --left_;
        }
        return level;
    }

    bool idle() const { return left_ == 0; }

    void start(uint8_t byte) {
        bits_ = 0x200u | byte << 1;
        left_ = kFrame;
        sent_ = 0;
    }

    // Takes what the board drives; true when a byte is complete.
    bool take(int level, uint8_t* byte) {
        if (place_ < 0) {
            if (level == 0) place_ = 0, shift_ = 0;
            return false;
        }
        ++place_;
        if (place_ % divisor_ != divisor_ / 2) return false;
        const int bit = place_ / divisor_;
        if (bit >= 1 && bit <= 8) shift_ |= level << (bit - 1);
        if (bit != 9) return false;
        place_ = -1;
        *byte = static_cast<uint8_t>(shift_);
        return true;
    }

    bool quiet() const { return place_ < 0; }

   private:
    const int divisor_;
    unsigned bits_ = 1;
    int left_ = 0, sent_ = 0, place_ = -1;
    unsigned shift_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    Line line(std::atoi(argv[1]));
    VerilatedContext context;
    Vboard board(&context);
    board.rst = 1;
    for (uint64_t cycle = 0;; ++cycle) {
        if (line.idle() && cycle % kBetween == 0) {
            pollfd input{STDIN_FILENO, POLLIN, 0};
            const bool nothing = line.quiet() && !board.running;
            if (poll(&input, 1, nothing ? kIdleMs : 0) > 0) {
                uint8_t byte;
                if (read(STDIN_FILENO, &byte, 1) != 1) return 0;
                line.start(byte);
            }
        }
        board.receive = line.drive();
        board.clk = 0;
        board.eval();
        uint8_t byte;
        if (line.take(board.send, &byte) && write(STDOUT_FILENO, &byte, 1) != 1) return 1;
        board.clk = 1;
        board.eval();
        board.rst = 0;
    }
}
