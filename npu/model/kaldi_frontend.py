"""The front end of models that icefall trained and sherpa-onnx runs: Kaldi's filter banks."""

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from npu.model.checked import Finite, Frozen, problem

KALDI = "kaldi fbank"
"""The `type` of such a front end."""

LOUDNESS_MEAN, LOUDNESS_STEP = -4.90, 3.44
"""Of 80 bins with samples in -1 .. 1: a line through the 490 encoder calls of the zoo's own
utterances (correlation 0.994; `tests/npu/speech/test_kaldi.py`)."""

SLANEY_MEAN, SLANEY_STEP = -9.25, 3.32
"""The same of librosa's filters, whose area is 1 (correlation 0.996)."""

_LONGEST = 65_536


class KaldiFrontendConfig(Frozen):
    """Audio to stacked log-mel frames as Kaldi's fbank makes them; see `npu.speech.kaldi`.

    Lengths in milliseconds are of whole samples, cut as Kaldi cuts them. `high_hz` of 0 and below
    counts from half the sample rate. `hann` is periodic, `hanning` is not. `mel` "slaney" is
    librosa's: linear in Hz up to 1 kHz, triangles in Hz of one area each. `stack`, `stack_hop` are
    in feature frames; `call_hop` is in stacked frames, from one encoder call to the next: less
    than the encoder takes where calls overlap.
    """

    type: Literal["kaldi fbank"]
    sample_rate_hz: Annotated[int, Field(ge=1_000, le=1_000_000)]
    samples: Literal["float in -1..1", "int16"]
    frame_length_ms: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    frame_shift_ms: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    snip_edges: bool
    dither: Annotated[float, Field(ge=0, le=0, allow_inf_nan=False)]
    remove_dc_offset: bool
    preemphasis: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    window: Literal["povey", "hamming", "hanning", "hann", "rectangular"]
    bins: Annotated[int, Field(ge=1, le=1024)]
    low_hz: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    high_hz: Finite
    mel: Literal["kaldi", "slaney"] = "kaldi"
    use_energy: Literal[False]
    log_floor: Literal["float32 epsilon"]
    stack: Annotated[int, Field(ge=1, le=64)]
    stack_hop: Annotated[int, Field(ge=1, le=64)]
    call_hop: Annotated[int, Field(ge=1, le=1024)]
    tail: Literal["feature frames that do not fill one encoder call are dropped"]
    quantise: Literal[
        "round half to even of x/scale, plus zero point, clipped to int8; scale and zero point "
        "of the encoder's input tensor"
    ]

    @field_validator("frame_length_ms", "frame_shift_ms")
    @classmethod
    def _of_samples(cls, length_ms: float, info: ValidationInfo) -> float:
        rate = info.data.get("sample_rate_hz")
        least = 3 if info.field_name == "frame_length_ms" else 1
        if rate is not None and not least <= rate * 0.001 * length_ms <= _LONGEST:
            raise problem(
                f"must be of {least} to {_LONGEST} samples at {rate} Hz, not {length_ms:g}"
            )
        return length_ms

    @field_validator("high_hz")
    @classmethod
    def _above_low(cls, high_hz: float, info: ValidationInfo) -> float:
        rate, low_hz = info.data.get("sample_rate_hz"), info.data.get("low_hz", 0.0)
        if rate is None:
            return high_hz
        nyquist = rate / 2
        if not low_hz < (high_hz if high_hz > 0 else high_hz + nyquist) <= nyquist:
            raise problem(
                f"must be above low_hz {low_hz:g} and at most half of sample_rate_hz, {nyquist:g} "
                f"(0 and below count from there), not {high_hz:g}"
            )
        return high_hz

    @property
    def hop_length(self) -> int:
        """Samples from one feature frame to the next."""
        return int(self.sample_rate_hz * 0.001 * self.frame_shift_ms)

    @property
    def window_length(self) -> int:
        """Samples of a feature frame."""
        return int(self.sample_rate_hz * 0.001 * self.frame_length_ms)

    @property
    def fft_length(self) -> int:
        """The next power of two."""
        return 1 << (self.window_length - 1).bit_length()

    @property
    def highest_hz(self) -> float:
        """`high_hz`, counted from 0."""
        return self.high_hz if self.high_hz > 0 else self.high_hz + self.sample_rate_hz / 2

    @property
    def full_scale(self) -> float:
        """What a sample of full scale counts as."""
        return 32_768.0 if self.samples == "int16" else 1.0

    @property
    def first_sample(self) -> int:
        """Where the first frame begins: below 0 it hears the begin of the sound mirrored."""
        return 0 if self.snip_edges else self.hop_length // 2 - self.window_length // 2

    @property
    def frame_size(self) -> int:
        """Values of a stacked frame."""
        return self.stack * self.bins

    @property
    def loudness(self) -> tuple[float, float]:
        """Of the mean of a frame's values: what is 0, and what is 1 above it, where the end of a
        phrase is looked for; as the zoo's features of the same sounds have it.
        """
        slaney = self.mel == "slaney"
        mean, step = (SLANEY_MEAN, SLANEY_STEP) if slaney else (LOUDNESS_MEAN, LOUDNESS_STEP)
        return mean + 2 * math.log(self.full_scale), step

    def calls_apart(self, frames_per_call: int) -> int:
        """Stacked frames from one encoder call to the next."""
        return min(self.call_hop, frames_per_call)

    def samples_per_call(self, frames_per_call: int) -> int:
        """Samples from one encoder call of so many stacked frames to the next."""
        return self.calls_apart(frames_per_call) * self.stack_hop * self.hop_length


def icefall_frontend(bins: int, call_hop: int) -> KaldiFrontendConfig:
    """What icefall's recipes and sherpa-onnx take where a model says nothing else."""
    return KaldiFrontendConfig(
        type="kaldi fbank",
        sample_rate_hz=16_000,
        samples="float in -1..1",
        frame_length_ms=25.0,
        frame_shift_ms=10.0,
        snip_edges=False,
        dither=0.0,
        remove_dc_offset=True,
        preemphasis=0.97,
        window="povey",
        bins=bins,
        low_hz=20.0,
        high_hz=-400.0,
        use_energy=False,
        log_floor="float32 epsilon",
        stack=1,
        stack_hop=1,
        call_hop=call_hop,
        tail="feature frames that do not fill one encoder call are dropped",
        quantise="round half to even of x/scale, plus zero point, clipped to int8; scale and zero "
        "point of the encoder's input tensor",
    )


def nemo_frontend(bins: int, call_hop: int) -> KaldiFrontendConfig:
    """What sherpa-onnx takes for NeMo's streaming models: librosa's filters, nothing normalised."""
    changes = {
        "remove_dc_offset": False,
        "window": "hann",
        "low_hz": 0.0,
        "high_hz": 8000.0,
        "mel": "slaney",
    }
    return icefall_frontend(bins, call_hop).model_copy(update=changes)
