"""What `npu zoo` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from npu.cli._output import table
from npu.cli._zoo_report import EntryReport, ShownModel, ZooReport
from npu.text import shown

if TYPE_CHECKING:
    from rich.console import Console

    from compiler.train.summary import ListedRecipe


def show(report: ZooReport, out: Console) -> None:
    """The models, then the recipes."""
    models = report["models"]
    chip = models[0]["chip"] if models else ""
    columns = (
        "model",
        "kind",
        "parameters",
        "zeros",
        "bits",
        "bytes, .tflite",
        f"compressed, {chip}",
        "where",
    )
    title = (
        f"{len(models)} model{'s' * (len(models) != 1)}, {report['total_bytes']:,} bytes of at "
        f"most {report['most_bytes']:,}, all of their files"
    )
    out.print(table(columns, [_row(each) for each in models], title=title, left=["kind", "where"]))
    for each in models:
        out.print(f"{each['name']}{' (the default)' * each['default']}: {each['made']}")
        _show_problems(each, out)
    heads = (
        "recipe",
        "kind",
        "encoder",
        "predictor",
        "zeros",
        "bits",
        "steps",
        "seed",
        "model here",
        "made by",
    )
    rows = [_recipe_row(each) for each in report["recipes"]]
    text = ["kind", "encoder", "predictor", "model here", "made by"]
    out.print(table(heads, rows, title="recipes that are shipped", left=text))
    out.print("figures and provenance of a model: npu zoo NAME")


def _row(each: EntryReport) -> list[str]:
    compressed, zeros = each["compressed_bytes"], each["zeros"]
    return [
        each["name"],
        each["kind"],
        f"{each['parameters']:,}",
        "" if zeros is None else f"{zeros:.1%}",
        str(each["bits"]),
        f"{each['graph_bytes']:,}",
        "does not fit" if compressed is None else f"{compressed:,}",
        each["place"],
    ]


def _show_problems(each: EntryReport, out: Console) -> None:
    if each["problem"] is not None:
        out.print(f"  {each['name']}: {each['problem']}")
    if each["refused"] is not None:
        out.print(f"  {each['name']} on {each['chip']}: {each['refused']}")


def _recipe_row(each: ListedRecipe) -> list[str]:
    models = ", ".join(
        f"{name} (of another version of it)" if name in each["outdated"] else name
        for name in each["models"]
    )
    return [
        each["name"],
        each["kind"],
        f"LSTM {', '.join(map(str, each['layers']))}",
        f"{each['predictor']} {each['units']}",
        f"{each['zeros']:.0%}",
        str(each["bits"]),
        f"{each['steps']:,}",
        str(each["seed"]),
        models or "none",
        each["command"],
    ]


def show_model(report: ShownModel, out: Console) -> None:
    """One model: what it is, where it is from, its figures, and how they are had again."""
    model = report["model"]
    for name, text in _figures(report):
        out.print(f"{name:<12} {text}")
    _show_problems(model, out)
    rows = [
        (name, _told(value)) for name, value in report["provenance"].items() if name != "sha256"
    ]
    out.print(table(("provenance", ""), rows, left=[""]))
    rows = [(name, digest) for name, digest in report["sources"].items()]
    out.print(table(("file", "SHA-256"), rows, left=["SHA-256"]))
    if report["sets"]:
        _show_sets(report, out)
    if report["chips"]:
        _show_chips(report, out)
    if not report["sets"] and not report["chips"]:
        out.print("no figures were kept")
    for each in (*report["sets"], *report["chips"]):
        for reason in each["stale"]:
            out.print(f"STALE: {each['command']}: {reason} since {each['day']}; measure again")
    out.print("measured again with")
    for command in report["again"]:
        out.print(f"  {command}")


def _figures(report: ShownModel) -> Iterator[tuple[str, str]]:
    model = report["model"]
    zeros = "" if model["zeros"] is None else f", {model['zeros']:.1%} zeros"
    default = " (the default)" * model["default"]
    parameters = f"{model['parameters']:,} parameters{zeros}, {model['bits']} bits"
    yield "model", f"{model['name']}{default}: {model['kind']}, {parameters}"
    yield "made", model["made"]
    yield "folder", report["folder"]
    compressed = ""
    if model["compressed_bytes"] is not None:
        compressed = f", its weights compressed for {model['chip']} {model['compressed_bytes']:,}"
    graphs = f"{model['graph_bytes']:,} of its graphs{compressed}"
    yield "bytes", f"{graphs}; {model['total_bytes']:,} of all its files"


def _told(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _show_sets(report: ShownModel, out: Console) -> None:
    level = report["sets"][0]["level"]
    columns = (
        "set",
        "utterances",
        "speakers",
        "words",
        "word errors",
        f"{level:.0%} interval",
        "delay p50, p95",
        "false phrases",
        "set's SHA-256",
        "measured",
        "version",
    )
    rows = []
    for each in report["sets"]:
        speech, delay, quiet = each["speech"], each["delay"], each["rejection"]
        rows.append(
            [
                each["set"],
                f"{each['utterances']:,}",
                f"{each['speakers']:,}" if each["speakers"] else "",
                f"{speech['words']:,}" if speech else "",
                f"{speech['word_errors']['percent']:.2f} %" if speech else "",
                _interval(speech["word_errors"]["interval"]) if speech else "",
                f"{delay['p50_ms']:,.0f}, {delay['p95_ms']:,.0f} ms" if delay else "",
                f"{quiet['phrases']:,} in {quiet['hours']:,.4f} h" if quiet else "",
                each["set_sha256"][:12],
                _day(each),
                each["version"],
            ]
        )
    out.print(table(columns, rows, title="word errors, kept", left=["measured"]))


def _interval(interval: list[float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2f} - {interval[1]:.2f} %"


def _day(each: dict[str, Any]) -> str:
    return f"{each['day']}{', STALE' * bool(each['stale'])}"


def _show_chips(report: ShownModel, out: Console) -> None:
    of = report["chips"][0]
    columns = (
        "chip",
        "cycles p50",
        "cycles at most",
        "ms p50",
        "ms at most",
        "uJ of events",
        "uJ of leakage",
        "measured",
        "version",
    )
    rows = [
        [
            each["chip"],
            f"{each['cycles']['p50']:,.0f}",
            f"{each['cycles']['max']:,.0f}",
            f"{each['ms']['p50']:.4f}",
            f"{each['ms']['max']:.4f}",
            f"{each['energy_uj']['total'] - each['energy_uj']['leakage']:,.2f}",
            f"{each['energy_uj']['leakage']:,.4f}",
            _day(each),
            each["version"],
        ]
        for each in report["chips"]
    ]
    title = f"a frame, kept: {of['frames']} frames, {of['decided']}; energy is an estimate"
    out.print(table(columns, rows, title=title, left=["measured"]))
