"""Functions of the format that compiled code calls, known to numba."""

from numba.extending import register_jitable

from npu.chip import weight_format as layout

directory_words = register_jitable(layout.directory_words)
padded_entries = register_jitable(layout.padded_entries)
read_directory = register_jitable(layout.read_directory)
set_of_lane = register_jitable(layout.set_of_lane)
