/* A host in C: the bundled transducer on the chip's RTL, worked by zeroskip.c alone.
 *
 * Beside the driver it knows the header that `npu compile --raw` has written. What stands for the
 * board is the harness of rtl/sim: registers, the interrupt, and memory. Usage:
 * utterance RAW FEATURES CALLS CALLS_A_START RECORDS irq|poll; prints `call symbol` for each symbol,
 * then the cycles, and writes the chip's records.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands_rnnt.h"
#include "zeroskip.h"

/* --- rtl/sim/harness.cpp ------------------------------------------------------------------------ */
struct zs_config {
    uint8_t *data;
    uint64_t data_bytes;
    uint8_t *sram;
    uint64_t sram_bytes;
    uint64_t latency;
    uint64_t gap;
    const uint8_t *pattern[5];
    uint64_t pattern_length[5];
    uint32_t order;
    const char *waves;
    const char *signals;
};
struct zs_retire {
    uint64_t start;
    uint64_t end;
    uint32_t pc;
    uint32_t written;
};
void *zs_new(const struct zs_config *config);
void zs_free(void *h);
int zs_write(void *h, uint32_t address, uint32_t value);
int zs_read(void *h, uint32_t address, uint32_t *value);
int zs_run(void *h, uint64_t limit, int stop);
void zs_pass(void *h, uint64_t cycles);
uint64_t zs_retired(void *h, const struct zs_retire **records);

/* --- the board ---------------------------------------------------------------------------------- */
struct board {
    void *harness;
    uint8_t *memory;
};

static bool board_read(void *context, uint32_t offset, uint32_t *value)
{
    const struct board *board = context;
    return zs_read(board->harness, offset, value) == 0;
}

static bool board_write(void *context, uint32_t offset, uint32_t value)
{
    const struct board *board = context;
    return zs_write(board->harness, offset, value) == 0;
}

static bool board_sleep(void *context)
{
    const struct board *board = context;
    return zs_run(board->harness, 100000000u, 0) == 1;
}

static void board_pause(void *context, uint32_t cycles)
{
    const struct board *board = context;
    zs_pass(board->harness, cycles);
}

static void board_put(void *context, uint32_t address, const void *bytes, size_t count)
{
    const struct board *board = context;
    memcpy(board->memory + address, bytes, count);
}

static void board_get(void *context, uint32_t address, void *bytes, size_t count)
{
    const struct board *board = context;
    memcpy(bytes, board->memory + address, count);
}

/* --- the host ----------------------------------------------------------------------------------- */
static struct zeroskip chip;

static void must(enum zeroskip_result result, const char *what)
{
    if (result == ZEROSKIP_OK)
        return;
    fprintf(stderr, "%s: result %d, error %u at command %u, register %#x refused\n", what,
            (int)result, (unsigned)chip.error, (unsigned)chip.error_pc, (unsigned)chip.refused);
    exit(1);
}

static uint8_t *whole_file(const char *path, size_t bytes)
{
    uint8_t *found = malloc(bytes);
    FILE *file = fopen(path, "rb");
    if (file == NULL || found == NULL || fread(found, 1, bytes, file) != bytes) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(1);
    }
    fclose(file);
    return found;
}

/* The image's constants and its program; what lies between is not written. */
static void boot(const uint8_t *raw)
{
    must(zeroskip_probe(&chip), "probe");
    must(zeroskip_fits(&chip, COMMANDS_RNNT_PARAMETERS), "fits");
    zeroskip_put(&chip, 0u, raw, COMMANDS_RNNT_CONSTANT_BYTES);
    zeroskip_put(&chip, COMMANDS_RNNT_PROGRAM_ADDRESS, raw + COMMANDS_RNNT_PROGRAM_ADDRESS,
                 COMMANDS_RNNT_PROGRAM_BYTES);
    must(zeroskip_load(&chip, COMMANDS_RNNT_PROGRAM_ADDRESS, COMMANDS_RNNT_PROGRAM_COMMANDS),
         "load");
    must(zeroskip_run(&chip, COMMANDS_RNNT_BOOT_PC, NULL, 0), "boot");
    must(zeroskip_run(&chip, COMMANDS_RNNT_RESET_PC, NULL, 0), "reset");
}

