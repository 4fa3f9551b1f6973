"""`python -m npu.cli` is `npu`."""

import sys

from npu.cli import main

if __name__ == "__main__":
    sys.exit(main())
