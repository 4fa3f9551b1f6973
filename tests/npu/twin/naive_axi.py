"""A slow model of an AXI master and a memory, one cycle after the other, from the DMA's docs."""


def bursts(address, beats, bus_bytes, longest):
    """(address, beats) of the bursts of a transfer: grown beat by beat, cut at 4 KiB."""
    found = []
    for beat in range(beats):
        at = address + beat * bus_bytes
        if not found or found[-1][1] == longest or at % 4096 == 0:
            found.append((at, 0))
        found[-1] = (found[-1][0], found[-1][1] + 1)
    return found


def read(start, address, beats, bus_bytes, longest, outstanding, latency, gap, ar, r):
    """(cycle of the last beat, most bursts that were open at once)."""
    to_ask = [n for _, n in bursts(address, beats, bus_bytes, longest)]
    open_bursts = []  # [cycle from which it may answer, beats left]
    last_beat, wait_until, most, cycle = None, start, 0, start
    while to_ask or open_bursts:
        ask = bool(to_ask) and len(open_bursts) < outstanding and ar[cycle % len(ar)]
        answer = (
            bool(open_bursts)
            and open_bursts[0][0] <= cycle
            and cycle >= wait_until
            and r[cycle % len(r)]
        )
        if answer:
            last_beat, wait_until = cycle, cycle + gap
            open_bursts[0][1] -= 1
            if open_bursts[0][1] == 0:
                open_bursts.pop(0)
        if ask:
            open_bursts.append([cycle + latency, to_ask.pop(0)])
            most = max(most, len(open_bursts))
        if not open_bursts:
            wait_until = cycle + 1
        cycle += 1
    return last_beat, most


def write(start, address, beats, bus_bytes, longest, latency, gap, aw, w, b, order):
    """Cycle of the last response: every burst waits for the response of the one before.

    `order`: "either", "address first", "data first" or "together", as the memory wants it.
    """
    cycle = start
    for _, n in bursts(address, beats, bus_bytes, longest):
        address_at = last_at = next_beat = None  # when taken; first cycle of the next beat
        left, first = n, cycle
        while True:
            take_address, take_beat = aw[cycle % len(aw)], w[cycle % len(w)]
            if order == "together" and left == n:
                take_address = take_beat = take_address and cycle > first
            if order == "address first":
                take_beat = take_beat and address_at is not None
            if order == "data first":
                take_address = take_address and last_at is not None
            if next_beat is not None and cycle < next_beat:
                take_beat = False
            answer = (
                None not in (address_at, last_at)
                and cycle >= max(address_at, last_at) + latency
                and b[cycle % len(b)]
            )
            if left and take_beat:
                left, next_beat = left - 1, cycle + gap
                last_at = cycle if left == 0 else None
            if address_at is None and take_address:
                address_at = cycle
            cycle += 1
            if answer:
                break
    return cycle - 1
