"""Speech before the agent can hear is heard from the clients' recordings."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
import pytest
from livekit import rtc

from agent.voice.microphone import FRAME_SECONDS
from agent.voice.overlap import Overlap
from agent.voice.pre_connect_audio import MAX_BYTES, TOPIC, Recording
from agent.voice.recordings import frames_of
from devserver.model import DemoModel, Reply
from tests.agent.voice.conftest import Meet, Person
from tests.agent.voice.speech import RATE, Samples, resembles, say, understand
from tests.agent.voice.speech_server import SpeechServer

QUESTION = "what is the weather in Paris"


@dataclass
class Recorded:
    """A recording as a client has it: `data` in 16-bit PCM unless `mime_type` says otherwise."""

    data: bytes
    mime_type: str = ""
    rate: int = 48_000
    channels: int = 1


async def recorded(kind: str) -> Recorded:
    """The question, in one of the forms that SDKs send."""
    match kind:
        case "pcm 24 kHz":
            return Recorded((await say(QUESTION, 24_000)).tobytes(), rate=24_000)
        case "pcm stereo":
            samples = await say(QUESTION, 48_000)
            return Recorded(np.repeat(samples, 2).tobytes(), channels=2)
        case "mp4":
            data = encode(await say(QUESTION, 48_000), "mp4", "aac")
            return Recorded(data, "video/mp4")
        case "ogg":
            data = encode(await say(QUESTION, 48_000), "ogg", "libopus")
            return Recorded(data, "audio/opus")
        case _:
            data = encode(await say(QUESTION, 48_000), "webm", "libopus")
            return Recorded(data, "audio/webm;codecs=opus")


def encode(samples: Samples, container_format: str, codec: str) -> bytes:
    """48 kHz, one channel, as a browser's MediaRecorder writes it: without seeking back."""
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if container_format == "mp4" else {}
    with av.open(file, "w", format=container_format, container_options=options) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


async def send(person: Person, recording: Recorded, *, track: str | None = None) -> str:
    """As livekit-client does it; returns the stream's id."""
    info = await person.me.send_bytes(
        recording.data,
        name="preconnect-buffer",
        mime_type=recording.mime_type,
        topic=TOPIC,
        destination_identities=["agent"],
        attributes={
            "trackId": person.microphone.sid if track is None else track,
            "sampleRate": str(recording.rate),
            "channels": str(recording.channels),
        },
    )
    return info.stream_id


async def say_later(person: Person, what: str) -> None:
    """Says something after a second, in which the agent subscribes to the track."""
    await person.microphone.say(np.concatenate([np.zeros(RATE, np.int16), await say(what)]))


# Each kind is decoded in a test below; here one of browsers and one of native SDKs stand for all.
_OTHERS = [pytest.param(kind, marks=pytest.mark.lengthy) for kind in ("mp4", "ogg", "pcm stereo")]


