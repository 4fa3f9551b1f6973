"""The C driver's text: no warning from two compilers, needs nothing else, facts are generated."""

import re
import shutil
import subprocess

import pytest

from npu.chip.counters import Counters
from npu.chip.isa import REGISTERS as SCALARS
from npu.errors import NpuError
from rtl import driver
from rtl.driver import build
from rtl.views import c_header

# What the driver may include: no library is behind these.
HEADERS = {"stdbool.h", "stddef.h", "stdint.h"}


@pytest.fixture(params=["gcc", "clang"])
def compiler(request) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed (sudo apt-get install {request.param})")
    return request.param


@pytest.mark.parametrize("speed", ["-O0", "-O2", "-Os"])
def test_no_compiler_says_a_word(compiler, speed, tmp_path):
    made = tmp_path / "zeroskip.o"
    command = [compiler, *build.STRICT, speed, "-ffreestanding", "-c"]
    command += [str(build.FOLDER / "zeroskip.c"), "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    undefined = subprocess.run(["nm", "-u", str(made)], capture_output=True, text=True, check=True)
    assert undefined.stdout == ""


@pytest.mark.parametrize("standard", ["c++11", "c++17", "c++20"])
def test_it_is_c_plus_plus_as_it_is(compiler, standard, tmp_path):
    """Compiled as C++, and as C for a program in C++: the functions have C's names in both."""
    name = {"gcc": "g++", "clang": "clang++"}[compiler]
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    strict = [flag for flag in build.STRICT if flag not in ("-std=c99", "-Wstrict-prototypes")]
    (tmp_path / "main.cpp").write_text(
        '#include "zeroskip.h"\n#include "zeroskip.h"\n'
        "static bool no(void *, uint32_t, uint32_t *) { return false; }\n"
        "int main() {\n"
        "    zeroskip_port port = {};\n"
        "    zeroskip chip;\n"
        "    port.read = no;\n"
        "    zeroskip_open(&chip, &port);\n"
        "    return zeroskip_probe(&chip) == ZEROSKIP_REFUSED ? 0 : 1;\n"
        "}\n"
    )
    source, flags = str(build.FOLDER / "zeroskip.c"), [*strict, f"-I{build.FOLDER}", "-c"]
    for command in (
        [name, f"-std={standard}", "-x", "c++", *flags, source, "-o", "as_cpp.o"],
        [compiler, *build.STRICT, "-c", source, "-o", "as_c.o"],
        [name, f"-std={standard}", *flags, "main.cpp", "-o", "main.o"],
        *([name, "main.o", f"{how}.o", "-o", how] for how in ("as_cpp", "as_c")),
        ["./as_cpp"],
        ["./as_c"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, (command, done.stderr)


def test_it_includes_nothing_of_a_library():
    included = set()
    for text in build.sources().values():
        included |= set(re.findall(r"#include <(.*)>", text))
    assert included == HEADERS


def test_its_facts_are_the_generated_ones():
    kept = build.sources()["zeroskip_regs.h"]
    assert kept == c_header.text(), "run: python -m rtl.driver.regs"


def test_no_offset_is_written_by_hand():
    """No numbers but shifts of bytes, sizes of words, and what the header says of waiting."""
    text = re.sub(r"/\*.*?\*/", "", build.sources()["zeroskip.c"], flags=re.DOTALL)
    numbers = set(re.findall(r"(?<![\w.])(\d+)u?\b", text))
    assert numbers <= {"0", "1", "2", "3", "4", "8", "16", "24", "28", "1024"}


def test_there_are_as_many_scalars_and_counters_as_in_python():
    text = c_header.text()
    assert f"#define ZEROSKIP_SCALARS_COUNT {SCALARS}u\n" in text
    assert f"#define ZEROSKIP_COUNTERS_COUNT {len(vars(Counters()))}u\n" in text


def test_the_functions_have_the_same_names_in_the_same_order():
    declared = re.findall(r"zeroskip_(\w+)\(struct zeroskip \*chip", build.sources()["zeroskip.h"])
    shared = [name for name in declared if hasattr(driver, name)]
    names = [name for name, value in vars(driver).items() if callable(value) and name in shared]
    assert shared == names
    assert len(shared) == 14


def test_waiting_is_as_patient_as_in_python():
    text = build.sources()["zeroskip.c"]
    assert f"#define LONGEST_PAUSE {driver.LONGEST_PAUSE}u\n" in text
    assert driver.PATIENCE == 1 << 28 and "#define PATIENCE (UINT32_C(1) << 28)\n" in text


def test_a_compiler_that_is_not_there_is_named():
    with pytest.raises(NpuError, match="the C driver needs no-such-compiler"):
        build.library("no-such-compiler")
