"""A module of PyTorch becomes an integer model, by way of PyTorch's own exporter to ONNX."""

from __future__ import annotations

import inspect
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import library
from compiler.floats.graph import OPSET
from compiler.floats.run import agree
from compiler.floats.samples import Samples
from compiler.floats.trace import Traced, trace
from compiler.frontends.models import Model
from compiler.frontends.onnx.quantised import calibrated, quantised_model
from compiler.frontends.onnx.torch_projected import unrolled
from compiler.quantise.choose import DEFAULT
from npu.errors import ModelError, NpuError
from npu.files import write_atomic

if TYPE_CHECKING:
    import torch


def from_torch(
    module: torch.nn.Module,
    example: Any,
    *,
    calibrate: Any,
    states: Mapping[str, int] | None = None,
    ranges: str = DEFAULT,
    output: str | Path | None = None,
) -> Model:
    """Quantise a module of PyTorch.

    Parameters
    ----------
    module : taken in evaluation mode, as `forward` has it
    example : its positional arguments, a tensor or a tuple of tensors (tuples within are flattened)
    calibrate : for each input that is no state an array (calls, ...): one array, or a dict by the
        names of `forward`'s parameters; states are carried from call to call
    states : by input, the number of the output that comes back there. Unless given, a module whose
        inputs behind the first are as many as its outputs behind the first, in the same shapes,
        carries them
    ranges : how a range is chosen, as `npu quantize --ranges`
    output : where the `.tflite` file is written, too

    Raises
    ------
    ModelError
        PyTorch cannot export the module, or the data does not fit.
    UnsupportedError
        Something in it has no form in TFLM's int8 arithmetic.
    NpuError
        PyTorch, or the extra `onnx`, is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise NpuError("npu.from_torch needs PyTorch: pip install 'zeroskip[train]'") from error
    onnx = library()
    arguments = example if isinstance(example, tuple) else (example,)
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            inputs, outputs, data = _exported(module, arguments)
            names = _states(inputs, outputs, states)
            carried = {name: f"output{number}" for name, number in names.items()}
            arrays = _arrays(calibrate, [name for name in inputs if name not in carried])
            name = type(module).__name__
            model = onnx.load_from_string(data)
            traced = trace(model, name, Samples(arrays), carried)
            _require_same(module, arguments, traced)
    finally:
        module.train(was_training)
    made = quantised_model(calibrated(traced), ranges)
    if output is not None:
        write_atomic(output, made.data)
    return Model(name, {"main": made.graph}, None, None, {})


def _exported(
    module: torch.nn.Module, arguments: tuple[Any, ...]
) -> tuple[dict[str, tuple[int, ...]], list[tuple[int, ...]], bytes]:
    """Shapes of the inputs by name, shapes of the outputs, and the model's bytes.

    The exporter that follows one run of the module writes LSTM, GRU and RNN as single operators at
    a fixed opset, in tenths of a second; what it cannot follow the newer one may, where its
    library is there.
    """
    flat = _flat(arguments)
    names = _names(module, arguments, len(flat))
    name = type(module).__name__
    try:
        found = _flat((module(*arguments),))
    except Exception as error:  # of the module
        raise ModelError(f"{name}: it does not run on the example: {_line(error)}") from error
    for kind, values in (("takes", flat), ("gives", found)):
        if other := next((each for each in values if not hasattr(each, "shape")), None):
            raise ModelError(
                f"{name}: it {kind} a {type(other).__name__}; tensors and tuples of them are run: "
                "wrap the module in one that has no others"
            )
    outputs = [f"output{number}" for number in range(len(found))]
    try:
        data = _written(module, arguments, names, outputs, newer=False)
    except Exception as error:  # of every part of the exporter
        if find_spec("onnxscript") is None:
            raise ModelError(
                f"{name}: PyTorch cannot export it: {_line(error)}; its newer exporter may: pip "
                "install onnxscript"
            ) from error
        try:
            data = _written(module, arguments, names, outputs, newer=True)
        except Exception as other:  # as above
            raise ModelError(
                f"{name}: PyTorch cannot export it: {_line(error)}; nor with its newer exporter: "
                f"{_line(other)}"
            ) from other
    shapes = {each: tuple(value.shape) for each, value in zip(names, flat, strict=True)}
    return shapes, [tuple(each.shape) for each in found], data


def _written(
    module: torch.nn.Module,
    arguments: tuple[Any, ...],
    names: list[str],
    outputs: list[str],
    newer: bool,
) -> bytes:
    import torch

    told: dict[str, Any] = {"dynamo": True, "verbose": False} if newer else {"dynamo": False}
    if not newer:
        told["opset_version"] = OPSET
    with tempfile.TemporaryDirectory(prefix="zeroskip-") as folder, _quiet(), unrolled(module):
        file = Path(folder, "module.onnx")
        torch.onnx.export(module, arguments, file, input_names=names, output_names=outputs, **told)
        model = library().load(file)
    found: bytes = model.SerializeToString()
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what PyTorch's exporters print and log; their errors are raised all the same."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), _without_stdout():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _without_stdout() -> Iterator[None]:
    """Without what C++ writes to the standard output: the whole graph, where an operator fails."""
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        yield
        return
    if sys.__stdout__ is not None:
        sys.__stdout__.flush()
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _line(error: Exception) -> str:
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text:.200}"


def _require_same(module: Any, arguments: tuple[Any, ...], traced: Traced) -> None:
    """Raise ModelError where the export does not answer as the module, on the data's first call."""
    import torch

    inputs = iter(traced.fed)
    wanted = _flat((module(*_filled(arguments, inputs)),))
    for name, found in traced.first.items():
        real = wanted[int(name.removeprefix("output"))].detach().to(torch.float32).numpy()
        if not agree(real, found.reshape(real.shape), 1e-3):
            raise ModelError(
                f"{traced.graph.name}: the export answers otherwise than the module in {name}; "
                "write the layer in simpler ones"
            )


