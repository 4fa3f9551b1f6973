"""Descriptions that take from another one what they do not say."""

import pytest

from npu.chip.params import load_params
from npu.errors import ParamsError


@pytest.fixture
def write(tmp_path):
    """Write a description, and give its path."""

    def written(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_what_is_not_said_is_the_base_s(write):
    edge = load_params("edge")
    found = load_params(write("wide.toml", 'base = "edge"\nlanes = 32\n[energy_pj]\nmac = 0.5\n'))
    assert (found.name, found.lanes, found.energy_pj.mac) == ("wide", 32, 0.5)
    changed = {
        "name": "wide",
        "lanes": 32,
        "energy_pj": {**edge.energy_pj.model_dump(), "mac": 0.5},
    }
    assert found.model_dump() == edge.model_dump() | changed


def test_a_base_is_seen_from_its_file_and_may_have_one_itself(write):
    write("one/far.toml", 'base = "tiny"\nname = "far"\nlanes = 3\nthreads = 4\n')
    found = load_params(write("two/near.toml", 'base = "../one/far.toml"\nlanes = 5\n'))
    assert (found.name, found.lanes, found.threads) == ("near", 5, 4)
    assert found.bank_bytes == load_params("tiny").bank_bytes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'base = "vast"',
            r"a.toml: base = 'vast' is neither a preset \(tiny, edge, max\) nor a TOML",
        ),
        ("base = 3", "base = '3' is neither a preset"),
        (
            'base = "a.toml"',
            r"a.toml: its bases lead in a circle: \S+a.toml -> \S+a.toml; take one",
        ),
        ('base = "b.toml"', r"in a circle: \S+a.toml -> \S+b.toml -> \S+a.toml"),
        ('base = "edge"\nlane = 3', "a.toml: key 'lane' is unknown"),
        ('base = "edge"\nenergy_pj = 3', "energy_pj = 3: input should be"),
        ('base = "edge"\nlanes = "many"', "lanes = 'many': input should be a valid integer"),
    ],
)
def test_a_base_that_is_none(write, text, message):
    write("b.toml", 'base = "a.toml"')
    with pytest.raises(ParamsError, match=message):
        load_params(write("a.toml", text))


def test_a_chain_has_an_end(write):
    for number in range(20):
        write(f"c{number}.toml", f'base = "c{number + 1}.toml"')
    with pytest.raises(ParamsError, match=r"c0\.toml: more than 16 files"):
        load_params(write("c0.toml", 'base = "c1.toml"'))
