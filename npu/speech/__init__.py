"""From sound to what a transducer eats, and from its symbols to phrases: host software.

Audio at any rate (`audio`, `pipe`, `resample`), log-mel features (`features`), searches over
symbols (`search`), silence (`gate`) and the ends of phrases (`phrases`), and all of it from a sound
to its text (`host`, `stream`, `listen`, `transcribe`), on any engine.
"""
