"""The options that commands share."""

from collections.abc import Callable
from typing import Any

import click

from npu.chip.limit import NO_END

Command = Callable[..., Any]

chip_option = click.option(
    "--chip",
    metavar="CHIP",
    help="tiny, edge, max or a TOML file with the same keys; edge unless said otherwise.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["twin", "rtl", "kernels"]),
    default="twin",
    show_default=True,
    help="twin counts the chip's cycles; rtl simulates its gates; kernels gives the bits only.",
)
json_option = click.option(
    "--json", "json_path", metavar="FILE", help="Write the report as JSON; - is stdout."
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
    """`--chip` of a command that shows its default."""
    return click.option(
        "--chip",
        metavar="CHIP",
        default=default,
        show_default=True,
        help="tiny, edge, max or a TOML file with the same keys.",
    )
