"""What the parts of a `model.json` are checked with."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Frozen(BaseModel):
    """Neither changed nor coerced, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def problem(text: str) -> PydanticCustomError:
    """`text` follows the key: "must be ..., not ..."."""
    # Through the context, as the text may hold braces.
    return PydanticCustomError("predicate", "{text}", {"text": text})
