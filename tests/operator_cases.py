"""ONNX's own cases of its operators: a model of one node, inputs, and the outputs that it gives.

`python -m tests.operator_cases FOLDER` packs those of `onnx/backend/test/data` whose operators run
here into `tests/vectors/onnx/cases.npz`; see the note there.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from compiler.floats.files import OLDEST
from compiler.floats.integers import KINDS as OF_INTEGERS
from compiler.floats.rewrite import RULES as REWRITTEN
from compiler.floats.rewrite.functions import PARTS
from compiler.floats.samples import Samples
from compiler.floats.trace import trace
from compiler.frontends.onnx.quantised import Quantised, calibrated, quantised_model
from compiler.frontends.onnx.read import SETTLED
from compiler.quantise.quantise import RULES
from kernels import Interpreter
from npu.model.graph import Tensor

PACK = Path(__file__).parent / "vectors" / "onnx" / "cases.npz"
_FOLDERS = ("node", "pytorch-converted", "pytorch-operator")
_MOST = 40_000
"""Bytes of a case that is packed."""

_ALL = frozenset({"Add", "Sub", "Mul", "Max", "Min", "Sum", "MatMul", "Concat"})
"""Kinds whose operands are all data of a call; of others only the first is."""
_RUN = frozenset(RULES) | frozenset(REWRITTEN) | PARTS | SETTLED | OF_INTEGERS


@dataclass(frozen=True, eq=False)
class Case:
    """`inputs` and `outputs` are arrays in the model's order."""

    name: str
    model: bytes
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]


def packed() -> Iterator[Case]:
    """The cases in `PACK`."""
    with np.load(PACK) as file:
        found: dict[str, list[np.ndarray]] = {}
        for key in file.files:
            name, _, _ = key.partition("/")
            found.setdefault(name, []).append(file[key])
        counts = {name: int(arrays[1]) for name, arrays in found.items()}
    for name, (model, _, *arrays) in found.items():
        count = counts[name]
        yield Case(name, model.tobytes(), arrays[:count], arrays[count:])


def integers_of(case: Case) -> Quantised:
    """The integer model of a case, calibrated on its inputs.

    Raises what `npu quantize` says of it.
    """
    model = onnx.load_from_string(case.model)
    declared = [v.name for v in model.graph.input]
    given = dict(zip(declared, case.inputs, strict=True))
    data = data_of(case, model)
    for name in declared:
        if name not in data:
            model.graph.initializer.append(numpy_helper.from_array(given[name], name))
    samples = Samples({name: given[name][None] for name in data}, "the case")
    first = model.graph.node[0].op_type in ("DynamicQuantizeLinear", "LayerNormalization")
    wanted = [model.graph.output[0].name] if first else None
    return quantised_model(calibrated(trace(model, case.name, samples, wanted=wanted)), "minmax")


def data_of(case: Case, model: Any) -> list[str]:
    """Names of the inputs that a call gives."""
    kind = model.graph.node[0].op_type
    names = [v.name for v in model.graph.input]
    if kind in _ALL:
        real = [name for name, a in zip(names, case.inputs, strict=True) if a.dtype.kind == "f"]
        return real or names[:1]
    if kind == "Where":
        return names[1:]
    if kind == "QLinearMatMul" and case.inputs[3].ndim > 2:
        return [names[0], names[3]]
    return [names[1 if kind in ("Gather", "GatherND") else 0]]


