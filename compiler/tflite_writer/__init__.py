"""Writes models of TFLite, with the published schema's own builder functions.

`specs` says what a model is made of, `flatbuffer` writes it down. What is read of such a file is in
`compiler.frontends.tflite`.
"""

from compiler.tflite_writer.flatbuffer import write
from compiler.tflite_writer.specs import TYPES, ModelSpec, OperatorSpec, Signature, TensorSpec

__all__ = ["TYPES", "ModelSpec", "OperatorSpec", "Signature", "TensorSpec", "write"]
