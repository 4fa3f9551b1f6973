"""Functions of the format that compiled code calls, known to numba."""

from npu.chip import weight_format as layout
from npu.jit import inner_kernel

directory_words = inner_kernel(layout.directory_words)
padded_entries = inner_kernel(layout.padded_entries)
read_directory = inner_kernel(layout.read_directory)
set_of_lane = inner_kernel(layout.set_of_lane)
