"""What moves elements: positions as ONNX counts them."""

import numpy as np

from compiler.frontends.tflite_float.site import ONNX_TYPES, TO_NCHW, TO_NHWC, Rule, Site

_END = (1 << 63) - 1
"""Beyond every axis: to its end."""


def _reshape(site: Site) -> None:
    """To the shape of the second input, or of the options."""
    if len(site.inputs) > 1 and site.given(1):
        data = site.written.constant(site.inputs[1])
        target = site.emit("Cast", [site.input(1)], to=7) if data is None else site.store(data)
    else:
        shape = site.options("ReshapeOptions").NewShapeAsNumpy()
        target = site.store([] if isinstance(shape, int) else shape)
    site.finish("Reshape", [site.input(0), target])


def _squeeze(site: Site) -> None:
    axes = site.options("SqueezeOptions").SqueezeDimsAsNumpy()
    named = [] if isinstance(axes, int) or not len(axes) else [site.store(axes)]
    site.finish("Squeeze", [site.input(0), *named])


def _expand_dims(site: Site) -> None:
    site.finish("Unsqueeze", [site.input(0), site.store(site.integers(1, "axis"))])


def _transpose(site: Site) -> None:
    site.turned(site.input(0), site.integers(1, "order"), site.output)


def _slice(site: Site) -> None:
    starts, sizes = site.integers(1, "begin"), site.integers(2, "size")
    ends = [_END if size < 0 else start + size for start, size in zip(starts, sizes, strict=True)]
    site.finish("Slice", [site.input(0), site.store(starts), site.store(ends)])


def _strided_slice(site: Site) -> None:
    told = site.options("StridedSliceOptions")
    if told.EllipsisMask() or told.NewAxisMask() or told.Offset():
        raise site.refuse("masks of ellipses and new axes, and offsets, are not read")
    starts, ends, steps = (
        site.integers(p, what) for p, what in ((1, "begin"), (2, "end"), (3, "stride"))
    )
    dropped = []
    for axis, step in enumerate(steps):
        if told.ShrinkAxisMask() >> axis & 1:
            dropped.append(axis)
            ends[axis] = _END if starts[axis] == -1 else starts[axis] + 1
            steps[axis] = 1
            continue
        if told.BeginMask() >> axis & 1:
            starts[axis] = 0 if step > 0 else _END
        if told.EndMask() >> axis & 1:
            ends[axis] = _END if step > 0 else -_END
    axes = list(range(len(starts)))
    operands = [site.input(0), *(site.store(each) for each in (starts, ends, axes, steps))]
    if not dropped:
        site.finish("Slice", operands)
        return
    site.finish("Squeeze", [site.emit("Slice", operands), site.store(dropped)])


def _split(site: Site) -> None:
    (axis,) = site.integers(0, "axis")
    _parts(site, site.input(1), axis, None)


def _split_v(site: Site) -> None:
    sizes, (axis,) = site.integers(1, "sizes"), site.integers(2, "axis")
    if min(sizes) < 0:
        width = site.shape(0)[axis]
        sizes = [width - sum(s for s in sizes if s >= 0) if s < 0 else s for s in sizes]
    _parts(site, site.input(0), axis, sizes)


def _parts(site: Site, value: str, axis: int, sizes: list[int] | None) -> None:
    outputs = [site.written.names[i] for i in site.outputs]
    named = [] if sizes is None else [site.store(sizes)]
    site.written.emit("Split", [value, *named], outputs, site.name, {"axis": axis})


def _unpack(site: Site) -> None:
    axis = site.options("UnpackOptions").Axis()
    names = [site.written.names[i] for i in site.outputs]
    parts = [f"{name}/part" for name in names]
    site.written.emit("Split", [site.input(0)], parts, site.name, {"axis": axis})
    for part, name in zip(parts, names, strict=True):
        site.emit("Squeeze", [part, site.store([axis])], name)


def _pack(site: Site) -> None:
    axis = site.options("PackOptions").Axis()
    parts = [
        site.emit("Unsqueeze", [site.input(p), site.store([axis])]) for p in range(len(site.inputs))
    ]
    site.finish("Concat", parts, axis=axis)


def _concatenation(site: Site) -> None:
    told = site.options("ConcatenationOptions")
    parts = [site.input(p) for p in range(len(site.inputs))]
    site.finish("Concat", parts, told.FusedActivationFunction(), axis=told.Axis())


def _pad(site: Site) -> None:
    borders = np.asarray(site.constant(1, "border")).reshape(-1, 2)
    operands = [site.input(0), site.store(borders.T.reshape(-1))]
    if site.given(2):
        operands.append(site.input(2))
    site.finish("Pad", operands)


def _mirror_pad(site: Site) -> None:
    borders = np.asarray(site.constant(1, "border")).reshape(-1, 2)
    if site.options("MirrorPadOptions").Mode():
        raise site.refuse("a border that repeats the edge (symmetric) has no form in int8")
    site.finish("Pad", [site.input(0), site.store(borders.T.reshape(-1))], mode="reflect")


def _gather(site: Site) -> None:
    told = site.options("GatherOptions")
    if told.BatchDims():
        raise site.refuse(f"its batch_dims are {told.BatchDims()}; 0 is read")
    site.finish("Gather", [site.input(0), site.input(1)], axis=told.Axis())


def _embedding_lookup(site: Site) -> None:
    site.finish("Gather", [site.input(1), site.input(0)], axis=0)


def _tile(site: Site) -> None:
    site.finish("Tile", [site.input(0), site.store(site.integers(1, "repeats"))])


def _broadcast_to(site: Site) -> None:
    site.finish("Expand", [site.input(0), site.store(site.integers(1, "shape"))])


def _shape(site: Site) -> None:
    kind = ONNX_TYPES[site.written.raw[site.outputs[0]].type]
    site.finish("Cast", [site.emit("Shape", [site.input(0)])], to=kind)


def _fill(site: Site) -> None:
    shape = site.emit("Cast", [site.input(0)], to=7)
    site.finish("Expand", [site.input(1), shape])


def _zeros_like(site: Site) -> None:
    shape = site.emit("Shape", [site.input(0)])
    zero = site.store(0, np.float32 if site.is_real(0) else np.int32)
    site.finish("Expand", [zero, shape])


def _blocks(kind: str, options: str) -> Rule:
    def rule(site: Site) -> None:
        size = site.options(options).BlockSize()
        made = site.emit(kind, [site.turned(site.input(0), TO_NCHW)], blocksize=size)
        site.turned(made, TO_NHWC, site.output)

    return rule


def _range(site: Site) -> None:
    site.finish("Range", [site.input(p) for p in range(3)])


def _reverse(site: Site) -> None:
    axes = site.integers(1, "axes")
    last, before = [-1] * len(axes), [-_END] * len(axes)
    operands = [site.input(0), *(site.store(each) for each in (last, before, axes, last))]
    site.finish("Slice", operands)


RULES: dict[str, Rule] = {
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TRANSPOSE": _transpose,
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
    "PACK": _pack,
    "CONCATENATION": _concatenation,
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _mirror_pad,
    "GATHER": _gather,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "TILE": _tile,
    "BROADCAST_TO": _broadcast_to,
    "SHAPE": _shape,
    "FILL": _fill,
    "RANGE": _range,
    "REVERSE_V2": _reverse,
    "ZEROS_LIKE": _zeros_like,
    "SPACE_TO_DEPTH": _blocks("SpaceToDepth", "SpaceToDepthOptions"),
    "DEPTH_TO_SPACE": _blocks("DepthToSpace", "DepthToSpaceOptions"),
}
