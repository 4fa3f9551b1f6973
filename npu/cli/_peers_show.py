"""The bench of whole models on the terminal."""

from __future__ import annotations

from rich.console import Console

from compiler.bench.results import (
    InvocationReport,
    LargeOperator,
    OursReport,
    PeersReport,
    VelaReport,
)
from compiler.bench.scalesim import unfinished
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
    unasked = {found["refused"] for model in report["models"] for found in model["vela"].values()}
    for reason in sorted(unasked - {None}, key=str):
        out.print(f"Vela: {reason}", markup=False)
    _times(report, out)
    for model in report["models"]:
        for reason in {ours["refused"] for ours in model["ours"].values()} - {None}:
            out.print(f"refused: {reason}", markup=False)


def _times(report: PeersReport, out: Console) -> None:
    """Microseconds of an invocation, and what is not there."""
    timed = [(m["model"], m["invocations"]) for m in report["models"] if "invocations" in m]
    if timed:
        engines = list(timed[0][1])
        rows = [(name, *(_time(found[each]) for each in engines)) for name, found in timed]
        out.print(table(("us an invocation", *engines), rows))
        out.print(
            "one thread; the fastest of rounds in turns; what the others take for an empty model is"
            " taken off",
            markup=False,
        )
        left_out = {
            f"{engine}: {found[engine]['refused']}"
            for _, found in timed
            for engine in engines
            if found[engine]["refused"]
        }
        for line in sorted(left_out):
            out.print(line, markup=False)
    _systolic(report, out)
    for each in report.get("systolic", ()):
        told = each["refused"] or f"{each['seconds']:.1f} s for {each['cycles']:,} cycles"
        size = f"{each['rows']} x {each['columns']}"
        out.print(f"SCALE-Sim, a gate of {each['name']} ({size}): {told}", markup=False)


def _systolic(report: PeersReport, out: Console) -> None:
    """Every model's dense products in SCALE-Sim, and what it did not come to the end of."""
    for model in report["models"]:
        if (found := model.get("systolic")) is None:
            continue
        told = found["refused"] or f"{found['seconds']:.1f} s for {found['cycles']:,} cycles"
        if left := unfinished(found):
            sizes = ", ".join(f"{p['vectors']} by {p['rows']} x {p['columns']}" for p in left[:4])
            more = f", {len(left) - 4} more" if len(left) > 4 else ""
            told += f"; without {len(left)} of {len(found['products'])} products: {sizes}{more}"
        out.print(f"SCALE-Sim, {model['model']}: {told}", markup=False)


def _time(found: InvocationReport) -> str:
    return "-" if found["us"] is None else f"{found['us']:,.2f}"


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
