"""The host's part of a compiled transducer, from what its image says."""

import json

from pydantic import ValidationError

from npu.errors import ImageError, ModelError
from npu.model.config import ModelConfig, place_of
from npu.model.tokens import Tokens
from npu.runtime.image import Image
from npu.speech.host import Speech


def speech_of(image: Image) -> Speech:
    """Raises ModelError for a single graph, ImageError for a front end that is not ours."""
    header, info = image.header, image.header.transducer
    if info is None:
        raise ModelError(f"{header.model} is a single graph, not a transducer; run it with npu run")
    try:
        config = ModelConfig.model_validate_json(json.dumps(info.config))
    except ValidationError as error:
        key = ".".join(map(str, place_of(error.errors()[0])))
        raise ImageError(
            f"{header.model}: damaged header: transducer.config.{key}; compile the model again"
        ) from error
    features, frontend = header.features, config.frontend
    shape = (1, config.encoder.frames_per_call, frontend.frame_size)
    if features.shape != shape or features.scale is None:
        raise ImageError(
            f"{header.model}: damaged header: features are {list(features.shape)}, the "
            f"front end makes {list(shape)}; compile the model again"
        )
    return Speech(
        name=header.model,
        frontend=frontend,
        frames_per_call=config.encoder.frames_per_call,
        scale=features.scale,
        zero_point=features.zero_point,
        tokens=Tokens(info.tokens),
        frames_out=info.frames_out,
        silence_s=config.silence_s,
    )
