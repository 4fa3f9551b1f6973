"""Recipes: the shipped one loads, and whatever is wrong in one is told in a clear line."""

import time

import pytest

from compiler.train.recipe import Recipe, load_recipe
from npu.errors import RecipeError
from tests.compiler.train.corpus.recipes import SHIPPED

TEXT = SHIPPED.read_text(encoding="utf-8")


def test_the_shipped_recipe_survives_its_way_to_other_processes():
    recipe = load_recipe(SHIPPED)
    assert recipe.name == "commands-rnnt"
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def refused(tmp_path, text) -> str:
    path = tmp_path / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    begin = time.monotonic()
    with pytest.raises(RecipeError) as error:
        load_recipe(path)
    assert time.monotonic() - begin < 3
    line = str(error.value).removeprefix(f"{path}: ")
    assert line != str(error.value)
    assert line.isprintable()
    assert len(line) < 1000
    return line


@pytest.mark.parametrize(
    ("was", "wrong", "told"),
    [
        ("seed = 1 ", "", "seed: is missing"),
        ("seed = 1 ", "seed = -1 ", "seed: "),
        ("seed = 1 ", "seed = 1.5 ", "seed: "),
        ("seed = 1 ", 'seed = "5" ', "seed: "),
        ("seed = 1 ", "seed = true ", "seed: "),
        ("seed = 1 ", "seed = 2026-11-27 ", "seed: "),
        ("seed = 1 ", "sede = 6\nseed = 5 ", "sede: there is no such key"),
        ("seed = 1 ", '"a\\nb" = 6\nseed = 5 ', r"'a\nb': there is no such key"),
        ('"commands-rnnt"', '"Commands/.."', "name: "),
        ("clips = 40_000", "clips = 0", "corpus.clips: "),
        ("clips = 40_000", "clips = 1_000_000_000_000", "corpus.clips: "),
        ("spliced = 0.25", "spliced = 1.1", "corpus.spliced: "),
        ("spliced = 0.25", "spliced = nan", "corpus.spliced: "),
        ("lead_s = [0.1, 0.5]", "lead_s = [0.5, 0.1]", "corpus: lead_s must not fall"),
        ("lead_s = [0.1, 0.5]", "lead_s = [0.1]", "corpus.lead_s"),
        ("[-4.0, 0.0]", "[-inf, 0.0]", "corpus.word_level_db.0: "),
        ("test = 0.1\n", "test = 0.95\n", "corpus.shares: develop and test must leave"),
        ('engine = "flite"', 'engine = "mbrola"', "voices.1.engine: "),
        ("pace = [0.8, 1.45]", "pace = [1.45, 0.8]", "voices.0: pace must not fall"),
        ("pitch = [0.75, 1.3]", "pitch = [0.0, 1.3]", "voices.0.pitch.0: "),
        ('engine = "flite"', 'engine = "piper"\nside = "train"', "voices.1.side: "),
        (
            'engine = "flite"',
            'engine = "espeak"\nside = "test"',
            "'espeak' is left out (side = 'test')",
        ),
        ('kal = "develop"', 'kal = "speakers"', "speakers.kal: "),
        ("tilt_db = 6.0", "tilt_db = inf", "sound.equaliser.tilt_db: "),
        ("range = [0.855, 1.17]", "range = [0.855, 1e9]", "sound.rate.range.1: "),
        ("stack_before = 2", "stack_before = 3", "network: stack_before must be a layer's"),
        ('"lstm"', '"gru"', "network.predictor: "),
        ("zeros = 0.75", "zeros = 1.0", "pruning.zeros: "),
        ("bits = 8", "bits = 9", "quantisation.bits: "),
        ('"command", "phrases"', '"comand", "phrases"', "no rule 'comand'"),
        ('onoff = ["on", "off"]', "onoff = []", "grammar.onoff: has no alternative"),
        ('onoff = ["on", "off"]', 'onoff = ["On"]', "grammar.onoff: 'On' has 'O'"),
        ('onoff = ["on", "off"]', 'onoff = "on"', "grammar.onoff: "),
        ('onoff = ["on", "off"]', 'onoff = ["<command>"]', "never ends"),
        ('method = "magnitude"', 'method = "l1"', "pull belongs to method = 'l1'; give it"),
        ('method = "magnitude"', 'method = "n-of-m"', "group belongs to method = 'n-of-m'; give"),
        (
            'scope = "tensor"',
            'scope = "tensor"\ngroup = 16',
            "group belongs to method = 'n-of-m'; take it out",
        ),
        (
            'method = "magnitude"\nscope = "tensor"',
            'method = "n-of-m"\ngroup = 4\nscope = "global"',
            "needs scope = 'tensor'",
        ),
        ("[pruning]", "[prunning]", "pruning: is missing"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(tmp_path, was, wrong, told):
    assert was in TEXT
    line = refused(tmp_path, TEXT.replace(was, wrong, 1))
    assert told in line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "= 1",
        "a = " + "[" * 20_000 + "]" * 20_000,
        "seed = " + "9" * 5000,
        "seed = 0x" + "f" * 50_000,
        "seed = 1\nseed = 2",
        "\0",
        'name = "' + "x" * 500_000 + '"',
        "[" + ".".join("a" * 5000) + "]\nb = 1",
    ],
    ids=["empty", "key", "deep", "digits", "hexadecimal", "twice", "nul", "long", "dotted"],
)
def test_hostile_toml(tmp_path, text):
    refused(tmp_path, text)


def test_no_file_no_text_and_too_much(tmp_path):
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path / "none.toml")
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(tmp_path)
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="is not UTF-8"):
        load_recipe(path)
    path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(RecipeError, match="has 2,097,152 bytes"):
        load_recipe(path)
