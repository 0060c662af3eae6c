"""The TypeScript package in real rooms: in a browser over livekit-client, in Node over rtc-node."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from livekit import api

from devserver.model import DemoModel, Reply, tool_call
from tests.agent.clients.browser import BrowserClient
from tests.agent.clients.conftest import OpenPage
from tests.agent.clients.node import run_node
from tests.agent.clients.room_agent import PACKAGE, build, bundle
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.room_server import RoomServerUnderTest
from toolkit import Data, PartAction, Source, ToolContext, tool
from tools import TOOLS


class OpenAgentPage(Protocol):
    """A page whose `client` is a RoomAgent for its `room`, not connected yet."""

    async def __call__(self, identity: str, worker: Worker) -> BrowserClient: ...


@pytest.fixture(scope="module")
async def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await build(tmp_path_factory.mktemp("room-agent"))


@pytest.fixture(scope="module")
async def script(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return await bundle(package, tmp_path_factory.mktemp("room-agent-page"))


@pytest.fixture
def token_for(room_server: RoomServerUnderTest, room_name: str) -> Callable[[str, Worker], str]:
    def token(identity: str, worker: Worker) -> str:
        dispatch = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=worker.name)])
        token = room_server.access_token(identity, room_name, can_update_own_metadata=True)
        return token.with_room_config(dispatch).to_jwt()

    return token


@pytest.fixture
def open_agent_page(
    open_page: OpenPage, script: Path, token_for: Callable[[str, Worker], str]
) -> OpenAgentPage:
    async def open_for(identity: str, worker: Worker) -> BrowserClient:
        page = await open_page(token_for(identity, worker))
        await page.add_script(script)
        await page.run("window.client = new roomAgent.RoomAgent(room);")
        return page

    return open_for


async def test_an_answer_streams_and_is_seen_by_others(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage
) -> None:
    worker, pause = await start_worker(), asyncio.Event()
    model.script(Reply(tokens=["It is ", "noon."], pause=pause, after=1))
    ana, bob = await open_agent_page("ana", worker), await open_agent_page("bob", worker)
    await ana.connect()
    await bob.connect()
    await bob.run("""
      client.messages.subscribe(() => {
        const lines = client.messages.items.map(({ senderId, text }) => `${senderId}: ${text}`);
        console.log('bob sees', lines.join(' | '));
      });
    """)
    asking = asyncio.create_task(
        ana.run("""
      for await (const { type, text } of client.ask('What time is it?')) console.log(type, text);
      const [, { state, finishReason }] = client.messages.items;
      console.log('ended', state, finishReason);
    """)
    )
    await ana.console.says("text It is ")
    pause.set()
    await asking
    assert await ana.console.says("ended") == "ended done stop"
    await bob.console.says("bob sees ana: What time is it? | agent: It is noon.")


async def test_a_private_answer_stays_private(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage, enter: Enter
) -> None:
    worker = await start_worker()
    model.script(Reply("Between us."))
    ana = await open_agent_page("ana", worker)
    await ana.connect()
    bob = await enter("bob", worker=worker)
    await ana.run("""
      const asking = client.ask('A secret?', { private: true });
      for await (const { type, text } of asking) console.log(type, text);
      const { messages, privateMessages } = client;
      console.log('room', messages.items.length, 'mine', privateMessages.items.length);
    """)
    assert await ana.console.says("room ") == "room 0 mine 2"
    await bob.ask("Anything?")
    assert not bob.received("etween us")


async def test_messages_can_be_read_by_late_joiners_and_changed(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage, enter: Enter
) -> None:
    worker = await start_worker()
    model.script(Reply("One."), Reply("Two."), Reply("Three."))
    bob = await enter("bob", worker=worker)
    await bob.ask("Count.")
    ana = await open_agent_page("ana", worker)
    await ana.connect()
    await ana.run("""
      const until = (isSo) => new Promise((done) => {
        const look = () => {
          if (isSo(client.messages.items)) done();
        };
        client.messages.subscribe(look);
        look();
      });
      const shows = (text) => until((all) => all.map(({ text }) => text).join(' ') === text);
      await shows('Count. One.');
      console.log('history read');
      const { id } = await client.ask('Go on.').answer;
      await shows('Count. One. Go on. Two.');
      console.log('answered');
      await client.regenerate(id);
      await shows('Count. One. Go on. Three.');
      console.log('answered again');
      await client.feedback(id, 'up');
      await client.react(id, '👍');
      await until(() => client.messages.get(id)?.reactions?.[0].count === 1);
      console.log('reacted');
      await client.delete(client.messages.items[2].id);
      await shows('Count. One.');
      console.log('all shown');
    """)
    await ana.console.says("all shown")


async def test_tools_files_approvals_and_the_board(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage
) -> None:
    @tool(needs_approval=True)
    async def send_mail(to: str) -> str:
        """Send a mail."""
        return f"sent to {to}"

    worker = await start_worker(tools=[*TOOLS, send_mail])
    calls = [tool_call("sendMail", '{"to": "bob"}'), tool_call("getLocation")]
    model.script(Reply(tool_calls=calls), Reply("Done."))
    ana = await open_agent_page("ana", worker)
    await ana.connect()
    await ana.run("""
      client.onApproval(({ tool, arguments: { to } }) => {
        console.log('approve', tool, to);
        return true;
      });
      const getLocation = { description: 'Where I am.', handler: () => ({ city: 'Paris' }) };
      await client.offer({ getLocation });
      client.on('tool', ({ tool, state, outcome }) => console.log('tool', tool, state, outcome));
      const data = new TextEncoder().encode('Dear Bob');
      const attachments = [{ data, name: 'mail.txt', mimeType: 'text/plain' }];
      const { text } = await client.ask('Mail this to Bob.', { attachments }).answer;
      console.log('answer', text);
      console.log('tools', (await client.tools()).map(({ name }) => name).includes('sendMail'));
      const refused = ({ code, fields }) => console.log('refused', code, Object.keys(fields)[0]);
      await client.call('sendMail', { to: 5 }).catch(refused);
      const stored = await client.sendFile({ data: new Blob(['later']), name: 'later.txt' });
      const came = new Promise((take) => client.on('file', take));
      await client.requestFile(stored.fileId);
      console.log('file', (await came).name, new TextDecoder().decode((await came).bytes));
      await client.whiteboard.draw({ op: 'note', x: 1, y: 2, text: 'Hi' });
      const other = new roomAgent.Whiteboard(room, { own: (...call) => client.call(...call) });
      await other.load();
      console.log('board', other.elements[0].text);
    """)
    await ana.console.says("approve sendMail bob")
    await ana.console.says("tool sendMail finished ok")
    await ana.console.says("answer Done.")
    await ana.console.says("tools true")
    await ana.console.says("refused 400 to")
    await ana.console.says("file later.txt later")
    await ana.console.says("board Hi")
    question = model.requests[0].chat.messages[-1].text
    assert "mail.txt" in question
    assert "Paris" in model.requests[1].chat.messages[-1].text


async def test_parts_come_beside_the_text(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage
) -> None:
    pressed: list[PartAction] = []

    async def on_action(action: PartAction) -> str:
        pressed.append(action)
        return "cancelled"

    @tool
    async def find_order(context: ToolContext) -> str:
        """Find the order."""
        context.show(Source("Orders", "https://example.com/orders"))
        context.show(Data("order-card", {"order": "A1"}, id="o-1", on_action=on_action))
        return "found"

    worker = await start_worker(tools=[find_order])
    model.script(Reply(tool_calls=[tool_call("findOrder")]), Reply("Here it is."))
    ana = await open_agent_page("ana", worker)
    await ana.connect()
    await ana.run("""
      for await (const piece of client.ask('Where is my order?')) {
        if (piece.type === 'part') console.log('part', piece.part.type, piece.part.state);
      }
      const { id, parts } = client.messages.items[1];
      console.log('shown:', parts.map(({ type }) => type).join(' '));
      console.log('pressed', await client.act(id, 'o-1', 'cancel', { why: 'late' }));
    """)
    await ana.console.says("part tool-call done")
    assert await ana.console.says("shown:") == "shown: tool-call source data"
    await ana.console.says("pressed cancelled")
    assert [(each.part, dict(each.payload)) for each in pressed] == [("o-1", {"why": "late"})]


async def test_clients_share_a_document(
    start_worker: StartWorker, open_agent_page: OpenAgentPage
) -> None:
    worker = await start_worker(STATE_WRITERS="everyone")
    ana, bob = await open_agent_page("ana", worker), await open_agent_page("bob", worker)
    await ana.connect()
    await bob.connect()
    await bob.run("""
      client.shared.subscribe(() => console.log('bob has', JSON.stringify(client.shared.value)));
      await client.shared.load();
    """)
    await ana.run("""
      await client.shared.load();
      await client.shared.patch([{ op: 'add', path: '/step', value: 2 }], client.shared.revision);
      console.log('ana has', JSON.stringify(client.shared.value));
    """)
    await ana.console.says('ana has {"step":2}')
    await bob.console.says('bob has {"step":2}')


README = (PACKAGE / "README.md").read_text()
EXAMPLES = re.findall(r"^```js\n(.*?)^```$", README, re.M | re.S)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
async def test_the_examples_of_its_readme(
    start_worker: StartWorker, model: DemoModel, open_agent_page: OpenAgentPage, number: int
) -> None:
    model.script(Reply("It is noon."))
    page = await open_agent_page("ana", await start_worker())
    await page.run("client.close();")
    # The page has the package as a script.
    await page.run(
        re.sub(r"import (.*) from 'livekit-room-agent'", r"const \1 = roomAgent", EXAMPLES[number])
    )
    await page.console.says("Agent: It is noon.")


NODE = """
import { Room, dispose } from '@livekit/rtc-node';
const { RoomAgent } = await import(process.env.PACKAGE);

