"""Processes of a pool, and the processors there are for them."""

import multiprocessing
import os
import threading


def cores() -> int:
    """Of processors, that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def end_with_parent() -> None:
    """For the start of a process of a pool: from now on it ends when the one that made it ends.

    That one may be killed, and then nobody else ends this one.
    """
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None, "a process of a pool"
    parent.join()
    os._exit(1)
