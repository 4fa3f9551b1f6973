/* The driver of zeroskip for bare metal: registers and the interrupt, nothing allocated. C99,
 * and C++11 or later.
 *
 * It is the driver of rtl/driver/__init__.py in C: the same functions, and in each of them the same
 * accesses in the same order. Facts about registers are those of the generated zeroskip_regs.h,
 * facts about a model those of the header that `npu compile --raw` writes.
 *
 * A life: zeroskip_open, zeroskip_probe, zeroskip_fits, zeroskip_place_memory where memory does not
 * begin at 0, zeroskip_put (the image into memory), zeroskip_load (its program into the chip),
 * zeroskip_run (entry boot), zeroskip_run (entry reset); then for every call zeroskip_feed,
 * zeroskip_run (the entry), zeroskip_fetch or zeroskip_tokens. After an error only zeroskip_reset is
 * taken, and behind it the entries boot and reset have to run again.
 *
 * While a program runs, loads or moves, external memory belongs to the chip: what the program reads
 * must not be written, what it writes not be read. zeroskip_wait gives it back.
 */
#ifndef ZEROSKIP_H
#define ZEROSKIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zeroskip_regs.h"

#ifdef __cplusplus
extern "C" {
#endif

enum zeroskip_result {
    ZEROSKIP_OK = 0,
    /* The chip has stopped in error: `error` and `error_pc` of struct zeroskip say why and where. */
    ZEROSKIP_STOPPED,
    /* The chip answered an access with an error and did nothing: `refused` is the register. */
    ZEROSKIP_REFUSED,
    /* What was waited for did not come; the chip may still be at it. Then zeroskip_reset. */
    ZEROSKIP_TIMEOUT,
    /* There is no zeroskip, or one for another version of the weights' format, or another chip. */
    ZEROSKIP_UNKNOWN,
    /* The caller asks for something that cannot be; the chip was not touched. */
    ZEROSKIP_ARGUMENT,
    /* The chip has left tokens that cannot be: memory or image are damaged. */
    ZEROSKIP_TOKENS
};

/* What the board gives to the driver. `context` is handed to every function.
 *
 * read, write : access a register, `offset` bytes behind the chip's base; false where the bus answers
 *     with an error. Accesses are of 32 bits and must reach the chip in their order, and behind what
 *     `put` has written. zeroskip_mmio_read and zeroskip_mmio_write do for mapped registers.
 * sleep : wait for the chip's interrupt; false for no longer, after a time of the board's choice.
 *     Must return at once if the interrupt is high or zeroskip_interrupt was called since the chip
 *     was started. May return early: the driver looks. Null: the driver polls, and the chip's
 *     interrupt stays low.
 * pause : let about so many cycles pass. Null: a loop that counts.
 * put, get : bytes from and to external memory, at the chip's addresses; what caches and write
 *     buffers hold is written back in `put`, and thrown away in `get`. Null where the caller does
 *     this by himself, and uses no function that moves bytes.
 */
struct zeroskip_port {
    bool (*read)(void *context, uint32_t offset, uint32_t *value);
    bool (*write)(void *context, uint32_t offset, uint32_t value);
    bool (*sleep)(void *context);
    void (*pause)(void *context, uint32_t cycles);
    void (*put)(void *context, uint32_t address, const void *bytes, size_t count);
    void (*get)(void *context, uint32_t address, void *bytes, size_t count);
    void *context;
};

/* One chip. `patience`: cycles of pauses after which a wait is given up; what the caller may set.
 * error, error_pc : of the last ZEROSKIP_STOPPED: ZEROSKIP_ERROR_..., and the index of the command;
 *     0 where a load has failed.
 * refused : offset of the register whose access was refused last.
 * events : what zeroskip_interrupt has seen.
 */
struct zeroskip {
    const struct zeroskip_port *port;
    uint32_t patience;
    uint32_t error;
    uint32_t error_pc;
    uint32_t refused;
    volatile uint32_t events;
};

/* A value for a scalar register, 1 to 15, before a start. */
struct zeroskip_argument {
    uint32_t index;
    int32_t value;
};

/* A tensor in external memory: its bytes, and the whole bus words that they lie in. The places of a
 * ring lie `space` bytes apart. */
struct zeroskip_tensor {
    uint32_t address;
    uint32_t bytes;
    uint32_t space;
};

/* The loop of a transducer: how it says which symbols it has emitted. */
struct zeroskip_loop {
    uint32_t address;         /* of the words that it leaves */
    uint32_t count_register;  /* how many */
    uint32_t call_shift;      /* in a word: the symbol is below, above it the frames left */
    uint32_t symbols_per_call;
    uint32_t symbols;
    uint32_t frames_per_call; /* that the encoder gives, at least 1 */
};

/* Symbol `symbol` was emitted by call `call`, 0 for the first of the start, in its frame `frame`. */
struct zeroskip_token {
    uint32_t call;
    uint32_t symbol;
    uint32_t frame;
};

void zeroskip_open(struct zeroskip *chip, const struct zeroskip_port *port);

/* Whether there is a zeroskip, for images of this version. Harmless at any time. */
enum zeroskip_result zeroskip_probe(struct zeroskip *chip);

/* Whether the chip is the one that an image was compiled for: NAME_PARAMETERS; else
 * ZEROSKIP_UNKNOWN. Harmless at any time. */
enum zeroskip_result zeroskip_fits(struct zeroskip *chip, uint32_t parameters);

/* Tell where on the bus external address 0 lies, a multiple of 4096; after rst, at 0. Addresses of
 * images, and those that `put` and `get` are given, count from there. */
enum zeroskip_result zeroskip_place_memory(struct zeroskip *chip, uint32_t base);

/* How many cycles the bus may be silent in a transfer, up to 2^24 - 1, before the chip stops with
 * BUS_TIMEOUT; 0 for ever, as after rst. */
enum zeroskip_result zeroskip_watch(struct zeroskip *chip, uint32_t cycles);

/* Load a program of `commands` from external memory, and wait. */
enum zeroskip_result zeroskip_load(struct zeroskip *chip, uint32_t address, uint32_t commands);

/* Start at command `pc`, scalar registers set before; returns while the chip runs. */
enum zeroskip_result zeroskip_start(struct zeroskip *chip, uint32_t pc,
                                    const struct zeroskip_argument *arguments, size_t count);

/* Wait until a start has ended, its last transfer too. */
enum zeroskip_result zeroskip_wait(struct zeroskip *chip);

/* Start and wait. */
enum zeroskip_result zeroskip_run(struct zeroskip *chip, uint32_t pc,
                                  const struct zeroskip_argument *arguments, size_t count);

/* Stop what runs and clear an error, once the bus is quiet: the chip is as before its first start,
 * with its program. A bus that never answers lets it never end: ZEROSKIP_TIMEOUT. */
enum zeroskip_result zeroskip_reset(struct zeroskip *chip);

/* Wait until the chip can be used: behind rst, one with parity fills its memories first. */
enum zeroskip_result zeroskip_ready(struct zeroskip *chip);

/* For the interrupt's handler, if the board has one: takes the event, and the interrupt falls. */
enum zeroskip_result zeroskip_interrupt(struct zeroskip *chip);

/* Why the chip has stopped, ZEROSKIP_ERROR_OK while it did not. */
enum zeroskip_result zeroskip_status(struct zeroskip *chip, uint32_t *error);

/* The scalar registers. */
enum zeroskip_result zeroskip_registers(struct zeroskip *chip,
                                        int32_t values[ZEROSKIP_SCALARS_COUNT]);

/* The performance counters; that of register MACS, say, is values[ZEROSKIP_COUNTER(MACS)]. */
enum zeroskip_result zeroskip_counters(struct zeroskip *chip,
                                       uint32_t values[ZEROSKIP_COUNTERS_COUNT]);
#define ZEROSKIP_COUNTER(name) ((ZEROSKIP_##name##_OFFSET - ZEROSKIP_COUNTERS_OFFSET) / 4u)

/* Set the counters to zero. */
enum zeroskip_result zeroskip_clear_counters(struct zeroskip *chip);

/* Bytes into external memory, and out of it. */
void zeroskip_put(struct zeroskip *chip, uint32_t address, const void *bytes, size_t count);
void zeroskip_get(struct zeroskip *chip, uint32_t address, void *bytes, size_t count);

/* An input, at place `index` of its ring, 0 for one without; an output. */
void zeroskip_feed(struct zeroskip *chip, const struct zeroskip_tensor *tensor, uint32_t index,
                   const void *values);
void zeroskip_fetch(struct zeroskip *chip, const struct zeroskip_tensor *tensor, void *values);

/* The symbols of a start of `calls` calls, in their order; `room` is what `tokens` has. */
enum zeroskip_result zeroskip_tokens(struct zeroskip *chip, const struct zeroskip_loop *loop,
                                     uint32_t calls, struct zeroskip_token *tokens, size_t room,
                                     size_t *count);

/* For struct zeroskip_port: registers that are mapped into memory; `context` is their base. They
 * cannot see a refusal, which is for the processor to take as a bus fault. */
bool zeroskip_mmio_read(void *context, uint32_t offset, uint32_t *value);
bool zeroskip_mmio_write(void *context, uint32_t offset, uint32_t value);

#ifdef __cplusplus
}
#endif

#endif /* ZEROSKIP_H */
