"""Write what ARCHITECTURE.md shows of the sources: `python -m tests.architecture`.

The picture of the rooms is made of their imports, the table of the first sentence of each room's
docstring.
"""

import ast
import re

from tests.imports import PACKAGES, ROOT, SPLIT, edges, modules, read, reduced, room

PAGE = ROOT / "ARCHITECTURE.md"
_BLOCK = re.compile(r"(<!-- (picture|rooms) -->\n)(.*?)(<!-- /\2 -->)", re.DOTALL)


def picture() -> str:
    """The rooms as a Mermaid chart: an arrow to a room from which another imports.

    An arrow is left out where others lead there as well.
    """
    arrows = sorted(reduced({pair for pair in edges() if "npu" not in pair}))
    rooms = sorted({room for pair in arrows for room in pair})
    lines = ["```mermaid", "flowchart TD"]
    for package in PACKAGES:
        inside = [f'{_node(room)}["{room}"]' for room in rooms if room.split("/")[0] == package]
        if package in SPLIT:
            lines += [f"  subgraph {package}_[ ]", *(f"    {node}" for node in inside), "  end"]
        else:
            lines += [f"  {node}" for node in inside]
    lines += [f"  {_node(a)} --> {_node(b)}" for a, b in arrows]
    return "\n".join([*lines, "```", ""])


def _node(room: str) -> str:
    return room.replace("/", "_")


def rooms_table() -> str:
    """Markdown: every room with the first sentence of its docstring."""
    lines = ["| room | what lives there |", "|---|---|"]
    for path in modules(*PACKAGES):
        name = "/".join(path.parts[:-1])
        if path.name == "__init__.py" and name == room(path):
            text = ast.get_docstring(ast.parse(read(path))) or ""
            first = " ".join(text.split("\n\n")[0].split())
            lines.append(f"| `{name}` | {first} |")
    return "\n".join([*lines, ""])


def with_blocks(text: str) -> str:
    """The page with the picture and the table of today."""
    made = {"picture": picture, "rooms": rooms_table}
    return _BLOCK.sub(lambda found: f"{found[1]}\n{made[found[2]]()}\n{found[4]}", text)


if __name__ == "__main__":
    PAGE.write_text(with_blocks(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
