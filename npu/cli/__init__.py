"""The command line `npu`: the composition root, where the packages meet.

One module per subcommand, imported when it is called. Such a module holds a click command named
`command`; the first line of its docstring is its line in `npu --help`. Heavy imports (numpy,
numba, the compiler) stand at its top; `_lazy` and `_output` are what they share.

Exit status: 0 done, 1 the answer is "no" (a command returns it), 2 a problem that the user can
mend, told in one line on stderr, 130 interrupted, 141 the reader of our output left. A traceback
is a bug of ours.
"""

import os
import sys
from collections.abc import Sequence

import click

from npu.cli._lazy import LazyGroup
from npu.errors import NpuError

COMMANDS = (
    *("demo", "transcribe", "compile", "run", "inspect", "verify", "bench", "rtl", "synth"),
)
"""Every subcommand, in the order of the listing; those not built are left out of it."""

USER_ERROR = 2
INTERRUPTED = 130
READER_LEFT = 141  # as a shell reports a program that SIGPIPE ended

__all__ = ["COMMANDS", "group", "main"]


@click.group(
    cls=LazyGroup,
    package=__name__,
    order=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="zeroskip", prog_name="zeroskip")
def group() -> None:
    """Simulate a sparse int8 neural edge processor: compile a model, run it, count every cycle.

    MODEL is a .tflite file, a transducer folder, a compiled .npu image or the name of a zoo model.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; `args` defaults to `sys.argv[1:]`."""
    try:
        given = list(sys.argv[1:] if args is None else args)
        with group.make_context("npu", given) as context:
            result = group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except BrokenPipeError:
        return _reader_left()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return USER_ERROR
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx is not None else "npu"
        return _complain(f"{error.format_message()} (see: {where} --help)")
    except click.ClickException as error:
        return _complain(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except NpuError as error:
        return _complain(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        return _complain(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return result if isinstance(result, int) else 0


def _complain(message: str) -> int:
    click.echo(f"error: {' '.join(message.splitlines())}", err=True)
    return USER_ERROR


def _reader_left() -> int:
    """Whoever read our output (`npu ... | head`) has enough: keep quiet, also at exit's flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return READER_LEFT
