"""What a legal quantised graph is: its tensors, their order, and each operator by its rules."""

import numpy as np

from npu.errors import ModelError
from npu.model.graph import (
    DTYPE_RANGES,
    DTYPES,
    MAX_ACTIVATIONS,
    MAX_RANK,
    Graph,
    Quantization,
    Tensor,
)
from npu.model.references import (
    operator_inputs,
    operator_outputs,
    operator_states,
    operator_variables,
)
from npu.model.registry import Registry
from npu.model.rules import require

RULES = Registry("npu.model.operators", "RULES")


def verify(graph: Graph) -> None:
    """Refuse anything that is not a legal quantised graph.

    Raises
    ------
    ModelError
        One line that names the graph, the operator or tensor, and what is wrong with it.
    UnsupportedError
        If nothing says what of an operator is legal.
    """
    try:
        _verify_tensors(graph)
        _verify_order(graph)
    except ModelError as error:
        raise ModelError(f"{graph.name}: {error}") from None
    for op, rule in zip(graph.operators, RULES.functions(graph), strict=True):
        try:
            rule(graph, op)
        except ModelError as error:
            raise ModelError(f"{graph.name}: {op.name}: {error}") from None


def _label(graph: Graph, index: int) -> str:
    return f"tensor {index} ({graph.tensors[index].name!r:.60})"


def _verify_tensors(graph: Graph) -> None:
    for index, tensor in enumerate(graph.tensors):
        try:
            _verify_tensor(tensor)
        except ModelError as error:
            raise ModelError(f"{_label(graph, index)}: {error}") from None
    computed = {i: tensor.size for i, tensor in enumerate(graph.tensors) if not tensor.is_constant}
    elements = sum(computed.values())
    if elements > MAX_ACTIVATIONS:
        largest = max(computed, key=computed.__getitem__)
        raise ModelError(
            f"its activations must have at most {MAX_ACTIVATIONS} elements in all, not {elements}; "
            f"the largest is {_label(graph, largest)}{_source_of(graph, largest)} with "
            f"{computed[largest]}: export it for a smaller input, or cut it in two"
        )


def _source_of(graph: Graph, index: int) -> str:
    """Which operator gives a tensor."""
    for op in graph.operators:
        if index in operator_outputs(op):
            return f", of {op.name},"
    return ""


def _verify_tensor(tensor: Tensor) -> None:
    require(
        tensor.dtype in DTYPES,
        f"its type must be one of {', '.join(DTYPES)}, not {tensor.dtype}",
    )
    require(
        len(tensor.shape) <= MAX_RANK,
        f"it must have at most {MAX_RANK} dimensions, not {len(tensor.shape)}",
    )
    require(
        all(d >= 0 for d in tensor.shape),
        f"its dimensions must not be negative, as in {list(tensor.shape)}",
    )
    if tensor.data is not None:
        require(not tensor.is_state, "a state must not be a constant")
        _verify_contents(tensor, tensor.data)
    if tensor.initial is not None:
        require(tensor.is_state, "only a state may have a value to begin with")
        _verify_contents(tensor, tensor.initial)
    if tensor.quantization is not None:
        require(tensor.dtype in DTYPE_RANGES, f"{tensor.dtype} must not be quantised")
        _verify_quantization(tensor, tensor.quantization)


def _verify_contents(tensor: Tensor, data: np.ndarray) -> None:
    require(
        data.shape == tensor.shape and data.dtype == tensor.dtype,
        f"its contents must be {tensor.dtype} {list(tensor.shape)}, "
        f"not {data.dtype} {list(data.shape)}",
    )


def _verify_quantization(tensor: Tensor, quantization: Quantization) -> None:
    scale = quantization.scale
    require(
        isinstance(scale, np.ndarray) and scale.dtype == np.float32 and scale.ndim == 1,
        "its scales must be a float32 vector",
    )
    require(
        len(scale) > 0 and bool(np.all(np.isfinite(scale))) and bool(np.all(scale > 0)),
        f"its scales must be finite and positive, not {scale[:4].tolist()}",
    )
    lo, hi = DTYPE_RANGES[tensor.dtype]
    require(
        lo <= quantization.zero_point <= hi,
        f"its zero point must be {lo} to {hi}, not {quantization.zero_point}",
    )
    if not quantization.per_tensor:
        axis = quantization.axis
        require(
            0 <= axis < len(tensor.shape) and tensor.shape[axis] == len(scale),
            f"its {len(scale)} scales do not fit axis {axis} of shape {list(tensor.shape)}",
        )


def _verify_order(graph: Graph) -> None:
    """Indices in range; everything read is known; nothing written twice."""

    def in_range(index: int, what: str) -> None:
        require(
            0 <= index < len(graph.tensors),
            f"{what} must be a tensor index below {len(graph.tensors)}, not {index}",
        )

    require(len(graph.inputs) > 0, "it has no inputs")
    require(len(graph.outputs) > 0, "it has no outputs")
    known = {i for i, t in enumerate(graph.tensors) if t.is_constant or t.is_state}
    states: set[int] = set()
    variables: set[int] = set()
    for index in graph.inputs:
        in_range(index, "an input")
        require(index not in known, f"{_label(graph, index)} must not be an input twice, or fixed")
        known.add(index)
    for op in graph.operators:
        for index in operator_inputs(op):
            in_range(index, f"{op.name}: an input")
            require(
                index in known, f"{op.name}: {_label(graph, index)} is read before it is computed"
            )
        for index in operator_outputs(op):
            in_range(index, f"{op.name}: an output")
            require(index not in known, f"{op.name}: {_label(graph, index)} is written twice")
            known.add(index)
        own = operator_states(op)
        for index in own:
            require(
                graph.tensors[index].is_state and index not in states,
                f"{op.name}: {_label(graph, index)} must be a state of this operator alone",
            )
            states.add(index)
        shared = operator_variables(op)
        for index in shared:
            in_range(index, f"{op.name}: a variable")
            require(graph.tensors[index].is_state, f"{op.name}: {_label(graph, index)} is no state")
            variables.add(index)
        for index in operator_inputs(op):
            require(
                index in own or index in shared or not graph.tensors[index].is_state,
                f"{op.name}: {_label(graph, index)} is a state; only its own operator may read it",
            )
    for index in states & variables:
        require(False, f"{_label(graph, index)} must be a state of one operator, or a variable")
    for index in graph.outputs:
        in_range(index, "an output")
        require(index in known, f"output {_label(graph, index)} is never computed")
        require(
            not graph.tensors[index].is_state, f"output {_label(graph, index)} must not be a state"
        )
