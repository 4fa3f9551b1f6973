"""Weights that do not stay: tiles are loaded, one after the other, two ahead of their products."""

from collections.abc import Sequence

from compiler.passes.assembler import Assembler
from compiler.passes.weights import PlacedTile, WeightPlan
from npu.chip.params import ChipParams
from npu.model.layer import Layer

HALVES = 2
"""Tiles that the chip has room for, and the tags of their transfers."""
EVERY_TAG = (1 << HALVES) - 1


def load_bank(
    asm: Assembler, params: ChipParams, tile: PlacedTile, bank: int, tag: int, layer: Layer
) -> None:
    """Start to load a tile into the banks."""
    beats = len(tile.tile.image) // params.bus_bytes
    asm.emit("LOAD_BANK", layer, ext=tile.external, bank=bank, beats=beats, tag=tag)


class TileStream:
    """The streamed tiles of a stretch of a program, in the order of their products.

    Parameters
    ----------
    around : the stretch is the body of a loop in which the first tiles follow on the last ones.
    """

    def __init__(
        self,
        asm: Assembler,
        params: ChipParams,
        plan: WeightPlan,
        tiles: Sequence[PlacedTile],
        layer: Layer,
        around: bool = False,
    ) -> None:
        self._asm, self._params, self._plan = asm, params, plan
        self._tiles, self._layer, self._around = tiles, layer, around
        self._done = 0

    def begin(self) -> None:
        """Load the first ones."""
        for ahead in range(min(HALVES, len(self._tiles))):
            self._load(ahead, ahead)

    def wait(self) -> tuple[int, int]:
        """Wait for the next tile; its addresses in the banks and in parameter memory."""
        half = self._done % HALVES
        self._asm.emit("WAIT", self._layer, tags=1 << half)
        return self._plan.stream_banks[half], self._plan.stream_records[half]

    def go_on(self) -> None:
        """The product of that tile stands: load another one in its place."""
        ahead, half = self._done + HALVES, self._done % HALVES
        self._done += 1
        if self._around or ahead < len(self._tiles):
            self._load(ahead % len(self._tiles), half)

    def _load(self, index: int, half: int) -> None:
        tile = self._tiles[index]
        load_bank(self._asm, self._params, tile, self._plan.stream_banks[half], half, self._layer)
        self._asm.emit(
            "LOAD_PARAM",
            self._layer,
            ext=tile.external_records,
            param=self._plan.stream_records[half],
            beats=self._params.align(len(tile.tile.records)) // self._params.bus_bytes,
            tag=half,
        )
