"""What a matrix takes at most."""


def bound(shape, sets, lanes, threads, bus_bytes):
    """The bound of the page, in bits."""
    bus = 8 * bus_bytes
    heads, tail_bits = -2 * threads % (bus // 32), (bus // 32 - 1).bit_length()
    lane = 47 + tail_bits + 52 * threads + 32 * heads + bus
    front = 5 + 20 // bus_bytes
    return 8 * shape[0] * max(1, shape[1]) + 256 * sets + 160 + front * bus + lanes * lane