def steps_apart(case: Case) -> float:
    """The largest difference of an output, in its steps; of an integer output it is a number."""
    made = integers_of(case)
    model = onnx.load_from_string(case.model)
    names = [v.name for v in model.graph.input]
    given = dict(zip(names, case.inputs, strict=True))
    wanted = dict(zip([v.name for v in model.graph.output], case.outputs, strict=True))
    graph, source = made.graph, made.source
    fed = [
        _fed(source.samples.arrays[name][0], graph.tensors[index])
        for name, index in zip(source.graph.inputs, graph.inputs, strict=True)
    ]
    assert set(source.graph.inputs) <= set(given)
    worst = 0.0
    answers = Interpreter(graph).invoke(fed)
    for name, found, index in zip(source.graph.outputs, answers, graph.outputs, strict=True):
        grid = graph.tensors[index].quantization
        assert grid is not None
        whole, like = found.reshape(-1).astype(np.float64), wanted[name].reshape(-1)
        if like.dtype.kind in "iu":
            shift = 128 if like.dtype == np.uint8 else 0
            apart = np.abs(whole + shift - like.astype(np.float64))
            worst = max(worst, float(np.max(apart)))
        else:
            real = (whole - grid.zero_point) * np.float64(grid.scale[0])
            apart = np.abs(real - like.astype(np.float64)) / grid.scale[0]
            worst = max(worst, float(np.max(apart)))
    return worst


def _fed(values: np.ndarray, tensor: Tensor) -> np.ndarray:
    if tensor.quantization is None:
        return values.astype(np.int32).reshape(tensor.shape)
    steps = np.rint(values.astype(np.float32) / tensor.quantization.scale[0])
    whole = np.clip(steps + tensor.quantization.zero_point, -128, 127)
    return whole.astype(np.int8).reshape(tensor.shape)


def _read(folder: Path) -> Case | None:
    """A folder of ONNX's, None of what has inputs or outputs that are no numbers."""
    found: dict[str, list[np.ndarray]] = {"input": [], "output": []}
    for kind, arrays in found.items():
        files = folder.glob(f"test_data_set_0/{kind}_*.pb")
        for file in sorted(files, key=lambda path: int(path.stem.rpartition("_")[2])):
            tensor = onnx.TensorProto()
            try:
                tensor.ParseFromString(file.read_bytes())
                arrays.append(np.asarray(numpy_helper.to_array(tensor)))
            except Exception:
                return None
    name = folder.name.removeprefix("test_")
    case = Case(name, (folder / "model.onnx").read_bytes(), found["input"], found["output"])
    arrays = [*case.inputs, *case.outputs]
    usual = all(array.dtype.kind in "fiub" and array.dtype.isbuiltin == 1 for array in arrays)
    usual &= all(array.size > 0 for array in arrays)
    model = onnx.load_from_string(case.model)
    integer = bool({node.op_type for node in model.graph.node} & (OF_INTEGERS - {"Cast", "Mul"}))
    # Integer operators have been the same since opset 10.
    usual &= model.opset_import[0].version >= (10 if integer else OLDEST)
    usual &= integer or all(array.dtype.kind == "f" for array in case.outputs)
    usual &= len(case.inputs) == len(model.graph.input) > 0
    usual &= len(case.outputs) == len(model.graph.output) > 0
    return case if usual and sum(array.nbytes for array in arrays) < _MOST else None


def _pack(root: Path) -> None:
    taken: dict[str, np.ndarray] = {}
    others: set[str] = set()
    for part in _FOLDERS:
        for folder in sorted((root / part).glob("test_*")):
            if folder.name.endswith(("_expanded", "_expanded_ver18")):
                continue
            case = _read(folder)
            if case is None or len(case.model) > _MOST or case.name in taken:
                continue
            kinds = {node.op_type for node in onnx.load_from_string(case.model).graph.node}
            if not kinds <= _RUN:
                others |= kinds - _RUN
                continue
            stem = case.name
            taken[f"{stem}/0000"] = np.frombuffer(case.model, np.uint8)
            taken[f"{stem}/0001"] = np.int64(len(case.inputs))
            for number, array in enumerate([*case.inputs, *case.outputs], 2):
                taken[f"{stem}/{number:04}"] = array
    PACK.parent.mkdir(exist_ok=True)
    np.savez_compressed(PACK, **taken)
    print(len({key.partition("/")[0] for key in taken}), "cases;", "left out:", *sorted(others))


if __name__ == "__main__":
    _pack(Path(sys.argv[1]))
