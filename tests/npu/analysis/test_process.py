"""Commands in processes of their own: what they took is theirs alone."""

import numpy as np
import pytest

from npu.analysis.process import run_npu
from npu.errors import NpuError


def test_memory_of_this_process_is_not_counted():
    mine = np.ones(300 << 20, np.uint8)
    of = run_npu("--help")
    assert len(mine) >> 20 > 250 > of["peak_memory_mib"] > 5
    assert of["cpu_seconds"] > 0 and of["seconds"] > 0


def test_what_a_command_says_is_told():
    with pytest.raises(NpuError, match=r"^no model 'none.tflite'"):
        run_npu("compile", "none.tflite", "-o", "a.npu")
