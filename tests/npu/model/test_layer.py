"""Layers: their text, and what a reader of images believes of them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from npu.model.layer import CONTROL, MAX_ROWS, Layer


@pytest.mark.parametrize(
    ("layer", "text", "place"),
    [
        (CONTROL, "control", "control"),
        (Layer("main", "add"), "main: add", "add"),
        (Layer("encoder", "lstm", "input", 1, (4,) * 4), "encoder: lstm input, layout 2", None),
        (Layer("main", "dense", layout=2, rows=(7,)), "main: dense, layout 3", "dense, layout 3"),
        (Layer("main", "/a: b/MatMul: 0"), "main: /a: b/MatMul: 0", "/a: b/MatMul: 0"),
    ],
)
def test_text(layer, text, place):
    assert str(layer) == text
    assert place is None or layer.place == place


def test_layers_of_one_text_are_two():
    one, two = Layer("a", "b: c"), Layer("a: b", "c")
    assert str(one) == str(two) and one != two and len({one, two}) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"main: add"', "dataclass|dictionary"),
        ('{"graph": "main"}', "operator"),
        ('{"graph": "main", "operator": 3}', "string"),
        ('{"graph": "main", "operator": "a", "more": 1}', "Unexpected"),
        ('{"graph": "main", "operator": "a", "layout": "1"}', "integer"),
        ('{"graph": "main", "operator": "a", "rows": [0]}', "greater"),
        (f'{{"graph": "main", "operator": "a", "rows": [{MAX_ROWS + 1}]}}', "less"),
    ],
)
def test_reading_is_strict(text, message):
    with pytest.raises(ValidationError, match=message):
        TypeAdapter(Layer).validate_json(text)


def test_reading_gives_what_was_written():
    layer = Layer("main", "a: b", "input", 3, (5, 6))
    adapter = TypeAdapter(Layer)
    assert adapter.validate_json(adapter.dump_json(layer)) == layer
