"""A call in a process of its own, which may take so long and so much memory."""

import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple


class Ended(NamedTuple):
    """What a call gave; `stopped` says why it gave nothing, else it is empty."""

    given: Any
    stopped: str


def limited(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    seconds: float,
    memory_bytes: int,
    preload: Sequence[str] = (),
) -> Ended:
    """Call a function, and end its process with all that it started when it takes longer.

    memory_bytes : of its address space
    preload : modules that are imported once for all such processes
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_called, args=(there, memory_bytes, function, tuple(arguments)))
    child.start()
    there.close()
    with here:
        if not here.poll(seconds):
            _end(child.pid)
            child.join()
            return Ended(None, f"not done after {seconds:g} s")
        try:
            ended: Ended = here.recv()
        except EOFError:
            child.join()
            return Ended(None, f"its process ended with {child.exitcode}")
    child.join()
    return ended


def _called(there: Connection, memory_bytes: int, function: Callable[..., Any], given: Any) -> None:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # Runtimes talk; what a call has to say it gives back.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        ended = Ended(function(*given), "")
    except MemoryError:
        ended = Ended(None, f"needs more than {memory_bytes / (1 << 30):.3g} GiB")
    except Exception as error:  # whatever it is, the other models are measured
        ended = Ended(None, f"{type(error).__name__}: {error!s:.200}")
    there.send(ended)


def _end(pid: int | None) -> None:
    """Kill a process and what it started; before it leads a group of its own, it alone."""
    assert pid is not None, "it was started"
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
