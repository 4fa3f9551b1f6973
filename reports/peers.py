"""Models on our chips beside Vela's estimates for Arm's: what `npu bench peers` measures."""

import hashlib
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from compiler import Model, compile_model, load_model
from compiler.bench.dense import dense_products
from compiler.bench.invocations import invocation_reports
from compiler.bench.results import (
    HostReport,
    LargeOperator,
    OperatorBounds,
    OursReport,
    PeerReport,
    PeersReport,
)
from compiler.bench.rivals import versions
from compiler.bench.scalesim import environment, simulate_model, systolic_reports
from compiler.bench.vela import PEERS, vela_report
from compiler.frontends.formats import MAX_FILE_BYTES
from npu.analysis.bounds import LARGE_SHARE, operator_bounds, total_cycles, works
from npu.analysis.layers import memory_report
from npu.analysis.profile import measure
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.errors import ModelError, NpuError
from npu.files import read_file


def peers_report(
    models: Sequence[Path],
    chips: Sequence[ChipParams],
    advance: Callable[[int], None],
    install: bool = False,
) -> PeersReport:
    """Every model on every chip and processor, and invoked by every interpreter.

    `install` : whether SCALE-Sim may be installed, see `compiler.bench.scalesim`.
    """
    found: list[PeerReport] = []
    python = environment(install)
    for path in models:
        found.append(_model(path, chips, python))
        advance(1)
    return {
        "chips": [summary(params) for params in chips],
        "peers": {
            name: {"system": peer.system, "memory": peer.memory} for name, peer in PEERS.items()
        },
        "models": found,
        "host": host(),
        "systolic": systolic_reports(install),
    }


def host() -> HostReport:
    """Where times are taken."""
    return {
        "processor": processor(),
        "system": f"Python {platform.python_version()}, {platform.system()}",
        "versions": versions(),
    }


def processor() -> str:
    """The processor as it calls itself."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        for line in told.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _model(path: Path, chips: Sequence[ChipParams], python: Path | str) -> PeerReport:
    """`python` : that of SCALE-Sim's environment, or why there is none."""
    data = read_file(path, MAX_FILE_BYTES, ModelError)
    operators: list[OperatorBounds] = []
    systolic = None
    try:
        model = load_model(path)
    except NpuError as error:
        ours = {params.name: _refused(str(error)) for params in chips}
    else:
        graph = model.graphs["main"]
        bounds = {params.name: operator_bounds(graph, params) for params in chips}
        for i, work in enumerate(works(graph)):
            own = {chip: of[i] for chip, of in bounds.items()}
            operators.append({"name": work.name, "macs": work.macs, "bounds": own})
        ours = {params.name: _ours(model, operators, params) for params in chips}
        systolic = simulate_model(python, dense_products(graph))
    report: PeerReport = {
        "model": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "operators": operators,
        "ours": ours,
        "vela": {name: vela_report(path, peer) for name, peer in PEERS.items()},
    }
    with suppress(NpuError):  # of a model that our kernels do not run, there are no times
        report["invocations"] = invocation_reports(path)
    if systolic is not None:
        report["systolic"] = systolic
    return report


def _ours(model: Model, bounds: Sequence[OperatorBounds], params: ChipParams) -> OursReport:
    bound = total_cycles(model.graphs["main"], params)
    try:
        image = compile_model(model, params)
        measured = measure(image)
    except NpuError as error:
        return _refused(str(error), bound)
    memory = memory_report(image)
    cycles = sum(segment.cycles for segment in measured.segments.values())
    operators = {name: spent for (_, name), spent in measured.operators.items()}
    return {
        "refused": None,
        "cycles": cycles,
        "bound_cycles": bound,
        "over_bound": cycles / bound if bound else None,
        "program_bytes": memory["program"]["used"],
        "sram_bytes": memory["sram"]["used"],
        "image_bytes": len(image.to_bytes()),
        "operators": operators,
        "large": _large(bounds, params.name, operators, LARGE_SHARE * cycles),
    }


def _large(
    operators: Sequence[OperatorBounds], chip: str, spent: dict[str, float], least: float
) -> list[LargeOperator]:
    """The operators that take `least` cycles or more, and have a bound."""
    found: list[LargeOperator] = []
    for operator in operators:
        bounds, cycles = operator["bounds"][chip], spent.get(operator["name"], 0.0)
        by = max(bounds, key=bounds.__getitem__)
        if cycles >= least and bounds[by]:
            found.append(
                {
                    "name": operator["name"],
                    "cycles": cycles,
                    "bound_cycles": bounds[by],
                    "bound_by": by,
                    "over_bound": cycles / bounds[by],
                }
            )
    return found


def _refused(reason: str, bound: float | None = None) -> OursReport:
    return {
        "refused": reason,
        "cycles": None,
        "bound_cycles": bound,
        "over_bound": None,
        "program_bytes": None,
        "sram_bytes": None,
        "image_bytes": None,
        "operators": {},
        "large": [],
    }
