"""The frame of the command line: lazy imports, one-line errors, exit codes, whole files."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import click
import numpy as np
import pytest

from npu import cli
from npu.cli import _output
from npu.errors import ModelError, NpuError


@pytest.fixture
def plant(monkeypatch):
    """Put a subcommand in the place of `run` that does what it is told."""

    def planted(action):
        @click.command()
        @click.argument("model", required=False)
        @click.option("--size", type=int)
        def command(model, size):
            return action()

        module = types.ModuleType("npu.cli.run")
        module.command = command
        monkeypatch.setitem(sys.modules, "npu.cli.run", module)
        monkeypatch.setattr(cli.group, "list_commands", lambda ctx: ["run"])
        return module

    return planted


def raises(error):
    def action():
        raise error

    return action


def python(code: str, **kwargs) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **kwargs
    )


def test_help_imports_no_heavy_package():
    done = python(
        "import sys; from npu.cli import main\n"
        "status = main(['--help'])\n"
        "heavy = {'numpy', 'numba', 'rich', 'scipy', 'pydantic', 'soundfile', 'tflite'}\n"
        "print('LOADED', sorted(heavy & set(sys.modules)), status)\n"
    )
    assert done.returncode == 0, done.stderr
    assert "LOADED [] 0" in done.stdout
    assert "Commands:" in done.stdout or not _built()


def _built() -> list[str]:
    return cli.group.list_commands(click.Context(cli.group))


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_listing_names_just_the_modules_that_exist(name):
    folder = Path(cli.__file__).parent
    exists = (folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists()
    assert (name in _built()) == exists


def test_each_subcommand_has_a_line_and_a_help(capsys):
    for name in _built():
        assert cli.group._summary(name)
        assert cli.main([name, "--help"]) == 0
        assert f"Usage: npu {name}" in capsys.readouterr().out


def test_an_error_of_the_user_is_one_line_and_exit_code_2(plant, capsys):
    plant(raises(ModelError("encoder.tflite: cut short at byte 12\ncopy it again")))
    assert cli.main(["run"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "error: encoder.tflite: cut short at byte 12 copy it again\n"


def test_a_missing_file_is_one_line_and_exit_code_2(plant, capsys, tmp_path):
    plant((tmp_path / "none.npz").read_bytes)
    assert cli.main(["run"]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'none.npz'}: No such file or directory\n"


def test_a_bug_of_ours_keeps_its_traceback(plant):
    plant(raises(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        cli.main(["run"])


def test_an_interrupt_exits_with_130(plant, capsys):
    plant(raises(KeyboardInterrupt()))
    assert cli.main(["run"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["walk"], "No such command 'walk'"),
        (["run", "--size", "x"], "'x' is not a valid integer"),
        (["run", "--walk"], "No such option"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(plant, capsys, args, text):
    plant(lambda: None)
    assert cli.main(args) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert text in err


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_returns_its_exit_status(plant, returned, status):
    plant(lambda: returned)
    assert cli.main(["run"]) == status


def test_no_command_shows_the_help(capsys):
    assert cli.main([]) == 2
    assert "Usage: npu" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    code = "import sys, npu.cli; sys.exit(npu.cli.main(['--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


class Interrupted(BaseException):
    """What is no Exception must not leave a file behind either."""


@pytest.mark.parametrize("error", [NpuError("stop"), Interrupted()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "out.npu"
    target.write_bytes(b"old")

    def content(file):
        file.write(b"half")
        file.flush()
        raise error

    with pytest.raises(type(error)):
        _output.write_atomic(target, content)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_replaces_the_file_as_a_whole(tmp_path):
    target = tmp_path / "out.bin"
    _output.write_atomic(target, b"first")
    _output.write_atomic(target, lambda file: file.write(b"second"))
    assert target.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_has_the_usual_mode_and_a_link_stays_one(tmp_path):
    target, link, usual = tmp_path / "out.bin", tmp_path / "link", tmp_path / "usual"
    usual.touch()
    link.symlink_to(target)
    _output.write_atomic(link, b"bytes")
    assert link.is_symlink()
    assert target.read_bytes() == b"bytes"
    assert target.stat().st_mode == usual.stat().st_mode


def test_something_that_is_no_file_is_written_directly():
    _output.write_atomic("/dev/null", b"bytes")
    assert not Path("/dev/null").is_file()


def test_an_impossible_place_is_named(tmp_path):
    with pytest.raises(NpuError, match=r"the folder .*/none does not exist; create it"):
        _output.write_atomic(tmp_path / "none" / "out.bin", b"")
    with pytest.raises(NpuError, match="it is a folder"):
        _output.write_atomic(tmp_path, b"")
    (tmp_path / "file").touch()
    with pytest.raises(NpuError, match="does not exist"):
        _output.write_atomic(tmp_path / "file" / "out.bin", b"")


def test_a_full_disk_is_one_clear_line():
    with pytest.raises(NpuError, match="cannot write /dev/full: No space left on device"):
        _output.write_atomic("/dev/full", b"bytes")


def test_json_takes_numpy_and_refuses_nan(tmp_path, capsys):
    report = {"cycles": np.int64(3), "row": np.arange(2), "name": "größer", "path": Path("a/b")}
    expected = {"cycles": 3, "row": [0, 1], "name": "größer", "path": "a/b"}
    _output.emit_json(report, "-")
    assert json.loads(capsys.readouterr().out) == expected
    _output.emit_json(report, str(tmp_path / "report.json"))
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == expected
    _output.emit_json(report, None)
    with pytest.raises(ValueError, match="not JSON compliant"):
        _output.emit_json({"rate": float("nan")}, str(tmp_path / "nan.json"))
    assert not (tmp_path / "nan.json").exists()
    with pytest.raises(TypeError, match="object cannot be put in a JSON report"):
        _output.emit_json({"what": object()}, "-")


def test_a_table_shows_cells_as_they_are(capsys):
    _output.console().print(_output.table(["layer", "cycles"], [["fc[0]", 20480], ["lstm", 7]]))
    assert "fc[0]    20480" in capsys.readouterr().out
    with pytest.raises(ValueError, match="a row of 2 cells is needed, not \\['fc'\\]"):
        _output.table(["layer", "cycles"], [["fc"]])


def test_text_leaves_stdout_to_the_json(capsys):
    _output.console("-").print("text")
    assert capsys.readouterr() == ("", "text\n")


def test_progress_is_silent_without_a_terminal(capsys):
    with _output.progress("transcribing", total=2) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    _output.say("compiling the twin (first run only)")
    assert capsys.readouterr() == ("", "compiling the twin (first run only)\n")
