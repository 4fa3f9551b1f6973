"""What `npu evaluate` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from npu.analysis.evaluation_results import (
    DifferenceReport,
    ErrorsReport,
    EvaluateReport,
    ModelReport,
    RateReport,
    UtteranceReport,
)
from npu.cli._output import table

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_CONFUSIONS = 10
RULE_OF_THREE = 3
"""Where no error came, the 95 % limit of how many were to be expected."""

NOTHING = "*"
"""In the place of a word that is not there, as sclite has it."""


def show(report: EvaluateReport, errors: int, out: Console) -> None:
    """The figures of every model, who errs where, and how sure all that is."""
    models = report["models"]
    columns = ["", *(model["model"] for model in models)]
    minutes, seconds = divmod(round(report["seconds"]), 60)
    title = (
        f"{report['set']}: {report['utterances']:,} utterances, {minutes:,}:{seconds:02d} of sound"
    )
    if report["speakers"]:
        title += f", {report['speakers']:,} speakers"
    figures = [dict(_figures(model, report["level"])) for model in models]
    rows = [[name, *(of.get(name, "") for of in figures)] for name in _names(figures)]
    out.print(table(columns, rows, title=title))
    if "difference" in report:
        out.print(_difference(report["difference"], report, columns[1], columns[2]))
    for model in models:
        _show_scores(model, report, out)
        _show_groups(model, report, out)
        _show_confusions(model, out)
        _show_errors(model, errors, out)
    _show_method(report, out)


def _names(figures: list[dict[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for of in figures for name in of))


def _figures(model: ModelReport, level: float) -> Iterator[tuple[str, str]]:
    if "speech" in model:
        of = model["speech"]
        yield "utterances with words", f"{of['utterances']:,}"
        yield "words", f"{of['words']:,}"
        yield "word errors", f"{of['word_errors']['percent']:.2f} %"
        yield f"  {level:.0%} interval", _interval(of["word_errors"])
        if "oracle" in model:
            yield "n-best oracle", f"{model['oracle']['percent']:.2f} %"
            yield "  its interval", _interval(model["oracle"])
        if "lattice" in model:
            yield "lattice oracle", f"{model['lattice']['oracle']['percent']:.2f} %"
            yield "  its own interval", _interval(model["lattice"]["oracle"])
            yield "  arcs a word", f"{model['lattice']['arcs_per_word']:.2f}"
        if "confidence" in model:
            sure = model["confidence"]
            yield "confidence of words", f"{sure['mean']:.3f}, {sure['right']:.3f} are right"
            yield "  cross entropy", f"{sure['cross_entropy']:.3f} of 1"
            yield "  area of ROC", f"{sure['area']:.3f}"
        yield "substitutions", f"{of['substitutions']:,}"
        yield "deletions", f"{of['deletions']:,}"
        yield "insertions", f"{of['insertions']:,}"
        yield "utterances with an error", f"{of['sentence_errors']['percent']:.2f} %"
        yield f"  their {level:.0%} interval", _interval(of["sentence_errors"])
    if "delay" in model:
        delay = model["delay"]
        yield "emission delay p50", f"{delay['p50_ms']:,.0f} ms"
        yield "emission delay p95", f"{delay['p95_ms']:,.0f} ms"
        yield "  of words", f"{delay['words']:,}"
    if "rejection" in model:
        quiet = model["rejection"]
        low, high = quiet["phrases_interval"]
        yield "without words, hours", f"{quiet['hours']:,.4f}"
        yield "false phrases", f"{quiet['phrases']:,}"
        yield "false phrases an hour", f"{quiet['phrases_per_hour']:,.2f}"
        yield f"  their {level:.0%} limits", f"{low:,.2f} - {high:,.2f}"
        yield "false words an hour", f"{quiet['words_per_hour']:,.2f}"
    if "ties" in model:
        ties = model["ties"]
        yield "joiner outputs", f"{ties['outputs']:,}"
        yield "  best two equal", f"{ties['equal']:,}"
        yield "  blank one of them", f"{ties['with_blank']:,}"


def _interval(rate: RateReport) -> str:
    if rate["interval"] is None:
        return "none of one recording"
    low, high = rate["interval"]
    return f"{low:.2f} - {high:.2f} %"


def _difference(of: DifferenceReport, report: EvaluateReport, first: str, second: str) -> str:
    text = f"{first} less {second}: {of['points']:+.2f} points of word errors"
    if of["interval"] is not None:
        low, high = of["interval"]
        text += f" ({report['level']:.0%} interval {low:+.2f} to {high:+.2f})"
        text += f"; {first} errs less in {of['first_better']:.1%} of the draws"
        text += f", as often in {of['equal']:.1%}"
    return text


def _show_scores(model: ModelReport, report: EvaluateReport, out: Console) -> None:
    """What phrases of low scores are worth."""
    found = model.get("at_scores", [])
    if not found:
        return
    heads, rows = ["--min-score"], [[f"{each['min_score']:g}"] for each in found]
    if "rejection" in model:
        heads += ["false phrases an hour", f"{report['level']:.0%}"]
        for row, each in zip(rows, found, strict=True):
            low, high = each["phrases_interval"]
            row += [f"{each['phrases_per_hour']:,.2f}", f"{low:,.2f} - {high:,.2f}"]
    if "speech" in model:
        heads += ["word errors", f"their {report['level']:.0%}", "utterances left out"]
        for row, each in zip(rows, found, strict=True):
            errors = each["word_errors"]
            row += [f"{errors['percent']:.2f} %", _interval(errors), f"{each['rejected']:,}"]
    out.print(table(heads, rows, title=f"{model['model']}, if phrases below a score were nothing"))


def _show_groups(model: ModelReport, report: EvaluateReport, out: Console) -> None:
    heads = ("utterances", "words", "sub", "del", "ins", "word errors", f"{report['level']:.0%}")
    for what, groups in (("kind", model.get("kinds")), ("speaker", model.get("speakers"))):
        if groups:
            rows = [[name, *_row(of)] for name, of in groups.items()]
            out.print(table((what, *heads), rows, title=f"{model['model']}, by {what}"))


def _row(of: ErrorsReport) -> list[str]:
    return [
        f"{of['utterances']:,}",
        f"{of['words']:,}",
        f"{of['substitutions']:,}",
        f"{of['deletions']:,}",
        f"{of['insertions']:,}",
        f"{of['word_errors']['percent']:.2f} %",
        _interval(of["word_errors"]) if of["errors"] and of["recordings"] > 1 else "",
    ]


def _show_confusions(model: ModelReport, out: Console) -> None:
    wrong = model["confusions"]
    if not wrong:
        return
    rows = [
        (each["said"] or NOTHING, each["heard"] or NOTHING, f"{each['count']:,}")
        for each in wrong[:SHOWN_CONFUSIONS]
    ]
    title = f"{model['model']}, words that were wrong"
    if len(wrong) > SHOWN_CONFUSIONS:
        title += f", the most frequent of {len(wrong):,}"
    out.print(table(("said", "heard", "times"), rows, title=title, left=["heard"]))


def _show_errors(model: ModelReport, most: int, out: Console) -> None:
    spoken = [each for each in model["utterances"] if each["text"]]
    wrong = [each for each in spoken if _count(each)]
    for each in sorted(wrong, key=_count, reverse=True)[:most]:
        speaker = "" if each["speaker"] is None else f" ({each['speaker']})"
        out.print(f"{each['audio']}{speaker}")
        said, heard = _aligned(each)
        out.print(f"  said   {said}")
        out.print(f"  heard  {heard}")


def _count(each: UtteranceReport) -> int:
    return each["substitutions"] + each["deletions"] + each["insertions"]


def _aligned(each: UtteranceReport) -> tuple[str, str]:
    """Two lines, word below word, wrong ones in capitals."""
    lines: list[list[str]] = [[], []]
    for pair in each["pairs"]:
        width = max(len(word or NOTHING) for word in pair)
        for line, word in zip(lines, pair, strict=True):
            text = NOTHING * width if word is None else word
            line.append((text if pair[0] == pair[1] else text.upper()).ljust(width))
    return " ".join(lines[0]).rstrip(), " ".join(lines[1]).rstrip()


def _show_method(report: EvaluateReport, out: Console) -> None:
    if "speech" in report["models"][0]:
        of = report["models"][0]["speech"]
        drawn = "utterances" if of["recordings"] == of["utterances"] else "recordings"
        out.print(
            f"intervals: {report['resamples']:,} draws of {of['recordings']:,} {drawn}, "
            f"percentiles, seed {report['seed']}"
        )
        if any(model.get("speech", of)["errors"] == 0 for model in report["models"]):
            out.print(
                f"no error in {of['words']:,} words says no more than: below "
                f"{RULE_OF_THREE / of['words']:.1%}, if words err independently"
            )
    if any("delay" in model for model in report["models"]):
        out.print(
            "emission delay: from a word's end to the last sample in the window of the encoder "
            "call that gave its last character; of words heard right"
        )
    if any("rejection" in model for model in report["models"]):
        out.print("without words: heard in phrases, as npu transcribe does; Poisson's exact limits")
    if any("ties" in model for model in report["models"]):
        out.print(
            "best two equal: of the int8 logits; int32 ones have no other order, and could change "
            "what is taken greedily in these outputs alone"
        )
