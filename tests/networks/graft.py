"""Models of one operator, in every form that random ones have, grafted on a model that grows."""

import copy
import math

import numpy as np

from tests.networks.grow import Grower, Shape
from tests.tflite_builder import ModelSpec

FRESH = 0.2
"""How often an operand of int8 is an input of the whole model."""


def graft(g: Grower, part: ModelSpec) -> None:
    """Put a model behind tensors of another one: brought to the shapes and scales it reads."""
    part = copy.deepcopy(part)
    _own_variables(g, part)
    bound: dict[int, int] = {}
    for index in part.inputs:
        if _takes(part, index) and not g.chance(FRESH):
            bound[index] = fitted(g, g.source(), part.tensors[index].shape)
    _agree(g, part, bound)
    places = {-1: -1}
    for index, tensor in enumerate(part.tensors):
        if index in bound:
            places[index] = bound[index]
            continue
        g.model.tensors.append(tensor)
        places[index] = len(g.model.tensors) - 1
    g.model.inputs += [places[i] for i in part.inputs if i not in bound]
    for op in part.operators:
        inputs = [places[i] for i in op.inputs]
        g.operator(op.kind, inputs, [places[i] for i in op.outputs], op.options)
    for index in dict.fromkeys(part.outputs):
        g.leaves[places[index]] = None
        if _takes(part, index):
            g.live.append(places[index])
    g.model.others += part.others


def _takes(part: ModelSpec, index: int) -> bool:
    """Whether another operator may give it: int8 with elements, of one scale."""
    tensor = part.tensors[index]
    plain = tensor.dtype == "int8" and tensor.limit is None and not tensor.is_variable
    return plain and math.prod(tensor.shape) > 0 and np.size(tensor.scale) == 1


def _own_variables(g: Grower, part: ModelSpec) -> None:
    """Names of variables, and the numbers of subgraphs that start them, are the whole model's."""
    name, others = f"ring {len(g.model.operators)}", len(g.model.others)
    for each in (part, *part.others):
        for op in each.operators:
            if op.kind == "VAR_HANDLE":
                op.options = ("VarHandleOptions", {"SharedName": name})
            elif op.kind == "CALL_ONCE":
                op.options = ("CallOnceOptions", {"InitSubgraphIndex": others + 1})


def _agree(g: Grower, part: ModelSpec, bound: dict[int, int]) -> None:
    """Sources with the scales that the operator reads: its own where all of it has one scale."""
    whole = [t for each in (part, *part.others) for t in each.tensors if t.dtype == "int8"]
    kinds = {(np.float32(np.ravel(t.scale)[0]), t.zero_point, np.size(t.scale)) for t in whole}
    sources = list(bound)
    if len(kinds) == 1 and len(bound) > 0 and g.chance(0.8):
        first = g.spec(bound[sources[0]])
        for tensor in whole:
            tensor.scale, tensor.zero_point = first.scale, first.zero_point
    for index in sources:
        tensor, source = part.tensors[index], g.spec(bound[index])
        if (source.scale, source.zero_point) != (tensor.scale, tensor.zero_point):
            y = g.new(source.shape, np.ravel(tensor.scale)[0], tensor.zero_point)
            g.operator("QUANTIZE", [bound[index]], [y], ("QuantizeOptions", {}))
            bound[index] = y


def fitted(g: Grower, x: int, shape: Shape) -> int:
    """A tensor's elements in another shape: cut, padded, or some of them twice."""
    wanted = math.prod(shape)
    if g.shape(x) == shape:
        return x
    if g.size(x) != wanted:
        x = _reshaped(g, x, (g.size(x),))
        if g.size(x) < wanted and 4 * g.size(x) > wanted and g.chance(0.5):
            several = -(-wanted // g.size(x))
            y = g.like(x, (several * g.size(x),))
            g.operator("CONCATENATION", [x] * several, [y], ("ConcatenationOptions", {}))
            x = y
        y = x
        if g.size(x) > wanted:
            y = g.like(x, (wanted,))
            begin = g.numbers([int(g.rng.integers(g.size(x) - wanted + 1))])
            g.operator("SLICE", [x, begin, g.numbers([wanted])], [y], ("SliceOptions", {}))
        elif g.size(x) < wanted:
            y = g.like(x, (wanted,))
            before = int(g.rng.integers(wanted - g.size(x) + 1))
            sides = g.numbers([[before, wanted - g.size(x) - before]])
            g.operator("PAD", [x, sides], [y], ("PadOptions", {}))
        x = y
    return _reshaped(g, x, shape)


def _reshaped(g: Grower, x: int, shape: Shape) -> int:
    if g.shape(x) == shape:
        return x
    y = g.like(x, shape)
    g.operator("RESHAPE", [x, g.numbers(shape)], [y])
    return y
