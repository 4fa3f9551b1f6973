"""A search on the host, with the networks on the chip: its cycles, and images that are none."""

import numpy as np
import pytest

from compiler import Model, compile_model
from compiler.programs import per_graph
from npu.chip.params import load_params
from npu.errors import ImageError, InputError
from npu.runtime.calls import call, open_session
from npu.runtime.host_search import HostSearchSession
from npu.runtime.image import Image
from npu.runtime.sessions import Session, TransducerSession
from tests.random_graphs import random_graph
from tests.random_transducers import random_transducer

MODEL = random_transducer(np.random.default_rng(3))
IMAGE = compile_model(MODEL, load_params("tiny"), program=per_graph(MODEL))
FEATURES = np.random.default_rng(1).integers(
    -128, 128, (4, *IMAGE.header.features.shape[1:]), np.int8
)


def test_every_cycle_belongs_to_a_call():
    session = HostSearchSession(IMAGE)
    before = session.machine.counters.cycles
    symbols = session.accept_calls(FEATURES)
    assert len(symbols) == len(session.cycles) == 4
    assert sum(session.cycles) == session.machine.counters.cycles - before
    assert min(session.cycles) > 0


def test_a_restart_counts_to_the_call_behind_it():
    session = HostSearchSession(IMAGE)
    first = session.accept_calls(FEATURES)
    plain = list(session.cycles)
    session.restart()
    assert session.accept_calls(FEATURES) == first
    assert session.cycles[4] > plain[0]
    assert session.cycles[5:8] == plain[1:]
    session.reset()
    assert session.accept_calls(FEATURES) == first
    assert session.cycles[8:] == plain


def test_any_image_has_a_session():
    session = open_session(IMAGE)
    assert isinstance(session, HostSearchSession)
    (tokens,) = call(session, [FEATURES[0]])
    assert tokens.tolist() == HostSearchSession(IMAGE).accept(FEATURES[:1])


def test_features_and_symbols_that_do_not_fit():
    session = HostSearchSession(IMAGE)
    with pytest.raises(InputError, match=r"features must be int8 \(calls, "):
        session.accept_calls(FEATURES[:, :, :-1] if FEATURES.shape[2] > 1 else FEATURES[0])
    (symbol,) = IMAGE.header.entry("decoder").inputs
    with pytest.raises(InputError, match=r"an index must be 0 to \d+, not 99"):
        session.session.start("decoder", [np.full(symbol.shape, 99, np.int32)])


def test_a_loop_is_no_start_and_a_start_no_loop():
    looped = compile_model(MODEL, load_params("tiny"))
    with pytest.raises(InputError, match="random has no entry 'encoder'; it has: boot, reset, fra"):
        HostSearchSession(looped)
    with pytest.raises(InputError, match="entry 'frames' of random takes several calls in a start"):
        Session(looped).start("frames", [FEATURES[:1]])
    with pytest.raises(InputError, match="random has no loop on the chip: its search runs on the"):
        TransducerSession(IMAGE)


def test_a_single_graph_has_no_search():
    graph = random_graph(np.random.default_rng(0))
    image = compile_model(Model("one", {"main": graph}, None, None, {}), load_params("tiny"))
    with pytest.raises(InputError, match="one is a single graph, not a transducer"):
        HostSearchSession(image)


def with_entry(name, **changes):
    """The image with one of its entries changed."""
    header = IMAGE.header
    entries = tuple(
        entry.model_copy(update=changes) if entry.name == name else entry
        for entry in header.entries
    )
    return Image(header.model_copy(update={"entries": entries}), IMAGE.program, IMAGE.memory)


def test_networks_that_do_not_fit_together():
    joiner = IMAGE.header.entry("joiner")
    logits = joiner.outputs[0].model_copy(update={"shape": (1, 77)})
    for image, message in (
        (with_entry("encoder", outputs=joiner.outputs), "'encoder' does not give what joiner"),
        (with_entry("decoder", outputs=()), "'decoder' does not give what joiner takes"),
        (with_entry("decoder", inputs=()), "entries are not those of a transducer"),
        (with_entry("joiner", inputs=(*joiner.inputs, logits)), "does not give what joiner takes"),
        (with_entry("joiner", outputs=(logits, logits)), "are not those of a transducer"),
    ):
        with pytest.raises(ImageError, match=message):
            HostSearchSession(image)
