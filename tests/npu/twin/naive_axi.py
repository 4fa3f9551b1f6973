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


def write(start, address, beats, bus_bytes, longest, outstanding, latency, gap, aw, w, b, order):
    """(cycle of the last response, most bursts that waited for theirs while one was on offer).

    A burst goes on offer behind the end of the one before, while fewer than `outstanding` wait for
    their response. `order`: "either", "address first", "data first" or "together", as the memory
    wants it.
    """
    to_offer = bursts(address, beats, bus_bytes, longest)
    due, most, cycle = [], 0, start  # due: first cycle of each response that is to come
    left, address_open, data_open, seen_both, next_beat = 0, False, False, False, 0
    while to_offer or due or address_open or data_open:
        if not (address_open or data_open) and to_offer and len(due) < outstanding:
            left, address_open, data_open, seen_both = to_offer.pop(0)[1], True, True, False
            fresh, most = True, max(most, len(due))
        take_address = address_open and aw[cycle % len(aw)]
        take_beat = data_open and w[cycle % len(w)] and cycle >= next_beat
        if order == "together" and address_open:
            take_address = take_beat = aw[cycle % len(aw)] and seen_both and cycle >= next_beat
        if order == "address first" and address_open:
            take_beat = False
        if order == "data first" and data_open:
            take_address = False
        if due and cycle >= due[0] and b[cycle % len(b)]:
            due.pop(0)
        seen_both = address_open and data_open
        if take_beat:
            left, next_beat, fresh = left - 1, cycle + gap, False
            data_open = left > 0
        address_open = address_open and not take_address
        if (take_address or take_beat) and not (address_open or data_open):
            due.append(cycle + latency)
            fresh = True
        if not due and fresh:
            next_beat = 0  # the memory has had nothing to do
        cycle += 1
    return cycle - 1, most
