"""Objects between two processes; arrays are not copied into a pickle on their way."""

import pickle
import threading
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["Channel"]


class Channel:
    """One end of a pair of sockets. Any thread may send; one at a time may receive.

    Parameters
    ----------
    descriptor
        Of a stream socket, which this takes over.
    """

    def __init__(self, descriptor: int) -> None:
        self._connection: Connection[Any, Any] = Connection(descriptor)
        self._lock = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, for ``multiprocessing.connection.wait``."""
        return self._connection.fileno()

    def send(self, value: Any) -> None:
        """Send a value.

        Raises
        ------
        OSError
            If the other end is closed.
        """
        buffers: list[pickle.PickleBuffer] = []
        told = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
        with self._lock:
            self._connection.send((told, [buffer.raw().nbytes for buffer in buffers]))
            for raw in (buffer.raw() for buffer in buffers):
                if raw.nbytes:
                    self._connection.send_bytes(raw)

    def receive(self, timeout: float | None = None) -> Any:
        """Wait for a value, which our own program sent.

        Raises
        ------
        TimeoutError
            If none begins to come within ``timeout`` seconds.
        EOFError, OSError
            If the other end is closed.
        """
        if timeout is not None and not self._connection.poll(timeout):
            raise TimeoutError
        told, sizes = self._connection.recv()
        buffers = [bytearray(size) for size in sizes]
        for buffer in filter(len, buffers):
            self._connection.recv_bytes_into(buffer)
        return pickle.loads(told, buffers=buffers)  # noqa: S301 - from our own process, through a private socket

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
