"""A file and its first call: what is constant, what shape the rest has.

Shape arithmetic, constants of constants and settled branches are not computed here: onnxruntime
runs the first call, and what did not depend on its data is taken from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.counters import counters_of, without_counters
from compiler.floats.files import (
    dependent,
    free_inputs,
    library,
    open_onnx,
    run_once,
    settle_branches,
)
from compiler.floats.graph import Array, FloatGraph, Node, State, without_dead_nodes
from compiler.floats.integers import Integers, in_floats
from compiler.floats.means import without_means
from compiler.floats.samples import Samples
from compiler.floats.states import match_states
from npu.errors import ModelError, UnsupportedError
from npu.model.graph import DTYPE_RANGES

if TYPE_CHECKING:
    import onnx

DOMAINS = ("", "ai.onnx")
_DTYPES = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_, 10: np.float16, 11: np.float64}
_LOOPS = ("Loop", "Scan", "If")
_WHOLE = DTYPE_RANGES["int8"]


@dataclass(frozen=True, eq=False)
class Traced:
    """A graph as its file has it.

    Attributes
    ----------
    samples : of its inputs
    fed, first : all inputs of the first call, in the file's order, and its outputs
    limits : what magnitudes of values must stay below for the graph to be what the file is
    """

    graph: FloatGraph
    samples: Samples
    fed: tuple[Array, ...]
    first: Mapping[str, Array]
    limits: Mapping[str, float] = field(default_factory=dict)


def read_onnx(
    path: str | Path,
    samples: Samples,
    states: Mapping[str, str] | None = None,
    fixed: Collection[str] = (),
    outputs: Collection[str] | None = None,
) -> Traced:
    """A float graph as the file has it, with the samples of its inputs.

    states : output of an input that is a state, where names do not say so (`match_states`).
    fixed : names of inputs that are what the samples' first call has, in every call.
    outputs : names of those that are wanted besides states; all unless given.

    Raises
    ------
    ModelError
        The file is damaged, or the samples do not fit.
    UnsupportedError
        A shape or a branch depends on the data of a call.
    """
    path = Path(path)
    return trace(open_onnx(path), path.name, samples, states, fixed, outputs)


def trace(
    model: onnx.ModelProto,
    name: str,
    samples: Samples,
    states: Mapping[str, str] | None = None,
    fixed: Collection[str] = (),
    wanted: Collection[str] | None = None,
    initial: Mapping[str, Array] | None = None,
) -> Traced:
    """`read_onnx` of a model in memory, which is changed.

    initial : what states begin with that are not zero.
    """
    found = in_floats(model, name)
    samples = samples.scaled(found.inputs)
    declared = free_inputs(model)
    outputs = [v.name for v in model.graph.output]
    carried = match_states(name, list(declared), outputs, samples.arrays, states)
    counters = counters_of(model, declared, carried, set(samples.arrays))
    # What a counter becomes is nobody's output.
    counts = {each.following for each in counters.values()}
    carried = {each: then for each, then in carried.items() if each not in counters}
    free = [each for each in declared if each not in carried and each not in counters]
    settings = _settings(declared, free, samples)
    for each in fixed:
        if each not in declared or each not in samples.arrays:
            raise ModelError(f"{name}: there is no input with data {each!r} to be fixed")
        first = np.asarray(samples.arrays[each][0])
        settings[each] = first.astype(_dtype(declared[each], name))
    taken = tuple(each for each in free if each not in settings)
    if not taken:
        said = f"all inputs are states ({', '.join(carried)})" if carried else "no input is left"
        raise ModelError(f"{name}: {said}; nothing to run: leave one to the data of a call")
    own = samples.only(taken, name)
    if wanted is not None:
        outputs = [each for each in outputs if each in wanted or each in carried.values()]
    for each in taken:
        _require_integers(own.arrays[each], declared[each], own.place)
    feeds = {each: _first(own.arrays[each][0], declared[each], name) for each in taken}
    feeds |= settings
    begun = initial or {}
    zeros = [*carried, *counters]
    feeds |= {each: begun.get(each, _zeros(declared[each], name)) for each in zeros}
    settle_branches(model, feeds, {*taken, *carried, *counters}, name)
    if counters:
        outputs = [each for each in outputs if each not in counts]
        for forms in (without_means, without_counters):
            moving = forms(model, name, feeds, counters, {*taken, *carried})
            carried |= {each: state.following for each, state in moving.items()}
            feeds |= {each: state.initial for each, state in moving.items()}
    varying = {*taken, *carried}
    graph, values = _graph(model, name, feeds, varying, taken, outputs, carried)
    _require_whole(found, values, name)
    graph = replace(graph, steps=found.steps)
    fed = tuple(feeds[each] for each in declared)
    return Traced(graph, own, fed, {each: values[each] for each in graph.outputs})


def _require_whole(found: Integers, values: Mapping[str, Array], name: str) -> None:
    """Raise UnsupportedError for integers that come out of a node and do not fit into int8."""
    for value, node in found.whole.items():
        least, most = (float(pick(values[value])) for pick in (np.min, np.max))
        if least < _WHOLE[0] or most > _WHOLE[1]:
            raise UnsupportedError(
                f"{name}: node {node}: its integers come out as they are, {least:g} to {most:g}; "
                f"the chip's outputs are int8, so scale them to within {_WHOLE[0]} to {_WHOLE[1]}"
            )


def _graph(
    model: onnx.ModelProto,
    name: str,
    feeds: dict[str, Array],
    varying: set[str],
    taken: tuple[str, ...],
    outputs: list[str],
    carried: dict[str, str],
) -> tuple[FloatGraph, dict[str, Array]]:
    varies = dependent(model, varying)
    alive = [n for n in model.graph.node if varies & set(n.output)]
    for node in alive:
        _require_plain(node, name)
    fixed = {each for node in alive for each in node.input if each and each not in varies}
    fixed.update(each for each in outputs if each not in varies)
    stored = {t.name: library().numpy_helper.to_array(t) for t in model.graph.initializer}
    constants = {each: _narrowed(stored[each]) for each in fixed if each in stored}
    constants |= {each: _narrowed(feeds[each]) for each in fixed if each in feeds}
    given = [each for node in alive for each in node.output if each]
    unknown = [each for each in fixed if each not in constants]
    values = run_once(model, feeds, [*dict.fromkeys([*given, *unknown])], name)
    constants |= {each: _narrowed(values[each]) for each in unknown if each in values}
    for each, data in constants.items():
        if data.dtype.kind == "f" and np.any(np.isnan(data)):
            raise ModelError(f"{name}: constant {each!r} has nan; train or export the model again")
    shapes = {each: values[each].shape for each in given if each in values}
    shapes |= {each: feeds[each].shape for each in varying}
    shapes |= {each: data.shape for each, data in constants.items()}
    real = {each: value for each, value in values.items() if each in given} | {
        each: feeds[each] for each in varying
    }
    integers = frozenset(each for each, value in real.items() if value.dtype.kind in "iub")
    settled = tuple(each for each in outputs if each not in varies)
    if dull := [each for each in settled if each in carried.values()]:
        raise UnsupportedError(
            f"{name}: output {dull[0]!r} does not depend on any input; leave it out of the model"
        )
    states = tuple(
        State(each, carried[each], np.asarray(feeds[each], np.float32)) for each in carried
    )
    for state in states:
        if shapes.get(state.following) != shapes[state.current]:
            raise UnsupportedError(
                f"{name}: state {state.current!r} is {list(shapes[state.current])}, and its next "
                f"value {state.following!r} {list(shapes.get(state.following, ()))}; a state must "
                "keep its shape"
            )
    nodes = tuple(_node(node, number) for number, node in enumerate(alive))
    rest = tuple(each for each in outputs if each in varies and each not in carried.values())
    if whole := [each for each in rest if each in integers]:
        raise UnsupportedError(
            f"{name}: output {whole[0]!r} is of integers; the chip gives real numbers, so leave it "
            "out of the model"
        )
    if not rest:
        raise UnsupportedError(
            f"{name}: all outputs are states, or the same in every call; nothing is given"
        )
    graph = FloatGraph(name, nodes, constants, taken, rest, states, shapes, integers)
    return without_dead_nodes(replace(graph, settled=settled)), values


def _require_plain(node: Any, name: str) -> None:
    """Raise UnsupportedError for what is no operator of ONNX's own, or a loop."""
    where = f"{name}: node {node.name!r} ({node.op_type})"
    if node.domain not in DOMAINS:
        raise UnsupportedError(
            f"{where}: is of the domain {node.domain!r}; export without a runtime's own operators"
        )
    if node.op_type in _LOOPS:
        raise UnsupportedError(
            f"{where}: loops and branches on data do not run on the chip; export one step, with "
            "its state as input and output"
        )
    if node.op_type.startswith(("Random", "Bernoulli", "Multinomial")):
        raise UnsupportedError(f"{where}: is random; export the model for inference")
    whole = {a.name: a.i for a in node.attribute if a.HasField("i")}
    if node.op_type == "BatchNormalization" and whole.get("training_mode", 0):
        raise UnsupportedError(f"{where}: is in training mode; export the model for inference")
    if node.op_type in ("LSTM", "GRU", "RNN") and whole.get("layout", 0):
        raise UnsupportedError(
            f"{where}: its batch comes first (layout 1); export it with layout 0"
        )
    if node.op_type == "AveragePool" and any(
        step != 1 for a in node.attribute if a.name == "dilations" for step in a.ints
    ):
        raise UnsupportedError(f"{where}: its dilations are not 1; use a convolution")


