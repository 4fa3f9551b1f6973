"""The frame of the command line: lazy imports, one-line errors, exit codes, whole files."""

import json
import os
import signal
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
from tests.conftest import ROOT

VECTOR = ROOT / "tests" / "vectors" / "tflite" / "fc_relu.tflite"


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


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ZeroDivisionError("ours"), 3, "a fault in this program (ZeroDivisionError: ours); please"),
        (KeyError("layer"), 3, "a fault in this program (KeyError: 'layer'); please report it"),
        (MemoryError(), 2, "not enough memory for this"),
        (RecursionError(), 2, "the input is nested too deeply"),
        ("\udcff".encode, 2, "text that cannot be read or written: 'utf-8' codec can't encode"),
        (OSError(28, "No space left on device"), 2, "cannot write the output: No space left on"),
        (OSError(36, "File name too long", "x" * 300), 2, f"{'x' * 300}: File name too long"),
        (NpuError("a\nb\x1b[31mc\u202e"), 2, "a b\\x1b[31mc\\u202e"),
    ],
)
def test_the_last_resort_is_one_line(plant, capsys, error, status, text):
    plant(error if callable(error) else raises(error))
    assert cli.main(["run"]) == status
    err = capsys.readouterr().err
    assert err.startswith(f"error: {text}") and err.count("\n") == 1


@pytest.mark.parametrize("args", [["--debug", "run"], ["run", "--debug"], ["run", "--debug", "x"]])
def test_debug_shows_the_traceback_before_the_line(plant, capsys, args):
    plant(raises(ZeroDivisionError("ours")))
    assert cli.main(args) == 3
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2] == "ZeroDivisionError: ours"
    assert lines[-1].startswith("error: a fault in this program")
    plant(lambda: None)
    assert cli.main(args) == 0
    assert cli.main(["run", "--", "--debug"]) == 0


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


def _options(command: click.Command, *path: str):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _options(command.get_command(context, name), *path, name)
    else:
        yield from ((path, command, option) for option in command.params)


def test_every_number_has_its_limits(capsys):
    """Of what is larger than a machine word, numpy and numba make a fault of ours."""
    seen = set()
    for path, command, option in _options(cli.group):
        if not isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
            continue
        seen.add(option.opts[0])
        least = getattr(option.type, "min", None)
        numbers = ["9" * 20, "9" * 5000, str(min(-1, (least or 0) - 1))]
        if isinstance(option.type, click.types.FloatParamType):
            numbers += ["inf", "-inf"]
        arguments = ["x" for p in command.params if isinstance(p, click.Argument)]
        for number in numbers:
            assert cli.main([*path, *arguments, option.opts[0], number]) == 2
            err = capsys.readouterr().err
            assert err.startswith(f"error: Invalid value for '{option.opts[0]}'"), err
    assert seen >= {"--calls", "--channel", "--max-cycles", "--seed", "--silence", "--utterances"}


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_returns_its_exit_status(plant, returned, status):
    plant(lambda: returned)
    assert cli.main(["run"]) == status


def test_no_command_shows_the_help(capsys):
    assert cli.main([]) == 2
    assert "Usage: npu" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args", [["--help"], ["inspect", str(VECTOR)], ["inspect", str(VECTOR), "--json", "-"]]
)
def test_a_reader_that_leaves_is_no_error(args):
    """The help is written by click, tables by rich, which has an answer of its own."""
    reader, writer = os.pipe()
    os.close(reader)
    code = f"import sys, npu.cli; sys.exit(npu.cli.main({args!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 141


# --- what only a shell or a kernel does -----------------------------------------------------------
NPU = "import sys; from npu.cli import main; sys.exit(main())"


def shell(line: str, *args, **options) -> subprocess.CompletedProcess:
    """Run a line of the shell in which `npu` is the command; `args` are $1, $2, ..."""
    script = f"npu() {{ '{sys.executable}' -c '{NPU}' \"$@\"; }}; {line}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(
        ["sh", "-c", script, "sh", *args],
        capture_output=True,
        check=False,
        timeout=120,
        env=environment,
        **options,
    )


def one_line(done: subprocess.CompletedProcess, status: int, text: str) -> None:
    err = done.stderr.decode()
    assert done.returncode == status, err
    assert err.startswith("error: ") and err.count("\n") == 1, err
    assert text in err


