"""Makes a Verilog text smaller, for people and for tools, without changing the design.

Amaranth writes a module for every instance, and numbers names over the whole design. Here modules
that differ in such numbers alone become one, so that a chip of 64 lanes says once what a lane is.
And memories that begin with zeros say so in a loop instead of a line for every word.
"""

import re

_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"^module (\\\S+|\w+)")
# An instance as Yosys writes it: two spaces, module, instance, connections a line each.
_INSTANCE = re.compile(r"^  (\\\S+)  (?:\S+) +\(\n(?:    .*\n)*  \);\n", re.MULTILINE)
_CONNECTION = re.compile(r"^    \.(\\\S+ |\w+)\(", re.MULTILINE)
# Names with numbers that count over the whole design.
_NUMBERED = re.compile(r"\\port\$\d+\$\d+ ")
_ALWAYS = re.compile(r"\\\$auto\$verilog_backend\.cc:\d+:dump_module\$\d+ ")
_PLACEHOLDER = "\\this "
_ZEROS = re.compile(
    r"^  initial begin\n((?:    (\w+|\\\S+ )\[\d+\] = (\d+)'h0+;\n)+)  end\n", re.MULTILINE
)


def compact(verilog: str) -> str:
    """The same design: every module once, and no lists of zeros."""
    return share_modules(_ZEROS.sub(_loop, verilog))


def _loop(found: re.Match) -> str:
    lines, memory, width = found.groups()
    words = lines.count("\n")
    if words < 3 or not all(line.startswith(f"    {memory}[") for line in lines.splitlines()):
        return found[0]
    name = f"zero_{memory}" if memory[0] != "\\" else f"\\zero_{memory[1:]}"
    return (
        f"  initial begin : {name}\n    integer i;\n"
        f"    for (i = 0; i < {words}; i = i + 1) {memory}[i] = {width}'h0;\n  end\n"
    )


def share_modules(verilog: str) -> str:
    """The same design with every module written once, under the name of its first instance."""
    modules = {_name(text): text for text in _MODULE.findall(verilog)}
    order = list(modules)
    kept: dict[str, str] = {}  # text by name
    known: dict[str, str] = {}  # name by text
    same: dict[str, str] = {}  # the kept name of every module
    ports: dict[str, dict[str, str]] = {}  # new names of its ports

    def settle(name: str) -> None:
        if name in same:
            return
        text = modules[name]
        for instance in _INSTANCE.finditer(text):
            if instance[1] in modules:
                settle(instance[1])
        text = _INSTANCE.sub(lambda found: _connect(found, same, ports), text)
        numbered = dict.fromkeys(_NUMBERED.findall(text))
        ports[name] = {old: f"\\port$${index} " for index, old in enumerate(numbered)}
        text = _NUMBERED.sub(lambda found: ports[name][found[0]], text)
        text = _ALWAYS.sub(r"\\$always ", text)
        anonymous = _NAME.sub("module " + _PLACEHOLDER, text, count=1)
        same[name] = known.setdefault(anonymous, name)
        kept.setdefault(same[name], text)

    for name in order:
        settle(name)
    start = verilog[: verilog.index("module ")]
    return start + "\n".join(kept[name] for name in order if name in kept)


def _name(text: str) -> str:
    found = _NAME.match(text)
    assert found is not None
    return found[1]


def _connect(found: re.Match, same: dict[str, str], ports: dict[str, dict[str, str]]) -> str:
    """An instance with the kept names of its module and ports."""
    text, module = found[0], found[1]
    if module not in same:
        return text
    names = ports[module]
    text = _CONNECTION.sub(lambda c: f"    .{names.get(c[1], c[1])}(", text)
    return text.replace(module + " ", same[module] + " ", 1)
