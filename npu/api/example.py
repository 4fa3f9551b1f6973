"""The example that goes with an export of the chip: a model, and calls whose answers are known."""

import numpy as np

from compiler import Model, compile_model, load_model
from compiler.frontends.models import TRANSDUCER_GRAPHS
from kernels import Interpreter, Transducer
from npu import zoo
from npu.chip.params import ChipParams
from npu.errors import ModelError
from npu.runtime.calls import calls_of
from npu.runtime.image import Image
from rtl.exports.example import Example

ZOO = "commands_rnnt"
UTTERANCE = "test_sent_284"  # "open the kitchen window"
CALLS = 4
_JOINER = "joiner.tflite"


def example_of(params: ChipParams, model: str | None = None) -> Example:
    """An example for a chip.

    Without `model` it is the joiner of the zoo's transducer on the first CALLS frames of an
    utterance, with the logits that TensorFlow Lite Micro answered; nothing is computed here that it
    could share a mistake with. With one, it is the kernels on random inputs, always the same.

    Raises NpuError where the model cannot be read, is a transducer, or does not fit the chip.
    """
    if model is None:
        return _of_the_zoo(params)
    loaded = load_model(model)
    if loaded.is_transducer:
        raise ModelError(f"{model} is a transducer: the bench runs a single graph; give one of its")
    image = compile_model(loaded, params)
    inputs = calls_of(image, limit=CALLS)
    kernels = Interpreter(loaded.graphs["main"])
    outputs = [kernels.invoke(call) for call in inputs]
    return _example(
        image, inputs, outputs, f"{loaded.name}, random inputs, outputs of zeroskip's kernels"
    )


def _of_the_zoo(params: ChipParams) -> Example:
    folder = zoo.path(ZOO)
    whole: Model = load_model(str(folder))
    assert whole.config is not None, "a transducer"
    encoder, decoder, joiner = (whole.graphs[role] for role in TRANSDUCER_GRAPHS)
    networks = Transducer(encoder, decoder, joiner)
    with np.load(folder / "utterances" / f"{UTTERANCE}.npz") as recorded:
        features, logits = recorded["features"][:CALLS], recorded["logits"][:CALLS]
    # Until the first symbol, the transducer asks its joiner once a frame.
    assert (logits.argmax(axis=1) == whole.config.blank_id).all(), "a symbol in the first frames"
    predicted = networks.predict(whole.config.start_id)
    inputs = [[*networks.encode(frames[np.newaxis]), predicted] for frames in features]
    image = compile_model(load_model(str(folder / _JOINER)), params)
    source = f"{ZOO}/{_JOINER} on {UTTERANCE}: outputs as recorded of TensorFlow Lite Micro"
    return _example(image, inputs, [[row] for row in logits], source)


def _example(
    image: Image, inputs: list[list[np.ndarray]], outputs: list[list[np.ndarray]], source: str
) -> Example:
    entry = image.header.invoke
    for tensor in (*entry.inputs, *entry.outputs):
        if tensor.stored is not None:
            raise ModelError(
                f"{image.header.model}: tensor {tensor.name!r} is of real numbers; the bench "
                "compares bytes: give a model with integers at its borders"
            )
    return Example(
        image,
        tuple(tuple(array.tobytes() for array in call) for call in inputs),
        tuple(tuple(array.tobytes() for array in call) for call in outputs),
        source,
    )
