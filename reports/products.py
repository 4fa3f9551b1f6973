"""Measure sparse products alone and write `reports/products.json` and `products.md`:

python -m reports.products           # measures, some ten minutes on two cores
python -m reports.products --page    # writes the page again from the last run

Every point is a model of one FULLY_CONNECTED, which all engines take as a file.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypedDict

import numpy as np

from compiler.bench.invocations import ALONE, LEAST_INVOCATIONS, ROUNDS, invocation_reports
from compiler.bench.results import HostReport
from compiler.tflite_writer import ModelSpec, write
from npu.files import write_atomic
from reports.peers import host

PAGE = Path(__file__).with_name("products.md")
RUN = Path(__file__).with_name("products.json")

SHAPES = ((256, 256), (640, 512), (1024, 1024), (2560, 640), (2048, 2048))
"""Rows and columns: from a joiner's to the gates of an LSTM of 640 units."""
ZEROS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)
RIVAL = "LiteRT"
WANTED = 0.7
"""From so many zeros on a sparse product is to be faster than the rival's dense one."""


class Product(TypedDict):
    """A matrix, and microseconds of its product with one vector by engine; None where refused."""

    rows: int
    columns: int
    zeros: float
    us: dict[str, float | None]


class Run(TypedDict):
    """All that was measured in one run."""

    host: HostReport
    products: list[Product]


def model_of(rows: int, columns: int, zeros: float, seed: int = 1) -> bytes:
    """A `.tflite` file of one product, (1, columns) to (1, rows) int8, with int32 biases.

    Weights are uniform over -127 .. 127 without 0, with so many zeros in every row, at random
    places.
    """
    rng = np.random.default_rng([seed, rows, columns])
    weights = rng.integers(1, 128, (rows, columns)) * rng.choice([-1, 1], (rows, columns))
    count = round(zeros * columns)
    for row in weights:
        row[rng.permutation(columns)[:count]] = 0
    spec = ModelSpec()
    x = spec.tensor((1, columns), scale=1 / 64)
    w = spec.tensor((rows, columns), scale=1 / 128, data=weights.astype(np.int8))
    biases = rng.integers(-5_000, 5_000, rows).astype(np.int32)
    b = spec.tensor((rows,), "int32", 1 / 8192, data=biases)
    y = spec.tensor((1, rows), scale=0.25)
    spec.operator("FULLY_CONNECTED", [x, w, b], [y], ("FullyConnectedOptions", {}))
    spec.inputs, spec.outputs = [x], [y]
    return write(spec)


def measure(shapes: tuple[tuple[int, int], ...] = SHAPES) -> Run:
    """Every shape with every share of zeros."""
    products: list[Product] = []
    with TemporaryDirectory(prefix="zeroskip-") as place:
        for rows, columns in shapes:
            for zeros in ZEROS:
                path = Path(place, f"{rows}x{columns}-{zeros:g}.tflite")
                path.write_bytes(model_of(rows, columns, zeros))
                us = {name: each["us"] for name, each in invocation_reports(path).items()}
                products.append({"rows": rows, "columns": columns, "zeros": zeros, "us": us})
                print(json.dumps(products[-1]), flush=True)
    return {"host": host(), "products": products}


def faster(product: Product) -> float | None:
    """How many times as fast as the rival ours is; None without one."""
    ours, theirs = product["us"][ALONE], product["us"][RIVAL]
    return None if ours is None or theirs is None else theirs / ours


def page(run: Run) -> str:
    """The page as Markdown, from what was measured."""
    place, products = run["host"], run["products"]
    shapes = list(dict.fromkeys((each["rows"], each["columns"]) for each in products))
    known = {(each["rows"], each["columns"], each["zeros"]): each for each in products}
    lines = [
        "# Sparse products alone",
        "",
        (
            "Written by `python -m reports.products`. One int8 matrix-vector product with int32"
            f" biases, as a `.tflite` file: our kernels beside {RIVAL} with XNNPACK, which"
            " multiplies a zero as any other weight. Zeros lie anywhere, as many in every row."
        ),
        "",
        f"- {place['processor']}; {place['system']}; one thread each",
        *(f"- {name}: {version}" for name, version in place["versions"].items()),
        (
            f"- {LEAST_INVOCATIONS:,} invocations or more of each, in {ROUNDS} rounds that the"
            " engines share; of each the fastest round counts, less what an empty model takes"
            " ([invocations.md](invocations.md))"
        ),
        "",
        f"How many times as fast as {RIVAL} ours is, at so many zeros:",
        "",
        "| rows x columns | " + " | ".join(f"{zeros:.0%}" for zeros in ZEROS) + " |",
        "|---|" + "---:|" * len(ZEROS),
        *(
            f"| {rows} x {columns} | "
            + " | ".join(_times(faster(known[rows, columns, zeros])) for zeros in ZEROS)
            + " |"
            for rows, columns in shapes
        ),
        "",
        _told(products),
        "",
        "Microseconds of a product:",
        "",
    ]
    engines = list(products[0]["us"])
    lines += ["| rows x columns | zeros | " + " | ".join(engines) + " |"]
    lines += ["|---|---:|" + "---:|" * len(engines)]
    for each in products:
        times = " | ".join(_us(each["us"][name]) for name in engines)
        lines.append(f"| {each['rows']} x {each['columns']} | {each['zeros']:.0%} | {times} |")
    return "\n".join(lines) + "\n"


def _told(products: list[Product]) -> str:
    """Whether what was wanted is so."""
    sparse = [(faster(each), each) for each in products if each["zeros"] >= WANTED]
    known = [(times, each) for times, each in sparse if times is not None]
    if not known:
        return f"{RIVAL} was not measured."
    least, of = min(known, key=lambda pair: pair[0])
    ahead = sum(times > 1 for times, _ in known)
    return (
        f"From {WANTED:.0%} zeros on ours is faster in {ahead} of {len(known)}; least at"
        f" {of['rows']} x {of['columns']} with {of['zeros']:.0%}, {least:.2f} times as fast."
    )


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _us(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def main() -> None:
    """Measure unless `--page`, and write the page."""
    if "--page" not in sys.argv[1:]:
        write_atomic(RUN, (json.dumps(measure(), indent=1) + "\n").encode())
    write_atomic(PAGE, page(json.loads(RUN.read_text(encoding="utf-8"))).encode())


if __name__ == "__main__":
    main()
