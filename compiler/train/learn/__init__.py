"""The network, its losses, its zeros and its grid, and the loop that learns: all of PyTorch."""
