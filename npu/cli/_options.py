"""The options that commands share."""

import math
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from compiler.frontends.workloads.names import MOST_SEED
from npu.chip.limit import NO_END
from npu.cli._chips import DEFAULT_CHIP, keep_overrides
from npu.errors import ModelError

Command = Callable[..., Any]

PRESETS = ("tiny", "edge", "max")
CHIP_HELP = "tiny, edge, max or a TOML file with the same keys"


def complete_chip(context: click.Context, param: click.Parameter, text: str) -> list[Any]:
    """What a shell offers for a chip: presets, and files."""
    found = [CompletionItem(name) for name in PRESETS if name.startswith(text)]
    return [*found, CompletionItem(text, type="file")]


def complete_model(context: click.Context, param: click.Parameter, text: str) -> list[Any]:
    """What a shell offers for a MODEL: those of the zoo, workloads, and files."""
    from compiler.frontends import workloads
    from npu import zoo

    named = [*zoo.names(), *(workloads.PREFIX + name for name in workloads.published())]
    found = [CompletionItem(name) for name in named if name.startswith(text)]
    return [*found, CompletionItem(text, type="file")]


set_option = click.option(
    "--set",
    metavar="NAME=VALUE",
    multiple=True,
    expose_value=False,
    callback=keep_overrides,
    help="Another value of a chip's parameter, such as lanes=32; may be given several times.",
)


def chip_or_image_option(otherwise: str) -> Callable[[Command], Command]:
    """`--chip` of a command whose MODEL may be an image, with its chip, and `--set` on top of it.

    otherwise : the chip of a model that is none, if nothing is said; the option gives None then.
    """
    option = click.option(
        "--chip",
        metavar="CHIP",
        shell_complete=complete_chip,
        help=f"{CHIP_HELP}; {otherwise} unless said otherwise.",
    )
    return lambda command: option(set_option(command))


chip_option = chip_or_image_option(DEFAULT_CHIP)
"""`--chip`, and `--set` on top of it: take both with `npu.cli._chips.load_chip`."""


def engine_choice(otherwise: str) -> Callable[[Command], Command]:
    """`--engine`, with what runs if nothing is said."""
    return click.option(
        "--engine",
        type=click.Choice(["twin", "rtl", "kernels"]),
        default=otherwise,
        show_default=True,
        help="twin counts the chip's cycles; rtl simulates its gates; kernels gives the bits only.",
    )


engine_option = engine_choice("twin")
board_option = click.option(
    "--board",
    metavar="PORT",
    help="Run on the chip of a board behind this serial port, such as /dev/ttyUSB0.",
)


def require_default(name: str, otherwise: str) -> None:
    """Raise a usage error where the command line gives the parameter `name`."""
    source = click.get_current_context().get_parameter_source(name)
    if source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError(otherwise)


json_option = click.option(
    "--json", "json_path", metavar="FILE", help="Write the report as JSON; - is stdout."
)

protect_option = click.option(
    "--protect",
    type=click.Choice(["none", "parity"]),
    default="none",
    show_default=True,
    help="Of the RTL: parity stops a program that reads a flipped bit.",
)

reset_option = click.option(
    "--reset",
    type=click.Choice(["sync", "async-low"]),
    default="sync",
    show_default=True,
    help="Of the RTL: async-low has rst_n, which resets without a clock, in the place of rst.",
)
crossing_option = click.option(
    "--crossing",
    is_flag=True,
    help="Of the RTL: both buses and irq have a clock of their own, aclk.",
)


class Number(click.FloatRange):
    """A range of numbers; click's own lets NaN through, as it compares with nothing."""

    unit = "a number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number; give {self.unit}, as 0.5.", param, ctx)
        return number


def _keep(context: click.Context, option: click.Parameter, value: Any) -> Any:
    assert option.name is not None, "options have names"
    context.meta[f"{__name__}.{option.name}"] = value
    return value


def _with_weights(context: click.Context, argument: click.Parameter, model: str) -> str:
    """MODEL with what the options say of its weights. Raises ModelError as the names do."""
    from compiler.frontends import workloads

    sparsity, seed = (context.meta[f"{__name__}.{name}"] for name in ("sparsity", "weight_seed"))
    if not workloads.is_workload(model):
        if sparsity is not None or seed is not None:
            option = "--sparsity" if sparsity is not None else "--weight-seed"
            known = ", ".join(workloads.PREFIX + name for name in workloads.published())
            raise ModelError(
                f"{model}: has weights of its own: leave {option} out, or take a workload ({known})"
            )
        return model
    return str(workloads.with_weights(workloads.workload_of(model), sparsity, seed))


# Eager, so that they are known when MODEL is.
_sparsity_option = click.option(
    "--sparsity",
    type=Number(0, 1),
    metavar="S",
    is_eager=True,
    expose_value=False,
    callback=_keep,
    help="Of MODEL workload:NAME: share of zeros in every matrix, such as 0.75; 0 unless said.",
)
_weight_seed_option = click.option(
    "--weight-seed",
    type=click.IntRange(0, MOST_SEED),
    metavar="N",
    is_eager=True,
    expose_value=False,
    callback=_keep,
    help="Of MODEL workload:NAME: seed of its random weights; 1 unless said.",
)


def model_argument(command: Command) -> Command:
    """MODEL, and of a workload `--sparsity` and `--weight-seed`, which become part of its name."""
    for option in (_sparsity_option, _weight_seed_option):
        command = option(command)
    argument = click.argument("model", shell_complete=complete_model, callback=_with_weights)
    return argument(command)


class Seconds(Number):
    """A range of seconds."""

    unit = "seconds"


class Pins(click.ParamType):
    """Inputs and outputs, `8:2`."""

    name = "IN:OUT"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        inputs, colon, outputs = value.partition(":")
        if not (colon and inputs.isdecimal() and outputs.isdecimal()):
            self.fail(f"{value!r} is not IN:OUT, two numbers such as 8:2", param, ctx)
        return int(inputs), int(outputs)


ram_pins_option = click.option(
    "--ram-pins",
    type=Pins(),
    metavar="IN:OUT",
    default=(0, 0),
    help="Pins that every block RAM's module has besides, for a memory macro's BIST, repair, sleep "
    "or status; as 8:2, none unless said otherwise. See rtl/INTEGRATION.md.",
)

clock_gating_option = click.option(
    "--clock-gating",
    is_flag=True,
    help="Of the RTL: gates in the clocks of matrix-vector unit, vector unit and DMA, and a port "
    "test_enable; for an ASIC. See rtl/INTEGRATION.md.",
)

signature_option = click.option(
    "--signature", metavar="NAME", help="Which signature of a model that has several."
)

max_cycles_option = click.option(
    "--max-cycles",
    type=click.IntRange(1, NO_END),
    metavar="N",
    help="Most cycles of one start of the chip; by default what the image can need.",
)


def chip_default_option(default: str) -> Callable[[Command], Command]:
    """`--chip` of a command that shows its default, and `--set`."""
    option = click.option(
        "--chip",
        metavar="CHIP",
        default=default,
        show_default=True,
        shell_complete=complete_chip,
        help=f"{CHIP_HELP}.",
    )
    return lambda command: option(set_option(command))