def _node(node: Any, number: int) -> Node:
    attribute = library().helper.get_attribute_value
    found = {}
    for each in node.attribute:
        value = attribute(each)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, list) and value and isinstance(value[0], bytes):
            value = [part.decode("utf-8", "replace") for part in value]
        found[each.name] = value
    called = node.name or f"{node.op_type}_{number}"
    return Node(node.op_type, called, tuple(node.input), tuple(node.output), found)


def _narrowed(array: Array) -> Array:
    """Reals as float32, integers as int64; int8 and uint8 stay, as weights that are quantised."""
    if array.dtype.kind == "f":
        return np.asarray(array, np.float32)
    if array.dtype.kind in "iu" and array.dtype.itemsize > 1:
        return np.asarray(array, np.int64)
    return array


def _settings(declared: Mapping[str, Any], free: list[str], samples: Samples) -> dict[str, Array]:
    """Integer inputs of one element that say how to run: a rate, a length."""
    found: dict[str, Array] = {}
    for each in free:
        kind = declared[each].type.tensor_type.elem_type
        if kind not in (6, 7, 9):
            continue
        shape = _shape(declared[each])
        array = samples.arrays.get(each)
        if array is not None:
            flat = np.asarray(array).reshape(len(array) if np.ndim(array) else 1, -1)
            if flat.shape[1] == 1 and np.all(flat == flat[0]) and (len(flat) > 1 or not shape):
                found[each] = flat[0].astype(_DTYPES[kind]).reshape([1] * len(shape))
        elif "len" in each.lower():
            frames = next((samples.arrays[o].shape for o in free if o in samples.arrays), (0, 1, 1))
            length = frames[-2] if len(frames) > 2 else frames[-1] if frames else 1
            found[each] = np.full([1] * len(shape), length, _DTYPES[kind])
    return found


