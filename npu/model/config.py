"""A transducer's `model.json`, checked key by key.

Keys that name a method (`window`, `log`, ...) are accepted only with the one method implemented in
`npu.speech.features`: a model trained with another front end is refused, never run on the wrong
features.
"""

import difflib
import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    JsonValue,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails

from npu.errors import ModelError
from npu.files import read_text
from npu.model.checked import Finite, Frozen, Positive, problem
from npu.model.kaldi_frontend import KALDI, KaldiFrontendConfig
from npu.text import printable, shown

MAX_BYTES = 4 << 20
"""Of a `model.json`, with room for notes."""

MAX_SYMBOLS_PER_FRAME = 1024

MAX_FRAMES_OUT = 1024
"""Of an encoder call."""

# The parenthesis restates the numbers of other keys and is left to the author.
_TAIL = re.compile(r"feature frames that do not fill one encoder call( \([^()]*\))? are dropped")


def _plain_file_name(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise problem(f"must be the name of a file in the model's folder, not {shown(name)}")
    return name


def _known_tail(text: str) -> str:
    if not _TAIL.fullmatch(text):
        known = "feature frames that do not fill one encoder call are dropped"
        raise problem(f"must be {shown(known)}, not {shown(text)}")
    return text


FileName = Annotated[str, AfterValidator(_plain_file_name)]


class MelConfig(Frozen):
    """The mel filter bank: `bins` triangles between `low_hz` and `high_hz`."""

    bins: Annotated[int, Field(ge=1, le=1024)]
    low_hz: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    high_hz: Positive
    scale: Literal["2595*log10(1+hz/700)"]
    filters: Literal["triangles with peak 1, evaluated at the FFT bin frequencies"]

    @field_validator("high_hz")
    @classmethod
    def _above_low(cls, high_hz: float, info: ValidationInfo) -> float:
        low_hz = info.data.get("low_hz", 0.0)
        if high_hz <= low_hz:
            raise problem(f"must be above low_hz {low_hz:g}, not {high_hz:g}")
        return high_hz


class FrontendConfig(Frozen):
    """The front end: 16-bit audio to normalised, stacked log-mel frames; see `npu.speech.features`.

    Lengths are in samples, `stack` and `stack_hop` in feature frames; `mean` and `std` are per
    mel bin, of the natural log of the mel power.
    """

    sample_rate_hz: Annotated[int, Field(ge=1_000, le=1_000_000)]
    preemphasis: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
    preemphasis_first_sample: Literal["kept as it is"]
    samples: Literal["int16 / 32768"]
    window: Literal["hann, symmetric (N-1 in the denominator)"]
    window_length: Annotated[int, Field(ge=3, le=65_536)]
    hop_length: Annotated[int, Field(ge=1, le=65_536)]
    fft_length: Annotated[int, Field(ge=4, le=65_536)]
    padding: Literal["none: the first window starts at sample 0"]
    mel: MelConfig
    power: Literal["abs(rfft)^2 / sum(window)^2"]
    log: Literal["natural log of (mel power + 1e-8)"]
    normalise: Literal["(x - mean) / std, then clip to +-4"]
    mean: tuple[Finite, ...]
    std: tuple[Positive, ...]
    stack: Annotated[int, Field(ge=1, le=64)]
    stack_hop: Annotated[int, Field(ge=1, le=64)]
    tail: Annotated[str, AfterValidator(_known_tail)]
    quantise: Literal[
        "round half to even of x/scale, plus zero point, clipped to int8; scale and zero point "
        "of the encoder's input tensor"
    ]

    @field_validator("fft_length")
    @classmethod
    def _holds_the_window(cls, fft_length: int, info: ValidationInfo) -> int:
        window_length = info.data.get("window_length", 0)
        if fft_length < window_length:
            raise problem(f"must be at least window_length {window_length}, not {fft_length}")
        return fft_length

    @field_validator("mel")
    @classmethod
    def _below_nyquist(cls, mel: MelConfig, info: ValidationInfo) -> MelConfig:
        rate = info.data.get("sample_rate_hz", math.inf)
        if 2 * mel.high_hz > rate:
            raise problem(
                f"must have high_hz at most half of sample_rate_hz, {rate / 2:g}, "
                f"not {mel.high_hz:g}"
            )
        return mel

    @field_validator("mean", "std")
    @classmethod
    def _one_per_bin(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        mel = info.data.get("mel")
        if mel is not None and len(values) != mel.bins:
            raise problem(f"must have one value per mel bin, {mel.bins}, not {len(values)}")
        return values

    @property
    def bins(self) -> int:
        """Values of a feature frame."""
        return self.mel.bins

    @property
    def frame_size(self) -> int:
        """Values of a stacked frame."""
        return self.stack * self.bins

    @property
    def loudness(self) -> tuple[float, float]:
        """Of the mean of a frame's values: what is 0, and what is 1 above it, where the end of a
        phrase is looked for.
        """
        return 0.0, 1.0

    def calls_apart(self, frames_per_call: int) -> int:
        """Stacked frames from one encoder call to the next."""
        return frames_per_call

    def samples_per_call(self, frames_per_call: int) -> int:
        """Samples from one encoder call of so many stacked frames to the next."""
        return self.calls_apart(frames_per_call) * self.stack_hop * self.hop_length


_LOG_MEL = "log-mel"


def _type_of(frontend: Any) -> str:
    """Which front end: of values that name none, the type as JSON, which is the name of none."""
    if isinstance(frontend, FrontendConfig | KaldiFrontendConfig):
        return KALDI if isinstance(frontend, KaldiFrontendConfig) else _LOG_MEL
    if not isinstance(frontend, dict) or "type" not in frontend:
        return _LOG_MEL
    return KALDI if frontend["type"] == KALDI else shown(frontend["type"])


AnyFrontend = FrontendConfig | KaldiFrontendConfig
_Chosen = Annotated[
    Annotated[FrontendConfig, Tag(_LOG_MEL)] | Annotated[KaldiFrontendConfig, Tag(KALDI)],
    Discriminator(_type_of),
]


class EncoderConfig(Frozen):
    """The encoder takes `frames_per_call` stacked frames per call and keeps its own state."""

    file: FileName
    frames_per_call: Annotated[int, Field(ge=1, le=1024)]
    stateful: Literal[True]
    note: str = ""


class DecoderConfig(Frozen):
    """The prediction network takes one symbol per call and keeps its own state."""

    file: FileName
    stateful: Literal[True]
    note: str = ""


class JoinerConfig(Frozen):
    """The joiner; `inputs` names what its input tensors take, in their order."""

    file: FileName
    inputs: tuple[Literal["encoder_out", "decoder_out"], ...]
    note: str = ""

    @field_validator("inputs")
    @classmethod
    def _each_once(cls, inputs: tuple[str, ...]) -> tuple[str, ...]:
        if sorted(inputs) != ["decoder_out", "encoder_out"]:
            raise problem(
                f"must name encoder_out and decoder_out, each once, not {shown(list(inputs))}"
            )
        return inputs


MOST_SILENCE_S = 3600
"""No silence that somebody gives, or a model wants, is longer: an hour."""


class ModelConfig(Frozen):
    """A whole `model.json`. Greedy search starts the decoder with `start_id`.

    `silence_s` : silence that ends a phrase, where it is another than for most models: one that
    tells ends itself wants more where it told none.
    """

    name: Annotated[str, StringConstraints(min_length=1)]
    type: Literal["transducer"]
    blank_id: Literal[0]
    start_id: Annotated[int, Field(ge=0)]
    max_symbols_per_frame: Annotated[int, Field(ge=1, le=MAX_SYMBOLS_PER_FRAME)]
    encoder: EncoderConfig
    decoder: DecoderConfig
    joiner: JoinerConfig
    frontend: _Chosen
    silence_s: Annotated[float, Field(gt=0, le=MOST_SILENCE_S)] | None = None
    provenance: JsonValue = None

    @field_validator("frontend")
    @classmethod
    def _a_millisecond_a_call(cls, front: AnyFrontend, info: ValidationInfo) -> AnyFrontend:
        # Or a second of sound would be thousands of calls of the encoder.
        encoder = info.data.get("encoder")
        taken = encoder.frames_per_call if encoder is not None else 1
        if (
            isinstance(front, KaldiFrontendConfig)
            and encoder is not None
            and front.call_hop > taken
        ):
            raise problem(
                f"must have a call_hop of at most encoder.frames_per_call {taken}, "
                f"not {front.call_hop}"
            )
        frames = front.stack_hop * front.calls_apart(taken)
        if 1000 * front.hop_length * frames < front.sample_rate_hz:
            least = -(-front.sample_rate_hz // (1000 * frames))
            if isinstance(front, KaldiFrontendConfig):
                raise problem(
                    f"must have a frame_shift_ms of at least {least} samples for {frames} frames "
                    f"a call, not of {front.hop_length}"
                )
            raise problem(
                f"must have a hop_length of at least a millisecond for {frames} frames a call, "
                f"{least}, not {front.hop_length}"
            )
        return front


def load_model_config(path: str | Path) -> ModelConfig:
    """Read and check a `model.json`.

    Raises
    ------
    ModelError
        The file is missing or no JSON object, or keys are missing, unknown, repeated or have
        values that are not implemented: one message names all of them.
    """
    text = read_text(Path(path), MAX_BYTES, ModelError)
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        repeated.extend(f"key {shown(k)} appears twice" for k in set(keys) if keys.count(k) > 1)
        return dict(pairs)

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ModelError(
            f"{path}: is not valid JSON: line {error.lineno}, column {error.colno}: "
            f"{error.msg}; correct the file"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: is not usable JSON: {error}; correct the file") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path}: must hold a JSON object, not {shown(content)}")

    problems = sorted(repeated)
    config = None
    try:
        config = ModelConfig.model_validate_json(text)
    except ValidationError as error:
        problems += [_describe(e) for e in error.errors(include_url=False)]
    if config is None or problems:
        raise ModelError(f"{path}: " + "; ".join(problems))
    return config


# pydantic's wordings that do not read well after "must be".
_WORDING = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "string_type": "a string",
    "string_too_short": "a non-empty string",
    "tuple_type": "a list",
    "model_type": "a JSON object",
    "greater_than": "above {gt:.12g}",
    "greater_than_equal": "at least {ge:.12g}",
    "less_than": "below {lt:.12g}",
    "less_than_equal": "at most {le:.12g}",
}


def _describe(error: ErrorDetails) -> str:
    """One problem: the key as written in the file, what is wrong, the value."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    loc = place_of(error)
    if kind == "json_invalid":
        return f"is not usable JSON: {context['error']}; correct the file"
    key = ""
    for part in loc:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    key = printable(key)
    if kind == "union_tag_invalid":
        return f'{key}.type must be "{KALDI}", or left out, not {context["tag"]}'
    if kind == "missing":
        return f"{key} is missing"
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), _keys_at(error["loc"][:-1]), 1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{key} is not a known key{hint} (value {shown(value)})"
    if kind == "predicate":
        return f"{key} {context['text']}"
    if kind == "literal_error":
        need = _choices(context["expected"])
    elif kind in _WORDING:
        need = _WORDING[kind].format(**context)
    else:
        need = error["msg"].removeprefix("Input should be ")
    return f"{key} must be {need}, not {shown(value)}"


def _choices(python: str) -> str:
    """pydantic's list of literals in JSON's spelling."""
    return re.sub(r"(?<!\w)'|'(?!\w)", '"', python.replace("True", "true"))


def place_of(error: ErrorDetails) -> tuple[int | str, ...]:
    """The keys that lead to a problem, without the kind of front end that pydantic puts in."""
    loc = error["loc"]
    return (loc[0], *loc[2:]) if loc[:1] == ("frontend",) else loc


def _keys_at(loc: tuple[int | str, ...]) -> list[str]:
    """The keys beside one, from its place as pydantic has it."""
    model: Any = ModelConfig
    for part in loc:
        if part in (_LOG_MEL, KALDI):
            model = KaldiFrontendConfig if part == KALDI else FrontendConfig
        elif part != "frontend":
            model = model.model_fields[str(part)].annotation
    return list(model.model_fields)
