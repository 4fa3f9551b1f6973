"""Models in forms that are refused as a whole: what they are, and the way out.

Only asked once something was refused, so that nothing here can refuse a model that runs.
"""

from typing import Any

from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

IDENTIFIER = b"TFL3"

CONVERT = (
    "convert it again with converter.optimizations = [tf.lite.Optimize.DEFAULT], a "
    "representative_dataset, target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8] and "
    "inference_input_type = inference_output_type = tf.int8"
)
QUANTISE = (
    "quantise it here: npu quantize MODEL.tflite --calibrate DATA.npz -o OUT.tflite, with an array "
    "(calls, ...) for each input under its name; or let the data lie beside it as MODEL.npz; or "
    f"{CONVERT}"
)
ONNX = "it is an ONNX model: give it the suffix .onnx"

_OTHER_FILES = (
    (b"PK\x03\x04", "it is a zip archive, such as Keras and PyTorch write"),
    (b"\x89HDF", "it is an HDF5 file, such as Keras writes"),
    (b"version https://git-lfs", "it is a pointer of Git LFS; fetch the file with git lfs pull"),
    (b"\x1f\x8b", "it is compressed with gzip; unpack it"),
)
_GRIDS = {TensorType.INT8, TensorType.UINT8, TensorType.INT16}
_FLOATS = (TensorType.FLOAT32, TensorType.FLOAT16)


def no_model(head: bytes, size: int) -> str | None:
    """Why a file with these first bytes is no TFLite model, None if it may be one."""
    if head[4:8] == IDENTIFIER:
        return None
    reason = "header: its identifier must be TFL3, so this is no TFLite model"
    if is_onnx(head):
        return f"{reason}; {ONNX}"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        return f"{reason}; it may be a compiled image: give it the suffix .npu"
    for begins, what in _OTHER_FILES:
        if head.startswith(begins):
            return f"{reason}; {what}"
    return reason


def is_onnx(head: bytes) -> bool:
    """Whether a file begins as exporters write ONNX: the version of the format, then a name."""
    return len(head) > 4 and head[0] == 0x08 and 0 < head[1] < 0x40 and head[2] in (0x12, 0x3A)


def explanation(model: Any, subgraph: Any) -> str | None:
    """What a model is that was refused, and the way out; None where there is no more to say."""
    if (custom := _custom_code(model)) is not None and "ethos-u" in custom:
        return "it is compiled already, by Vela for an Ethos-U; give the model that Vela was given"
    tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
    constants = {t.Type() for t in tensors if model.Buffers(t.Buffer()).DataLength() > 0}
    borders = {
        tensors[i].Type()
        for vector in (subgraph.InputsAsNumpy(), subgraph.OutputsAsNumpy())
        for i in ([] if isinstance(vector, int) else vector)
    }
    if computes_in_floats(model, subgraph):
        what = "it is a float model"
        if constants & {TensorType.INT8, TensorType.UINT8, TensorType.INT4}:
            what = "only its weights are quantised, it computes in float"
        return f"{what}, and its ranges are not known; {QUANTISE}"
    computed = {t.Type() for t in tensors if model.Buffers(t.Buffer()).DataLength() == 0}
    only_int16 = TensorType.INT16 in borders and TensorType.INT8 not in computed
    if only_int16 or _is_16x8(model, subgraph, tensors):
        return f"it is quantised 16x8, with int16 activations, and int8 ones are needed; {CONVERT}"
    if any(kind in borders for kind in _FLOATS) and not _converts_borders(model, subgraph):
        return f"only its weights are quantised, it computes in float; {CONVERT}"
    if TensorType.UINT8 in constants:
        return f"it is quantised to uint8, the older scheme; {CONVERT}"
    return None


def computes_in_floats(model: Any, subgraph: Any) -> bool:
    """Whether a model computes real numbers, and nothing on a grid of integers.

    Its constants may be stored as integers.
    """
    tensors = [subgraph.Tensors(i) for i in range(subgraph.TensorsLength())]
    computed = {t.Type() for t in tensors if model.Buffers(t.Buffer()).DataLength() == 0}
    return any(kind in computed for kind in _FLOATS) and not computed & _GRIDS


def _is_16x8(model: Any, subgraph: Any, tensors: list[Any]) -> bool:
    """Whether an operator takes int16 activations and int8 weights."""
    for i in range(subgraph.OperatorsLength()):
        inputs = subgraph.Operators(i).InputsAsNumpy()
        own = [] if isinstance(inputs, int) else [tensors[t] for t in inputs if t >= 0]
        if own and own[0].Type() == TensorType.INT16:
            others = [t for t in own[1:] if model.Buffers(t.Buffer()).DataLength() > 0]
            if any(t.Type() == TensorType.INT8 for t in others):
                return True
    return False


def _custom_code(model: Any) -> str | None:
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) == BuiltinOperator.CUSTOM:
            return (code.CustomCode() or b"").decode("utf-8", "replace")
    return None


def _converts_borders(model: Any, subgraph: Any) -> bool:
    """Whether a float border is one: a QUANTIZE or DEQUANTIZE stands at it."""
    kinds = (BuiltinOperator.QUANTIZE, BuiltinOperator.DEQUANTIZE)
    for i in range(subgraph.OperatorsLength()):
        code = model.OperatorCodes(subgraph.Operators(i).OpcodeIndex())
        if max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) in kinds:
            return True
    return False
