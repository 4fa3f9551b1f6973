"""The simulator against its peers, both measured in one run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from compiler import bench, load_model
from compiler.describe import size_of
from npu import zoo
from npu.analysis.frames import entries_of
from npu.analysis.lockstep import Clocked
from npu.analysis.page_speed import page_report
from npu.analysis.results import EventsReport, SpeedupReport
from npu.analysis.results_beside import StartupReport
from npu.analysis.speed import (
    events_report,
    hear_events,
    run_events,
    run_timed,
    speedup_report,
)
from npu.analysis.startup import startup_report
from npu.chip.summary import summary_text
from npu.cli._bench_sherpa import sherpa
from npu.cli._chips import overrides
from npu.cli._extras import require_extra
from npu.cli._frames import ear_of
from npu.cli._models import compile_for, files_of, first_run_notice, load_chip, machine_of
from npu.cli._options import chip_default_option, json_option, signature_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.errors import CapacityError
from npu.events.machine import events_of
from npu.events.trace import Recorder
from npu.runtime.calls import MOST_CALLS, call, calls_of, open_session
from npu.twin.machine import Machine

DEFAULT_CALLS = 32
DIFFERENT = MISSED = 1
EVENTS_SECONDS = 1.0
LARGE_WORKERS = 2
ENGINES = ("twin", "rtl")
PEER_CHIPS = ("edge", "max")
PAGE_CHIP = "max"
PAGE_MODEL = "workload:mlperf_rnnt,sparsity=0.75"


@click.group()
def command() -> None:
    """Measure speeds."""


command.add_command(sherpa)


@command.command()
@chip_default_option(bench.CHIP)
@click.option("--model", metavar="MODEL", default=zoo.DEFAULT, show_default=True)
@click.option(
    "--calls",
    type=click.IntRange(1, MOST_CALLS - 1),
    default=DEFAULT_CALLS,
    show_default=True,
    metavar="N",
    help="Calls that are measured, after one that is not.",
)
@signature_option
@json_option
def twin(chip: str, model: str, calls: int, signature: str | None, json_path: str | None) -> int:
    """Cycles per second of the twin and of the RTL in Verilator, on the same program and inputs.

    Building, compiling, boot and the first call are not measured. Exit status 1 if the two differ
    in any call's outputs or cycles, or in what memory, SRAM and registers hold at the end.
    """
    require_place(json_path, inputs=files_of(model, chip))
    machines = {name: Clocked(machine_of(name)) for name in ENGINES}
    with first_run_notice():
        image = compile_for(load_model(model, signature), load_chip(chip))
        inputs = calls_of(image, limit=calls + 1)
        with progress("measuring", total=len(ENGINES)) as advance:
            results = {}
            for name, machine in machines.items():
                results[name] = run_timed(image, inputs, machine)
                advance(1)
    machines["rtl"].machine.close()
    report = speedup_report(image, machines, results)
    emit_json(report, json_path)
    _show(report, console(json_path))
    return 0 if report["equal"] else DIFFERENT


@command.command()
@chip_default_option(bench.CHIP)
@click.option("--model", metavar="MODEL", default=zoo.DEFAULT, show_default=True)
@click.option(
    "--calls",
    type=click.IntRange(1, MOST_CALLS),
    default=DEFAULT_CALLS,
    show_default=True,
    metavar="N",
    help="Calls on random inputs.",
)
@click.option(
    "--audio",
    metavar="FILE",
    multiple=True,
    help="A sound for a transducer, may be given several times; of a zoo model the utterances that "
    "it ships with unless said otherwise.",
)
@signature_option
@json_option
def events(
    chip: str,
    model: str,
    calls: int,
    audio: tuple[str, ...],
    signature: str | None,
    json_path: str | None,
) -> int:
    """Cycles per second of commands as events and of the RTL in Verilator, on the same calls.

    The twin records what data decide; events run that trace, once with all that is new in it, then
    over and over for a second. Sounds are heard by the kernels, and run as events on a machine that
    knows nothing yet. Building, compiling and recording are not measured. Exit status 1 if the two
    differ in the cycles of any start.
    """
    require_place(json_path, inputs=files_of(model, chip, *audio))
    machine = Clocked(machine_of("rtl"))
    with first_run_notice():
        loaded = load_model(model, signature)
        image = compile_for(loaded, load_chip(chip))
        sounds = [Path(path) for path in audio] or zoo.utterances(model)
        ear = ear_of(loaded, image) if sounds else None
        inputs = calls_of(image, limit=calls)
        with progress("measuring", total=4) as advance:
            recorder = Recorder(Machine, entries_of(image))
            for factory in (recorder, machine):
                session = open_session(image, machine=factory)
                for each in inputs:
                    call(session, each)
                advance(1)
            found = run_events(events_of(image), recorder.trace.starts, EVENTS_SECONDS)
            advance(1)
            heard = None
            if ear is not None:
                rtl = machine.report()
                heard = hear_events(image, ear.hear, sounds, rtl)
            advance(1)
    machine.machine.close()
    report = events_report(image, machine.report(), machine.each, found, heard)
    emit_json(report, json_path)
    _show_events(report, console(json_path))
    return 0 if report["equal"] else DIFFERENT


def _show_events(report: EventsReport, out: Console) -> None:
    rows = [
        (label, f"{s['cycles']:,}", f"{s['seconds']:.3f}", f"{s['cycles_per_second']:,.0f}")
        for label, s in (
            ("events", report["events"]),
            ("events, first time", report["first"]),
            ("Verilator", report["rtl"]),
        )
    ]
    if (heard := report["heard"]) is not None:
        of = heard["events"]
        row = f"{of['cycles']:,}", f"{of['seconds']:.3f}", f"{of['cycles_per_second']:,.0f}"
        rows.insert(2, (f"events, {heard['files']} sounds", *row))
    starts = report["starts"]
    chip = summary_text(report["chip"])
    title = f"{report['model']} on {chip}, {starts} starts"
    out.print(table(("", "cycles", "seconds", "cycles/second"), rows, title=title))
    verdict = "the cycles of all starts are equal" if report["equal"] else "THEY DIFFER in cycles"
    out.print(
        f"events are {report['speedup']:,.0f} times as fast, {report['first_speedup']:,.0f} times "
        f"the first time; {verdict}",
        markup=False,
    )
    if heard is not None:
        out.print(
            f"{heard['starts']} starts of sounds, all that is new in them included, are "
            f"{heard['speedup']:,.0f} times as fast, {heard['with_kernels']:,.0f} times with the "
            f"{heard['kernels_seconds']:.2f} s of the kernels that hear them",
            markup=False,
        )


def _show(report: SpeedupReport, out: Console) -> None:
    calls = report["calls"]
    rows = [
        (label, f"{s['cycles']:,}", f"{s['seconds']:.3f}", f"{s['cycles_per_second']:,.0f}")
        for label, s in (("twin", report["twin"]), ("Verilator", report["rtl"]))
    ]
    chip = summary_text(report["chip"])
    title = f"{report['model']} on {chip}, {calls} call{'s' * (calls != 1)}"
    out.print(table(("", "cycles", "seconds", "cycles/second"), rows, title=title))
    if report["equal"]:
        verdict = "outputs, cycles, memory, SRAM and registers are equal"
    else:
        verdict = f"THEY DIFFER in {', '.join(report['differ'])}"
    out.print(f"the twin is {report['speedup']:,.0f} times as fast; {verdict}", markup=False)


@command.command()
@click.option("--model", metavar="MODEL", default=zoo.DEFAULT, show_default=True)
@click.option(
    "--large",
    is_flag=True,
    help="Also compress a model of 45 M parameters, on two threads.",
)
@signature_option
@json_option
def codec(model: str, large: bool, signature: str | None, json_path: str | None) -> int:
    """Size and speed of the weight codec beside its peers, on the same matrices.

    The matrices of MODEL, and random ones of many distributions. Everything is counted: codes,
    directories, padding. Rates are those of one thread. Vela and zstd take part where the extra
    `bench` is installed.
    """
    from compiler.bench import cases
    from compiler.bench import codec as measured
    from npu.cli import _codec_show

    require_place(json_path, inputs=files_of(model))
    params = load_chip(bench.CHIP)
    with first_run_notice():
        matrices = cases.model_cases(load_model(model, signature), params)
        chosen = [*matrices, *cases.synthetic_cases()]
        with progress("measuring", total=len(chosen)) as advance:
            report = measured.report(chosen, params, advance)
        if large:
            report["large"] = measured.large(params, LARGE_WORKERS)
    emit_json(report, json_path)
    _codec_show.show(report, console(json_path))
    return 0


@command.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--chip",
    "chips",
    metavar="CHIP",
    multiple=True,
    default=PEER_CHIPS,
    show_default=True,
    help="Chips of ours; may be given several times.",
)
@click.option(
    "--install-scale-sim",
    "install",
    is_flag=True,
    help="Install SCALE-Sim, once, in an environment of its own in the cache.",
)
@json_option
def peers(
    models: tuple[str, ...], chips: tuple[str, ...], install: bool, json_path: str | None
) -> int:
    """Cycles of whole models beside Vela's estimates, times of our kernels beside others'.

    The bounds come from a model's graph alone (`npu/analysis/bounds.py`). Vela, of the extra
    `bench`, estimates Ethos-U55 and Ethos-U65 of 128 to 512 multipliers. A model that a chip
    refuses is listed with the reason. TFLM (extra `oracle`), LiteRT and onnxruntime (extra `peers`)
    invoke the same files as our kernels, on one thread, at least 1,000 times, in turns; what is not
    installed is listed with its install line. SCALE-Sim has a minute for the dense products of each
    model, small ones first; what it does not finish is listed.
    """
    from npu.cli import _peers_show
    from reports.peers import peers_report

    require_place(json_path, inputs=files_of(None, *models, *chips))
    params = [load_chip(chip) for chip in chips]
    with first_run_notice(), progress("measuring", total=len(models)) as advance:
        report = peers_report([Path(model) for model in models], params, advance, install)
    emit_json(report, json_path)
    _peers_show.show(report, console(json_path))
    return 0


@command.command()
@chip_default_option(bench.CHIP)
@click.option("--model", metavar="MODEL", default=zoo.DEFAULT, show_default=True)
@json_option
def startup(chip: str, model: str, json_path: str | None) -> int:
    """Processor seconds of the very first command on a machine, and of the next one.

    Each is `npu compile MODEL`, which runs the model once on the twin, in a process of its own. The
    first compiles the simulator to machine code as well; here it finds an empty cache for it.
    """
    require_place(json_path, inputs=files_of(model, chip))
    with progress("measuring"):
        report = startup_report(model, ",".join([chip, *overrides()]))
    emit_json(report, json_path)
    _show_startup(report, console(json_path))
    return 0


def _show_startup(report: StartupReport, out: Console) -> None:
    rows = [("npu --help", f"{report['help_seconds']:.2f}", "")]
    rows += [
        (f"npu compile, {name}", f"{process['seconds']:.2f}", f"{process['cpu_seconds']:.2f}")
        for name, process in (("first", report["first"]), ("next", report["next"]))
    ]
    title = f"{report['model']} on {report['chip']}"
    out.print(table(("process", "seconds", "of processors"), rows, title=title))
    out.print(
        f"the first one made {report['cache_bytes'] / 1e6:.1f} MB of machine code, "
        f"{report['functions']} functions"
    )


@command.command()
@chip_default_option(PAGE_CHIP)
@json_option
def report(chip: str, json_path: str | None) -> int:
    """Seconds and memory of the page of a large transducer with ten seconds of sound.

    The transducer is that of MLPerf, 45.3 M parameters, with random weights of which 75 % are
    zeros; compiling the simulator is not measured. Exit status 1 where it takes more than 30 s or
    1.5 GiB, which is promised for two cores.
    """
    from npu.cli import _page_show

    require_extra("reports", "the page", "jinja2", "matplotlib")
    require_place(json_path, inputs=files_of(None, chip))
    params = load_chip(chip)
    with TemporaryDirectory(prefix="zeroskip-") as place, progress("measuring"):
        asked = ",".join([chip, *overrides()])
        measured = page_report(
            Path(place),
            PAGE_MODEL,
            zoo.DEFAULT,
            asked,
            params,
            *size_of(load_model(PAGE_MODEL)),
            zoo.utterances(zoo.DEFAULT),
        )
    emit_json(measured, json_path)
    _page_show.show(measured, console(json_path))
    return 0 if measured["met"] else MISSED


@command.command()
@click.argument("models", nargs=-1, metavar="[MODEL...]")
@click.option(
    "--chip",
    "chips",
    metavar="CHIP",
    multiple=True,
    default=("edge",),
    show_default=True,
    help="Chips of ours; may be given several times.",
)
@json_option
def energy(models: tuple[str, ...], chips: tuple[str, ...], json_path: str | None) -> int:
    """Energy, power and area of chips and models, beside what others published.

    Estimates, from constants with published sources (`npu/chip/technology/`). A published figure
    stands beside ours where MODEL is what it was measured with: ours is brought to its node and
    voltage. Without MODEL, the zoo's.
    """
    from npu.analysis.energies import called, energy_report
    from npu.cli import _energy_show

    models = models or (zoo.DEFAULT,)
    require_place(json_path, inputs=files_of(None, *models, *chips))
    params = [load_chip(chip) for chip in chips]
    calls, refused = [], []
    with first_run_notice(), progress("measuring", total=len(models) * len(params)) as advance:
        for model in models:
            loaded = load_model(model)
            for each in params:
                try:
                    calls.append(called(compile_for(loaded, each)))
                except CapacityError as error:
                    refused.append(f"{loaded.name} on {each.name}: {error}")
                advance(1)
    report = energy_report(params, calls, refused)
    emit_json(report, json_path)
    _energy_show.show(report, console(json_path))
    return 0
