"""Runs of a queue, each behind the one that it starts from; some at once, in own processes."""

from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from compiler.train.queue import Run
from npu.errors import RecipeError
from npu.pools import end_with_parent

Work = Callable[[Run], list[str]]
"""Does a run and tells of it in lines; goes to another process."""


def run_together(
    runs: Sequence[Run], at_once: int, work: Work, ended: Callable[[list[str]], object]
) -> None:
    """Do `work` to each run, to at most `at_once` of them at a time, in the order given.

    What a run becomes does not depend on what runs beside it.

    Parameters
    ----------
    runs : each behind the one that it starts from.
    at_once : 1 and more; 1 works in this process.
    work : what is done.
    ended : is called with what `work` returned, in this process, as each run ends.

    Raises
    ------
    Exception
        What `work` raised; the others are stopped then, each with its last checkpoint.
    RecipeError
        A process ended without a word: it was killed, mostly for memory.
    """
    if min(at_once, len(runs)) == 1:
        for run in runs:
            ended(work(run))
        return
    waiting = list(runs)
    done: set[str | None] = {None}
    active: dict[Connection, tuple[Run, BaseProcess]] = {}
    try:
        while waiting or active:
            for run in [each for each in waiting if each.start in done][: at_once - len(active)]:
                waiting.remove(run)
                active |= [_started(run, work)]
            for heard in wait(list(active)):
                assert isinstance(heard, Connection)
                run, process = active[heard]
                ended(_told(run, heard, process))
                del active[heard]
                done.add(run.name)
    finally:
        for _, process in active.values():
            process.terminate()
            process.join()


def _started(run: Run, work: Work) -> tuple[Connection, tuple[Run, BaseProcess]]:
    context = get_context("spawn")
    heard, told = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(work, run, told))
    process.start()
    told.close()
    return heard, (run, process)


def _do(work: Work, run: Run, told: Connection) -> None:
    end_with_parent()
    try:
        told.send(work(run))
    except KeyboardInterrupt:
        pass  # the parent has got it, too
    except Exception as error:
        told.send(error)


def _told(run: Run, heard: Connection, process: BaseProcess) -> list[str]:
    """What its work returned; raises what it raised."""
    try:
        answer = heard.recv()
    except EOFError:
        process.join()
        raise RecipeError(
            f"run {run.name}: its process ended with status {process.exitcode}, mostly because "
            "memory was short; let fewer run --at-once: it goes on from its last checkpoint"
        ) from None
    process.join()
    if isinstance(answer, Exception):
        raise answer
    return list(answer)
