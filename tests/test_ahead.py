"""What is drawn ahead comes in order, one ahead of what is used, and errors come to who waits."""

import threading
import time
from dataclasses import dataclass
from itertools import islice
from math import inf

import pytest
import torch

from medidiff.ahead import _tensors, ahead

CPU = torch.device("cpu")


def test_everything_comes_in_order():
    assert list(ahead(lambda n: n * n, 2, 6, CPU)) == [(2, 4), (3, 9), (4, 16), (5, 25)]
    assert list(ahead(lambda n: n, 3, 3, CPU)) == []
    assert list(islice(ahead(lambda n: n, 0, inf, CPU), 4)) == [(n, n) for n in range(4)]


def test_the_next_is_drawn_in_another_thread_while_the_last_is_used_and_none_after_it():
    drawn, threads = [], set()

    def draw(number):
        drawn.append(number)
        threads.add(threading.get_ident())
        return number

    draws = ahead(draw, 0, 5, CPU)
    next(draws)
    deadline = time.monotonic() + 5
    while len(drawn) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert drawn == [0, 1]
    assert threads.isdisjoint({threading.get_ident()})
    draws.close()
    assert drawn == [0, 1]


def test_an_error_while_drawing_comes_to_who_waits_for_it():
    def draw(number):
        if number == 1:
            raise ValueError("no such head")
        return number

    draws = ahead(draw, 0, 3, CPU)
    assert next(draws) == (0, 0)
    with pytest.raises(ValueError, match="no such head"):
        next(draws)


def test_all_tensors_of_a_batch_are_found():
    @dataclass
    class Inner:
        a: torch.Tensor
        name: str = "a"

    @dataclass
    class Outer:
        inner: Inner
        parts: list[torch.Tensor]
        count: int = 3

    one, two, three = (torch.full((1,), float(n)) for n in range(3))
    assert [float(t) for t in _tensors(Outer(Inner(one), [two, three]))] == [0, 1, 2]
