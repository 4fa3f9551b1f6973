/* See zeroskip.h. */
#include "zeroskip.h"

#define EVENTS (ZEROSKIP_IRQ_STATUS_HALTED_MASK | ZEROSKIP_IRQ_STATUS_LOADED_MASK)
#define BUSY                                                              \
    (ZEROSKIP_STATUS_RUNNING_MASK | ZEROSKIP_STATUS_LOADING_MASK |        \
     ZEROSKIP_STATUS_MOVING_MASK)
#define REGISTER_BYTES 4u

/* As in rtl/driver/__init__.py. */
#define PATIENCE (UINT32_C(1) << 28)
#define LONGEST_PAUSE 1024u

/* --- registers ---------------------------------------------------------------------------------- */
static enum zeroskip_result read_register(struct zeroskip *chip, uint32_t offset, uint32_t *value)
{
    if (chip->port->read(chip->port->context, offset, value))
        return ZEROSKIP_OK;
    chip->refused = offset;
    return ZEROSKIP_REFUSED;
}

static enum zeroskip_result write_register(struct zeroskip *chip, uint32_t offset, uint32_t value)
{
    if (chip->port->write(chip->port->context, offset, value))
        return ZEROSKIP_OK;
    chip->refused = offset;
    return ZEROSKIP_REFUSED;
}

bool zeroskip_mmio_read(void *context, uint32_t offset, uint32_t *value)
{
    volatile uint32_t *registers = (volatile uint32_t *)context;
    *value = registers[offset / REGISTER_BYTES];
    return true;
}

bool zeroskip_mmio_write(void *context, uint32_t offset, uint32_t value)
{
    volatile uint32_t *registers = (volatile uint32_t *)context;
    registers[offset / REGISTER_BYTES] = value;
    return true;
}

/* --- waiting ------------------------------------------------------------------------------------ */
/* How long has been waited, and how long the next pause is. */
struct waited {
    uint32_t cycles;
    uint32_t next;
};

/* Pause, each time for longer; false once the patience is at its end. */
static bool pause_longer(const struct zeroskip *chip, struct waited *waited)
{
    if (waited->cycles >= chip->patience)
        return false;
    if (chip->port->pause != NULL) {
        chip->port->pause(chip->port->context, waited->next);
    } else {
        volatile uint32_t left = waited->next;
        while (left != 0u)
            left = left - 1u;
    }
    waited->cycles += waited->next;
    if (waited->next < LONGEST_PAUSE)
        waited->next *= 2u;
    return true;
}

/* Wait until STATUS has no bit of the mask. */
static enum zeroskip_result until_quiet(struct zeroskip *chip, uint32_t mask)
{
    struct waited waited = {0u, 1u};
    for (;;) {
        uint32_t status;
        const enum zeroskip_result result =
            read_register(chip, ZEROSKIP_STATUS_OFFSET, &status);
        if (result != ZEROSKIP_OK)
            return result;
        if ((status & mask) == 0u)
            return ZEROSKIP_OK;
        if (!pause_longer(chip, &waited))
            return ZEROSKIP_TIMEOUT;
    }
}

enum zeroskip_result zeroskip_interrupt(struct zeroskip *chip)
{
    uint32_t happened;
    enum zeroskip_result result = read_register(chip, ZEROSKIP_IRQ_STATUS_OFFSET, &happened);
    if (result != ZEROSKIP_OK || (happened & EVENTS) == 0u)
        return result;
    result = write_register(chip, ZEROSKIP_IRQ_STATUS_OFFSET, happened & EVENTS);
    chip->events = chip->events | (happened & EVENTS);
    return result;
}

/* Wait for an event, then until the chip is quiet. */
static enum zeroskip_result until_event(struct zeroskip *chip, uint32_t event)
{
    struct waited waited = {0u, 1u};
    while ((chip->events & event) == 0u) {
        enum zeroskip_result result;
        if (chip->port->sleep != NULL && !chip->port->sleep(chip->port->context))
            return ZEROSKIP_TIMEOUT;
        if ((chip->events & event) != 0u)
            break; /* the handler has taken it */
        result = zeroskip_interrupt(chip);
        if (result != ZEROSKIP_OK)
            return result;
        if ((chip->events & event) == 0u && chip->port->sleep == NULL &&
            !pause_longer(chip, &waited))
            return ZEROSKIP_TIMEOUT;
    }
    chip->events = 0u;
    return until_quiet(chip, BUSY);
}

/* Forget old events, then ask for something that ends with `event`. */
static enum zeroskip_result act(struct zeroskip *chip, uint32_t action, uint32_t event)
{
    const uint32_t enabled = chip->port->sleep != NULL ? event : 0u;
    enum zeroskip_result result = write_register(chip, ZEROSKIP_IRQ_STATUS_OFFSET, EVENTS);
    chip->events = 0u;
    if (result == ZEROSKIP_OK)
        result = write_register(chip, ZEROSKIP_IRQ_ENABLE_OFFSET, enabled);
    if (result == ZEROSKIP_OK)
        result = write_register(chip, ZEROSKIP_CONTROL_OFFSET, action);
    return result;
}