const room = new Room();
const client = new RoomAgent(room);
const { LIVEKIT_URL, LIVEKIT_TOKEN } = process.env;
await room.connect(LIVEKIT_URL, LIVEKIT_TOKEN, { autoSubscribe: false });
await client.ready();
for await (const { type, text } of client.ask('What time is it?')) console.log(type, text);
const { text } = await client.ask('Between us?', { private: true }).answer;
console.log('private', text);
console.log('pong', typeof (await client.call('ping')).pong);
const file = await client.sendFile({ data: new TextEncoder().encode('one'), name: 'one.txt' });
console.log('stored', file.name, file.size);
client.close();
await room.disconnect();
await dispose();
"""


@pytest.mark.parametrize("is_there", [True, False])
async def test_in_node(
    start_worker: StartWorker,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    enter: Enter,
    package: Path,
    token_for: Callable[[str, Worker], str],
    is_there: bool,
) -> None:
    worker = await start_worker()
    if is_there:
        await enter("bob", worker=worker)
    model.script(Reply("It is noon."), Reply("Yes."))
    output = await run_node(
        NODE,
        PACKAGE=package.as_uri(),
        LIVEKIT_URL=room_server.url,
        LIVEKIT_TOKEN=token_for("ana", worker),
    )
    assert "text It is" in output
    assert "private Yes." in output
    assert "pong number" in output
    assert "stored one.txt 3" in output
