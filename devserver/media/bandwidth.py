"""Bandwidth: sends smaller simulcast layers to a client whose connection is too slow."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_WINDOW_SECONDS = 1.0
_SLOW_SHARE = 0.8
_CHANGE = 1.02
_LOST_SHARE, _MOST_LOST = 0.08, 0.9
_SLOW_WINDOWS = 2
_HEADROOM = 0.95
_TRIAL_SECONDS = 5.0
_RETRY_SECONDS, _MAX_RETRY_SECONDS = 5.0, 60.0


class LayeredStream(Protocol):
    """A track on its way to the client."""

    @property
    def layer_rates(self) -> Sequence[float]:
        """The bits a second of each layer up to the one that the client wants; empty without
        simulcast, and while nothing is sent."""
        ...

    largest_layer: int | None
    """The largest layer that is sent, whatever the client wants; None for no bound."""


class Bandwidth:
    """Chooses layers by the client's own estimates of what reaches it (REMB), and by its losses.

    A receiver of libwebrtc estimates up to 1.5 times of what it gets, so that only an estimate
    below the send rate is evidence. Where more is sent, the estimate rises slowly, by 8 % a second
    or less, and is ignored while it rises. It does not fall if a short queue loses packets, so
    retransmission requests count as well. If either shows in two seconds that too much is sent, and
    none between them that it fits (seconds that are ignored may lie between), smaller layers are
    sent, of the largest streams first, until they fit. The smallest layer
    always goes out, as from livekit-server without ``allow_pause``. A larger layer is tried again
    after 5 seconds, and after twice as long each time that the trial fails, up to a minute; but
    none that exceeds a ``capacity``, which is no estimate.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` is a clock, in seconds."""
        self.capacity: int | None = None
        """The bandwidth that the client asks the server to assume, in bits a second."""
        self._now = now
        self._streams: list[LayeredStream] = []
        self._since = now()
        self._sent = self._packets = self._repeated = 0
        self._estimate = math.inf
        self._grows = False
        self._slow_windows = 0
        self._retry_at = self._tried_at = -math.inf
        self._retry_seconds = _RETRY_SECONDS

    def add(self, stream: LayeredStream) -> None:
        """Choose the layers of ``stream`` as well."""
        self._streams.append(stream)
        self.grows()

    def remove(self, stream: LayeredStream) -> None:
        """Stop choosing the layers of ``stream``."""
        if stream in self._streams:
            self._streams.remove(stream)

    def sent(self, octets: int) -> None:
        """Count an outgoing packet of video; libwebrtc's estimates do not include sound."""
        self._sent += octets
        self._packets += 1

    def repeated(self, packets: int) -> None:
        """Count packets that the client requests again."""
        self._repeated += packets

    def grows(self) -> None:
        """Note that more is sent from now on, which the client's estimates follow slowly."""
        self._slow_windows = 0
        self._grows = True

    def estimated(self, bits_per_second: int) -> None:
        """Note an estimate of the client."""
        now = self._now()
        elapsed = now - self._since
        if elapsed < _WINDOW_SECONDS:
            return
        if self.capacity is not None:
            bits_per_second = min(bits_per_second, self.capacity)
        former, self._estimate = self._estimate, bits_per_second
        rate = 8 * self._sent / elapsed
        lost = min(_MOST_LOST, self._repeated / max(1, self._packets))
        self._since = now
        self._sent = self._packets = self._repeated = 0
        if lost > _LOST_SHARE:
            bits_per_second = min(bits_per_second, round((1 - lost) * rate))
            self._slow_windows += 1
        elif bits_per_second >= _SLOW_SHARE * rate:
            self._slow_windows = 0
            self._grows = False
        elif self._says_slow(former):
            self._slow_windows += 1
        if self._slow_windows >= _SLOW_WINDOWS:
            self._slow_windows = 0
            if lost > _LOST_SHARE or any(_layer(each) > 0 for each in self._streams):
                self._lower(rate - bits_per_second * _HEADROOM, now)
        elif now >= self._retry_at:
            self._raise(rate, now)

    def _says_slow(self, former: float) -> bool:
        """Whether an estimate that is below what is sent says that the connection is slow.

        Not one that rises; nor, where more is sent than a moment ago, one that does not fall.
        """
        if self.capacity is not None and self._estimate >= self.capacity:
            return True
        if self._grows:
            return self._estimate * _CHANGE < former
        return self._estimate <= former * _CHANGE

    def _lower(self, excess: float, now: float) -> None:
        """Send at least ``excess`` bits a second less, if there are smaller layers."""
        failed = now - self._tried_at < _TRIAL_SECONDS
        self._retry_seconds = (
            min(2 * self._retry_seconds, _MAX_RETRY_SECONDS) if failed else _RETRY_SECONDS
        )
        self._retry_at = now + self._retry_seconds
        while excess > 0:
            lowered = [each for each in self._streams if _layer(each) > 0]
            if not lowered:
                return
            stream = max(lowered, key=_rate)
            before = _rate(stream)
            stream.largest_layer = _layer(stream) - 1
            excess -= before - _rate(stream)

    def _raise(self, rate: float, now: float) -> None:
        """Try a larger layer of the stream that gets least; ``rate`` is what is sent."""
        bound = [
            each for each in self._streams if each.largest_layer is not None and each.layer_rates
        ]
        if not bound:
            return
        stream = min(bound, key=_rate)
        layer = min(_layer(stream) + 1, len(stream.layer_rates) - 1)
        rate += stream.layer_rates[layer] - _rate(stream)
        if self.capacity is not None and rate > self.capacity:
            return
        stream.largest_layer = layer if layer < len(stream.layer_rates) - 1 else None
        self.grows()
        self._tried_at = now
        self._retry_at = now + _TRIAL_SECONDS


def _layer(stream: LayeredStream) -> int:
    """Return the layer that is sent; -1 if there are none."""
    top = len(stream.layer_rates) - 1
    return top if stream.largest_layer is None else min(top, stream.largest_layer)


def _rate(stream: LayeredStream) -> float:
    rates = stream.layer_rates
    return rates[_layer(stream)] if rates else 0.0
