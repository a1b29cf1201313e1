"""What goes into one end of a channel comes out of the other."""

import socket
import threading
from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from medidiff.batch.channel import Channel
from medidiff.errors import InputError
from medidiff.volume import Geometry, Volume


def through(*values):
    """Send values from a thread, and receive them here."""
    one, two = (Channel(end.detach()) for end in socket.socketpair())
    sender = threading.Thread(target=lambda: deque(map(one.send, values), maxlen=0))
    sender.start()
    received = [two.receive(10) for _ in values]
    sender.join()
    one.close()
    two.close()
    return received


@given(
    st.lists(
        arrays.arrays(
            st.sampled_from([np.float32, np.complex64, np.int16, bool]),
            arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
        ),
        max_size=4,
    )
)
def test_arrays_of_any_kind_and_size_arrive_as_they_were(sent):
    (received,) = through(sent)
    for one, other in zip(sent, received, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_volume_keeps_its_order_and_can_be_written_to(order):
    array = np.asarray(np.arange(6e5, dtype=np.float32).reshape(60, 100, 100), order=order)
    (volume,) = through(Volume(array, Geometry(array.shape, np.diag([1, 2, 3, 1])), {"source": "a\udcff.nii"}))
    assert volume.array.flags.f_contiguous == array.flags.f_contiguous
    np.testing.assert_array_equal(volume.array, array)
    assert volume.meta == {"source": "a\udcff.nii"}
    volume.array[0, 0, 0] = 7


def test_values_keep_their_order():
    assert through(*range(50), "end") == [*range(50), "end"]


def test_an_error_arrives_with_its_line():
    (error,) = through(InputError("cannot be read", where="a.nii", found="nothing"))
    assert isinstance(error, InputError)
    assert "a.nii: cannot be read (found nothing)" in str(error)


def test_silence_is_told_from_an_end():
    one, two = (Channel(end.detach()) for end in socket.socketpair())
    with pytest.raises(TimeoutError):
        two.receive(0.01)
    one.close()
    with pytest.raises(EOFError):
        two.receive(1)
    two.close()
