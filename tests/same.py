"""Whether two checkouts of the project give the same: `python -m tests.same OLD [FOLDER ...]`.

For a refactoring: bits, cycles and sizes must not change by it. Both checkouts compile every model
for every preset and run it on its recorded inputs. Compared are the program and the memory image,
the outputs of kernels and twin, all figures of the reports (by value, so that a figure may get
another name) and the words of a refusal. It asks the command line alone, because nothing else
stays in its place.
"""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent.parent
CHIPS = ("tiny", "edge", "max")
TIMEOUT_S = 3600
# What a clock on the wall says, the length of a file whose header may say the same otherwise, and
# the chip's own numbers, which a report may repeat.
MOVES = {
    "clock_mhz",
    "compile_seconds",
    "image_bytes",
    "lanes",
    "peak_memory_mib",
    "simulation_real_time_factor",
    "simulation_seconds",
    "threads",
    "total_seconds",
}


def digest(data: bytes) -> str:
    """A short name of some bytes."""
    return f"{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"


def figures(report: Any) -> Iterator[float]:
    """All numbers of a report that do not move."""
    match report:
        case dict():
            for key, value in report.items():
                if key not in MOVES:
                    yield from figures(value)
        case list():
            for value in report:
                yield from figures(value)
        case int() | float():
            yield report


def ask(folder: Path, *arguments: str) -> tuple[list[float], str]:
    """The figures that a command of the checkout on the path reports, sorted, and its error."""
    import npu.cli

    report, said = folder / "report.json", io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        status = npu.cli.main([*arguments, "--json", str(report)])
    if status:
        return [], said.getvalue().strip()
    return sorted(figures(json.loads(report.read_text(encoding="utf-8")))), ""


def record_model(model: Path, chip: str, folder: Path) -> dict[str, Any]:
    """What compiling and running one model gives."""
    from safetensors.numpy import load_file

    image, out, inputs = folder / "model.npu", folder / "out.npz", model.with_suffix(".npz")
    found: dict[str, Any] = {}
    compiled, error = ask(folder, "compile", str(model), "--chip", chip, "-o", str(image))
    if error:
        return {"refused": error}
    found["compiled"] = compiled
    for part, data in sorted(load_file(image).items()):
        found[part] = digest(data.tobytes())
    for engine, source in (("kernels", model), ("twin", image)) if inputs.exists() else ():
        command = ["run", str(source), "--engine", engine, "--input", str(inputs)]
        ran, error = ask(folder, *command, "--output", str(out))
        if error:
            found[f"{engine} refused"] = error
            continue
        found[f"{engine} reported"] = ran
        for name, values in np.load(out).items():
            found[f"{engine} output {name}"] = digest(values.tobytes())
    return found


def record(models: list[Path]) -> dict[str, dict[str, Any]]:
    """What the checkout on the path gives for each model on each chip, and for the demo."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for chip in CHIPS:
            for model in models:
                found[f"{model} on {chip}"] = record_model(model, chip, folder)
            reported, error = ask(folder, "demo", "--chip", chip)
            found[f"demo on {chip}"] = {"refused": error} if error else {"reported": reported}
    return found


def recorded_by(checkout: Path, models: list[Path]) -> dict[str, dict[str, Any]]:
    """`record` with the sources of a checkout."""
    done = subprocess.run(
        [sys.executable, __file__, "record", *map(str, models)],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        cwd=checkout,
        stdout=subprocess.PIPE,
        check=True,
        timeout=TIMEOUT_S,
    )
    return json.loads(done.stdout)


def changed(was: Any, now: Any) -> str:
    """What differs between two values."""
    if isinstance(was, list) and isinstance(now, list):
        gone = [n for n in was if n not in now]
        new = [n for n in now if n not in was]
        return f"{len(was)} figures, now {len(now)}; gone {gone[:8]}, new {new[:8]}"
    return f"before {was!s:.200}, after {now!s:.200}"


def main(old: Path, models: list[Path]) -> int:
    """Print every difference, and what was compared; 1 if anything differs."""
    before, after = recorded_by(old, models), recorded_by(ROOT, models)
    differ = compared = 0
    for name, was in before.items():
        now = after.get(name, {})
        for key in sorted({*was, *now}):
            compared += 1
            if was.get(key) != now.get(key):
                differ += 1
                print(f"{name}: {key}: {changed(was.get(key), now.get(key))}")
    refused = sum("refused" in was for was in before.values())
    numbers = sum(len(v) for was in before.values() for v in was.values() if isinstance(v, list))
    print(
        f"{len(before)} pairs of model and chip ({refused} refused), {compared} results with "
        f"{numbers} reported figures compared: {differ} results differ"
    )
    return 1 if differ or not compared else 0


def all_models(folders: list[Path]) -> list[Path]:
    """Every model file and every transducer's folder below the folders."""
    found = {path.resolve() for folder in folders for path in folder.rglob("*.tflite")}
    found |= {path.resolve().parent for folder in folders for path in folder.rglob("model.json")}
    return sorted(found)


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        json.dump(record([Path(name) for name in sys.argv[2:]]), sys.stdout)
    elif len(sys.argv) < 2:
        sys.exit("usage: python -m tests.same OLD_CHECKOUT [FOLDER OF MODELS ...]")
    else:
        own = [ROOT / "tests" / "vectors", ROOT / "npu" / "zoo"]
        more = [Path(name) for name in sys.argv[2:]]
        sys.exit(main(Path(sys.argv[1]).resolve(), all_models([*own, *more])))
