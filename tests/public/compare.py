"""One model on kernels and twin, against what TensorFlow Lite Micro answers."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from compiler import Model, compile_model, examine_model, load_model
from kernels import Interpreter
from npu.analysis.layers import memory_report
from npu.chip.params import load_params
from npu.errors import NpuError
from npu.runtime.sessions import GraphSession
from tests.public.calls import Call, made_calls, real_calls
from tests.public.files import DAMAGE, Facts, facts
from tests.public.oracle import Refused, answers

Answers = list[list[np.ndarray]]


@dataclass
class Engine:
    """What an engine did with a model.

    Attributes
    ----------
    refused : why it did not run; None where it did.
    elements, differ : compared with the oracle, and of those different.
    cycles : of a call, the mean; sram, program, image : bytes. Of the twin alone.
    """

    refused: str | None = None
    elements: int = 0
    differ: int = 0
    cycles: float | None = None
    sram: int | None = None
    program: int | None = None
    image: int | None = None


@dataclass
class Outcome:
    """What became of a model.

    Attributes
    ----------
    calls : how many, and of these real ones.
    oracle : why TensorFlow Lite Micro does not run it; None where it does.
    engines : by name, "kernels" and the chips.
    reasons : (operator, why it does not run here), each once.
    stage : what it is about, or was when it broke.
    broken : what ended it: an error of ours or a process that died.
    """

    model: str
    stage: str = "reading"
    operators: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    real: int = 0
    oracle: str | None = None
    engines: dict[str, Engine] = field(default_factory=dict)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    broken: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What a comparison is made of.

    Attributes
    ----------
    chips : presets or TOML files; none for kernels only.
    calls : of the twin, at most; the kernels take all.
    """

    chips: tuple[str, ...] = ("edge", "max")
    calls: int = 1 << 30
    seed: int = 11


Keep = Callable[[], None]


def compare(path: Path, wanted: Wanted, outcome: Outcome, keep: Keep) -> None:
    """Fill in `outcome`; `keep` is called before each step, so that a crash loses one alone."""
    data = path.read_bytes()
    try:
        known = facts(data)
    except DAMAGE as error:
        known, outcome.oracle = Facts({}, ()), f"damaged: {type(error).__name__}: {error}"
    outcome.operators = known.operators
    real = real_calls(path)
    calls = made_calls(known.inputs, np.random.default_rng(wanted.seed)) + real
    outcome.calls, outcome.real = len(calls), len(real)
    right: Answers | None = None
    _begin(outcome, "TensorFlow Lite Micro", keep)
    if outcome.oracle is None:
        try:
            right = answers(data, calls, known.outputs)
        except Refused as error:
            outcome.oracle = str(error)
    _begin(outcome, "kernels", keep)
    model = _kernels(path, calls, right, outcome)
    if model is not None:
        for chip in wanted.chips:
            _begin(outcome, chip, keep)
            _twin(model, chip, calls[: wanted.calls], right, outcome)
    if any(engine.refused for engine in outcome.engines.values()):
        _begin(outcome, "examining", keep)
        outcome.reasons = _reasons(path)


def _begin(outcome: Outcome, stage: str, keep: Keep) -> None:
    outcome.stage = stage
    keep()


def _kernels(
    path: Path, calls: Sequence[Call], right: Answers | None, outcome: Outcome
) -> Model | None:
    engine = outcome.engines["kernels"] = Engine()
    try:
        model = load_model(path)
        interpreter = Interpreter(model.graphs["main"])
        found = [interpreter.invoke(call) for call in calls] if right is not None else []
    except NpuError as error:
        engine.refused = str(error)
        return None
    _count(engine, found, right)
    return model


def _twin(
    model: Model, chip: str, calls: Sequence[Call], right: Answers | None, outcome: Outcome
) -> None:
    engine = outcome.engines[chip] = Engine()
    try:
        image = compile_model(model, load_params(chip))
        memory = memory_report(image)
        engine.sram, engine.program = memory["sram"]["used"], memory["program"]["used"]
        engine.image = len(image.to_bytes())
        session = GraphSession(image)
        found = [session.invoke(call) for call in calls] if right is not None else []
    except NpuError as error:
        engine.refused = str(error)
        return
    engine.cycles = float(np.mean(session.cycles)) if session.cycles else None
    _count(engine, found, right)


def _count(engine: Engine, found: Answers, right: Answers | None) -> None:
    if right is None:
        return
    for ours, theirs in zip(found, right, strict=False):
        if len(ours) != len(theirs):
            print(f"{len(ours)} outputs, the oracle has {len(theirs)}", file=sys.stderr)
            engine.differ += sum(each.size for each in theirs)
        for a, b in zip(ours, theirs, strict=False):
            engine.elements += b.size
            engine.differ += differences(a, b)


def differences(ours: np.ndarray, theirs: np.ndarray) -> int:
    """Elements that differ, bit by bit; all of them where types or shapes do."""
    if ours.dtype != theirs.dtype or ours.shape != theirs.shape:
        return max(ours.size, theirs.size, 1)
    a, b = (np.ascontiguousarray(each).reshape(-1).view(np.uint8) for each in (ours, theirs))
    unequal = (a != b).reshape(ours.size, -1) if ours.size else np.zeros((0, 1), bool)
    return int(np.count_nonzero(unequal.any(axis=1)))


def _reasons(path: Path) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], Any] = {}
    try:
        for verdicts in examine_model(path).values():
            for verdict in verdicts:
                if verdict.reason is not None:
                    name = verdict.name.partition("(")[2].rstrip(")") or verdict.name
                    found[name, verdict.reason] = None
    except NpuError as error:
        found["the model", str(error)] = None
    return list(found)
