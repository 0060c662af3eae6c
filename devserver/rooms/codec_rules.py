"""The codecs that a client may publish: some browsers and devices have faulty ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models

from devserver.media.codecs import FORWARDED, RETRANSMISSIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

_AV1 = models.Codec(mime="video/AV1")
_VP9 = models.Codec(mime="video/VP9")
_H264 = models.Codec(mime="video/H264")
_FIRST = ("video/VP8", "video/H264")
_SAFARI_WITHOUT_VP9 = "18.3"
_FIREFOX = ("firefox", "firefox mobile")


def client_configuration(client: models.ClientInfo) -> models.ClientConfiguration | None:
    """Return the features that the client must not use (pkg/clientconfiguration/conf.go); None for
    most."""
    browser, system = client.browser.lower(), client.os.lower()
    if client.device_model.lower() == "xiaomi 2201117ti" and system == "android":
        return _disabled(publish=(_H264,))
    if browser in _FIREFOX and system in ("linux", "android"):
        return _disabled(publish=(_H264,))
    if browser == "safari":
        newer = _is_newer(client.browser_version, _SAFARI_WITHOUT_VP9)
        return _disabled((_AV1,), publish=(_VP9,) if newer else ())
    return None


def publish_codecs(client: models.ClientInfo) -> list[str]:
    """Return the codecs that the client may publish: video first, the most compatible of all.

    As in livekit-server (pkg/rtc/participant.go, setupEnabledCodecs).
    """
    configuration = client_configuration(client)
    disabled: set[str] = set()
    if configuration is not None:
        rules = configuration.disabled_codecs
        disabled = {codec.mime for codec in (*rules.codecs, *rules.publish)}
    codecs = [mime for mime in FORWARDED if mime not in disabled and mime != RETRANSMISSIONS]
    return sorted(codecs, key=_rank)


def keeps_order(client: models.ClientInfo) -> bool:
    """Whether the client sends the codec that an answer has first."""
    return client.browser.lower() not in _FIREFOX or client.os.lower() not in ("linux", "android")


def _rank(mime: str) -> int:
    if mime in _FIRST:
        return _FIRST.index(mime)
    return len(_FIRST) + (not mime.startswith("video/"))


def _disabled(
    codecs: Iterable[models.Codec] = (), *, publish: Iterable[models.Codec] = ()
) -> models.ClientConfiguration:
    return models.ClientConfiguration(
        disabled_codecs=models.DisabledCodecs(codecs=codecs, publish=publish)
    )


def _is_newer(version: str, than: str) -> bool:
    """Compare two versions as numbers, or as texts if one is none."""
    if all(part.isdecimal() for part in version.split(".")):
        return [int(part) for part in version.split(".")] > [int(part) for part in than.split(".")]
    return version > than
