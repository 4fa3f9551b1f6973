/* The registers of zeroskip, as its AXI4-Lite port has them. Generated.
 *
 * Accesses are of 32 bits. One that a register does not allow, now or ever, is refused: it is
 * answered with SLVERR, does nothing, and a read gives 0. Refused are an address without a
 * register, a read of a wo register, a write of a ro one, a write without all four strobes, and
 * what the summaries name. Bits outside a register's fields read as 0; what is written to them is
 * ignored. External addresses count from MEMORY_BASE on, modulo 2**32; where memory ends, only the
 * bus knows.
 */
#ifndef ZEROSKIP_REGS_H
#define ZEROSKIP_REGS_H

/* What the host may do with a register; W1C: ones written clear bits. */
#define ZEROSKIP_ACCESS_RO 0u
#define ZEROSKIP_ACCESS_RW 1u
#define ZEROSKIP_ACCESS_WO 2u
#define ZEROSKIP_ACCESS_W1C 3u

/* Why the chip stopped: STATUS.error. */
/* none */
#define ZEROSKIP_ERROR_OK 0u
/* unknown opcode, stray bits, or a program counter outside the program */
#define ZEROSKIP_ERROR_ILLEGAL_COMMAND 1u
/* a local address is misaligned or outside its memory, or a size is zero */
#define ZEROSKIP_ERROR_ADDRESS 2u
/* a misaligned external address, or an error response of the bus, which alone knows where memory ends */
#define ZEROSKIP_ERROR_BUS 3u
/* a tile that does not fit its transfer or the banks, or has a wrong bit */
#define ZEROSKIP_ERROR_TILE 4u
/* a matrix block that no decoder may use */
#define ZEROSKIP_ERROR_TABLE 5u
/* a corrupt bit stream */
#define ZEROSKIP_ERROR_STREAM 6u
/* a row record, destination or scale out of range */
#define ZEROSKIP_ERROR_RECORD 7u
/* a word read from a memory of the chip had a wrong bit (only with parity) */
#define ZEROSKIP_ERROR_PARITY 8u
/* the bus was silent for longer than WATCHDOG allows */
#define ZEROSKIP_ERROR_BUS_TIMEOUT 9u

/* Scalar registers and counters lie side by side. */
#define ZEROSKIP_SCALARS_OFFSET 0x40u
#define ZEROSKIP_SCALARS_COUNT 16u
#define ZEROSKIP_COUNTERS_OFFSET 0x80u
#define ZEROSKIP_COUNTERS_COUNT 14u

/* ID: always 0x4b53525a: the chip is a zeroskip */
#define ZEROSKIP_ID_OFFSET 0x0u
#define ZEROSKIP_ID_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_ID_RESET_VALUE 0x4b53525au
/* ID.value: the number */
#define ZEROSKIP_ID_VALUE_SHIFT 0u
#define ZEROSKIP_ID_VALUE_WIDTH 32u
#define ZEROSKIP_ID_VALUE_MASK 0xffffffffu
#define ZEROSKIP_ID_VALUE_RESET_VALUE 0x4b53525au

/* VERSION: version of the compressed format of the weights; an image is for one of them */
#define ZEROSKIP_VERSION_OFFSET 0x4u
#define ZEROSKIP_VERSION_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_VERSION_RESET_VALUE 0x4u
/* VERSION.value: the number */
#define ZEROSKIP_VERSION_VALUE_SHIFT 0u
#define ZEROSKIP_VERSION_VALUE_WIDTH 32u
#define ZEROSKIP_VERSION_VALUE_MASK 0xffffffffu
#define ZEROSKIP_VERSION_VALUE_RESET_VALUE 0x4u

/* CONTROL: actions, a bit each; more than one of start, reset and load in a write is refused, and
 * of what is refused nothing is done */
#define ZEROSKIP_CONTROL_OFFSET 0x8u
#define ZEROSKIP_CONTROL_ACCESS ZEROSKIP_ACCESS_WO
#define ZEROSKIP_CONTROL_RESET_VALUE 0x0u
/* CONTROL.start: run from START_PC; refused while running, loading, resetting or in error, not
 * while tagged transfers of the program before are open */
