"""Waveforms as files: what is written is read again, by others too, and what is none is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("vcd", reason="pyvcd is not installed")

from npu.errors import NpuError
from npu.waves import vcd
from npu.waves.signals import PS_PER_CYCLE
from npu.waves.spans import high, pattern, pulses

WIDTHS = {"TOP.a": 1, "TOP.unit.count": 16, "TOP.unit.busy": 1}


def written(path, waves, cycles):
    with path.open("w") as file:
        vcd.write(file, WIDTHS, waves, cycles)
    return path


def test_the_format(tmp_path):
    """As IEEE 1364 has it, and as Verilator writes ranges."""
    waves = [
        ("TOP.a", np.array([0, 1, 1, 0], np.bool_)),
        ("TOP.unit.count", np.array([3, 3, 4, 5])),
        ("TOP.unit.busy", np.zeros(4, np.bool_)),
    ]
    lines = written(tmp_path / "a.vcd", waves, 4).read_text().splitlines()
    assert lines[0] == "$timescale 1 ps $end"
    assert '$var wire 16 " count [15:0] $end' in lines
    assert lines[lines.index("#0") :] == [
        "#0", "$dumpvars", "0!", "b11 \"", "0#", "$end", "#10", "1!", "#20", "b100 \"", "#30",
        "0!", "b101 \"", "#40",
    ]  # fmt: skip


@given(st.data())
def test_read_again(tmp_path_factory, data):
    cycles = data.draw(st.integers(1, 40))
    waves = {
        name: np.array(data.draw(st.lists(st.integers(0, 2**bits - 1), min_size=cycles,
                                          max_size=cycles)))
        for name, bits in WIDTHS.items()
    }  # fmt: skip
    path = written(tmp_path_factory.mktemp("vcd") / "a.vcd", waves.items(), cycles)
    dump = vcd.read(path, WIDTHS)
    assert dump.end == PS_PER_CYCLE * cycles
    for name, values in waves.items():
        assert np.array_equal(dump.waves[name].at(PS_PER_CYCLE * np.arange(cycles)), values)
        middle = PS_PER_CYCLE * np.arange(cycles) + PS_PER_CYCLE - 1
        assert np.array_equal(dump.waves[name].at(middle), values)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "3 signals are missing, 'TOP.a' first"),
        ("$scope module TOP $end $var wire 1 ! a $end", "2 signals are missing"),
        ("$scope nonsense", "cannot be read as VCD"),
        ("$enddefinitions $end\n#abc\n", "cannot be read as VCD"),
        ("$scope module TOP $end $upscope $end $upscope $end", "3 signals are missing"),
        (b"\xff\xfe\x00", "cannot be read as VCD"),
        ("$scope module TOP $end $var wire 1 ! a $end $enddefinitions $end #0 x!", "as VCD"),
    ],
)
def test_what_is_no_vcd(text, match, tmp_path):
    path = tmp_path / "a.vcd"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(NpuError, match=match):
        vcd.read(path, WIDTHS)


@given(st.lists(st.tuples(st.integers(-5, 25), st.integers(-5, 25))), st.integers(1, 20))
def test_spans(spans, cycles):
    expected = [any(a <= cycle <= b for a, b in spans) for cycle in range(cycles)]
    assert high(cycles, spans).tolist() == expected
    assert pulses(cycles, [a for a, _ in spans]).tolist() == [
        any(a == cycle for a, _ in spans) for cycle in range(cycles)
    ]


def test_patterns():
    assert pattern(5, np.array([True, False])).tolist() == [True, False, True, False, True]
