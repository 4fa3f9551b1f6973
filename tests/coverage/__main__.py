"""Coverage of the RTL, with its holes: `python -m tests.coverage`, about a quarter of an hour.

Writes `reports/coverage.json`, of which `python -m reports.coverage_page` makes the page. Ends with
1 for a hole without an argument, an argument without a hole, or too few lines.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from npu.chip.params import load_params
from npu.files import write_atomic
from rtl.sim.verilate import verilog_of
from tests.coverage import collect, points, report
from tests.coverage.stimuli import PARTS

ROOT = Path(__file__).parent.parent.parent
RUN = ROOT / "reports" / "coverage.json"


def _process(module: str, *arguments: str) -> None:
    """Run a module of this room. Raises RuntimeError if it fails; it has told why."""
    command = [sys.executable, "-m", f"tests.coverage.{module}", *arguments]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise RuntimeError(f"{' '.join(command[2:4])} failed")


def _code(folder: Path) -> None:
    for part in PARTS:
        _process("stimuli", part, str(folder / f"{part}.dat"))


def main() -> int:
    """Run all parts, print the figures, write the record."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, default=RUN, help="where the record is written")
    parser.add_argument("--keep", type=Path, help="folder for Verilator's files, to look into")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coverage-") as name:
        folder = arguments.keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        found = folder / "functional.json"
        with ThreadPoolExecutor(2) as pool:
            parts = [pool.submit(_code, folder), pool.submit(_process, "functional", str(found))]
        for part in parts:
            part.result()
        counted = points.read(folder / f"{part}.dat" for part in PARTS)
        functional = json.loads(found.read_text(encoding="utf-8"))
    verilog, hit = verilog_of(load_params(collect.CHIP)), set(functional["hit"])
    record = report.report(collect.CHIP, counted, verilog, hit, functional["programs"])
    write_atomic(arguments.json, (json.dumps(record, indent=1) + "\n").encode())
    print(report.table(record))
    print(f"in {time.monotonic() - began:.0f} s")
    wrong = report.problems(counted, verilog, hit)
    print("\n".join(wrong) or "every hole has its argument")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
