"""Conditions: comparisons of one int8 with a constant, which decide which graph of an IF runs.

TFLM compares int8 tensors after bringing both to one scale, 2^-8 of a real unit, with two
roundings: of small scales many neighbours are one there, and EQUAL holds for several integers. Here
the answers for all 256 integers are written down when a model is read, so that nothing but the
integer itself is looked at when it runs.
"""

from collections.abc import Callable

import numpy as np
from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Convert, Number
from compiler.frontends.tflite.decisions import Decision
from compiler.frontends.tflite.site import Site
from compiler.frontends.tflite.tensors import RawTensor
from npu.model.numerics import (
    INT8_MAX,
    INT8_MIN,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)

_LEFT_SHIFT = 8

Compare = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Of two vectors, or of a vector and one number: where it holds."""


def one_int8_and_a_constant(site: Site) -> bool:
    """one int8 element is compared with one that is constant"""
    operands = [site.input(p) for p in range(2)]
    return (
        all(t.type == TensorType.INT8 and set(t.shape) <= {1} for t in operands)
        and any(t.is_constant for t in operands)
        and not any(t.is_variable for t in operands)
        and site.output().type == TensorType.BOOL
        and set(site.output().shape) <= {1}
    )


def scales_below_one(site: Site) -> bool:
    """both have one scale, below 1: TensorFlow Lite Micro takes no other"""
    operands = [site.input(p) for p in range(2)]
    return all(
        t.scales == 1 and 0 < t.scale < 1 and quantize_multiplier(t.scale)[1] <= 0 for t in operands
    )


def only_decides(site: Site) -> bool:
    """its answer is the condition of an IF, and nothing else reads it"""
    both = all(site.input(p).is_constant for p in range(2))
    return both or site.outputs[0] not in site.decisions.elsewhere


def compare(holds: Compare) -> Convert:
    """A comparison; of constants it is one itself."""

    def convert(name: str, site: Site, tensor: Number) -> None:
        every = np.arange(INT8_MIN, INT8_MAX + 1)
        found = [site.constant(position) for position in range(2)]
        real = [
            _rescaled(every if one is None else one.reshape(-1).astype(np.int64), site.input(p))
            for p, one in enumerate(found)
        ]
        answers = holds(*real)
        if len(answers) == 1:
            site.know(0, answers.reshape(site.output().shape))
            return
        source = site.inputs[next(p for p, one in enumerate(found) if one is None)]
        site.decisions.known[site.outputs[0]] = Decision(source, answers)

    return convert


def _rescaled(values: np.ndarray, raw: RawTensor) -> np.ndarray:
    """int8 in the steps in which TFLM compares."""
    multiplier, shift = quantize_multiplier(raw.scale)
    found = [
        multiply_by_quantized_multiplier(int(v) << _LEFT_SHIFT, multiplier, shift)
        for v in values - raw.zero_point
    ]
    return np.array(found, np.int64)
