"""From sound to what a transducer eats, and from its symbols to phrases: host software.

Audio at any rate (`audio`), log-mel features (`features`), searches over symbols (`search`), the
ends of phrases (`phrases`), and all of it from a file to its text (`host`, `transcribe`), on any
engine.
"""
