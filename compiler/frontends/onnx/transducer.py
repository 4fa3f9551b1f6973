"""A folder of encoder, decoder, joiner and tokens in ONNX, as icefall and sherpa-onnx export it.

The encoder is calibrated on the data that is given, the decoder on every symbol in a random order,
the joiner on what both answer. The ends of encoder and decoder give the joiner's inputs their
grids, so that nothing is rescaled between them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compiler.floats.files import free_inputs, open_onnx
from compiler.floats.graph import FloatGraph, Node
from compiler.floats.rewrite.context import SYMBOL, of_one_symbol
from compiler.floats.run import observe, run
from compiler.floats.samples import Samples, load_samples
from compiler.floats.states import match_in_order, match_states
from compiler.floats.trace import trace
from compiler.frontends.onnx.nemo import (
    MOST_SYMBOLS,
    SHIFT,
    WINDOW,
    decoder_from_blank,
    is_nemos,
    joiner_from_blank,
    tokens_from_blank,
    with_frames_first,
)
from compiler.frontends.onnx.quantised import FloatModel, Quantised, calibrated, quantised_model
from compiler.quantise.choose import DEFAULT
from compiler.quantise.weights import WeightPlan
from npu.errors import ModelError, UnsupportedError
from npu.files import read_text
from npu.model.kaldi_frontend import icefall_frontend, nemo_frontend
from npu.model.tokens import MAX_BYTES, tokens_of

ROLES = ("encoder", "decoder", "joiner")
DATA = ("calibration.npz", "frames.npz")
"""Files of calibration data that are looked for in a folder."""

_PAIRS = 1024
"""Of an encoder's and a decoder's answers, on which the joiner is calibrated."""
_SYMBOLS = 512
"""That a decoder is calibrated on at least: what follows what shows in its ranges."""
_SEED = 20


@dataclass(frozen=True, eq=False)
class QuantisedTransducer:
    """The three parts, by role, and the other files of the folder as bytes."""

    parts: Mapping[str, Quantised]
    files: Mapping[str, bytes]


def parts_of(folder: Path) -> dict[str, Path]:
    """The file of each role: `encoder.onnx`, or the only one with `encoder` in its name.

    Raises ModelError where there is none, or where several might be meant.
    """
    found = {}
    for role in ROLES:
        exact = folder / f"{role}.onnx"
        named = sorted(p for p in folder.glob(f"*{role}*.onnx") if ".int8" not in p.name)
        if not exact.exists() and len(named) != 1:
            names = ", ".join(p.name for p in named) or "none"
            raise ModelError(f"{folder}: a transducer's folder has one {role}.onnx; found: {names}")
        found[role] = exact if exact.exists() else named[0]
    return found


def data_in(folder: Path) -> Samples:
    """The calibration data in a folder. Raises ModelError where there is none."""
    place = next((folder / name for name in DATA if (folder / name).exists()), None)
    if place is None:
        raise ModelError(
            f"{folder}: its models are float, and their ranges are not known: put calibration data "
            f"into it as {DATA[0]}, an array (calls, ...) for each input of the encoder that is no "
            f"state; or quantise it first: npu quantize {folder.name} --calibrate DATA.npz -o OUT"
        )
    return load_samples(place)


def quantise_transducer(
    folder: Path,
    samples: Samples,
    method: str = DEFAULT,
    frontend: Mapping[str, Any] | None = None,
    plan: WeightPlan | None = None,
) -> QuantisedTransducer:
    """The folder's models in int8, with a `model.json` that `load_model` takes.

    frontend : of model.json; Kaldi's features as icefall's models take them, unless given
    plan : of the weights of all parts

    Raises ModelError and UnsupportedError with the file and the reason.
    """
    files = parts_of(folder)
    place = folder / "tokens.txt"
    tokens, blank_last = tokens_from_blank(read_text(place, MAX_BYTES, ModelError))
    symbols = tokens_of(tokens, place)
    _require_logits(files["joiner"], len(symbols))
    encoder = _encoder(files["encoder"], samples)
    hop = _call_hop(files["encoder"], encoder.graph.shapes[encoder.graph.inputs[0]])
    decoder = _decoder(files["decoder"], len(symbols))
    if blank_last:
        decoder = _changed(decoder, decoder_from_blank(decoder.graph))
    encoded = quantised_model(encoder, method, plan=plan)
    decoded = quantised_model(decoder, method, plan=plan)
    joiner = _joiner(files["joiner"], encoder, decoder)
    if blank_last:
        joiner = _changed(joiner, joiner_from_blank(joiner.graph))
    first, second = joiner.graph.inputs
    told = {
        first: encoded.grid(encoder.graph.outputs[0]),
        second: decoded.grid(decoder.graph.outputs[0]),
    }
    joined = quantised_model(joiner, method, told, plan)
    frames = _frames_of(encoder.graph, joiner.graph.shapes[first])
    parts = {"encoder": encoded, "decoder": decoded, "joiner": joined}
    shape = encoder.graph.shapes[encoder.graph.inputs[0]]
    content = {
        "name": folder.resolve().name,
        "type": "transducer",
        "blank_id": 0,
        "start_id": 0,
        # Of several frames each, sherpa-onnx takes one symbol at most, and so they are trained.
        "max_symbols_per_frame": MOST_SYMBOLS if blank_last else 6 if frames == 1 else 1,
        "encoder": {
            "file": "encoder.tflite",
            "frames_per_call": int(np.prod(shape[:-1])),
            "stateful": True,
        },
        "decoder": {"file": "decoder.tflite", "stateful": True},
        "joiner": {"file": "joiner.tflite", "inputs": ["encoder_out", "decoder_out"]},
        "frontend": dict(frontend or _frontend(files["encoder"], shape, hop)),
        "provenance": {
            "from": {role: path.name for role, path in files.items()},
            "calibrated on": f"{samples.place}, {len(samples)} calls",
            "ranges": method,
        },
    }
    made = {f"{role}.tflite": part.data for role, part in parts.items()}
    made["tokens.txt"] = tokens.encode()
    made["model.json"] = (json.dumps(content, indent=1) + "\n").encode()
    return QuantisedTransducer(parts, made)


def _encoder(path: Path, samples: Samples) -> FloatModel:
    """The encoder's first output on the data, frames first."""
    model = open_onnx(path)
    if is_nemos(model):
        model, samples = with_frames_first(model, path.name, samples)
    if len(samples.arrays) == 1:
        # What the metadata says wrong is told before it is believed.
        (calls,) = samples.arrays.values()
        _call_hop(path, calls.shape[1:])
    first = _answer(model, path.name, samples)
    found = calibrated(trace(model, path.name, samples, wanted=[first]))
    return _first_output(found, "encoder")


