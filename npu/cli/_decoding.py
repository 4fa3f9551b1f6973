"""The options that say how a transducer is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from npu.speech.beam import ACTIVE_PATHS, APART, BeamRules
from npu.speech.scores import MOST_PENALTY

GREEDY, BEAM = "greedy", "beam"
MOST_PATHS = 64


@dataclass(frozen=True)
class Decoding:
    """How a transducer is decoded.

    Attributes
    ----------
    beam : how wide; None decodes greedily, on the chip in its own loop.
    blank_penalty, temperature : as `npu.speech.scores.Scorer` takes them.
    """

    beam: BeamRules | None = None
    blank_penalty: float = 0.0
    temperature: float = 1.0

    @property
    def scoring(self) -> dict[str, Any]:
        """What makes scores of logits."""
        return {"blank_penalty": self.blank_penalty, "temperature": self.temperature}


_OPTIONS = (
    click.option(
        "--decoding-method",
        type=click.Choice([GREEDY, BEAM]),
        default=GREEDY,
        show_default=True,
        help="beam keeps several hypotheses; its search runs on the host.",
    ),
    click.option(
        "--num-active-paths",
        "active_paths",
        type=click.IntRange(1, MOST_PATHS),
        metavar="N",
        help=f"Hypotheses of a beam; {ACTIVE_PATHS} without it.",
    ),
    click.option(
        "--beam",
        "apart",
        type=click.FloatRange(0.1, 1000),
        metavar="NATS",
        help=f"What is so far behind the likeliest hypothesis is given up; {APART:g} without it.",
    ),
    click.option(
        "--one-symbol",
        is_flag=True,
        help="A beam whose calls end with the first symbol, as of icefall.",
    ),
    click.option(
        "--blank-penalty",
        type=click.FloatRange(-MOST_PENALTY, MOST_PENALTY),
        metavar="NATS",
        help="Of a beam: taken from the logit of blank; less than 0 for fewer symbols.",
    ),
    click.option(
        "--temperature",
        type=click.FloatRange(0.01, 100),
        metavar="T",
        help="Of a beam: logits are divided by it.",
    ),
)


def decoding_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that takes a `decoding`."""

    @wraps(command)
    def taken(
        *args: Any,
        decoding_method: str,
        active_paths: int | None,
        apart: float | None,
        one_symbol: bool,
        blank_penalty: float | None,
        temperature: float | None,
        **others: Any,
    ) -> Any:
        own = {
            "--num-active-paths": active_paths,
            "--beam": apart,
            "--one-symbol": one_symbol or None,
            "--blank-penalty": blank_penalty,
            "--temperature": temperature,
        }
        if decoding_method == GREEDY:
            given = [name for name, value in own.items() if value is not None]
            if given:
                raise click.UsageError(
                    f"{given[0]} is of a beam: give --decoding-method {BEAM} too"
                )
            return command(*args, decoding=Decoding(), **others)
        beam = BeamRules(active_paths or ACTIVE_PATHS, apart or APART, one_symbol)
        decoding = Decoding(
            beam,
            0.0 if blank_penalty is None else blank_penalty,
            1.0 if temperature is None else temperature,
        )
        return command(*args, decoding=decoding, **others)

    for option in reversed(_OPTIONS):
        taken = option(taken)
    return taken
