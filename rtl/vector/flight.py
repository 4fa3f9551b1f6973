"""The groups that are on their way from SRAM through the arithmetic and back."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.vector.alu import Alu
from rtl.vector.walker import Ends

# Cycles from a group's address to its write: SRAM, operands, then the elements' pipeline.
OPERANDS_AFTER = 2
WRITE_AFTER = OPERANDS_AFTER + Alu.LATENCY
DOT_AFTER = WRITE_AFTER + Alu.DOT_AFTER
LOOKUP_AFTER = OPERANDS_AFTER + Alu.LOOKUP_LATENCY
SUM_AFTER = WRITE_AFTER + Alu.SUM_AFTER


class Flight(wiring.Component):
    """Follows groups through the pipeline.

    Members
    -------
    issue, ends : In, a group is asked for, and what ends with it.
    drop : In, forget them all.
    add, dot, lookup : In, what the command is; stable.
    operands, operands_end : Out, `Alu.operand` belongs to a group, to the last one.
    first : Out, `Alu.first`: a row begins with its products. `issue` comes in every cycle of a row.
    strobe, written : Out, a group (or, of a dot product, a row) is written, and what ends with it.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "issue": In(1),
                "ends": In(Ends),
                "drop": In(1),
                "add": In(1),
                "dot": In(1),
                "lookup": In(1),
                "operands": Out(1),
                "operands_end": Out(1),
                "first": Out(1),
                "strobe": Out(1),
                "written": Out(Ends),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        # Bit k: a group was issued k cycles ago, and what ended with it.
        chains = {}
        inputs = {name: getattr(self.ends, name) for name in ("row", "plane", "all")}
        for name, value in {"issued": self.issue, **inputs}.items():
            chains[name] = chain = Signal(SUM_AFTER, name=name)
            m.d.comb += chain[0].eq(value)
            m.d.sync += chain[1:].eq(chain)
        issued, row = chains["issued"], chains["row"]
        with m.If(self.drop):
            m.d.sync += issued[1:].eq(0)

        def arrived(chain):
            plain = Mux(self.dot, chain[DOT_AFTER - 1], chain[WRITE_AFTER - 1])
            rest = Mux(self.add, chain[SUM_AFTER - 1], plain)
            return Mux(self.lookup, chain[LOOKUP_AFTER - 1], rest)

        m.d.sync += [
            self.strobe.eq(arrived(issued) & (~self.dot | arrived(row)) & ~self.drop),
            *(getattr(self.written, name).eq(arrived(chains[name])) for name in inputs),
        ]
        # Products are there two cycles behind their operands.
        product = OPERANDS_AFTER + 2
        m.d.comb += [
            self.operands.eq(issued[OPERANDS_AFTER + 1]),
            self.operands_end.eq(chains["all"][OPERANDS_AFTER + 1]),
            self.first.eq(~issued[product + 1] | row[product + 1]),
        ]
        return m
