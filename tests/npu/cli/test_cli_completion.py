"""What a shell is offered, and what `--quiet` leaves out."""

import os
import subprocess
import sys

import pytest

from npu.cli import _output
from tests.conftest import ROOT


def offered(words: str) -> list[str]:
    """What `npu` answers to bash for a line, its last word not complete; each as "kind,value"."""
    done = subprocess.run(
        [sys.executable, "-m", "npu.cli"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_NPU_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(words.count(" ")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_commands_chips_and_models_are_offered():
    assert {"plain,compare", "plain,compile"} <= set(offered("npu comp"))
    assert offered("npu compile --chip e") == ["plain,edge", "file,e"]
    assert offered("npu compile com") == [
        "plain,commands",
        "plain,commands_ending",
        "plain,commands_rnnt",
        "file,com",
    ]
    assert "plain,--set" in offered("npu compile --s")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(npu, shell):
    ran = npu("completion", shell)
    assert ran.status == 0 and f"_NPU_COMPLETE={shell}_complete" in ran.out


def test_quiet_leaves_out_what_is_said_on_the_way(npu, refused, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert npu("--quiet", "doctor").status == 0
    _output.say("a notice")
    with _output.progress("working", total=1) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    refused("doctor", "--quiet", "--wrong", match="No such option")
    assert npu("doctor").status == 0  # and the next one is not quiet
    _output.say("a notice")
    assert capsys.readouterr().err == "a notice\n"
