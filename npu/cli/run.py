"""Raw tensors in and out; state carries over between calls.

IN.npz holds `input0`, `input1`, ... with one entry per call along the first axis; other arrays in
it are ignored. OUT.npz gets `output`, or `output0`, `output1`, ... of a model with several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from compiler import Model, load_model
from kernels import Interpreter
from npu.chip.work import Work
from npu.cli._models import (
    chip_option,
    compile_for,
    engine_option,
    files_of,
    first_run_notice,
    is_image,
    json_option,
    load_chip,
    machine_of,
    max_cycles_option,
    open_image,
)
from npu.cli._npz import Wanted, npz_writer, read_inputs
from npu.cli._output import console, emit_json, progress, require_place, table, write_atomic
from npu.errors import ModelError
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession

LABELS = {"twin": "twin", "rtl": "RTL", "kernels": "kernels"}


@click.command()
@click.argument("model")
@click.option("--input", "input_path", metavar="IN.npz", required=True, help="The inputs.")
@click.option("--output", "output_path", metavar="OUT.npz", required=True, help="To write.")
@chip_option
@engine_option
@max_cycles_option
@json_option
def command(
    model: str,
    input_path: str,
    output_path: str,
    chip: str | None,
    engine: str,
    max_cycles: int | None,
    json_path: str | None,
) -> None:
    """Run MODEL (.tflite, or .npu on twin and RTL) on the tensors in IN.npz, call by call."""
    require_place(output_path, json_path, inputs=files_of(model, input_path, chip))
    machine = machine_of(engine)
    loaded, image = _open(model, engine, chip)
    wanted = _wanted_of_image(image) if image is not None else _wanted_of_model(loaded)
    inputs = read_inputs(Path(input_path), wanted)
    calls = len(inputs[0])
    session: GraphSession | Interpreter
    with first_run_notice(), progress("running", total=calls) as advance:
        if loaded is not None and engine == "kernels":
            session = Interpreter(loaded.graphs["main"])
        else:
            if image is None:
                assert loaded is not None
                image = compile_for(loaded, load_chip(chip))
            session = GraphSession(image, machine=machine, max_cycles=max_cycles)
            before = session.machine.work()
        answers = []
        for call in range(calls):
            answers.append(session.invoke([array[call] for array in inputs]))
            advance(1)
    outputs = [np.stack(column) for column in zip(*answers, strict=True)]
    names = ["output"] if len(outputs) == 1 else [f"output{i}" for i in range(len(outputs))]
    write_atomic(output_path, npz_writer(dict(zip(names, outputs, strict=True))))
    report = _report(model, engine, calls, dict(zip(names, outputs, strict=True)))
    if isinstance(session, GraphSession):
        report["chip"] = _chip(session, session.machine.work() - before)
    emit_json(report, json_path)
    _show(report, output_path, json_path)


def _open(model: str, engine: str, chip: str | None) -> tuple[Model | None, Image | None]:
    """The model, or the image if MODEL is one; refused if it is a transducer."""
    if is_image(model):
        if engine == "kernels":
            raise ModelError(
                f"{model}: --engine kernels needs the model, not its compiled image; give the "
                ".tflite file, or take --engine twin"
            )
        image = open_image(model, chip)
        if image.header.kind == "transducer":
            raise ModelError(f"{model} is a transducer: give it sound with npu transcribe")
        return None, image
    loaded = load_model(model)
    if loaded.is_transducer:
        raise ModelError(
            f"{model} is a transducer: give it sound with npu transcribe, or run one of its "
            ".tflite files"
        )
    if engine != "kernels":
        load_chip(chip)
    return loaded, None


def _wanted_of_model(model: Model | None) -> list[Wanted]:
    assert model is not None
    graph = model.graphs["main"]
    return [Wanted(graph.tensors[i].shape, np.dtype(graph.tensors[i].dtype)) for i in graph.inputs]


def _wanted_of_image(image: Image) -> list[Wanted]:
    return [Wanted(tensor.shape, np.dtype(tensor.dtype)) for tensor in image.header.invoke.inputs]


def _report(model: str, engine: str, calls: int, outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        "model": model,
        "engine": engine,
        "calls": calls,
        "outputs": {n: {"dtype": str(a.dtype), "shape": a.shape} for n, a in outputs.items()},
    }


def _chip(session: GraphSession, work: Work) -> dict[str, Any]:
    """`work`: what the calls did, without boot and reset."""
    params, cycles = session.image.params, np.array(session.cycles)
    return {
        "name": params.name,
        "clock_mhz": params.clock_mhz,
        "mean_cycles": float(cycles.mean()),
        "max_cycles": int(cycles.max()),
        "mean_ms": params.milliseconds(float(cycles.mean())),
        "max_ms": params.milliseconds(int(cycles.max())),
        **work.report(params.lanes),
        "cycles": session.cycles,
    }


def _show(report: dict[str, Any], output_path: str, json_path: str | None) -> None:
    out = console(json_path)
    shapes = ", ".join(
        f"{name} {array['dtype']} {list(array['shape'])}"
        for name, array in report["outputs"].items()
    )
    calls = f"{report['calls']} call{'s' * (report['calls'] != 1)}"
    where = LABELS[report["engine"]]
    out.print(f"{output_path}: {shapes} of {calls} on the {where}", markup=False)
    if "chip" in report:
        c = report["chip"]
        row = (
            f"{c['name']} at {c['clock_mhz']:g} MHz",
            f"{c['mean_cycles']:,.1f}",
            f"{c['max_cycles']:,}",
            f"{c['mean_ms']:.4f}",
            f"{c['wait_cycles'] / report['calls']:,.1f}",
            f"{(c['bytes_read'] + c['bytes_written']) / report['calls']:,.0f}",
            f"{100 * c['product_utilisation']:.2f} %",
            f"{100 * c['run_utilisation']:.2f} %",
        )
        columns = (
            *("chip", "cycles a call", "max", "ms a call", "waiting", "bytes moved"),
            *("product util.", "run util."),
        )
        out.print(table(columns, [row]))
