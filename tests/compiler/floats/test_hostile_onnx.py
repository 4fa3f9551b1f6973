"""Damaged and hostile ONNX files: one line with what is wrong and a way out, and no hang."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.floats.files import OLDEST, open_onnx
from compiler.floats.samples import Samples, load_samples
from compiler.frontends.onnx.quantised import quantised_model, read_float
from npu.errors import ModelError, NpuError
from tests.conftest import ROOT

ENCODER = ROOT / "tests" / "vectors" / "float" / "lstm_rnnt_small" / "encoder.onnx"
CALLS = np.random.default_rng(3).standard_normal((8, 1, 4)).astype(np.float32)
WEIGHTS = np.random.default_rng(4).standard_normal((4, 3)).astype(np.float32)
SAMPLES = Samples({"x": CALLS}, "calls.npz")


def model(nodes=None, stored=None, opset=17, width=4):
    nodes = nodes or [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    stored = {"w": WEIGHTS} if stored is None else stored
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, None])],
        [numpy_helper.from_array(np.asarray(data), name) for name, data in stored.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.acme", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def refused(tmp_path):
    """Write a model, or its bytes, and quantise it: it must be refused with a line that matches."""

    def call(made, match, samples=SAMPLES, name="m.onnx"):
        path = tmp_path / name
        path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
        with pytest.raises(NpuError, match=match) as refusal:
            quantised_model(read_float(path, samples))
        assert "\n" not in str(refusal.value)

    return call


@pytest.mark.parametrize("kept", [0, 1, 10, 1000, 0.5, 0.999])
def test_cut(kept, refused):
    whole = ENCODER.read_bytes()
    count = kept if isinstance(kept, int) else int(kept * len(whole))
    refused(whole[:count], "no sound ONNX model; fetch or export it again")


@pytest.mark.parametrize("seed", range(12))
def test_flipped_bits(seed, tmp_path):
    """Where nothing but a weight is another, it runs."""
    rng = np.random.default_rng(seed)
    data = bytearray(ENCODER.read_bytes())
    for at in rng.integers(0, 3000 if seed % 2 else len(data), 12):
        data[at] ^= 1 << int(rng.integers(8))
    path = tmp_path / "flipped.onnx"
    path.write_bytes(data)
    with np.load(ENCODER.parent / "frames.npz") as file:
        samples = Samples({"x": file["x"][:20]})
    try:
        quantised_model(read_float(path, samples))
    except NpuError as refusal:
        assert "\n" not in str(refusal)


def beside(tmp_path, **changes):
    """A model with its weights in another file, the entries of which are changed."""
    path = tmp_path / "m.onnx"
    onnx.save(
        model(),
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location="weights.bin",
        size_threshold=0,
    )
    made = onnx.load(path, load_external_data=False)
    tensor = made.graph.initializer[0]
    kept = {e.key: e.value for e in tensor.external_data} | changes
    del tensor.external_data[:]
    for key, value in kept.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    return made


def test_weights_in_another_file(tmp_path):
    (tmp_path / "m.onnx").write_bytes(beside(tmp_path).SerializeToString())
    assert quantised_model(read_float(tmp_path / "m.onnx", SAMPLES)).data


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"location": "nowhere.bin"}, "nowhere.bin, but"),
        ({"location": "../weights.bin"}, "points outside the directory"),
        ({"location": "/etc/hostname"}, "an absolute path"),
        ({"location": "link.bin"}, "a symbolic link"),
        ({"offset": "-5"}, "must be non-negative"),
        ({"offset": "9999"}, "exceeds"),
        ({"length": "abc"}, "invalid literal"),
        (
            {"length": str(1 << 40)},
            "1,099,511,[0-9,]+ bytes with its external data; more than 2 GiB",
        ),
    ],
)
def test_other_files(changes, match, tmp_path, refused):
    made = beside(tmp_path, **changes)
    (tmp_path / "link.bin").symlink_to("/etc/hostname")
    refused(made, match)


def test_more_than_two_gib(tmp_path, refused):
    """By the file, and by the shapes of what lies beside it; neither is read."""
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(3 << 30)
    with pytest.raises(ModelError, match="3,221,225,472 bytes; more than 2 GiB are not read"):
        open_onnx(tmp_path / "m.onnx")
    made = beside(tmp_path, length=None, offset=None)
    made.graph.initializer[0].dims[:] = [1 << 16, 1 << 14]
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(4 << 30)
    refused(made, "4,294,967,[0-9]+ bytes with its external data; more than 2 GiB")


@pytest.mark.parametrize("dims", [[1 << 40, 1 << 30], [-4, -3], [5, 3]])
def test_shapes_that_lie(dims, refused):
    made = model()
    made.graph.initializer[0].dims[:] = dims
    refused(made, "no sound ONNX model|onnxruntime cannot run it")


@pytest.mark.parametrize("opset", [1, 7, OLDEST - 1])
def test_old_opsets(opset, refused):
    refused(model(opset=opset), f"opset {opset}; export it with opset {OLDEST} or newer")


def test_opsets_that_run(tmp_path):
    for opset in (OLDEST, 13, 18, 21, min(onnx.defs.onnx_opset_version(), 23)):
        path = tmp_path / f"{opset}.onnx"
        onnx.save(model(opset=opset), path)
        assert quantised_model(read_float(path, SAMPLES)).data


def test_an_opset_of_the_future(refused):
    refused(model(opset=99), "opset 99; the installed onnx knows .*pip install --upgrade onnx")


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("Hardmax", r"node 'n' \(Hardmax\): it has no form in TFLM's int8 arithmetic"),
        ("NonZero", r"node 'n' \(NonZero\)"),
        ("Bernoulli", r"node 'n' \(Bernoulli\): is random; export the model for inference"),
        ("com.acme", r"node 'n' \(Thing\): is of the domain 'com.acme'; export without"),
    ],
)
def test_operators_that_do_not_run(kind, match, refused):
    domain = kind if "." in kind else ""
    nodes = [
        helper.make_node("Thing" if domain else kind, ["x"], ["n"], name="n", domain=domain),
        helper.make_node("Cast", ["n"], ["y"], to=1),
    ]
    refused(model(nodes, {}), match)


def test_a_shape_that_a_call_decides(refused):
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=7),
        helper.make_node("ReduceMax", ["c"], ["r"], keepdims=0),
        helper.make_node("Abs", ["r"], ["a"]),
        helper.make_node("Unsqueeze", ["a", "zero"], ["u"]),
        helper.make_node("Slice", ["x", "zero", "u", "one"], ["y"], name="cut"),
    ]
    stored = {"zero": np.array([0]), "one": np.array([1])}
    refused(model(nodes, stored), r"node 'cut' \(Slice\): its ends depend on the data of a call")


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (CALLS * 1e38, "becomes -?inf on calls.npz"),
        (CALLS.astype(np.float64) * 1e300, r"reaches .*e\+300; values must be finite in float32"),
        (np.where(CALLS.max() == CALLS, np.nan, CALLS), "has nan at"),
        (np.where(CALLS.max() == CALLS, np.inf, CALLS), "has inf at"),
        (CALLS[:0], "has no calls"),
        (np.float32(1), "has no calls"),
        (CALLS[..., :3], r"takes \[1, 4\], the calibration data has \[1, 3\]"),
        (CALLS.astype(complex), "of complex128, not of numbers"),
        (CALLS * 0, "'x' is 0 in all calls, which shows no range; give data as it is in use"),
    ],
)
def test_samples_that_do_not_do(array, match, refused):
    refused(model(), match, Samples({"x": array}, "calls.npz"))


@pytest.mark.parametrize(("factor", "weights"), [(1, WEIGHTS * 0), (1e-42, WEIGHTS)])
def test_ranges_of_nothing(factor, weights, tmp_path):
    """What is always 0, or nearly, has a step of 1."""
    path = tmp_path / "m.onnx"
    onnx.save(model(stored={"w": weights}), path)
    made = quantised_model(read_float(path, Samples({"x": CALLS * np.float32(factor)})))
    assert all(n.worst < 1 for n in made.noise())


def test_weights_that_are_no_numbers(refused):
    refused(
        model(stored={"w": WEIGHTS * np.float32("nan")}), "constant 'w' has nan; train or export"
    )
    refused(model(stored={"w": WEIGHTS * np.float32("inf")}), "becomes -?inf on calls.npz")


@pytest.mark.parametrize("scale", [0.0, np.nan, np.inf, -1.0, 1e-45])
def test_scales_that_are_none(scale, refused):
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], name="pair"),
    ]
    stored = {"s": np.float32(scale), "z": np.int8(0)}
    refused(model(nodes, stored), "scale is .*or more, and finite|scale|nan")


def test_no_operators(refused):
    made = model()
    del made.graph.node[:]
    made.graph.output[0].name = "x"
    refused(made, "it has no operators; export the model again|no sound ONNX model")


@pytest.mark.parametrize("damage", ["garbage", "cut", "crc"])
def test_damaged_samples(damage, tmp_path):
    path = tmp_path / "calls.npz"
    np.savez(path, x=CALLS)
    data = bytearray(path.read_bytes())
    match damage:
        case "garbage":
            data[:] = b"garbage"
        case "cut":
            del data[-30:]
        case _:
            data[60:80] = b"\xff" * 20
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"no \.npz file of arrays") as refusal:
        load_samples(path)
    assert "\n" not in str(refusal.value)


def test_one_array(tmp_path):
    np.save(tmp_path / "calls.npy", CALLS)
    with pytest.raises(ModelError, match=r"one array; give an \.npz file with an array per input"):
        load_samples(tmp_path / "calls.npy")


def test_a_branch_on_data(refused):
    branches = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node(kind, ["x"], [side])],
            side,
            [],
            [helper.make_tensor_value_info(side, TensorProto.FLOAT, [1, 4])],
        )
        for side, kind in (("then", "Relu"), ("else", "Neg"))
    }
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Cast", ["s"], ["c"], to=9),
        helper.make_node("If", ["c"], ["y"], name="fork", **branches),
    ]
    refused(model(nodes, {}), r"node 'fork' \(If\): its condition depends on the data of a call")
