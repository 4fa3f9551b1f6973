"""Random models on TensorFlow Lite Micro, on the kernels and on the twin of a chip, side by side.

Models run in a child process, one behind the other: one that ends the child is told so, and another
child goes on behind it.
"""

import os
import pickle
import resource
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from compiler import compile_model, load_model
from kernels import Interpreter
from npu.chip.params import ChipParams
from npu.errors import NpuError
from npu.runtime.sessions import GraphSession
from tests.public.calls import Call, made_calls
from tests.public.compare import differences
from tests.public.files import Input
from tests.tflite_builder import ModelSpec, write

ARENA = 1 << 26
"""So large that it comes cleared from the system: some operators of TFLM show what was in it."""
ABORTED = 15
"""What a call of TFLM returns that a CIRCULAR_BUFFER has ended; its outputs hold nothing then."""
CALLS = (0, 1, 5, 3, 12, 6)
"""Of `tests.public.calls`: least values, most, random, all in turn, close to zero, random."""
SECONDS = 300
MEMORY = 12 << 30
NOISE = 300


@dataclass
class Verdict:
    """What became of a model.

    Attributes
    ----------
    operators, elements : how many there are, and how many were compared on each engine.
    refused : why it did not run, by engine: "tflm", "kernels", "twin".
    differ : elements that are not TFLM's, by engine; not the kernels' where TFLM refuses.
    cycles : of a call on the twin, the mean.
    broken : what ended the process, or an error that is none of ours.
    """

    operators: int = 0
    elements: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    differ: dict[str, int] = field(default_factory=dict)
    cycles: float = 0.0
    broken: str | None = None

    @property
    def equal(self) -> bool:
        """Whether it ran on all three and nothing differs."""
        return not (self.refused or self.broken or any(self.differ.values()))

    @property
    def agreed(self) -> bool:
        """Whether it is equal, or refused by TFLM and by our kernels, too."""
        return self.equal or (not self.broken and {"tflm", "kernels"} <= set(self.refused))

    def text(self) -> str:
        """In a line."""
        if self.broken:
            return f"BROKEN {self.broken}"
        if self.refused:
            return "; ".join(f"{name} refuses: {why}" for name, why in self.refused.items())
        wrong = [f"{count} differ on {name}" for name, count in self.differ.items() if count]
        return ", ".join(wrong) or "equal"


def calls_of(spec: ModelSpec, rng: np.random.Generator) -> list[Call]:
    """Inputs of a model for some calls, extreme ones and random ones."""
    tensors = [spec.tensors[index] for index in spec.inputs]
    given = [
        Input(t.shape, t.dtype, 0.0 if t.scale is None else 1.0, t.zero_point, t.limit)
        for t in tensors
    ]
    calls = made_calls(given, rng)
    return [calls[number] for number in CALLS]


def side_by_side(
    spec: ModelSpec, params: ChipParams | None, rng: np.random.Generator, path: Path
) -> Verdict:
    """A model on the three; without a chip on two. `path` is a place for its file."""
    verdict = Verdict(len(spec.operators))
    path.write_bytes(write(spec))
    calls = calls_of(spec, rng)
    found: dict[str, list[list[np.ndarray] | None]] = {}
    try:
        found["tflm"] = _oracle(path.read_bytes(), calls, len(spec.outputs))
    except RuntimeError as error:
        verdict.refused["tflm"] = str(error)
    model = None
    try:
        model = load_model(path)
        interpreter = Interpreter(model.graphs["main"])
        found["kernels"] = [interpreter.invoke(call) for call in calls]
    except NpuError as error:
        verdict.refused["kernels"] = str(error).removeprefix(f"{path}: ")
    if model is not None and params is not None:
        try:
            session = GraphSession(compile_model(model, params))
            found["twin"] = [session.invoke(call) for call in calls]
            verdict.cycles = float(np.mean(session.cycles))
        except NpuError as error:
            verdict.refused["twin"] = str(error).removeprefix(f"{path}: ")
    known = found.get("tflm", found.get("kernels", []))
    for name in ("kernels", "twin"):
        if name in found:
            counts = [_count(a, b) for a, b in zip(found[name], known, strict=True)]
            verdict.differ[name] = sum(wrong for _, wrong in counts)
            verdict.elements = sum(size for size, _ in counts)
    return verdict


