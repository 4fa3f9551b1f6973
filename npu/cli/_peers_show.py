"""The bench of whole models on the terminal."""

from __future__ import annotations

from rich.console import Console

from compiler.bench.results import LargeOperator, OursReport, PeersReport, VelaReport
from npu.analysis.bounds import LARGE_SHARE
from npu.cli._output import table


def show(report: PeersReport, out: Console) -> None:
    """Print the report."""
    chips = [chip["name"] for chip in report["chips"]]
    columns = ["cycles a call"]
    for chip in chips:
        columns += [chip, "bounds", "/ bounds"]
    columns += [f"Vela {peer}" for peer in report["peers"]]
    rows = []
    for model in report["models"]:
        row = [model["model"]]
        for chip in chips:
            row += _ours(model["ours"][chip])
        rows.append((*row, *(_vela(model["vela"][peer]) for peer in report["peers"])))
    out.print(table(tuple(columns), rows))
    large = [
        (model["model"], chip, *_large(each))
        for model in report["models"]
        for chip in chips
        for each in model["ours"][chip]["large"]
    ]
    heads = (
        f"operators with {100 * LARGE_SHARE:.0f} % or more",
        "chip",
        "operator",
        "cycles",
        "bound by",
        "bound",
    )
    out.print(table((*heads, "/ bound"), large))
    out.print(
        "Vela's figures are estimates of its compiler; (+n) operators are left to a CPU and not "
        "counted",
        markup=False,
    )
    for model in report["models"]:
        for reason in {ours["refused"] for ours in model["ours"].values()} - {None}:
            out.print(f"refused: {reason}", markup=False)


def _ours(ours: OursReport) -> list[str]:
    cycles, bound, over = ours["cycles"], ours["bound_cycles"], ours["over_bound"]
    return [
        "-" if cycles is None else f"{cycles:,.0f}",
        "-" if bound is None else f"{bound:,.0f}",
        "-" if over is None else f"{over:.2f}",
    ]


def _large(operator: LargeOperator) -> tuple[str, ...]:
    return (
        operator["name"],
        f"{operator['cycles']:,.0f}",
        operator["bound_by"],
        f"{operator['bound_cycles']:,.0f}",
        f"{operator['over_bound']:.2f}",
    )


def _vela(found: VelaReport) -> str:
    if found["cycles"] is None:
        return "-"
    left = found["cpu_operators"]
    return f"{found['cycles']:,}" + (f" (+{left})" if left else "")
