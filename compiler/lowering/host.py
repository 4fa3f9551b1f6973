"""What host and chip exchange for a graph: the keys of its tensors, and where an index passes."""

INDEX_REGISTER = 14
"""Scalar register that a host-written index passes through."""


def host_input(index: int) -> str:
    """Key of the host-side tensor behind a graph input; names need not be unique, indices are."""
    return f"input {index}"


def host_output(position: int) -> str:
    """Key of the host-side tensor behind an output; one tensor may be an output twice."""
    return f"output {position}"
