"""Batches that are made ahead, in processes of their own, while others are learnt from.

Nothing here needs PyTorch, which would take each of the processes seconds to import.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from compiler.train.sound.batches import Batch, Listener, alone
from compiler.train.sound.kept import KeptBatches
from npu.pools import end_with_parent

_AHEAD = 4
"""Batches that are made ahead, for each process."""


@contextmanager
def made_ahead(
    listener: Listener | KeptBatches, first: int, end: int, jobs: int
) -> Iterator[Iterator[Batch]]:
    """The batches of the steps from `first` to `end`, in their order, made by `jobs` processes."""
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin)
    waiting: list[Future[Batch]] = []

    def made() -> Iterator[Batch]:
        for step in range(first, end):
            while len(waiting) < _AHEAD * jobs and step + len(waiting) < end:
                waiting.append(pool.submit(listener.batch, step + len(waiting)))
            yield waiting.pop(0).result()

    try:
        yield made()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    end_with_parent()
    alone()
