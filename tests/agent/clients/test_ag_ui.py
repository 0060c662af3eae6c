"""The package's AG-UI agent in real rooms: AG-UI's client in Node, assistant-ui in Chromium."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest
from livekit import api
from playwright.async_api import Page, expect

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.clients.browser import PACKAGES, Chromium
from tests.agent.clients.example_client import WITHIN
from tests.agent.clients.node import run_node
from tests.agent.clients.room_agent import PACKAGE, build
from tests.agent.conftest import StartWorker, Worker
from tests.room_server import RoomServerUnderTest
from toolkit import tool

NODE: Final = """
import { Room, dispose } from '@livekit/rtc-node';
const { RoomAgent } = await import(process.env.PACKAGE);
const { AgUiAgent } = await import(process.env.PACKAGE.replace('index.js', 'ag-ui/index.js'));

const room = new Room();
const roomAgent = new RoomAgent(room);
const agent = new AgUiAgent(roomAgent);
await room.connect(process.env.LIVEKIT_URL, process.env.LIVEKIT_TOKEN);

const parameters = { type: 'object', properties: {} };
const tools = [{ name: 'pickColor', description: 'Picks a color.', parameters }];
agent.addMessage({ id: 'm1', role: 'user', content: 'Paint it, and buy the paint.' });
await agent.runAgent({ tools });
const { toolCalls: [call] } = agent.messages.at(-1);
console.log('asked for', call.function.name);
agent.addMessage({ id: 't1', role: 'tool', toolCallId: call.id, content: 'navy' });
await agent.runAgent({ tools });
const [{ id, metadata }] = agent.pendingInterrupts;
console.log('may it', metadata.tool);
const approval = { interruptId: id, status: 'resolved', payload: { approved: true } };
await agent.runAgent({ tools, resume: [approval] });
// What a tool has given may come after the text, in a stream of its own.
const isText = ({ role, content }) => role === 'assistant' && content;
console.log('answered', agent.messages.findLast(isText).content);

const late = new AgUiAgent(roomAgent);
await late.connectAgent();
const said = late.messages.filter(({ role }) => role !== 'tool').map(({ content }) => content);
console.log('history', said.filter(Boolean).join(' | '));
roomAgent.close();
await room.disconnect();
await dispose();
"""

BUNDLE: Final = """
import { build } from 'esbuild';
const [, , outfile, packageDirectory, nodeModules] = process.argv;
await build({
  entryPoints: ['ag_ui_app.jsx'],
  outfile,
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  alias: {
    'livekit-room-agent/ag-ui': `${packageDirectory}/ag-ui/index.js`,
    'livekit-room-agent': `${packageDirectory}/index.js`,
  },
  nodePaths: [nodeModules],
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'error',
});
"""


@tool(needs_approval=True)
async def buy_paint() -> str:
    """Buys paint."""
    return "a can of navy"


@pytest.fixture(scope="module")
async def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ag-ui")
    (directory / "node_modules").symlink_to(PACKAGE / "node_modules")
    return await build(directory)


@pytest.fixture(scope="module")
async def script(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (PACKAGES / "@assistant-ui" / "react-ag-ui").exists():
        pytest.skip("no @assistant-ui/react-ag-ui: `make setup-clients` installs it")
    script = tmp_path_factory.mktemp("ag-ui-page") / "app.js"
    await run_node(BUNDLE, str(script), str(package.parent), str(PACKAGES))
    return script


@pytest.fixture
async def worker(start_worker: StartWorker) -> Worker:
    return await start_worker(tools=[buy_paint])


@pytest.fixture
def token(room_server: RoomServerUnderTest, room_name: str, worker: Worker) -> str:
    dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
    token = room_server.access_token("ana", room_name, can_update_own_metadata=True)
    return token.with_room_config(dispatch).to_jwt()


@pytest.fixture
async def page(
    chromium: Chromium | None, script: Path, room_server: RoomServerUnderTest, token: str
) -> AsyncGenerator[Page]:
    if chromium is None:
        pytest.skip("no Chromium: `make setup-clients` installs it")
    page = await chromium.new_page("blank")
    page.set_default_timeout(WITHIN * 1000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.add_script_tag(path=script, type="module")
    await page.wait_for_function("Boolean(window.start)")
    await page.evaluate("([url, token]) => window.start(url, token)", [room_server.url, token])
    yield page
    await page.close()
    assert errors == []


def paint(model: DemoModel) -> None:
    """Has the model call the client's tool, then one that needs approval, then answer."""
    model.script(
        Reply(tool_calls=[tool_call("pickColor", '{"shade": "dark"}')]),
        Reply(tool_calls=[tool_call("buyPaint", "{}")]),
        Reply(tokens=["Painted ", "navy."]),
    )


async def test_ag_uis_client_in_node(
    worker: Worker, model: DemoModel, room_server: RoomServerUnderTest, package: Path, token: str
) -> None:
    paint(model)
    output = await run_node(
        NODE, PACKAGE=package.as_uri(), LIVEKIT_URL=room_server.url, LIVEKIT_TOKEN=token
    )
    # rtc-node writes its log there, too.
    assert [line for line in output.splitlines() if not line.startswith("{")] == [
        "asked for pickColor",
        "may it buyPaint",
        "answered Painted navy.",
        "history Paint it, and buy the paint. | Painted navy.",
    ]


async def test_assistant_uis_runtime(page: Page, model: DemoModel) -> None:
    paint(model)
    await page.get_by_label("Message").fill("Paint it, and buy the paint.")
    await page.get_by_role("button", name="Send").click()
    await page.get_by_role("button", name="Approve: Buys paint.").click()
    await expect(page.get_by_text("Painted navy.")).to_be_visible(timeout=WITHIN * 1000)
    await expect(page.get_by_text('pickColor: "dark navy"')).to_be_visible()
    assert len(model.requests) == 3
