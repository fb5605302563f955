"""Torch so that the same sums are done in the same order."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Deterministic algorithms, ``threads`` threads and a random state of its own; restored after.

    One thread is not only reproducible but, for networks as small as these, the fastest on a machine
    that has anything else to do: two threads wait for each other spinning.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])
