"""SVDF: a product with each call's input, and a weighted sum over the last calls' products."""

from dataclasses import dataclass, replace

import numpy as np

from npu.errors import ModelError
from npu.model import quantisation
from npu.model.graph import DTYPE_RANGES, Graph, Tensor, quantization
from npu.model.operators.product import MatVecParams, matvec_params
from npu.model.quantisation import place, scale
from npu.model.references import Constant, Operand, Operator, Result, State
from npu.model.rules import activation, bias, require, weights

_BIAS_SCALE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Svdf(Operator):
    """(batch, features) to (batch, units), with `rank` filters a unit.

    A filter's product with the input enters the state of (batch, filters * memory), in which each
    filter keeps its last `memory` products, the oldest first. What a unit gives is the sum over its
    filters and over time of those, times the time weights (filters, memory), and the bias. State
    and time weights are int8 or int16, both alike.
    """

    input: Operand
    feature_weights: Constant
    time_weights: Constant
    bias: Constant
    state: State
    output: Result
    rank: int = 1


@dataclass(frozen=True, eq=False)
class SvdfParams:
    """Both products.

    Attributes
    ----------
    feature : from input to steps of the state, without the state's zero point; limited to the
        state's type before that is added, which then wraps
    multiplier, shift : from products of state and time weights to the output
    """

    feature: MatVecParams
    state_zero_point: int
    multiplier: int
    shift: int
    output_zero_point: int


def verify(graph: Graph, op: Svdf) -> None:
    """Matrices of as many filters, and a state for each of them."""
    source = activation(graph, op.input, "input")
    output = activation(graph, op.output, "output")
    require(len(source.shape) == 2, f"its input must be a matrix, not {list(source.shape)}")
    # TFLM takes no notice of a zero point of weights.
    filters, features = weights(graph, op.feature_weights, "feature weights").shape
    require(
        source.shape[1] == features,
        f"its input must have {features} features, not {source.shape[1]}",
    )
    require(
        op.rank >= 1 and filters % op.rank == 0,
        f"its {filters} filters cannot be shared in ranks of {op.rank}",
    )
    units = filters // op.rank
    bias(graph, op.bias, units)
    wanted = (source.shape[0], units)
    require(output.shape == wanted, f"its output must be {list(wanted)}, not {list(output.shape)}")
    memory = _time_weights(graph, op, filters)
    state = activation(graph, op.state, "state", graph.tensors[op.time_weights].dtype)
    wanted = (source.shape[0], filters * memory)
    require(state.shape == wanted, f"its state must be {list(wanted)}, not {list(state.shape)}")
    # TFLM begins an int16 state with 0 and takes that for the zero point.
    zero = quantization(state).zero_point
    require(
        state.dtype == "int8" or zero == 0,
        f"the zero point of an int16 state must be 0, not {zero}",
    )


def _time_weights(graph: Graph, op: Svdf, filters: int) -> int:
    """How many calls the time weights look at."""
    tensor = graph.tensors[op.time_weights]
    require(
        tensor.is_constant
        and tensor.dtype in ("int8", "int16")
        and len(tensor.shape) == 2
        and tensor.shape[0] == filters
        and tensor.size > 0,
        f"its time weights must be constant int8 or int16 [{filters}, memory], not "
        f"{tensor.dtype} {list(tensor.shape)}",
    )
    require(
        tensor.quantization is not None and tensor.quantization.per_tensor,
        "its time weights must be quantised with one scale",
    )
    return tensor.shape[1]


def svdf_params(graph: Graph, op: Svdf) -> SvdfParams:
    """Parameters of an SVDF.

    Raises
    ------
    ModelError
        If the scales cannot be expressed, or the bias' scale is not that of the products over time.
    """
    where = place(graph, op)
    source, features, over_time, added, state, output = (
        graph.tensors[i]
        for i in (op.input, op.feature_weights, op.time_weights, op.bias, op.state, op.output)
    )
    product = float(scale(state)) * float(scale(over_time))
    _check_bias_scale(added, product, where)
    own = quantization(state)
    feature = matvec_params(
        quantization(source),
        features,
        replace(own, zero_point=0),
        DTYPE_RANGES[state.dtype],
        where,
    )
    multiplier, shift = quantisation.multiplier(product / float(scale(output)), where)
    zero = quantization(output).zero_point
    return SvdfParams(feature, own.zero_point, multiplier, shift, zero)


def _check_bias_scale(tensor: Tensor, product: float, where: str) -> None:
    own = tensor.quantization
    found = 0.0 if own is None else float(own.scale[0])
    if not abs(found - float(np.float32(product))) < _BIAS_SCALE_TOLERANCE:
        raise ModelError(
            f"{where}: the scale of its bias must be that of its products over time, "
            f"{product!r}, not {found!r}"
        )


RULES = {Svdf: verify}
PARAMETERS = {Svdf: svdf_params}
