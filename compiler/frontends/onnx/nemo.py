"""Transducers as NeMo exports them: frames lie behind values, and the blank is the last symbol.

Features and answers are (1, values, frames) there; here (1, frames, values). Symbols are counted
from the blank on, which is 0: tables and matrices are turned by one, so that nothing is left to do
when the model runs.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from compiler.floats.files import free_inputs, library
from compiler.floats.graph import FloatGraph, Node, without_dead_nodes
from compiler.floats.samples import Samples
from npu.errors import ModelError, UnsupportedError
from npu.model.tokens import BLANK_SYMBOLS

if TYPE_CHECKING:
    import onnx

WINDOW, SHIFT = "window_size", "chunk_shift"
"""Of an encoder's metadata: frames that a call takes, and those from one call to the next."""

MOST_SYMBOLS = 10
"""That sherpa-onnx emits a frame, where the decoder has a state."""

_NORMALISED = "normalize_type"


def is_nemos(encoder: onnx.ModelProto) -> bool:
    """Whether an encoder says what NeMo's say."""
    return {WINDOW, SHIFT} <= {each.key for each in encoder.metadata_props}


def with_frames_first(
    encoder: onnx.ModelProto, name: str, samples: Samples
) -> tuple[onnx.ModelProto, Samples]:
    """An encoder that takes and gives (1, frames, values) under its own names, and the data so.

    samples : (calls, 1, values, frames) or (calls, values, frames) of the features; others stay.

    Raises ModelError where they are not among them, UnsupportedError where they are to be
    normalised by what a whole utterance has.
    """
    said = {each.key: each.value.strip() for each in encoder.metadata_props}
    if said.get(_NORMALISED, "NA") not in ("", "NA"):
        raise UnsupportedError(
            f"{name}: its metadata says {_NORMALISED} {said[_NORMALISED]!r}: features less their "
            "mean over the utterance, which a stream does not know; take a model trained without"
        )
    onnx = library()
    turned = onnx.ModelProto()
    turned.CopyFrom(encoder)
    graph, helper = turned.graph, onnx.helper
    features = next(iter(free_inputs(turned).values()))
    own = samples.only((features.name,), name).arrays[features.name]
    for kinds, value in ((graph.input, features), (graph.output, graph.output[0])):
        inner = f"{value.name}/values first"
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [inner if each == value.name else each for each in names]
        ends = (value.name, inner) if kinds is graph.input else (inner, value.name)
        turn = helper.make_node("Transpose", [ends[0]], [ends[1]], f"{inner}/turn", perm=[0, 2, 1])
        graph.node.insert(0 if kinds is graph.input else len(graph.node), turn)
        _swap(value)
    arrays = {**samples.arrays, features.name: np.swapaxes(own, -1, -2)}
    return turned, replace(samples, arrays=arrays)


def _swap(value: onnx.ValueInfoProto) -> None:
    """The last two axes of what is declared."""
    dims = value.type.tensor_type.shape.dim
    if len(dims) == 3:
        kept = [type(each).FromString(each.SerializeToString()) for each in dims]
        del dims[:]
        dims.extend([kept[0], kept[2], kept[1]])


def tokens_from_blank(text: str) -> tuple[str, bool]:
    """A `tokens.txt` in which the blank is 0, and whether it was the last symbol before."""
    lines = [line.split() for line in text.splitlines()]
    plain = all(len(line) == 2 and re.fullmatch("[0-9]{1,9}", line[1]) for line in lines)
    if not plain or len(lines) < 2:
        return text, False
    last = next((symbol for symbol, index in lines if int(index) == len(lines) - 1), "")
    first = next((symbol for symbol, index in lines if int(index) == 0), "")
    if last not in BLANK_SYMBOLS or first in BLANK_SYMBOLS:
        return text, False
    moved = sorted((int(index) + 1) % len(lines) for _, index in lines)
    symbols = {(int(index) + 1) % len(lines): symbol for symbol, index in lines}
    if len(symbols) != len(moved):
        raise ModelError("tokens.txt: an id appears twice")
    return "".join(f"{symbols[index]} {index}\n" for index in moved), True


def decoder_from_blank(graph: FloatGraph) -> FloatGraph:
    """A normal decoder whose table begins with the blank's row.

    Raises UnsupportedError where symbols are not looked up in one table.
    """
    (symbols,) = graph.inputs
    takers = [node for node in graph.nodes if symbols in node.inputs]
    table = graph.constant(takers[0].inputs[0]) if takers else None
    if len(takers) != 1 or takers[0].kind != "Gather" or table is None:
        raise graph.refuse(
            takers[0] if takers else graph.nodes[0],
            "its symbols must be looked up in one table, so that the blank can be the first",
        )
    return _with_constant(graph, takers[0], 0, np.roll(table, 1, axis=0))


def joiner_from_blank(graph: FloatGraph) -> FloatGraph:
    """A normal joiner whose logits begin with the blank's; a logarithm of shares at its end is left
    out, as logits have the same order and the same shares.

    Raises UnsupportedError where logits do not come from a matrix.
    """
    producers, count = graph.producers(), graph.shapes[graph.outputs[0]][-1]
    node = producers.get(graph.outputs[0])
    while node is not None and node.kind in ("Reshape", "Add", "LogSoftmax"):
        here = node
        node = producers.get(node.inputs[0])
        if here.kind == "Add":
            bias = graph.constant(here.inputs[1])
            if bias is None or bias.shape[-1:] != (count,):
                node = None
                break
            graph = _with_constant(graph, here, 1, np.roll(bias, 1, axis=-1))
        elif here.kind == "LogSoftmax":
            graph = _as_it_is(graph, here)
        elif graph.shapes[here.inputs[0]][-1] != count:
            node = None
    weights = None if node is None or node.kind != "MatMul" else graph.constant(node.inputs[1])
    if node is None or weights is None:
        raise graph.refuse(
            producers[graph.outputs[0]],
            "its logits must come from a matrix, so that the blank's can be the first",
        )
    return without_dead_nodes(_with_constant(graph, node, 1, np.roll(weights, 1, axis=-1)))


def _with_constant(graph: FloatGraph, node: Node, position: int, data: np.ndarray) -> FloatGraph:
    """A graph in which a node takes other numbers."""
    name = f"{node.inputs[position]}/from blank"
    inputs = tuple(name if at == position else each for at, each in enumerate(node.inputs))
    nodes = tuple(replace(n, inputs=inputs) if n.output == node.output else n for n in graph.nodes)
    constants, shapes = dict(graph.constants), dict(graph.shapes)
    constants[name], shapes[name] = data, data.shape
    return replace(graph, nodes=nodes, constants=constants, shapes=shapes)


def _as_it_is(graph: FloatGraph, node: Node) -> FloatGraph:
    """A graph in which a node gives what it takes."""
    through = replace(node, kind="Reshape", attributes={})
    nodes = tuple(through if each.output == node.output else each for each in graph.nodes)
    return replace(graph, nodes=nodes)
