"""SCALE-Sim on products: how long a simulator of systolic arrays takes for a gate, and for models.

It needs numpy below 2, so it runs in an environment of its own, made once in the user's cache.
"""

import re
import subprocess
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from compiler.bench.dense import Dense
from compiler.bench.results import SystolicModelReport, SystolicProduct, SystolicReport
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


@dataclass(frozen=True)
class Ran:
    """What a simulation said.

    Attributes
    ----------
    cycles : of the products that it came to the end of, in their order.
    seconds : of its process.
    ended : why it did not come to the end of all; None where it did.
    """

    cycles: list[int]
    seconds: float
    ended: str | None


def systolic_reports(install: bool) -> list[SystolicReport]:
    """Every gate of `GATES`; where SCALE-Sim is not here, and not to be installed, with the reason.

    Installing takes a minute and the network, and happens once.
    """
    python = environment(install)
    if isinstance(python, str):
        return [_refused(name, python) for name in GATES]
    return [simulate(python, name) for name in GATES]


def simulate(python: Path, name: str, limit: float = LIMIT_S) -> SystolicReport:
    """One gate with the Python of an environment that has SCALE-Sim."""
    rows, columns = GATES[name]
    ran = run(python, [Dense(1, rows, columns)], limit)
    report = _refused(name, ran.ended)
    if ran.ended is None:
        report["cycles"], report["seconds"] = ran.cycles[0], ran.seconds
    return report


def simulate_model(
    python: Path | str, products: Mapping[Dense, int], limit: float = LIMIT_S
) -> SystolicModelReport:
    """All products of a model one behind the other, small ones first, and equal ones once.

    python : as `environment` gives it; where that is a reason, nothing is simulated
    """
    chosen = sorted(products, key=lambda each: each.macs)
    ran = Ran([], 0.0, python) if isinstance(python, str) else run(python, chosen, limit)
    known = [*ran.cycles, *[None] * (len(chosen) - len(ran.cycles))]
    each: list[SystolicProduct] = [
        {
            "vectors": product.vectors,
            "rows": product.rows,
            "columns": product.columns,
            "times": products[product],
            "cycles": cycles,
        }
        for product, cycles in zip(chosen, known, strict=True)
    ]
    times = [products[product] for product in chosen[: len(ran.cycles)]]
    total = sum(n * cycles for n, cycles in zip(times, ran.cycles, strict=True))
    return {
        "array": list(ARRAY),
        "refused": ran.ended,
        "products": each,
        "cycles": total if ran.ended is None else None,
        "seconds": ran.seconds if ran.ended is None else None,
    }


def unfinished(report: SystolicModelReport) -> list[SystolicProduct]:
    """The products of a model that SCALE-Sim did not come to the end of."""
    return [product for product in report["products"] if product["cycles"] is None]


def run(python: Path, products: Sequence[Dense], limit: float = LIMIT_S) -> Ran:
    """Products one behind the other, all in so many seconds, on an array of `ARRAY`."""
    if not products:
        return Ran([], 0.0, None)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "sim.cfg").write_text(_CONFIG.format(*ARRAY), encoding="utf-8")
        lines = [f"product{k},{m},{n},{depth}," for k, (m, n, depth) in enumerate(products)]
        for file in ("gemm.csv", "layout.csv"):
            text = "\n".join(["Layer,M,N,K,", *lines, ""])
            (folder / file).write_text(text, encoding="utf-8")
        command = [str(python), "-u", "-m", "scalesim.scale", "-c", "sim.cfg", "-t", "gemm.csv"]
        command += ["-l", "layout.csv", "-p", "out", "-i", "gemm", "-s", "N"]
        said, complained = folder / "stdout", folder / "stderr"
        started = perf_counter()
        ended = None
        with said.open("wb") as out, complained.open("wb") as errors:
            try:
                code = subprocess.run(
                    command, stdout=out, stderr=errors, timeout=limit, cwd=folder, check=False
                ).returncode
            except subprocess.TimeoutExpired:
                code, ended = 0, f"not done after {limit:g} s"
        seconds = perf_counter() - started
        told = _CYCLES.findall(said.read_text("utf-8", "replace"))
        cycles = [int(number) for number in told[: len(products)]]
        if ended is None and (code or len(cycles) < len(products)):
            lines = [line.strip() for line in complained.read_text("utf-8", "replace").splitlines()]
            ended = next((line[:300] for line in reversed(lines) if line), "no cycles told")
    return Ran(cycles, seconds, ended)


def environment(install: bool) -> Path | str:
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
