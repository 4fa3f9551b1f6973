"""Area and clock over time: `python -m reports.synth_history` reads what was ever recorded.

Every version of `reports/synth.json` in the repository's history gives an entry of
`synth_history.json`; so does the file as it is. An entry stays when history is cut off.
"""

import json
import subprocess
from pathlib import Path
from typing import TypedDict

from npu.files import write_atomic
from npu.text import json_text

RUN = Path(__file__).with_name("synth.json")
HISTORY = Path(__file__).with_name("synth_history.json")


class UnitThen(TypedDict):
    """A unit as it was: LUT4, and the median clock of its places."""

    lut4: int
    mhz: float


class Then(TypedDict):
    """A recorded run. `date` is that of its commit; of one that is not committed, empty."""

    date: str
    tools: dict[str, str]
    units: dict[str, UnitThen]


def entry(run: dict, date: str) -> Then:
    """What the history keeps of a run of `npu synth`."""
    units = {
        unit["unit"]: UnitThen(lut4=unit["utilisation"]["lut4"], mhz=round(unit["fmax_mhz"], 1))
        for unit in run["units"]
    }
    return Then(date=date, tools=run["tools"], units=units)


def read() -> list[Then]:
    """The entries, the oldest first."""
    return json.loads(HISTORY.read_text(encoding="utf-8"))["entries"]


def with_entries(known: list[Then], found: list[Then]) -> list[Then]:
    """Those that are known, and those that are new, none twice."""
    seen = {json.dumps(then["units"], sort_keys=True): then for then in known if then["date"]}
    for then in found:
        seen.setdefault(json.dumps(then["units"], sort_keys=True), then)
    return sorted(seen.values(), key=lambda then: then["date"] or "9")


def committed() -> list[Then]:
    """An entry for each version of `synth.json` in the history of this checkout."""
    log = _git("log", "--format=%H %ad", "--date=short", "--", RUN.name)
    found = []
    for line in reversed(log.splitlines()):
        commit, date = line.split()
        text = _git("show", f"{commit}:./{RUN.name}")
        found.append(entry(json.loads(text), date))
    return found


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=RUN.parent, capture_output=True, text=True, check=True
    )
    return done.stdout


def table(history: list[Then]) -> list[str]:
    """Lines of Markdown: a row for each entry, LUT4 and MHz of every unit."""
    units = list(history[-1]["units"])
    lines = [
        "| recorded | " + " | ".join(units) + " |",
        "|---|" + "---:|" * len(units),
    ]
    for then in history:
        cells = [
            f"{then['units'][unit]['lut4']:,} / {then['units'][unit]['mhz']:.1f}"
            if unit in then["units"]
            else ""
            for unit in units
        ]
        lines.append(f"| {then['date'] or 'now'} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Write `synth_history.json` anew."""
    known = read() if HISTORY.exists() else []
    now = entry(json.loads(RUN.read_text(encoding="utf-8")), "")
    write_atomic(HISTORY, json_text({"entries": with_entries(known, [*committed(), now])}).encode())


if __name__ == "__main__":
    main()
