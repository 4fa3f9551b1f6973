"""What TensorFlow Lite Micro has and we refuse, with the reason and the way out."""

from tflite.BuiltinOperator import BuiltinOperator

from compiler.frontends.tflite.source import Code

_FLOAT = "TensorFlow Lite Micro runs it on float32 only"
_PART = f"{_FLOAT}; amid DEQUANTIZE and QUANTIZE of int8 it is part of a table"
_BOOL = "its answers are bool, which the chip does not compute; decide on the host"
_SIGNAL = "front ends for sound run on the host; give the model their features"
_LOOP = "how often it runs is not known; unroll loops before the conversion"
_SHAPES = "shapes are fixed when a model is read; convert it with fixed shapes"

REFUSED: dict[Code, str] = {
    BuiltinOperator.ADD_N: "add two at a time, with ADD",
    BuiltinOperator.BROADCAST_ARGS: _SHAPES,
    BuiltinOperator.CAST: "it takes integers for numbers, whatever their scale; take QUANTIZE "
    "(of an int8, with ADD of 128 and GATHER of 256 int8 behind it, it is part of a table)",
    BuiltinOperator.CEIL: _PART,
    BuiltinOperator.CUMSUM: "each sum waits for the one before; take a FULLY_CONNECTED of ones",
    BuiltinOperator.DIV: "the chip has no divider; multiply by a reciprocal, which amid DEQUANTIZE "
    "and QUANTIZE of int8 is a table",
    BuiltinOperator.FLOOR: _PART,
    BuiltinOperator.FLOOR_DIV: _FLOAT,
    BuiltinOperator.FLOOR_MOD: _FLOAT,
    BuiltinOperator.GATHER_ND: "it picks single elements; take GATHER along an axis",
    BuiltinOperator.L2_POOL_2D: _FLOAT,
    BuiltinOperator.LOG: _PART,
    BuiltinOperator.LOGICAL_AND: _BOOL,
    BuiltinOperator.LOGICAL_NOT: _BOOL,
    BuiltinOperator.LOGICAL_OR: _BOOL,
    BuiltinOperator.REDUCE_ALL: _BOOL,
    BuiltinOperator.RESIZE_BILINEAR: "each element is a sum of four at weights of its own; take "
    "RESIZE_NEAREST_NEIGHBOR or TRANSPOSE_CONV",
    BuiltinOperator.ROUND: _PART,
    BuiltinOperator.SELECT_V2: "it chooses by bool; multiply by a mask of 0 and 1",
    BuiltinOperator.SQRT: _PART,
    BuiltinOperator.WHILE: _LOOP,
    "TFLM_DECODE": "weights are compressed by the compiler here; give the model without it",
    "TFLite_Detection_PostProcess": "it computes in float32; cut it off and run it on the host",
    "ethos-u": "it was compiled for another processor; give the model that Vela was given",
    **dict.fromkeys(
        (
            "SignalDelay",
            "SignalEnergy",
            "SignalFftAutoScale",
            "SignalFilterBank",
            "SignalFilterBankLog",
            "SignalFilterBankSpectralSubtraction",
            "SignalFilterBankSquareRoot",
            "SignalFramer",
            "SignalIrfft",
            "SignalOverlapAdd",
            "SignalPCAN",
            "SignalRfft",
            "SignalStacker",
            "SignalWindow",
        ),
        _SIGNAL,
    ),
}
"""By code or custom name. What stands neither here nor in `table.SUPPORTED`, TensorFlow Lite Micro
does not have either."""

UNKNOWN = "TensorFlow Lite Micro does not have it"


def reason(code: Code) -> str:
    """Why an operator that is not supported is not."""
    return REFUSED.get(code, UNKNOWN)