@pytest.mark.parametrize("args", ["--help", "--version", "inspect --operators"])
def test_a_full_or_closed_output_is_one_line(args):
    full = shell(f"npu {args} > /dev/full")
    one_line(full, 2, "cannot write the output: No space left on device")


def test_a_closed_stream_is_one_line():
    one_line(shell("npu --help >&-"), 2, "standard output is closed")
    assert shell("npu --help 2>&- >/dev/null").returncode == 0
    assert shell("npu --help <&- 2>/dev/full >/dev/null").returncode == 0


def test_an_error_has_its_status_where_nobody_can_read_it():
    assert shell("npu inspect nowhere.tflite 2>/dev/full").returncode == 2
    assert shell("npu inspect nowhere.tflite 2>&-").returncode == 2


def test_a_file_never_takes_the_number_of_a_closed_stream(tmp_path):
    """It would get what is printed."""
    done = shell('npu inspect "$1" --json "$2" 2>&- >/dev/null', VECTOR, tmp_path / "a.json")
    assert done.returncode == 0
    assert json.loads((tmp_path / "a.json").read_text())["model"] == "fc_relu.tflite"


def test_a_deleted_working_directory(tmp_path):
    (tmp_path / "gone").mkdir()
    done = shell('cd "$1" && rmdir "$1" && npu inspect m.tflite --json a.json', tmp_path / "gone")
    one_line(done, 2, "the working directory does not exist any more; change to another one")


@pytest.mark.parametrize(
    ("name", "env"),
    [
        (b"m\xff.tflite", {"PYTHONIOENCODING": "utf-8"}),
        ("größer.tflite".encode(), {"PYTHONIOENCODING": "ascii"}),
        ("größer.tflite".encode(), {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
        (b"m\x1b[2J\n.tflite", {"PYTHONIOENCODING": "utf-8"}),
    ],
)
def test_names_of_files_on_any_terminal(tmp_path, name, env):
    """No UTF-8, no ASCII, control characters: shown in escapes, in errors and in what is found."""
    path = os.path.join(os.fsencode(tmp_path), name)
    with open(path, "wb") as file:
        file.write(VECTOR.read_bytes())
    done = shell('npu inspect "$1" --json - && npu inspect "$1.none"', path, env=env)
    assert done.returncode == 2
    report, text = json.loads(done.stdout), done.stderr.decode()
    assert "graph, " in text and "error: no model" in text
    assert text.replace("\n", "").isprintable()
    assert os.fsencode(report["model"]) == name


@pytest.mark.parametrize("module", ["click", "numba"])
def test_an_interrupt_while_importing_is_quiet(tmp_path, module):
    slow = "import sys, time; print('importing', flush=True); time.sleep(60)"
    (tmp_path / f"{module}.py").write_text(slow)
    # Tests that run in the background ignore interrupts, and so does what they start.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    process = subprocess.Popen(
        [sys.executable, "-c", f"{heard}; {NPU}", "inspect", "commands_rnnt"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (130, "", "")


def test_a_name_that_is_too_long_is_one_line(tmp_path, capsys):
    path = str(tmp_path / ("x" * 300))
    for args in (["inspect", path], ["inspect", str(VECTOR), "--json", path]):
        assert cli.main(args) == 2
        err = capsys.readouterr().err
        assert "File name too long" in err and err.count("\n") == 1


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


def test_json_writes_hostile_names_in_escapes(tmp_path, capsys):
    report = {"name": "a\x9b2J\u202e\udcff", "other": "größer"}
    _output.emit_json(report, "-")
    out = capsys.readouterr().out
    assert out.isascii() and json.loads(out) == report
    _output.emit_json(report, str(tmp_path / "report.json"))
    assert (tmp_path / "report.json").read_text(encoding="ascii") == out


def test_nothing_of_a_text_is_read_as_markup_or_control(capsys):
    wild = "a[red]b[/red] :bug: \x1b]0;title\x07\n\u202e"
    shown = "a[red]b[/red] :bug: \\x1b]0;title\\x07\\n\\u202e"
    out = _output.console()
    out.print(wild)
    assert capsys.readouterr().out == f"{shown}\n"
    out.print(_output.table(["x"], [[wild]], title=wild))
    assert capsys.readouterr().out.count(shown) == 2
    _output.say(wild)
    assert capsys.readouterr().err == f"{shown}\n"


def test_progress_reads_no_markup(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with _output.progress("compiling [/red] a\x1bb", total=2) as advance:
        advance(1)


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
