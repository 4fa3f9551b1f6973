"""Regenerate `reports/isa.md` from the instruction table: `python -m reports.isa_page`."""

from pathlib import Path

from npu.chip import isa
from npu.chip.status import Status

PAGE = Path(__file__).with_name("isa.md")


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Instruction set",
        "",
        "Written by `python -m reports.isa_page` from `npu/chip/isa.py`; edit that.",
        "",
        f"A command takes {isa.COMMAND_BYTES} bytes, little-endian. Bits 0 to 7 hold the opcode.",
        f"There are {isa.REGISTERS} scalar registers (32 bits, r0 is 0) and {isa.TAGS} tags.",
        "A field is written `name[highest:lowest bit]`, with `s` behind it if it is signed.",
        "",
        "| code | name | unit | what it does | fields |",
        "|---|---|---|---|---|",
    ]
    for op in isa.OPCODES.values():
        fields = ", ".join(
            f"{f.name}[{f.lsb + f.width - 1}:{f.lsb}]{'s' * f.signed}" for f in op.fields
        )
        lines.append(f"| {op.code:#04x} | `{op.name}` | {op.unit} | `{op.summary}` | {fields} |")
    lines += ["", "When the chip stops it says why:", "", "| status | name |", "|---|---|"]
    lines += [f"| {status.value} | {status.name} |" for status in Status]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