#define ZEROSKIP_CONTROL_START_SHIFT 0u
#define ZEROSKIP_CONTROL_START_WIDTH 1u
#define ZEROSKIP_CONTROL_START_MASK 0x1u
#define ZEROSKIP_CONTROL_START_RESET_VALUE 0x0u
/* CONTROL.reset: stop, drop open transfers, clear the error and R1 to R15, once the bus is quiet;
 * the program, memories, counters and the other registers stay; never refused by itself */
#define ZEROSKIP_CONTROL_RESET_SHIFT 1u
#define ZEROSKIP_CONTROL_RESET_WIDTH 1u
#define ZEROSKIP_CONTROL_RESET_MASK 0x2u
#define ZEROSKIP_CONTROL_RESET_RESET_VALUE 0x0u
/* CONTROL.load: load a program; refused where start is, while moving, and unless PROGRAM_COMMANDS
 * is 1 to what program memory holds and PROGRAM_ADDRESS a multiple of the bus width */
#define ZEROSKIP_CONTROL_LOAD_SHIFT 2u
#define ZEROSKIP_CONTROL_LOAD_WIDTH 1u
#define ZEROSKIP_CONTROL_LOAD_MASK 0x4u
#define ZEROSKIP_CONTROL_LOAD_RESET_VALUE 0x0u
/* CONTROL.clear: set the counters to zero */
#define ZEROSKIP_CONTROL_CLEAR_SHIFT 3u
#define ZEROSKIP_CONTROL_CLEAR_WIDTH 1u
#define ZEROSKIP_CONTROL_CLEAR_MASK 0x8u
#define ZEROSKIP_CONTROL_CLEAR_RESET_VALUE 0x0u

/* STATUS: what the chip does */
#define ZEROSKIP_STATUS_OFFSET 0xcu
#define ZEROSKIP_STATUS_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_STATUS_RESET_VALUE 0x0u
/* STATUS.running: a program runs */
#define ZEROSKIP_STATUS_RUNNING_SHIFT 0u
#define ZEROSKIP_STATUS_RUNNING_WIDTH 1u
#define ZEROSKIP_STATUS_RUNNING_MASK 0x1u
#define ZEROSKIP_STATUS_RUNNING_RESET_VALUE 0x0u
/* STATUS.loading: program memory is being loaded */
#define ZEROSKIP_STATUS_LOADING_SHIFT 1u
#define ZEROSKIP_STATUS_LOADING_WIDTH 1u
#define ZEROSKIP_STATUS_LOADING_MASK 0x2u
#define ZEROSKIP_STATUS_LOADING_RESET_VALUE 0x0u
/* STATUS.resetting: a reset waits for the bus; with parity, memories are filled behind a hardware
 * reset, too */
#define ZEROSKIP_STATUS_RESETTING_SHIFT 2u
#define ZEROSKIP_STATUS_RESETTING_WIDTH 1u
#define ZEROSKIP_STATUS_RESETTING_MASK 0x4u
#define ZEROSKIP_STATUS_RESETTING_RESET_VALUE 0x0u
/* STATUS.moving: transfers of a program are open; in error: one is still on the bus */
#define ZEROSKIP_STATUS_MOVING_SHIFT 3u
#define ZEROSKIP_STATUS_MOVING_WIDTH 1u
#define ZEROSKIP_STATUS_MOVING_MASK 0x8u
#define ZEROSKIP_STATUS_MOVING_RESET_VALUE 0x0u
/* STATUS.error: why the chip stopped, see Errors; 0 = none; final when neither running nor moving */
#define ZEROSKIP_STATUS_ERROR_SHIFT 8u
#define ZEROSKIP_STATUS_ERROR_WIDTH 4u
#define ZEROSKIP_STATUS_ERROR_MASK 0xf00u
#define ZEROSKIP_STATUS_ERROR_RESET_VALUE 0x0u

/* ERROR_PC: index of the command that caused the error; 0 without one, or if a program load failed */
#define ZEROSKIP_ERROR_PC_OFFSET 0x10u
#define ZEROSKIP_ERROR_PC_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_ERROR_PC_RESET_VALUE 0x0u
/* ERROR_PC.value: the number */
#define ZEROSKIP_ERROR_PC_VALUE_SHIFT 0u
#define ZEROSKIP_ERROR_PC_VALUE_WIDTH 16u
#define ZEROSKIP_ERROR_PC_VALUE_MASK 0xffffu
#define ZEROSKIP_ERROR_PC_VALUE_RESET_VALUE 0x0u

