"""What of a model lies where in vector SRAM, and for how long: for pictures, from the first passes.

An image does not say it: its commands hold addresses, not what lives there.
"""

from dataclasses import dataclass

from compiler.compile import lower
from compiler.frontends.models import Model
from compiler.passes.allocate import allocate
from compiler.passes.lifetimes import lifetimes
from compiler.programs import Program
from npu.chip.params import ChipParams
from npu.model.layer import Layer


@dataclass(frozen=True)
class LiveRange:
    """A buffer in SRAM.

    Attributes
    ----------
    first, last : the steps that touch it first and last; of what is persistent, all.
    persistent : keeps its contents from call to call.
    """

    name: str
    address: int
    n_bytes: int
    first: int
    last: int
    persistent: bool


@dataclass(frozen=True)
class SramMap:
    """The SRAM of a model.

    Attributes
    ----------
    steps : what each chip operator works for, in the order of the program.
    used_bytes : from the first byte to the end of the highest buffer.
    """

    steps: tuple[Layer, ...]
    ranges: tuple[LiveRange, ...]
    used_bytes: int


def sram_map(model: Model, params: ChipParams, program: Program | None = None) -> SramMap:
    """As `compile_model` places it. Raises what that raises for a model that does not fit."""
    module = lower(model, params, program).module
    used, _ = allocate(module, params)
    steps = tuple(layer for segment in module.segments.values() for layer in segment.layers)
    last_step = max(len(steps) - 1, 0)
    ranges = tuple(
        LiveRange(
            buffer.name,
            buffer.address,
            buffer.n_bytes,
            first,
            min(last, last_step),
            buffer.persistent,
        )
        for buffer, (first, last) in lifetimes(module).items()
        if buffer.n_bytes
    )
    return SramMap(steps, ranges, used)
