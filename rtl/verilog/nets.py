"""The nets of a module: every bit that is read belongs to one, under one name."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from rtl.verilog.liveness import REGISTERS, Live, runs
from rtl.verilog.names import Names, Scope, identifier, is_good
from rtl.verilog.netlist import Bit, Bits, Cell, Module

INPUT, WIRE, REG = "input", "wire", "reg"


@dataclass
class Net:
    """A net: `kind name[high:low]`.

    Attributes
    ----------
    bits : from `low` on.
    is_output : whether it is a port as well.
    """

    name: str
    kind: str
    low: int
    bits: Bits
    is_output: bool = False

    @property
    def declaration(self) -> str:
        """`reg [7:0] name`, without `output`."""
        return f"{self.kind} {self.range}{self.name}"

    @property
    def range(self) -> str:
        high = self.low + len(self.bits) - 1
        return f"[{high}:{self.low}] " if len(self.bits) > 1 else ""


@dataclass(frozen=True)
class Pin:
    """A part of a port, which is a port of the module that is written."""

    port: str
    at: range
    net: Net


@dataclass(frozen=True)
class _Claim:
    kind: str
    bits: Bits
    port: str = ""
    at: int = 0


class Nets:
    """Nets and pins of a module.

    Parameters
    ----------
    module : pruned Module.
    live : its live bits.
    ports : live positions of its ports.
    is_top : ports keep their names.
    taken : identifiers that no net shall have: those of instances, around the module and in it.

    Attributes
    ----------
    scope : the identifiers.
    nets : in the order of their making.
    pins : ports of the module that is written.
    private : nets without a designer's name, by their first bit.
    joined : outputs that are no net of their own: what they are assigned.
    """

    def __init__(
        self,
        module: Module,
        live: set[Bit],
        ports: Live,
        is_top: bool,
        taken: Iterable[str] = (),
    ) -> None:
        self.scope = Scope()
        for name in taken:
            self.scope.reserve(name)
        self.nets: list[Net] = []
        self.pins: list[Pin] = []
        self.private: dict[Bit, Net] = {}
        self.joined: list[tuple[Net, Bits]] = []
        self.where: dict[Bit, Net] = {}
        self._counts: dict[str, int] = defaultdict(int)
        fixed = frozenset(port.name for port in module.ports) if is_top else frozenset()
        self._names = Names(module, fixed)
        for name in sorted(fixed):
            self.scope.take(name)
        self._fixed = fixed
        self._inputs(module, ports)
        self._drivers(module, live)
        self._outputs(module, ports)

    def new(self, hint: str, kind: str, bits: Bits, low: int = 0) -> Net:
        """A net that nothing names."""
        net = Net(self.scope.take(hint), kind, low, bits)
        self._add(net)
        return net

    def spare(self, width: int, kind: str) -> Net:
        """A net for results that nobody reads; tools know the word `unused`."""
        net = Net(self._count("unused"), kind, 0, ("0",) * width)
        self.nets.append(net)
        return net

    def _count(self, hint: str) -> str:
        self._counts[hint] += 1
        return self.scope.take(f"{hint}_{self._counts[hint]}")

    def _add(self, net: Net) -> None:
        self.nets.append(net)
        self.where.update({bit: net for bit in net.bits})

    def _inputs(self, module: Module, ports: Live) -> None:
        for index, port in enumerate(module.ports):
            if not port.is_input:
                continue
            claims: dict[str, list[tuple[int, Bit, int]]] = defaultdict(list)
            for run in runs(ports.get(str(index), ())):
                for piece in self._pieces(port.bits, run):
                    bits = port.bits[piece.start : piece.stop]
                    name, at = self._best(bits, port.name, piece.start)
                    claims[name] += zip(range(at, at + len(bits)), bits, piece, strict=True)
            for name, claimed in claims.items():
                claimed.sort()
                for net, positions in self._make(INPUT, name, claimed):
                    self.pins.append(Pin(str(index), positions, net))

    def _best(self, bits: Bits, port: str, at: int) -> tuple[str, int]:
        if port in self._fixed:
            return port, at
        return self._names.of(bits) or (port, at)

    def _pieces(self, bits: Bits, run: range) -> Iterable[range]:
        """A run of a port's bits in words that have names; a named port is one."""
        named = self._names.of(bits[run.start : run.stop])
        if named is not None and (is_good(named[0]) or named[0] in self._fixed):
            yield run
            return
        start = at = run.start
        while at < run.stop:
            name = self._names.first_of(bits[at : run.stop])
            if name is None:
                at += 1
                continue
            if start < at:
                yield range(start, at)
            start = at + self._names.width(name)
            yield range(at, start)
            at = start
        if start < at:
            yield range(start, at)

    def _drivers(self, module: Module, live: set[Bit]) -> None:
        claims: dict[tuple[str, str], list[tuple[int, Bit, int]]] = defaultdict(list)
        for cell in module.cells:
            for port, bits in cell.outputs.items():
                kind = REG if _is_clocked(cell, port) else WIRE
                for run in runs(i for i, bit in enumerate(bits) if bit in live):
                    word = bits[run.start : run.stop]
                    found = self._names.of(word)
                    if found is None or not is_good(found[0]):
                        net = Net("", kind, 0, word)
                        self._add(net)
                        self.private[word[0]] = net
                        continue
                    name, at = found
                    claims[kind, name] += ((at + i, bit, 0) for i, bit in enumerate(word))
        for (kind, name), claimed in claims.items():
            claimed.sort()
            self._make(kind, name, claimed)

    def _make(
        self, kind: str, name: str, claimed: list[tuple[int, Bit, int]]
    ) -> list[tuple[Net, range]]:
        """Nets for claimed positions of a name, with where in its port each begins."""
        bits = {at: (bit, origin) for at, bit, origin in claimed}
        found = runs(bits)
        made = []
        for run in found:
            base = name if name in self._fixed else identifier(name)
            low = run.start
            if len(found) > 1 or (len(run) == 1 and self._width(name) > 1):
                base += f"_{run.start}" if len(run) == 1 else f"_{run.stop - 1}_{run.start}"
                low = 0
            base = base if base in self._fixed else self.scope.take(base)
            net = Net(base, kind, low, tuple(bits[at][0] for at in run))
            self._add(net)
            first = bits[run.start][1]
            made.append((net, range(first, first + len(run))))
        return made

    def _width(self, name: str) -> int:
        try:
            return self._names.width(name)
        except KeyError:
            return 1

    def _outputs(self, module: Module, ports: Live) -> None:
        taken: set[int] = set()
        for index, port in enumerate(module.ports):
            if port.is_input:
                continue
            for run in runs(ports.get(str(index), ())):
                bits = port.bits[run.start : run.stop]
                net = self.where.get(bits[0])
                if (
                    net is None
                    or net.bits != bits
                    or net.kind == INPUT
                    or net.is_output
                    or (port.name in self._fixed and net.name != port.name)
                ):
                    name, at = self._best(bits, port.name, run.start)
                    net = Net("", WIRE, 0, bits, is_output=True)
                    if name in self._fixed:
                        net.name, net.low = name, at
                    else:
                        part = len(bits) < self._width(name)
                        suffix = f"_{at + len(bits) - 1}_{at}" if part else ""
                        net.name = self.scope.take(identifier(name) + suffix)
                    self.nets.append(net)
                    self.joined.append((net, bits))
                net.is_output = True
                if not net.name:  # a result without a name of its own
                    net.name = self.scope.take(identifier(port.name))
                    self.private.pop(bits[0], None)
                taken.add(id(net))
                self.pins.append(Pin(str(index), run, net))

    def name_private(self, net: Net, hint: str) -> None:
        """Give a net without a designer's name one that says what makes it."""
        net.name = self._count(hint)


def _is_clocked(cell: Cell, port: str) -> bool:
    if cell.kind == "$mem_v2":
        return bool(cell.parameters["RD_CLK_ENABLE"])
    return cell.kind in REGISTERS