def _oracle(data: bytes, calls: Sequence[Call], outputs: int) -> list[list[np.ndarray] | None]:
    """The answers of TFLM, None for a call that it ended. Raises RuntimeError where it refuses.

    It has a process of its own: where a check of its own fails, it ends the process.
    """
    reader, writer = os.pipe()
    if (child := _fork()) == 0:
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as stream:
                pickle.dump(_answers(data, calls, outputs), stream)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        found = _next(stream)
    _, status = os.waitpid(child, 0)
    if status or not isinstance(found, list):
        raise RuntimeError(f"it ends the process ({_ending(status)})" if status else str(found))
    return found


def _answers(data: bytes, calls: Sequence[Call], outputs: int) -> Any:
    """The answers, or the words of a refusal."""
    try:
        return _ask(data, calls, outputs)
    except Exception as error:
        return str(error)


def _ask(data: bytes, calls: Sequence[Call], outputs: int) -> list[list[np.ndarray] | None]:
    from tflite_micro.python.tflite_micro import runtime

    oracle = runtime.Interpreter.from_bytes(data, arena_size=ARENA)
    found: list[list[np.ndarray] | None] = []
    for call in calls:
        for position, array in enumerate(call):
            oracle.set_input(array, position)
        aborted = oracle.invoke() == ABORTED
        answers = [np.array(oracle.get_output(i)) for i in range(outputs)]
        found.append(None if aborted else answers)
    return found


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which are idle
        return os.fork()


def _count(ours: list[np.ndarray] | None, theirs: list[np.ndarray] | None) -> tuple[int, int]:
    if ours is None or theirs is None:
        return 0, 0
    pairs = list(zip(ours, theirs, strict=True))
    return sum(b.size for _, b in pairs), sum(differences(a, b) for a, b in pairs)


# --- many of them ---------------------------------------------------------------------------------
Task = Callable[[Path], Verdict]


def run_all(tasks: Sequence[Task]) -> Iterator[Verdict]:
    """The verdicts of tasks, in their order; each is given a place for a file."""
    with tempfile.TemporaryDirectory() as name:
        folder, done = Path(name), 0
        while done < len(tasks):
            reader, writer = os.pipe()
            if (child := _fork()) == 0:
                os.close(reader)
                _child(tasks[done:], folder, writer)
            os.close(writer)
            with os.fdopen(reader, "rb") as stream:
                while (verdict := _next(stream)) is not None:
                    done += 1
                    yield verdict
            _, status = os.waitpid(child, 0)
            if status:
                said = (folder / "said").read_text("utf-8", "replace")[-NOISE:].split()
                yield Verdict(broken=" ".join([_ending(status), *said]))
                done += 1


def _next(stream: BinaryIO) -> Any:
    try:
        return pickle.load(stream)
    except EOFError:
        return None


def _ending(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"exit {os.waitstatus_to_exitcode(status)}"
    number = os.WTERMSIG(status)
    return f"longer than {SECONDS} s" if number == signal.SIGALRM else signal.Signals(number).name


def _child(tasks: Sequence[Task], folder: Path, writer: int) -> None:
    """Never returns. What TFLM says goes to a file; it becomes the words of its refusal."""
    code = 1
    try:
        said = folder / "said"
        descriptor = os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for task in tasks:
            signal.alarm(SECONDS)
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            verdict = _guarded(task, folder)
            words = " ".join(said.read_text("utf-8", "replace")[-NOISE:].split())
            if "tflm" in verdict.refused and words:
                verdict.refused["tflm"] = words
            os.write(writer, pickle.dumps(verdict))
        code = 0
    finally:
        os._exit(code)


def _guarded(task: Task, folder: Path) -> Verdict:
    try:
        return task(folder / "model.tflite")
    except Exception as error:
        return Verdict(broken=f"{type(error).__name__}: {error}")
