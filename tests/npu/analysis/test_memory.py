"""Memory that a process held, and not the one that began it."""

import subprocess
import sys

from npu.analysis.memory import peak_memory_mib

TELL = "from npu.analysis.memory import peak_memory_mib; print(peak_memory_mib())"


def test_what_the_parent_held_is_not_counted():
    parent = f"held = bytes(400 << 20) + b'1'; import os; os.execv({sys.executable!r}, "
    parent += f"[{sys.executable!r}, '-c', {TELL!r}])"
    told = subprocess.run([sys.executable, "-c", parent], capture_output=True, check=True)
    assert 0 < float(told.stdout) < 200


def test_memory_that_is_given_back_was_held():
    before = peak_memory_mib()
    held = bytearray(b"1") * (int(before + 300) << 20)
    del held
    assert peak_memory_mib() > before + 250
