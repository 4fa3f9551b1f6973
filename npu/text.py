"""Text of strangers, fit for a terminal."""


def printable(text: str) -> str:
    """`text` with everything but printable characters written as Python's escapes.

    Control characters, line ends, invisible and direction-changing characters, and the lone
    surrogates that stand for bytes of a file name that are no UTF-8.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
