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


def reads(queued, bus_bytes, longest, outstanding, latency, gap, ar, r):
    """(cycle of the last beat of each read, most bursts that were open at once).

    queued : (cycle, address, beats) of each, in their order. Of each the first address shows two
    cycles behind the later of its queueing and the last address before it; its beats are taken from
    the third cycle on behind the last beat before it.
    """
    to_ask = [
        (k, n)
        for k, (_, at, beats) in enumerate(queued)
        for _, n in bursts(at, beats, bus_bytes, longest)
    ]
    left = [beats for _, _, beats in queued]
    last_beats, open_bursts, most = [], [], 0  # open: [cycle from which it may answer, beats left]
    first_address, takes_from, wait_until, offered, asks_for, cycle = 0, 0, 0, False, -1, 0
    while to_ask or open_bursts:
        if to_ask and to_ask[0][0] != asks_for:
            asks_for = to_ask[0][0]
            first_address = max(queued[asks_for][0], first_address) + 2
        ask = (
            bool(to_ask)
            and cycle >= first_address
            and len(open_bursts) < outstanding
            and ar[cycle % len(ar)]
        )
        due = bool(open_bursts) and open_bursts[0][0] <= cycle and cycle >= wait_until
        offered = offered or (due and r[cycle % len(r)])
        if offered and cycle >= takes_from:
            offered, wait_until = False, cycle + gap
            open_bursts[0][1] -= 1
            if open_bursts[0][1] == 0:
                open_bursts.pop(0)
            left[len(last_beats)] -= 1
            if left[len(last_beats)] == 0:
                last_beats.append(cycle)
                takes_from = cycle + 3
        if ask:
            k, n = to_ask.pop(0)
            open_bursts.append([cycle + max(1, latency), n])
            most = max(most, len(open_bursts))
            if not to_ask or to_ask[0][0] != k:
                first_address = cycle
        if not open_bursts:
            wait_until = cycle + 1
        cycle += 1
    return last_beats, most


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
