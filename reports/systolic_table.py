"""Whole models in SCALE-Sim, as a table of a page."""

from compiler.bench.results import PeerReport, PeersReport, SystolicModelReport
from compiler.bench.scalesim import unfinished


def systolic_table(run: PeersReport) -> list[str]:
    """Lines of Markdown; none where a run did not ask it."""
    rows = [_row(model, model["systolic"]) for model in run["models"] if "systolic" in model]
    if not rows:
        return []
    return [
        "",
        (
            "SCALE-Sim, the dense products of whole models, zeros multiplied too. What it did not"
            " come to the end of in its time is not in the cycles:"
        ),
        "",
        "| model | array | products of a call | finished | cycles of those | seconds |",
        "|---|---:|---:|---:|---:|---:|",
        *rows,
    ]


def _row(model: PeerReport, found: SystolicModelReport) -> str:
    products = found["products"]
    total = sum(each["times"] for each in products)
    left = sum(each["times"] for each in unfinished(found))
    cycles = sum(each["times"] * each["cycles"] for each in products if each["cycles"] is not None)
    told = found["refused"] or f"{found['seconds']:.1f}"
    array = " x ".join(map(str, found["array"]))
    return f"| `{model['model']}` | {array} | {total:,} | {total - left:,} | {cycles:,} | {told} |"
