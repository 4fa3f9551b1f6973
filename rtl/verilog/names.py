"""Names that are plain Verilog identifiers, and tell what a designer called a thing."""

import re
from collections import Counter, defaultdict

from rtl.verilog.netlist import Bit, Bits, Module, macro_of
from rtl.verilog.sharing import plain

# Of Verilog and SystemVerilog (IEEE 1800-2017), those that a signal might be called.
_KEYWORDS = """
    accept_on alias always and assert assign assume automatic before begin bind bins bit break
    buf byte case cell chandle checker class clocking config const constraint context continue
    cover cross deassign default defparam design disable dist do edge else end enum event expect
    export extends extern final first_match for force foreach forever fork function generate
    genvar global highz0 highz1 if iff ifnone implements implies import incdir include initial
    inout input inside instance int integer interconnect interface intersect join large let
    liblist library local localparam logic longint macromodule matches medium modport module
    nand negedge nettype new nexttime nmos nor not null or output package packed parameter pmos
    posedge primitive priority program property protected pull0 pull1 pulldown pullup pure rand
    randc randcase randsequence real realtime ref reg reject_on release repeat restrict return
    rnmos scalared sequence shortint shortreal showcancelled signed small soft solve specify
    specparam static string strong strong0 strong1 struct super supply0 supply1 table tagged
    task this throughout time timeprecision timeunit tran tri tri0 tri1 triand trior trireg type
    typedef union unique unique0 unsigned until untyped use uwire var vectored virtual void wait
    wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
KEYWORDS = frozenset(_KEYWORDS.split())


def identifier(name: str) -> str:
    """The nearest identifier: `a__b.c$12` becomes `a_b_c`."""
    text = re.sub(r"_+", "_", re.sub(r"\W", "_", plain(name))).strip("_")
    if not text or text[0].isdigit():
        text = f"n_{text}".rstrip("_")
    return f"{text}_" if text in KEYWORDS else text


class Scope:
    """Identifiers that are taken in a module, without regard to case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def reserve(self, name: str) -> None:
        """Nothing else is called `name` from now on."""
        self._taken.add(name.lower())

    def take(self, wanted: str) -> str:
        """`wanted`, or the first free of `wanted_2`, `wanted_3`, ..."""
        name, count = wanted, 1
        while name.lower() in self._taken:
            count += 1
            name = f"{wanted}_{count}"
        self._taken.add(name.lower())
        return name


def module_names(modules: dict[str, Module], top: str) -> dict[str, str]:
    """Names of modules by their place, without the number of a place that is one of several."""
    scope = Scope()
    names = {top: scope.take(top)}
    uses = Counter(cell.kind for module in modules.values() for cell in module.cells)
    for key in reversed(modules):
        if key == top:
            continue
        parent, _, last = key.rpartition(".")
        last = identifier(last).rstrip("_")
        if macro := macro_of(key):
            names[key] = scope.take(f"{top}_{macro}")
            continue
        if uses[key] > 1:
            last = last.rstrip("0123456789").rstrip("_") or last
        above = names.get(parent, identifier(parent))
        above = top if above == f"{top}_chip" else above
        names[key] = scope.take(f"{above}_{last}")
    return names


def instance_names(module: Module) -> dict[str, str]:
    """Names of the instances in a module."""
    scope = Scope()
    return {
        cell.name: scope.take(identifier(cell.name)) for cell in module.cells if cell.is_instance
    }


class Names:
    """The designer's names of the bits of a module, the best one first.

    Parameters
    ----------
    module : Module.
    fixed : names that go before all others.
    """

    def __init__(self, module: Module, fixed: frozenset[str] = frozenset()) -> None:
        self._at: dict[Bit, list[tuple[str, int]]] = defaultdict(list)
        self._bits = dict(module.names)
        for name, bits in module.names:
            for position, bit in enumerate(bits):
                self._at[bit].append((name, position))
        self._fixed = fixed

    def of(self, bits: Bits) -> tuple[str, int] | None:
        """The best name for a word: the name, and the position of the word in it."""
        found = [
            (name, at)
            for name, at in self._at[bits[0]]
            if self._bits[name][at : at + len(bits)] == bits
            # A fixed name is that of a port: of all its bits, or of none.
            and (name not in self._fixed or self._bits[name] == bits)
        ]
        return min(found, key=lambda pair: self._rank(pair[0], bits), default=None)

    def first_of(self, bits: Bits) -> str | None:
        """The name of the longest word at the beginning of `bits` that has a name of its own."""
        found = [
            name
            for name, at in self._at[bits[0]]
            if at == 0 and self._bits[name] == bits[: len(self._bits[name])] and is_good(name)
        ]
        return min(found, key=lambda name: (-len(self._bits[name]), name), default=None)

    def width(self, name: str) -> int:
        return len(self._bits[name])

    def _rank(self, name: str, bits: Bits) -> tuple:
        return (
            name not in self._fixed,
            self._bits[name] != bits,
            not is_good(name),
            "$" in name,
            "." in name or "[" in name,
            len(self._bits[name]),
            len(name),
            name,
        )


def is_good(name: str) -> bool:
    """Whether a name says something: ports that Amaranth makes for itself are called `port$...`."""
    return not name.startswith("port$")
