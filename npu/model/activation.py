"""Activations fused into an operator: a clamp of its result."""

from enum import StrEnum


class Activation(StrEnum):
    """A clamp fused into an operator."""

    NONE = "none"
    RELU = "relu"
    RELU6 = "relu6"
    RELU_N1_TO_1 = "relu_n1_to_1"
