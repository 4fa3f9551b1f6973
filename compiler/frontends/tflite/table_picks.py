"""The lines of TFLite's table for operators that pick by index, or change an element's type."""

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.GatherOptions import GatherOptions
from tflite.ShapeOptions import ShapeOptions

from compiler.frontends.tflite import constraints as common
from compiler.frontends.tflite import constraints_moves as must
from compiler.frontends.tflite import moves, picks
from compiler.frontends.tflite.entry import Entry

PICKS: dict[int, Entry] = {
    BuiltinOperator.DEQUANTIZE: Entry((must.inputs(1), picks.dequantizable), picks.dequantize),
    BuiltinOperator.DYNAMIC_UPDATE_SLICE: Entry(
        (must.inputs(3), must.types("float32", "int8", "int16", "int32", at=(0, 1))),
        picks.update_slice,
    ),
    BuiltinOperator.EMBEDDING_LOOKUP: Entry(
        (must.inputs(2), must.types("float32", "int8", at=(1,)), must.rows),
        picks.embedding_lookup,
    ),
    BuiltinOperator.GATHER: Entry(
        (must.inputs(2), must.types("float32", "int8"), common.int32_indices),
        picks.gather,
        (BuiltinOptions.GatherOptions, GatherOptions),
    ),
    BuiltinOperator.FILL: Entry(
        (
            must.inputs(2),
            must.constant(0, "the shape"),
            must.types("float32", "int8", "int32", at=(1,)),
        ),
        moves.moving(moves.filled, (1,)),
    ),
    BuiltinOperator.SHAPE: Entry(
        (must.inputs(1), picks.int32_output),
        picks.shape,
        (BuiltinOptions.ShapeOptions, ShapeOptions),
    ),
    BuiltinOperator.ZEROS_LIKE: Entry(
        (must.inputs(1), must.types("float32", "int8", "int32", "int64")),
        moves.moving(moves.nothing, fill=moves.zero),
    ),
    BuiltinOperator.QUANTIZE: Entry((must.inputs(1), picks.quantizable), picks.quantize),
}
