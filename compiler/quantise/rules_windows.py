"""Convolutions and pools: ONNX's images are NCHW, TFLite's NHWC."""

from compiler.quantise.rules import Rule

RULES: dict[str, Rule] = {}
