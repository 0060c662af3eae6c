"""Server-sent events, decoded incrementally: bytes in, the data of whole events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

MAX_EVENT_BYTES = 1 * 2**20


class EventTooLargeError(Exception):
    """An event exceeds the size that is kept in memory for it."""


class EventStreamDecoder:
    """Takes the bytes of a stream in any pieces and gives the data of each event that is complete.

    Lines end with LF, CRLF or CR. Several `data` lines of one event are joined with LF. Comments
    and all other fields are left out: chat completions use none of them.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._line: list[bytes] = []
        """Pieces of a line whose end has not come."""
        self._data: list[bytes] = []
        """Data lines of an event whose end has not come."""
        self._size = 0
        """Bytes in both."""
        self._skip_lf = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Decode the next bytes of the stream.

        Raises EventTooLargeError for an event beyond the limit; the decoder is of no use after.
        """
        if self._skip_lf and piece:
            piece = piece.removeprefix(b"\n")
            self._skip_lf = False
        if b"\r" in piece:
            self._skip_lf = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        rest = lines.pop()
        events: list[bytes] = []
        for line in lines:
            if self._line:
                line = self._whole_line(line)  # noqa: PLW2901 # it is the same line, completed
            self._take(line, events)
        if rest:
            self._line.append(rest)
            self._grow(len(rest))
        return events

    def finish(self) -> list[bytes]:
        """The event that the end of the stream left without its blank line, if there is one.

        The specification has it dropped; servers that leave out the last line end are forgiven.
        """
        events: list[bytes] = []
        if self._line:
            self._take(self._whole_line(b""), events)
        self._take(b"", events)
        return events

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data:
                events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                self._data.clear()
                self._size = 0
        elif line.startswith(b"data:"):
            data = line[6:] if line.startswith(b"data: ") else line[5:]
            self._grow(len(data))
            self._data.append(data)

    def _whole_line(self, end: bytes) -> bytes:
        self._size -= sum(map(len, self._line))
        line = b"".join((*self._line, end))
        self._line.clear()
        return line

    def _grow(self, count: int) -> None:
        self._size += count
        if self._size > self._max:
            raise EventTooLargeError(f"an event of the stream exceeds {self._max} bytes")
