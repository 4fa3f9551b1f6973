"""Draw the rooms in ARCHITECTURE.md from their imports: `python -m tests.architecture`."""

import re

from tests.imports import ROOT, edges, reduced

PAGE = ROOT / "ARCHITECTURE.md"
_PICTURE = re.compile(r"(<!-- picture -->\n)(.*?)(<!-- /picture -->)", re.DOTALL)


def picture() -> str:
    """The rooms as a Mermaid chart: an arrow to a room from which another imports.

    An arrow is left out where others lead there as well.
    """
    pairs = {pair for pair in edges() if "npu" not in pair}
    # Folders use flat modules of their package that lie below them.
    pairs = {(a, b) for a, b in pairs if not a.startswith(f"{b}/")}
    arrows = sorted(reduced(pairs))
    rooms = sorted({room for pair in arrows for room in pair})
    packages = sorted({room.partition("/")[0] for room in rooms})
    lines = ["```mermaid", "flowchart TD"]
    for package in packages:
        inside = [room for room in rooms if room.partition("/")[0] == package]
        if len(inside) > 1:
            lines.append(f"  subgraph {package}_[ ]")
        lines += [f'    {_node(room)}["{room}"]' for room in inside]
        if len(inside) > 1:
            lines.append("  end")
    lines += [f"  {_node(a)} --> {_node(b)}" for a, b in arrows]
    return "\n".join([*lines, "```", ""])


def _node(room: str) -> str:
    return room.replace("/", "_")


def with_picture(text: str) -> str:
    """The page with the picture of today."""
    return _PICTURE.sub(lambda found: found[1] + picture() + found[3], text)


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
