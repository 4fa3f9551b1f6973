"""Chip descriptions: presets, derived sizes, and every wrong key and value in one message."""

import pytest
from pydantic import ValidationError

from npu.chip.params import PRESETS, ChipParams, load_params, params_from_dict
from npu.errors import ParamsError
from tests.conftest import ROOT

TINY = load_params("tiny").model_dump()


@pytest.mark.parametrize("name", PRESETS)
def test_presets(name):
    params = load_params(name)
    assert params.name == name
    assert load_params(ROOT / "npu" / "chip" / "presets" / f"{name}.toml") == params
    assert params_from_dict(params.model_dump(mode="json"), "again") == params


def test_presets_are_those_of_the_design():
    tiny, edge, largest = map(load_params, PRESETS)
    assert [p.lanes for p in (tiny, edge, largest)] == [4, 16, 64]
    assert [8 * p.bus_bytes for p in (tiny, edge, largest)] == [64, 128, 256]
    assert (edge.bank_bytes, largest.bank_bytes) == (64 * 1024, 256 * 1024)


def test_the_fingerprint_tells_hardware_apart():
    """Every size is in it; memory, clock and what is for estimates alone are not."""
    tiny = load_params("tiny")
    others = {
        "name": "other",
        "memory_bytes": 2**20,
        "memory_latency_cycles": 7,
        "memory_cycles_per_beat": 3,
        "clock_mhz": 5.0,
        "technology": tiny.technology.model_copy(update={"node_nm": 45}),
        "energy_pj": tiny.energy_pj.model_copy(update={"mac": 1.0}),
    }
    same = tiny.model_copy(update=others)
    assert all(getattr(same, key) != getattr(tiny, key) for key in others)
    assert same.fingerprint == tiny.fingerprint
    prints = {tiny.fingerprint}
    sizes = set(ChipParams.model_fields) - set(others)
    for key in sizes:
        # The least step that the relations between parameters allow.
        step = {"bus_bytes": tiny.bus_bytes, "vector_elements": tiny.vector_elements}.get(key)
        step = step or (1 if getattr(tiny, key) < 64 else 64)
        prints.add(tiny.model_copy(update={key: getattr(tiny, key) + step}).fingerprint)
    assert len(prints) == 1 + len(sizes)


def test_derived_sizes():
    params = ChipParams(**(TINY | {"lanes": 5, "threads": 3, "bus_bytes": 16}))
    assert params.slots == 15
    assert params.bank_words == params.bank_bytes // 4
    assert [params.align(n) for n in (0, 1, 16, 17)] == [0, 16, 16, 32]
    assert params.milliseconds(80_000) == 1.0


def test_values_are_shown_shortened(tmp_path):
    """Python does not even write down what 50,000 hexadecimal digits are."""
    path = tmp_path / "a.toml"
    text = (ROOT / "npu" / "chip" / "presets" / "tiny.toml").read_text(encoding="utf-8")
    for value, shown in (
        ("0x" + "f" * 50_000, "a very large number"),
        (f"'{'x' * 9999}'", "xx..."),
    ):
        path.write_text(text.replace("lanes = 4", f"lanes = {value}"), encoding="utf-8")
        with pytest.raises(ParamsError, match=f"lanes = .*{shown}: input should be") as caught:
            load_params(path)
        assert len(str(caught.value)) < 300


def test_a_copy_is_checked():
    params = load_params("tiny")
    assert params.model_copy() == params
    assert params.model_copy(update={"lanes": 5}).lanes == 5
    assert params.model_copy(update={"energy_pj": params.energy_pj.model_copy()}) == params
    for update, message in (
        ({"lanes": 0}, "lanes = 0: input should be greater than or equal to 1"),
        ({"wings": 2}, "key 'wings' is unknown"),
        ({"bus_bytes": 16, "bank_bytes": 264}, r"bank_bytes must be a multiple of bus_bytes .16."),
        ({"memory_latency_cycles": 65537}, "less than or equal to 65536"),
    ):
        with pytest.raises(ParamsError, match=message):
            params.model_copy(update=update)
    with pytest.raises(ParamsError, match=r"Energy: mac = -1\.0: input should be"):
        params.energy_pj.model_copy(update={"mac": -1.0})


@pytest.mark.parametrize(
    ("key", "value"),
    [("clock_mhz", 1e308), ("clock_mhz", 1e-300), ("memory_latency_cycles", 1 << 17)],
)
def test_no_value_makes_a_report_infinite(key, value):
    with pytest.raises(ParamsError, match=f"{key} = "):
        params_from_dict(TINY | {key: value}, "here")
    with pytest.raises(ParamsError, match=r"energy_pj\.mac = 1e\+308"):
        params_from_dict(TINY | {"energy_pj": TINY["energy_pj"] | {"mac": 1e308}}, "here")


def test_a_description_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_params("tiny").lanes = 5


