"""Regenerate `reports/codec.md` and `codec.png`: `npu bench codec --json reports/codec.json`, then

python -m reports.codec_page
"""

import json
from pathlib import Path

from compiler.bench.results import CodecReport, TotalReport
from npu.chip.summary import ChipSummary
from reports.codec_tables import Columns, Rows, few_bits, named, prices, small

PAGE = Path(__file__).with_name("codec.md")
FIGURE = Path(__file__).with_name("codec.png")
RUN = Path(__file__).with_name("codec.json")
PLOTTED, SHAPE = "laplace, ", [512, 640]


def page(run: CodecReport) -> str:
    """The page as Markdown, from the JSON of `npu bench codec`."""
    lines = [
        "# The weight codec beside its peers",
        "",
        (
            "Written by `python -m reports.codec_page` from `codec.json`, which"
            " `npu bench codec --large --json reports/codec.json` wrote."
        ),
        "",
        _counted(run["chip"]),
        "",
        "![bits per weight](codec.png)",
        "",
        *_model(run),
        "",
        "## Beside ideal Huffman codes",
        "",
        (
            "A Huffman code gives every symbol a bit at least, so it stays above the entropy of a"
            " small alphabet. These are its costs without any limit or table, with zeros skipped by"
            " runs and with zeros as explicit weights; the last column compares with the better."
        ),
        "",
        *_table(*few_bits(run)),
        "",
        "## Small matrices",
        "",
        (
            "Every lane has a directory, so a small matrix takes more on a chip of more lanes. Vela"
            " codes for a chip of one."
        ),
        "",
        *_table(*small(run)),
        "",
        "## What a cycle is worth",
        "",
        (
            "With few zeros, a zero coded as a weight takes fewer bits than a run, and a cycle"
            " more. `compress(weights, cycle_bits=...)` says what a lane's cycle is worth in bits:"
            " `BYTES_FIRST`, 0, takes the fewest bytes, `CYCLES_FIRST` a cycle per nonzero. The"
            " default is the price with the least product of both, the last row. With more zeros"
            " than here, runs take the fewest of both. Where values have raw bits, zeros pay them,"
            " too: there the bytes stay above the explicit zeros of the table above."
        ),
        "",
        *_table(*prices(run)),
        "",
        "## Every matrix, in bits per weight",
        "",
        *_matrices(run),
    ]
    return "\n".join(lines) + "\n"


def _counted(chip: ChipSummary) -> str:
    return (
        "Everything is counted: codes, headers, directories, padding, for"
        f" {chip['lanes']} lanes of {chip['threads']} threads. The entropy is that of the"
        " single weights of each matrix, zeros included; the gates of an LSTM, which one"
        " product of the chip stacks, are matrices of their own, here as in all other reports."
        " Row records (bias, scale, destination) are not counted, nor is Vela's stream of"
        " biases and scales. EIE is"
        " counted without its column pointers."
    )


