"""A track's public info, as its AddTrack request describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from devserver import sid
from devserver.media.codecs import LAYERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SID_MARKS = {models.AUDIO: "A", models.VIDEO: "V"}
_SOURCE_MARKS = {
    models.UNKNOWN: "",
    models.CAMERA: "C",
    models.MICROPHONE: "M",
    models.SCREEN_SHARE: "S",
    models.SCREEN_SHARE_AUDIO: "s",
}
_STREAMS = {
    models.CAMERA: "camera",
    models.MICROPHONE: "camera",
    models.SCREEN_SHARE: "screen",
    models.SCREEN_SHARE_AUDIO: "screen",
}


def track_info(request: rtc.AddTrackRequest, enabled: Sequence[str]) -> models.TrackInfo:
    """Return the info of a track that is about to be published, in one of the ``enabled`` codecs.

    As in livekit-server (pkg/rtc/participant.go, addPendingTrack).
    """
    codecs = _codecs(request, enabled)
    mode = codecs[0].video_layer_mode
    layered = mode == models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM
    asked = bool(request.simulcast_codecs) and not layered and len(codecs[0].layers) > 1
    return models.TrackInfo(
        sid=sid.new_sid(
            sid.TRACK + _SID_MARKS.get(request.type, "") + _SOURCE_MARKS.get(request.source, "")
        ),
        type=request.type,
        name=request.name,
        muted=request.muted,
        width=request.width,
        height=request.height,
        simulcast=asked,
        disable_dtx=request.disable_dtx,
        source=request.source,
        disable_red=request.disable_red,
        stereo=request.stereo,
        encryption=request.encryption,
        stream=request.stream or _STREAMS.get(request.source, "unknown"),
        backup_codec_policy=_backup_codec_policy(request),
        audio_features=_audio_features(request),
        packet_trailer_features=request.packet_trailer_features,
        layers=_sorted(request.layers),
        codecs=codecs,
    )


def prefers_red(info: models.TrackInfo) -> bool:
    """Whether the track is to have redundancy (pkg/rtc/utils.go, IsRedEnabled)."""
    if info.codecs and info.codecs[0].mime_type:
        return info.codecs[0].mime_type.lower() == "audio/red"
    return not info.disable_red


def _backup_codec_policy(request: rtc.AddTrackRequest) -> models.BackupCodecPolicy:
    """Return who decides about a second codec; for sound it is the subscribers, unless stated."""
    if request.type == models.AUDIO and request.backup_codec_policy != models.REGRESSION:
        return models.SIMULCAST
    return request.backup_codec_policy


def _codecs(
    request: rtc.AddTrackRequest, enabled: Sequence[str]
) -> list[models.SimulcastCodecInfo]:
    """Return the codecs that the client wants to send; one without a name if it names none."""
    kind = "video" if request.type == models.VIDEO else "audio"
    codecs: dict[str, models.SimulcastCodecInfo] = {}
    for wanted in request.simulcast_codecs:
        mime = wanted.codec if wanted.codec.startswith(f"{kind}/") else f"{kind}/{wanted.codec}"
        known = {each.lower() for each in enabled}
        layers = wanted.layers or request.layers
        if mime.lower() not in known:
            mime = next((each for each in enabled if each.startswith(kind)), mime)
            layers = request.layers
        mode = wanted.video_layer_mode
        if kind == "video" and mode == models.VideoLayer.MODE_UNUSED:
            mode = (
                models.VideoLayer.MULTIPLE_SPATIAL_LAYERS_PER_STREAM
                if mime.lower() in LAYERED
                else models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM
            )
        codecs.setdefault(
            mime,
            models.SimulcastCodecInfo(
                mime_type=mime, cid=wanted.cid, layers=_sorted(layers), video_layer_mode=mode
            ),
        )
    if codecs:
        return list(codecs.values())
    return [
        models.SimulcastCodecInfo(
            cid=request.cid,
            layers=_sorted(request.layers),
            video_layer_mode=models.VideoLayer.ONE_SPATIAL_LAYER_PER_STREAM,
        )
    ]


def _sorted(layers: Iterable[models.VideoLayer]) -> list[models.VideoLayer]:
    return sorted(layers, key=lambda layer: layer.quality)


def _audio_features(request: rtc.AddTrackRequest) -> list[models.AudioTrackFeature]:
    """Return the features that the request states in either of two ways."""
    features = list(request.audio_features)
    if request.stereo:
        features.append(models.AudioTrackFeature.TF_STEREO)
    if request.disable_dtx:
        features.append(models.AudioTrackFeature.TF_NO_DTX)
    return list(dict.fromkeys(features))
