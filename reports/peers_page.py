"""Regenerate `reports/peers.md`: `npu bench peers MODEL... --json reports/peers.json`, then

python -m reports.peers_page
"""

import json
from pathlib import Path

from compiler.bench.results import LargeOperator, OursReport, PeerReport, PeersReport, VelaReport
from npu.analysis.bounds import LARGE_SHARE
from npu.chip.summary import summary_text
from reports.systolic_table import systolic_table

PAGE = Path(__file__).with_name("peers.md")
RUN = Path(__file__).with_name("peers.json")


def page(run: PeersReport) -> str:
    """The page as Markdown, from the JSON of `npu bench peers`."""
    chips = [chip["name"] for chip in run["chips"]]
    peers = list(run["peers"])
    head = ["model", *(f"{chip} | bounds | / bounds" for chip in chips), *peers]
    lines = [
        "# Whole models beside Vela's estimates",
        "",
        (
            "Written by `python -m reports.peers_page` from `peers.json`, which `npu bench peers"
            " MODEL... --json reports/peers.json` wrote. Cycles of a call; `-` where a model does"
            " not run yet. Bounds are defined in `npu/analysis/bounds.py`. Figures of Vela are"
            " estimates of its compiler; operators that it leaves to a CPU, (+n), are not counted."
        ),
        "",
        *(f"- {summary_text(chip)}" for chip in run["chips"]),
        *(f"- {name}: {', '.join(peer.values())}" for name, peer in run["peers"].items()),
        "",
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (3 * len(chips) + len(peers))}",
        *(_row(model) for model in run["models"]),
        "",
        (
            f"Operators with {100 * LARGE_SHARE:.0f} % or more of a model's cycles, beside the"
            " largest of their bounds:"
        ),
        "",
        "| model | chip | operator | cycles | bound by | bound | cycles / bound |",
        "|---|---|---|---:|---|---:|---:|",
        *(
            _large(model, chip, each)
            for model in run["models"]
            for chip in chips
            for each in model["ours"][chip]["large"]
        ),
        *systolic_table(run),
    ]
    return "\n".join(lines) + "\n"


def _row(model: PeerReport) -> str:
    cells = [f"`{model['model']}`"]
    for ours in model["ours"].values():
        cells += _ours(ours)
    cells += [_vela(found) for found in model["vela"].values()]
    return f"| {' | '.join(cells)} |"


def _large(model: PeerReport, chip: str, each: LargeOperator) -> str:
    figures = f"{each['cycles']:,.0f} | {each['bound_by']} | {each['bound_cycles']:,.0f}"
    name = f"`{model['model']}` | {chip} | {each['name']}"
    return f"| {name} | {figures} | {each['over_bound']:.2f} |"


def _ours(ours: OursReport) -> list[str]:
    figures = (ours["cycles"], ours["bound_cycles"])
    over = ours["over_bound"]
    return [
        *("-" if figure is None else f"{figure:,.0f}" for figure in figures),
        "-" if over is None else f"{over:.2f}",
    ]


def _vela(found: VelaReport) -> str:
    if found["cycles"] is None:
        return "-"
    left = found["cpu_operators"]
    return f"{found['cycles']:,}" + (f" (+{left})" if left else "")


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8")
