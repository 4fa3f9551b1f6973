"""What others published of their chips' energy, and ours beside it: `published.toml`."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from npu.analysis.energy_results import ComparisonReport

_TABLE = Path(__file__).with_name("published.toml")


class Published(BaseModel):
    """A figure of a publication, and where ours is put to stand beside it.

    Attributes
    ----------
    unit : uJ of an inference, uW of a chip that listens.
    node_nm, voltage : that ours is brought to.
    clock_mhz : theirs, where it is stated.
    period_ms : from one of our calls to the next, of a chip that listens.
    model, sha256 : what ours runs; "" where nothing of ours is comparable, and of a folder.
    same : whether that is the published network; if not, `why`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=4)
    task: str = Field(min_length=4)
    unit: Literal["uJ", "uW"]
    value: float = Field(gt=0)
    node_nm: Literal[45, 40, 32, 28, 22]
    voltage: float = Field(ge=0.5, le=1.3)
    clock_mhz: float | None = Field(default=None, gt=0)
    period_ms: float | None = None
    model: str
    sha256: str
    same: bool
    why: str
    conditions: str = Field(min_length=20)
    source: str = Field(min_length=20)
    seen: str = Field(min_length=4)

    def compared(self, ours: dict[str, float], missing: str | None = None) -> ComparisonReport:
        """The line of a report. ours : by chip, in `unit`; missing : why there is nothing."""
        return {
            "name": self.name,
            "task": self.task,
            "model": self.model,
            "same": self.same,
            "unit": self.unit,
            "published": self.value,
            "node_nm": self.node_nm,
            "voltage": self.voltage,
            "clock_mhz": self.clock_mhz,
            "ours": ours,
            "ratio": {chip: value / self.value for chip, value in ours.items()},
            "why": missing or self.why,
            "conditions": self.conditions,
            "source": self.source,
        }


def published(text: str | None = None) -> list[Published]:
    """All of them. text : of a table; by default the one beside this module."""
    told = tomllib.loads(_TABLE.read_text(encoding="utf-8") if text is None else text)
    return [Published.model_validate(each) for each in told["result"]]
