"""What the schema calls things: names of its enumerations, and what they are here."""

from tflite.ActivationFunctionType import ActivationFunctionType
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

from npu.model.activation import Activation

DTYPES = {
    TensorType.INT8: "int8",
    TensorType.UINT8: "uint8",
    TensorType.INT16: "int16",
    TensorType.INT32: "int32",
    TensorType.INT64: "int64",
    TensorType.FLOAT32: "float32",
    TensorType.BOOL: "bool",
    TensorType.INT4: "int8",
}
"""Element types that are read, and what they become: int4, which only constants are, one a byte."""

ACTIVATIONS = {
    ActivationFunctionType.NONE: Activation.NONE,
    ActivationFunctionType.RELU: Activation.RELU,
    ActivationFunctionType.RELU6: Activation.RELU6,
    ActivationFunctionType.RELU_N1_TO_1: Activation.RELU_N1_TO_1,
}
"""Fused activations that run."""


def _names_of(enumeration: type) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


OPERATOR_NAMES = _names_of(BuiltinOperator)
TYPE_NAMES = _names_of(TensorType)
