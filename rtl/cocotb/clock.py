"""The count of cycles that memory and scoreboard share."""

from collections.abc import Callable

from cocotb.triggers import RisingEdge


class Cycles:
    """Counts the chip's cycles as the twin does: those with a program or a transfer in progress.

    While `armed` is False every cycle counts: the program is being loaded, which is no part of a
    run. Everything that watches the chip is called once per cycle, in the order of `watchers`, with
    the cycle's number, and sees the values just before the rising edge.

    Attributes
    ----------
    now : number of the present cycle.
    running : cycles in which a program ran.
    """

    def __init__(self, dut) -> None:
        self.now = 0
        self.running = 0
        self.armed = False
        self.watchers: list[Callable[[int], None]] = []
        # Called after the edge with the number of the cycle that begins.
        self.drivers: list[Callable[[int], None]] = []
        self._dut = dut

    def arm(self) -> None:
        """Count from zero, as from power-on of the twin."""
        self.now, self.running, self.armed = 0, 0, True

    async def run(self) -> None:
        """Watch and drive for ever: start it as a task."""
        dut = self._dut
        while True:
            await RisingEdge(dut.clk)
            counted = not self.armed or bool(dut.debug_active.value)
            for watch in self.watchers:
                watch(self.now)
            self.running += self.armed and bool(dut.debug_running.value)
            self.now += counted
            for drive in self.drivers:
                drive(self.now)
