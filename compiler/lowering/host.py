"""The keys of the tensors that host and chip exchange for a graph."""


def host_input(role: str, index: int) -> str:
    """Key of the host-side tensor behind a graph input; names need not be unique, indices are."""
    return f"{role}: input {index}"


def host_output(role: str, position: int) -> str:
    """Key of the host-side tensor behind an output; one tensor may be an output twice."""
    return f"{role}: output {position}"
