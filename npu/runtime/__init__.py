"""Compiled images, the sessions that run them, and how long a start of one may take.

image, header         the file, and what it says of itself
host_interface        registers and words that host and program share
sessions, host_search a program on a machine; a search that runs on the host
budget                the most cycles of a start
calls, npz, frontend  what a session is fed: calls from files or random ones, arrays, sound
"""
