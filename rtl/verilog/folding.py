"""Long lines of Verilog, folded where a reader would."""

from itertools import pairwise

WIDTH = 100
_OPEN, _CLOSE = "([{", ")]}"


def folded(line: str) -> list[str]:
    """A statement in lines of at most WIDTH, where that can be: the later ones further in.

    It is broken at spaces: a choice of several values behind each of them, all else where the
    fewest brackets are open.
    """
    if len(line) <= WIDTH or line.lstrip().startswith(("//", "(*", "`")):
        return [line]
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    depths = _depths(line)
    choices = [i for i in _spaces(line) if depths[i] == 0 and line[i - 2 : i] == " :"]
    parts = [line[i:j].strip() for i, j in pairwise([0, *choices, len(line)])]
    parts[0] = line[: len(line) - len(line.lstrip())] + parts[0]
    lines = []
    for index, part in enumerate(parts):
        lines += _broken(part if index == 0 else margin + part, margin + "  " * (index > 0))
    return lines


def _broken(line: str, margin: str) -> list[str]:
    lines = []
    while len(line) > WIDTH:
        start = len(line) - len(line.lstrip())
        depths = _depths(line)
        places = [i for i in _spaces(line) if start < i <= WIDTH]
        if not places:
            break
        late = [i for i in places if i > (start + WIDTH) // 2] or places
        shallow = min(depths[i] for i in late)
        at = max(i for i in late if depths[i] == shallow)
        lines.append(line[:at].rstrip())
        line = margin + line[at:].lstrip()
    return [*lines, line]


def _spaces(line: str) -> list[int]:
    """Where a line may be broken: not before or in its indentation."""
    start = len(line) - len(line.lstrip())
    return [i for i in range(start + 1, len(line)) if line[i] == " "]


def _depths(line: str) -> list[int]:
    """How many brackets are open at every character."""
    depth, depths = 0, []
    for character in line:
        depth += (character in _OPEN) - (character in _CLOSE)
        depths.append(depth)
    return depths
