"""What the codec's bench found, as tables: for the terminal, and for the page in `reports`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from compiler.codec import CYCLE_BITS
from npu.cli._output import table

Columns = tuple[str, ...]
Rows = list[tuple[str, ...]]


def few_bits(report: dict[str, Any]) -> tuple[Columns, Rows]:
    """Every case beside the two ideal Huffman codes, over its entropy; dense ones left out."""
    ours = report["coders"][0]
    rows: Rows = []
    for case in report["cases"]:
        ideal, h0 = case["huffman_bytes"], case["h0_bytes"]
        if case["kind"] != "synthetic" or not h0:
            continue
        size, best = case["coders"][ours]["n_bytes"], min(ideal.values())
        shares = (f"{n / h0:.4f}" for n in (size, ideal["runs"], ideal["zeros"]))
        rows.append((named(case), f"{case['zeros']:.1%}", *shares, f"{size / best:.4f}"))
    columns = ("over the entropy", "zeros", ours, "runs", "explicit zeros", f"{ours} / better")
    return columns, rows


def prices(report: dict[str, Any]) -> tuple[Columns, Rows]:
    """Bytes over entropy and cycles over nonzeros by what a lane's cycle is worth in bits."""
    priced = [case for case in report["cases"] if case["prices"]]
    names = [
        f"{each['cycle_bits']}{' (default)' if each['cycle_bits'] == CYCLE_BITS else ''}"
        for each in report["prices"]
    ]
    rows: Rows = []
    for case in priced:
        cells = (
            f"{p['n_bytes'] / case['h0_bytes']:.3f}, {p['cycles']:.3f}" for p in case["prices"]
        )
        rows.append((named(case), f"{case['zeros']:.1%}", *cells))
    if priced:
        rows.append(("mean product", "", *(f"{p['product']:.4f}" for p in report["prices"])))
    return ("bytes / entropy, cycles / nonzeros", "zeros", *names), rows


def small(report: dict[str, Any]) -> tuple[Columns, Rows]:
    """Small matrices on every preset, over Vela's bytes, or without it over the entropy."""
    peer = "Vela" if "Vela" in report["coders"] else None
    rows: Rows = []
    presets: Columns = ()
    for case in report["cases"]:
        if not case["presets"]:
            continue
        whole = case["coders"][peer]["n_bytes"] if peer else case["h0_bytes"]
        presets = tuple(case["presets"])
        cells = (f"{n / whole:.3f}" for n in case["presets"].values())
        rows.append((named(case), f"{whole:,.0f}", *cells))
    base = f"bytes of {peer}" if peer else "bytes of the entropy"
    return ("small matrices", base, *(f"{name}, over it" for name in presets)), rows


def named(case: dict[str, Any]) -> str:
    """A case's name and shape."""
    return f"{case['name']} ({' x '.join(map(str, case['shape']))})"


def show(report: dict[str, Any], out: Console) -> None:
    """Print the report."""
    names = report["coders"]
    rows = []
    for case in report["cases"]:
        weights = case["shape"][0] * case["shape"][1]
        sizes = [case["coders"][name]["n_bytes"] for name in names]
        rows.append(
            (
                *(named(case), f"{case['zeros']:.1%}", f"{8 * case['h0_bytes'] / weights:.3f}"),
                *(f"{8 * size / weights:.3f}" for size in sizes),
                f"{sizes[0] / case['h0_bytes']:.4f}" if case["h0_bytes"] else "",
            )
        )
    columns = ("bits per weight", "zeros", "H0", *names, f"{names[0]} / H0")
    out.print(table(columns, rows))
    columns, rows = few_bits(report)
    if rows:
        out.print(table(columns, rows, title="beside the two ideal Huffman codes"))
    columns, rows = small(report)
    if rows:
        out.print(table(columns, rows, title="small matrices on the presets"))
    columns, rows = prices(report)
    if rows:
        out.print(table(columns, rows, title="by what a lane's cycle is worth in bits"))
    zoo = report["zoo"]
    rows = [
        (
            name,
            f"{entry['n_bytes']:,}",
            f"{entry['ratio']:.4f}",
            *(
                f"{entry[f'{what}_rate'] / 1e6:,.1f}" if f"{what}_rate" in entry else ""
                for what in ("encode", "code", "decode")
            ),
        )
        for name, entry in zoo["coders"].items()
    ]
    title = f"the model: {zoo['weights']:,} weights, H0 {zoo['h0_bytes']:,.0f} bytes"
    columns = ("", "bytes", "/ H0", "encode Mw/s", "codes given", "decode Mw/s")
    out.print(table(columns, rows, title=title))
    if "large" in report:
        entry = report["large"]
        out.print(
            f"{entry['weights']:,} weights on {entry['workers']} threads: "
            f"{entry['seconds']:.1f} s, {entry['bytes']:,} bytes",
            markup=False,
        )
