"""Processes of a pool."""

import multiprocessing
import os
import threading


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
