"""The register table as a C header: what a driver in C needs, as macros alone."""

from collections.abc import Sequence

from npu.chip.status import SUMMARIES, Status
from rtl.control.registers import (
    COUNTER_BASE,
    COUNTERS,
    REGISTERS,
    RULES,
    SCALAR_BASE,
    SCALARS,
    Register,
)
from rtl.views.wrapped import wrapped

PREFIX = "ZEROSKIP"
ACCESSES = ("ro", "rw", "wo", "w1c")
# Of a line in a comment.
WIDTH = 96


def text(registers: Sequence[Register] = REGISTERS) -> str:
    """Offsets, accesses, reset values, fields, error codes.

    Of register `STATUS` and its field `error`: `ZEROSKIP_STATUS_OFFSET`, `_ACCESS`, `_RESET_VALUE`,
    and `ZEROSKIP_STATUS_ERROR_SHIFT`, `_WIDTH`, `_MASK`, `_RESET_VALUE`; the mask lies where the
    field is, the field's reset value is its own, unshifted. There is no reset value where chips
    differ in it, unless `registers` are those of one. `ZEROSKIP_ERROR_BUS` is one of the values of
    STATUS.error.
    """
    lines = ["/* The registers of zeroskip, as its AXI4-Lite port has them. Generated.", " *"]
    lines += [f" * {line}" for line in wrapped(RULES, WIDTH)]
    lines += [" */", f"#ifndef {PREFIX}_REGS_H", f"#define {PREFIX}_REGS_H", ""]
    lines += ["/* What the host may do with a register; W1C: ones written clear bits. */"]
    lines += [_define(f"ACCESS_{name.upper()}", i) for i, name in enumerate(ACCESSES)]
    lines += ["", "/* Why the chip stopped: STATUS.error. */"]
    for status in Status:
        lines += [_comment(SUMMARIES[status]), _define(f"ERROR_{status.name}", int(status))]
    lines += ["", *_comments("Scalar registers and counters lie side by side.")]
    for name, base, count in (
        ("SCALARS", SCALAR_BASE, SCALARS),
        ("COUNTERS", COUNTER_BASE, len(COUNTERS)),
    ):
        lines += [_hex(f"{name}_OFFSET", base), _define(f"{name}_COUNT", count)]
    for register in registers:
        lines += _register(register)
    return "\n".join([*lines, "", f"#endif /* {PREFIX}_REGS_H */", ""])


def _register(register: Register) -> list[str]:
    name = register.name
    lines = ["", *_comments(f"{name}: {register.summary}")]
    lines += [
        _hex(f"{name}_OFFSET", register.offset),
        f"#define {PREFIX}_{name}_ACCESS {PREFIX}_ACCESS_{register.access.upper()}",
        *_reset(name, register.reset),
    ]
    for field in register.fields:
        own = f"{name}_{field.name.upper()}"
        lines += [
            *_comments(f"{name}.{field.name}: {field.summary}"),
            _define(f"{own}_SHIFT", field.lsb),
            _define(f"{own}_WIDTH", field.width),
            _hex(f"{own}_MASK", field.mask),
            *_reset(own, field.reset),
        ]
    return lines


def _reset(name: str, value: int | None) -> list[str]:
    """None where every chip has its own."""
    return [] if value is None else [_hex(f"{name}_RESET_VALUE", value)]


def _define(name: str, value: int) -> str:
    return f"#define {PREFIX}_{name} {value}u"


def _hex(name: str, value: int) -> str:
    return f"#define {PREFIX}_{name} {value:#x}u"


def _comment(words: str) -> str:
    return f"/* {words} */"


def _comments(words: str) -> list[str]:
    first, *others = wrapped(words, WIDTH)
    if not others:
        return [_comment(first)]
    *middle, last = others
    return [f"/* {first}", *(f" * {line}" for line in middle), f" * {last} */"]