def test_every_wrong_key_and_value_in_one_message(tmp_path):
    text = (ROOT / "npu" / "chip" / "presets" / "tiny.toml").read_text(encoding="utf-8")
    text = text.replace("lanes = 4", "lanes = 0").replace("threads = 2", 'threads = "two"')
    text = text.replace("bus_bytes", "bus_width").replace("node_nm = 40", "node_nm = 41")
    text += "[energy_pj]\nmac = -1.0\n"
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    message = str(caught.value)
    for part in (
        f"{path}: ",
        "lanes = 0: input should be greater than or equal to 1",
        "threads = 'two': input should be a valid integer",
        "key 'bus_bytes' is missing",
        "key 'bus_width' is unknown",
        "technology.node_nm = 41: input should be 45, 40, 32, 28 or 22",
        "energy_pj.mac = -1.0: input should be greater than or equal to 0",
    ):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bus_bytes": 12}, "bus_bytes must be a power of two, not 12"),
        ({"vector_elements": 3}, "vector_elements must be a power of two of at most half of bus_"),
        ({"vector_elements": 8}, "at most half of bus_bytes (8), not 8"),
        ({"bank_bytes": 1028}, "bank_bytes must be a multiple of bus_bytes (8), not 1028"),
        ({"param_bytes": 1028}, "param_bytes must be a multiple of bus_bytes (8), not 1028"),
        ({"sram_bytes": 1028}, "sram_bytes must be a multiple of bus_bytes (8), not 1028"),
        ({"memory_bytes": 2**20 + 4}, "memory_bytes must be a multiple of bus_bytes (8)"),
        ({"activation_entries": 100}, "activation_entries must be a multiple of bus_bytes (8)"),
    ],
)
def test_relations(change, message):
    with pytest.raises(ParamsError) as caught:
        params_from_dict(TINY | change, "here")
    assert message in str(caught.value)


RANGES = {
    key: (
        next((m.ge for m in field.metadata if hasattr(m, "ge")), None),
        next((m.le for m in field.metadata if hasattr(m, "le")), None),
    )
    for key, field in ChipParams.model_fields.items()
    if key not in ("name", "technology", "energy_pj", "clock_mhz")
}


@pytest.mark.parametrize("key", RANGES)
def test_both_ends_of_every_range(key):
    for value in [end + step for end, step in zip(RANGES[key], (-1, 1), strict=True) if end]:
        with pytest.raises(ParamsError, match=f"{key} = {value}: input should be"):
            params_from_dict(TINY | {key: value}, "here")
    for wrong in (None, "8", 2.5, True, [1]):
        with pytest.raises(ParamsError, match=rf"{key} = "):
            params_from_dict(TINY | {key: wrong}, "here")


def test_files_that_are_none(tmp_path):
    with pytest.raises(ParamsError, match=r"chip 'huge' is neither a preset .tiny, edge, max. nor"):
        load_params("huge")
    path = tmp_path / "a.toml"
    deep, digits = b"lanes = " + b"[" * 50_000, b"lanes = " + b"9" * 50_000
    for raw in (b"lanes = ", b"\xff\xfe", b"[a]\n[a]", deep, digits):
        path.write_bytes(raw)
        with pytest.raises(ParamsError, match=r"a\.toml: (not a readable TOML|is not UTF-8)"):
            load_params(path)
    path.write_bytes(b"")
    with pytest.raises(ParamsError, match="key 'name' is missing; key 'lanes' is missing"):
        load_params(path)


def test_overrides():
    edge = load_params("edge")
    found = edge.with_overrides({"lanes": 32, "energy_pj.mac": 0.5, "clock_mhz": 200})
    assert found.name == "edge, lanes=32, energy_pj.mac=0.5, clock_mhz=200"
    assert found == edge.model_copy(
        update={
            "name": found.name,
            "lanes": 32,
            "clock_mhz": 200.0,
            "energy_pj": edge.energy_pj.model_copy(update={"mac": 0.5}),
        }
    )
    assert edge.with_overrides({"energy_pj": {"mac": 0.5}}).energy_pj == found.energy_pj
    assert edge.with_overrides({"lanes": 3, "name": "few"}).name == "few"
    # What changes nothing leaves the chip what it is.
    assert edge.with_overrides({"lanes": 16}) == edge == edge.with_overrides({})
    assert len(edge.with_overrides({"name": "x" * 199}).with_overrides({"lanes": 3}).name) == 200


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lane": 3}, "chip edge: no parameter 'lane'; did you mean 'lanes'?"),
        ({"wings": 3}, "no parameter 'wings'; there are name, lanes, threads"),
        ({"energy_pj.mak": 3}, "no parameter 'energy_pj.mak'; did you mean 'energy_pj.mac'?"),
        ({"lanes.more": 3}, "no parameter 'lanes.more'"),
        ({"lanes": 3.5}, "chip edge: lanes = 3.5: input should be a valid integer"),
        ({"lanes": "3"}, "lanes = '3': input should be a valid integer"),
        ({"lanes": 0, "threads": 9}, "lanes = 0: .* to 1; threads = 9: .* to 8"),
        ({"bus_bytes": 64, "bank_bytes": 264}, "bank_bytes must be a multiple of bus_bytes"),
        ({"energy_pj.mac": -1}, "energy_pj.mac = -1: input should be"),
    ],
)
def test_overrides_that_are_none(overrides, message):
    with pytest.raises(ParamsError, match=message):
        load_params("edge").with_overrides(overrides)