def _require_logits(path: Path, count: int) -> None:
    """Raise ModelError where the joiner says another number of logits than there are symbols."""
    declared = open_onnx(path).graph.output[0].type.tensor_type.shape.dim
    logits = declared[-1].dim_value if declared else 0
    if logits > 1 and logits != count:
        raise ModelError(
            f"{path.parent / 'tokens.txt'}: it has {count} symbols, {path.name} gives {logits} "
            "logits; take the tokens.txt of this model"
        )


def _answer(model: Any, name: str, given: Samples) -> str:
    """The first output of a part that is no state: some exporters have states before it."""
    outputs = [each.name for each in model.graph.output]
    states = match_states(name, list(free_inputs(model)), outputs, list(given.arrays)).values()
    return next((each for each in outputs if each not in states), outputs[0])


def _changed(model: FloatModel, graph: FloatGraph) -> FloatModel:
    """A part with another graph, on the same data."""
    return FloatModel(graph, model.samples, observe(graph, model.samples))


def _first_output(model: FloatModel, role: str) -> FloatModel:
    """A part whose other outputs, as lengths, are left out; one of (1, width, 1) becomes a row."""
    graph = model.graph
    if len(graph.inputs) != 1:
        raise UnsupportedError(
            f"{graph.name}: the {role} takes {', '.join(graph.inputs)} besides its states; one "
            "input is run"
        )
    graph = replace(graph, outputs=graph.outputs[:1])
    shape = graph.shapes[graph.outputs[0]]
    if shape[-1] > 1 or int(np.prod(shape)) == 1:
        return replace(model, graph=graph)
    return _changed(model, _with_row(graph, graph.outputs[0], int(np.prod(shape))))


def _with_row(graph: FloatGraph, output: str, width: int) -> FloatGraph:
    """A graph that gives (1, width) for an output, whose name goes to that."""
    inner = f"{output}/column"

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(inner if each == output else each for each in names)

    nodes = [
        replace(node, inputs=named(node.inputs), outputs=named(node.outputs))
        for node in graph.nodes
    ]
    states = [
        replace(each, following=inner) if each.following == output else each
        for each in graph.states
    ]
    shapes = {**graph.shapes, inner: graph.shapes[output], output: (1, width)}
    row = Node("Reshape", f"{output}/row", (inner,), (output,))
    return replace(graph, nodes=(*nodes, row), states=tuple(states), shapes=shapes)


def _frames_of(graph: FloatGraph, wanted: tuple[int, ...]) -> int:
    """How many frames a call of the encoder gives. Raises UnsupportedError where they are none."""
    shape, size = graph.shapes[graph.outputs[0]], int(np.prod(wanted))
    if size not in (shape[-1], np.prod(shape)):
        raise UnsupportedError(
            f"{graph.name}: a call gives {list(shape)}, the joiner takes {list(wanted)}: frames of "
            f"{size} values are run; export the encoder with the output (1, frames, {size})"
        )
    return int(np.prod(shape)) // size


