"""Runs a stream decoder: fills its rings as a lane does, and collects the symbols of its turns."""

from amaranth.sim import Simulator

from npu.chip import timing
from npu.chip.weight_format import WORD_BITS
from rtl.lane.decoder import POSITION_BITS, RING_WORDS


def decode(dut, prepare, words, starts, turns, go, outputs, latencies, each_turn=lambda *_: None):
    """Decode every thread's stream; rings are refilled in the lane's fixed grid.

    prepare : awaited with the context before anything else, to write tables. words, starts : per
    thread the stream's words and its first bit. go : whether a turn is taken, by its number.
    outputs : ports of a symbol; latencies : cycles from a turn to them, and to the length.
    each_turn : called with the context and the turn's number.

    Returns per thread a list of (*outputs, length); the length of a turn not taken must be 0.
    """
    threads = len(words)
    out = [[] for _ in range(threads)]

    async def bench(ctx):
        await prepare(ctx)
        fetched = [start // WORD_BITS for start in starts]

        def fill(thread):
            word = fetched[thread]
            ctx.set(dut.fill.en, 1)
            ctx.set(dut.fill.thread, thread)
            ctx.set(dut.fill.index, word % RING_WORDS)
            ctx.set(dut.fill.data, int(words[thread][word]))
            fetched[thread] += 1

        for _ in range(timing.PRIME_WORDS):
            for thread in range(threads):
                fill(thread)
                await ctx.tick()
        ctx.set(dut.fill.en, 0)
        ctx.set(dut.load, 1)
        for start in starts:
            ctx.set(dut.start, start % (1 << POSITION_BITS))
            await ctx.tick()
        ctx.set(dut.load, 0)
        ctx.set(dut.run, 1)
        seen = []
        for cycle in range(turns * threads + max(latencies)):
            thread, turn = cycle % threads, cycle // threads
            went = turn < turns and go(turn)
            ctx.set(dut.thread, thread)
            ctx.set(dut.go, went)
            each_turn(ctx, turn)
            ctx.set(dut.fill.en, 0)
            room = (fetched[thread] - ctx.get(dut.word)) % (2 * RING_WORDS) != RING_WORDS
            if turn % 2 == thread % 2 and room and fetched[thread] < len(words[thread]):
                fill(thread)
            symbol = [ctx.get(getattr(dut, name)) for name in outputs]
            seen.append((went, symbol, ctx.get(dut.length)))
            await ctx.tick()
        symbol_latency, length_latency = latencies
        for cycle in range(turns * threads):
            length = seen[cycle + length_latency][2]
            if seen[cycle][0]:
                out[cycle % threads].append((*seen[cycle + symbol_latency][1], length))
            else:
                assert length == 0

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return out
