"""Tools whose asker does not approve, whatever their role."""

from __future__ import annotations

import pytest
from livekit import rtc

from agent.config.mcp_servers import StdioServer
from agent.mcp.server_tools import ServerTools
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient, announced
from tests.agent.conftest import Enter, StartWorker
from tests.agent.tool_calls.test_approval import Person, told
from tests.agent.tool_calls.test_approvers import NO, SUPERVISOR, YES
from toolkit import ToolContext, role, tool


@tool(approvers=role("supervisor"), four_eyes=True)
async def refund(euros: int) -> str:
    """Pay money back."""
    return f"paid {euros}"


@tool
async def pay_back(context: ToolContext) -> str:
    """Pay back by another tool."""
    return await refund.call({"euros": 5}, context)


@pytest.fixture
async def sam(start_worker: StartWorker, enter: Enter) -> ChatClient:
    worker = await start_worker(tools=[refund, pay_back], APPROVAL_TIMEOUT="2")
    return await enter("sam", worker=worker, attributes=SUPERVISOR)


@pytest.fixture
def refunds(model: DemoModel) -> DemoModel:
    model.script(Reply(tool_calls=[tool_call("refund", '{"euros": 5}')]), Reply("So be it."))
    return model


async def test_a_supervisor_who_asks_is_not_asked(sam: ChatClient, refunds: DemoModel) -> None:
    person = Person(sam, YES)
    await sam.ask("Pay me back")
    assert told(refunds) == (
        "refund was not approved: nobody who may approve it was in the room within 2 s"
    )
    assert not person.asked


@pytest.mark.parametrize(("answer", "result"), [(YES, "paid 5"), (NO, "said no: Too much")])
async def test_another_supervisor_decides(
    sam: ChatClient, enter: Enter, refunds: DemoModel, answer: str, result: str
) -> None:
    tom = await enter("tom", attributes=SUPERVISOR)
    await announced(sam, tom)
    asker, other = Person(sam, YES), Person(tom, answer)
    await sam.ask("Pay me back")
    assert result in told(refunds)
    assert (len(asker.asked), len(other.asked)) == (0, 1)


async def test_by_rpc_nobody_may_call_it(sam: ChatClient) -> None:
    assert sam.agent is not None
    assert "refund" not in sam.agent.attributes["agent.ready"].split(",")
    with pytest.raises(rtc.RpcError):
        await sam.call("refund", '{"euros": 5}')


async def test_by_rpc_no_other_tool_may_call_it(sam: ChatClient) -> None:
    with pytest.raises(
        rtc.RpcError, match="The caller of refund may not approve the same call"
    ) as caught:
        await sam.call("payBack")
    assert caught.value.code == 403


def test_it_takes_approvers() -> None:
    async def pay() -> str:
        """Pay."""
        return ""

    with pytest.raises(TypeError, match="four_eyes needs approvers"):
        tool(four_eyes=True)(pay)
    with pytest.raises(ValueError, match="approvers, where fourEyes is true"):
        StdioServer.model_validate({"command": "serve", "fourEyes": True})


def test_an_mcp_servers_tools_may_be_so() -> None:
    async def call(*_: object) -> str:
        return ""

    settings = {"command": "serve", "approval": ["pay"], "approvers": ["boss"], "rpc": True}
    server = StdioServer.model_validate({**settings, "fourEyes": True})
    tools = ServerTools("shop", server, call)
    tools.take([{"name": name, "inputSchema": {"type": "object"}} for name in ("pay", "look")])
    assert [(each.four_eyes, each.rpc) for each in tools.tools] == [(True, False), (False, True)]
