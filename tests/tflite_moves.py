"""Random TFLite models of one operator that only moves elements."""

from collections.abc import Callable
from typing import Any

import numpy as np
from flatbuffers import flexbuffers

from tests.tflite_builder import TYPES, ModelSpec


class Maker:
    """A model of one operator under construction, and what it is made of."""

    def __init__(self, rng: np.random.Generator, types: tuple[str, ...] = ("int8",)) -> None:
        self.rng = rng
        self.model = ModelSpec()
        self.dtype = str(rng.choice([*types, "int8"]))
        self.scale = np.float32(rng.uniform(0.01, 0.5))
        self.zero_point = int(rng.choice([-128, 127, 0, 3])) if self.dtype == "int8" else 0

    def number(self, lo: int, hi: int) -> int:
        """lo to hi, both possible."""
        return int(self.rng.integers(lo, hi + 1))

    def shape(self, rank: int, most: int = 6) -> list[int]:
        """Dimensions of 1 and more."""
        return [self.number(1, most) for _ in range(rank)]

    def tensor(self, shape: Any, data: np.ndarray | None = None) -> int:
        """One that moves."""
        quantised = self.dtype.startswith("int")
        scale = self.scale if quantised else None
        return self.model.tensor(tuple(shape), self.dtype, scale, self.zero_point, data)

    def input(self, shape: Any) -> int:
        """One that moves, and that a call gives."""
        index = self.tensor(shape)
        self.model.inputs.append(index)
        return index

    def numbers(self, values: Any, dtype: str = "int32") -> int:
        """A constant that says how the operator works."""
        data = np.asarray(values, dtype)
        return self.model.tensor(data.shape, dtype, data=data)

    def operator(
        self, kind: str, inputs: list[int], shapes: list[Any], options: Any = None
    ) -> ModelSpec:
        """The operator, with an output of each shape."""
        outputs = [self.tensor(shape) for shape in shapes]
        self.model.operator(kind, inputs, outputs, options)
        self.model.outputs = outputs
        return self.model


FLOAT_TO_INT16 = ("float32", "int16")
FLOAT_TO_INT32 = (*FLOAT_TO_INT16, "int32")


def concatenation(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, (*FLOAT_TO_INT32, "bool"))
    rank, count = m.number(1, 5), m.number(1, 10)
    shape, axis = m.shape(rank), m.number(0, rank - 1)
    inputs, total = [], 0
    for position in range(count):
        shape[axis] = m.number(0 if position else 1, 6)
        total += shape[axis]
        constant = position and not m.number(0, 4) and shape[axis] and m.dtype == "int8"
        data = rng.integers(-128, 128, shape).astype(np.int8) if constant else None
        inputs.append(m.tensor(shape, data) if constant else m.input(shape))
    shape[axis] = total
    options = {"Axis": axis - rank * m.number(0, 1)}
    return m.operator("CONCATENATION", inputs, [shape], ("ConcatenationOptions", options))


