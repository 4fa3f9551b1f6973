"""Models on our chips beside Vela's estimates for Arm's: what `npu bench peers` measures."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from compiler import Model, compile_model, load_model
from compiler.bench.results import (
    LargeOperator,
    OperatorBounds,
    OursReport,
    PeerReport,
    PeersReport,
)
from compiler.bench.vela import PEERS, vela_report
from compiler.frontends.formats import MAX_FILE_BYTES
from npu.analysis.bounds import LARGE_SHARE, operator_bounds, total_cycles, works
from npu.analysis.layers import memory_report
from npu.analysis.profile import measure
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.errors import ModelError, NpuError
from npu.files import read_file
from npu.model.graph import Graph


def peers_report(
    models: Sequence[Path], chips: Sequence[ChipParams], advance: Callable[[int], None]
) -> PeersReport:
    """Every model on every chip and processor. Raises NpuError where Vela is not installed."""
    found: list[PeerReport] = []
    for path in models:
        found.append(_model(path, chips))
        advance(1)
    return {
        "chips": [summary(params) for params in chips],
        "peers": {
            name: {"system": peer.system, "memory": peer.memory} for name, peer in PEERS.items()
        },
        "models": found,
    }


def _model(path: Path, chips: Sequence[ChipParams]) -> PeerReport:
    data = read_file(path, MAX_FILE_BYTES, ModelError)
    operators: list[OperatorBounds] = []
    try:
        model = load_model(path)
    except NpuError as error:
        ours = {params.name: _refused(str(error)) for params in chips}
    else:
        ours = {params.name: _ours(model, params) for params in chips}
        graph = model.graphs["main"]
        bounds = {params.name: operator_bounds(graph, params) for params in chips}
        for i, work in enumerate(works(graph)):
            own = {chip: of[i] for chip, of in bounds.items()}
            operators.append({"name": work.name, "macs": work.macs, "bounds": own})
    return {
        "model": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "operators": operators,
        "ours": ours,
        "vela": {name: vela_report(path, peer) for name, peer in PEERS.items()},
    }


def _ours(model: Model, params: ChipParams) -> OursReport:
    graph = model.graphs["main"]
    bound = total_cycles(graph, params)
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
        "large": _large(graph, params, operators, LARGE_SHARE * cycles),
    }


def _large(
    graph: Graph, params: ChipParams, spent: dict[str, float], least: float
) -> list[LargeOperator]:
    """The operators that take `least` cycles or more, and have a bound."""
    found: list[LargeOperator] = []
    for work, bounds in zip(works(graph), operator_bounds(graph, params), strict=True):
        cycles = spent.get(work.name, 0.0)
        by = max(bounds, key=bounds.__getitem__)
        if cycles >= least and bounds[by]:
            found.append(
                {
                    "name": work.name,
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
