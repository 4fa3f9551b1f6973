"""Tables of a recipe: checked key by key, with the kinds of values that they have."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Factor = Annotated[float, Field(ge=0.5, le=2)]
Seconds = Annotated[float, Field(ge=0, le=60)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Steps = Annotated[int, Field(ge=0, le=10_000_000)]
Seed = Annotated[int, Field(ge=0, lt=1 << 31)]

_FREE = ("ctc",)
"""Pairs that are no range."""


class Table(BaseModel):
    """A table whose keys are all known, and whose ranges do not fall."""

    # Strict: neither "5" nor true is the number of anything. No NaN: JSON, which a recipe goes
    # through on its way to other processes, has none.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ranges_rise(self) -> "Table":
        for name, value in self:
            if isinstance(value, tuple) and name not in _FREE and value[0] > value[1]:
                raise ValueError(f"{name} must not fall, not [{value[0]:g}, {value[1]:g}]")
        return self