/* IRQ_ENABLE: events that raise the interrupt */
#define ZEROSKIP_IRQ_ENABLE_OFFSET 0x14u
#define ZEROSKIP_IRQ_ENABLE_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_IRQ_ENABLE_RESET_VALUE 0x0u
/* IRQ_ENABLE.halted: a program has ended, by HALT, in error or by a reset; transfers that it did
 * not wait for may go on and fail without another event: see STATUS.moving */
#define ZEROSKIP_IRQ_ENABLE_HALTED_SHIFT 0u
#define ZEROSKIP_IRQ_ENABLE_HALTED_WIDTH 1u
#define ZEROSKIP_IRQ_ENABLE_HALTED_MASK 0x1u
#define ZEROSKIP_IRQ_ENABLE_HALTED_RESET_VALUE 0x0u
/* IRQ_ENABLE.loaded: a program load has ended, well or in error */
#define ZEROSKIP_IRQ_ENABLE_LOADED_SHIFT 1u
#define ZEROSKIP_IRQ_ENABLE_LOADED_WIDTH 1u
#define ZEROSKIP_IRQ_ENABLE_LOADED_MASK 0x2u
#define ZEROSKIP_IRQ_ENABLE_LOADED_RESET_VALUE 0x0u

/* IRQ_STATUS: events; one that comes while it is cleared stays */
#define ZEROSKIP_IRQ_STATUS_OFFSET 0x18u
#define ZEROSKIP_IRQ_STATUS_ACCESS ZEROSKIP_ACCESS_W1C
#define ZEROSKIP_IRQ_STATUS_RESET_VALUE 0x0u
/* IRQ_STATUS.halted: a program has ended, by HALT, in error or by a reset; transfers that it did
 * not wait for may go on and fail without another event: see STATUS.moving */
#define ZEROSKIP_IRQ_STATUS_HALTED_SHIFT 0u
#define ZEROSKIP_IRQ_STATUS_HALTED_WIDTH 1u
#define ZEROSKIP_IRQ_STATUS_HALTED_MASK 0x1u
#define ZEROSKIP_IRQ_STATUS_HALTED_RESET_VALUE 0x0u
/* IRQ_STATUS.loaded: a program load has ended, well or in error */
#define ZEROSKIP_IRQ_STATUS_LOADED_SHIFT 1u
#define ZEROSKIP_IRQ_STATUS_LOADED_WIDTH 1u
#define ZEROSKIP_IRQ_STATUS_LOADED_MASK 0x2u
#define ZEROSKIP_IRQ_STATUS_LOADED_RESET_VALUE 0x0u

/* START_PC: index of the command to start at; a write of more than 16 bits is refused */
#define ZEROSKIP_START_PC_OFFSET 0x1cu
#define ZEROSKIP_START_PC_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_START_PC_RESET_VALUE 0x0u
/* START_PC.value: the number */
#define ZEROSKIP_START_PC_VALUE_SHIFT 0u
#define ZEROSKIP_START_PC_VALUE_WIDTH 16u
#define ZEROSKIP_START_PC_VALUE_MASK 0xffffu
#define ZEROSKIP_START_PC_VALUE_RESET_VALUE 0x0u

/* PROGRAM_ADDRESS: external address of the next load; a write while loading is refused */
#define ZEROSKIP_PROGRAM_ADDRESS_OFFSET 0x20u
#define ZEROSKIP_PROGRAM_ADDRESS_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_PROGRAM_ADDRESS_RESET_VALUE 0x0u
/* PROGRAM_ADDRESS.value: the number */
#define ZEROSKIP_PROGRAM_ADDRESS_VALUE_SHIFT 0u
#define ZEROSKIP_PROGRAM_ADDRESS_VALUE_WIDTH 32u
#define ZEROSKIP_PROGRAM_ADDRESS_VALUE_MASK 0xffffffffu
#define ZEROSKIP_PROGRAM_ADDRESS_VALUE_RESET_VALUE 0x0u

/* PROGRAM_COMMANDS: commands of the next load; a write of more than 16 bits is refused; a write
 * while loading is refused */
