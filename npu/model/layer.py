"""Layers: what of a model a command of the chip, or a weight matrix, works for."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

MAX_ROWS = 1 << 26


@dataclass(frozen=True)
class Layer:
    """An operator of a graph, one of its matrices, or work around the operators.

    Its text, `str(layer)`, is for people only: operators may be named as they like.

    Attributes
    ----------
    graph : the graph's role in its model ("main", "encoder" ...); "" for work that belongs to none,
        such as the loop around the graphs.
    operator : the operator's name, or of what is done around operators ("input", "streaming").
    part : which of the operator's matrices this is ("recurrent"); "" for one that has no parts.
    layout : matrices whose input vectors lie differently in SRAM are numbered by it, from 0.
    rows : rows of each gate of the matrix; () for what is no matrix.
    """

    graph: str
    operator: str
    part: str = ""
    layout: Annotated[int, Field(ge=0, le=MAX_ROWS)] = 0
    rows: tuple[Annotated[int, Field(ge=1, le=MAX_ROWS)], ...] = ()

    # Images are read with it: as strictly as the rest of their header.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    def __str__(self) -> str:
        graph = f"{self.graph}: " if self.graph else ""
        return f"{graph}{self.place}"

    @property
    def place(self) -> str:
        """Where in its graph it is."""
        part = f" {self.part}" if self.part else ""
        layout = f", layout {self.layout + 1}" if self.layout else ""
        return f"{self.operator}{part}{layout}"


CONTROL = Layer("", "control")
"""The loop around the graphs."""
