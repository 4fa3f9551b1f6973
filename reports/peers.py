"""Models on our chips beside Vela's estimates for Arm's: what `npu bench peers` measures."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from compiler import Model, compile_model, load_model
from compiler.bench.results import OperatorBounds, OursReport, PeerReport, PeersReport
from compiler.bench.vela import PEERS, vela_report
from compiler.frontends.formats import MAX_FILE_BYTES
from npu.analysis.bounds import total_cycles, works
from npu.analysis.layers import memory_report
from npu.analysis.profile import measure
from npu.chip.params import ChipParams
from npu.chip.summary import summary
from npu.errors import ModelError, NpuError
from npu.files import read_file


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
        for work in works(model.graphs["main"]):
            bounds = {params.name: work.cycles(params) for params in chips}
            operators.append({"name": work.name, "macs": work.macs, "bounds": bounds})
    return {
        "model": path.name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "operators": operators,
        "ours": ours,
        "vela": {name: vela_report(path, peer) for name, peer in PEERS.items()},
    }


def _ours(model: Model, params: ChipParams) -> OursReport:
    bound = total_cycles(model.graphs["main"], params)
    try:
        image = compile_model(model, params)
        cycles = sum(segment.cycles for segment in measure(image).segments.values())
    except NpuError as error:
        return _refused(str(error), bound)
    memory = memory_report(image)
    return {
        "refused": None,
        "cycles": cycles,
        "bound_cycles": bound,
        "over_bound": cycles / bound if bound else None,
        "program_bytes": memory["program"]["used"],
        "sram_bytes": memory["sram"]["used"],
        "image_bytes": len(image.to_bytes()),
    }


def _refused(reason: str, bound: float | None = None) -> OursReport:
    return {
        "refused": reason,
        "cycles": None,
        "bound_cycles": bound,
        "over_bound": None,
        "program_bytes": None,
        "sram_bytes": None,
        "image_bytes": None,
    }
