"""The command line: one file a command.

Each command imports its packages when it runs: livekit-agents alone takes seconds to import, and
`token` has no use for it.
"""

import logging

import typer

from agent.cli.call import call
from agent.cli.chat import chat
from agent.cli.dev import dev
from agent.cli.doctor import doctor
from agent.cli.erase import erase
from agent.cli.evaluate import evaluate
from agent.cli.export import export
from agent.cli.join_token import token
from agent.cli.migrate import migrate
from agent.cli.page import page
from agent.cli.schemas import schemas
from agent.cli.start import start
from agent.cli.tokens import tokens
from agent.cli.top import top

app = typer.Typer(
    help="A LiveKit agent that chats, streams its answers, and serves its tools as RPC methods.",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show keys and messages.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def main() -> None:
    # A command says itself what goes wrong; `start` and the worker of `dev` set up their logs.
    logging.getLogger().addHandler(logging.NullHandler())


for command in (
    *(dev, start, chat, call, token, tokens, page),
    *(doctor, migrate, erase, top, schemas),
):
    app.command()(command)
app.command("eval")(evaluate)
app.add_typer(export, name="export")
