"""The DMA: transfers between external memory and the chip's memories.

`dma` is the queue and the turn of each transfer, `asks` and `writes` are the two directions of the
bus, `bursts` cuts a transfer into bursts, `tile` deals the beats of a tile to the lanes' banks.
"""
