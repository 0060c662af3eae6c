"""The server's bounds: requests that exceed one are refused."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. Sizes are bytes unless a name says otherwise.

    The first group has the values of livekit-server's own configuration (pkg/config/config.go); the
    second keeps a client that misbehaves from taking the process with it.
    """

    metadata_size: int = 512 * 1024
    attributes_size: int = 64 * 1024
    room_name_length: int = 256
    participant_identity_length: int = 256
    participant_name_length: int = 256
    join_request_size: int = 1 << 20

    rooms: int = 1000
    """Rooms that exist at once."""
    connections: int = 1000
    """Signal connections open at once, workers not counted."""
    tracks_per_participant: int = 32
    sections_per_connection: int = 128
    """Media sections in one session description."""
    subscriptions_per_participant: int = 100
    request_body_size: int = 4 * 1024 * 1024
    """Body of one HTTP request."""
    request_timeout: float = 15.0
    """Seconds that a request has for its body, and, once or twice, that a connection has for its
    first request."""
    signal_message_size: int = 1024 * 1024
    """One message of a client on its signal connection."""
    signal_queue: int = 2000
    """Messages waiting for one slow signal connection; the connection is closed past it."""
    data_queue_size: int = 16 * 1024 * 1024
    """Reliable data waiting for one slow participant, who is disconnected past it."""
    lossy_queue_size: int = 256 * 1024
    """Lossy data waiting for one slow participant; packets past it are dropped."""
    ice_candidates: int = 64
    """Candidates that one client may trickle."""
    join_timeout: float = 15.0
    """Seconds from the JoinResponse until the peer connection has to be up."""
    negotiation_timeout: float = 15.0
    """Seconds that a client has to answer an offer of the server."""
    workers: int = 100
    """Agent workers connected at once."""
    dispatches_per_room: int = 1000
    """Agent dispatches that a room may have at once."""


class RoomLimitError(RuntimeError):
    """There are as many rooms as the server's limits allow."""
