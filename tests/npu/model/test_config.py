"""Every wrong key and value of `model.json` is named in one message."""

import copy
import json
from pathlib import Path

import pytest

import npu
from npu.errors import ModelError
from npu.model.config import ModelConfig, load_model_config
from npu.model.tokens import Tokens, load_tokens

MODEL = Path(npu.__file__).parent / "zoo" / "commands_rnnt"
DROP = object()


@pytest.fixture(scope="module")
def good() -> dict:
    return json.loads((MODEL / "model.json").read_text())


def changed(content: dict, *changes: tuple[str, object]) -> dict:
    content = copy.deepcopy(content)
    for key, value in changes:
        at = content
        *folders, last = key.split(".")
        for folder in folders:
            at = at[folder]
        if value is DROP:
            del at[last]
        else:
            at[last] = value
    return content


def written(folder: Path, content: object) -> Path:
    path = folder / "model.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refusal(path: Path, load=load_model_config) -> str:
    with pytest.raises(ModelError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_the_trained_model_is_read_as_written(good):
    config = load_model_config(MODEL / "model.json")
    assert isinstance(config, ModelConfig)
    read = config.model_dump(mode="json", exclude_unset=True)
    assert read == good
    assert config.frontend.mel.bins == len(config.frontend.mean) == len(config.frontend.std) == 40


def test_a_call_takes_a_millisecond_of_sound(tmp_path, good):
    """A hop of one sample would make 2,667 encoder calls of a second."""
    path = written(tmp_path, changed(good, ("frontend.hop_length", 1)))
    assert refusal(path).startswith(
        "frontend must have a hop_length of at least a millisecond for 6 frames a call, 3, not 1"
    )
    load_model_config(written(tmp_path, changed(good, ("frontend.hop_length", 3))))


def test_the_configuration_is_frozen():
    config = load_model_config(MODEL / "model.json")
    with pytest.raises(ValueError, match="frozen"):
        config.frontend.stack = 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("provenance", DROP),
        ("provenance", ["free", {"form": None}]),
        ("encoder.note", DROP),
        ("decoder.note", "a remark"),
        ("start_id", 3),
        ("joiner.inputs", ["decoder_out", "encoder_out"]),
        ("frontend.preemphasis", 0),
        ("frontend.mel.low_hz", 0.0),
        ("frontend.mel.high_hz", 8000),
        ("frontend.fft_length", 400),
        ("frontend.tail", "feature frames that do not fill one encoder call are dropped"),
    ],
)
def test_what_may_differ(tmp_path, good, key, value):
    load_model_config(written(tmp_path, changed(good, (key, value))))


WINDOW = "hann, symmetric (N-1 in the denominator)"
FILE = "must be the name of a file in the model's folder, not"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", 'must be a non-empty string, not ""'),
        ("name", 3, "must be a string, not 3"),
        ("type", "ctc", 'must be "transducer", not "ctc"'),
        ("blank_id", 1, "must be 0, not 1"),
        ("start_id", -1, "must be at least 0, not -1"),
        ("max_symbols_per_frame", 0, "must be at least 1, not 0"),
        ("max_symbols_per_frame", True, "must be an integer, not true"),
        ("encoder", 3, "must be a JSON object, not 3"),
        ("encoder.file", "../encoder.tflite", f'{FILE} "../encoder.tflite"'),
        ("encoder.file", "", f'{FILE} ""'),
        ("encoder.frames_per_call", "2", 'must be an integer, not "2"'),
        ("encoder.frames_per_call", 2.5, "must be an integer, not 2.5"),
        ("encoder.stateful", False, "must be true, not false"),
        ("encoder.note", 1, "must be a string, not 1"),
        ("decoder.file", "/etc/passwd", f'{FILE} "/etc/passwd"'),
        ("decoder.stateful", None, "must be true, not null"),
        ("joiner.file", "a\\b", f'{FILE} "a\\\\b"'),
        (
            "joiner.inputs",
            ["encoder_out", "encoder_out"],
            'must name encoder_out and decoder_out, each once, not ["encoder_out", "encoder_out"]',
        ),
        ("joiner.inputs", "encoder_out", 'must be a list, not "encoder_out"'),
        ("frontend.sample_rate_hz", 0, "must be at least 1000, not 0"),
        ("frontend.sample_rate_hz", 2_000_000, "must be at most 1000000, not 2000000"),
        ("frontend.preemphasis", 1.0, "must be below 1, not 1.0"),
        ("frontend.preemphasis", "none", 'must be a number, not "none"'),
        ("frontend.preemphasis_first_sample", "zeroed", 'must be "kept as it is", not "zeroed"'),
        ("frontend.samples", "int16", 'must be "int16 / 32768", not "int16"'),
        ("frontend.window", "hamming", f'must be "{WINDOW}", not "hamming"'),
        ("frontend.window_length", 2, "must be at least 3, not 2"),
        ("frontend.hop_length", 0, "must be at least 1, not 0"),
        ("max_symbols_per_frame", 1025, "must be at most 1024, not 1025"),
        ("frontend.fft_length", 256, "must be at least window_length 400, not 256"),
        (
            "frontend.padding",
            "reflect",
            'must be "none: the first window starts at sample 0", not "reflect"',
        ),
        ("frontend.mel", [], "must be a JSON object, not []"),
        (
            "frontend.mel.high_hz",
            9000,
            "frontend.mel must have high_hz at most half of sample_rate_hz, 8000, not 9000",
        ),
        ("frontend.mel.high_hz", 60, "must be above low_hz 60, not 60"),
        ("frontend.mel.bins", 0, "must be at least 1, not 0"),
        ("frontend.mel.low_hz", -1, "must be at least 0, not -1"),
        ("frontend.mel.scale", "slaney", 'must be "2595*log10(1+hz/700)", not "slaney"'),
        (
            "frontend.mel.filters",
            "area 1",
            'must be "triangles with peak 1, evaluated at the FFT bin frequencies", not "area 1"',
        ),
        ("frontend.power", "abs", 'must be "abs(rfft)^2 / sum(window)^2", not "abs"'),
        ("frontend.log", "dB", 'must be "natural log of (mel power + 1e-8)", not "dB"'),
        ("frontend.normalise", None, 'must be "(x - mean) / std, then clip to +-4", not null'),
        ("frontend.mean", [0.0] * 39, "must have one value per mel bin, 40, not 39"),
        ("frontend.std", [1.0] * 41, "must have one value per mel bin, 40, not 41"),
        ("frontend.std", 1.0, "must be a list, not 1.0"),
        ("frontend.std", [0.0] + [1.0] * 39, "frontend.std[0] must be above 0, not 0.0"),
        ("frontend.mean", [0.0] * 39 + ["x"], 'frontend.mean[39] must be a number, not "x"'),
        (
            "frontend.mean",
            [float("nan")] * 40,
            "frontend.mean[0] must be a finite number, not NaN",
        ),
        ("frontend.stack", 0, "must be at least 1, not 0"),
        ("frontend.stack_hop", 65, "must be at most 64, not 65"),
        (
            "frontend.tail",
            "padded with zeros",
            (
                'must be "feature frames that do not fill one encoder call are dropped", '
                'not "padded with zeros"'
            ),
        ),
        (
            "frontend.quantise",
            "truncate",
            (
                'must be "round half to even of x/scale, plus zero point, clipped to int8; scale '
                'and zero point of the encoder\'s input tensor", not "truncate"'
            ),
        ),
    ],
)
def test_a_wrong_value_is_named(tmp_path, good, key, value, message):
    text = refusal(written(tmp_path, changed(good, (key, value))))
    assert message in text
    if not message.startswith("frontend"):
        assert text == f"{key} {message}"


