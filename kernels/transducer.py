"""An RNN transducer's three networks on the kernels: encoder, decoder (prediction), joiner."""

import numpy as np

from kernels.interpreter import Interpreter
from kernels.table import look_up
from npu.errors import ModelError
from npu.model.border import crossing, frames_out
from npu.model.graph import Graph, Tensor
from npu.model.operators.rescale import rescale_table
from npu.model.recording import ENCODER_OUT, LOGITS, Recorder


class Transducer:
    """The networks that a search asks (`npu.speech.search.Networks`, `npu.speech.beam.Branching`).

    Where the scales of an encoder or decoder output and of the joiner's input differ, TFLM's int8
    QUANTIZE stands between.

    Parameters
    ----------
    encoder : one input (1, frames, features) int8, one output of one frame or several, one behind
        the other, each of the size of the joiner's first input
    decoder : one input of a single int32, one output
    joiner : two inputs, encoder output first; one output, the logits
    recording : receives `encoder_out` of every encoder call, before the joiner's scale, and
        `logits` of every joiner evaluation

    Raises
    ------
    ModelError
        If a graph is not legal or the three do not fit together.
    """

    def __init__(
        self, encoder: Graph, decoder: Graph, joiner: Graph, recording: Recorder | None = None
    ) -> None:
        self._encoder, self._decoder, self._joiner = map(Interpreter, (encoder, decoder, joiner))
        _check_signature(encoder, ["int8"])
        _check_signature(decoder, ["int32"])
        _check_signature(joiner, ["int8", "int8"])
        self._symbol_shape = decoder.tensors[decoder.inputs[0]].shape
        if int(np.prod(self._symbol_shape)) != 1:
            raise ModelError(
                f"{decoder.name}: its input must be one symbol, not {list(self._symbol_shape)}"
            )
        self.features: Tensor = encoder.tensors[encoder.inputs[0]]
        self.symbols = joiner.tensors[joiner.outputs[0]].size
        self._from_encoder = _Border(encoder, joiner, 0, frames_out(encoder, joiner))
        self._from_decoder = _Border(decoder, joiner, 1)
        self._recording = recording

    def reset(self) -> None:
        """States to their start values."""
        self._encoder.reset()
        self._decoder.reset()

    def encode(self, features: np.ndarray) -> list[np.ndarray]:
        """The encoder on its next call: its frames, in the joiner's scale."""
        (encoded,) = self._encoder.invoke([features])
        self._record(ENCODER_OUT, encoded)
        return self._from_encoder.cross(encoded)

    def predict(self, symbol: int) -> np.ndarray:
        """The decoder on a symbol, in the joiner's scale. Raises InputError for one it has not."""
        (output,) = self._decoder.invoke([np.full(self._symbol_shape, symbol, np.int32)])
        (predicted,) = self._from_decoder.cross(output)
        return predicted

    def predict_from(
        self, state: list[np.ndarray] | None, symbol: int
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """As `predict`, from a state that was returned before; None for the start values."""
        if state is None:
            self._decoder.reset()
        else:
            self._decoder.restore(state)
        return self.predict(symbol), self._decoder.states()

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """The logits, (symbols,)."""
        (logits,) = self._joiner.invoke([encoded, predicted])
        self._record(LOGITS, logits)
        return logits.reshape(-1)

    def _record(self, name: str, values: np.ndarray) -> None:
        if self._recording is not None:
            self._recording.add(name, values.reshape(-1))


def _check_signature(graph: Graph, inputs: list[str]) -> None:
    found = [graph.tensors[i].dtype for i in graph.inputs]
    if found != inputs or len(graph.outputs) != 1:
        raise ModelError(
            f"{graph.name}: it must have inputs of type {', '.join(inputs)} and one output, "
            f"not {', '.join(found)} and {len(graph.outputs)}"
        )


class _Border:
    """From one graph's output to another's input: the same real values in the shape wanted, of
    which the output may hold several `frames`.
    """

    def __init__(self, source: Graph, target: Graph, position: int, frames: int = 1) -> None:
        output = source.tensors[source.outputs[0]]
        wanted = target.tensors[target.inputs[position]]
        where = f"from {source.name} to input {position} of {target.name}"
        rescale = crossing(output, wanted, where, frames)
        self._table = None if rescale is None else rescale_table(rescale)
        self._shape = (frames, *wanted.shape)

    def cross(self, values: np.ndarray) -> list[np.ndarray]:
        if self._table is not None:
            crossed = np.empty_like(values)
            look_up(self._table, values.reshape(-1), crossed.reshape(-1))
            values = crossed
        return list(values.reshape(self._shape))
