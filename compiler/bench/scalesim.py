"""SCALE-Sim on one product: how long a simulator of systolic arrays takes for what a gate is.

It needs numpy below 2, so it runs in an environment of its own, made once in the user's cache.
"""

import re
import subprocess
import tempfile
import venv
from pathlib import Path
from time import perf_counter

from compiler.bench.results import SystolicReport
from npu import cache

PACKAGES = ("scalesim>=3,<4", "numpy<2")
LIMIT_S = 60
"""Of a simulation."""
INSTALL_S = 300
ARRAY = (16, 16)
GATES = {"lstm_320": (320, 160 + 320), "mlperf_rnnt": (1024, 1024 + 1024)}
"""By model: rows and columns of what a gate of a layer multiplies in a frame."""

_CYCLES = re.compile(r"Total cycles: (\d+)")
_CONFIG = """[general]
run_name = gate
[architecture_presets]
ArrayHeight : {0}
ArrayWidth : {1}
IfmapSramSzkB: 64
FilterSramSzkB: 64
OfmapSramSzkB: 64
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth : 10
Dataflow : ws
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32
[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2
[sparsity]
SparsitySupport : false
SparseRep : ellpack_block
OptimizedMapping : false
BlockSize : 8
RandomNumberGeneratorSeed : 40
[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def systolic_reports(install: bool) -> list[SystolicReport]:
    """Every gate of `GATES`; where SCALE-Sim is not here, and not to be installed, with the reason.

    Installing takes a minute and the network, and happens once.
    """
    python = _environment(install)
    if isinstance(python, str):
        return [_refused(name, python) for name in GATES]
    return [simulate(python, name) for name in GATES]


def simulate(python: Path, name: str, limit: float = LIMIT_S) -> SystolicReport:
    """One gate with the Python of an environment that has SCALE-Sim."""
    rows, columns = GATES[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sim.cfg").write_text(_CONFIG.format(*ARRAY), encoding="utf-8")
        for file in ("gemm.csv", "layout.csv"):
            text = f"Layer,M,N,K,\ngate,1,{rows},{columns},\n"
            (folder / file).write_text(text, encoding="utf-8")
        command = [str(python), "-m", "scalesim.scale", "-c", "sim.cfg", "-t", "gemm.csv"]
        command += ["-l", "layout.csv", "-p", "out", "-i", "gemm", "-s", "N"]
        started = perf_counter()
        try:
            ran = subprocess.run(
                command, capture_output=True, text=True, timeout=limit, cwd=folder, check=False
            )
        except subprocess.TimeoutExpired:
            return _refused(name, f"not done after {limit:g} s")
        seconds = perf_counter() - started
    told = _CYCLES.search(ran.stdout)
    if ran.returncode or told is None:
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        return _refused(name, lines[-1][:300] if lines else "no cycles told")
    report = _refused(name, None)
    report["cycles"], report["seconds"] = int(told.group(1)), seconds
    return report


def _environment(install: bool) -> Path | str:
    """The Python of SCALE-Sim's environment, or why there is none."""
    place = cache.place("scalesim")
    python = None if place is None else place / "venv" / "bin" / "python"
    if python is not None and _has_it(python):
        return python
    if not install:
        return "not installed; npu bench peers --install-scale-sim makes an environment for it"
    folder = cache.folder("scalesim")
    if folder is None:
        return "there is no place for its environment"
    venv.create(folder / "venv", with_pip=True, clear=True)
    python = folder / "venv" / "bin" / "python"
    try:
        ran = subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", *PACKAGES],
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"its installation takes longer than {INSTALL_S} s"
    if ran.returncode or not _has_it(python):
        lines = [line.strip() for line in ran.stderr.splitlines() if line.strip()]
        return f"not installed: {lines[-1][:300] if lines else 'pip says nothing'}"
    return python


def _has_it(python: Path) -> bool:
    if not python.exists():
        return False
    ran = subprocess.run([str(python), "-c", "import scalesim"], capture_output=True, check=False)
    return ran.returncode == 0


def _refused(name: str, reason: str | None) -> SystolicReport:
    rows, columns = GATES[name]
    return {
        "name": name,
        "rows": rows,
        "columns": columns,
        "array": list(ARRAY),
        "refused": reason,
        "cycles": None,
        "seconds": None,
    }
