"""Interpreters of the same model, each ready to be invoked over and over: what is timed.

`TFLM` is imported here alone of the whole product, and only to be timed: nothing that it computes
is used. Every engine takes the bytes of a `.tflite` file and its inputs. They are given once, or
with `again` before every invocation: an interpreter may use their memory for something else, which
does no harm to activations, but indices must stay in their range.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from compiler.bench.onnx_form import as_byte, onnx_form
from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import NpuError

Repeat = Callable[[int], object]
"""Invokes a model so many times."""


class Missing(NpuError):
    """An engine that cannot run this model here; the message says why."""


def ours(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """Our kernels: the calls of a graph that is one compiled program are one compiled loop."""
    interpreter = Interpreter(read_tflite(model))
    interpreter.invoke(inputs)
    return interpreter.repeat


def one_by_one(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """Our kernels with a call from Python for each invocation, as the others are called."""
    interpreter = Interpreter(read_tflite(model))
    interpreter.invoke(inputs)
    return _loop(lambda: interpreter.repeat(1))


def through_python(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """Our kernels as Python calls them: inputs checked and copied, outputs copied."""
    interpreter = Interpreter(read_tflite(model))
    return _loop(lambda: interpreter.invoke(inputs))


def tflm(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """TensorFlow Lite Micro's interpreter, with the reference kernels of its package."""
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError:
        raise Missing(_not_installed("tflite-micro", "oracle")) from None
    interpreter = runtime.Interpreter.from_bytes(model.read_bytes())

    def give() -> None:
        for k, array in enumerate(inputs):
            interpreter.set_input(array, k)

    give()
    interpreter.invoke()
    return _loop(_both(give, interpreter.invoke) if again else interpreter.invoke)


def litert(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """LiteRT with its default delegate, XNNPACK, on one thread."""
    try:
        from ai_edge_litert.interpreter import Interpreter as LiteInterpreter
    except ImportError:
        raise Missing(_not_installed("ai-edge-litert", "peers")) from None
    interpreter: Any = LiteInterpreter(model_content=model.read_bytes(), num_threads=1)
    interpreter.allocate_tensors()
    places = [detail["index"] for detail in interpreter.get_input_details()]

    def give() -> None:
        for place, array in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, array)

    give()
    interpreter.invoke()
    return _loop(_both(give, interpreter.invoke) if again else interpreter.invoke)


def onnxruntime(model: Path, inputs: Sequence[np.ndarray], again: bool) -> Repeat:
    """onnxruntime on one thread, on the int8 ONNX form of a model that has one."""
    try:
        import onnxruntime as runtime
    except ImportError:
        raise Missing(_not_installed("onnxruntime", "peers")) from None
    form = onnx_form(read_tflite(model))
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = runtime.InferenceSession(form, options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for given, array in zip(session.get_inputs(), inputs, strict=True):
        binding.bind_cpu_input(given.name, as_byte(array).reshape(given.shape))
    for output in session.get_outputs():
        binding.bind_output(output.name)
    return _loop(lambda: session.run_with_iobinding(binding))


ENGINES: dict[str, Callable[[Path, Sequence[np.ndarray], bool], Repeat]] = {
    "kernels": ours,
    "kernels one by one": one_by_one,
    "kernels with copies": through_python,
    "TFLM": tflm,
    "LiteRT": litert,
    "onnxruntime": onnxruntime,
}
PACKAGES = {
    "TFLM": "tflite-micro",
    "LiteRT": "ai-edge-litert",
    "onnxruntime": "onnxruntime",
    "Vela": "ethos-u-vela",
}
"""By peer, the package that it comes in."""


def versions() -> dict[str, str]:
    """By peer: its version, or that it is not installed."""
    return {name: _version(package) or "not installed" for name, package in PACKAGES.items()}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
    def both() -> None:
        first()
        second()

    return both


def _loop(invoke: Callable[[], object]) -> Repeat:
    def repeat(times: int) -> None:
        for _ in range(times):
            invoke()

    return repeat


def _not_installed(package: str, extra: str) -> str:
    return f"{package} is not installed; install the extra: pip install 'zeroskip[{extra}]'"
