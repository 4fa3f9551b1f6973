"""A decoder written from `compiler/codec/README.md` alone: slow, plain Python, importing nothing.

`decode` takes a block and a tile as bytes, and what the page says that a decoder must be told.
"""


class Refused(Exception):
    """The page says that a decoder refuses this."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# --- block --------------------------------------------------------------------------------------
def read_code(raw_bits, entries, counted):
    """(raw bits, {code as a string of bits: entry}) of a code; counted: of lengths 1 to 9."""
    need(raw_bits <= 8 and 1 <= len(entries) <= 64, "raw bits or entries")
    counts = [1 if len(entries) == 1 else 0, *counted]
    counts.append(len(entries) - sum(counts))
    need(counts[10] >= 0, "more codes than entries")
    need(sum(counts) == len(entries), "counts")
    codes, code, at = {}, 0, 0
    for length, count in enumerate(counts):
        if length:
            code <<= 1
        for _ in range(count):
            codes[format(code, f"0{length}b") if length else ""] = entries[at]
            code, at = code + 1, at + 1
    # Complete: the codes cover all strings of bits once.
    need(sum(count << (10 - length) for length, count in enumerate(counts)) == 1 << 10, "complete")
    need(max(map(len, codes)) + raw_bits <= 16, "long symbols")
    return raw_bits, codes


def read_block(block):
    """([(run code, value code) of each set], scales as (multiplier, shift), bytes of the block)."""
    need(len(block) >= 24 and block[22] % 16 == 4, "version")
    need(block[22] // 16 in (1, 2, 4) and block[21] <= 16, "sets or scales")
    need(block[23] == 0, "reserved")
    sets, at = [], 0
    for _ in range(block[22] // 16):
        need(at + 24 <= len(block), "outside")
        header = block[at : at + 24]
        at += 24
        count, listed = header[1] % 128, header[1] < 128
        runs = list(block[at : at + count]) if listed else list(range(count))
        at += -(-count // 8) * 8 if listed else 0
        values = list(block[at : at + header[2]])
        at += -(-header[2] // 8) * 8
        run = read_code(header[0] % 16, runs, list(header[3:12]))
        sets.append((run, read_code(header[0] // 16, values, list(header[12:21]))))
    scales = []
    for _ in range(block[21]):
        multiplier = int.from_bytes(block[at : at + 4], "little", signed=True)
        scales.append((multiplier, int.from_bytes(block[at + 4 : at + 5], "little", signed=True)))
        at += 8
    need(at <= len(block), "outside")
    return sets, scales, at


# --- tile ---------------------------------------------------------------------------------------
class Fields:
    """A number, read from its lowest bit on."""

    def __init__(self, number):
        self.number, self.at = number, 0

    def take(self, width):
        found = self.number >> self.at & ((1 << width) - 1)
        self.at += width
        return found


def crc_32(data):
    """The checksum of bytes."""
    crc = 2**32 - 1
    for byte in data:
        for bit in range(8):
            odd = (crc ^ byte >> bit) & 1
            crc >>= 1
            if odd:
                crc ^= 0xEDB88320
    return crc ^ 2**32 - 1


def read_tile(tile, lanes, threads, bus_bytes):
    """For every lane ([(rows, row base, run bits, value bits) by thread], its streams' words)."""
    words = [int.from_bytes(tile[at : at + 4], "little") for at in range(0, len(tile), 4)]
    per_bus = bus_bytes // 4
    beats = len(words) // per_bus
    heads = -2 * threads % per_bus
    tail_width = 0
    while 1 << tail_width < per_bus:
        tail_width += 1
    fewest = 5 + 20 // bus_bytes
    need(beats >= fewest, "shorter than any front")
    header = Fields(int.from_bytes(tile[:16], "little"))
    shortest, length_width, rows_width, least_rows = (header.take(n) for n in (16, 5, 4, 7))
    least_run, run_width, front, least_value, value_width = (
        header.take(n) for n in (20, 5, 14, 20, 5)
    )
    checksum = header.take(32)
    widest = 128 + lanes * (16 + tail_width + threads * (12 + 20 + 20))
    most = -(-(-(-widest // 32) + lanes * (heads + per_bus - 1)) // per_bus)
    need(fewest <= front <= max(fewest, most) and front <= beats, "front")
    need(length_width <= 16 and rows_width <= 12, "width")
    need(run_width <= 20 and value_width <= 20, "width")
    need(shortest or not length_width, "some bodies are empty")

    fields = Fields(int.from_bytes(tile[: front * bus_bytes], "little"))
    fields.take(128)
    bodies = [shortest + fields.take(length_width) for _ in range(lanes)]
    need(front + sum(bodies) == beats, "front and bodies are not all of it")
    loose, body_at, base, found = front * per_bus, front * per_bus, 0, []
    for lane in range(lanes):
        tail = fields.take(tail_width)
        slots = []
        for _ in range(threads):
            rows = least_rows + fields.take(rows_width)
            run = least_run + fields.take(run_width)
            value = least_value + fields.take(value_width)
            if rows == 0:
                run = value = 0
            need(rows <= 4095 and max(run, value) < 1 << 20, "a slot too large")
            slots.append((rows, base, run, value))
            base += rows
        streams = []
        for _ in range(heads):
            loose -= 1
            streams.append(words[loose])
        streams += words[body_at : body_at + bodies[lane] * per_bus]
        body_at += bodies[lane] * per_bus
        for _ in range(tail):
            loose -= 1
            streams.append(words[loose])
        found.append((slots, streams))
    need(-(-fields.at // 32) <= loose, "fields and loose words overlap")
    need(checksum == crc_32(tile[:12] + bytes(4) + tile[16:]), "checksum")
    return found


# --- streams ------------------------------------------------------------------------------------
class Stream:
    """A string of bits, read symbol by symbol."""

    def __init__(self, bits, code):
        self.bits, self.at = bits, 0
        self.raw_bits, self.codes = code

    def symbol(self):
        """(entry, raw)."""
        end = self.at
        while self.bits[self.at : end] not in self.codes:
            end += 1
            need(end <= len(self.bits), "behind the stream's end")
        entry = self.codes[self.bits[self.at : end]]
        self.at = end + self.raw_bits
        need(self.at <= len(self.bits), "behind the stream's end")
        raw = self.bits[end : self.at]
        return entry, int(raw, 2) if raw else 0


def read_slot(run, value, rows, columns):
    """The rows of a slot, lists of weights."""
    weights = [[0] * columns for _ in range(rows)]
    column, row = -1, 0
    while row < rows:
        entry, raw = run.symbol()
        column += 1 + (entry << run.raw_bits) + raw
        if column >= columns:
            column, row = column - columns, row + 1
            need(column < columns, "a run skips a row")
            if row == rows:
                break
        entry, raw = value.symbol()
        byte = (entry + raw) % 256
        weights[row][column] = byte - 256 if byte >= 128 else byte
    need(run.at == len(run.bits) and value.at == len(value.bits), "bits are left")
    return weights


def decode(block, tile, lanes, threads, bus_bytes, columns):
    """The rows in the order of their records, lists of weights."""
    sets, _, _ = read_block(block)
    rows = []
    for lane, (slots, words) in enumerate(read_tile(tile, lanes, threads, bus_bytes)):
        run_code, value_code = sets[lane * len(sets) // lanes]
        bits, at = "".join(format(word, "032b") for word in words), 0
        for count, base, run_bits, value_bits in slots:
            need(base == len(rows), "row base")
            ends = at + run_bits, at + run_bits + value_bits
            need(ends[1] <= len(bits), "streams end outside")
            run = Stream(bits[at : ends[0]], run_code)
            value = Stream(bits[ends[0] : ends[1]], value_code)
            rows += read_slot(run, value, count, max(1, columns))
            at = ends[1]
    return rows
