"""The register table as SystemRDL 2.0."""

from collections.abc import Sequence

from npu.chip.status import SUMMARIES, Status
from rtl.control.registers import REGISTERS, RULES, WORD_BITS, Field, Register

TOP = "zeroskip"
# What a host may do with a field, in SystemRDL's words.
SOFTWARE = {"ro": "sw=r;", "rw": "sw=rw;", "wo": "sw=w;", "w1c": "sw=rw; onwrite=woclr;"}
# What the chip does with it. Events are set by the chip a bit each; actions last for a cycle.
HARDWARE = {"r": "hw=r;", "w": "hw=w;", "rw": "hw=rw;", "na": "hw=na;"}
ENUM = "zeroskip_error_e"


def text(registers: Sequence[Register] = REGISTERS) -> str:
    """The address map `zeroskip`: a register for each of `registers`, in their order."""
    lines = [
        "// The registers of zeroskip, as its AXI4-Lite port has them. Generated.",
        f"enum {ENUM} {{",
        *(
            f"    {status.name} = {int(status)} {{ desc = {_quoted(SUMMARIES[status])}; }};"
            for status in Status
        ),
        "};",
        "",
        f"addrmap {TOP} {{",
        '    name = "zeroskip";',
        f"    desc = {_quoted(RULES)};",
        "    littleendian;",
        f"    default regwidth = {WORD_BITS};",
        f"    default accesswidth = {WORD_BITS};",
    ]
    for register in registers:
        lines += _register(register)
    return "\n".join([*lines, "};", ""])


def _register(register: Register) -> list[str]:
    lines = ["", "    reg {", f"        desc = {_quoted(register.summary)};"]
    for field in register.fields:
        lines += _field(register, field)
    return [*lines, f"    }} {register.name} @ {register.offset:#04x};"]


def _field(register: Register, field: Field) -> list[str]:
    ways = f"{SOFTWARE[register.access]} {HARDWARE[register.hardware]}"
    if register.access == "wo":
        ways += " singlepulse;"
    high = field.lsb + field.width - 1
    encode = f" encode = {ENUM};" if (register.name, field.name) == ("STATUS", "error") else ""
    reset = "" if field.reset is None else f" = {field.width}'h{field.reset:x}"
    return [
        f"        field {{ {ways}{encode}",
        f"            desc = {_quoted(field.summary)};",
        f"        }} {field.name}[{high}:{field.lsb}]{reset};",
    ]


def _quoted(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
