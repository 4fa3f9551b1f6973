"""Which model is given what."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from npu.errors import NpuError
from reports.shipped.inputs import (
    IMAGENET,
    Array,
    Half,
    Maker,
    log_mel,
    normal,
    numbers,
    picture,
    same,
    sound,
    source_text,
    symbols,
    wake_embeddings,
    wake_mels,
)
from reports.shipped.outside import Input


class Domain(NamedTuple):
    """What inputs are given: those whose file and name match.

    Attributes
    ----------
    files, name : patterns of the file's path in its package, and of the input
    sizes : of axes that the file leaves open, in order; 1 behind them
    calls : that are calibrated on, and that are measured
    fixed : whether the input is the same in every call
    """

    files: str
    name: str
    what: str
    make: Maker
    sizes: tuple[int, ...] = ()
    calls: tuple[int, int] = (24, 12)
    fixed: bool = False


_MANY = (120, 120)
_LARGE = (8, 4)
_CHUNK = "speech, 512 samples a call behind 64 of the one before"

DOMAINS = (
    Domain("*silero_vad_16k_sequence*", "input", _CHUNK, sound(512), (1,), _MANY),
    Domain("*silero_vad_v6*", "input", _CHUNK, sound(512), (1,), _MANY),
    Domain("*silero*", "input", _CHUNK, sound(512), (1, 576), _MANY),
    Domain("*silero*", "sr", "16,000 Hz", same(16_000), fixed=True),
    Domain("*akiki*", "audio_with_context", _CHUNK, sound(512), (), _MANY),
    Domain("*smart-turn*", "*", "log-mel of speech", log_mel(80), (1,), _LARGE),
    Domain(
        "*fsmn-vad*", "speech", "log-mel of speech, 5 frames side by side", log_mel(80, 5), (4,)
    ),
    Domain("*flashvad*", "feature", "log-mel of speech", log_mel(43), (1,), _MANY),
    Domain("*basic_pitch*", "*", "speech", sound(4096), (1,), _LARGE),
    Domain("*_MData_*", "*", "places and weeks", numbers(1, 48), (1,)),
    Domain("*BirdNET*", "*", "speech", sound(9600), (1,), _LARGE),
    Domain("*melspectrogram*", "*", "speech in int16's range", sound(1280, 32768.0), (1, 1760)),
    Domain("*embedding_model*", "*", "the spectrogram model's of speech", wake_mels, (1,)),
    Domain("*pyopen_wakeword*", "*", "the embedding model's of speech", wake_embeddings),
    Domain("*logmelcalc*", "*", "speech", sound(4000), (1,)),
    Domain("*eff_word_net*", "*", "log-mel of speech", log_mel(64), (1,), (16, 8)),
    Domain("*swift_f0*", "audio", "speech", sound(4096), (4096,)),
    Domain("*swift_f0*", "fmin", "46.9 Hz", same(46.875), fixed=True),
    Domain("*swift_f0*", "fmax", "2,094 Hz", same(2093.75), fixed=True),
    Domain("*magika*", "bytes", "sources of Python", source_text, (1,)),
    Domain("*hibari*", "speed", "1.0", same(1.0), fixed=True),
    Domain("*hibari*", "*", "random symbols", symbols(40), (32,), _LARGE),
    Domain("*nakdimon*", "*", "random symbols", symbols(30), (1, 32), _LARGE),
    Domain("*tashkeel*", "char_inputs", "random symbols", symbols(30), (1, 32), _LARGE),
    Domain("*tashkeel*", "diac_inputs", "random symbols", symbols(10), (1, 32), _LARGE),
    Domain("*tashkeel*", "input_lengths", "32", same(32), (1,), _LARGE, True),
    Domain("*face_detection*", "*", "pictures", picture(-1, 1)),
    Domain("*mediapipe*", "*", "pictures", picture(0, 1)),
    Domain("*pnet*", "*", "pictures", picture(-1, 1), (48, 48)),
    Domain("*mtcnn*", "*", "pictures", picture(-1, 1), (1, 48)),
    Domain("*nudenet*", "*", "pictures", picture(0, 1), (1, 320, 320), _LARGE),
    Domain("*layout_cdla*", "*", "pictures", picture(0, 1, IMAGENET), (), (4, 2)),
    Domain("*orientation*", "*", "pictures", picture(0, 1, IMAGENET), (1,), _LARGE),
    Domain("*_det_*", "*", "pictures", picture(0, 1, IMAGENET), (1, 192, 192), _LARGE),
    Domain("*rec_small*", "*", "pictures", picture(-1, 1), (1, 160), _LARGE),
    Domain("*v2_rec_*", "*", "pictures", picture(-1, 1), (1, 32, 100), _LARGE),
    Domain("*_rec_*", "*", "pictures", picture(-1, 1), (1, 48, 160), _LARGE),
    Domain("*cls*", "*", "pictures", picture(-1, 1), (1, 48, 192), _LARGE),
    Domain("*ddddocr/common_det*", "*", "pictures", picture(0, 255), (), (4, 2)),
    Domain("*ddddocr*", "*", "pictures", picture(-1, 1), (160,), _LARGE),
    Domain("*", "*", "normal random numbers", normal),
)
"""The first that fits counts."""


class Data(NamedTuple):
    """Of all inputs of a model: (calls, ...) each for both halves, what it is, what is fixed."""

    calibration: Mapping[str, Array]
    others: Mapping[str, Array]
    what: str
    fixed: tuple[str, ...]


def domain_of(file: str, name: str) -> Domain:
    """What an input is given."""
    return next(d for d in DOMAINS if fnmatchcase(file, d.files) and fnmatchcase(name, d.name))


def data_of(file: str, inputs: list[Input], halves: tuple[Half, Half]) -> Data:
    """Data of a model's inputs.

    file : its path in its package

    Raises NpuError where there is nothing to make it of.
    """
    domains = {each.name: domain_of(file, each.name) for each in inputs}
    if not domains:
        raise NpuError(f"{file}: it has no inputs but states")
    varying = [d.calls for d in domains.values() if not d.fixed] or [(1, 1)]
    calls = [min(pair) for pair in zip(*varying, strict=True)]
    made: list[dict[str, Array]] = [{}, {}]
    for each in inputs:
        domain = domains[each.name]
        shape = _settled(each.shape, domain.sizes)
        for number in (0, 1):
            made[number][each.name] = domain.make(halves[number], shape, calls[number])
    what = dict.fromkeys(d.what for d in domains.values())
    fixed = tuple(name for name, domain in domains.items() if domain.fixed)
    return Data(made[0], made[1], "; ".join(what), fixed)


def _settled(shape: tuple[int | None, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    left = iter(sizes)
    return tuple(next(left, 1) if n is None else n for n in shape)
