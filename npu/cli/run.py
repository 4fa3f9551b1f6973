"""Raw tensors in and out; state carries over between calls.

IN.npz holds `input0`, `input1`, ... with one entry per call along the first axis; other arrays in
it are ignored. OUT.npz gets `output`, or `output0`, `output1`, ... of a model with several.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from compiler import Model, load_model
from kernels import Interpreter
from npu.analysis.energy import activity_of
from npu.analysis.results import RunReport
from npu.analysis.runs import run_chip, run_report
from npu.chip.summary import summary_text
from npu.chip.work import Work
from npu.cli._models import (
    compile_for,
    files_of,
    first_run_notice,
    is_image,
    load_chip,
    machine_of,
    open_image,
    refuse_image,
)
from npu.cli._options import (
    board_option,
    chip_option,
    engine_option,
    json_option,
    max_cycles_option,
    model_argument,
    require_default,
    signature_option,
)
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.errors import ModelError
from npu.files import write_atomic
from npu.model.inputs import Expected
from npu.runtime.image import Image
from npu.runtime.npz import named, npz_writer, read_inputs
from npu.runtime.sessions import GraphSession

LABELS = {"twin": "twin", "rtl": "RTL", "kernels": "kernels", "board": "board"}


@click.command()
@model_argument
@click.option("--input", "input_path", metavar="IN.npz", required=True, help="The inputs.")
@click.option("--output", "output_path", metavar="OUT.npz", required=True, help="To write.")
@chip_option
@engine_option
@board_option
@signature_option
@max_cycles_option
@json_option
def command(
    model: str,
    input_path: str,
    output_path: str,
    chip: str | None,
    engine: str,
    board: str | None,
    signature: str | None,
    max_cycles: int | None,
    json_path: str | None,
) -> None:
    """Run MODEL (.tflite, or .npu on a chip) on the tensors in IN.npz, call by call."""
    require_place(output_path, json_path, inputs=files_of(model, input_path, chip))
    if board is not None:
        require_default("engine", "--board is an engine of its own: leave --engine out")
        engine = "board"
    machine = machine_of(engine, port=board)
    loaded, image = _open(model, engine, chip, signature)
    expected = image.header.invoke.inputs if image is not None else _inputs_of(loaded)
    inputs = read_inputs(Path(input_path), expected)
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
            before, spent = Work.of(session.machine.counters), activity_of(session.machine)
        answers = []
        for call in range(calls):
            answers.append(session.invoke([array[call] for array in inputs]))
            advance(1)
    outputs = named([np.stack(column) for column in zip(*answers, strict=True)])
    write_atomic(output_path, npz_writer(outputs))
    report = run_report(model, engine, calls, outputs)
    if isinstance(session, GraphSession):
        done = activity_of(session.machine)
        report["chip"] = run_chip(
            session,
            Work.of(session.machine.counters) - before,
            done - spent if done is not None and spent is not None else None,
        )
    emit_json(report, json_path)
    _show(report, output_path, json_path)


def _open(
    model: str, engine: str, chip: str | None, signature: str | None
) -> tuple[Model | None, Image | None]:
    """The model, or the image if MODEL is one; refused if it is a transducer."""
    if engine == "kernels":
        refuse_image(model, ".tflite file")
    if is_image(model):
        image = open_image(model, chip, signature)
        if image.header.kind == "transducer":
            raise ModelError(f"{model} is a transducer: give it sound with npu transcribe")
        return None, image
    loaded = load_model(model, signature)
    if loaded.is_transducer:
        raise ModelError(
            f"{model} is a transducer: give it sound with npu transcribe, or run one of its "
            ".tflite files"
        )
    if engine != "kernels":
        load_chip(chip)
    return loaded, None


def _inputs_of(model: Model | None) -> Sequence[Expected]:
    assert model is not None
    graph = model.graphs["main"]
    return [graph.tensors[i] for i in graph.inputs]


def _show(report: RunReport, output_path: str, json_path: str | None) -> None:
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
        row = [
            summary_text(c),
            f"{c['mean_cycles']:,.1f}",
            f"{c['max_cycles']:,}",
            f"{c['mean_ms']:.4f}",
            f"{c['wait_cycles'] / report['calls']:,.1f}",
            f"{(c['bytes_read'] + c['bytes_written']) / report['calls']:,.0f}",
            f"{100 * c['product_utilisation']:.2f} %",
            f"{100 * c['run_utilisation']:.2f} %",
        ]
        columns = [
            "chip",
            "cycles a call",
            "max",
            "ms a call",
            "waiting",
            "bytes moved",
            "product util.",
            "run util.",
        ]
        if "energy_uj" in c:
            row.append(f"{c['energy_uj']['total'] / report['calls']:,.2f}")
            columns.append("uJ a call")
        out.print(table(columns, [row]))
