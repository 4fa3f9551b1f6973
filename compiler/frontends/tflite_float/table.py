"""Rules by operator, and why others are not read."""

from compiler.frontends.tflite.source import Code, kind_name
from compiler.frontends.tflite_float import elements, moves, products, resizes, variables, windows
from compiler.frontends.tflite_float.site import Rule

RULES: dict[str, Rule] = {
    **elements.RULES,
    **moves.RULES,
    **windows.RULES,
    **resizes.RULES,
    **products.RULES,
    **variables.RULES,
}

_BRANCHES = (
    "branches and loops on the data of a call do not run on the chip; export one step, with the "
    "branch decided and its state as input and output"
)
_REASONS = {
    "IF": _BRANCHES,
    "WHILE": _BRANCHES,
    "QUANTIZE": "a model is quantised here as a whole; convert it again in float32",
    "CUSTOM": "what a custom operator computes only its runtime knows",
}


def rule_of(code: Code) -> Rule | None:
    """The rule of an operator; None where it is not read."""
    return None if isinstance(code, str) else RULES.get(kind_name(code))


def reason_of(code: Code) -> str:
    """Why an operator without a rule is not read, and the way out."""
    kind = "CUSTOM" if isinstance(code, str) else kind_name(code)
    return _REASONS.get(
        kind,
        "it has no form in TFLM's int8 arithmetic here; write it in other operators, or compute it "
        "outside of the model",
    )
