"""What a program is: a description of graphs, borders and entries, which no pass looks behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from npu.runtime.header import Loop, TensorInfo, TransducerInfo


@dataclass(frozen=True)
class Border:
    """An output of one graph becomes an input of another, requantised where their scales differ.

    Attributes
    ----------
    source, target : roles; the source stands before the target in its program.
    output, input : which of theirs, by position.
    on_chip : the value stays in SRAM. Otherwise it goes through the host: it is an output of the
        source, in the shape and scale of the target's input.
    frames : times that the output holds what the input takes, one behind the other. Of more than
        one the target sees what `Writer.bring` has brought, or the host has picked.
    """

    source: str
    target: str
    output: int = 0
    input: int = 0
    on_chip: bool = True
    frames: int = 1


@dataclass(frozen=True)
class Use:
    """How a program uses a graph.

    Attributes
    ----------
    role : the graph's name in its model; also that of its segment.
    stores : its outputs go to external memory, where the host reads them; of those with borders
        through the host, what crosses does.
    slots : calls whose inputs the host may write before one start. With more than one, register
        FEATURES says how far the call's inputs lie behind the first one's.
    index : register that holds its one index, if the host does not write it.
    argmax : register that gets the place of the largest value of its first output.
    probe : name of its first output for reports and comparisons, if it is worth looking at.
    """

    role: str
    stores: bool = False
    slots: int = 1
    index: int | None = None
    argmax: int | None = None
    probe: str | None = None


@dataclass(frozen=True)
class Exchange:
    """What the host writes before a start at an entry, and reads after it."""

    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    loop: Loop | None = None


@dataclass(frozen=True)
class Kept:
    """A vector that stays in SRAM from one start to the next.

    Attributes
    ----------
    sram : its address. n_bytes : whole bus words, `beats` of them.
    crosses : whether another graph takes it, on the chip.
    """

    sram: int
    n_bytes: int
    beats: int
    crosses: bool


class Writer(Protocol):
    """What the entries of a program are written with (`compiler.passes.emit`).

    Attributes
    ----------
    inputs, outputs : what the host writes and reads for a graph, by role.
    """

    @property
    def inputs(self) -> Mapping[str, tuple[TensorInfo, ...]]: ...

    @property
    def outputs(self) -> Mapping[str, tuple[TensorInfo, ...]]: ...

    def reserve(self, n_bytes: int) -> int:
        """An area of external memory for what is exchanged beyond tensors; its address."""

    def bytes_per_call(self, role: str) -> int:
        """From one slot of a graph's one input to the next."""

    def kept(self, role: str) -> Sequence[Kept]:
        """The states of a graph, and what crosses from it on the chip."""

    def label(self, name: str) -> None:
        """Name the next command."""

    def emit(self, opcode: str, to: str | None = None, **values: int) -> None:
        """Append a command of the control flow (`to`: the label it branches to)."""

    def jump(self, to: str) -> None:
        """Go to a label."""

    def run(self, role: str) -> None:
        """Append the commands of a graph."""

    def bring(self, border: Border, frame: int) -> None:
        """Append the commands that give a border's target one of several frames: that of the number
        in a register.
        """

    def reset(self) -> None:
        """Append the commands that give every state its start value."""


@dataclass(frozen=True)
class EntryPoint:
    """A place where the host may start the program.

    `write` emits its commands, the last of which halts or jumps to a label of another entry.
    """

    name: str
    write: Callable[[Writer], Exchange]


@dataclass(frozen=True)
class Program:
    """Which graphs of a model run, what crosses between them, and where the host may begin.

    Attributes
    ----------
    uses : the graphs, those that give something before those that take it.
    borders : all that crosses.
    entries : in program order, after `boot`, which every program begins with.
    hot : roles whose weights stay in the banks first, most important first.
    transducer : what the host needs to know of a transducer.
    """

    uses: tuple[Use, ...]
    entries: tuple[EntryPoint, ...]
    borders: tuple[Border, ...] = ()
    hot: tuple[str, ...] = ()
    transducer: TransducerInfo | None = None

    def __post_init__(self) -> None:
        roles = [use.role for use in self.uses]
        if len(set(roles)) != len(roles):
            raise ValueError(f"a program uses a graph twice: {roles}")
        for border in self.borders:
            ends = [border.source, border.target]
            if not set(ends) <= set(roles) or roles.index(ends[0]) >= roles.index(ends[1]):
                raise ValueError(f"{border}: its graphs must stand in this order in {roles}")
