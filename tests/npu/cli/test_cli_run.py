"""`npu run`: recorded answers on both engines, and inputs that nobody should believe."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.tflite_builder import foreign_model

FIXTURES = ("fc_relu", "fc_wide", "joint", "lstm_320", "lstm_small", "lstm_stream", "predictor")


@pytest.fixture
def joint(vectors):
    """The arguments of a run of `joint`, whose inputs are two int8 [1, 96]."""
    return ("run", vectors / "joint.tflite", "--input")


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        path = tmp_path / "in.npz"
        np.savez(path, **arrays)
        return path

    return write


def pair(calls=2, dtype=np.int8):
    return np.zeros((calls, 1, 96), dtype)


@pytest.mark.parametrize("engine", ["kernels", "twin"])
@pytest.mark.parametrize("name", FIXTURES)
def test_recorded_answers(npu, vectors, tmp_path, name, engine):
    recorded, out = vectors / f"{name}.npz", tmp_path / "out.npz"
    model = vectors / f"{name}.tflite"
    ran = npu(f"run {model} --input {recorded} --output {out} --engine {engine}")
    assert (ran.status, ran.err) == (0, "")
    with np.load(recorded) as expected, np.load(out) as found:
        assert found.files == ["output"]
        np.testing.assert_array_equal(found["output"], expected["output"])
        assert f"of {len(expected['output'])} calls on the {engine}" in ran.out


def test_a_signature_is_chosen(npu, refused, vectors, tmp_path):
    model, given, out = (
        vectors.parent / "refused" / "multisig.tflite",
        tmp_path / "in.npz",
        tmp_path / "out.npz",
    )
    np.savez(given, input0=np.arange(24, dtype=np.int8).reshape(2, 1, 12))
    run = f"run {model} --input {given} --output {out} --engine kernels"
    for name, shape in (("dec", (2, 1, 4)), ("enc", (2, 1, 8))):
        assert npu(f"{run} --signature {name}").status == 0
        with np.load(out) as found:
            assert found["output"].shape == shape
    refused(*run.split(), match='2 signatures, "dec", "enc"; choose one with --signature NAME')
    refused(*run.split(), "--signature", "x", match='there is no signature "x"; its signatures')


def test_real_numbers_go_in_and_out(npu, vectors, tmp_path):
    model, given, out = (
        vectors.parent / "refused" / "dense_float_io.tflite",
        tmp_path / "in.npz",
        tmp_path / "out.npz",
    )
    np.savez(given, input0=np.linspace(-2, 2, 24, dtype=np.float32).reshape(2, 1, 12))
    answers = []
    for engine in ("kernels", "twin"):
        assert npu(f"run {model} --input {given} --output {out} --engine {engine}").status == 0
        with np.load(out) as found:
            answers.append(found["output"])
    assert answers[0].dtype == np.float32 and len(np.unique(answers[0])) > 2
    np.testing.assert_array_equal(*answers)


def test_an_image_runs_as_its_model_does(npu, vectors, images, tmp_path):
    for model, out in ((vectors / "joint.tflite", "a.npz"), (images / "joint.npu", "b.npz")):
        args = ("run", model, "--input", vectors / "joint.npz", "--output", tmp_path / out)
        assert npu(*args).status == 0
    # Also the bytes are the same: an .npz carries no time.
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_report(npu, vectors, tmp_path):
    fc, out = vectors / "fc_wide", tmp_path / "out.npz"
    ran = npu(f"run {fc}.tflite --input {fc}.npz --output {out} --json -")
    report = json.loads(ran.out)
    assert report["calls"] == len(report["chip"]["cycles"]) == 4
    assert report["outputs"] == {"output": {"dtype": "int8", "shape": [4, 1, 2048]}}
    chip = report["chip"]
    assert chip["product_utilisation"] >= 0.97
    assert chip["run_utilisation"] == chip["macs"] / (16 * sum(chip["cycles"]))
    assert "edge (16 lanes of 2 threads, 400 MHz)" in ran.err


def test_a_run_that_waits_does_not_look_busy(npu, vectors, chip, tmp_path):
    """Weights streamed from a slow memory: the products are dense, the run is not."""
    slow = chip(bank_bytes=8192, memory_cycles_per_beat=200)
    fc, out = vectors / "fc_wide", tmp_path / "out.npz"
    ran = npu(f"run {fc}.tflite --input {fc}.npz --output {out} --chip {slow} --json -")
    assert ran.status == 0, ran.err
    found = json.loads(ran.out)["chip"]
    cycles = sum(found["cycles"])
    assert found["product_utilisation"] > 0.7
    assert found["run_utilisation"] == found["macs"] / (16 * cycles) < 0.01
    assert 0.98 * cycles < found["wait_cycles"] + found["matvec_cycles"] < cycles
    # Four calls stream what does not stay, of about 430,000 bytes; nothing of the boot is counted.
    assert 4 * 290_000 < found["bytes_read"] < 4 * 340_000
    # What loads ahead of the next call is behind this one's cycles.
    assert 0.75 * cycles < 0.75 * 200 * found["bytes_read"] / 16 < cycles
    assert f"{found['run_utilisation']:.2%}".replace("%", " %") in ran.err


def test_fortran_order_is_read(npu, vectors, tmp_path):
    with np.load(vectors / "joint.npz") as recorded:
        arrays = {key: np.asfortranarray(recorded[key].repeat(1, 0)) for key in recorded.files}
        expected = recorded["output"]
    np.savez_compressed(tmp_path / "in.npz", **arrays)
    args = ("--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz")
    assert npu("run", vectors / "joint.tflite", *args, "--engine", "kernels").status == 0
    with np.load(tmp_path / "out.npz") as found:
        np.testing.assert_array_equal(found["output"], expected)


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({}, "holds no 'input0'; the model takes 2 inputs: input0, input1; found: nothing"),
        ({"input0": pair()}, "holds no 'input1'; .* found: input0"),
        ({"input0": pair(), "input1": pair(3)}, "numbers of calls differ: input0 2, input1 3"),
        ({"input0": pair(), "input1": pair(), "input2": pair()}, "holds 'input2', the model takes"),
        ({"input0": pair(0), "input1": pair(0)}, "'input0' holds no calls"),
        ({"input0": pair(dtype=np.float32), "input1": pair()}, "'input0' must be int8, not float"),
        ({"input0": pair(), "input1": np.full((2, 1, 96), np.nan)}, "must be int8, not float64"),
        ({"input0": pair()[:, 0], "input1": pair()}, r"the shape \(calls, 1, 96\), one entry per"),
        ({"input0": np.int8(3), "input1": pair()}, r"'input0' must have the shape .* not \(\)"),
        ({"input0": np.array([None, "x"]), "input1": pair()}, "must be int8, not object"),
    ],
)
def test_wrong_arrays(refused, joint, save, tmp_path, arrays, match):
    path, out = save(**arrays), tmp_path / "out.npz"
    refused(*joint, path, "--output", out, match=f"{path}: .*{match}")
    assert not out.exists()


def test_an_index_outside_of_its_table(refused, vectors, tmp_path):
    line = f"run {vectors}/predictor.tflite --input {tmp_path}/in.npz --output {tmp_path}/out.npz"
    for engine in ("twin", "kernels"):
        np.savez(tmp_path / "in.npz", input0=np.full((1, 1, 1), 1000, np.int32))
        refused(
            f"{line} --engine {engine}",
            match="an index must be 0 to .*, not 1000",
        )


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return file.getvalue()


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


GOOD = npy(pair())
DAMAGED_FILES = {
    "text": (b"a,b,c\n1,2,3\n" * 20, "not an .npz file, or damaged"),
    "empty": (b"", "not an .npz file, or damaged"),
    "cut": (archive(input0=GOOD, input1=GOOD)[:200], "not an .npz file, or damaged"),
    "no array": (archive(input0=b"hello", input1=GOOD), "'input0' is no numpy array"),
    "no header": (archive(input0=GOOD[:20], input1=GOOD), "'input0' is no numpy array"),
    "code": (
        archive(input0=GOOD.replace(b"'|i1'", b"__i__"), input1=GOOD),
        "'input0' is no numpy array",
    ),
    "short": (archive(input0=GOOD[:-5], input1=GOOD), "must hold 192 bytes of data"),
    "long": (archive(input0=GOOD + b"x", input1=GOOD), "must hold 192 bytes of data"),
    "bomb": (
        archive(input0=GOOD + bytes(300 << 20), input1=GOOD),
        "declares 314573[0-9]* bytes of inputs, at most 268435456 are read; split it",
    ),
}


@pytest.mark.parametrize("kind", DAMAGED_FILES)
def test_damaged_files(refused, joint, tmp_path, kind):
    content, match = DAMAGED_FILES[kind]
    path, out = tmp_path / "in.npz", tmp_path / "out.npz"
    path.write_bytes(content)
    refused(*joint, path, "--output", out, match=f"{path}: .*{match}")
    assert not out.exists()


def test_a_flipped_bit_in_the_data(refused, joint, save, tmp_path):
    path = save(input0=pair(), input1=pair())
    content = bytearray(path.read_bytes())
    content[content.index(b"\n", 60) + 100] ^= 1
    path.write_bytes(content)
    refused(*joint, path, "--output", tmp_path / "out.npz", match="damaged .*CRC-32.*input0")


def test_a_claim_is_not_believed(refused, joint, tmp_path):
    path = tmp_path / "in.npz"
    header = GOOD[:128].replace(b"(2, 1, 96), }         ", b"(9999999999, 1, 96), }")
    path.write_bytes(archive(input0=header + bytes(192), input1=GOOD))
    refused(*joint, path, "--output", tmp_path / "out.npz", match="cut short: its header claims 95")


def test_missing_and_misplaced_files(refused, joint, save, tmp_path):
    out = tmp_path / "out.npz"
    refused(*joint, tmp_path / "none.npz", "--output", out, match="none.npz: cannot be read: No ")
    refused(*joint, tmp_path, "--output", out, match="cannot be read: Is a directory")
    path = save(input0=pair(), input1=pair())
    line, none = " ".join(map(str, [*joint, path])), tmp_path / "none"
    refused(
        f"{line} --output {none}/out.npz",
        match="cannot write .*: the folder .*none does not exist",
    )
    refused(
        f"{line} --output {out} --json {none}/report.json",
        match="cannot write .*report.json: the folder",
    )
    assert not out.exists()


def test_wrong_models(refused, vectors, images, tmp_path):
    rest = ("--input", vectors / "joint.npz", "--output", tmp_path / "out.npz")
    refused("run", "commands_rnnt", *rest, match="is a transducer: .* npu transcribe, or run one")
    refused("run", images / "zoo.npu", *rest, match="is a transducer: give it sound")
    image = ("run", images / "joint.npu", *rest)
    needs = "--engine kernels needs the model, not its compiled image"
    refused(*image, "--engine", "kernels", match=needs)
    differs = "compiled for a chip 'edge' that differs from --chip tiny"
    refused(*image, "--chip", "tiny", match=differs)
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(foreign_model())
    refused("run", foreign, *rest, match="operator 0 SKIP_GRAM is not supported")
    refused("run", vectors / "joint.tflite", *rest, "--chip", "vast", match="chip 'vast' is neithe")


def test_as_a_process(vectors, tmp_path):
    args = ["run", vectors / "joint.tflite", "--input", vectors / "joint.npz"]
    done = subprocess.run(
        [sys.executable, "-m", "npu.cli", *args, "--output", tmp_path / "out.npz"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "16 calls on the twin" in done.stdout