@pytest.mark.parametrize("kind", ["webm", "pcm 24 kHz", *_OTHERS])
async def test_earlier_speech_is_heard_before_live_speech(
    meet: Meet, model: DemoModel, kind: str
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    await send(alice, await recorded(kind))
    asked = await alice.heard()
    assert resembles(asked.text, QUESTION)
    assert asked.sender == "alice"
    assert asked.attributes["lk.transcribed_track_id"] == alice.microphone.sid
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == "It is warm."
    await alice.microphone.say("the weather in London")
    assert resembles((await alice.heard(1)).text, "the weather in London")


async def test_sound_in_both_recording_and_track_is_heard_once(
    meet: Meet, model: DemoModel, speech: SpeechServer
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    await alice.microphone.subscribed()
    stream = await alice.me.stream_bytes(
        "preconnect-buffer",
        mime_type="audio/webm;codecs=opus",
        topic=TOPIC,
        destination_identities=["agent"],
        attributes={"trackId": alice.microphone.sid, "sampleRate": "48000", "channels": "1"},
    )
    # The client learns late that it is heard, and goes on recording until the speaker pauses.
    question, pause = await say(QUESTION), np.zeros(RATE, np.int16)
    await alice.microphone.say(np.concatenate([question[len(question) // 2 :], pause]))
    silence, said = np.zeros(4 * 48_000, np.int16), await say(QUESTION, 48_000)
    recording = np.concatenate([silence, said, np.repeat(pause, 3)])
    await stream.write(encode(recording, "webm", "libopus"))
    await stream.aclose()
    asked = await alice.heard()
    assert resembles(asked.text, QUESTION)
    assert (await alice.answer_to(asked.attributes["lk.segment_id"])).text == "It is warm."
    # Live speech goes on from there.
    await alice.microphone.say("the weather in London")
    assert resembles((await alice.heard(1)).text, "the weather in London")
    assert len(speech.understood) == 2


async def test_earlier_speech_is_heard_of_a_microphone_muted_meanwhile(
    meet: Meet, model: DemoModel
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    alice.microphone.track.mute()
    await send(alice, await recorded("webm"))
    assert resembles((await alice.heard()).text, QUESTION)
    alice.microphone.track.unmute()
    await say_later(alice, "the weather in London")
    assert resembles((await alice.heard(1)).text, "the weather in London")


async def test_a_recording_that_does_not_come_or_cannot_be_decoded_costs_nothing_that_is_said(
    meet: Meet, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    await alice.microphone.say(QUESTION)
    assert resembles((await alice.heard()).text, QUESTION)
    assert "did not arrive" in caplog.text
    bob = await meet("bob", microphone=False)
    await bob.microphone.publish(preconnect_buffer=True)
    await send(bob, Recorded(b"\x1aE\xdf\xa3" + b"no WebM" * 100, "audio/webm;codecs=opus"))
    await say_later(bob, "the weather in London")
    assert resembles((await bob.heard()).text, "the weather in London")
    assert "not transcribed: it is damaged" in caplog.text


async def test_nobody_speaks_into_somebody_elses_microphone(meet: Meet, model: DemoModel) -> None:
    model.when("", Reply(text="It is warm."))
    alice = await meet("alice", microphone=False)
    mallory = await meet("mallory", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    forged = Recorded((await say("the weather in London", 48_000)).tobytes())
    await send(mallory, forged, track=alice.microphone.sid)
    await send(alice, await recorded("webm"))
    asked = await alice.heard()
    assert resembles(asked.text, QUESTION)
    assert "london" not in asked.text
    await alice.answer_to(asked.attributes["lk.segment_id"])
    await alice.ask("What is the weather?")
    assert len(alice.transcripts) == 1


@pytest.mark.parametrize(
    ("recording", "track", "code"),
    [
        (Recorded(b"\0" * 64), "", 400),
        (Recorded(b"\0" * 64, rate=0), None, 400),
        (Recorded(b"\0" * 64, channels=99), None, 400),
        (Recorded(b"\0" * (MAX_BYTES + 1)), None, 413),
    ],
)
async def test_a_malformed_recording_is_refused_to_its_sender(
    meet: Meet, recording: Recorded, track: str | None, code: int
) -> None:
    alice = await meet("alice", microphone=False)
    await alice.microphone.publish(preconnect_buffer=True)
    sent = await send(alice, recording, track=track)
    assert (await alice.notice("error", code=code))["messageIds"] == [sent]


async def frames(samples: Samples, kind: str) -> list[rtc.AudioFrame]:
    """Sound of 48 kHz, as a client sends it."""
    return await frames_of(Recording(encode(samples, kind, "libopus"), "", 48_000, 1))


async def left_out(recorded: list[rtc.AudioFrame], live: list[rtc.AudioFrame]) -> int:
    overlap = Overlap(recorded)
    heard = [frame for each in live for frame in await overlap.new(each)]
    return len(live) - len(heard)


@pytest.mark.parametrize(
    ("end", "both"), [(1.4, 0.2), (1.4, 0.3), (1.7, 0.5), (1.7, 1.4), (2.4, 1.5), (3.0, 2.0)]
)
async def test_the_overlap_of_two_encodings_is_removed_to_a_frame(end: float, both: float) -> None:
    """`end`: of the recording, in seconds; `both`: how many of them the track repeats."""
    said = np.concatenate([await say(QUESTION, 48_000), np.zeros(2 * 48_000, np.int16)])
    recorded = await frames(said[: int(end * 48_000)], "webm")
    live = await frames(said[int((end - both) * 48_000) :], "ogg")
    assert abs(await left_out(recorded, live) - both / FRAME_SECONDS) <= 1.5


async def test_speech_that_only_follows_is_heard_whole() -> None:
    recorded = await frames(await say(QUESTION, 48_000), "webm")
    silence = await frames(np.zeros(4 * 48_000, np.int16), "ogg")
    other = await frames(await say("please tell me a story", 48_000), "ogg")
    for live in ([], other, silence, [*silence[:20], *other], [*silence, *recorded]):
        assert await left_out(recorded, live) == 0
        assert await left_out([], live) == 0


@pytest.mark.parametrize("kind", ["webm", "mp4", "ogg", "pcm 24 kHz", "pcm stereo"])
async def test_a_recording_is_decoded_to_what_microphones_give(kind: str) -> None:
    made = await recorded(kind)
    frames = await frames_of(Recording(made.data, made.mime_type, made.rate, made.channels))
    assert {(each.sample_rate, each.num_channels) for each in frames} == {(16_000, 1)}
    assert {each.samples_per_channel for each in frames} == {512}
    samples = np.concatenate([np.frombuffer(each.data, np.int16) for each in frames])
    assert resembles(await understand(samples), QUESTION)


@pytest.mark.parametrize(
    ("seconds", "rate", "heard"), [(20, 48_000, 20), (40, 24_000, 30), (4, 16_000, 4)]
)
async def test_the_end_of_a_long_recording_is_heard(seconds: int, rate: int, heard: int) -> None:
    """Flutter's client records until the agent is there, for 20 s in its documentation."""
    question = await say(QUESTION, rate)
    silence = np.zeros(seconds * rate - len(question), np.int16)
    recording = Recording(np.concatenate([silence, question]).tobytes(), "", rate, 1)
    assert len(recording.data) <= MAX_BYTES
    frames = await frames_of(recording)
    assert sum(each.samples_per_channel for each in frames) / RATE == pytest.approx(heard, abs=0.1)
    samples = np.concatenate([np.frombuffer(each.data, np.int16) for each in frames])
    assert resembles(await understand(samples[-3 * RATE :]), QUESTION)