def all_keys(content: dict, prefix: str = "") -> list[str]:
    keys = []
    for key, value in content.items():
        keys.append(prefix + key)
        if isinstance(value, dict) and key != "provenance":
            keys += all_keys(value, f"{prefix}{key}.")
    return keys


def test_every_required_key_is_named_when_missing(tmp_path, good):
    for key in set(all_keys(good)) - {"provenance", "encoder.note"}:
        assert refusal(written(tmp_path, changed(good, (key, DROP)))) == f"{key} is missing"


@pytest.mark.parametrize("folder", ["", "encoder.", "decoder.", "joiner.", "frontend."])
def test_unknown_keys_are_named(tmp_path, good, folder):
    path = written(tmp_path, changed(good, (f"{folder}dither", 0.5)))
    assert refusal(path) == f"{folder}dither is not a known key (value 0.5)"


def test_a_mistyped_key_is_answered_with_the_right_one(tmp_path, good):
    path = written(tmp_path, changed(good, ("frontend.mel.lo_hz", 20)))
    expected = "frontend.mel.lo_hz is not a known key, did you mean low_hz? (value 20)"
    assert refusal(path) == expected


def test_all_problems_are_in_one_message(tmp_path, good):
    path = written(
        tmp_path,
        changed(
            good,
            ("type", "ctc"),
            ("encoder.file", DROP),
            ("frontend.hop_length", "160"),
            ("frontend.mel.bins", 39.5),
            ("frontend.log10", "x" * 500),
            ("a\nb", {}),
        ),
    )
    assert refusal(path).split("; ") == [
        'type must be "transducer", not "ctc"',
        "encoder.file is missing",
        'frontend.hop_length must be an integer, not "160"',
        "frontend.mel.bins must be an integer, not 39.5",
        f'frontend.log10 is not a known key, did you mean log? (value "{"x" * 116}...)',
        "a\\nb is not a known key (value {})",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not valid JSON: line 1, column 1: Expecting value; correct the file"),
        ('{\n "name": }', "is not valid JSON: line 2, column 10: Expecting value; correct"),
        ("[1, 2]", "must hold a JSON object, not [1, 2]"),
        ("null", "must hold a JSON object, not null"),
        ("[" * 100_000, "is not usable JSON: maximum recursion depth exceeded"),
        ('{"provenance": ' + "[" * 500 + "]" * 500 + "}", "is not usable JSON: "),
        ('{"name": ' + "9" * 5000 + "}", "is not usable JSON: Exceeds the limit"),
        ('{"name": "\\ud800"}', "is not usable JSON: "),
    ],
)
def test_what_is_no_json_object(tmp_path, text, message):
    assert refusal(written(tmp_path, text)).startswith(message)


def test_a_repeated_key(tmp_path, good):
    text = json.dumps(good).replace('"stack": 3', '"stack": 3, "stack": 4')
    assert refusal(written(tmp_path, text)) == 'key "stack" appears twice'


@pytest.mark.parametrize("load", [load_model_config, load_tokens, Tokens.load])
def test_files_that_cannot_be_read(tmp_path, load):
    missing = "cannot be read: No such file or directory"
    assert refusal(tmp_path / "none", load) == missing
    assert refusal(tmp_path, load) == "cannot be read: Is a directory"
    (tmp_path / "latin").write_bytes(b"{\xe9}")
    assert refusal(tmp_path / "latin", load) == "is not UTF-8 text (byte 1); save it as UTF-8"