#define ZEROSKIP_PROGRAM_COMMANDS_OFFSET 0x24u
#define ZEROSKIP_PROGRAM_COMMANDS_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_PROGRAM_COMMANDS_RESET_VALUE 0x0u
/* PROGRAM_COMMANDS.value: the number */
#define ZEROSKIP_PROGRAM_COMMANDS_VALUE_SHIFT 0u
#define ZEROSKIP_PROGRAM_COMMANDS_VALUE_WIDTH 16u
#define ZEROSKIP_PROGRAM_COMMANDS_VALUE_MASK 0xffffu
#define ZEROSKIP_PROGRAM_COMMANDS_VALUE_RESET_VALUE 0x0u

/* WATCHDOG: silent cycles of the bus after which a transfer in progress is in error (BUS_TIMEOUT),
 * 0 for never; a write of more than 24 bits is refused */
#define ZEROSKIP_WATCHDOG_OFFSET 0x28u
#define ZEROSKIP_WATCHDOG_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_WATCHDOG_RESET_VALUE 0x0u
/* WATCHDOG.cycles: the number of cycles */
#define ZEROSKIP_WATCHDOG_CYCLES_SHIFT 0u
#define ZEROSKIP_WATCHDOG_CYCLES_WIDTH 24u
#define ZEROSKIP_WATCHDOG_CYCLES_MASK 0xffffffu
#define ZEROSKIP_WATCHDOG_CYCLES_RESET_VALUE 0x0u

/* MEMORY_BASE: bus address of external address 0; one that is no multiple of 4096 is refused; a
 * write while running, loading, resetting or moving is refused */
#define ZEROSKIP_MEMORY_BASE_OFFSET 0x2cu
#define ZEROSKIP_MEMORY_BASE_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_MEMORY_BASE_RESET_VALUE 0x0u
/* MEMORY_BASE.page: the address in units of 4 KiB */
#define ZEROSKIP_MEMORY_BASE_PAGE_SHIFT 12u
#define ZEROSKIP_MEMORY_BASE_PAGE_WIDTH 20u
#define ZEROSKIP_MEMORY_BASE_PAGE_MASK 0xfffff000u
#define ZEROSKIP_MEMORY_BASE_PAGE_RESET_VALUE 0x0u

/* PARAMETERS: fingerprint of the chip's parameters; an image is for chips with one of them */
#define ZEROSKIP_PARAMETERS_OFFSET 0x30u
#define ZEROSKIP_PARAMETERS_ACCESS ZEROSKIP_ACCESS_RO
/* PARAMETERS.value: the number */
#define ZEROSKIP_PARAMETERS_VALUE_SHIFT 0u
#define ZEROSKIP_PARAMETERS_VALUE_WIDTH 32u
#define ZEROSKIP_PARAMETERS_VALUE_MASK 0xffffffffu

/* R0: scalar register, always 0; a write while running, loading or resetting is refused */
#define ZEROSKIP_R0_OFFSET 0x40u
#define ZEROSKIP_R0_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R0_RESET_VALUE 0x0u
/* R0.value: the number */
#define ZEROSKIP_R0_VALUE_SHIFT 0u
#define ZEROSKIP_R0_VALUE_WIDTH 32u
#define ZEROSKIP_R0_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R0_VALUE_RESET_VALUE 0x0u

/* R1: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R1_OFFSET 0x44u
#define ZEROSKIP_R1_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R1_RESET_VALUE 0x0u
/* R1.value: the number */
#define ZEROSKIP_R1_VALUE_SHIFT 0u
#define ZEROSKIP_R1_VALUE_WIDTH 32u
#define ZEROSKIP_R1_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R1_VALUE_RESET_VALUE 0x0u

/* R2: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R2_OFFSET 0x48u
#define ZEROSKIP_R2_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R2_RESET_VALUE 0x0u
/* R2.value: the number */
#define ZEROSKIP_R2_VALUE_SHIFT 0u
#define ZEROSKIP_R2_VALUE_WIDTH 32u
#define ZEROSKIP_R2_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R2_VALUE_RESET_VALUE 0x0u

/* R3: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R3_OFFSET 0x4cu
#define ZEROSKIP_R3_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R3_RESET_VALUE 0x0u
/* R3.value: the number */
#define ZEROSKIP_R3_VALUE_SHIFT 0u
#define ZEROSKIP_R3_VALUE_WIDTH 32u
#define ZEROSKIP_R3_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R3_VALUE_RESET_VALUE 0x0u

