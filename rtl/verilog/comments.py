"""What a reader is told of a module before it begins: component, purpose, ports.

All of it comes from the component's docstring: its first line, and its section "Members".
"""

import inspect
import re
from collections.abc import Iterable, Mapping
from textwrap import wrap

from amaranth.lib import wiring

from rtl.verilog.names import identifier
from rtl.verilog.nets import INPUT, Pin

WIDTH = 100
RULE = "// " + "-" * (WIDTH - 3)
# Of every module that has them; a component says nothing of its clock domain.
DOMAIN = {"clk": "clock, rising edge", "rst": "reset, synchronous, active high"}
# Of every module with block RAM, as an option.
PINS = {
    "pins_in": "pins of a macro, the same for all of them",
    "pins_out": "pins of a macro",
    "ram_pins_in": "pins_in of every block RAM below",
    "ram_pins_out": "pins_out of the block RAMs below, a slice for each",
}
_ITEM = re.compile(r"^(\w+(?:, \w+)*) : (.*)")
_FLOW = re.compile(r"^((In|Out)\b[,.:]?\s*)+")


def section(owner: object, title: str) -> dict[str, str]:
    """A section of an object's docstring, as `Attributes` or `Members`: text by name.

    `a, b : text` says the same of both; lines further in go on with the text.
    """
    lines = (inspect.getdoc(owner) or "").splitlines()
    try:
        at = lines.index(title) + 2
    except ValueError:
        return {}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in lines[at:]:
        if not line.strip():
            break
        if item := _ITEM.match(line):
            names = item[1].split(", ")
            found |= dict.fromkeys(names, item[2])
        elif line.startswith(" "):
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
        else:
            break
    return found


def purpose(component: object) -> str:
    """The first sentence or line of a component's docstring."""
    return (inspect.getdoc(type(component)) or "").partition("\n")[0]


def meanings(component: object) -> dict[str, str]:
    """Text by the names that a component's ports have in Verilog."""
    if not isinstance(component, wiring.Component):
        return {}
    said = section(type(component), "Members")
    found = {}
    for path, _, _ in component.signature.flatten(component):
        if text := _FLOW.sub("", said.get(str(path[0]), "")).rstrip("."):
            found[identifier("__".join(map(str, path)))] = text
    return found


def before(
    name: str,
    component: object | None,
    pins: Iterable[Pin],
    domains: Mapping[str, str] = DOMAIN,
) -> list[str]:
    """The comment above module `name`, with the ports `pins` in their order.

    domains : what clocks and resets are, by their names.
    """
    lines = [RULE, f"// {name}"]
    if component is not None:
        kind = type(component)
        lines += folded(f"{purpose(component)} ({kind.__module__}.{kind.__name__})", "//   ")
    known = meanings(component)
    rows = [(_way(pin), pin.net.range.strip(), pin.net.name) for pin in pins]
    ranges = max((len(span) for _, span, _ in rows), default=0)
    names = max((len(row[2]) for row in rows), default=0)
    last = None
    for way, span, port in rows:
        text = domains.get(port) or _meaning(port, known)
        # What is said of a bundle stands at its first signal.
        shown, last = ("" if text == last else text), text
        start = f"//   {way:3} {span:{ranges}} {port:{names}}"
        lines += folded(shown, f"{start}  ", "//" + " " * len(start)) if shown else [start.rstrip()]
    return [*lines, RULE]


def _way(pin: Pin) -> str:
    return "in" if pin.net.kind == INPUT else "out"


def _meaning(port: str, known: dict[str, str]) -> str:
    if said := PINS.get(port):
        return said
    found = [name for name in known if port == name or port.startswith(f"{name}_")]
    return known[max(found, key=len)] if found else ""


def folded(text: str, first: str, later: str | None = None) -> list[str]:
    """A text in lines of at most WIDTH, behind what each begins with."""
    return wrap(
        text.replace("`", ""),
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if later is None else later,
        break_on_hyphens=False,
        break_long_words=False,
    )
