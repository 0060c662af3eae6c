"""Speaking on the page: a browser whose microphone plays a question."""

from __future__ import annotations

import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, async_playwright, expect

from devserver.model import DemoModel, Reply
from tests.agent.conftest import StartWorker, Worker
from tests.agent.voice.speech import close, get_ready, missing, say
from tests.agent.voice.speech_server import SpeechServer
from tests.chromium import CHROMIUM_ARGUMENTS, browser_on_path
from tests.web.page_person import WITHIN, PagePerson

QUESTION = "what is the weather in Paris"
ANSWER = "It is warm and sunny in Paris today."
SECONDS = 60
"""Of silence after the question: the browser plays the file once."""


@pytest.fixture(scope="module", autouse=True)
async def sound() -> AsyncGenerator[None]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    await get_ready()
    yield
    close()


@pytest.fixture(scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Browser]:
    if (executable := browser_on_path()) is None:
        pytest.skip("no Chromium: `make setup-clients` installs it")
    file = tmp_path_factory.mktemp("microphone") / "question.wav"
    write(file, await say(QUESTION, 48_000))
    arguments = [*CHROMIUM_ARGUMENTS, f"--use-file-for-fake-audio-capture={file}%noloop"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=arguments)
        yield browser
        await browser.close()


def write(file: Path, said: np.ndarray) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, 48_000, 0, "NONE", ""))
        sound.writeframes(np.concatenate([said, np.zeros(SECONDS * 48_000, np.int16)]).tobytes())


@pytest.fixture
async def speech() -> AsyncGenerator[SpeechServer]:
    async with SpeechServer() as server:
        yield server


@pytest.fixture
async def worker(start_worker: StartWorker, speech: SpeechServer) -> Worker:
    return await start_worker(STT_BASE_URL=speech.base_url, TTS_BASE_URL=speech.base_url)


async def test_a_spoken_question_is_captioned_shown_and_answered(
    alice: PagePerson, speech: SpeechServer, model: DemoModel
) -> None:
    model.when("weather", Reply(ANSWER))
    await alice.button("Speak").click()
    await expect(alice.button("Turn the microphone off")).to_be_visible(timeout=WITHIN * 1000)
    level = alice.page.get_by_role("meter", name="Microphone level")
    await expect(level).to_be_visible()
    await expect(level).not_to_have_attribute("aria-valuenow", "0", timeout=WITHIN * 1000)
    await alice.sees(ANSWER)
    captions = alice.page.locator(".captions")
    await expect(captions).to_contain_text("weather", timeout=WITHIN * 1000)
    await expect(captions).to_contain_text("It is warm")
    await expect(alice.page.locator(".bubble")).to_contain_text("weather", timeout=WITHIN * 1000)
    question, answer = await alice.texts()
    # The rest is the recogniser's text.
    assert question.startswith(speech.understood[0])
    assert answer == ANSWER
    await alice.button("Turn the microphone off").click()
    await expect(level).to_have_count(0)
