"""Regenerate `reports/invocations.md`.

`npu bench peers MODEL... --install-scale-sim --json reports/invocations.json`, then

python -m reports.invocations_page
"""

import json
from collections.abc import Callable
from math import prod
from pathlib import Path

from compiler.bench.invocations import LEAST_INVOCATIONS, ROUNDS
from compiler.bench.results import PeerReport, PeersReport, SystolicReport, VelaReport
from reports.systolic_table import systolic_table

PAGE = Path(__file__).with_name("invocations.md")
RUN = Path(__file__).with_name("invocations.json")
OURS = "kernels"


def page(run: PeersReport) -> str:
    """The page as Markdown, from the JSON of `npu bench peers`."""
    models = [model for model in run["models"] if "invocations" in model]
    engines = list(models[0]["invocations"])
    others = [name for name in engines if not name.startswith(OURS)]
    host = run["host"]
    lines = [
        "# Our kernels beside other interpreters, and the same files in others' simulators",
        "",
        (
            "Written by `python -m reports.invocations_page` from `invocations.json`, which `npu"
            " bench peers MODEL... --install-scale-sim --json reports/invocations.json` wrote in"
            " one run. `-` where an engine does not take a model; the reasons are below."
        ),
        "",
        f"- {host['processor']}; {host['system']}; one thread each",
        *(f"- {name}: {version}" for name, version in host["versions"].items()),
        (
            f"- {LEAST_INVOCATIONS:,} invocations or more of each, in {ROUNDS} rounds; the engines"
            " take turns in every round, and of each the fastest round counts"
        ),
        (
            "- Python's part is told apart: the others are invoked from Python, and what they take"
            " for a RESHAPE of one byte, in the same rounds, is taken off. The calls of `kernels`"
            " are a compiled loop, of which nothing is taken off. In `kernels one by one` each is"
            " called from Python, and the same is taken off as of the others; in `kernels with"
            " copies` inputs are checked and copied too, and outputs copied, as the others do"
            " outside of what is timed."
        ),
        (
            "- Inputs are random int8; indices are zero. Where a model has indices, the others are"
            " given their inputs before every invocation, of the empty model too."
        ),
        (
            "- onnxruntime takes chains of FULLY_CONNECTED alone, as QGemm with the same int8"
            " weights and uint8 activations; without VNNI its sums of two products saturate in"
            " int16, so its outputs may be wrong (`compiler/bench/onnx_form.py`)"
        ),
        "",
        "Microseconds of an invocation:",
        "",
        f"| model | {' | '.join(engines)} | {' | '.join(f'{o} / kernels' for o in others)} |",
        f"|---|{'---:|' * (len(engines) + len(others))}",
        *(_times(model, engines, others) for model in models),
        f"| geometric mean |{' |' * len(engines)} {' | '.join(_mean(models, o) for o in others)} |",
        "",
        "The same with Python's part, before anything is taken off (the middle round in brackets):",
        "",
        f"| model | {' | '.join(engines)} |",
        f"|---|{'---:|' * len(engines)}",
        *(_gross(model, engines) for model in models),
        "",
        *_reasons(models, engines),
        *_vela(run, lambda v: _count(v["cycles"]), "Vela's estimates, cycles of a call"),
        *_vela(
            run,
            lambda v: f"{_count(v['sram_bytes'])} + {_count(v['weight_bytes'])}",
            "Vela's estimates, bytes of SRAM + bytes of encoded weights",
        ),
        "Operators that Vela leaves to a CPU, (+n), are not in its cycles.",
        "",
        "SCALE-Sim, the dense product of one gate with one vector:",
        "",
        "| model | matrix | array | cycles | seconds |",
        "|---|---:|---:|---:|---:|",
        *(_systolic(each) for each in run["systolic"]),
        *systolic_table(run),
    ]
    return "\n".join(lines) + "\n"


def ratio(model: PeerReport, engine: str) -> float | None:
    """How many times as long an engine takes as our kernels; None where either has no time."""
    ours, other = model["invocations"][OURS]["us"], model["invocations"][engine]["us"]
    return None if not ours or other is None else other / ours


def _times(model: PeerReport, engines: list[str], others: list[str]) -> str:
    times = [model["invocations"][name]["us"] for name in engines]
    cells = ["-" if us is None else f"{us:,.2f}" for us in times]
    for name in others:
        over = ratio(model, name)
        cells.append("-" if over is None else f"{over:.2f}")
    return f"| `{model['model']}` | {' | '.join(cells)} |"


def _gross(model: PeerReport, engines: list[str]) -> str:
    cells = []
    for name in engines:
        found = model["invocations"][name]
        known = found["gross_us"] is not None
        cells.append(f"{found['gross_us']:,.2f} ({found['median_us']:,.2f})" if known else "-")
    return f"| `{model['model']}` | {' | '.join(cells)} |"


def _mean(models: list[PeerReport], engine: str) -> str:
    ratios = [over for model in models if (over := ratio(model, engine)) is not None]
    return f"{prod(ratios) ** (1 / len(ratios)):.2f}" if ratios else "-"


def _reasons(models: list[PeerReport], engines: list[str]) -> list[str]:
    lines = [
        f"- {name}, `{model['model']}`: {reason}"
        for name in engines
        for model in models
        if (reason := model["invocations"][name]["refused"])
    ]
    return [*lines, ""] if lines else []


def _vela(run: PeersReport, cell: Callable[[VelaReport], str], title: str) -> list[str]:
    peers = list(run["peers"])
    rows = []
    for model in run["models"]:
        cells = []
        for name in peers:
            found = model["vela"][name]
            left = found["cpu_operators"]
            cells.append(cell(found) + (f" (+{left})" if left else ""))
        rows.append(f"| `{model['model']}` | {' | '.join(cells)} |")
    head = [f"| model | {' | '.join(peers)} |", f"|---|{'---:|' * len(peers)}"]
    return [f"{title}:", "", *head, *rows, ""]


def _count(figure: int | None) -> str:
    return "-" if figure is None else f"{figure:,}"


def _systolic(each: SystolicReport) -> str:
    told = each["refused"] or f"{each['seconds']:.1f}"
    size, array = f"{each['rows']} x {each['columns']}", " x ".join(map(str, each["array"]))
    return f"| {each['name']} | {size} | {array} | {_count(each['cycles'])} | {told} |"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8")
