"""Egress, Ingress and SIP, which need Redis: livekit-server's answers without one.

Checks, their order and their texts are those of livekit-server (pkg/service/egress.go, ingress.go
and sip.go).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from livekit.protocol import egress, ingress, sip

from devserver.api.room_service import (
    no_such_participant,
    no_such_room,
    nobody_answers,
    require,
)
from devserver.api.twirp import Method, TwirpError, internal_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

    from devserver.auth import VerifiedToken
    from devserver.rooms.register import RoomRegister

_SIP_CALL_ID = "sip.callID"
_CALLABLE = re.compile("<(?:sips?|tel):.*>|(?:sips?|tel):", re.DOTALL)
_NOT_CALLABLE = "transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)"
"""livekit-server's error for other URIs."""

_EGRESS_STARTS = {
    "StartEgress": egress.StartEgressRequest,
    "StartRoomCompositeEgress": egress.RoomCompositeEgressRequest,
    "StartWebEgress": egress.WebEgressRequest,
    "StartParticipantEgress": egress.ParticipantEgressRequest,
    "StartTrackCompositeEgress": egress.TrackCompositeEgressRequest,
    "StartTrackEgress": egress.TrackEgressRequest,
}
_EGRESS_OTHERS = {
    "UpdateLayout": egress.UpdateLayoutRequest,
    "UpdateStream": egress.UpdateStreamRequest,
    "ListEgress": egress.ListEgressRequest,
    "StopEgress": egress.StopEgressRequest,
}
_INGRESS_PANICS = {
    "UpdateIngress": ingress.UpdateIngressRequest,
    "DeleteIngress": ingress.DeleteIngressRequest,
}
_SIP = {
    "ListSIPTrunk": sip.ListSIPTrunkRequest,
    "CreateSIPInboundTrunk": sip.CreateSIPInboundTrunkRequest,
    "CreateSIPOutboundTrunk": sip.CreateSIPOutboundTrunkRequest,
    "UpdateSIPInboundTrunk": sip.UpdateSIPInboundTrunkRequest,
    "UpdateSIPOutboundTrunk": sip.UpdateSIPOutboundTrunkRequest,
    "GetSIPInboundTrunk": sip.GetSIPInboundTrunkRequest,
    "GetSIPOutboundTrunk": sip.GetSIPOutboundTrunkRequest,
    "ListSIPInboundTrunk": sip.ListSIPInboundTrunkRequest,
    "ListSIPOutboundTrunk": sip.ListSIPOutboundTrunkRequest,
    "DeleteSIPTrunk": sip.DeleteSIPTrunkRequest,
    "CreateSIPDispatchRule": sip.CreateSIPDispatchRuleRequest,
    "UpdateSIPDispatchRule": sip.UpdateSIPDispatchRuleRequest,
    "ListSIPDispatchRule": sip.ListSIPDispatchRuleRequest,
    "DeleteSIPDispatchRule": sip.DeleteSIPDispatchRuleRequest,
}


class RedisServices:
    """The methods of the three services for one server; none of them ever succeeds."""

    def __init__(self, register: RoomRegister) -> None:
        self._register = register

    def methods(self) -> Mapping[str, Mapping[str, Method[Any]]]:
        """Every method that exists, by service and name."""
        return {
            "Egress": {
                **_methods(_EGRESS_STARTS, self._start_egress),
                **_methods(_EGRESS_OTHERS, partial(_refuse, _may_record, "egress")),
            },
            "Ingress": {
                "CreateIngress": Method(ingress.CreateIngressRequest, _create_ingress),
                "ListIngress": Method(
                    ingress.ListIngressRequest,
                    partial(_refuse, _may_administer_ingress, "ingress"),
                ),
                **_methods(_INGRESS_PANICS, _panic),
            },
            "SIP": {
                **_methods(_SIP, partial(_refuse, _may_administer_sip, "sip")),
                "CreateSIPParticipant": Method(
                    sip.CreateSIPParticipantRequest, partial(_refuse, _may_call, "sip")
                ),
                "TransferSIPParticipant": Method(
                    sip.TransferSIPParticipantRequest, self._transfer_sip_participant
                ),
            },
        }

    def _start_egress(self, token: VerifiedToken, request: Message) -> NoReturn:
        require(_may_record(token))
        room: str = getattr(request, "room_name", "")  # a web egress has no room
        if room and room not in self._register.rooms:
            raise no_such_room()
        raise nobody_answers()

    def _transfer_sip_participant(
        self, token: VerifiedToken, request: sip.TransferSIPParticipantRequest
    ) -> NoReturn:
        if not request.room_name:
            raise internal_error("invalid_argument", "Missing room name")
        if not request.participant_identity:
            raise internal_error("invalid_argument", "Missing participant identity")
        require(_may_call(token) and token.can_administer(request.room_name))
        if not request.transfer_to:
            raise TwirpError("invalid_argument", "missing transfer to")
        if not _CALLABLE.match(request.transfer_to):
            raise TwirpError("invalid_argument", _NOT_CALLABLE)
        room = self._register.rooms.get(request.room_name)
        participant = room and room.participants.get(request.participant_identity)
        if participant is None:
            raise no_such_participant()
        if _SIP_CALL_ID not in participant.info.attributes:
            raise internal_error("invalid_argument", "no SIP session associated with participant")
        raise nobody_answers()


def _methods(
    requests: Mapping[str, type[Message]], answer: Callable[[VerifiedToken, Any], NoReturn]
) -> dict[str, Method[Any]]:
    return {name: Method(request, answer) for name, request in requests.items()}


def _refuse(
    permits: Callable[[VerifiedToken], bool], service: str, token: VerifiedToken, request: Message
) -> NoReturn:
    del request
    require(permits(token))
    raise internal_error("internal", f"{service} not connected (redis required)")


def _create_ingress(token: VerifiedToken, request: ingress.CreateIngressRequest) -> NoReturn:
    if request.input_type not in ingress.IngressInput.values():
        raise internal_error("invalid_argument", "invalid ingress type")
    _refuse(_may_administer_ingress, "ingress", token, request)


def _panic(token: VerifiedToken, request: Message) -> NoReturn:
    """Answer like livekit-server's handler, which panics because there is no store."""
    del request
    require(_may_administer_ingress(token))
    raise TwirpError("internal", "Internal service panic")


def _may_record(token: VerifiedToken) -> bool:
    return bool(token.video.room_record)


def _may_administer_ingress(token: VerifiedToken) -> bool:
    return bool(token.video.ingress_admin)


def _may_administer_sip(token: VerifiedToken) -> bool:
    return token.claims.sip is not None and token.claims.sip.admin


def _may_call(token: VerifiedToken) -> bool:
    return token.claims.sip is not None and token.claims.sip.call