/* R4: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R4_OFFSET 0x50u
#define ZEROSKIP_R4_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R4_RESET_VALUE 0x0u
/* R4.value: the number */
#define ZEROSKIP_R4_VALUE_SHIFT 0u
#define ZEROSKIP_R4_VALUE_WIDTH 32u
#define ZEROSKIP_R4_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R4_VALUE_RESET_VALUE 0x0u

/* R5: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R5_OFFSET 0x54u
#define ZEROSKIP_R5_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R5_RESET_VALUE 0x0u
/* R5.value: the number */
#define ZEROSKIP_R5_VALUE_SHIFT 0u
#define ZEROSKIP_R5_VALUE_WIDTH 32u
#define ZEROSKIP_R5_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R5_VALUE_RESET_VALUE 0x0u

/* R6: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R6_OFFSET 0x58u
#define ZEROSKIP_R6_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R6_RESET_VALUE 0x0u
/* R6.value: the number */
#define ZEROSKIP_R6_VALUE_SHIFT 0u
#define ZEROSKIP_R6_VALUE_WIDTH 32u
#define ZEROSKIP_R6_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R6_VALUE_RESET_VALUE 0x0u

/* R7: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R7_OFFSET 0x5cu
#define ZEROSKIP_R7_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R7_RESET_VALUE 0x0u
/* R7.value: the number */
#define ZEROSKIP_R7_VALUE_SHIFT 0u
#define ZEROSKIP_R7_VALUE_WIDTH 32u
#define ZEROSKIP_R7_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R7_VALUE_RESET_VALUE 0x0u

/* R8: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R8_OFFSET 0x60u
#define ZEROSKIP_R8_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R8_RESET_VALUE 0x0u
/* R8.value: the number */
#define ZEROSKIP_R8_VALUE_SHIFT 0u
#define ZEROSKIP_R8_VALUE_WIDTH 32u
#define ZEROSKIP_R8_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R8_VALUE_RESET_VALUE 0x0u

/* R9: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R9_OFFSET 0x64u
#define ZEROSKIP_R9_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R9_RESET_VALUE 0x0u
/* R9.value: the number */
#define ZEROSKIP_R9_VALUE_SHIFT 0u
#define ZEROSKIP_R9_VALUE_WIDTH 32u
#define ZEROSKIP_R9_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R9_VALUE_RESET_VALUE 0x0u

/* R10: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R10_OFFSET 0x68u
#define ZEROSKIP_R10_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R10_RESET_VALUE 0x0u
/* R10.value: the number */
#define ZEROSKIP_R10_VALUE_SHIFT 0u
#define ZEROSKIP_R10_VALUE_WIDTH 32u
#define ZEROSKIP_R10_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R10_VALUE_RESET_VALUE 0x0u

/* R11: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R11_OFFSET 0x6cu
#define ZEROSKIP_R11_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R11_RESET_VALUE 0x0u
/* R11.value: the number */
#define ZEROSKIP_R11_VALUE_SHIFT 0u
#define ZEROSKIP_R11_VALUE_WIDTH 32u
#define ZEROSKIP_R11_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R11_VALUE_RESET_VALUE 0x0u

/* R12: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R12_OFFSET 0x70u
#define ZEROSKIP_R12_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R12_RESET_VALUE 0x0u
/* R12.value: the number */
#define ZEROSKIP_R12_VALUE_SHIFT 0u
#define ZEROSKIP_R12_VALUE_WIDTH 32u
#define ZEROSKIP_R12_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R12_VALUE_RESET_VALUE 0x0u

/* R13: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R13_OFFSET 0x74u
#define ZEROSKIP_R13_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R13_RESET_VALUE 0x0u
/* R13.value: the number */
#define ZEROSKIP_R13_VALUE_SHIFT 0u
#define ZEROSKIP_R13_VALUE_WIDTH 32u
#define ZEROSKIP_R13_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R13_VALUE_RESET_VALUE 0x0u

/* R14: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R14_OFFSET 0x78u
#define ZEROSKIP_R14_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R14_RESET_VALUE 0x0u
/* R14.value: the number */
#define ZEROSKIP_R14_VALUE_SHIFT 0u
#define ZEROSKIP_R14_VALUE_WIDTH 32u
#define ZEROSKIP_R14_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R14_VALUE_RESET_VALUE 0x0u

