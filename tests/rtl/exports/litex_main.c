/* Firmware of the LiteX SoC: the export's example on the chip, its outputs over the serial line.
 *
 * Headers are LiteX's (generated/), the driver's, and that of the model. Each output is a line of
 * hex digits; the last line is the cycles of all calls, or what went wrong.
 */
#include <generated/csr.h>
#include <generated/mem.h>
#include <generated/soc.h>
#include <irq.h>
#include <system.h>

#include "calls.h"
#include "joiner.h"
#include "zeroskip.h"

#define WAITS 10000000u
#define END_OF_TEXT '\004'

static struct zeroskip chip;

/* --- what GCC calls without being asked --------------------------------------------------------- */
void *memcpy(void *target, const void *source, size_t count)
{
    uint8_t *to = target;
    const uint8_t *from = source;
    while (count--)
        *to++ = *from++;
    return target;
}

/* --- the model ---------------------------------------------------------------------------------- */
#define TENSOR(name) {JOINER_INVOKE_##name##_ADDRESS, JOINER_INVOKE_##name##_BYTES, \
                      JOINER_INVOKE_##name##_SPACE}
static const struct zeroskip_tensor inputs[] = {TENSOR(INPUT0), TENSOR(INPUT1)};
static const struct zeroskip_tensor output = TENSOR(OUTPUT0);
static const uint8_t values[CALLS][JOINER_INVOKE_INPUT0_BYTES + JOINER_INVOKE_INPUT1_BYTES] = VALUES;

/* --- the serial line ---------------------------------------------------------------------------- */
static void put_char(char c)
{
    while (uart_txfull_read())
        ;
    uart_rxtx_write((uint8_t)c);
}

static void put_text(const char *text)
{
    while (*text != '\0')
        put_char(*text++);
}

static void put_hex(uint32_t value, unsigned digits)
{
    while (digits--)
        put_char("0123456789abcdef"[value >> (4u * digits) & 15u]);
}

/* --- the board ---------------------------------------------------------------------------------- */
void isr(void);
void isr(void)
{
    if (irq_pending() & irq_getmask() & 1u << ZEROSKIP_INTERRUPT)
        zeroskip_interrupt(&chip);
}

static bool board_sleep(void *context)
{
    (void)context;
    for (uint32_t waits = 0; waits < WAITS; waits++)
        if (chip.events != 0u)
            return true;
    return false;
}

static void board_put(void *context, uint32_t address, const void *bytes, size_t count)
{
    (void)context;
    memcpy((uint8_t *)MAIN_RAM_BASE + address, bytes, count); /* the cache writes through */
}

static void board_get(void *context, uint32_t address, void *bytes, size_t count)
{
    (void)context;
    flush_cpu_dcache();
    memcpy(bytes, (const uint8_t *)MAIN_RAM_BASE + address, count);
}

static const struct zeroskip_port port = {
    .read = zeroskip_mmio_read,
    .write = zeroskip_mmio_write,
    .sleep = board_sleep,
    .put = board_put,
    .get = board_get,
    .context = (void *)ZEROSKIP_BASE,
};

/* --- the host ----------------------------------------------------------------------------------- */
_Noreturn static void finish(void)
{
    put_char('\n');
    put_char(END_OF_TEXT);
    for (;;)
        ;
}

static void must(enum zeroskip_result result, const char *what)
{
    if (result == ZEROSKIP_OK)
        return;
    put_text(what);
    put_text(": result ");
    put_hex(result, 1);
    put_text(", error ");
    put_hex(chip.error, 1);
    put_text(" at ");
    put_hex(chip.error_pc, 4);
    finish();
}

int main(void)
{
    uint8_t answer[JOINER_INVOKE_OUTPUT0_BYTES];
    uint32_t counters[ZEROSKIP_COUNTERS_COUNT];

    zeroskip_open(&chip, &port);
    zeroskip_ev_enable_write(1);
    irq_setmask(1u << ZEROSKIP_INTERRUPT);
    irq_setie(1);
    must(zeroskip_ready(&chip), "ready");
    must(zeroskip_probe(&chip), "probe");
    must(zeroskip_fits(&chip, JOINER_PARAMETERS), "fits");
    must(zeroskip_place_memory(&chip, MAIN_RAM_BASE), "place");
    must(zeroskip_load(&chip, JOINER_PROGRAM_ADDRESS, JOINER_PROGRAM_COMMANDS), "load");
    must(zeroskip_run(&chip, JOINER_BOOT_PC, NULL, 0), "boot");
    must(zeroskip_run(&chip, JOINER_RESET_PC, NULL, 0), "reset");
    must(zeroskip_clear_counters(&chip), "clear");
    for (unsigned call = 0; call < CALLS; call++) {
        const uint8_t *at = values[call];
        zeroskip_feed(&chip, &inputs[0], 0, at);
        zeroskip_feed(&chip, &inputs[1], 0, at + inputs[0].bytes);
        must(zeroskip_run(&chip, JOINER_INVOKE_PC, NULL, 0), "invoke");
        zeroskip_fetch(&chip, &output, answer);
        for (unsigned byte = 0; byte < output.bytes; byte++)
            put_hex(answer[byte], 2);
        put_char('\n');
    }
    must(zeroskip_counters(&chip, counters), "counters");
    put_text("cycles ");
    put_hex(counters[ZEROSKIP_COUNTER(CYCLES)], 8);
    finish();
}
