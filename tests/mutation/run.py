"""Seeds the faults one by one, runs the unit tests and writes down which test noticed.

    python -m tests.mutation.run [--new] [--json FILE] [--page FILE]

Works on a copy of the tree in a temporary folder. `--new` runs those that no test has noticed yet.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.mutation.faults import FAULTS, Fault
from tests.mutation.locate import unit_of, with_fault

ROOT = Path(__file__).parent.parent.parent
NEEDED = ("npu", "rtl", "compiler", "kernels", "tests", "reports", "pyproject.toml")
KEYS = ("unit", "what", "old", "new")
"""What makes a fault the one that was run."""
SECONDS = 600
"""A test file that takes longer has noticed too: the fault made it hang."""


@dataclass(frozen=True)
class Outcome:
    """`caught_by`: the test that failed first, empty if none did."""

    fault: Fault
    caught_by: str
    seconds: float


def seed(fault: Fault, root: Path) -> tuple[Path, str]:
    """Put the fault in; returns the file and what it held. Raises ValueError if it is gone."""
    path = unit_of(root / "rtl", fault.unit)
    text = path.read_text(encoding="utf-8")
    path.write_text(with_fault(text, fault.unit, fault.old, fault.new), encoding="utf-8")
    return path, text


def file_of(tests: str) -> Path:
    """The file of tests of this name, in whatever room it is; names are unique."""
    (path,) = (ROOT / "tests" / "rtl").rglob(f"test_{tests}.py")
    return path


def noticed(tests: str, root: Path) -> str:
    """The first test of a file that fails, or an empty string."""
    name = file_of(tests).relative_to(ROOT).as_posix()
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", name]
    command += ["-m", "not long", "--no-header"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"{name} (does not end)"
    if done.returncode == 0:
        return ""
    failed = first_failed(done.stdout)
    # Tests that cannot even be collected have noticed nothing.
    if not failed:
        raise RuntimeError(f"{name} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed


def first_failed(output: str) -> str:
    """The first test that pytest's summary says has failed, or an empty string."""
    failed = re.search(r"^FAILED (.+?)(?: - .*)?$", output, re.MULTILINE)
    return failed[1] if failed else ""


def run(faults: tuple[Fault, ...] = FAULTS) -> Iterator[Outcome]:
    """Seed every fault; stops at the first file of its tests that notices.

    Raises RuntimeError if a test fails before the fault is seeded.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        root = Path(name)
        for part in NEEDED:
            source = ROOT / part
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__", ".*_cache")
                shutil.copytree(source, root / part, ignore=ignore)
            else:
                shutil.copy(source, root / part)
        green: set[str] = set()
        for fault in faults:
            begin = time.monotonic()
            caught = _first_to_notice(fault, root, green)
            yield Outcome(fault, caught, round(time.monotonic() - begin, 1))


def _first_to_notice(fault: Fault, root: Path, green: set[str]) -> str:
    """The first test that fails, file by file; `green` are the files known to pass without it."""
    for tests in fault.tests:
        if tests not in green and (failed := noticed(tests, root)):
            raise RuntimeError(f"{failed} fails without any fault")
        green.add(tests)
        path, before = seed(fault, root)
        caught = noticed(tests, root)
        path.write_text(before, encoding="utf-8")
        if caught:
            return caught
    return ""


def recorded(records: list[dict]) -> dict[Fault, str]:
    """Which test noticed a fault, for those of FAULTS that were run."""
    known = {tuple(r[key] for key in KEYS): r["caught_by"] for r in records}
    names = {fault: tuple(getattr(fault, key) for key in KEYS) for fault in FAULTS}
    return {fault: known[name] for fault, name in names.items() if name in known}


def page(outcomes: list[Outcome], waiting: Sequence[Fault] = ()) -> str:
    """The list as Markdown; faults that are `waiting` were not run yet."""
    caught = sum(bool(o.caught_by) for o in outcomes)
    count = f"{caught} of {len(outcomes)}"
    lines = [
        "# Mutation check",
        "",
        f"Single faults seeded into the hardware: {count} are caught by the unit tests. The table",
        "names the first test that fails. Written by `python -m tests.mutation.run`.",
        "",
        "| unit | fault | caught by |",
        "|---|---|---|",
    ]
    for o in outcomes:
        test = o.caught_by.rpartition("/")[2].replace("|", "\\|")
        lines.append(
            f"| `{o.fault.unit}` | {o.fault.what} | {f'`{test}`' if test else '**none**'} |"
        )
    if waiting:
        lines += ["", f"{len(waiting)} more wait for their first run (`--new`):", ""]
        lines += [f"- `{fault.unit}`: {fault.what}" for fault in waiting]
    return "\n".join([*lines, ""])


def write(json_path: Path, page_path: Path, known: dict[Fault, str]) -> None:
    """Results and page, of what has been run so far."""
    done = [Outcome(fault, known[fault], 0) for fault in FAULTS if fault in known]
    waiting = [fault for fault in FAULTS if fault not in known]
    page_path.write_text(page(done, waiting), encoding="utf-8")
    records = [asdict(o.fault) | {"caught_by": o.caught_by} for o in done]
    json_path.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=ROOT / "reports" / "mutations.json")
    parser.add_argument("--page", type=Path, default=ROOT / "reports" / "mutations.md")
    parser.add_argument("--only", help="faults of units with this in their name; writes nothing")
    parser.add_argument(
        "--new", action="store_true", help="only faults that no test has noticed yet"
    )
    options = parser.parse_args()
    records = json.loads(options.json.read_text(encoding="utf-8")) if options.new else []
    known = {fault: test for fault, test in recorded(records).items() if test}
    chosen = tuple(f for f in FAULTS if (options.only or "") in f.unit and f not in known)
    outcomes = []
    for number, outcome in enumerate(run(chosen), 1):
        outcomes.append(outcome)
        known[outcome.fault] = outcome.caught_by
        caught = outcome.caught_by or "NOT CAUGHT"
        print(f"{number}/{len(chosen)} {outcome.fault.unit}: {outcome.fault.what}: {caught}")
        sys.stdout.flush()
        if not options.only:
            write(options.json, options.page, known)
    missed = [o for o in outcomes if not o.caught_by]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