/* Up to LOOP_CALLS encoder calls in one start. */
static void listen(const int8_t *features, uint32_t first, uint32_t calls)
{
    static const struct zeroskip_tensor ring = {COMMANDS_RNNT_FRAMES_INPUT0_ADDRESS,
                                                COMMANDS_RNNT_FRAMES_INPUT0_BYTES,
                                                COMMANDS_RNNT_FRAMES_INPUT0_SPACE};
    static const struct zeroskip_loop loop = {
        COMMANDS_RNNT_FRAMES_TOKENS_ADDRESS, COMMANDS_RNNT_FRAMES_TOKENS_REGISTER,
        COMMANDS_RNNT_FRAMES_CALL_SHIFT, COMMANDS_RNNT_FRAMES_SYMBOLS_PER_CALL,
        COMMANDS_RNNT_FRAMES_SYMBOLS, COMMANDS_RNNT_FRAMES_FRAMES_PER_CALL};
    struct zeroskip_token tokens[COMMANDS_RNNT_FRAMES_LOOP_CALLS *
                                 COMMANDS_RNNT_FRAMES_SYMBOLS_PER_CALL];
    const struct zeroskip_argument arguments[] = {
        {COMMANDS_RNNT_FRAMES_CALLS_REGISTER, (int32_t)calls}};
    size_t count, i;
    uint32_t call;
    for (call = 0; call < calls; ++call)
        zeroskip_feed(&chip, &ring, call,
                      features + (size_t)(first + call) * COMMANDS_RNNT_FRAMES_INPUT0_ELEMENTS);
    must(zeroskip_run(&chip, COMMANDS_RNNT_FRAMES_PC, arguments, 1), "frames");
    must(zeroskip_tokens(&chip, &loop, calls, tokens, sizeof tokens / sizeof tokens[0], &count),
         "tokens");
    for (i = 0; i < count; ++i)
        printf("%u %u\n", (unsigned)(first + tokens[i].call), (unsigned)tokens[i].symbol);
}

int main(int argc, char **argv)
{
    static const uint8_t always[1] = {1};
    static uint8_t sram[ZS_SRAM_BYTES];
    struct zs_config config;
    struct board board;
    struct zeroskip_port port = {board_read, board_write, board_sleep, board_pause,
                                 board_put,  board_get,   NULL};
    uint32_t calls, a_start, first, values[ZEROSKIP_COUNTERS_COUNT];
    const struct zs_retire *records;
    uint64_t count;
    int i;
    if (argc != 7)
        return 2;
    calls = (uint32_t)strtoul(argv[3], NULL, 10);
    a_start = (uint32_t)strtoul(argv[4], NULL, 10);
    board.memory = malloc(COMMANDS_RNNT_RAW_BYTES);
    if (board.memory == NULL)
        return 1;
    memset(board.memory, 0xA5, COMMANDS_RNNT_RAW_BYTES);
    memset(&config, 0, sizeof config);
    config.data = board.memory;
    config.data_bytes = COMMANDS_RNNT_RAW_BYTES;
    config.sram = sram;
    config.sram_bytes = sizeof sram;
    config.latency = ZS_LATENCY;
    config.gap = ZS_GAP;
    for (i = 0; i < 5; ++i) {
        config.pattern[i] = always;
        config.pattern_length[i] = 1;
    }
    board.harness = zs_new(&config);
    port.context = &board;
    if (strcmp(argv[6], "poll") == 0)
        port.sleep = NULL;
    zeroskip_open(&chip, &port);

    boot(whole_file(argv[1], COMMANDS_RNNT_RAW_BYTES));
    must(zeroskip_clear_counters(&chip), "clear");
    {
        const size_t bytes = (size_t)calls * COMMANDS_RNNT_FRAMES_INPUT0_BYTES;
        const int8_t *features = (const int8_t *)whole_file(argv[2], bytes);
        for (first = 0; first < calls; first += a_start)
            listen(features, first, calls - first < a_start ? calls - first : a_start);
    }
    must(zeroskip_counters(&chip, values), "counters");
    printf("cycles %u\n", (unsigned)values[ZEROSKIP_COUNTER(CYCLES)]);

    count = zs_retired(board.harness, &records);
    {
        FILE *file = fopen(argv[5], "wb");
        if (file == NULL || fwrite(records, sizeof *records, count, file) != count)
            return 1;
        fclose(file);
    }
    zs_free(board.harness);
    return 0;
}
