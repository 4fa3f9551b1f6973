"""A compiled program that can be run and measured."""

from pathlib import Path

import numpy as np

from npu.analysis.layers import layer_report
from npu.analysis.profile import measure
from npu.api.results import CallResult, Latency, LayerLatency, RunResult
from npu.chip.params import ChipParams
from npu.errors import InputError
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.image import Image


class Program(Image):
    """A model compiled for a chip, as `npu.compile` gives it: the image, with what it does.

    Attributes
    ----------
    params : the chip, and what `header`, `program` and `memory` are, as `npu.runtime.image.Image`.
    """

    @classmethod
    def of(cls, image: Image) -> "Program":
        """The program of an image."""
        return cls(image.header, image.program, image.memory)

    @staticmethod
    def load(path: str | Path) -> "Program":
        """Read and check a `.npu` file. Raises ImageError naming file, place and reason."""
        return Program.of(Image.load(Path(path)))

    @property
    def chip(self) -> ChipParams:
        """The chip that it was compiled for."""
        return self.params

    def run(self, *inputs: np.ndarray) -> RunResult:
        """Boot on the twin and make a call for each entry of the inputs; state carries over.

        inputs : of a single graph an array for each of its inputs, (calls, ...) of the input's
            shape and type; of a transducer one of (calls, frames, features) int8.

        Raises InputError for other numbers, shapes and types.
        """
        session = open_session(self)
        transducer = self.header.transducer is not None
        wanted = 1 if transducer else len(self.header.invoke.inputs)
        arrays = [np.asarray(array) for array in inputs]
        if len(arrays) != wanted:
            raise InputError(
                f"{self.header.model} takes {wanted} input{'s' * (wanted != 1)}, not {len(arrays)}"
            )
        if any(array.ndim == 0 or len(array) != len(arrays[0]) for array in arrays):
            raise InputError("inputs have an entry for each call, all as many: (calls, ...)")
        if not len(arrays[0]):
            raise InputError("inputs without entries: at least one call is needed")
        answers = [call(session, [array[at] for array in arrays]) for at in range(len(arrays[0]))]
        columns = list(zip(*answers, strict=True))
        join = np.concatenate if transducer else np.stack
        return RunResult(
            tuple(join(column) for column in columns),
            tuple(
                CallResult(at, cycles, self.params.milliseconds(cycles))
                for at, cycles in enumerate(session.cycles)
            ),
        )

    def latency(self) -> Latency:
        """What a call takes on the twin, and each weight matrix in it.

        Inputs are random and always the same; cycles do not depend on them, but for the symbols
        that a transducer hears.
        """
        measured, params = measure(self), self.params
        session = open_session(self)
        for inputs in calls_of(self, limit=1):
            call(session, inputs)
        layers = []
        for info in self.header.layers:
            report = layer_report(info, measured.layers.get(info.layer), params.lanes)
            cycles = report.get("cycles")
            layers.append(
                LayerLatency(
                    report["name"],
                    cycles,
                    None if cycles is None else params.milliseconds(cycles),
                    -(-report["nonzeros"] // params.lanes),
                    report["nonzeros"],
                    report["bits_per_weight"],
                    report["tiles"],
                    report["resident_tiles"],
                    report["streamed_bytes"],
                )
            )
        return Latency(
            params.name,
            session.cycles[-1],
            params.milliseconds(session.cycles[-1]),
            params.milliseconds(measured.boot),
            params.milliseconds(measured.reset),
            {name: segment.cycles for name, segment in measured.segments.items()},
            tuple(layers),
        )
