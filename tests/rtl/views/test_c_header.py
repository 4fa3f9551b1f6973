"""The C header, compiled without a warning, beside the table and beside what PeakRDL makes."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import fields
from pathlib import Path

import pytest

from npu.chip.counters import Counters
from npu.chip.status import Status
from rtl.control.registers import BY_NAME, REGISTERS
from rtl.views import HEADER, c_header, systemrdl

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")


@pytest.fixture(params=["gcc", "clang"])
def compiler(request) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed (sudo apt-get install {request.param})")
    return request.param


def printed(compiler: str, folder: Path, source: str, *flags: str) -> str:
    """What a C program prints, compiled beside the header."""
    (folder / HEADER).write_text(c_header.text(), encoding="utf-8")
    (folder / "main.c").write_text(source, encoding="utf-8")
    command = [compiler, *(flags or STRICT), "main.c", "-o", "main"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return subprocess.run([folder / "main"], capture_output=True, text=True, check=True).stdout


def macros() -> list[str]:
    return re.findall(r"^#define (ZEROSKIP_\w+) ", c_header.text(), re.MULTILINE)


def wanted() -> dict[str, int]:
    """Every macro, from the table."""
    kinds = {"ro": 0, "rw": 1, "wo": 2, "w1c": 3}
    values = {f"ACCESS_{kind.upper()}": number for kind, number in kinds.items()}
    values |= {f"ERROR_{status.name}": int(status) for status in Status}
    for name, first in (("SCALARS", "R0"), ("COUNTERS", "CYCLES")):
        values[f"{name}_OFFSET"] = BY_NAME[first].offset
    values |= {"SCALARS_COUNT": 16, "COUNTERS_COUNT": len(fields(Counters))}
    for register in REGISTERS:
        values[f"{register.name}_OFFSET"] = register.offset
        values[f"{register.name}_ACCESS"] = kinds[register.access]
        if register.reset is not None:
            values[f"{register.name}_RESET_VALUE"] = register.reset
        for field in register.fields:
            own = f"{register.name}_{field.name.upper()}"
            values[f"{own}_SHIFT"] = field.lsb
            values[f"{own}_WIDTH"] = field.width
            values[f"{own}_MASK"] = (2**field.width - 1) << field.lsb
            if field.reset is not None:
                values[f"{own}_RESET_VALUE"] = field.reset
    return {f"ZEROSKIP_{name}": value for name, value in values.items()}


def test_no_macro_is_defined_twice():
    assert len(set(macros())) == len(macros()) > 300


def test_the_values_are_those_of_the_table(compiler, tmp_path):
    lines = [f'    printf("{name} %lu\\n", (unsigned long){name});' for name in macros()]
    body = "\n".join(lines)
    source = f'#include <stdio.h>\n#include "{HEADER}"\nint main(void)\n{{\n{body}\n}}\n'
    rows = [line.split() for line in printed(compiler, tmp_path, source).splitlines()]
    assert {name: int(value) for name, value in rows} == wanted()


def test_twice_included_it_says_nothing(compiler, tmp_path):
    twice = f'#include "{HEADER}"\n#include "{HEADER}"\nint main(void) {{ return 0; }}\n'
    assert printed(compiler, tmp_path, twice) == ""


@pytest.mark.skipif(
    importlib.util.find_spec("peakrdl_cheader") is None,
    reason="the extra `views` is not installed",
)
def test_peakrdl_makes_the_same_of_our_systemrdl(compiler, tmp_path):
    """Its own macros and its struct, beside ours: offset by offset, field by field."""
    from peakrdl_cheader.exporter import CHeaderExporter
    from systemrdl import RDLCompiler

    (tmp_path / "zeroskip.rdl").write_text(systemrdl.text(), encoding="utf-8")
    rdl = RDLCompiler()
    rdl.compile_file(str(tmp_path / "zeroskip.rdl"))
    CHeaderExporter().export(rdl.elaborate(), str(tmp_path / "theirs.h"))
    checks = []
    for register in REGISTERS:
        mine, theirs = f"ZEROSKIP_{register.name}", f"ZEROSKIP__{register.name}"
        checks.append((f"{mine}_OFFSET", f"offsetof(zeroskip_t, {register.name})"))
        for field in register.fields:
            own, other = (f"{mine}_{field.name.upper()}", f"{theirs}__{field.name.upper()}")
            checks += [
                (f"{own}_SHIFT", f"{other}_bp"),
                (f"{own}_WIDTH", f"{other}_bw"),
                (f"{own}_MASK", f"{other}_bm"),
            ]
            if field.reset is not None:
                checks.append((f"{own}_RESET_VALUE", f"{other}_reset"))
    tests = "\n".join(f'    if ({a} != {b}) puts("{a}");' for a, b in checks)
    source = (
        "#include <stddef.h>\n#include <stdio.h>\n"
        f'#include "{HEADER}"\n#include "theirs.h"\n'
        f'int main(void)\n{{\n{tests}\n    puts("{len(checks)}");\n}}\n'
    )
    # Theirs is C11: it asserts the size of its struct.
    out = printed(compiler, tmp_path, source, "-std=gnu11", "-Wall", "-Wextra", "-Werror")
    assert out == f"{len(checks)}\n"
