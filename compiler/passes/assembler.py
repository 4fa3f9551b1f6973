"""Building blocks of an image: a program with labels, and the map of external memory."""

from collections import Counter
from dataclasses import dataclass, field

from npu.chip.isa import OPCODES, Command, command, encode
from npu.chip.params import ChipParams
from npu.errors import CapacityError
from npu.model.layer import CONTROL, Layer
from npu.runtime.header import Section


class Assembler:
    """A growing program. Branch targets may be named before they are placed.

    Attributes
    ----------
    layers : the layer that each command works for, for reports.
    labels : program counter of every label.
    """

    def __init__(self) -> None:
        self._commands: list[tuple[str, dict[str, int], str | None]] = []
        self.layers: list[Layer] = []
        self.labels: dict[str, int] = {}

    @property
    def pc(self) -> int:
        """Where the next command goes."""
        return len(self._commands)

    def label(self, name: str) -> None:
        """Name the next command."""
        if name in self.labels:
            raise ValueError(f"label {name!r} is placed twice")
        self.labels[name] = self.pc

    def emit(
        self, opcode: str, layer: Layer = CONTROL, to: str | None = None, **values: int
    ) -> int:
        """Append a command (`to`: the label it branches to); returns its program counter."""
        self._commands.append((opcode, values, to))
        self.layers.append(layer)
        return self.pc - 1

    def jump(self, to: str) -> None:
        """Go to a label: r0 always equals r0."""
        self.emit("BEQ", to=to)

    def count(self, opcode: str) -> Counter[Layer]:
        """How many commands of an opcode work for each layer."""
        commands = zip(self._commands, self.layers, strict=True)
        return Counter(layer for (name, _, _), layer in commands if name == opcode)

    def commands(self) -> list[Command]:
        """The program with its labels resolved."""
        resolved = []
        for (opcode, values, to), layer in zip(self._commands, self.layers, strict=True):
            target = {} if to is None else {"target": self.labels[to]}
            if to is not None and self.labels[to] > _MAX_TARGET:
                raise CapacityError(
                    f"label {to!r} is at command {self.labels[to]}, a branch reaches {_MAX_TARGET}"
                )
            try:
                resolved.append(command(opcode, **values, **target))
            except ValueError as error:
                raise CapacityError(f"{layer}: no command says it: {error}") from None
        return resolved

    def program(self, params: ChipParams) -> bytes:
        """Raw bytes. Raises CapacityError when program memory is too small."""
        raw = b"".join(encode(c) for c in self.commands())
        if len(raw) > params.program_bytes:
            raise CapacityError(
                f"the program takes {len(raw)} bytes, chip {params.name!r} has program_bytes "
                f"{params.program_bytes}"
            )
        return raw


_MAX_TARGET = OPCODES["BEQ"].field("target").range[1]


@dataclass
class MemoryMap:
    """External memory: constant sections first, then the areas that host and chip exchange.

    Attributes
    ----------
    sections : the constants, in order.
    size : bytes in use.
    """

    params: ChipParams
    sections: list[Section] = field(default_factory=list)
    size: int = 0
    _data: list[bytes] = field(default_factory=list)

    def place(self, name: str, data: bytes) -> int:
        """Append a constant; returns its address (on a bus word)."""
        padded = data.ljust(self.params.align(len(data)), b"\0")
        self.sections.append(Section.of(name, self.size, padded))
        self._data.append(padded)
        return self._advance(len(padded))

    def reserve(self, n_bytes: int) -> int:
        """Append an area without contents; no constant may follow. Returns its address."""
        return self._advance(self.params.align(n_bytes))

    def contents(self) -> bytes:
        """The constants."""
        return b"".join(self._data)

    def _advance(self, n_bytes: int) -> int:
        address = self.size
        self.size += n_bytes
        if self.size > self.params.memory_bytes:
            raise CapacityError(
                f"the model needs more than {self.size} bytes of external memory, chip "
                f"{self.params.name!r} has memory_bytes {self.params.memory_bytes}"
            )
        return address
