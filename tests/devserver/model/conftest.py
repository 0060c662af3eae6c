"""The demo model, and the official client of it."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest

from devserver.model import DemoModel


@pytest.fixture
async def model() -> AsyncIterator[DemoModel]:
    async with DemoModel() as model, asyncio.timeout(10):
        yield model


@pytest.fixture
async def client(model: DemoModel) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="any", max_retries=0) as client:
        yield client
