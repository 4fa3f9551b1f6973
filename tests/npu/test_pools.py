"""A process of a pool ends with the one that made it, even if that is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

POOL = """
import os, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from npu.pools import end_with_parent
if __name__ == "__main__":
    begin = {begin}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        sys.stdin.read()
"""


def alive(pid):
    """One that only waits to be fetched is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are seen in /proc")
@pytest.mark.parametrize(("begin", "stays"), [("end_with_parent", False), ("os.getpid", True)])
def test_nothing_stays_behind_a_killed_one(tmp_path, begin, stays):
    """With nothing at its start it stays: that is what the check sees."""
    script = tmp_path / "pool.py"
    script.write_text(POOL.format(begin=begin), encoding="utf-8")
    first = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert first.stdin is not None and first.stdout is not None
    pid = int(first.stdout.readline())
    try:
        first.kill()
        first.wait()
        first.stdin.close()
        first.stdout.close()
        until = time.monotonic() + (2 if stays else 30)
        while alive(pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert alive(pid) == stays
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
