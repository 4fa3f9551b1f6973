"""A child process for each model: one that crashes, hangs or fills the memory ends itself alone."""

import faulthandler
import os
import pickle
import resource
import signal
import tempfile
import traceback
import warnings
from pathlib import Path

from tests.public.compare import Outcome, Wanted, compare

MEMORY = 12 << 30
"""Address space of a child, in bytes."""
PATIENCE = 10
"""A child may take so many times its seconds of a processor on the wall's clock."""
_NOISE = 400
"""Characters of what a child said that are kept."""


def guarded(path: Path, name: str, wanted: Wanted, seconds: int) -> Outcome:
    """`compare` in a child; its outcome so far where it does not come to its end."""
    with tempfile.TemporaryDirectory() as folder:
        result, said = Path(folder) / "outcome", Path(folder) / "said"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads that the child lacks
            child = os.fork()
        if child == 0:
            _child(path, Outcome(name), wanted, (result, said), seconds)
        _, status = os.waitpid(child, 0)
        outcome = pickle.loads(result.read_bytes()) if result.exists() else Outcome(name)
        noise = said.read_text("utf-8", "replace").strip() if said.exists() else ""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        late = number in (signal.SIGALRM, signal.SIGXCPU)
        outcome.broken = (
            f"longer than {seconds} s of a processor" if late else signal.Signals(number).name
        )
        outcome.broken += f": {noise[-_NOISE:]}" if noise and not late else ""
    if outcome.oracle is not None and noise:
        outcome.oracle = " ".join(noise[-_NOISE:].split())
    return outcome


def _child(
    path: Path, outcome: Outcome, wanted: Wanted, files: tuple[Path, Path], seconds: int
) -> None:
    """Never returns. What the oracle says goes to a file, and so does the outcome, step by step."""
    result, said = files
    code = 0
    try:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE * seconds)
        spent = sum(os.times()[:2])  # by the parent, before the fork
        limit = int(spent) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        compare(path, wanted, outcome, lambda: _keep(outcome, result))
    except BaseException:
        outcome.broken = " ".join(traceback.format_exc(limit=-2).split())[-_NOISE:]
        code = 1
    finally:
        _keep(outcome, result)
        os._exit(code)


def _keep(outcome: Outcome, result: Path) -> None:
    result.write_bytes(pickle.dumps(outcome))
