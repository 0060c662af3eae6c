"""The examples of docs/data.md do what stands beside them."""

from __future__ import annotations

from tests.agent.clients.conftest import Example, OpenClient

DOCUMENT = "data.md"

FINISHED = {
    "js": """
        room.on('dataReceived', (payload, participant, kind, topic) => {
          if (topic !== 'system') return;
          const notice = JSON.parse(new TextDecoder().decode(payload));
          if (notice.event === 'answer.finished') console.log('finished', notice.segmentId);
        });
    """,
    "python": """
def on_finished(packet):
    if packet.topic == "system" and json.loads(packet.data)["event"] == "answer.finished":
        print("finished", json.loads(packet.data)["segmentId"])
room.on("data_received", on_finished)
""",
}
ASK = {
    "js": "await room.localParticipant.sendText('Hello', { topic: 'lk.chat' });",
    "python": "await room.local_participant.send_text('Hello', topic='lk.chat')",
}
CALL = {
    "js": """
        const answer = await room.localParticipant.performRpc({
          destinationIdentity: agent, method: 'getCursors', payload: '',
        });
        console.log(answer);
    """,
    "python": """
print(await room.local_participant.perform_rpc(
    destination_identity=agent, method="getCursors", payload=""
))
""",
}


async def test_a_reaction_is_counted(
    open_client: OpenClient, example: Example, language: str
) -> None:
    client = await open_client("ana")
    await client.run(FINISHED[language])
    await client.connect()
    await client.run(ASK[language])
    segment = (await client.console.says("finished")).removeprefix("finished ")
    await client.run(example("Reactions") + f"await react('{segment}', '👍')")
    assert await client.console.says("👍") == f"{segment} 👍 1"


async def test_a_cursor_is_seen(open_client: OpenClient, example: Example, language: str) -> None:
    client = await open_client("ana")
    await client.connect()
    # Lossy packets of somebody who is not announced yet are ignored; this one has written.
    await client.run(FINISHED[language] + ASK[language])
    await client.console.says("finished")
    await client.run(example("Cursors"))
    await client.run(CALL[language])
    assert '"label":"the pricing table"' in await client.console.says("cursors")


async def test_a_whiteboard_is_shared(
    open_client: OpenClient, example: Example, language: str
) -> None:
    show = {
        "js": "console.log('board', elements.size, elements.get('s1').points[1][0])",
        "python": "print('board', len(elements), int(elements['s1']['points'][1][0]))",
    }[language]
    # A call may overtake packets.
    kept = {
        "js": "while ((await getWhiteboard({})).sequence < 3);",
        "python": "while (await get_whiteboard())['sequence'] < 3: pass",
    }[language]
    client = await open_client("ana")
    await client.connect()
    # The agent knows by now who it is that draws.
    await client.run(FINISHED[language] + ASK[language])
    await client.console.says("finished")
    await client.run(
        example("Reading it")
        + "await draw({'op': 'stroke', 'id': 's1', 'points': [[1, 2], [3, 4]]})\n"
        + "await draw({'op': 'move', 'id': 's1', 'x': 10, 'y': 10})\n"
        + f"{show}\n{kept}"
    )
    assert await client.console.says("board") == "board 2 12"
    late = await open_client("ben")
    await late.connect()
    # Reads what is there, and draws the same note as ana, or one more.
    await late.run(example("Reading it") + show)
    assert (await late.console.says("board")).endswith(" 12")
