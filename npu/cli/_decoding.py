"""The options that say how a transducer is decoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from npu.analysis.heard_results import DecodingReport
from npu.cli._options import Number
from npu.model.tokens import Tokens
from npu.speech.beam import ACTIVE_PATHS, APART, MOST_PATHS, BeamRules
from npu.speech.hotwords import MOST_WEIGHT, WEIGHT, Boost, Hotword, read_hotwords
from npu.speech.scores import MOST_PENALTY

GREEDY, BEAM = "greedy", "beam"


@dataclass(frozen=True)
class Decoding:
    """How a transducer is decoded.

    Attributes
    ----------
    beam : how wide; None decodes greedily, on the chip in its own loop.
    blank_penalty, temperature : as `npu.speech.scores.Scorer` takes them.
    hotwords : phrases that are to be heard more readily. hotwords_file : where they are from.
    min_score : below it a phrase is nothing, see `npu.speech.stream.Spoken.score`.
    lattice_labels : as `npu.speech.beam.BeamSearch` takes `lattice`.
    """

    beam: BeamRules | None = None
    blank_penalty: float = 0.0
    temperature: float = 1.0
    hotwords: tuple[Hotword, ...] = ()
    min_score: float | None = None
    hotwords_file: str | None = None
    lattice_labels: int | None = None

    def report(self) -> DecodingReport:
        """For JSON."""
        if self.beam is None:
            return {"method": GREEDY}
        report: DecodingReport = {
            "method": BEAM,
            "active_paths": self.beam.active_paths,
            "beam": self.beam.apart,
            "one_symbol": self.beam.one_symbol,
            "blank_penalty": self.blank_penalty,
            "temperature": self.temperature,
            "hotwords": len(self.hotwords),
            "min_score": self.min_score,
        }
        if self.lattice_labels is not None:
            report["lattice_labels"] = self.lattice_labels
        return report

    def scoring(self, tokens: Tokens) -> dict[str, Any]:
        """What makes scores of logits, of a model with these symbols. Raises InputError."""
        return {
            "blank_penalty": self.blank_penalty,
            "temperature": self.temperature,
            "boost": Boost(self.hotwords, tokens) if self.hotwords else None,
            "lattice": self.lattice_labels,
        }


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
        type=Number(0.1, 1000),
        metavar="NATS",
        help=f"What is so far behind the likeliest hypothesis is given up; {APART:g} without it.",
    ),
    click.option(
        "--one-symbol",
        is_flag=True,
        help="A beam whose calls end with the first symbol; icefall's do, too, but it ranks "
        "otherwise.",
    ),
    click.option(
        "--blank-penalty",
        type=Number(-MOST_PENALTY, MOST_PENALTY),
        metavar="NATS",
        help="Of a beam: taken from the logit of blank; less than 0 for fewer symbols.",
    ),
    click.option(
        "--temperature",
        type=Number(0.01, 100),
        metavar="T",
        help="Of a beam: logits are divided by it.",
    ),
    click.option(
        "--min-score",
        type=Number(-1e6, 1e6),
        metavar="NATS",
        help="Of a beam: a phrase whose log-probability a word is lower is nothing; such as -0.5.",
    ),
    click.option(
        "--hotwords-file",
        metavar="FILE",
        help="Of a beam: phrases to hear more readily, one a line, with ` :2.0` behind it for a "
        "weight of its own.",
    ),
    click.option(
        "--hotwords-score",
        type=Number(-MOST_WEIGHT, MOST_WEIGHT),
        metavar="NATS",
        help=f"What each letter of such a phrase adds; {WEIGHT} without it.",
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
        hotwords_file: str | None,
        hotwords_score: float | None,
        min_score: float | None,
        **others: Any,
    ) -> Any:
        own = {
            "--num-active-paths": active_paths,
            "--beam": apart,
            "--one-symbol": one_symbol or None,
            "--blank-penalty": blank_penalty,
            "--temperature": temperature,
            "--hotwords-file": hotwords_file,
            "--min-score": min_score,
        }
        if hotwords_score is not None and hotwords_file is None:
            raise click.UsageError("--hotwords-score is of the phrases of a --hotwords-file")
        if decoding_method == GREEDY:
            given = [name for name, value in own.items() if value is not None]
            if given:
                raise click.UsageError(
                    f"{given[0]} is of a beam: give --decoding-method {BEAM} too"
                )
            return command(*args, decoding=Decoding(), **others)
        hotwords: tuple[Hotword, ...] = ()
        if hotwords_file is not None:
            score = WEIGHT if hotwords_score is None else hotwords_score
            hotwords = tuple(read_hotwords(hotwords_file, score))
        decoding = Decoding(
            BeamRules(active_paths or ACTIVE_PATHS, apart or APART, one_symbol),
            0.0 if blank_penalty is None else blank_penalty,
            1.0 if temperature is None else temperature,
            hotwords,
            min_score,
            hotwords_file,
        )
        return command(*args, decoding=decoding, **others)

    for option in reversed(_OPTIONS):
        taken = option(taken)
    return taken
