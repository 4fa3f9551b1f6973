"""The command line `npu`: a roof, where the packages meet; it parses and prints.

One module per subcommand, imported when it is called. Such a module holds a click command named
`command`; the first line of its docstring is its line in `npu --help`. Heavy imports (numpy,
numba, the compiler) stand at its top; what commands share lies in the modules with an underscore.

Exit status: 0 done, 1 the answer is "no" (a command returns it), 2 a problem that the user can
mend, 3 a fault of ours, 130 interrupted, 141 the reader of our output left. Both kinds of error are
told in one line on stderr; `--debug`, anywhere, shows the traceback before it, and `--quiet` leaves
progress and notes out.
"""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

try:
    import click

    from npu import __version__
    from npu.cli import _output, _streams
    from npu.cli._lazy import INTERRUPTED, LazyGroup
    from npu.errors import NpuError
    from npu.text import printable
except KeyboardInterrupt:
    # Before `main` can catch it.
    raise SystemExit(130) from None

COMMANDS = (
    "demo",
    "transcribe",
    "listen",
    "evaluate",
    "endpoints",
    "train",
    "zoo",
    "quantize",
    "compile",
    "run",
    "latency",
    "trace",
    "report",
    "sweep",
    "fit",
    "inspect",
    "verify",
    "bench",
    "rtl",
    "synth",
    "compare",
    "doctor",
    "completion",
)
"""Every subcommand, in the order of the listing; those not built are left out of it."""

USER_ERROR = 2
OUR_ERROR = 3
READER_LEFT = 141  # as a shell reports a program that SIGPIPE ended
DEBUG = "--debug"
QUIET = "--quiet"
COMPLETE = "_NPU_COMPLETE"
"""The variable by which a shell asks what may come next, see `npu completion`."""

__all__ = ["COMMANDS", "group", "main"]


@click.group(
    cls=LazyGroup,
    package=__name__,
    order=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="zeroskip")
# Taken out by `main`, so that it may stand behind a subcommand too.
@click.option(DEBUG, is_flag=True, expose_value=False, help="Show where an error comes from.")
@click.option(
    QUIET, is_flag=True, expose_value=False, help="No progress and no notes, only errors."
)
def group() -> None:
    """Simulate a sparse int8 neural edge processor: compile a model, run it, count every cycle.

    MODEL is a .tflite file, a transducer folder, a compiled .npu image or the name of a zoo model.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; `args` defaults to `sys.argv[1:]`."""
    given = list(sys.argv[1:] if args is None else args)
    options = given[: given.index("--")] if "--" in given else given
    debug, quiet = DEBUG in options, QUIET in options
    for flag in (DEBUG, QUIET):
        if flag in options:
            given.remove(flag)
    _output.be_quiet(quiet)
    try:
        _streams.prepare()
        if args is None and COMPLETE in os.environ:
            return _complete(os.environ[COMPLETE])
        with group.make_context("npu", given) as context:
            result = group.invoke(context)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if debug and not isinstance(error, click.exceptions.Exit):
            traceback.print_exc()
        return _answer(error)
    return result if isinstance(result, int) else 0


def _complete(instruction: str) -> int:
    """Answer a shell that asks what may come next."""
    from click.shell_completion import shell_complete

    return shell_complete(group, {}, "npu", COMPLETE, instruction)


def _answer(error: BaseException) -> int:
    """The exit status for what ended a command, told in one line; the last resort for anything."""
    match error:
        case click.exceptions.Exit():
            return _flushed(error.exit_code)
        case BrokenPipeError():
            # Whoever read our output (`npu ... | head`) has enough: keep quiet, also at exit.
            _streams.drop_output()
            return READER_LEFT
        case click.Abort() | KeyboardInterrupt():
            return INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return USER_ERROR
        case click.UsageError():
            where = error.ctx.command_path if error.ctx is not None else "npu"
            return _complain(f"{error.format_message()} (see: {where} --help)")
        case click.ClickException():
            return _complain(error.format_message())
        case NpuError():
            return _complain(str(error))
        case OSError():
            return _complain(_system(error))
        case MemoryError():
            return _complain("not enough memory for this; give the process more")
        case RecursionError():
            return _complain("the input is nested too deeply; is it the right file?")
        case UnicodeError():
            return _complain(f"text that cannot be read or written: {error}")
    return _complain(
        f"a fault in this program ({type(error).__name__}: {error}); please report it, with what "
        f"{DEBUG} shows",
        OUR_ERROR,
    )


def _flushed(status: int) -> int:
    """Write out what `--help` and the like have printed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return _answer(error)
    return status


def _system(error: OSError) -> str:
    """What the operating system has refused."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    try:
        os.getcwd()
    except OSError:
        return "the working directory does not exist any more; change to another one"
    # Files that we write have names: it is the output that cannot be written.
    _streams.drop_output()
    return f"cannot write the output: {error.strerror or error}"


def _complain(message: str, status: int = USER_ERROR) -> int:
    line = " ".join(message.splitlines())
    with suppress(OSError):
        click.echo(f"error: {printable(line)}", err=True)
    return status
