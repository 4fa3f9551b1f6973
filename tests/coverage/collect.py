"""A plugin for pytest: the RTL of one chip is built with coverage and a file of it is written.

    pytest -p tests.coverage.collect --coverage-file FILE tests/rtl/sim

Tests that run the chip `tiny` in Verilator are stimuli in this way, and stay the tests that they
are: what is covered was compared with the twin.
"""

from pathlib import Path
from typing import Any

import pytest

from npu.chip.params import ChipParams, load_params
from rtl.sim.machine import RtlMachine

CHIP = "tiny"


def cover(params: ChipParams, patch: pytest.MonkeyPatch) -> None:
    """Every simulation of a chip with these parameters counts what it covers."""
    plain = RtlMachine.__init__

    def covering(self: RtlMachine, chip: ChipParams, *rest: Any, **options: Any) -> None:
        # Timing of the memory is no part of the Verilog.
        same = _verilog(chip) == _verilog(params) and not options.get("waves")
        plain(self, chip, *rest, **(options | {"coverage": True} if same else options))

    patch.setattr(RtlMachine, "__init__", covering)


def _verilog(params: ChipParams) -> dict[str, Any]:
    """The parameters without what only the memory has."""
    of_memory = {"name", "memory_latency_cycles", "memory_cycles_per_beat"}
    return params.model_dump(exclude=of_memory)


def write(params: ChipParams, path: Path) -> None:
    """Write what all simulations of the chip in this process have covered."""
    last = RtlMachine(params, params.bus_bytes, b"", coverage=True)
    last.write_coverage(path)
    last.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--coverage-file", type=Path, help="where the RTL's coverage is written")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("coverage_file"):
        patch = pytest.MonkeyPatch()
        cover(load_params(CHIP), patch)
        config.add_cleanup(patch.undo)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if path := session.config.getoption("coverage_file"):
        write(load_params(CHIP), path)
