"""What all programs of a transducer share: its three graphs, and what the host must know of it."""

from compiler.frontends.models import Model
from compiler.programs.program import Border
from npu.errors import ModelError
from npu.model.operators.gather import Gather
from npu.runtime.header import TransducerInfo

ENCODER, DECODER, JOINER = "encoder", "decoder", "joiner"

HOT = (JOINER, DECODER)
"""They run several times per encoder call."""

PROBES = {ENCODER: "encoder_out", JOINER: "logits"}


def borders(model: Model) -> tuple[Border, Border]:
    """From the encoder to the joiner, and from the decoder to it."""
    heard = Border(ENCODER, JOINER, input=0, frames=model.frames_out)
    return heard, Border(DECODER, JOINER, input=1)


def transducer_info(model: Model, hears: str) -> TransducerInfo:
    """Of a transducer whose entry `hears` takes the features.

    Raises ModelError where the joiner names symbols that the decoder has not.
    """
    config, tokens = model.config, model.tokens
    assert config is not None and tokens is not None, "a transducer has both"
    _check_embedding(model)
    # What most models do not say is not in their images either.
    silent = {"silence_s"} if config.silence_s is None else set()
    return TransducerInfo(
        config=config.model_dump(mode="json", exclude=silent),
        tokens=tokens.symbols,
        hears=hears,
        blank=config.blank_id,
        start=config.start_id,
        max_symbols_per_frame=config.max_symbols_per_frame,
        frames_out=model.frames_out,
    )


def _check_embedding(model: Model) -> None:
    decoder, joiner = model.graphs[DECODER], model.graphs[JOINER]
    symbols = joiner.tensors[joiner.outputs[0]].size
    for op in decoder.operators:
        if isinstance(op, Gather) and decoder.tensors[op.table].shape[0] < symbols:
            raise ModelError(
                f"{decoder.name}: {op.name}: its table has fewer rows than the joiner's "
                f"{symbols} symbols"
            )
