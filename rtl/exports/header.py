"""The comment at the top of the exported Verilog: version, licence, parameters, ports."""

from collections.abc import Iterator, Mapping

from npu import __version__
from npu.chip.params import ChipParams
from rtl.verilog.comments import RULE, folded, section

LICENCE = "Apache-2.0"


def header(top: str, params: ChipParams, groups: Mapping[str, str]) -> str:
    """The comment of module `top`; `groups` says what ports are, by what their names begin with."""
    lines = [
        RULE,
        f"// SPDX-License-Identifier: {LICENCE}",
        "//",
        *folded(
            f"{top} {__version__}, a sparse int8 neural edge processor: chip {params.name!r}. "
            "Verilog 2005, written from Amaranth sources; the same chip gives the same text.",
            "// ",
        ),
        "//",
        "// Parameters of the chip, fixed in this file; sizes in bytes. Register PARAMETERS reads",
        f"// {params.fingerprint:#010x}:",
        *_table(list(_parameters(params))),
        "//",
        f"// Ports of module {top}:",
        *_table([(f"{name}*" if name[-1] == "_" else name, what) for name, what in groups.items()]),
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
