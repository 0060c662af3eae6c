"""Server-sent events, decoded incrementally: bytes in, the data of whole events out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

MAX_EVENT_BYTES = 1 * 2**20
_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(Exception):
    """An event exceeds the size that is kept in memory for it."""


class ErrorData(bytes):
    """The data of an event that is marked as an error: `event: error`, or a field `error`."""


class EventStreamDecoder:
    """Takes the bytes of a stream in any pieces and gives the data of each event that is complete.

    Lines end with LF, CRLF or CR. Several `data` lines of one event are joined with LF. A byte
    order mark at the start, comments and unknown fields are skipped.

    Beyond the specification:
    - llama.cpp until September 2025 sends a failure as `error: {…}` (ggml-org/llama.cpp#16109).
    - A line that starts with `{` or `[` is JSON outside of any field: a body that is no stream, or
      a gateway's error in the middle of one. It and the lines up to the next blank one are given
      as one event.
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
        self._is_error = False
        """Whether the event is called an error."""
        self._is_bare = False
        """Whether the event is JSON outside of any field."""
        self._start: bytes | None = b""
        """The first bytes, until they are known not to be a byte order mark; None: known."""

    def feed(self, piece: bytes) -> list[bytes]:
        """Decode the next bytes of the stream.

        Raises EventTooLargeError for an event beyond the limit; the decoder is of no use after.
        """
        if self._start is not None:
            piece = self._after_bom(piece)
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

        The specification drops it; servers that leave out the last line end are forgiven.
        """
        events: list[bytes] = []
        if self._line:
            self._take(self._whole_line(b""), events)
        self._take(b"", events)
        return events

    def _after_bom(self, piece: bytes) -> bytes:
        start = (self._start or b"") + piece
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _take(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data:
                events.append(self._event())
            self._is_error = False
        elif line.startswith(b"data:"):
            self._add(line[6:] if line.startswith(b"data: ") else line[5:])
        else:
            self._take_other(line)

    def _take_other(self, line: bytes) -> None:
        """A line without data in the sense of the specification."""
        if self._is_bare or line.lstrip().startswith((b"{", b"[")):
            self._is_bare = True
            self._add(line)
        elif line.startswith(b"event:"):
            self._is_error = line[6:].strip() == b"error"
        elif line.startswith(b"error:"):
            self._is_error = True
            self._add(line[6:].strip())

    def _add(self, data: bytes) -> None:
        self._grow(len(data))
        self._data.append(data)

    def _event(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data.clear()
        self._size = 0
        if self._is_error or self._is_bare:
            data = ErrorData(data) if self._is_error else data
            self._is_bare = False
        return data

    def _whole_line(self, end: bytes) -> bytes:
        self._size -= sum(map(len, self._line))
        line = b"".join((*self._line, end))
        self._line.clear()
        return line

    def _grow(self, count: int) -> None:
        self._size += count
        if self._size > self._max:
            raise EventTooLargeError(f"an event of the stream exceeds {self._max} bytes")
