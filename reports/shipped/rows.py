"""What is known of a model."""

from typing import NotRequired, TypedDict


class Lost(TypedDict):
    """An output: signal to quantisation noise, and the same without what never changes.

    None where the output is exact, or never changes.
    """

    name: str
    decibels: float | None
    varying_decibels: float | None
    worst_steps: float


class Found(TypedDict):
    """What came of a model; `refused` has the line that a user gets.

    Attributes
    ----------
    operators : by kind, how many
    integers : whether it computes in integers already, which is no case for this page
    runtime : that the outputs are from
    data, calls : what it was given; calls that were calibrated on, and that were measured
    left_out : outputs that are of integers
    """

    operators: dict[str, int]
    integers: bool
    runtime: NotRequired[str]
    data: NotRequired[str]
    calls: NotRequired[list[int]]
    left_out: NotRequired[list[str]]
    outputs: NotRequired[list[Lost]]
    refused: NotRequired[str]


class Row(Found):
    """A model; `stopped` says why it has no answer."""

    packages: list[str]
    file: str
    sha256: str
    bytes: int
    seconds: float
    stopped: NotRequired[str]
