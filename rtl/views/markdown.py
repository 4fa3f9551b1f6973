"""The register table as a page in Markdown."""

from collections.abc import Sequence

from npu.chip.status import SUMMARIES, Status
from rtl.control.registers import REGISTERS, RULES, Field, Register

ACCESS = (
    "`ro` can be read alone, `wo` written alone, `rw` both; of a `w1c` register, ones that are "
    "written clear bits. The reset value is that after the input `rst`; what the reset of CONTROL "
    "leaves is said there."
)


def text(registers: Sequence[Register] = REGISTERS) -> str:
    """Rules, the table of registers, a table of fields where there are several, error codes."""
    lines = ["# Registers of zeroskip", "", RULES, "", ACCESS, ""]
    lines += ["| offset | register | access | reset | what it is |", "|---|---|---|---|---|"]
    lines += [_row(register) for register in registers]
    for register in registers:
        if _is_split(register):
            lines += ["", f"## {register.name}", "", "| bits | field | reset | what it is |"]
            lines += ["|---|---|---|---|", *map(_field, register.fields)]
    lines += ["", "## Errors", "", "What STATUS.error may be.", "", "| code | name | meaning |"]
    lines += ["|---|---|---|"]
    lines += [f"| {int(s)} | `{s.name}` | {_cell(SUMMARIES[s])} |" for s in Status]
    return "\n".join([*lines, ""])


def _is_split(register: Register) -> bool:
    """Whether there is more to say of its fields than that it is a number."""
    return [field.name for field in register.fields] != ["value"]


def _row(register: Register) -> str:
    reset = "" if register.access == "wo" else _reset(register.reset)
    return (
        f"| {register.offset:#04x} | `{register.name}` | {register.access} | {reset} | "
        f"{_cell(register.summary)} |"
    )


def _field(field: Field) -> str:
    high = field.lsb + field.width - 1
    bits = f"{field.lsb}" if field.width == 1 else f"{high}:{field.lsb}"
    return f"| {bits} | `{field.name}` | {_reset(field.reset)} | {_cell(field.summary)} |"


def _reset(value: int | None) -> str:
    return "the chip's" if value is None else f"{value:#x}"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
