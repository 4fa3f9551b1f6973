"""Regenerate `reports/coverage.md` from a run: `python -m tests.coverage`, then this.

Run as `python -m reports.coverage_page`.
"""

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("coverage.md")
RUN = Path(__file__).with_name("coverage.json")
KINDS = ("line", "branch", "toggle")
BINS = {
    "corner": "opcode x field at an end of its range, or zero x OK or error",
    "place": "opcode x operand at the first or last legal address",
    "flags": "opcode x every combination of its flags and types",
    "status": "opcode x status x readiness of the bus x write order",
}


def page(run: dict[str, Any]) -> str:
    """The page as Markdown, from the JSON of `python -m tests.coverage`."""
    lines = [
        "# Coverage",
        "",
        (
            "Written by `python -m reports.coverage_page` from `coverage.json`, which `python -m"
            f" tests.coverage` wrote. Lines, branches and toggles are Verilator's, of the exported"
            f" Verilog of chip `{run['chip']}`, instances of a module taken together; a line has"
            " run when one of its branches has. Everything that ran was equal to the twin."
            " [rtl/VERIFICATION.md](../rtl/VERIFICATION.md) says what this cannot see."
        ),
        "",
        *_table("unit", run["units"] | {"all": run["total"]}),
        "",
        "## Branches and lines that were not hit",
        "",
        "| module and signal | why nothing can hit it |",
        "|---|---|",
        *(
            f"| `{hole['place']}` | {hole['reason'] or '**no argument**'} |"
            for hole in run["holes"]
        ),
        "",
        "## Bits that were not seen to go up and down",
        "",
        "| class | bits and directions |",
        "|---|---:|",
        *(f"| {name} | {count:,} |" for name, count in run["toggles"].items()),
        "",
        "## Functional bins",
        "",
        (
            "Made from the instruction table by `tests/coverage/bins.py`, hit by"
            f" {run['programs']:,} programs that ran on twin and RTL of the small chip"
            f" `{run['bins_chip']}` of the lockstep with no difference."
        ),
        "",
        "| cross | hit | argued | of |",
        "|---|---:|---:|---:|",
    ]
    for kind, text in BINS.items():
        counts = run["bins"][kind]
        lines.append(f"| {text} | {counts['hit']:,} | {counts['argued']:,} | {counts['of']:,} |")
    lines += ["", "| bins that nothing can hit | why |", "|---|---|"]
    for each in run["bin_arguments"]:
        place = each["place"].replace("|", "\\|")
        lines.append(f"| `{place}` | {each['reason']} |")
    return "\n".join([*lines, "", "## By module", "", *_table("module", run["modules"])]) + "\n"


def _table(title: str, parts: dict[str, dict[str, list[int]]]) -> list[str]:
    lines = [f"| {title} | " + " | ".join(KINDS) + " |", "|---|" + "---:|" * len(KINDS)]
    for name, figures in parts.items():
        cells = [_share(*figures[kind]) for kind in KINDS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _share(hit: int, of: int) -> str:
    return f"{100 * hit / of:.2f} % of {of:,}" if of else "-"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RUN.read_text(encoding="utf-8"))), encoding="utf-8")