def _filled(arguments: Any, inputs: Iterator[np.ndarray]) -> Any:
    """Arguments with other contents, in the same tuples."""
    import torch

    if isinstance(arguments, tuple | list):
        return tuple(_filled(each, inputs) for each in arguments)
    return torch.from_numpy(np.array(next(inputs))).to(arguments.dtype)


def _flat(values: Sequence[Any]) -> list[Any]:
    made: list[Any] = []
    for value in values:
        made += _flat(value) if isinstance(value, tuple | list) else [value]
    return made


def _names(module: Any, arguments: Sequence[Any], count: int) -> list[str]:
    """The parameters' names, numbered where one holds several tensors."""
    found = []
    names = list(inspect.signature(module.forward).parameters.values())
    variadic = inspect.Parameter.VAR_POSITIONAL
    for place, argument in enumerate(arguments):
        parameter = names[min(place, len(names) - 1)]
        flat = _flat((argument,))
        alone = len(flat) == 1 and parameter.kind is not variadic
        start = place - (len(names) - 1) if parameter.kind is variadic else 0
        found += (
            [parameter.name]
            if alone
            else [f"{parameter.name}{start + number}" for number in range(len(flat))]
        )
    assert len(found) == count
    return found


def _states(
    inputs: Mapping[str, tuple[int, ...]],
    outputs: Sequence[tuple[int, ...]],
    told: Mapping[str, int] | None,
) -> dict[str, int]:
    if told is not None:
        for name, number in told.items():
            if name not in inputs or not 0 <= number < len(outputs):
                raise ModelError(
                    f"no state {name} -> output {number}: inputs are {', '.join(inputs)}, outputs "
                    f"0 to {len(outputs) - 1}"
                )
        return dict(told)
    behind = list(inputs)[1:]
    shapes = [inputs[name] for name in behind]
    if behind and shapes == list(outputs[1:]):
        return {name: number + 1 for number, name in enumerate(behind)}
    return {}


def _arrays(calibrate: Any, wanted: Sequence[str]) -> dict[str, np.ndarray]:
    given = calibrate if isinstance(calibrate, Mapping) else None
    if given is None:
        if len(wanted) != 1:
            raise ModelError(
                f"calibrate: give a dict with an array (calls, ...) for each of {', '.join(wanted)}"
            )
        given = {wanted[0]: calibrate}
    return {str(name): np.asarray(array) for name, array in given.items()}
