"""The forwarder of a room: data packets get their true sender and go to their destinations."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from livekit.protocol import models

from devserver.data.packets import ForwardedPacket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from devserver.data.packets import PacketRecord
    from devserver.rooms.participant import Participant

log = logging.getLogger("devserver.data")

RELIABLE = models.DataPacket.RELIABLE


class Forwarder:
    """Forwards the data packets of one room (livekit-server: pkg/rtc/participant.go, room.go)."""

    def __init__(
        self, room_name: str, participants: Mapping[str, Participant], packets: PacketRecord
    ) -> None:
        self._room_name = room_name
        self._participants = participants
        self._packets = packets
        self._nonces: dict[bytes, None] = {}

    def receive(self, sender: Participant, data: bytes, kind: models.DataPacket.Kind) -> None:
        """Forward data that ``sender`` sent on a data channel; drop data that it may not send."""
        if not sender.permission.can_publish_data:
            return
        try:
            packet = models.DataPacket.FromString(data)
        except DecodeError:
            log.warning("%s sent a data packet that cannot be parsed", sender.identity)
            return
        if kind == RELIABLE and packet.sequence and not sender.is_next(packet.sequence):
            return
        if _sign(packet, sender) and not sender.server_rpc.take(packet):
            self.send(packet, kind, sender)

    def send(
        self, packet: models.DataPacket, kind: models.DataPacket.Kind, sender: Participant | None
    ) -> None:
        """Hand ``packet`` to its destinations, or to everyone but ``sender`` if it has none."""
        packet.kind = kind
        receivers = self._receivers(packet, sender)
        if not receivers:
            return
        data = packet.SerializeToString()
        packets = self._packets
        for receiver in receivers:
            if receiver.send_data(data, kind, sequenced=packet.sequence > 0) and packets.enabled:
                packets.add(_record(self._room_name, sender, receiver, packet, len(data)))

    def _receivers(
        self, packet: models.DataPacket, sender: Participant | None
    ) -> list[Participant]:
        sids: set[str] = set()
        if packet.HasField("user"):
            user = packet.user
            if self._is_duplicate(user.nonce):
                return []
            sids.update(user.destination_sids)
            if packet.destination_identities:
                user.destination_identities[:] = packet.destination_identities
            else:
                packet.destination_identities.extend(user.destination_identities)
        identities = set(packet.destination_identities)
        return [
            receiver
            for receiver in self._participants.values()
            if receiver is not sender
            and (
                not (identities or sids) or receiver.identity in identities or receiver.sid in sids
            )
        ]

    def _is_duplicate(self, nonce: bytes) -> bool:
        """Whether a user packet with this nonce came before (pkg/rtc/user_packet_deduper.go)."""
        if len(nonce) != 16:  # not a UUID
            return False
        if nonce in self._nonces:
            return True
        self._nonces[nonce] = None
        if len(self._nonces) > 100:
            del self._nonces[next(iter(self._nonces))]
        return False


def _sign(packet: models.DataPacket, sender: Participant) -> bool:
    """Write the true sender into ``packet``; return whether to forward it.

    Only an agent may speak for another participant, in chat messages and text streams, which are
    then marked as generated. A hidden participant sends without a name.
    """
    field = packet.WhichOneof("value")
    if field == "metrics" or (field == "transcription" and not sender.is_agent):
        return False
    visible = not sender.permission.hidden
    identity = sender.identity if visible else ""
    if field == "user":
        packet.user.participant_identity = identity
        packet.user.participant_sid = sender.sid if visible else ""
    if not _speaks_for_another(packet, sender):
        packet.participant_identity = identity
    elif field == "chat_message":
        packet.chat_message.generated = True
    else:
        packet.stream_header.text_header.generated = True
    packet.participant_sid = sender.sid
    return True


def _speaks_for_another(packet: models.DataPacket, sender: Participant) -> bool:
    return (
        sender.is_agent
        and packet.participant_identity not in ("", sender.identity)
        and (
            packet.HasField("chat_message")
            or (packet.HasField("stream_header") and packet.stream_header.HasField("text_header"))
        )
    )


def _record(
    room: str,
    sender: Participant | None,
    receiver: Participant,
    packet: models.DataPacket,
    size: int,
) -> ForwardedPacket:
    kind = packet.WhichOneof("value") or ""
    topic = ""
    if kind == "user":
        topic = packet.user.topic
    elif kind == "stream_header":
        topic = packet.stream_header.topic
    return ForwardedPacket(
        room=room,
        sender=sender.identity if sender else "",
        receiver=receiver.identity,
        reliable=packet.kind == RELIABLE,
        kind=kind,
        topic=topic,
        destinations=tuple(packet.destination_identities),
        packet=packet,
        size=size,
    )
