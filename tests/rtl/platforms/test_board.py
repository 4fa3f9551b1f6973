"""A host at a board's serial port: pyserial on a pseudo terminal, behind it the RTL, bit by bit."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from npu import cli, zoo
from npu.api.example import example_of
from npu.chip.params import ChipParams, load_params
from npu.errors import MachineError
from npu.runtime.sessions import GraphSession
from rtl import verilog
from rtl.driver import perform, probe, wait
from rtl.exports.example import Example
from rtl.platforms.link import LinkError, SerialLink
from rtl.platforms.machine import BoardMachine
from rtl.platforms.protocol import ANSWER_BYTES, MEMORY_BYTES, READ, REQUEST_BYTES
from rtl.platforms.system import SerialSystem
from rtl.sim.verilate import BuildError, verilator_root

pytest.importorskip("serial", reason="pyserial is not installed")

HERE = Path(__file__).parent
DIVISOR = 4
TIMEOUT_S = 300
SMALL = "base = 'tiny'\nname = 'small'\nlanes = 2\n"
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O1"
PORTS = {
    "clk": "clock",
    "rst": "reset",
    "receive": "line",
    "send": "line",
    "running": "light",
    "irq": "light",
}


def small() -> ChipParams:
    return load_params("tiny").model_copy(update={"lanes": 2, "name": "small"})


@pytest.fixture(scope="module")
def example() -> Example:
    """Calls with what TensorFlow Lite Micro answered."""
    return example_of(small())


@pytest.fixture(scope="module")
def simulation(tmp_path_factory) -> Path:
    """The program that simulates the board."""
    try:
        root = verilator_root()
    except BuildError as error:
        pytest.skip(str(error))
    if shutil.which("g++") is None or shutil.which("make") is None:
        pytest.skip("g++ and make are needed")
    folder = tmp_path_factory.mktemp("board")
    system = SerialSystem(small(), DIVISOR, MEMORY_BYTES)
    (folder / "board.v").write_text(verilog.convert(system, "board", "", PORTS))
    options = ["--cc", "--exe", "--build", "-j", "1", "-Wno-fatal", "-Wno-lint", "-Wno-style"]
    options += ["--x-assign", "0", "--x-initial", "0", "--no-timing", "--output-split", "20000"]
    subprocess.run(
        [
            str(root / "bin" / "verilator_bin"),
            *options,
            "-MAKEFLAGS",
            MAKE,
            "--top-module",
            "board",
            "board.v",
            str(HERE / "board_sim.cpp"),
        ],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=TIMEOUT_S,
    )
    return folder / "obj_dir" / "Vboard"


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """Both ends of a serial line: a file descriptor, and the name of a port."""
    board, port = pty.openpty()
    tty.setraw(port)
    yield board, os.ttyname(port)
    os.close(board)
    os.close(port)


@pytest.fixture
def board(simulation, line) -> Iterator[str]:
    """The port of a board that has just been switched on."""
    end, port = line
    process = subprocess.Popen([simulation, str(DIVISOR)], stdin=end, stdout=end)
    yield port
    process.kill()
    process.wait()


def arrays(image, call) -> list[np.ndarray]:
    return [
        np.frombuffer(content, tensor.memory_dtype).reshape(tensor.shape)
        for content, tensor in zip(call, image.header.invoke.inputs, strict=True)
    ]


@pytest.mark.slow
def test_a_board_answers_what_tflm_answered(board, example):
    image = example.image
    session = GraphSession(image, machine=partial(BoardMachine, port=board))
    for call, answer in zip(example.inputs, example.outputs, strict=True):
        outputs = session.invoke(arrays(image, call))
        assert [array.tobytes() for array in outputs] == list(answer)
    counters = session.machine.counters
    assert sum(session.cycles) + session.boot_cycles + session.reset_cycles == counters.cycles
    session.machine.close()
    # Another host finds the board as the first one has left it, and begins anew.
    again = GraphSession(image, machine=partial(BoardMachine, port=board))
    outputs = again.invoke(arrays(image, example.inputs[0]))
    assert [array.tobytes() for array in outputs] == list(example.outputs[0])
    assert again.cycles[0] == session.cycles[0]
    again.machine.close()


@pytest.mark.slow
def test_the_command_line_runs_a_model_on_a_board(capsys, board, example, tmp_path):
    chip = tmp_path / "small.toml"
    chip.write_text(SMALL)
    model = str(zoo.path("commands_rnnt") / "joiner.tflite")
    columns = zip(*(arrays(example.image, call) for call in example.inputs), strict=True)
    inputs = {f"input{i}": np.stack(column) for i, column in enumerate(columns)}
    np.savez(tmp_path / "in.npz", **inputs)
    command = f"run {model} --board {board} --input {tmp_path}/in.npz --output {tmp_path}/out.npz"
    status = cli.main(shlex.split(f"{command} --chip {chip}"))
    told = capsys.readouterr()
    assert status == 0 and "of 4 calls on the board" in told.out, told
    with np.load(tmp_path / "out.npz") as found:
        assert [row.tobytes() for row in found["output"]] == [b"".join(o) for o in example.outputs]
    # The board is the small chip's: an image for another one is refused.
    assert cli.main(shlex.split(f"{command} --chip tiny")) == 2
    assert "error: a zeroskip with other parameters" in capsys.readouterr().err


@pytest.mark.slow
def test_an_error_of_the_chip_is_told_and_left(board, example):
    image = example.image
    machine = BoardMachine(image.params, image.header.memory_bytes, image.program, port=board)
    with pytest.raises(MachineError, match="command 99: ILLEGAL_COMMAND"):
        machine.run(99)
    machine.reset()
    machine.memory.data[: len(image.memory)] = image.memory
    assert machine.run(image.header.entry("boot").pc) > 0
    machine.close()


@pytest.mark.slow
def test_a_host_that_stopped_amid_a_request_does_no_harm(board):
    with SerialLink(board) as link:
        link._send(READ + b"\0")
    with SerialLink(board) as link:
        perform(probe(), link.step)
        link.put(0, b"abcdefgh")
        assert link.get(0, 8) == b"abcdefgh"


def answering(end: int, answer: bytes) -> threading.Thread:
    """Something at the other end that answers every request alike, until the line is closed."""

    def work() -> None:
        taken = b""
        while True:
            try:
                taken += os.read(end, REQUEST_BYTES - len(taken))
                if len(taken) == REQUEST_BYTES:
                    os.write(end, answer)
                    taken = b""
            except OSError:
                return

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"\0\1\2\3\4", "no zeroskip: register ID is 0x4030201, must be 0x4b53525a"),
        (b"hello", "is no zeroskip board: it answered with 68656c6c6f"),
        (b"\0\1", "does not answer: 2 of 5 bytes within 1 s at 1,000,000 baud; load its bitstream"),
        (b"\1\0\0\0\0", "the chip refused to read register ID"),
    ],
)
def test_something_else_at_the_port_is_told(line, answer, message):
    end, port = line
    answering(end, answer)
    with SerialLink(port) as link, pytest.raises((LinkError, MachineError), match=message):
        perform(probe(), link.step)


def test_a_silent_board_is_told_in_time(line, example):
    image = example.image
    began = time.monotonic()
    with pytest.raises(LinkError, match="does not answer: 0 of 5 bytes"):
        BoardMachine(image.params, image.header.memory_bytes, image.program, port=line[1])
    assert time.monotonic() - began < 5


def test_a_program_without_an_end_is_told(line):
    # Everything reads as 0: the interrupt never comes.
    answering(line[0], bytes(ANSWER_BYTES))
    with (
        SerialLink(line[1], patience_s=0.2) as link,
        pytest.raises(LinkError, match=r"has not ended its program after 0\.2 s; reset the board"),
    ):
        perform(wait(), link.step)


@pytest.mark.parametrize("port", ["/dev/no-such-port", "nowhere://"])
def test_a_port_that_is_not_there_is_told(port):
    with pytest.raises(LinkError, match=f"cannot open the serial port {re.escape(port)}: .*list"):
        SerialLink(port)


def test_a_model_that_the_board_has_no_room_for_is_refused():
    params = load_params("tiny")
    with pytest.raises(MachineError, match="takes 300,032 bytes of external memory, the board has"):
        BoardMachine(params, 300_000, bytes(32), port="/dev/no-such-port")


def test_a_board_has_no_observer():
    with pytest.raises(MachineError, match="a board shows no single commands"):
        BoardMachine(small(), 64, bytes(32), port="", observer=lambda *_: None)


def test_without_pyserial_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(LinkError, match=r"pip install 'zeroskip\[board\]'"):
        SerialLink("/dev/ttyUSB0")


def test_the_command_line_takes_one_engine(capsys, tmp_path):
    line = "run model.tflite --input a --output b --engine twin --board /dev/ttyUSB0"
    assert cli.main(shlex.split(line)) == 2
    assert "leave --engine out" in capsys.readouterr().err
