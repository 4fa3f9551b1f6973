"""A file as its own runtime runs it, in floats: what our integers are held against."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from compiler.floats.files import free_inputs, open_onnx, runtime
from compiler.floats.states import match_states
from npu.errors import ModelError, NpuError


class Input(NamedTuple):
    """An input as the file declares it; an axis without a size is None."""

    name: str
    shape: tuple[int | None, ...]
    is_integer: bool


class Runtime(Protocol):
    """A model that is called; states are its own."""

    name: str
    inputs: Sequence[Input]
    outputs: Sequence[str]

    def call(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a call by name; the first one may settle the shapes."""
        ...


class OnnxRuntime:
    """An ONNX file; states are found by their names, as `npu quantize` finds them."""

    name: str = "onnxruntime"

    def __init__(self, path: Path) -> None:
        model = open_onnx(path)
        declared = free_inputs(model)
        named = [value.name for value in model.graph.output]
        self._pairs = match_states(path.name, list(declared), named, ())
        found = [_declared(value) for value in declared.values()]
        self.inputs: Sequence[Input] = [each for each in found if each.name not in self._pairs]
        self._held = {
            each.name: np.zeros([n or 1 for n in each.shape], np.float32)
            for each in found
            if each.name in self._pairs
        }
        ort = runtime()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors have no common class
            raise ModelError(f"{path.name}: onnxruntime cannot run it: {error!s:.200}") from error
        self._types = {each.name: _TYPES[each.type] for each in self._session.get_inputs()}
        real = [o.name for o in self._session.get_outputs() if "float" in o.type]
        self.outputs: Sequence[str] = [name for name in real if name not in self._pairs.values()]
        self._wanted = [*self.outputs, *self._pairs.values()]

    def call(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given: dict[str, np.ndarray] = {
            name: np.asarray(value).astype(self._types[name])
            for name, value in {**feeds, **self._held}.items()
        }
        found = dict(zip(self._wanted, self._session.run(self._wanted, given), strict=True))
        self._held = {name: found[following] for name, following in self._pairs.items()}
        return {name: found[name] for name in self.outputs}


class LiteRt:
    """A file of TFLite."""

    name: str = "LiteRT"

    def __init__(self, path: Path) -> None:
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise NpuError(
                "float models of TFLite are held against LiteRT: pip install 'zeroskip[peers]'"
            ) from error
        try:
            self._interpreter = Interpreter(str(path), num_threads=1)
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{path.name}: LiteRT cannot read it: {error!s:.200}") from error
        self._details = self._interpreter.get_input_details()
        self._given = self._interpreter.get_output_details()
        self.inputs: Sequence[Input] = [
            Input(
                detail["name"],
                tuple(int(n) if n > 0 else None for n in detail["shape_signature"]),
                np.issubdtype(detail["dtype"], np.integer),
            )
            for detail in self._details
        ]
        self.outputs: Sequence[str] = [detail["name"] for detail in self._given]
        self._ready = False

    def call(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if not self._ready:
            for detail in self._details:
                if tuple(detail["shape"]) != feeds[detail["name"]].shape:
                    self._interpreter.resize_tensor_input(
                        detail["index"], feeds[detail["name"]].shape
                    )
            self._interpreter.allocate_tensors()
            self._ready = True
        for detail in self._details:
            value = feeds[detail["name"]].astype(detail["dtype"])
            self._interpreter.set_tensor(detail["index"], value)
        self._interpreter.invoke()
        return {each["name"]: self._interpreter.get_tensor(each["index"]) for each in self._given}


def opened(path: Path) -> Runtime:
    """A file in the runtime of its format. Raises NpuError where that cannot read it."""
    return LiteRt(path) if path.suffix.lower() == ".tflite" else OnnxRuntime(path)


_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}
_REALS = (1, 10, 11)
"""ONNX's element types of real numbers."""


def _declared(value: Any) -> Input:
    kind = value.type.tensor_type
    sizes = (int(d.dim_value) if d.HasField("dim_value") else 0 for d in kind.shape.dim)
    shape = tuple(n if n > 0 else None for n in sizes)
    return Input(value.name, shape, kind.elem_type not in _REALS)
