"""The shipped recipes in a few words: as their TOML files have them."""

import tomllib

from compiler.train.recipe import load_recipe, shipped
from compiler.train.summary import digest, recipe_reports


def test_every_recipe_is_told_as_its_file_has_it():
    found = {each["name"]: each for each in recipe_reports()}
    assert set(found) == set(shipped())
    for name, path in shipped().items():
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        each = found[name]
        assert each["command"] == f"npu train {name} -o FOLDER"
        assert each["model"] == table["name"] and each["seed"] == table["seed"]
        assert each["zeros"] == table["pruning"]["zeros"]
        assert each["bits"] == table["quantisation"]["bits"]
        assert each["layers"] == table["network"]["layers"]
        assert each["steps"] == table["learning"]["steps"]
        assert each["clips"] == table["corpus"]["clips"]
        assert each["engines"] == [voices["engine"] for voices in table["voices"]]


def test_a_recipe_is_what_it_says(tmp_path):
    text = shipped()["commands"].read_text(encoding="utf-8")
    path = tmp_path / "a.toml"
    path.write_text("# a comment\n" + text)
    same = digest(load_recipe(path))
    assert same == digest(load_recipe(shipped()["commands"]))
    path.write_text(text.replace("seed = ", "seed = 1", 1))
    assert digest(load_recipe(path)) != same
