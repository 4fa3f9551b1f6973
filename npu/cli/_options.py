"""The options that commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from npu.chip.limit import NO_END
from npu.errors import ParamsError

if TYPE_CHECKING:
    from npu.chip.params import ChipParams

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


set_option = click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Change a parameter of the chip, as lanes=32; may be given several times.",
)


def changed_chip(params: ChipParams, changes: Sequence[str]) -> ChipParams:
    """The chip with the changes of `--set`, each "key=value" as in a chip's TOML file.

    Raises ParamsError naming what is wrong.
    """
    import tomllib

    from npu.chip.params import params_from_dict

    if not changes:
        return params
    values = params.model_dump()
    for change in changes:
        key, separator, value = (part.strip() for part in change.partition("="))
        try:
            # One key, with its room before it: what stands in brackets would be a table.
            found = tomllib.loads(f"{key} = {value}") if separator and key[:1] != "[" else {}
        except tomllib.TOMLDecodeError:
            found = {}
        if not found or "\n" in change:
            raise ParamsError(
                f"--set {change}: give a parameter and its value as in a chip's TOML file, for "
                "example lanes=32 or energy_pj.mac=0.3"
            )
        _merge(values, found)
    where = " ".join(f"--set {change}" for change in changes)
    if "name" not in {change.partition("=")[0].strip() for change in changes}:
        values["name"] = f"{params.name} with {', '.join(changes)}"
    return params_from_dict(values, where)


def _merge(values: dict[str, Any], found: dict[str, Any]) -> None:
    for key, value in found.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value