def _call_hop(path: Path, shape: tuple[int, ...]) -> int:
    """Frames from one call to the next, as the metadata of icefall's and NeMo's exports has it;
    without any, calls do not overlap.

    Raises ModelError where it is no number of frames that a call can have.
    """
    said = {each.key: each.value for each in open_onnx(path).metadata_props}
    frames = int(np.prod(shape[:-1]))
    taken = [(name, frames, frames) for name in ("T", WINDOW)]
    hops = [(name, 1, frames) for name in ("decode_chunk_len", SHIFT)]
    for name, least, most in (*taken, *hops):
        value = said.get(name, str(most)).strip()
        if not value.isdecimal() or not least <= int(value) <= most:
            raise ModelError(
                f"{path.name}: its metadata says {name} {value!r}, a call takes {frames} frames; "
                "export the encoder again"
            )
    return int(said.get("decode_chunk_len", said.get(SHIFT, frames)))


def _decoder(path: Path, count: int) -> FloatModel:
    """The decoder on every symbol in a random order, and more of them where they are few; its
    states are carried."""
    model = open_onnx(path)
    free = free_inputs(model)
    indices = [value for value in free.values() if value.type.tensor_type.elem_type in (6, 7)]
    if not indices:
        raise UnsupportedError(f"{path.name}: it has no input of symbols, int64 or int32")
    symbols = indices[0].name
    dims = [d.dim_value for d in indices[0].type.tensor_type.shape.dim]
    width = dims[1] if len(dims) > 1 and dims[1] > 0 else 1
    rng = np.random.default_rng(_SEED)
    drawn = rng.integers(0, count, max(0, _SYMBOLS - count))
    row = np.concatenate([np.zeros(width, np.int64), rng.permutation(count), drawn])
    windows = np.lib.stride_tricks.sliding_window_view(row, width)
    given = Samples({symbols: windows[:, None, :].copy()}, "all symbols")
    masked = any(node.op_type in ("GreaterOrEqual", "Less") for node in model.graph.node)
    first = _answer(model, path.name, given)
    others = [each for each in model.graph.output if each.name != first]
    named = match_states(path.name, list(free), [each.name for each in others], [symbols])
    real = [v for v in free.values() if v.type.tensor_type.elem_type not in (6, 7)]
    left = [v for v in real if v.name not in named]
    ends = [v for v in others if v.type.tensor_type.elem_type not in (6, 7)]
    rest = [v for v in ends if v.name not in named.values()]
    states = named | match_in_order(left, rest)
    traced = trace(model, path.name, given, states, wanted=[first])
    found = _first_output(calibrated(traced), "decoder")
    graph = of_one_symbol(found.graph, masked)
    if graph is found.graph:
        return found
    own = Samples({SYMBOL: windows[:, None, -1:].copy()}, given.place)
    return FloatModel(graph, own, observe(graph, own))


def _joiner(path: Path, encoder: FloatModel, decoder: FloatModel) -> FloatModel:
    """The joiner on random pairs of answers, the encoder's input first."""
    rng = np.random.default_rng(_SEED)
    answers = []
    for part in (encoder, decoder):
        output = part.graph.outputs[0]
        shape = part.graph.shapes[output]
        # (1, width, 1) is one frame, too.
        width = shape[-1] if shape[-1] > 1 else int(np.prod(shape))
        each = [made[output].reshape(-1, width) for made in run(part.graph, part.samples)]
        answers.append(np.concatenate(each))
    picks = [each[rng.integers(0, len(each), _PAIRS)] for each in answers]
    model = open_onnx(path)
    names = list(free_inputs(model))
    if len(names) != 2:
        raise UnsupportedError(f"{path.name}: a joiner takes 2 inputs, not {len(names)}")
    if "dec" in names[0] and "dec" not in names[1]:
        names.reverse()
    pairs = Samples(dict(zip(names, picks, strict=True)), "the answers of encoder and decoder")
    found = calibrated(trace(model, path.name, pairs))
    ordered = replace(found.graph, inputs=tuple(names), outputs=found.graph.outputs[:1])
    return replace(found, graph=ordered)


def _frontend(path: Path, shape: tuple[int, ...], hop: int) -> dict[str, Any]:
    """Features of Kaldi's kind, a bin for each value of a frame, for calls `hop` frames apart."""
    made = nemo_frontend if is_nemos(open_onnx(path)) else icefall_frontend
    return made(shape[-1], hop).model_dump(mode="json", exclude_defaults=True)
