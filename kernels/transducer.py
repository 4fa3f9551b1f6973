"""Greedy search over an RNN transducer: encoder, decoder (prediction network) and joiner."""

from dataclasses import dataclass, field

import numpy as np

from kernels.interpreter import Interpreter
from kernels.table import look_up
from npu.errors import InputError, ModelError
from npu.model.graph import Graph, Tensor
from npu.model.operators.rescale import requantisation, rescale_table


@dataclass
class Recording:
    """What a search saw, in order; for comparison with another engine.

    Attributes
    ----------
    encoder_out : one (width,) int8 per encoder call
    logits : one (symbols,) int8 per joiner evaluation
    """

    encoder_out: list[np.ndarray] = field(default_factory=list)
    logits: list[np.ndarray] = field(default_factory=list)


class GreedySearch:
    """A streaming greedy search: the best symbol at every joiner evaluation, no way back.

    At the start of an utterance both recurrent networks are reset and the decoder runs once on
    `start`. Then, per encoder call and at most `max_symbols_per_frame` times: joiner, argmax (the
    first of equals), stop at `blank`, else emit the symbol and run the decoder on it. Where the
    scales of an encoder or decoder output and of the joiner's input differ, TFLM's int8 QUANTIZE
    stands between.

    Parameters
    ----------
    encoder : one input (1, frames, features) int8, one output
    decoder : one input of a single int32, one output
    joiner : two inputs, encoder output first; one output, the logits
    recording : receives every intermediate result if given

    Raises
    ------
    ModelError
        If a graph is not legal or the three do not fit together.
    """

    def __init__(
        self,
        encoder: Graph,
        decoder: Graph,
        joiner: Graph,
        *,
        blank: int = 0,
        start: int = 0,
        max_symbols_per_frame: int,
        recording: Recording | None = None,
    ):
        self._encoder, self._decoder, self._joiner = map(Interpreter, (encoder, decoder, joiner))
        _check_signature(encoder, ["int8"])
        _check_signature(decoder, ["int32"])
        _check_signature(joiner, ["int8", "int8"])
        self._symbol_shape = decoder.tensors[decoder.inputs[0]].shape
        if int(np.prod(self._symbol_shape)) != 1:
            raise ModelError(
                f"{decoder.name}: its input must be one symbol, not {list(self._symbol_shape)}"
            )
        self._input_shape = encoder.tensors[encoder.inputs[0]].shape
        symbols = joiner.tensors[joiner.outputs[0]].size
        for what, symbol in (("blank", blank), ("start", start)):
            if not 0 <= symbol < symbols:
                raise ModelError(f"{what} must be a symbol of 0 to {symbols - 1}, not {symbol}")
        if max_symbols_per_frame < 1:
            raise ModelError(
                f"max_symbols_per_frame must be at least 1, not {max_symbols_per_frame}"
            )
        self._from_encoder = _Border(encoder, joiner, 0)
        self._from_decoder = _Border(decoder, joiner, 1)
        self._blank, self._start, self._limit = blank, start, max_symbols_per_frame
        self._recording = recording
        self.reset()

    def reset(self) -> None:
        """Begin an utterance."""
        self._encoder.reset()
        self._decoder.reset()
        self._prediction = self._predict(self._start)

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`."""
        self.reset()

    def accept(self, features: np.ndarray) -> list[int]:
        """As `accept_calls`, the symbols of all calls in one list."""
        return [symbol for symbols in self.accept_calls(features) for symbol in symbols]

    def accept_calls(self, features: np.ndarray) -> list[list[int]]:
        """Take the next encoder calls of the utterance.

        Parameters
        ----------
        features : (calls, frames, features) int8

        Returns
        -------
        the symbols that each call emitted

        Raises
        ------
        InputError
            If `features` does not fit the encoder, or a symbol does not fit the decoder.
        """
        if features.dtype != np.int8 or features.shape[1:] != self._input_shape[1:]:
            raise InputError(
                f"features must be int8 (calls, {', '.join(map(str, self._input_shape[1:]))}), "
                f"not {features.dtype} {features.shape}"
            )
        answers: list[list[int]] = []
        for call in features:
            tokens: list[int] = []
            (encoded,) = self._encoder.invoke([call[np.newaxis]])
            if self._recording is not None:
                self._recording.encoder_out.append(encoded.reshape(-1))
            encoded = self._from_encoder.cross(encoded)
            for _ in range(self._limit):
                (logits,) = self._joiner.invoke([encoded, self._prediction])
                if self._recording is not None:
                    self._recording.logits.append(logits.reshape(-1))
                symbol = int(np.argmax(logits))
                if symbol == self._blank:
                    break
                tokens.append(symbol)
                self._prediction = self._predict(symbol)
            answers.append(tokens)
        return answers

    def _predict(self, symbol: int) -> np.ndarray:
        (output,) = self._decoder.invoke([np.full(self._symbol_shape, symbol, np.int32)])
        return self._from_decoder.cross(output)


def _check_signature(graph: Graph, inputs: list[str]) -> None:
    found = [graph.tensors[i].dtype for i in graph.inputs]
    if found != inputs or len(graph.outputs) != 1:
        raise ModelError(
            f"{graph.name}: it must have inputs of type {', '.join(inputs)} and one output, "
            f"not {', '.join(found)} and {len(graph.outputs)}"
        )
    output = graph.tensors[graph.outputs[0]]
    if output.dtype != "int8" or output.quantization is None:
        raise ModelError(f"{graph.name}: its output must be a quantised int8, not {output.dtype}")


class _Border:
    """From one graph's output to another's input: the same real values in the shape wanted."""

    def __init__(self, source: Graph, target: Graph, position: int):
        output: Tensor = source.tensors[source.outputs[0]]
        wanted: Tensor = target.tensors[target.inputs[position]]
        where = f"from {source.name} to input {position} of {target.name}"
        if output.size != wanted.size:
            raise ModelError(f"{where}: sizes must be equal, not {output.size} and {wanted.size}")
        if output.quantization is None or wanted.quantization is None:
            raise ModelError(f"{where}: both sides must be quantised")
        self._shape = wanted.shape
        self._table = None
        if not output.quantization.same_as(wanted.quantization):
            self._table = rescale_table(
                requantisation(output.quantization, wanted.quantization, where)
            )

    def cross(self, values: np.ndarray) -> np.ndarray:
        if self._table is not None:
            crossed = np.empty_like(values)
            look_up(self._table, values.reshape(-1), crossed.reshape(-1))
            values = crossed
        return values.reshape(self._shape)
