"""Models of others as events and on the stepped twin: `python -m tests.npu.events.public FOLDER`.

Every `.tflite` below FOLDER that a preset chip takes, on random inputs; refused ones are counted.
"""

import argparse
import time
from pathlib import Path

from compiler import compile_model, load_model
from npu.chip.params import PRESETS, load_params
from npu.errors import NpuError
from npu.runtime.calls import calls_of
from tests.npu.events.beside import of_image


def main() -> int:
    """Compare; 1 where a model differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chip", action="append", choices=PRESETS)
    parser.add_argument("--calls", type=int, default=2)
    arguments = parser.parse_args()
    equal = refused = differ = 0
    for chip in arguments.chip or ("edge", "max"):
        for path in sorted(arguments.folder.rglob("*.tflite")):
            began = time.monotonic()
            try:
                image = compile_model(load_model(path), load_params(chip))
            except NpuError:
                refused += 1
                continue
            found = of_image(image, calls_of(image, limit=arguments.calls))
            equal, differ = equal + (found is None), differ + (found is not None)
            seconds = time.monotonic() - began
            print(f"{path.name} on {chip}: {found or 'equal'} ({seconds:.1f} s)", flush=True)
    print(f"{equal} equal, {differ} differ, {refused} refused")
    return differ > 0


if __name__ == "__main__":
    raise SystemExit(main())
