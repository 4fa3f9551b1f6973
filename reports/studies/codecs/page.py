"""The page and the picture of the candidates, from the JSON of a run."""

from pathlib import Path
from typing import Any

from reports.studies.codecs import sizes

HERE = Path(__file__).parent
PAGE = HERE / "candidates.md"
FIGURE = HERE / "candidates.png"
RUN = HERE / "candidates.json"
KINDS = {"zoo": "o", "synthetic": "s"}

ABOUT = {
    sizes.OURS: (
        "ours, `rtl/lane/decoder.py`: canonical Huffman codes of at most 10 bits and 64 entries,"
        " then raw bits; a code's length is found by comparing the window with the first code of"
        " every length"
    ),
    sizes.LOOKUP: (
        "the same codes; a block RAM of 1,024 windows gives length and entry. The loader has to"
        " expand the code into it"
    ),
    sizes.tans_name(9): (
        "J. Duda, 2013 (`reports/studies/codecs/tans.py`): an entry by the decoder's state, with"
        " fractional bits, then raw bits; split into entries and raw bits as ours or in equal"
        " groups, whichever takes less. The shares are counted as Elias gamma codes, and the first"
        " state of every stream. The loader has to spread the states"
    ),
    sizes.tans_name(10): "the same with more states",
    sizes.RICE: (
        "Golomb-Rice codes of runs and of values in the order -1, 1, -2, 2, with the best parameter"
        " for each code set; at most 16 bits by an escape, as in LOCO-I"
        " (`reports/studies/codecs/rice.py`). No tables"
    ),
    sizes.PALETTE: (
        "the same, values by their index in a table that is sorted by frequency, as in Vela's"
        " palettes"
    ),
    sizes.FIXED: (
        "4 bits for a run and 8 for a value (S. Han et al., EIE, 2016); a longer run takes explicit"
        " zeros. Neither tables nor a loop"
    ),
}


def page(run: dict[str, Any]) -> str:
    """The page as Markdown."""
    lines = [
        "# Coders that could take the place of ours: size and decoder",
        "",
        (
            "Written by `python -m reports.studies.codecs`, with the measurements in"
            " `candidates.json`."
        ),
        "",
        "![size over LUTs](candidates.png)",
        "",
        *_overview(run),
        "",
        "## The candidates",
        "",
        *(f"- **{name}**: {ABOUT[name]}." for name in run["decoders"]),
        "",
        "## What is counted",
        "",
        _sizes_counted(run),
        "",
        _gates_counted(run["synthesis"]),
        "",
        _fill_counted(run),
        "",
        "## Every matrix, in bytes as they lie in memory",
        "",
        *_matrices(run),
        "",
        "## Critical paths",
        "",
        *_paths(run),
    ]
    return "\n".join(lines) + "\n"


def _overview(run: dict[str, Any]) -> list[str]:
    zoo, synthetic = run["zoo"], run["synthetic"]
    lines = [
        (
            "| candidate | zoo bytes | / entropy | synthetic / entropy | LUT4 | flip-flops |"
            " block RAMs | table bits | MHz | (seeds) | fill cycles | of a product |"
        ),
        "|---|" + "---:|" * 11,
    ]
    for name, gates in run["decoders"].items():
        used, clocks = gates["utilisation"], gates["fmax_mhz"]
        share = zoo["sets"] * gates["fill_cycles"] / zoo["cycles"]
        mine, random = zoo["sizes"][name], synthetic["sizes"][name]
        lines.append(
            f"| {name} | {mine['unpadded_bytes']:,} |"
            f" {mine['over_entropy']:.4f} | {random['over_entropy']:.4f} |"
            f" {used['lut4']:,} | {used['flip_flops']:,} | {used['block_rams']} |"
            f" {gates['table_bits']:,} | {gates['median_mhz']:.1f} |"
            f" {min(clocks):.1f} to {max(clocks):.1f} | {gates['fill_cycles']:,} | {share:.1%} |"
        )
    return lines


