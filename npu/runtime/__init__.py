"""Compiled images, the sessions that run them, and how long a start of one may take."""
