"""Boards that the chip runs on: optional, nothing else in the project depends on them."""