def _model(run: CodecReport) -> list[str]:
    """The matrices of the model together, also beside Vela, and a large model."""
    zoo, quick = run["zoo"], run["coders"][1]
    stacked = sum(case["stacked_entropy_bytes"] for case in run["cases"] if case["kind"] == "zoo")
    lines = [
        f"## The matrices of the model: {zoo['weights']:,} weights",
        "",
        (
            f"Their entropy is {zoo['entropy_bytes']:,.0f} bytes. Rates are in million weights per"
            ' second on one thread; "codes given" leaves out the choice of codes and the dealing'
            f" of rows, `{quick}` is `compress(weights, thorough=False)`: rows dealt once, one code"
            " set."
        ),
        "",
        "| coder | bytes | / entropy | encode | codes given | decode |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, entry in zoo["coders"].items():
        rates = (
            f"{entry[key] / 1e6:,.1f}" if key in entry else ""
            for key in ("encode_rate", "code_rate", "decode_rate")
        )
        lines.append(
            f"| {name} | {entry['n_bytes']:,} | {entry['over_entropy']:.4f} | {' | '.join(rates)} |"
        )
    lines += [
        *_beside_vela(run),
        "",
        (
            "With the gates of an LSTM stacked, as the chip multiplies them, the entropy is"
            f" {stacked:,.0f} bytes. Where a matrix takes less than its entropy, its rows differ in"
            " density or magnitude, which an entropy over all weights of a matrix does not see and"
            " code sets do."
        ),
    ]
    if "large" in run:
        large = run["large"]
        text = (
            f"A model of {large['weights']:,} weights is compressed in"
            f" {large['seconds']:.1f} s on {large['workers']} threads."
        )
        lines += ["", text]
    return lines


def _beside_vela(run: CodecReport) -> list[str]:
    if "Vela" not in run["zoo"]["coders"]:
        return []
    return [
        "",
        "Beside Vela:",
        "",
        "| | smaller by | encodes | codes given | decodes |",
        "|---|---:|---:|---:|---:|",
        *(
            _beside(f"{name}, {what}", some["coders"][name], some["coders"]["Vela"])
            for what, some in (("the model", run["zoo"]), ("all below", run["all"]))
            for name in run["coders"][:2]
        ),
    ]


def _matrices(run: CodecReport) -> list[str]:
    names = run["coders"]
    lines = [
        f"| matrix | zeros | entropy | {' | '.join(names)} | {names[0]} / entropy |",
        "|---|---:|---:|" + "---:|" * (len(names) + 1),
    ]
    for case in run["cases"]:
        weights, entropy = case["shape"][0] * case["shape"][1], case["entropy_bytes"]
        sizes = [case["coders"][name]["n_bytes"] for name in names]
        over = f"{sizes[0] / entropy:.4f}" if entropy else ""
        bits = " | ".join(f"{8 * size / weights:.3f}" for size in sizes)
        lines.append(
            f"| {named(case)} | {case['zeros']:.1%} |"
            f" {8 * entropy / weights:.3f} | {bits} | {over} |"
        )
    return lines


def _table(columns: Columns, rows: Rows) -> list[str]:
    """A Markdown table, numbers to the right."""
    lines = [f"| {' | '.join(columns)} |", "|---|" + "---:|" * (len(columns) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _beside(name: str, mine: TotalReport, peer: TotalReport) -> str:
    """A row of the table beside Vela."""
    rates = (
        mine["encode_rate"] / peer["encode_rate"],
        mine["code_rate"] / peer["encode_rate"],
        mine["decode_rate"] / peer["decode_rate"],
    )
    smaller = 1 - mine["n_bytes"] / peer["n_bytes"]
    return f"| {name} | {smaller:.2%} | {' | '.join(f'{rate:.2f} x' for rate in rates)} |"


def figure(run: CodecReport, path: Path) -> None:
    """Bits per weight, with the entropy, and decode rate over zeros, for one family of matrices."""
    from matplotlib.figure import Figure

    cases = sorted(
        (
            case
            for case in run["cases"]
            if case["name"].startswith(PLOTTED)
            and case["name"].endswith("8 bit, per tensor")
            and case["shape"] == SHAPE
        ),
        key=lambda case: case["zeros"],
    )
    zeros = [100 * case["zeros"] for case in cases]
    weights = SHAPE[0] * SHAPE[1]
    drawing = Figure(figsize=(11, 4.5), layout="constrained")
    sizes, rates = drawing.subplots(1, 2)
    entropy = [8 * case["entropy_bytes"] / weights for case in cases]
    sizes.plot(zeros, entropy, "k--", label="entropy")
    for number, name in enumerate(run["coders"]):
        measured = [case["coders"][name] for case in cases]
        style = {"marker": "o", "markersize": 4, "color": f"C{number}", "label": name}
        style["zorder"] = 20 - number  # ours, which lie on each other, on top
        sizes.plot(zeros, [8 * m["n_bytes"] / weights for m in measured], **style)
        seconds = [m["decode_seconds"] for m in measured if m["decode_seconds"]]
        if len(seconds) == len(measured):
            rates.plot(zeros, [weights / each / 1e6 for each in seconds], **style)
    sizes.set(ylabel="bits per weight", ylim=(0, 9))
    rates.set(ylabel="decoded, million weights per second, one thread", yscale="log")
    for axes in (sizes, rates):
        axes.set_xlabel("zeros (%)")
        axes.grid(alpha=0.3)
        axes.legend()
    drawing.suptitle(f"Laplace weights, 8 bit, one scale, {SHAPE[0]} x {SHAPE[1]}")
    drawing.savefig(path, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    recorded = json.loads(RUN.read_text(encoding="utf-8"))
    PAGE.write_text(page(recorded), encoding="utf-8")
    figure(recorded, FIGURE)
