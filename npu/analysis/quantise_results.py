"""The schema of what `npu quantize` reports; as `npu.analysis.results`."""

from typing import TypedDict


class ValueNoise(TypedDict):
    """A value of a float model and of its integer form, over all calls of the calibration.

    Attributes
    ----------
    decibels : signal to quantisation noise; None where nothing is lost.
    varying_decibels : the same, the mean of each element over the calls taken away.
    worst_steps : the largest error, in steps of the value's grid.
    """

    name: str
    decibels: float | None
    varying_decibels: float | None
    worst_steps: float


class PartReport(TypedDict):
    """A model: its file, its calibration, its weights' share of zeros, and its noise.

    Attributes
    ----------
    calls : of the calibration.
    file_bytes : of the integer model, as TFLite has it.
    weights, zeros : how many int8 weights, and how many of them are 0.
    bits : by node, where they are chosen one by one.
    states : what is carried from call to call, by input.
    settled : outputs that are the same in every call, and are left out.
    mean_calls : of means over all that was heard, after how many calls a call weighs as much for
        ever; 0 where there is none.
    outputs, values : noise of what the model gives, and of every value before it.
    """

    source: str
    calls: int
    file_bytes: int
    weights: int
    zeros: int
    bits: dict[str, int]
    states: list[str]
    settled: list[str]
    mean_calls: int
    outputs: list[ValueNoise]
    values: list[ValueNoise]


class QuantiseReport(TypedDict):
    """`npu quantize`: the parts of a model, one of a single file, and how ranges were chosen."""

    model: str
    output: str
    ranges: str
    parts: list[PartReport]
