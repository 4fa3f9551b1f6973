"""Points on Dask: a cluster on this machine, or a scheduler that is there.

Workers read models and keep what they work out in one folder, so all of them must see both: on
other machines, at the same paths. Of points that may share an image, one goes first and compiles
it; the others follow when it is there.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npu.errors import NpuError
from npu.sweep.compute import Results, compute, failed, kept_results
from npu.sweep.folder import Folder, row_of
from npu.sweep.images import image_name, is_kept, names
from npu.sweep.kept import Kept
from npu.sweep.point import Point

WRITE_SECONDS = 1.0
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Where:
    """Where points are worked out.

    Attributes
    ----------
    scheduler : the address of one that runs; None for a cluster of our own.
    workers : processes of our own cluster.
    """

    scheduler: str | None = None
    workers: int = 1


@dataclass
class Done:
    """What a sweep has done: points by how they ended."""

    points: int
    known: int = 0
    computed: int = 0
    compiled: int = 0
    failed: int = 0
    seconds: float = 0.0


def sweep(
    points: Sequence[Point],
    folder: str | Path,
    cache: str | Path | None,
    where: Where,
    advance: Callable[[int], None] = lambda steps: None,
) -> Done:
    """Work out all points that are not known yet, and write the rows of all.

    Parameters
    ----------
    folder : of the results. cache : where images and rows are kept from sweep to sweep.
    advance : is told how many points have come.

    Raises NpuError where the results cannot be written, or nobody works.
    """
    began = time.perf_counter()
    kept, done = Kept(cache), Done(len(points))
    results = Folder(folder, points)
    same: dict[str, list[Point]] = {}
    for point in points:
        same.setdefault(point.key, []).append(point)
    found = {key: kept_results(each[0], kept) for key, each in same.items()}
    known = {key: row for key, row in found.items() if row is not None}
    results.begin(row_of(p, row) for key, row in known.items() for p in same[key])
    done.known = sum(len(same[key]) for key in known)
    done.failed = sum(len(same[key]) for key, row in known.items() if row["error"] is not None)
    advance(done.known)
    todo = [each[0] for key, each in same.items() if key not in known]
    if todo:
        _work(todo, same, kept, where, results, done, advance)
    results.end()
    done.seconds = time.perf_counter() - began
    return done


def _work(
    todo: Sequence[Point],
    same: dict[str, list[Point]],
    kept: Kept,
    where: Where,
    results: Folder,
    done: Done,
    advance: Callable[[int], None],
) -> None:
    written = time.monotonic()
    try:
        with _client(where) as client:
            for point, row in _Queue(client, kept).run(todo):
                alike = same[point.key]
                results.add(row_of(each, row) for each in alike)
                done.computed += len(alike)
                done.compiled += row["compiled"]
                done.failed += len(alike) * (row["error"] is not None)
                advance(len(alike))
                if time.monotonic() - written >= WRITE_SECONDS:
                    results.write()
                    written = time.monotonic()
    finally:
        results.write()


@contextmanager
def _client(where: Where) -> Iterator[Any]:
    """A client of the scheduler. Raises NpuError where none answers."""
    from distributed import Client, LocalCluster

    if where.scheduler is not None:
        try:
            client = Client(where.scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise NpuError(
                f"no Dask scheduler answers at {where.scheduler}; start one with 'dask scheduler', "
                "and workers with 'dask worker ADDRESS'"
            ) from error
        with client:
            yield client
        return
    cluster = LocalCluster(
        n_workers=where.workers,
        threads_per_worker=1,
        # Without a dashboard, and at any port: another sweep may run beside this one.
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
    )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


class _Queue:
    """Points on their way, those that share an image behind the one that compiles it."""

    def __init__(self, client: Any, kept: Kept) -> None:
        from distributed import as_completed

        self._client, self._kept = client, kept
        self._coming = as_completed(loop=client.loop)
        self._points: dict[Any, Point] = {}
        self._behind: dict[Any, list[Point]] = {}

    def run(self, todo: Sequence[Point]) -> Iterator[tuple[Point, Results]]:
        """The results of points, as they come."""
        groups: dict[str, list[Point]] = {}
        for point in todo:
            groups.setdefault(names(point)[0], []).append(point)
        for group in groups.values():
            self._spread(group)
        for future in self._coming:
            point = self._points.pop(future.key)
            yield point, _answer(future)
            if behind := self._behind.pop(future.key, None):
                self._spread(behind, behind_one=True)

    def _spread(self, group: Sequence[Point], behind_one: bool = False) -> None:
        """Send out points that may share an image: those whose image is there, or one for each.

        behind_one : whether one of them was sent before. If it has left no image, none waits again.
        """
        by_image: dict[str | None, list[Point]] = {}
        for point in group:
            by_image.setdefault(image_name(point, self._kept), []).append(point)
        for name, points in by_image.items():
            free = behind_one if name is None else is_kept(name, self._kept)
            if free or self._kept.folder is None:
                for point in points:
                    self._send(point, [])
            else:
                self._send(points[0], points[1:])

    def _send(self, point: Point, behind: list[Point]) -> None:
        folder = self._kept.folder
        name = f"point-{point.key}"
        future = self._client.submit(
            compute, point, None if folder is None else str(folder), key=name, pure=False
        )
        self._points[name] = point
        if behind:
            self._behind[name] = behind
        self._coming.add(future)


def _answer(future: Any) -> Results:
    """What came of a point. Raises NpuError where the scheduler has gone."""
    from distributed import CancelledError, KilledWorker

    try:
        results = future.result()
    except KilledWorker:
        return failed("its worker died again and again, most likely of too little memory")
    except CancelledError as error:
        raise NpuError(
            "the Dask scheduler has gone; what was worked out is kept: start the sweep again"
        ) from error
    except Exception as error:
        return failed(f"its worker could not work it out ({type(error).__name__}: {error})")
    finally:
        future.release()
    return results
