"""The integration guide: its tables are those of today, what it names is there."""

import re
from pathlib import Path

import pytest

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")

from compiler import compile_model, load_model
from npu.chip.params import ChipParams, load_params
from npu.runtime.raw import c_header
from reports import integration
from rtl.control.registers import BY_NAME, CONTROL, IRQ, STATUS, of_chip
from rtl.views import c_header as c_registers

VECTORS = Path(__file__).parent.parent / "vectors" / "tflite"
TEXT = integration.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_today():
    assert integration.with_tables(TEXT) == TEXT, "run: python -m reports.integration"


def test_macros_that_are_named_are_in_a_models_header(zoo):
    tiny = load_params("tiny")
    headers = ""
    for path in (zoo / "commands_rnnt", VECTORS / "predictor.tflite"):
        image = compile_model(load_model(path), tiny)
        headers += c_header(image, {entry.name: 1 for entry in image.header.entries})
    made = set(re.findall(r"#define (\w+)", headers))
    named = set(re.findall(r"`NAME_([A-Z0-9_]+)`", TEXT)) - {"ENTRY_"}
    assert len(named) > 10
    for name in named:
        assert any(macro.endswith(f"_{name.removeprefix('ENTRY_')}") for macro in made), name
    # The others stand without what they begin with.
    for name in re.findall(r"`(?:\.\.\.)?_?((?:LOOP|CALL|TOKENS|SYMBOL|INPUT0|INDEX)\w*)`", TEXT):
        assert any(macro.endswith(f"_{name}") for macro in made), name


def test_bits_in_the_sequences_are_those_of_the_table():
    fields = {field.name: 1 << field.lsb for field in (*CONTROL, *STATUS, *IRQ)}
    for name, bits in re.findall(r"\*(\w+)\* \(0b(\d+)\)", TEXT):
        assert fields[name] == int(bits, 2), name
    for name in re.findall(r"\b(START_PC|IRQ_\w+|PROGRAM_\w+|ERROR_PC|MEMORY_BASE)\b", TEXT):
        assert name in BY_NAME or name.startswith("PROGRAM_"), name


def test_what_the_fingerprint_leaves_out_is_what_the_guide_says():
    said, found, _ = TEXT.partition(" of the TOML file are not in it")
    assert found
    named = re.findall(r"`([a-z_]+)(?:\.\.\.)?`", said.rpartition("at best.")[2])
    sizes = {item.partition("=")[0] for item in load_params("tiny").hardware.split(",")}
    for key in ChipParams.model_fields:
        assert (key in sizes) != any(key.startswith(name) for name in named), key


def test_macros_of_the_registers_that_are_named_are_there():
    made = c_registers.text(of_chip(1))
    named = set(re.findall(r"`(ZEROSKIP_\w+)`", TEXT))
    assert "ZEROSKIP_PARAMETERS_RESET_VALUE" in named
    assert all(f"#define {name} " in made for name in named)


def test_a_table_that_is_not_todays_is_seen():
    old = TEXT.replace("| `lanes` | 16", "| `lanes` | 17")
    assert integration.with_tables(old) == TEXT != old
