"""Keeps the header beside the C driver up to date: `python -m rtl.driver.regs`."""

from npu.files import write_atomic
from rtl.driver.build import FOLDER
from rtl.views import HEADER, c_header


def main() -> None:
    """Write `zeroskip_regs.h` from the register table."""
    write_atomic(FOLDER / HEADER, c_header.text().encode())


if __name__ == "__main__":
    main()
