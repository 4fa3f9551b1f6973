"""Every cycle belongs to one command."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import Model, compile_model, load_model
from npu.analysis.profile import Profile, measure, measure_twin
from npu.chip.params import load_params
from npu.chip.weight_format import BLOCK_HEADER_BYTES
from npu.errors import CapacityError
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.product import FullyConnected
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession, TransducerSession
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def image(images):
    return Image.load(images / "zoo.npu")


def test_every_cycle_is_seen_once(image):
    profile = Profile(image)
    session = TransducerSession(image, observer=profile)
    rng = np.random.default_rng(4)
    session.accept(rng.integers(-128, 128, (5, 2, 120), np.int8))
    counters = session.machine.counters
    assert profile.cycles == counters.cycles
    layers, segments = profile.layers(), profile.segments()
    assert sum(round(n.macs * n.products) for n in layers.values()) == counters.macs
    assert sum(round(n.cycles * n.products) for n in layers.values()) == counters.matvec_cycles
    assert segments["encoder"].runs == 5
    (dense,) = (layer for layer in layers if str(layer) == "decoder: operator 2 (FULLY_CONNECTED)")
    assert segments["decoder"].runs == layers[dense].products
    profile.clear()
    assert profile.cycles == 0 and profile.layers() == profile.segments() == {}


def test_lanes_read_no_code_tables(image):
    """Words out of the banks are directories and streams; tables lie in parameter memory."""
    profile = Profile(image)
    session = TransducerSession(image, observer=profile)
    profile.clear()
    before = session.machine.events.bank_reads
    session.accept(np.zeros((1, 2, 120), np.int8))
    layers = profile.layers()
    tables = [info for info in image.header.layers if info.layer in layers]
    p = image.params
    directories, ends = 64 * p.slots, 32 * p.lanes
    for info in tables:
        most = info.compressed_bits - 8 * BLOCK_HEADER_BYTES + directories + ends
        assert info.bank_bits <= most
    # At how many positions: an LSTM multiplies the inputs of all steps at once.
    seen = [(layers[info.layer], info.nonzeros) for info in tables]
    times = [layer.products * layer.macs / nonzeros for layer, nonzeros in seen]
    assert set(times) == {1, 2}
    read = [n * info.bank_bits / 32 for n, info in zip(times, tables, strict=True)]
    # A section is counted to the end of its last bus word.
    most = sum(n * info.tiles for n, info in zip(times, tables, strict=True))
    found = session.machine.events.bank_reads - before
    assert sum(read) <= found <= sum(read) + most * p.lanes * (p.bus_words - 1)


def test_one_measurement_holds_for_every_call(image):
    """Cycles do not depend on values."""
    measured = measure(image)
    profile = Profile(image)
    session = TransducerSession(image, observer=profile)
    profile.clear()
    session.accept(np.full((3, 2, 120), 77, np.int8))
    assert profile.segments()["encoder"] == replace(measured.segments["encoder"], runs=3)
    for name, layer in profile.layers().items():
        assert layer.cycles == measured.layers[name].cycles


@pytest.mark.parametrize("name", ["zoo.npu", "lstm_320.tflite", "windows.tflite"])
def test_a_measurement_as_events_is_that_of_the_twin(name, images):
    """Silence makes the zoo emit no symbol."""
    if name.endswith(".npu"):
        image = Image.load(images / name)
    else:
        model = load_model(str(ROOT / "tests" / "vectors" / "tflite" / name))
        image = compile_model(model, load_params("edge"))
    measured = measure(image)
    assert measured == measure_twin(image)
    assert sum(segment.macs for segment in measured.segments.values()) > 0


def test_operators_may_be_named_like_layers():
    """Names of other front ends hold what separates a layer's text: ": ", even "control"."""
    scale = Quantization(np.array([0.1], np.float32), 0)
    names = ("control", "main: /a: b/MatMul", "joiner: argmax")
    n = 200
    tensors = [Tensor(name, (1, n), "int8", scale, None) for name in "xabc"]
    weights = np.random.default_rng(1).integers(1, 128, (3, n, n)).astype(np.int8)
    tensors += [Tensor("w", (n, n), "int8", scale, each) for each in weights]
    operators = tuple(FullyConnected(name, n, 4 + n, None, n + 1) for n, name in enumerate(names))
    graph = Graph("m: n", tuple(tensors), operators, (0,), (3,))
    model = Model("m", {"main": graph}, None, None, {})
    image = Image.from_bytes(compile_model(model, load_params("tiny")).to_bytes())
    profile = Profile(image)
    session = GraphSession(image, observer=profile)
    session.invoke([np.zeros((1, n), np.int8)])
    layers = profile.layers()
    assert [layer.operator for layer in layers] == list(names)
    assert all(layer.graph == "main" and layer.rows == (n,) for layer in layers)
    assert sum(work.macs for work in layers.values()) == 3 * n * n
    segments = profile.segments()
    assert segments.keys() == {"main", "control"} and segments["control"].macs == 0
    with pytest.raises(CapacityError, match=r"^m: n: control: a single row does not fit 128 bytes"):
        compile_model(model, load_params("tiny").model_copy(update={"bank_bytes": 256}))