/* Whether the chip, now quiet, has stopped in error. */
static enum zeroskip_result verdict(struct zeroskip *chip)
{
    uint32_t error;
    const enum zeroskip_result result = zeroskip_status(chip, &error);
    if (result != ZEROSKIP_OK || error == ZEROSKIP_ERROR_OK)
        return result;
    chip->error = error;
    chip->error_pc = 0u;
    return ZEROSKIP_STOPPED;
}

/* --- the chip ----------------------------------------------------------------------------------- */
void zeroskip_open(struct zeroskip *chip, const struct zeroskip_port *port)
{
    chip->port = port;
    chip->patience = PATIENCE;
    chip->error = ZEROSKIP_ERROR_OK;
    chip->error_pc = 0u;
    chip->refused = 0u;
    chip->events = 0u;
}

enum zeroskip_result zeroskip_probe(struct zeroskip *chip)
{
    uint32_t value;
    enum zeroskip_result result = read_register(chip, ZEROSKIP_ID_OFFSET, &value);
    if (result != ZEROSKIP_OK)
        return result;
    if (value != ZEROSKIP_ID_RESET_VALUE)
        return ZEROSKIP_UNKNOWN;
    result = read_register(chip, ZEROSKIP_VERSION_OFFSET, &value);
    if (result != ZEROSKIP_OK)
        return result;
    return value == ZEROSKIP_VERSION_RESET_VALUE ? ZEROSKIP_OK : ZEROSKIP_UNKNOWN;
}

enum zeroskip_result zeroskip_fits(struct zeroskip *chip, uint32_t parameters)
{
    uint32_t value;
    enum zeroskip_result result = read_register(chip, ZEROSKIP_PARAMETERS_OFFSET, &value);
    if (result != ZEROSKIP_OK)
        return result;
    return value == parameters ? ZEROSKIP_OK : ZEROSKIP_UNKNOWN;
}

enum zeroskip_result zeroskip_place_memory(struct zeroskip *chip, uint32_t base)
{
    return write_register(chip, ZEROSKIP_MEMORY_BASE_OFFSET, base);
}

enum zeroskip_result zeroskip_watch(struct zeroskip *chip, uint32_t cycles)
{
    return write_register(chip, ZEROSKIP_WATCHDOG_OFFSET, cycles);
}

enum zeroskip_result zeroskip_load(struct zeroskip *chip, uint32_t address, uint32_t commands)
{
    enum zeroskip_result result =
        write_register(chip, ZEROSKIP_PROGRAM_ADDRESS_OFFSET, address);
    if (result == ZEROSKIP_OK)
        result = write_register(chip, ZEROSKIP_PROGRAM_COMMANDS_OFFSET, commands);
    if (result == ZEROSKIP_OK)
        result = act(chip, ZEROSKIP_CONTROL_LOAD_MASK, ZEROSKIP_IRQ_STATUS_LOADED_MASK);
    if (result == ZEROSKIP_OK)
        result = until_event(chip, ZEROSKIP_IRQ_STATUS_LOADED_MASK);
    return result == ZEROSKIP_OK ? verdict(chip) : result;
}

enum zeroskip_result zeroskip_start(struct zeroskip *chip, uint32_t pc,
                                    const struct zeroskip_argument *arguments, size_t count)
{
    enum zeroskip_result result;
    size_t i;
    for (i = 0; i < count; ++i) {
        if (arguments[i].index == 0u || arguments[i].index >= ZEROSKIP_SCALARS_COUNT)
            return ZEROSKIP_ARGUMENT;
    }
    for (i = 0; i < count; ++i) {
        const uint32_t offset =
            ZEROSKIP_SCALARS_OFFSET + REGISTER_BYTES * arguments[i].index;
        result = write_register(chip, offset, (uint32_t)arguments[i].value);
        if (result != ZEROSKIP_OK)
            return result;
    }
    result = write_register(chip, ZEROSKIP_START_PC_OFFSET, pc);
    if (result != ZEROSKIP_OK)
        return result;
    return act(chip, ZEROSKIP_CONTROL_START_MASK, ZEROSKIP_IRQ_STATUS_HALTED_MASK);
}

enum zeroskip_result zeroskip_wait(struct zeroskip *chip)
{
    enum zeroskip_result result = until_event(chip, ZEROSKIP_IRQ_STATUS_HALTED_MASK);
    if (result == ZEROSKIP_OK)
        result = verdict(chip);
    if (result == ZEROSKIP_STOPPED) {
        uint32_t pc;
        const enum zeroskip_result read = read_register(chip, ZEROSKIP_ERROR_PC_OFFSET, &pc);
        if (read != ZEROSKIP_OK)
            return read;
        chip->error_pc = pc;
    }
    return result;
}

enum zeroskip_result zeroskip_run(struct zeroskip *chip, uint32_t pc,
                                  const struct zeroskip_argument *arguments, size_t count)
{
    const enum zeroskip_result result = zeroskip_start(chip, pc, arguments, count);
    return result == ZEROSKIP_OK ? zeroskip_wait(chip) : result;
}

