"""The lines of TFLite's table for operators that only move elements."""

from collections.abc import Sequence
from typing import Any

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.ConcatenationOptions import ConcatenationOptions
from tflite.DepthToSpaceOptions import DepthToSpaceOptions
from tflite.MirrorPadOptions import MirrorPadOptions
from tflite.PackOptions import PackOptions
from tflite.ResizeNearestNeighborOptions import ResizeNearestNeighborOptions
from tflite.SpaceToDepthOptions import SpaceToDepthOptions
from tflite.SqueezeOptions import SqueezeOptions
from tflite.StridedSliceOptions import StridedSliceOptions
from tflite.UnpackOptions import UnpackOptions

from compiler.frontends.tflite import blocks, convert, moves
from compiler.frontends.tflite import constraints_moves as must
from compiler.frontends.tflite.entry import MANY_OUTPUTS, Entry
from compiler.frontends.tflite.site import Constraint
from npu.model.operators.move import Reshape

_BLOCKS = ("float32", "int8")
_FLOAT_TO_INT16 = ("float32", "int8", "int16")
_FLOAT_TO_INT32 = (*_FLOAT_TO_INT16, "int32")
_WITH_BOOL = (*_FLOAT_TO_INT32, "bool")
_MOST = (*_FLOAT_TO_INT32, "int64")


def _options(kind: Any) -> tuple[int, Any]:
    return getattr(BuiltinOptions, kind.__name__), kind


def _one(
    types: Sequence[str],
    pieces: moves.Pieces,
    *constraints: Constraint,
    options: Any = None,
    fill: moves.Fill | None = None,
) -> Entry:
    """An operator that moves its first input, all of one type, to its output."""
    return Entry(
        (*constraints, must.types(*types)),
        moves.moving(pieces, fill=fill),
        None if options is None else _options(options),
    )


def _reshaping(*constraints: Constraint, options: Any = None) -> Entry:
    found = None if options is None else _options(options)
    return Entry((*constraints, must.same_type), convert.unary(Reshape), found)


_PAD = Entry(
    (must.inputs(2, 3), must.constant(1, "the border"), must.types(*_FLOAT_TO_INT32), must.pad),
    moves.padding,
)

MOVES: dict[int, Entry] = {
    BuiltinOperator.CONCATENATION: Entry(
        (
            must.inputs(*range(1, 11)),
            must.types(*_MOST, "bool", at=None),
            must.no_activation,
            must.quantised_alike,
        ),
        moves.moving(moves.concatenation, None),
        _options(ConcatenationOptions),
    ),
    BuiltinOperator.SPLIT: Entry(
        (must.inputs(2), must.constant(0, "the axis"), must.types(*_FLOAT_TO_INT32, at=(1,))),
        moves.moving(moves.split, (1,)),
        common=MANY_OUTPUTS,
    ),
    BuiltinOperator.SPLIT_V: Entry(
        (must.inputs(3), must.constant(2, "the axis"), must.types(*_FLOAT_TO_INT32)),
        moves.moving(moves.split_v),
        common=MANY_OUTPUTS,
    ),
    BuiltinOperator.PACK: Entry(
        (must.inputs(*range(1, 65)), must.counted_inputs, must.types(*_MOST, at=None)),
        moves.moving(moves.pack, None),
        _options(PackOptions),
    ),
    BuiltinOperator.UNPACK: Entry(
        (must.inputs(1), must.counted_outputs, must.types(*_FLOAT_TO_INT32)),
        moves.moving(moves.unpack),
        _options(UnpackOptions),
        common=MANY_OUTPUTS,
    ),
    BuiltinOperator.SLICE: Entry(
        (
            must.inputs(3),
            must.types(*_WITH_BOOL),
            must.integers(1, "the begin"),
            must.constant(2, "the size"),
        ),
        moves.slicing,
    ),
    BuiltinOperator.STRIDED_SLICE: _one(
        _WITH_BOOL,
        moves.strided_slice,
        must.inputs(4),
        must.constant(1, "the begin", "int32"),
        must.constant(2, "the end", "int32"),
        must.constant(3, "the stride", "int32"),
        must.stored_options,
        must.no_other_masks,
        options=StridedSliceOptions,
    ),
    BuiltinOperator.PAD: _PAD,
    BuiltinOperator.PADV2: _PAD,
    BuiltinOperator.MIRROR_PAD: _one(
        _BLOCKS,
        moves.mirror_pad,
        must.inputs(2),
        must.constant(1, "the border"),
        must.stored_options,
        options=MirrorPadOptions,
    ),
    BuiltinOperator.TRANSPOSE: _one(
        _FLOAT_TO_INT16,
        moves.transpose,
        must.inputs(2),
        must.constant(1, "the order", "int32"),
        must.rank(5),
    ),
    BuiltinOperator.REVERSE_V2: _one(
        (*_MOST, "uint8", "bool"),
        moves.reverse,
        must.inputs(2),
        must.constant(1, "the axes", "int32"),
        must.rank(6),
    ),
    BuiltinOperator.BROADCAST_TO: _one(
        (*_MOST, "uint8", "bool"),
        moves.broadcast_to,
        must.inputs(2),
        must.constant(1, "the shape"),
        must.rank(5),
    ),
    BuiltinOperator.RESHAPE: _reshaping(must.inputs(1, 2)),
    BuiltinOperator.SQUEEZE: _reshaping(must.inputs(1), must.squeezed, options=SqueezeOptions),
    BuiltinOperator.EXPAND_DIMS: _reshaping(must.inputs(2)),
    BuiltinOperator.SPACE_TO_BATCH_ND: _one(
        _BLOCKS,
        blocks.space_to_batch,
        must.inputs(3),
        must.constant(1, "the block", "int32"),
        must.constant(2, "the border", "int32"),
        fill=blocks.batch_fill,
    ),
    BuiltinOperator.BATCH_TO_SPACE_ND: _one(
        _BLOCKS,
        blocks.batch_to_space,
        must.inputs(3),
        must.constant(1, "the block", "int32"),
        must.constant(2, "the border", "int32"),
    ),
    BuiltinOperator.SPACE_TO_DEPTH: _one(
        _BLOCKS, blocks.space_to_depth, must.inputs(1), options=SpaceToDepthOptions
    ),
    BuiltinOperator.DEPTH_TO_SPACE: _one(
        _BLOCKS, blocks.depth_to_space, must.inputs(1), options=DepthToSpaceOptions
    ),
    BuiltinOperator.RESIZE_NEAREST_NEIGHBOR: _one(
        _FLOAT_TO_INT16,
        blocks.resize_nearest,
        must.inputs(2),
        must.constant(1, "the size", "int32"),
        options=ResizeNearestNeighborOptions,
    ),
}
