"""Windows: how an operator of images places a rectangle of taps over the last but one dimensions.

Heights come before widths everywhere. `padding` counts the rows and columns that a window may lie
outside of the image; what is there is not a value of the image and takes part in nothing.
"""

from dataclasses import dataclass

from npu.model.rules import require

MAX_SPAN = 1 << 24
"""Most rows or columns that a window may span; no image is as large."""


@dataclass(frozen=True)
class Window:
    """Taps (y, x), the steps between windows, those between taps, and rows and columns outside.

    `padding` is (top, left, bottom, right).
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]

    @property
    def span(self) -> tuple[int, int]:
        """Rows and columns from a window's first to its last tap, both included."""
        return tuple(  # type: ignore[return-value]
            (size - 1) * step + 1 for size, step in zip(self.size, self.dilation, strict=True)
        )

    def positions(self, image: tuple[int, int]) -> tuple[int, int]:
        """How many windows there are down and across an image (height, width); 0 for none."""
        (height, width), (rows, columns), (down, across) = image, self.span, self.stride
        top, left, bottom, right = self.padding
        return (
            max(0, (height + top + bottom - rows) // down + 1),
            max(0, (width + left + right - columns) // across + 1),
        )


def point() -> Window:
    """The window of one tap that goes everywhere: a product of matrices."""
    return Window((1, 1), (1, 1), (1, 1), (0, 0, 0, 0))


def legal(window: Window) -> None:
    """Raise ModelError unless a window's numbers make sense by themselves."""
    for what, pair in (
        ("window", window.size),
        ("stride", window.stride),
        ("dilation", window.dilation),
    ):
        require(
            all(1 <= n <= MAX_SPAN for n in pair),
            f"its {what} must be 1 to {MAX_SPAN} down and across, not {list(pair)}",
        )
    require(
        all(n <= MAX_SPAN for n in window.span),
        f"its window spans {list(window.span)}, more than {MAX_SPAN}",
    )
    rows, columns = window.span
    top, left, bottom, right = window.padding
    require(
        all(0 <= n < rows for n in (top, bottom)) and all(0 <= n < columns for n in (left, right)),
        f"its padding must be 0 to less than its window's span {list(window.span)}, not "
        f"{list(window.padding)}",
    )
