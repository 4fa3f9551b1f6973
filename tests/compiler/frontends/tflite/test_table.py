"""The table of TFLite's operators."""

from compiler.frontends import supported_operators
from compiler.frontends.tflite.schema import OPERATOR_NAMES
from compiler.frontends.tflite.table import SUPPORTED


def test_supported_operators_are_documented():
    table = supported_operators()
    assert [name for name, _ in table] == sorted(name for name, _ in table)
    assert {"ADD", "FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM"} <= dict(table).keys()
    assert all(text and "\n" not in text for _, texts in table for text in texts)


def test_every_form_is_listed_once():
    for code, entry in SUPPORTED.items():
        listed = entry.to_run()
        assert len(set(listed)) == len(listed), OPERATOR_NAMES[code]
        assert listed[: len(entry.common)] == entry.common
        assert set(entry.to_be_read()).isdisjoint(entry.later)
