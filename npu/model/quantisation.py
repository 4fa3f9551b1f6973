"""How float scales become integers, as TFLM derives them: what several operators share.

The integer parameters of each operator are derived in its room of `npu.model.operators`. Source of
method: `fully_connected_common.cc`, `lstm_eval_common.cc`, `add_common.cc`, `mul_common.cc`,
`activations_common.cc` and `quantize_common.cc` of TensorFlow Lite Micro. Whether scales meet in
float32 or in double decides the last bit of a multiplier. Measured on the pinned oracle:
multipliers in double throughout, the bounds of fused activations and of RELU6 in float32. Kernels
and compiler both take their numbers from `integer_parameters`. Graphs must have passed
`npu.model.verify`. Where TFLM aborts or is undefined, these functions raise `ModelError`.
"""

from typing import Any

import numpy as np

from npu.errors import ModelError
from npu.model import numerics
from npu.model.activation import Activation
from npu.model.graph import DTYPE_RANGES, Graph, Quantization, Tensor, quantization
from npu.model.references import Operator
from npu.model.registry import Registry

PARAMETERS = Registry("npu.model.operators", "PARAMETERS")


def integer_parameters(graph: Graph) -> tuple[Any, ...]:
    """The integer parameters of every operator of a verified graph, in the graph's order.

    Raises
    ------
    ModelError
        If an operator's scales cannot be expressed.
    UnsupportedError
        If nothing says how to derive them.
    """
    functions = PARAMETERS.functions(graph)
    return tuple(derive(graph, op) for op, derive in zip(graph.operators, functions, strict=True))


def no_parameters(graph: Graph, op: Operator) -> None:
    """Those of an operator that does not compute."""


def place(graph: Graph, op: Operator) -> str:
    """What errors about an operator begin with."""
    return f"{graph.name}: {op.name}"


def scale(tensor: Tensor) -> np.float32:
    """The one scale of a tensor, or its first."""
    return quantization(tensor).scale[0]


def multiplier(real: float, where: str, once: bool = False) -> tuple[int, int]:
    """A real factor as (multiplier, shift); `once` as of a graph's `rounds_once`."""
    try:
        return numerics.quantize_multiplier(real, once)
    except ValueError as error:
        raise ModelError(f"{where}: its scales are too far apart: {error}") from None


def multiplier_below_one(real: float, where: str) -> tuple[int, int]:
    """A real factor of 0..1, ends excluded, as (multiplier, shift) with shift <= 0."""
    factor, shift = multiplier(real, where)
    if not 0 < real < 1 or shift > 0:
        raise ModelError(
            f"{where}: its scales are too far apart: a factor must be below 1, not {real!r}"
        )
    return factor, shift


def ratio(
    source: Quantization, output: Quantization, where: str, once: bool = False
) -> tuple[int, int]:
    """What steps of `source` become in steps of `output`, as (multiplier, shift)."""
    return multiplier(float(source.scale[0]) / float(output.scale[0]), where, once)


def steps(value: float, scale: np.float32, where: str) -> int:
    """`value` / `scale` in float32, rounded."""
    with np.errstate(over="ignore"):
        count = np.float32(value) / scale
    if not abs(count) <= numerics.INT32_MAX:
        raise ModelError(f"{where}: scale {scale} is too small for an activation at {value}")
    return numerics.round_half_away(float(count))


def activation_range(activation: Activation, output: Tensor, where: str) -> tuple[int, int]:
    """Smallest and largest value that a fused activation lets through."""
    lo, hi = DTYPE_RANGES[output.dtype]
    own = quantization(output)

    def at(value: float) -> int:
        return own.zero_point + steps(value, own.scale[0], where)

    match activation:
        case Activation.RELU:
            return max(lo, at(0.0)), hi
        case Activation.RELU6:
            return max(lo, at(0.0)), min(hi, at(6.0))
        case Activation.RELU_N1_TO_1:
            bounds = max(lo, at(-1.0)), min(hi, at(1.0))
            if bounds[0] > bounds[1]:
                raise ModelError(f"{where}: -1..1 lies outside of its output's range")
            return bounds
        case Activation.NONE:
            return lo, hi