/* R15: scalar register; a write while running, loading or resetting is refused */
#define ZEROSKIP_R15_OFFSET 0x7cu
#define ZEROSKIP_R15_ACCESS ZEROSKIP_ACCESS_RW
#define ZEROSKIP_R15_RESET_VALUE 0x0u
/* R15.value: the number */
#define ZEROSKIP_R15_VALUE_SHIFT 0u
#define ZEROSKIP_R15_VALUE_WIDTH 32u
#define ZEROSKIP_R15_VALUE_MASK 0xffffffffu
#define ZEROSKIP_R15_VALUE_RESET_VALUE 0x0u

/* CYCLES: counter: cycles in which a program ran */
#define ZEROSKIP_CYCLES_OFFSET 0x80u
#define ZEROSKIP_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_CYCLES_RESET_VALUE 0x0u
/* CYCLES.value: the number */
#define ZEROSKIP_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_CYCLES_VALUE_RESET_VALUE 0x0u

/* COMMANDS: counter: commands retired */
#define ZEROSKIP_COMMANDS_OFFSET 0x84u
#define ZEROSKIP_COMMANDS_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_COMMANDS_RESET_VALUE 0x0u
/* COMMANDS.value: the number */
#define ZEROSKIP_COMMANDS_VALUE_SHIFT 0u
#define ZEROSKIP_COMMANDS_VALUE_WIDTH 32u
#define ZEROSKIP_COMMANDS_VALUE_MASK 0xffffffffu
#define ZEROSKIP_COMMANDS_VALUE_RESET_VALUE 0x0u

/* SEQUENCER_CYCLES: counter: cycles of fetch and decode */
#define ZEROSKIP_SEQUENCER_CYCLES_OFFSET 0x88u
#define ZEROSKIP_SEQUENCER_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_SEQUENCER_CYCLES_RESET_VALUE 0x0u
/* SEQUENCER_CYCLES.value: the number */
#define ZEROSKIP_SEQUENCER_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_SEQUENCER_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_SEQUENCER_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_SEQUENCER_CYCLES_VALUE_RESET_VALUE 0x0u

/* MATVEC_CYCLES: counter: cycles of matrix-vector commands */
#define ZEROSKIP_MATVEC_CYCLES_OFFSET 0x8cu
#define ZEROSKIP_MATVEC_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_MATVEC_CYCLES_RESET_VALUE 0x0u
/* MATVEC_CYCLES.value: the number */
#define ZEROSKIP_MATVEC_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_MATVEC_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_MATVEC_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_MATVEC_CYCLES_VALUE_RESET_VALUE 0x0u

/* VECTOR_CYCLES: counter: cycles of vector commands */
#define ZEROSKIP_VECTOR_CYCLES_OFFSET 0x90u
#define ZEROSKIP_VECTOR_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_VECTOR_CYCLES_RESET_VALUE 0x0u
/* VECTOR_CYCLES.value: the number */
#define ZEROSKIP_VECTOR_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_VECTOR_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_VECTOR_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_VECTOR_CYCLES_VALUE_RESET_VALUE 0x0u

/* DMA_CYCLES: counter: cycles of commands that wait for their own transfer */
#define ZEROSKIP_DMA_CYCLES_OFFSET 0x94u
#define ZEROSKIP_DMA_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_DMA_CYCLES_RESET_VALUE 0x0u
/* DMA_CYCLES.value: the number */
#define ZEROSKIP_DMA_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_DMA_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_DMA_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_DMA_CYCLES_VALUE_RESET_VALUE 0x0u

/* WAIT_CYCLES: counter: cycles in which a command waited for the DMA's queue or tags */
#define ZEROSKIP_WAIT_CYCLES_OFFSET 0x98u
#define ZEROSKIP_WAIT_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_WAIT_CYCLES_RESET_VALUE 0x0u
/* WAIT_CYCLES.value: the number */
#define ZEROSKIP_WAIT_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_WAIT_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_WAIT_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_WAIT_CYCLES_VALUE_RESET_VALUE 0x0u

/* TRANSFER_CYCLES: counter: cycles with an open transfer of a program */
#define ZEROSKIP_TRANSFER_CYCLES_OFFSET 0x9cu
#define ZEROSKIP_TRANSFER_CYCLES_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_TRANSFER_CYCLES_RESET_VALUE 0x0u
/* TRANSFER_CYCLES.value: the number */
#define ZEROSKIP_TRANSFER_CYCLES_VALUE_SHIFT 0u
#define ZEROSKIP_TRANSFER_CYCLES_VALUE_WIDTH 32u
#define ZEROSKIP_TRANSFER_CYCLES_VALUE_MASK 0xffffffffu
#define ZEROSKIP_TRANSFER_CYCLES_VALUE_RESET_VALUE 0x0u

