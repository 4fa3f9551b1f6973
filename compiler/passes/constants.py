"""Constants in external memory: what is loaded as it is, and the tables of gathers."""

import numpy as np

from compiler.lowering.ir import ChipModule, GatherRow, LoadConstant
from compiler.passes.assembler import MemoryMap
from npu.chip.params import ChipParams


class Constants:
    """Places them, the same ones once, and knows where they are."""

    def __init__(self, params: ChipParams, memory: MemoryMap) -> None:
        self._params = params
        self._memory = memory
        self._addresses: dict[tuple[object, ...], int] = {}

    def place(self, module: ChipModule) -> None:
        """Those of a module; tables of gathers with their rows on bus words."""
        for segment in module.segments.values():
            for op in segment.operators:
                if isinstance(op, LoadConstant):
                    self._place("constant", op.data, op.data.reshape(1, -1))
                if isinstance(op, GatherRow):
                    self._place("table", op.table, op.table.reshape(len(op.table), -1))
        for _, value in module.resets:
            if isinstance(value, np.ndarray):
                self._place("state", value, value.reshape(1, -1))

    def address(self, data: np.ndarray) -> int:
        """Where a constant that was placed lies."""
        return self._addresses[_key(data)]

    def _place(self, name: str, data: np.ndarray, rows: np.ndarray) -> None:
        if (key := _key(data)) not in self._addresses:
            raw = np.ascontiguousarray(rows).view(np.uint8)
            padded = np.zeros((len(raw), self._params.align(raw.shape[1])), np.uint8)
            padded[:, : raw.shape[1]] = raw
            self._addresses[key] = self._memory.place(name, padded.tobytes())


def _key(data: np.ndarray) -> tuple[object, ...]:
    return data.shape, data.dtype.str, data.tobytes()
