"""Budgets: enough for every program of ours, too little for one that does not end."""

import time
import zlib
from dataclasses import replace

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.analysis.profile import measure
from npu.chip.isa import COMMAND_BYTES, command, encode
from npu.chip.limit import Budget
from npu.chip.params import load_params
from npu.errors import MachineError
from npu.runtime import budget
from npu.runtime.budget import MOST_CYCLES, Budgets
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession
from npu.twin.machine import Machine
from tests.conftest import ROOT

VECTORS = ROOT / "tests" / "vectors" / "tflite"
NAMES = ("fc_relu", "fc_wide", "joint", "lstm_320", "lstm_small", "lstm_stream", "predictor")


def image_of(name: str, chip: str = "tiny") -> Image:
    model = name if name == "commands_rnnt" else VECTORS / f"{name}.tflite"
    return compile_model(load_model(model), load_params(chip))


def replaced(image: Image, entry: str, *program: bytes) -> Image:
    """The image with other commands at an entry."""
    raw = bytearray(image.program)
    at = image.header.entry(entry).pc * COMMAND_BYTES
    new = b"".join(program)
    raw[at : at + len(new)] = new
    header = image.header.model_copy(update={"program_crc32": zlib.crc32(bytes(raw))})
    return Image(header, bytes(raw), image.memory)


def random_inputs(image: Image, rng: np.random.Generator) -> list[np.ndarray]:
    return [
        rng.integers(0, tensor.index_limit or 2, tensor.shape, np.int32)
        if tensor.dtype == "int32"
        else rng.integers(-128, 128, tensor.shape, np.int8)
        for tensor in image.header.invoke.inputs
    ]


@pytest.mark.parametrize("chip", ["tiny", "edge"])
@pytest.mark.parametrize("name", NAMES)
def test_every_program_fits_its_budget_with_room(name, chip):
    image = image_of(name, chip)
    session = GraphSession(image)
    session.invoke(random_inputs(image, np.random.default_rng(1)))
    budget = Budgets(image).of_start().cycles
    for cycles in (session.boot_cycles, session.reset_cycles, *session.cycles):
        assert 2 * cycles < budget < 10_000_000


def test_the_zoo_fits_its_budget_though_every_call_emits_all_it_may():
    image = image_of("commands_rnnt", "edge")
    taken = measure(image)
    limit = image.header.transducer.max_symbols_per_frame
    of_call = {name: segment.cycles for name, segment in taken.segments.items()}
    worst = of_call["encoder"] + (limit + 1) * (of_call["joiner"] + of_call["decoder"])
    budget = Budgets(image).of_start(1)
    assert worst < budget.cycles < 500 * worst
    assert Budgets(image).of_start(3).cycles == 3 * budget.cycles
    assert TransducerSession(image).boot_cycles < Budgets(image).of_start().cycles


@pytest.mark.parametrize("entry", ["boot", "reset", "invoke"])
def test_a_program_that_does_not_end_is_stopped(entry):
    image = image_of("joint")
    here = image.header.entry(entry).pc
    image = replaced(image, entry, encode(command("BEQ", target=here)))
    began = time.perf_counter()
    with pytest.raises(MachineError, match=r"no HALT within [0-9,]+ cycles or [0-9,]+ commands"):
        GraphSession(image).invoke(random_inputs(image, np.random.default_rng(1)))
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize("step", [False, True])
def test_a_product_is_stopped_inside_its_command(step):
    """Codes of no bits make millions of turns out of a few bytes."""
    image = image_of("fc_relu")
    seen = []
    session = GraphSession(image, observer=lambda retire, _: seen.append(retire), step=step)
    twin, entry = session.machine, image.header.invoke.pc
    session.invoke(random_inputs(image, np.random.default_rng(1)))
    needed = session.cycles[0]
    product = next(retire for retire in seen if retire.name == "MATVEC")
    began = twin.cycle - needed
    with pytest.raises(MachineError, match="--max-cycles"):
        twin.run(entry, None, Budget.of_cycles(product.start - began + 10))
    fresh = GraphSession(image, step=step)
    with pytest.raises(MachineError, match=r"command \d+ .*: matvec: the limit of cycles is used"):
        fresh.machine.run(entry, None, Budget.of_cycles(product.start - began + 10))


def machine(budget: Budget | None, *program: bytes) -> int:
    return Machine(load_params("tiny"), 4096, b"".join(program)).run(0, None, budget)


def test_the_limit_is_exact():
    program = [encode(command("ADD", rd=1, imm=1))] * 4 + [encode(command("HALT"))]
    needed = machine(None, *program)
    assert machine(Budget.of_cycles(needed), *program) == needed
    with pytest.raises(MachineError, match=f"no HALT within {needed - 1} cycles"):
        machine(Budget.of_cycles(needed - 1), *program)
    with pytest.raises(MachineError, match="or 4 commands"):
        machine(Budget(1 << 40, 4), *program)


def test_no_header_buys_an_hour():
    """Rows, columns and calls as large as a header may claim."""
    image = image_of("commands_rnnt")
    layers = tuple(
        info.model_copy(
            update={
                "layer": replace(info.layer, rows=(2**26,)),
                "columns": 2**26,
                "tiles": 1,
            }
        )
        for info in image.header.layers
    )
    info = image.header.transducer.model_copy(update={"max_symbols_per_frame": 1024})
    header = image.header.model_copy(update={"layers": layers, "transducer": info})
    assert Budgets(Image(header, image.program, image.memory)).of_start(16).cycles <= MOST_CYCLES


def test_the_command_line_stops_and_can_be_told_to_go_on(refused, npu, tmp_path, vectors):
    image = image_of("joint")
    path, out = tmp_path / "joint.npu", tmp_path / "out.npz"
    path.write_bytes(image.to_bytes())
    args = ("run", path, "--input", vectors / "joint.npz", "--output", out)
    refused(
        *args,
        "--max-cycles",
        50,
        match="no HALT within 50 cycles, the limit that was set; .*with --max-cycles",
    )
    for most in (100_000, 1 << 62):
        assert npu(*args, "--max-cycles", most).status == 0
    here = image.header.invoke.pc
    path.write_bytes(replaced(image, "invoke", encode(command("BEQ", target=here))).to_bytes())
    refused(
        *args, match="no HALT within .* can need; if it is right, raise the limit with --max-cycles"
    )


def test_loops_of_routines_count_their_turns():
    program = [
        command("ADD", rd=6, imm=5),
        command("ADD", rd=9, rs1=10, imm=64),
        command("LOADS", rd=10),
        command("BLT", rs1=10, rs2=9, target=2),
        command("SUB", rd=6, rs1=6, imm=1),
        command("BNE", rs1=6, target=1),
        command("BEQ", target=3),
        command("HALT"),
    ]
    # A branch back that compares nothing that was set before it is no loop of a routine.
    assert budget._turns(program) == [1, 5, 320, 320, 5, 5, 1, 1]