def _sizes_counted(run: dict[str, Any]) -> str:
    chip, zoo, synthetic = run["chip"], run["zoo"], run["synthetic"]
    return (
        f"Sizes: the {zoo['products']} matrices of {run['model']} ({zoo['weights']:,} weights,"
        f" entropy {zoo['entropy_bytes']:,.0f} bytes) and {synthetic['products']} random ones"
        f" ({synthetic['weights']:,} weights, {synthetic['entropy_bytes']:,.0f} bytes), for"
        f" {chip['lanes']} lanes of {chip['threads']} threads. Rows are dealt, and lanes share"
        " code sets, as our compiler does it for our codes; every candidate gets the same"
        " slots, and each a stream of runs and one of values. Counted are tables and headers,"
        " directories and streams, as our format has them. Sections are padded to bus words in"
        " external memory: that is left out of the comparison, since our compiler swaps rows"
        " until our sections, and no other's, end just under one; it is in the table below."
        " Every stream is encoded and decoded again."
    )


def _gates_counted(synthesis: dict[str, Any]) -> str:
    device, seeds = synthesis["device"], synthesis["seeds"]
    tools = ", ".join(f"{name} {version}" for name, version in synthesis["tools"].items())
    return (
        f"Gates: the decoder of a value stream for {synthesis['threads']} threads, with its"
        " ring of words, its windows and positions, one symbol per cycle for any bits,"
        f" synthesised, placed and routed for {device['name']}, {device['package']}, speed"
        f" grade {synthesis['speed_grade']} ({tools}), between registers, which are not"
        f" counted. MHz is the median of the seeds {seeds[0]} to {seeds[-1]}. A lane has two."
        " What turns entry and raw bits into a value, one adder, lies outside the Huffman and"
        " tANS decoders and inside those of Rice. What fills the tables and makes limits of"
        " code lengths is shared by the lanes and not counted."
    )


def _fill_counted(run: dict[str, Any]) -> str:
    zoo, fill = run["zoo"], run["decoders"][sizes.LOOKUP]["fill_cycles"]
    return (
        "Fill cycles are the writes of a table, for each code set and product. Of a product:"
        f" all sets of the model's matrices ({zoo['sets']}), one after the other, over the"
        f" decode cycles of all products ({zoo['cycles']:,}). With a single set for each"
        f" matrix, {fill} writes are {fill * zoo['products'] / zoo['cycles']:.1%} of them."
    )


def _matrices(run: dict[str, Any]) -> list[str]:
    names = list(run["decoders"])
    lines = [
        "| matrix | zeros | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for case in run["cases"]:
        found = " | ".join(f"{case['sizes'][name]['n_bytes']:,}" for name in names)
        lines.append(f"| {case['name']} | {case['zeros']:.1%} | {found} |")
    for kind, title in (("zoo", "the model"), ("synthetic", "the random ones")):
        found = " | ".join(f"{run[kind]['sizes'][name]['n_bytes']:,}" for name in names)
        lines.append(f"| **{title}** | | {found} |")
    return lines


def _paths(run: dict[str, Any]) -> list[str]:
    seed = run["synthesis"]["seeds"][0]
    lines = [
        f"Of seed {seed}, from register to register; names are those of wires in the Verilog.",
        "",
        "| candidate | ns | logic | routing | from | to |",
        "|---|---:|---:|---:|---|---|",
    ]
    for name, gates in run["decoders"].items():
        path = gates["critical_path"]
        lines.append(
            f"| {name} | {path['total_ns']:.2f} | {path['logic_ns']:.2f} |"
            f" {path['routing_ns']:.2f} | `{path['source']}` | `{path['sink']}` |"
        )
    return lines


def figure(run: dict[str, Any], path: Path) -> None:
    """Bytes above the entropy over LUTs, with the clocks."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = drawing.subplots()
    for name, gates in run["decoders"].items():
        luts = gates["utilisation"]["lut4"]
        above = {kind: 100 * (run[kind]["sizes"][name]["over_entropy"] - 1) for kind in KINDS}
        (line,) = axes.plot([luts] * len(KINDS), list(above.values()), linewidth=0.8)
        label = f"{name}, {gates['median_mhz']:.0f} MHz"
        for (kind, marker), text in zip(KINDS.items(), (label, None), strict=True):
            axes.plot(luts, above[kind], marker, markersize=6, color=line.get_color(), label=text)
    axes.set(xlabel="LUT4 of a decoder (ECP5)", ylabel="bytes above the entropy (%)", yscale="log")
    axes.set(xlim=(0, 420), ylim=(0.5, 60), title="circles: the model; squares: random matrices")
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 50], ["0.5", "1", "2", "5", "10", "20", "50"])
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    drawing.savefig(path, dpi=110, metadata={"Software": None})
