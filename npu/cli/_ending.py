"""The options that say when a phrase ends, for every command that cuts sound into phrases."""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from npu.cli._options import Number, Seconds
from npu.speech.ends import (
    END_SECONDS,
    ENDED_SECONDS,
    FAINT_DB,
    LEAD_SECONDS,
    LONGEST_SECONDS,
    MOST_SECONDS,
    Ending,
)

_silence = click.option(
    "--silence",
    "end_seconds",
    type=Seconds(min=0, max=MOST_SECONDS, min_open=True),
    metavar="SECONDS",
    help=f"Silence that ends a phrase, rounded to encoder calls; {END_SECONDS} without it, or what "
    "the model wants. From 1.2 on, also so long a sound of which nothing is understood.",
)

_lead = click.option(
    "--lead",
    type=Seconds(min=0, max=MOST_SECONDS),
    metavar="SECONDS",
    default=LEAD_SECONDS,
    show_default=True,
    help="So long before silence would end it, a phrase is told as over; 0 tells none so.",
)

_longest = click.option(
    "--longest",
    type=Seconds(min=0, max=MOST_SECONDS, min_open=True),
    metavar="SECONDS",
    default=LONGEST_SECONDS,
    show_default=True,
    help="A phrase ends after so long, whatever is said.",
)

_ended = click.option(
    "--after-end",
    "ended",
    type=Seconds(min=0, max=MOST_SECONDS),
    metavar="SECONDS",
    default=ENDED_SECONDS,
    show_default=True,
    help="So long behind the </s> of a model that has one a phrase ends, if no symbol comes.",
)

_faint = click.option(
    "--faint",
    type=Number(0, 1000),
    metavar="DB",
    default=FAINT_DB,
    show_default=True,
    help="A phrase so far fainter than one shortly before is nothing; 0 hears all.",
)


def ending_options(*, early: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of a command that takes an `ending`.

    early : whether the command tells a phrase as over before it has ended.
    """
    options = (_silence, *([_lead] if early else []), _longest, _ended, _faint)

    def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def taken(
            *args: Any,
            end_seconds: float | None,
            longest: float,
            ended: float,
            faint: float,
            lead: float = LEAD_SECONDS,
            **others: Any,
        ) -> Any:
            ending = Ending(
                end_seconds, lead=lead, longest=longest, ended=ended, faint=faint or math.inf
            )
            return command(*args, ending=ending, **others)

        for option in reversed(options):
            taken = option(taken)
        return taken

    return with_options
