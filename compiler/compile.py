"""The compiler, as a list of passes: model in, image out.

program -> link (lower each graph) -> verify -> place weights (deal, compress) -> allocate SRAM
-> emit (schedule) -> verify the image
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from compiler.frontends.models import Model
from compiler.lowering.ir import LayerError
from compiler.lowering.site import LOWER
from compiler.passes import verify
from compiler.passes.allocate import allocate
from compiler.passes.emit import Emitter
from compiler.passes.lifetimes import LiveSet
from compiler.passes.link import Linked, link
from compiler.passes.weights import check_weights, plan_weights
from compiler.programs import default_program
from compiler.programs.program import Program
from npu.chip.params import ChipParams
from npu.errors import CapacityError, NpuError, UnsupportedError
from npu.model.verify import verify as verify_graph
from npu.runtime.image import Image

Progress = Callable[[str], None]

STEP_BLOCKS = (1, 4, None)
"""What is tried, one after the other, until SRAM is large enough: see `GraphLowering`."""


def compile_model(
    model: Model,
    params: ChipParams,
    progress: Progress = lambda text: None,
    program: Program | None = None,
) -> Image:
    """Compile a model for a chip. The same model, chip and program give the same bytes.

    Parameters
    ----------
    progress : is told the name of each stage.
    program : what of the model runs when; see `compiler.programs`. Default: the call of a single
        graph, the greedy search of a transducer in a loop on the chip.

    Raises UnsupportedError for what the chip cannot run, CapacityError where it does not fit. The
    message begins with the file.
    """
    with _errors_named(model):
        progress("lowering")
        linked, sram_bytes, live = _placed(model, params, program)
        progress("compressing weights")
        plan = plan_weights(linked.module, params)
        verify.weights(plan, params)
        progress("emitting")
        image = Emitter(linked, plan, params).image(model, sram_bytes, live)
        verify.image(image)
        return image


def check_model(model: Model, params: ChipParams) -> None:
    """Raise what `compile_model` would, as far as it shows without compressing the weights.

    What is left is whether the tiles, their records and the program fit the chip.
    """
    with _errors_named(model):
        linked, _, _ = _placed(model, params)
        check_weights(linked.module, params)


def _placed(
    model: Model, params: ChipParams, program: Program | None = None
) -> tuple[Linked, int, LiveSet]:
    """A model as chip operators whose buffers have their places, and the bytes of SRAM in use.

    Where that does not fit as it is fastest, it is lowered again to take less. How does not depend
    on how much there is: with as much as is in use, the same comes out.
    """
    for step_blocks in STEP_BLOCKS:
        try:
            linked = lower(model, params, program, step_blocks)
            found = allocate(linked.module, params)
        except CapacityError:
            if step_blocks is None:
                raise
            continue
        verify.allocation(linked.module, params)
        return linked, *found
    raise AssertionError("the last one has returned, or raised")


def refused_operators(model: Model) -> dict[str, dict[str, str]]:
    """The operators of which the chip runs no form, with the reason, by file and name."""
    found: dict[str, dict[str, str]] = {}
    for graph in model.graphs.values():
        reasons = found.setdefault(graph.name, {})
        for op in graph.operators:
            try:
                LOWER.find(type(op), op.name)
            except UnsupportedError as error:
                reasons[op.name] = str(error).removeprefix(f"{op.name}: ")
    return found


def lower(
    model: Model,
    params: ChipParams,
    program: Program | None = None,
    step_blocks: int | None = 1,
) -> Linked:
    """A model as chip operators, not placed yet.

    step_blocks : as `compiler.lowering.site.GraphLowering` takes it.

    Raises ModelError, UnsupportedError, CapacityError.
    """
    for graph in model.graphs.values():
        verify_graph(graph)
    linked = link(program or default_program(model), model.graphs, params, step_blocks)
    verify.module(linked.module)
    return linked


@contextmanager
def _errors_named(model: Model) -> Iterator[None]:
    """Errors begin with the file: that of a graph, whose layer they may name, or the model's."""
    try:
        yield
    except LayerError as error:
        graph = model.graphs[error.layer.graph]
        raise CapacityError(f"{graph.name}: {error.layer.place}: {error.reason}") from error
    except NpuError as error:
        text = str(error)
        if any(text.startswith(f"{graph.name}: ") for graph in model.graphs.values()):
            raise
        raise type(error)(f"{model.name}: {text}") from error
