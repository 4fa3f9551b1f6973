"""The C driver as a shared library, for a simulation to call; cached by content."""

import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from npu import cache
from npu.errors import NpuError

FOLDER = Path(__file__).parent
OWN = ("zeroskip.c", "zeroskip.h")
SOURCES = (*OWN, "zeroskip_regs.h")
STRICT = (
    "-std=c99",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-pedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wstrict-prototypes",
)
SHARED = ("-O2", "-fPIC", "-shared")


def sources(names: Sequence[str] = SOURCES) -> dict[str, str]:
    """The driver's files: what a design takes along; OWN beside a header of its own chip."""
    return {name: (FOLDER / name).read_text(encoding="utf-8") for name in names}


def library(compiler: str = "gcc") -> Path:
    """The library; built at the first call.

    Raises NpuError where there is no compiler or no place, or with what the compiler says.
    """
    place = cache.folder("verilator")
    if place is None or shutil.which(compiler) is None:
        missing = "a folder to be built in; set TMPDIR to one" if place is None else compiler
        raise NpuError(f"the C driver needs {missing}")
    key = hashlib.sha256(repr((sources(), compiler, STRICT, platform.machine())).encode())
    kept = place / f"driver-{key.hexdigest()[:24]}.so"
    if cache.intact(kept):
        return kept
    with tempfile.TemporaryDirectory(prefix="build-", dir=place) as folder:
        made = Path(folder) / kept.name
        command = [compiler, *STRICT, *SHARED, str(FOLDER / "zeroskip.c"), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NpuError(f"{compiler} does not take the C driver:\n{done.stderr}")
        cache.keep(made, kept)
    return kept
