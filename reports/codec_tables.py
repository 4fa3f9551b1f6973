"""What the codec's bench found, as tables: for the terminal, and for the page."""

from __future__ import annotations

from compiler.bench.results import CaseReport, CodecReport
from compiler.codec import CYCLE_BITS

Columns = tuple[str, ...]
Rows = list[tuple[str, ...]]


def few_bits(report: CodecReport) -> tuple[Columns, Rows]:
    """Every case beside the two ideal Huffman codes, over its entropy; dense ones left out."""
    ours = report["coders"][0]
    rows: Rows = []
    for case in report["cases"]:
        ideal, entropy = case["huffman_bytes"], case["entropy_bytes"]
        if case["kind"] != "synthetic" or not entropy:
            continue
        size, best = case["coders"][ours]["n_bytes"], min(ideal.values())
        shares = (f"{n / entropy:.4f}" for n in (size, ideal["runs"], ideal["zeros"]))
        rows.append((named(case), f"{case['zeros']:.1%}", *shares, f"{size / best:.4f}"))
    columns = ("over the entropy", "zeros", ours, "runs", "explicit zeros", f"{ours} / better")
    return columns, rows


def prices(report: CodecReport) -> tuple[Columns, Rows]:
    """Bytes over entropy and cycles over nonzeros by what a lane's cycle is worth in bits."""
    priced = [case for case in report["cases"] if case["prices"]]
    names = [
        f"{each['cycle_bits']}{' (default)' if each['cycle_bits'] == CYCLE_BITS else ''}"
        for each in report["prices"]
    ]
    rows: Rows = []
    for case in priced:
        entropy = case["entropy_bytes"]
        cells = (f"{p['n_bytes'] / entropy:.3f}, {p['cycles']:.3f}" for p in case["prices"] or ())
        rows.append((named(case), f"{case['zeros']:.1%}", *cells))
    if priced:
        rows.append(("mean product", "", *(f"{p['product']:.4f}" for p in report["prices"])))
    return ("bytes / entropy, cycles / nonzeros", "zeros", *names), rows


def small(report: CodecReport) -> tuple[Columns, Rows]:
    """Small matrices on every preset, over Vela's bytes, or without it over the entropy."""
    peer = "Vela" if "Vela" in report["coders"] else None
    rows: Rows = []
    presets: Columns = ()
    for case in report["cases"]:
        if not case["presets"]:
            continue
        whole = case["coders"][peer]["n_bytes"] if peer else case["entropy_bytes"]
        presets = tuple(case["presets"])
        cells = (f"{n / whole:.3f}" for n in case["presets"].values())
        rows.append((named(case), f"{whole:,.0f}", *cells))
    base = f"bytes of {peer}" if peer else "bytes of the entropy"
    return ("small matrices", base, *(f"{name}, over it" for name in presets)), rows


def named(case: CaseReport) -> str:
    """A case's name and shape."""
    return f"{case['name']} ({' x '.join(map(str, case['shape']))})"