def split(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    rank, parts = m.number(1, 4), m.number(1, 6)
    shape, axis = m.shape(rank), m.number(0, rank - 1)
    each = shape.copy()
    shape[axis] *= parts
    at = m.numbers([axis - rank * m.number(0, 1)])
    return m.operator("SPLIT", [at, m.input(shape)], [each] * parts, ("SplitOptions", {}))


def split_v(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    rank, parts = m.number(1, 4), m.number(1, 6)
    shape, axis = m.shape(rank), m.number(0, rank - 1)
    sizes = m.shape(parts)
    shapes = [[*shape[:axis], size, *shape[axis + 1 :]] for size in sizes]
    shape[axis] = sum(sizes)
    inputs = [m.input(shape), m.numbers(sizes), m.numbers([axis - rank * m.number(0, 1)])]
    return m.operator("SPLIT_V", inputs, shapes, ("SplitVOptions", {}))


def pack(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    rank, count = m.number(0, 4), m.number(1, 6)
    shape, axis = m.shape(rank), m.number(0, rank)
    options = {"Axis": axis - (rank + 1) * m.number(0, 1), "ValuesCount": count}
    output = [*shape[:axis], count, *shape[axis:]]
    inputs = [m.input(shape) for _ in range(count)]
    return m.operator("PACK", inputs, [output], ("PackOptions", options))


def unpack(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    rank = m.number(1, 5)
    shape, axis = m.shape(rank), m.number(0, rank - 1)
    options = {"Axis": axis - rank * m.number(0, 1), "Num": shape[axis]}
    shapes = [[*shape[:axis], *shape[axis + 1 :]]] * shape[axis]
    return m.operator("UNPACK", [m.input(shape)], shapes, ("UnpackOptions", options))


def slice_(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, (*FLOAT_TO_INT32, "bool"))
    rank = m.number(1, 5)
    shape = m.shape(rank)
    begin = [m.number(0, n - 1) for n in shape]
    size = [m.number(1, n - b) for n, b in zip(shape, begin, strict=True)]
    told = [
        -1 if b + s == n and m.number(0, 1) else s
        for n, b, s in zip(shape, begin, size, strict=True)
    ]
    kind = str(rng.choice(["int32", "int64"]))
    inputs = [m.input(shape), m.numbers(begin, kind), m.numbers(told, kind)]
    return m.operator("SLICE", inputs, [size], ("SliceOptions", {}))


def slice_computed(rng: np.random.Generator) -> ModelSpec:
    """From a begin that a call gives."""
    m = Maker(rng, (*FLOAT_TO_INT32, "bool"))
    shape = m.shape(m.number(1, 5))
    size = [m.number(1, n) for n in shape]
    room = min(n - s for n, s in zip(shape, size, strict=True))
    begin = m.model.tensor((len(shape),), "int32", limit=room + 1)
    inputs = [m.input(shape), begin, m.numbers(size)]
    m.model.inputs.append(begin)
    return m.operator("SLICE", inputs, [size], ("SliceOptions", {}))


def strided_slice(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, (*FLOAT_TO_INT32, "bool"))
    rank = m.number(1, 4)
    shape = m.shape(rank, 8)
    begin, end, stride, kept = [], [], [], []
    masks = dict.fromkeys(("Begin", "End", "ShrinkAxis"), 0)
    for axis, n in enumerate(shape):
        step = int(rng.choice([1, 1, 2, 3, -1, -2]))
        first, last = m.number(-n - 2, n + 1), m.number(-n - 2, n + 1)
        shrunk = not m.number(0, 4)
        masked = [not m.number(0, 2), not m.number(0, 2)]
        if shrunk:
            step, first, masked[0] = 1, m.number(-n, n - 1), False
        chosen = range(n)[slice(*_bounds(first, last, n, step, masked), step)]
        if not chosen and not shrunk:
            masked, chosen = [True, True], range(n)[::step]
        begin.append(first)
        end.append(last)
        stride.append(step)
        for name, on in zip(masks, (*masked, shrunk), strict=True):
            masks[name] |= on << axis
        if not shrunk:
            kept.append(len(chosen))
    options = {f"{name}Mask": mask for name, mask in masks.items()}
    inputs = [m.input(shape), *(m.numbers(each) for each in (begin, end, stride))]
    return m.operator("STRIDED_SLICE", inputs, [kept], ("StridedSliceOptions", options))


def _bounds(
    first: int, last: int, n: int, step: int, masked: list[bool]
) -> tuple[int | None, int | None]:
    """As Python's slices take them."""
    return None if masked[0] else first, None if masked[1] else last


def transpose(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT16)
    shape = m.shape(m.number(1, 5))
    order = rng.permutation(len(shape))
    inputs = [m.input(shape), m.numbers(order)]
    return m.operator("TRANSPOSE", inputs, [[shape[a] for a in order]], ("TransposeOptions", {}))


def reverse(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, (*FLOAT_TO_INT32, "bool", "uint8"))
    rank = m.number(1, 5)
    shape = m.shape(rank)
    first = m.number(0, rank - 1)
    axes = rng.permutation(np.arange(first, m.number(first, rank - 1) + 1))
    inputs = [m.input(shape), m.numbers([int(a) - rank * m.number(0, 1) for a in axes])]
    return m.operator("REVERSE_V2", inputs, [shape], ("ReverseV2Options", {}))


def broadcast_to(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    output = m.shape(m.number(1, 5), 4)
    kept = output[m.number(0, len(output) - 1) :]
    shape = [1 if m.number(0, 1) else n for n in kept]
    inputs = [m.input(shape), m.numbers(output, str(rng.choice(["int32", "int64"])))]
    return m.operator("BROADCAST_TO", inputs, [output], ("BroadcastToOptions", {}))


def pad(rng: np.random.Generator) -> ModelSpec:
    return _padded(Maker(rng, FLOAT_TO_INT32), "PAD", [])


def padv2(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    if m.number(0, 1):
        return _padded(m, "PADV2", [m.input([])])
    value = rng.integers(0, 100, ()).astype(m.dtype)
    return _padded(m, "PADV2", [m.tensor([], value)])


def _padded(m: Maker, kind: str, value: list[int]) -> ModelSpec:
    rank = m.number(1, 5)
    shape = m.shape(rank, 4)
    sides = m.rng.integers(0, 4, (rank, 2)) * m.rng.integers(0, 2, (rank, 1))
    output = [n + int(s.sum()) for n, s in zip(shape, sides, strict=True)]
    inputs = [m.input(shape), m.numbers(sides), *value]
    name = "PadOptions" if kind == "PAD" else "PadV2Options"
    return m.operator(kind, inputs, [output], (name, {}))


def mirror_pad(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    rank, mode = m.number(1, 4), m.number(0, 1)
    shape = m.shape(rank)
    sides = [[m.number(0, n - 1 + mode) for _ in range(2)] for n in shape]
    output = [n + sum(s) for n, s in zip(shape, sides, strict=True)]
    inputs = [m.input(shape), m.numbers(sides, str(rng.choice(["int32", "int64"])))]
    return m.operator("MIRROR_PAD", inputs, [output], ("MirrorPadOptions", {"Mode": mode}))


def reshape(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, (*FLOAT_TO_INT32, "bool"))
    shape = m.shape(m.number(0, 4))
    output = rng.permutation([*shape, 1]).tolist()
    inputs = [m.input(shape), *([m.numbers(output)] if m.number(0, 1) else [])]
    return m.operator("RESHAPE", inputs, [output])


def squeeze(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    shape = [n if m.number(0, 1) else 1 for n in m.shape(m.number(1, 5))]
    ones = [axis for axis, n in enumerate(shape) if n == 1 and m.number(0, 1)]
    output = [n for axis, n in enumerate(shape) if axis not in (ones or range(5)) or n != 1]
    told = [axis - len(shape) * m.number(0, 1) for axis in ones]
    return m.operator(
        "SQUEEZE", [m.input(shape)], [output], ("SqueezeOptions", {"SqueezeDims": told})
    )


def expand_dims(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT16)
    shape = m.shape(m.number(0, 4))
    axis = m.number(0, len(shape))
    inputs = [m.input(shape), m.numbers([axis - (len(shape) + 1) * m.number(0, 1)])]
    output = [*shape[:axis], 1, *shape[axis:]]
    return m.operator("EXPAND_DIMS", inputs, [output], ("ExpandDimsOptions", {}))


def space_to_depth(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    (batch, h, w, depth), n = m.shape(4, 4), m.number(1, 3)
    inputs = [m.input([batch, h * n, w * n, depth])]
    options = ("SpaceToDepthOptions", {"BlockSize": n})
    return m.operator("SPACE_TO_DEPTH", inputs, [[batch, h, w, depth * n * n]], options)


def depth_to_space(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    (batch, h, w, depth), n = m.shape(4, 4), m.number(1, 3)
    inputs = [m.input([batch, h, w, depth * n * n])]
    options = ("DepthToSpaceOptions", {"BlockSize": n})
    return m.operator("DEPTH_TO_SPACE", inputs, [[batch, h * n, w * n, depth]], options)


def _batches(m: Maker) -> tuple[list[int], list[int], Any, list[int]]:
    """A large shape, a block, a border around it, and the shape of all small ones."""
    spatial = m.number(1, 2)
    batch, *small, depth = m.shape(spatial + 2, 4)
    block = m.shape(spatial, 3)
    border = np.zeros((spatial, 2), int)
    large = []
    for axis, (n, size) in enumerate(zip(small, block, strict=True)):
        before = m.number(0, min(2, n * size - 1))
        border[axis] = before, m.number(0, min(2, n * size - 1 - before))
        large.append(n * size - int(border[axis].sum()))
    return [batch, *large, depth], block, border, [batch * int(np.prod(block)), *small, depth]


def space_to_batch(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    large, block, border, small = _batches(m)
    inputs = [m.input(large), m.numbers(block), m.numbers(border)]
    return m.operator("SPACE_TO_BATCH_ND", inputs, [small], ("SpaceToBatchNDOptions", {}))


def batch_to_space(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    large, block, border, small = _batches(m)
    inputs = [m.input(small), m.numbers(block), m.numbers(border)]
    return m.operator("BATCH_TO_SPACE_ND", inputs, [large], ("BatchToSpaceNDOptions", {}))


def resize_nearest(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT16)
    shape, size = m.shape(4, 5), m.shape(2, 12)
    options = {"AlignCorners": bool(m.number(0, 1)), "HalfPixelCenters": bool(m.number(0, 1))}
    inputs = [m.input(shape), m.numbers(size)]
    output = [shape[0], *size, shape[3]]
    return m.operator(
        "RESIZE_NEAREST_NEIGHBOR", inputs, [output], ("ResizeNearestNeighborOptions", options)
    )


def gather(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32",))
    rank = m.number(1, 4)
    shape, axis = m.shape(rank, 5), m.number(0, rank - 1)
    batch = m.number(0, axis)
    coordinates = [*shape[:batch], *m.shape(m.number(0, 2), 4)]
    output = [*shape[:axis], *coordinates[batch:], *shape[axis + 1 :]]
    indices = rng.integers(0, shape[axis], coordinates).astype(np.int32)
    batched = batch - len(coordinates) * m.number(0, 1) if batch < len(coordinates) else batch
    options = {"Axis": axis - rank * m.number(0, 1), "BatchDims": batched}
    return m.operator(
        "GATHER", [m.input(shape), m.numbers(indices)], [output], ("GatherOptions", options)
    )


def gather_computed(rng: np.random.Generator) -> ModelSpec:
    """Indices that a call gives; the table is a constant or not."""
    spec = gather(rng)
    table, indices = spec.operators[0].inputs
    limit = spec.tensors[table].shape[spec.operators[0].options[1]["Axis"]]
    spec.tensors[indices].data, spec.tensors[indices].limit = None, limit
    spec.inputs = [table, indices]
    return spec


def embedding_lookup(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng)
    shape = [m.number(1, 9), *m.shape(m.number(1, 3))]
    table = m.tensor(shape, rng.integers(-128, 128, shape).astype(np.int8))
    indices = m.model.tensor((m.number(1, 5),), "int32", limit=shape[0])
    m.model.inputs = [indices]
    output = [m.model.tensors[indices].shape[0], *shape[1:]]
    return m.operator("EMBEDDING_LOOKUP", [indices, table], [output])


def update_slice(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, FLOAT_TO_INT32)
    shape = m.shape(m.number(1, 4))
    update = [m.number(1, n) for n in shape]
    inputs = [m.input(shape), m.input(update)]
    kind = str(rng.choice(["int32", "int64"]))
    if m.number(0, 1):
        start = m.numbers([m.number(-3, n + 2) for n in shape], kind)
    else:
        start = m.model.tensor((len(shape),), kind)
        m.model.inputs.append(start)
    options = ("DynamicUpdateSliceOptions", {})
    return m.operator("DYNAMIC_UPDATE_SLICE", [*inputs, start], [shape], options)


def quantize(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng)
    source, output = QUANTIZED[m.number(0, len(QUANTIZED) - 1)]
    return _retyped(m, "QUANTIZE", source, output)


def dequantize(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng)
    return _retyped(m, "DEQUANTIZE", str(rng.choice(["int8", "int16", "uint8"])), "float32")


def _retyped(m: Maker, kind: str, source: str, output: str) -> ModelSpec:
    shape = m.shape(m.number(0, 3), 9)
    for dtype in (source, output):
        if dtype == "float32":
            m.model.tensor(tuple(shape), dtype)
            continue
        scale = np.float32(np.exp(m.rng.uniform(np.log(1e-3), np.log(10))))
        limits = np.iinfo(dtype)
        zero = m.rng.choice([limits.min, limits.max, 0, m.number(-99, 99)])
        zero = int(zero) if dtype in ("int8", "uint8", "int16") else 0
        zero = min(max(zero, limits.min), limits.max)
        m.model.tensor(tuple(shape), dtype, scale, zero)
    m.model.operator(kind, [0], [1], (f"{kind.title()}Options", {}))
    m.model.inputs, m.model.outputs = [0], [1]
    return m.model


QUANTIZED = [
    *(("int8", other) for other in ("int8", "uint8", "int16", "int32")),
    ("uint8", "int8"),
    *(("int16", other) for other in ("int8", "int16", "int32")),
    *(("int32", other) for other in ("int8", "int16")),
    *(("float32", other) for other in ("int8", "int16")),
]


def variables(rng: np.random.Generator) -> ModelSpec:
    """A ring of the last inputs: read, the newest appended, the oldest dropped, assigned again."""
    m = Maker(rng)
    length, width = m.number(1, 5), m.number(1, 6)
    shape, named = (1, length, width), ("VarHandleOptions", {"SharedName": "ring"})
    x = m.input((1, 1, width))
    handle = m.model.tensor((1,), "resource")
    old = m.tensor(shape)
    both = m.tensor((1, length + 1, width))
    new = m.tensor(shape)
    begin, size = m.numbers([0, 1, 0]), m.numbers(shape)
    if m.number(0, 1):
        m.model.operator("CALL_ONCE", [], [], ("CallOnceOptions", {"InitSubgraphIndex": 1}))
        m.model.others = [_initialisation(m, shape, named)]
    m.model.operator("VAR_HANDLE", [], [handle], named)
    m.model.operator("READ_VARIABLE", [handle], [old])
    m.model.operator("CONCATENATION", [old, x], [both], ("ConcatenationOptions", {"Axis": 1}))
    m.model.operator("SLICE", [both, begin, size], [new], ("SliceOptions", {}))
    again = m.model.tensor((1,), "resource")
    m.model.operator("VAR_HANDLE", [], [again], named)
    m.model.operator("ASSIGN_VARIABLE", [again, new], [])
    m.model.outputs = [both]
    return m.model


def _initialisation(m: Maker, shape: tuple[int, ...], named: Any) -> ModelSpec:
    spec = ModelSpec()
    handle = spec.tensor((1,), "resource")
    data = m.rng.integers(-128, 128, shape).astype(np.int8)
    value = spec.tensor(shape, "int8", m.scale, m.zero_point, data)
    spec.operator("VAR_HANDLE", [], [handle], named)
    spec.operator("ASSIGN_VARIABLE", [handle, value], [])
    return spec


def circular_buffer(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng)
    width, depth, slots = m.shape(3)
    x = m.input((1, 1, width, depth))
    told = m.number(0, 2)
    slots = slots if told else 5
    y = m.model.tensor(
        (1, slots, width, depth), "int8", m.scale, m.zero_point, None, is_variable=True
    )
    out = m.tensor((slots, width * depth))
    options = bytes(flexbuffers.Dumps({"cycles_max": told})) if told else None
    m.model.operator("CIRCULAR_BUFFER", [x], [y], options)
    m.model.operator("RESHAPE", [y], [out])
    m.model.outputs = [out]
    return m.model


def fill(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32", "int32"))
    shape = m.shape(m.number(1, 4))
    inputs = [m.numbers(shape), m.input([])]
    return m.operator("FILL", inputs, [shape], ("FillOptions", {}))


def zeros_like(rng: np.random.Generator) -> ModelSpec:
    m = Maker(rng, ("float32", "int32"))
    shape = m.shape(m.number(0, 4))
    return m.operator("ZEROS_LIKE", [m.input(shape)], [shape], ("ZerosLikeOptions", {}))


def dynamic_batch(rng: np.random.Generator) -> ModelSpec:
    """As Keras writes it: a shape worked out of the input's, by which it is reshaped."""
    m = Maker(rng)
    shape = [1, *m.shape(2)]
    x = m.input(shape)
    dims, batch = m.model.tensor((3,), "int32"), m.model.tensor((), "int32")
    wanted, output = m.model.tensor((2,), "int32"), [1, shape[1] * shape[2]]
    m.model.operator("SHAPE", [x], [dims], ("ShapeOptions", {"OutType": TYPES["int32"]}))
    at = [m.numbers([n]) for n in (0, 1, 1)]
    options = ("StridedSliceOptions", {"ShrinkAxisMask": 1})
    m.model.operator("STRIDED_SLICE", [dims, *at], [batch], options)
    rest = m.numbers(output[1])
    options = ("PackOptions", {"Axis": 0, "ValuesCount": 2})
    m.model.operator("PACK", [batch, rest], [wanted], options)
    return m.operator("RESHAPE", [x, wanted], [output])


PICKS: dict[str, Callable[[np.random.Generator], ModelSpec]] = {
    "CIRCULAR_BUFFER": circular_buffer,
    "DEQUANTIZE": dequantize,
    "DYNAMIC_UPDATE_SLICE": update_slice,
    "EMBEDDING_LOOKUP": embedding_lookup,
    "FILL": fill,
    "GATHER": gather,
    "GATHER computed": gather_computed,
    "QUANTIZE": quantize,
    "SHAPE": dynamic_batch,
    "VARIABLES": variables,
    "ZEROS_LIKE": zeros_like,
}
MOVES: dict[str, Callable[[np.random.Generator], ModelSpec]] = {
    "BATCH_TO_SPACE_ND": batch_to_space,
    "BROADCAST_TO": broadcast_to,
    "CONCATENATION": concatenation,
    "DEPTH_TO_SPACE": depth_to_space,
    "EXPAND_DIMS": expand_dims,
    "MIRROR_PAD": mirror_pad,
    "PACK": pack,
    "PAD": pad,
    "PADV2": padv2,
    "RESHAPE": reshape,
    "RESIZE_NEAREST_NEIGHBOR": resize_nearest,
    "REVERSE_V2": reverse,
    "SLICE": slice_,
    "SLICE computed": slice_computed,
    "SPACE_TO_BATCH_ND": space_to_batch,
    "SPACE_TO_DEPTH": space_to_depth,
    "SPLIT": split,
    "SPLIT_V": split_v,
    "SQUEEZE": squeeze,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
    "UNPACK": unpack,
}
