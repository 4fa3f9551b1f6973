"""The last line of a run says what was skipped, and how to get it."""

import subprocess
import sys

from tests.conftest import ROOT, left_out


def test_nothing_left_out_is_nothing_said():
    assert left_out([]) == ""


def test_each_reason_is_said_once_with_the_way_to_get_it():
    line = left_out(
        [
            "Skipped: the extra `rtl` is not installed",
            "Skipped: the extra `rtl` is not installed",
            "Skipped: Icarus Verilog (iverilog) is not installed (sudo apt-get install iverilog)",
        ]
    )
    assert line == (
        "left out: Icarus Verilog (iverilog) is not installed (sudo apt-get install iverilog); "
        "the extra `rtl` is not installed (.venv/bin/pip install 'zeroskip[rtl]')"
    )


def test_it_is_the_last_line(tmp_path):
    text = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    (tmp_path / "conftest.py").write_text(text, encoding="utf-8")
    (tmp_path / "test_a.py").write_text(
        "import pytest\n\ndef test_a():\n    pytest.skip('no compass (look for one)')\n"
    )
    for jobs in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", jobs, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stdout
        assert done.stdout.splitlines()[-1] == "left out: no compass (look for one)"
