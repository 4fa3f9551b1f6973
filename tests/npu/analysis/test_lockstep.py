"""The first record in which twin and RTL differ, and where it is in the waveforms."""

import pytest

from npu.analysis.lockstep import Lockstep, RecordDifference
from npu.chip.trace import Retire
from npu.errors import MachineError

FIRST = Retire(0, "ADD", 2, 2, 7)
SECOND = Retire(1, "HALT", 5, 5, 0)


class Simulated:
    simulated_cycles = 100


def lockstep(*twin: Retire) -> Lockstep:
    made = Lockstep()
    for retire in twin:
        made.of_twin(retire, None)
    return made


@pytest.mark.parametrize(
    ("rtl", "cycle", "waves_ps"),
    [
        (Retire(1, "HALT", 6, 7, 0), 5, 970),
        (Retire(1, "HALT", 5, 7, 0), 5, 970),
        (Retire(1, "HALT", 5, 5, 1), 5, 990),
        (Retire(2, "HALT", 4, 5, 0), 4, 980),
    ],
)
def test_where_records_part(rtl, cycle, waves_ps):
    compared = lockstep(FIRST, SECOND)
    compared.of_rtl(FIRST, Simulated)
    with pytest.raises(RecordDifference) as found:
        compared.of_rtl(rtl, Simulated)
    assert (found.value.pc, found.value.cycle) == (1, cycle)
    assert (found.value.waves_ps, compared.compared) == (waves_ps, 1)


def test_one_side_ends_before_the_other():
    compared = lockstep(FIRST, SECOND)
    compared.of_rtl(FIRST, Simulated)
    with pytest.raises(RecordDifference) as found:
        compared.stopped(Simulated)
    assert (found.value.twin, found.value.rtl, found.value.reason) == (SECOND, None, "halted")
    compared = lockstep(FIRST)
    compared.of_rtl(FIRST, Simulated)
    compared.stopped(Simulated)
    with pytest.raises(RecordDifference) as found:
        compared.of_rtl(SECOND, Simulated)
    assert (found.value.twin, found.value.rtl) == (None, SECOND)
    with pytest.raises(RecordDifference) as found:
        compared.stopped(Simulated, MachineError("after the end"))
    assert (found.value.twin, found.value.reason) == (FIRST, "after the end")
