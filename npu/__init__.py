"""The specification of the chip and its simulator, in rooms; and the public API.

    import npu

    program = npu.compile(npu.load("model.tflite"), npu.Chip("edge", lanes=32))
    result = program.run(inputs)         # a call for each entry: outputs, cycles, milliseconds
    rows = program.latency().to_rows()   # a weight matrix each, for pandas.DataFrame(rows)

Nothing is imported before it is used. The rooms:

    chip      parameters, presets, instruction set, weight format, timing, records
    model     the quantised graph, integer arithmetic and parameters, what a folder says
    speech    audio, features, phrases, transcription
    twin      the cycle-accurate chip
    runtime   images, their sessions, inputs from files
    events    the twin's cycles without the data, from what commands cost
    analysis  cycles by layer and unit, energy, engines side by side, the schemas of all reports
    zoo       trained models, and where they are from
    cli       the command line
    api       what a notebook works with, under the names of this module

Two roofs see everything: this module with `api`, and `cli`, which nothing imports. Which room may
import which stands in `tests/test_layout.py`. Beside them lie the few modules that every room
needs: errors, files, text, caches and compiled loops.
"""

# As in `typing`, whose import would double the time of this one. Type checkers take it for true.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from compiler.costs import bits, cycles
    from compiler.frontends.models import Model
    from compiler.frontends.onnx.torch_module import from_torch
    from compiler.reference import Reference
    from npu.analysis.profile import Measurement, measure
    from npu.api.chip import Chip
    from npu.api.program import Program
    from npu.api.recognizer import Recognizer
    from npu.api.results import Latency, RunResult
    from npu.chip.params import ChipParams
    from npu.chip.params import load_params as load_chip
    from npu.errors import NpuError
    from npu.runtime.calls import Session

__version__ = "0.1.0"

__all__ = [
    "Chip",
    "ChipParams",
    "Latency",
    "Measurement",
    "Model",
    "NpuError",
    "Program",
    "Recognizer",
    "Reference",
    "RunResult",
    "bits",
    "compile",
    "cycles",
    "from_torch",
    "load",
    "load_chip",
    "measure",
    "simulate",
]

_HOMES = {
    "Chip": ("npu.api.chip", "Chip"),
    "ChipParams": ("npu.chip.params", "ChipParams"),
    "Latency": ("npu.api.results", "Latency"),
    "Measurement": ("npu.analysis.profile", "Measurement"),
    "Model": ("compiler.frontends.models", "Model"),
    "NpuError": ("npu.errors", "NpuError"),
    "Program": ("npu.api.program", "Program"),
    "Recognizer": ("npu.api.recognizer", "Recognizer"),
    "Reference": ("compiler.reference", "Reference"),
    "RunResult": ("npu.api.results", "RunResult"),
    "bits": ("compiler.costs", "bits"),
    "cycles": ("compiler.costs", "cycles"),
    "from_torch": ("compiler.frontends.onnx.torch_module", "from_torch"),
    "load_chip": ("npu.chip.params", "load_params"),
    "measure": ("npu.analysis.profile", "measure"),
}
"""Module and name of what stands elsewhere."""


def load(model: "str | Path", signature: str | None = None) -> "Model":
    """Read a `.tflite` file, a transducer's folder, or a model of the zoo by its name.

    Of a model with several signatures, the one that is named. Raises ModelError or
    UnsupportedError with the file and the reason.
    """
    from compiler.frontends.models import load_model

    return load_model(model, signature)


def compile(model: "Model | str | Path", chip: "ChipParams | str | Path" = "edge") -> "Program":
    """Compile a model for a chip: a preset's name, a TOML file, or what `Chip` gives.

    The same model and chip give the same program. `Program.to_bytes` and `Program.load` write and
    read it. Raises UnsupportedError for what the chip cannot run, CapacityError where it does not
    fit.
    """
    from compiler.compile import compile_model
    from compiler.frontends.models import Model, load_model
    from npu.api.chip import Chip
    from npu.api.program import Program

    loaded = model if isinstance(model, Model) else load_model(model)
    return Program.of(compile_model(loaded, Chip(chip)))


def simulate(program: "Program", **options: "Any") -> "Session":
    """Boot a program on the cycle-accurate twin; its calls and their cycles are the session's.

    A single graph's `invoke` takes and gives arrays, a transducer's `accept` takes (calls, frames,
    features) int8 and gives symbols; `cycles` are those of every call so far. `options` are those
    of `npu.runtime.sessions`: an observer, a recording, another machine.
    """
    from npu.runtime.calls import open_session

    return open_session(program, **options)


if not TYPE_CHECKING:  # to a type checker, a name that is not here is a mistake

    def __getattr__(name: str) -> "Any":
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        module, attribute = _HOMES[name]
        found = globals()[name] = getattr(import_module(module), attribute)
        return found


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})
