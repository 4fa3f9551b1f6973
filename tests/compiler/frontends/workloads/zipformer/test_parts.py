"""Parts of a Zipformer by themselves: what a call sees of earlier ones, and of none."""

import numpy as np
import pytest

from compiler.frontends.workloads.graphs import STEP, GraphBuilder
from compiler.frontends.workloads.weights import RandomWeights
from compiler.frontends.workloads.zipformer.attention import (
    HIDDEN,
    Heads,
    encodings,
    hidden,
    past,
)
from compiler.frontends.workloads.zipformer.pointwise import swoosh_l, swoosh_r
from kernels import Interpreter

STEPS, WIDTH = 4, 3


def built(make):
    b = GraphBuilder("g", RandomWeights(0.0, 1))
    heard = b.value((1, STEPS, WIDTH))
    return b.graph([heard], make(b, heard))


def real(graph, found):
    own = graph.tensors[graph.outputs[0]].quantization
    return (found.astype(float) - own.zero_point) * float(own.scale[0])


@pytest.mark.parametrize("frames", [3, 4, 5, 8])
def test_a_call_sees_the_frames_before_it(frames):
    ours = Interpreter(built(lambda b, x: past(b, x, frames)))
    heard = np.zeros((frames, WIDTH), np.int8)
    for x in np.random.default_rng(1).integers(-128, 128, (5, 1, STEPS, WIDTH)).astype(np.int8):
        heard = np.vstack([heard, x[0]])[-(frames + STEPS) :]
        np.testing.assert_array_equal(ours.invoke([x])[0][0], heard)


def test_frames_before_the_first_one_are_hidden():
    heads = Heads(count=2, query=4, value=4, position=4, encoding=8, left=6)
    graph = built(lambda b, _: hidden(b, heads, STEPS))
    ours = Interpreter(graph)
    x = np.zeros((1, STEPS, WIDTH), np.int8)
    for before in (0, 4, 6, 6):
        row = [HIDDEN] * (heads.left - before) + [0] * (before + STEPS)
        found = real(graph, ours.invoke([x])[0])
        np.testing.assert_allclose(found, np.tile(row, (2, STEPS, 1)), atol=1e-4)
    ours.reset()
    assert real(graph, ours.invoke([x])[0])[0, 0, 0] == pytest.approx(HIDDEN)


def test_encodings_tell_near_distances_apart_and_the_last_one_is_a_bias():
    found = encodings(np.arange(-20, 21), 48)
    assert found.shape == (41, 48) and (found[:, -1] == 1).all()
    # Cosines are even and sines odd, and at no distance they are 1 and 0.
    np.testing.assert_allclose(found[:, 0:-1:2], found[::-1, 0:-1:2])
    np.testing.assert_allclose(found[:, 1:-1:2], -found[::-1, 1:-1:2])
    np.testing.assert_allclose(found[20, :-1], np.tile([1, 0], 24)[:-1], atol=1e-12)
    apart = np.linalg.norm(found[21:] - found[20:-1], axis=1)
    assert (np.diff(apart) < 0).all() and apart[0] > 3


@pytest.mark.parametrize(
    ("make", "shift", "offset"), [(swoosh_l, 4, 0.035), (swoosh_r, 1, 0.313261687)]
)
def test_swoosh_is_within_half_a_step(make, shift, offset):
    graph = built(make)
    x = np.arange(-128, 124, dtype=np.int8).reshape(-1, 1, STEPS, WIDTH)
    ours = Interpreter(graph)
    found = np.array([real(graph, ours.invoke([each])[0]) for each in x])
    given = STEP * x.astype(float)
    wanted = np.log1p(np.exp(given - shift)) - 0.08 * given - offset
    step = float(graph.tensors[graph.outputs[0]].quantization.scale[0])
    np.testing.assert_allclose(found, wanted, atol=0.501 * step)
