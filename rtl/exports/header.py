"""The comment at the top of the exported Verilog: version, licence, parameters, ports."""

from collections.abc import Iterator, Mapping, Sequence

from npu import __version__
from npu.chip.params import ChipParams
from rtl.verilog import RamPins
from rtl.verilog.comments import RULE, folded, section

LICENCE = "Apache-2.0"


def header(
    top: str, params: ChipParams, groups: Mapping[str, str], rams: Sequence[RamPins] = ()
) -> str:
    """The comment of module `top`; `groups` says what ports are, by what their names begin with.

    rams : block RAMs whose pins are ports.
    """
    # A name stays on its line: behind "// " its words could be an order to a tool.
    name = repr(params.name).replace(" ", "\0")
    about = (
        f"{top} {__version__}, a sparse int8 neural edge processor: chip {name}. "
        "Verilog 2005, written from Amaranth sources; the same chip gives the same text."
    )
    lines = [
        RULE,
        f"// SPDX-License-Identifier: {LICENCE}",
        "//",
        *(line.replace("\0", " ") for line in folded(about, "// ")),
        "//",
        "// Parameters of the chip, fixed in this file; sizes in bytes. Register PARAMETERS reads",
        f"// {params.fingerprint:#010x}:",
        *_table(list(_parameters(params))),
        "//",
        f"// Ports of module {top}:",
        *_table([(f"{name}*" if name[-1] == "_" else name, what) for name, what in groups.items()]),
        *_slices(rams),
        RULE,
    ]
    return "\n".join(lines) + "\n"


def _parameters(params: ChipParams) -> Iterator[tuple[str, str]]:
    """Parameters with their values, and what they mean."""
    for table, owner in (("", params), ("technology.", params.technology)):
        said = section(type(owner), "Attributes")
        for key, value in owner:
            if isinstance(value, str | int | float) and key != "name":
                yield f"{table}{key} = {value}", said[key].rstrip(".")


def _slices(rams: Sequence[RamPins]) -> list[str]:
    """Which bits of `ram_pins_out` are which block RAM's."""
    if not rams or rams[0].low is None:
        return []
    rows = [(f"[{ram.high}:{ram.low}]", f"{ram.instance} ({ram.module})") for ram in rams]
    return ["//", "// Slices of ram_pins_out, by block RAM (its module):", *_table(rows)]


def _table(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    lines = []
    last = ""
    for name, text in rows:
        first = f"//   {name:{width}}"
        if text == last:  # parameters that are explained together
            lines.append(first.rstrip())
        else:
            lines += folded(text, f"{first}  ", "//" + " " * len(first))
        last = text
    return lines
