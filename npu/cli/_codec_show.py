"""The codec's bench on the terminal."""

from __future__ import annotations

from rich.console import Console

from compiler.bench.results import CodecReport
from npu.cli._output import table
from reports.codec_tables import few_bits, named, prices, small


def show(report: CodecReport, out: Console) -> None:
    """Print the report."""
    names = report["coders"]
    rows = []
    for case in report["cases"]:
        weights = case["shape"][0] * case["shape"][1]
        sizes = [case["coders"][name]["n_bytes"] for name in names]
        rows.append(
            (
                named(case),
                f"{case['zeros']:.1%}",
                f"{8 * case['entropy_bytes'] / weights:.3f}",
                *(f"{8 * size / weights:.3f}" for size in sizes),
                f"{sizes[0] / case['entropy_bytes']:.4f}" if case["entropy_bytes"] else "",
            )
        )
    columns = ("bits per weight", "zeros", "entropy", *names, f"{names[0]} / entropy")
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
            f"{entry['over_entropy']:.4f}",
            _rate(entry.get("encode_rate")),
            _rate(entry.get("code_rate")),
            _rate(entry.get("decode_rate")),
        )
        for name, entry in zoo["coders"].items()
    ]
    title = f"the model: {zoo['weights']:,} weights, entropy {zoo['entropy_bytes']:,.0f} bytes"
    columns = ("", "bytes", "/ entropy", "encode Mw/s", "codes given", "decode Mw/s")
    out.print(table(columns, rows, title=title))
    if "large" in report:
        entry = report["large"]
        out.print(
            f"{entry['weights']:,} weights on {entry['workers']} threads: "
            f"{entry['seconds']:.1f} s, {entry['bytes']:,} bytes",
            markup=False,
        )


def _rate(rate: float | None) -> str:
    """Million weights a second, where it was measured."""
    return "" if rate is None else f"{rate / 1e6:,.1f}"