enum zeroskip_result zeroskip_reset(struct zeroskip *chip)
{
    const enum zeroskip_result result =
        write_register(chip, ZEROSKIP_CONTROL_OFFSET, ZEROSKIP_CONTROL_RESET_MASK);
    return result == ZEROSKIP_OK ? zeroskip_ready(chip) : result;
}

enum zeroskip_result zeroskip_ready(struct zeroskip *chip)
{
    return until_quiet(chip, ZEROSKIP_STATUS_RESETTING_MASK);
}

enum zeroskip_result zeroskip_status(struct zeroskip *chip, uint32_t *error)
{
    uint32_t status;
    const enum zeroskip_result result = read_register(chip, ZEROSKIP_STATUS_OFFSET, &status);
    if (result == ZEROSKIP_OK)
        *error = (status & ZEROSKIP_STATUS_ERROR_MASK) >> ZEROSKIP_STATUS_ERROR_SHIFT;
    return result;
}

/* Two's complement, without what a conversion of the implementation would do. */
static int32_t as_signed(uint32_t word)
{
    return word <= (uint32_t)INT32_MAX ? (int32_t)word : -(int32_t)(UINT32_MAX - word) - 1;
}

enum zeroskip_result zeroskip_registers(struct zeroskip *chip,
                                        int32_t values[ZEROSKIP_SCALARS_COUNT])
{
    uint32_t i;
    for (i = 0u; i < ZEROSKIP_SCALARS_COUNT; ++i) {
        uint32_t word;
        const enum zeroskip_result result =
            read_register(chip, ZEROSKIP_SCALARS_OFFSET + REGISTER_BYTES * i, &word);
        if (result != ZEROSKIP_OK)
            return result;
        values[i] = as_signed(word);
    }
    return ZEROSKIP_OK;
}

enum zeroskip_result zeroskip_counters(struct zeroskip *chip,
                                       uint32_t values[ZEROSKIP_COUNTERS_COUNT])
{
    uint32_t i;
    for (i = 0u; i < ZEROSKIP_COUNTERS_COUNT; ++i) {
        const enum zeroskip_result result =
            read_register(chip, ZEROSKIP_COUNTERS_OFFSET + REGISTER_BYTES * i, &values[i]);
        if (result != ZEROSKIP_OK)
            return result;
    }
    return ZEROSKIP_OK;
}

enum zeroskip_result zeroskip_clear_counters(struct zeroskip *chip)
{
    return write_register(chip, ZEROSKIP_CONTROL_OFFSET, ZEROSKIP_CONTROL_CLEAR_MASK);
}

/* --- external memory ---------------------------------------------------------------------------- */
void zeroskip_put(struct zeroskip *chip, uint32_t address, const void *bytes, size_t count)
{
    chip->port->put(chip->port->context, address, bytes, count);
}

void zeroskip_get(struct zeroskip *chip, uint32_t address, void *bytes, size_t count)
{
    chip->port->get(chip->port->context, address, bytes, count);
}

void zeroskip_feed(struct zeroskip *chip, const struct zeroskip_tensor *tensor, uint32_t index,
                   const void *values)
{
    zeroskip_put(chip, tensor->address + index * tensor->space, values, tensor->bytes);
}

void zeroskip_fetch(struct zeroskip *chip, const struct zeroskip_tensor *tensor, void *values)
{
    zeroskip_get(chip, tensor->address, values, tensor->bytes);
}

enum zeroskip_result zeroskip_tokens(struct zeroskip *chip, const struct zeroskip_loop *loop,
                                     uint32_t calls, struct zeroskip_token *tokens, size_t room,
                                     size_t *count)
{
    const uint32_t offset = ZEROSKIP_SCALARS_OFFSET + REGISTER_BYTES * loop->count_register;
    const uint32_t frames = calls * loop->frames_per_call;
    uint32_t left, i;
    const enum zeroskip_result result = read_register(chip, offset, &left);
    if (result != ZEROSKIP_OK)
        return result;
    if (left > calls * loop->symbols_per_call)
        return ZEROSKIP_TOKENS;
    if (left > room)
        return ZEROSKIP_ARGUMENT;
    for (i = 0u; i < left; ++i) {
        uint8_t bytes[4];
        uint32_t word, behind;
        zeroskip_get(chip, loop->address + 4u * i, bytes, sizeof bytes);
        word = (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
               (uint32_t)bytes[3] << 24;
        behind = word >> loop->call_shift; /* frames left when it came */
        tokens[i].symbol = word & ((UINT32_C(1) << loop->call_shift) - 1u);
        if (tokens[i].symbol >= loop->symbols || behind >= frames)
            return ZEROSKIP_TOKENS;
        tokens[i].call = (frames - 1u - behind) / loop->frames_per_call;
        tokens[i].frame = (frames - 1u - behind) % loop->frames_per_call;
    }
    *count = left;
    return ZEROSKIP_OK;
}