/* SYMBOLS: counter: weights decoded, explicit zeros among them */
#define ZEROSKIP_SYMBOLS_OFFSET 0xa0u
#define ZEROSKIP_SYMBOLS_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_SYMBOLS_RESET_VALUE 0x0u
/* SYMBOLS.value: the number */
#define ZEROSKIP_SYMBOLS_VALUE_SHIFT 0u
#define ZEROSKIP_SYMBOLS_VALUE_WIDTH 32u
#define ZEROSKIP_SYMBOLS_VALUE_MASK 0xffffffffu
#define ZEROSKIP_SYMBOLS_VALUE_RESET_VALUE 0x0u

/* MACS: counter: multiplications with a nonzero weight */
#define ZEROSKIP_MACS_OFFSET 0xa4u
#define ZEROSKIP_MACS_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_MACS_RESET_VALUE 0x0u
/* MACS.value: the number */
#define ZEROSKIP_MACS_VALUE_SHIFT 0u
#define ZEROSKIP_MACS_VALUE_WIDTH 32u
#define ZEROSKIP_MACS_VALUE_MASK 0xffffffffu
#define ZEROSKIP_MACS_VALUE_RESET_VALUE 0x0u

/* MACS_GATED: counter: of these, with a zero activation; they are multiplied all the same */
#define ZEROSKIP_MACS_GATED_OFFSET 0xa8u
#define ZEROSKIP_MACS_GATED_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_MACS_GATED_RESET_VALUE 0x0u
/* MACS_GATED.value: the number */
#define ZEROSKIP_MACS_GATED_VALUE_SHIFT 0u
#define ZEROSKIP_MACS_GATED_VALUE_WIDTH 32u
#define ZEROSKIP_MACS_GATED_VALUE_MASK 0xffffffffu
#define ZEROSKIP_MACS_GATED_VALUE_RESET_VALUE 0x0u

/* STALLED_TURNS: counter: decode turns skipped because a result FIFO was full */
#define ZEROSKIP_STALLED_TURNS_OFFSET 0xacu
#define ZEROSKIP_STALLED_TURNS_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_STALLED_TURNS_RESET_VALUE 0x0u
/* STALLED_TURNS.value: the number */
#define ZEROSKIP_STALLED_TURNS_VALUE_SHIFT 0u
#define ZEROSKIP_STALLED_TURNS_VALUE_WIDTH 32u
#define ZEROSKIP_STALLED_TURNS_VALUE_MASK 0xffffffffu
#define ZEROSKIP_STALLED_TURNS_VALUE_RESET_VALUE 0x0u

/* BYTES_READ: counter: bytes that programs read from external memory */
#define ZEROSKIP_BYTES_READ_OFFSET 0xb0u
#define ZEROSKIP_BYTES_READ_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_BYTES_READ_RESET_VALUE 0x0u
/* BYTES_READ.value: the number */
#define ZEROSKIP_BYTES_READ_VALUE_SHIFT 0u
#define ZEROSKIP_BYTES_READ_VALUE_WIDTH 32u
#define ZEROSKIP_BYTES_READ_VALUE_MASK 0xffffffffu
#define ZEROSKIP_BYTES_READ_VALUE_RESET_VALUE 0x0u

/* BYTES_WRITTEN: counter: bytes that programs wrote to external memory */
#define ZEROSKIP_BYTES_WRITTEN_OFFSET 0xb4u
#define ZEROSKIP_BYTES_WRITTEN_ACCESS ZEROSKIP_ACCESS_RO
#define ZEROSKIP_BYTES_WRITTEN_RESET_VALUE 0x0u
/* BYTES_WRITTEN.value: the number */
#define ZEROSKIP_BYTES_WRITTEN_VALUE_SHIFT 0u
#define ZEROSKIP_BYTES_WRITTEN_VALUE_WIDTH 32u
#define ZEROSKIP_BYTES_WRITTEN_VALUE_MASK 0xffffffffu
#define ZEROSKIP_BYTES_WRITTEN_VALUE_RESET_VALUE 0x0u

#endif /* ZEROSKIP_REGS_H */
