"""A chip by its name or file, with other parameters."""

from pathlib import Path
from typing import Any

from npu.chip.params import ChipParams, load_params


def Chip(chip: ChipParams | str | Path = "edge", /, **parameters: Any) -> ChipParams:
    """A chip: a preset's name, a TOML file, or a chip, with some other parameters.

    Chip("edge", lanes=32, energy_pj={"mac": 0.3})

    Chips do not change; give one to `Chip` again for another one, and it is checked again. What
    parameters there are, in which units and ranges: `npu.ChipParams`.

    Raises ParamsError (an NpuError) naming every parameter that there is not, every value of a
    wrong type or out of range, and values that do not go together.
    """
    found = chip if isinstance(chip, ChipParams) else load_params(chip)
    return found.with_overrides(parameters) if parameters else found
