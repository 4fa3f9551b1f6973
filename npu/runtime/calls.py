"""An image of any kind, call by call: its session, and inputs for it, read or random."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from npu.errors import InputError, ModelError
from npu.model.graph import DTYPE_RANGES
from npu.runtime.frontend import speech_of
from npu.runtime.header import TensorInfo
from npu.runtime.host_search import HostSearchSession
from npu.runtime.image import Image
from npu.runtime.npz import read_inputs
from npu.runtime.sessions import GraphSession, TransducerSession

MOST_CALLS = 100_000
"""Their inputs are held, and the RTL takes hours for as many."""
RANDOM_CALLS = 4
SEED = 1

Session = GraphSession | TransducerSession | HostSearchSession
Inputs = list[np.ndarray]


def open_session(image: Image, **options: Any) -> Session:
    """A session for any image; `options` as the sessions take them."""
    info = image.header.transducer
    if info is None:
        return GraphSession(image, **options)
    on_chip = image.header.entry(info.hears).loop is not None
    return (TransducerSession if on_chip else HostSearchSession)(image, **options)


def call(session: Session, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One call; a transducer answers with its tokens, (n,) int32."""
    if not isinstance(session, GraphSession):
        return [np.array(session.accept(inputs[0][np.newaxis]), np.int32)]
    return session.invoke(inputs)


def calls_of(
    image: Image,
    input_path: str | None = None,
    audio: str | None = None,
    limit: int | None = None,
) -> list[Inputs]:
    """The inputs of every call, at most `limit`: of a file, or random, always the same ones.

    Raises InputError or ModelError where the file does not belong to the model.
    """
    header = image.header
    if audio is not None:
        features = speech_of(image).features(audio)
        each = (f for _, block in features for f in block)
        return [[features] for features in islice(each, limit)]
    if input_path is None:
        return list(_random(image, RANDOM_CALLS if limit is None else limit))
    if header.transducer is not None:
        raise ModelError(f"{header.model} is a transducer: give it sound with --audio")
    inputs = read_inputs(Path(input_path), header.invoke.inputs)
    if limit is not None and limit > len(inputs[0]):
        raise InputError(f"{input_path}: holds {len(inputs[0])} calls, not {limit}")
    return [[array[i] for array in inputs] for i in range(len(inputs[0]))][:limit]


def _random(image: Image, calls: int) -> Iterator[Inputs]:
    rng = np.random.default_rng(SEED)
    info = image.header.transducer
    for _ in range(calls):
        if info is not None:
            yield [rng.integers(-128, 128, image.header.features.shape[1:], np.int8)]
        else:
            yield [_random_tensor(rng, tensor) for tensor in image.header.invoke.inputs]


def _random_tensor(rng: np.random.Generator, tensor: TensorInfo) -> np.ndarray:
    if tensor.index_limit is not None:
        return rng.integers(0, tensor.index_limit, tensor.shape, np.int32)
    if tensor.dtype == "float32":
        return rng.standard_normal(tensor.shape, np.float32)
    if tensor.dtype == "bool":
        return rng.integers(0, 2, tensor.shape).astype(bool)
    lo, hi = DTYPE_RANGES[tensor.dtype]
    return rng.integers(lo, hi, tensor.shape, tensor.dtype, endpoint=True)