def _shape(declared: Any) -> list[int | None]:
    dims = declared.type.tensor_type.shape.dim
    return [int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else None for d in dims]


def _dtype(declared: Any, name: str) -> type:
    kind = declared.type.tensor_type.elem_type
    if kind not in _DTYPES:
        raise UnsupportedError(
            f"{name}: input {declared.name!r} is of ONNX's element type {kind}; float32 and "
            "integers are taken"
        )
    return _DTYPES[kind]


def _zeros(declared: Any, name: str) -> Array:
    """What a state begins with; axes without a size, as of the batch, have 1."""
    return np.zeros([n or 1 for n in _shape(declared)], _dtype(declared, name))


def _require_integers(array: Array, declared: Any, place: str) -> None:
    """Raise ModelError where an input of integers is given others."""
    whole = declared.type.tensor_type.elem_type in (6, 7)
    if whole and array.dtype.kind == "f" and np.any(apart := array != np.rint(array)):
        raise ModelError(
            f"{place}: array {declared.name!r} has {array[apart][0]:g}, the input takes integers"
        )


def _first(sample: Array, declared: Any, name: str) -> Array:
    """A call's data in the shape that the input has; axes without a size follow the data."""
    wanted = _shape(declared)
    if not declared.type.tensor_type.HasField("shape"):
        wanted = list(sample.shape)
    shape = list(sample.shape)
    while len(shape) < len(wanted) and wanted[len(wanted) - len(shape) - 1] in (1, None):
        shape.insert(0, 1)
    fits = len(shape) == len(wanted) and all(
        w in (None, n) for w, n in zip(wanted, shape, strict=True)
    )
    if not fits:
        known = [n for n in wanted if n is not None]
        wide = [n for n in sample.shape if n != 1]
        ordered = len(wide) == 1 or wide == [n for n in known if n != 1]
        if known and ordered and int(np.prod(known)) == sample.size:
            # Axes without a size have the one element that is left for them.
            shape = [n or 1 for n in wanted]
        else:
            said = ", ".join("any" if n is None else str(n) for n in wanted)
            raise ModelError(
                f"{name}: input {declared.name!r} takes [{said}], the calibration data has "
                f"{list(sample.shape)} a call"
            )
    return np.asarray(sample, _dtype(declared, name)).reshape(shape)
