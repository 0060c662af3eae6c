"""`python -m bench [compare | curves | growth | native | churn | admission | soak | scale]`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import (
    admission,
    churn,
    curves,
    growth,
    native_growth,
    plot,
    report,
    room_server,
    run,
    scale,
    soak,
    stage,
)
from bench.figures import medians
from bench.peers import PEERS, is_installed
from bench.plan import QUICK, Plan
from bench.programs import BenchError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bench.peers import Peer
    from bench.stage import Stage

SUBJECT = "agent"
COMPARED = ("floor", "starter", "openrtc", "agents-js", SUBJECT)
QUICKLY_COMPARED = ("floor", "starter", SUBJECT)


def arguments() -> argparse.Namespace:
    """The command line's arguments; ends the process with status 2 if they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="compare",
        choices=[
            *("compare", "curves", "growth", "native", "churn", "admission", "soak", "scale"),
        ],
    )
    parser.add_argument("--peers", help="of " + ", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="once, with few rooms")
    parser.add_argument("--rounds", type=int, help="times that all peers take turns (default 3)")
    parser.add_argument("--rooms", type=int, help="of growth, churn, native, soak and scale")
    parser.add_argument("--minutes", type=float, help="of soak (default 60) and scale (2)")
    parser.add_argument("--p99", type=float, default=500.0, help="limit of soak in ms")
    parser.add_argument("--seed", type=int, default=1, help="of soak: what people do")
    parser.add_argument(
        "--prometheus", metavar="PROGRAM", help="of soak: has it watch the worker, and asks it"
    )
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder")
    parser.add_argument(
        "--server",
        default=os.environ.get("ROOM_SERVER") or "embedded",
        help="`embedded` or a livekit-server program; LIVEKIT_URL comes first",
    )
    args = parser.parse_args()
    compared = [name for name in COMPARED if is_installed(PEERS[name])]
    args.peers = args.peers or ",".join(QUICKLY_COMPARED if args.quick else compared)
    if unknown := [name for name in args.peers.split(",") if name not in PEERS]:
        parser.error(f"no such peers: {', '.join(unknown)}")
    if missing := [name for name in args.peers.split(",") if not is_installed(PEERS[name])]:
        parser.error(f"not installed: {', '.join(missing)}: make setup-peers")
    return args


async def main(args: argparse.Namespace) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    match args.what:
        case "compare":
            await _compare(args)
        case "curves":
            await _curves(args)
        case "growth":
            async with _staged(growth.PEER, args.server) as staged:
                _say("growth", await growth.growth(staged, args.rooms or 500), args.out)
        case "native":
            logs = Path(tempfile.mkdtemp(prefix="bench-"))
            async with room_server.opened(args.server, logs) as rooms:
                points = await native_growth.native_growth(rooms, args.rooms or 100)
            _say("native", points, args.out)
        case "churn":
            async with _staged(churn.PEER, args.server) as staged:
                _say("churn", await churn.churn(staged, args.rooms or 1_000), args.out)
        case "soak":
            async with _staged(soak.peer(), args.server) as staged:
                plan = soak.SoakPlan(
                    seconds=(args.minutes or 60) * 60,
                    people=args.rooms or 12,
                    seed=args.seed,
                    max_p99=args.p99,
                    prometheus=args.prometheus,
                )
                result = await soak.soak(staged, plan)
            _say("soak", result, args.out)
            if result["problems"]:
                raise BenchError("\n".join(result["problems"]))
        case "scale":
            async with _staged(scale.PEER, args.server) as staged:
                result = await scale.scale(staged, args.rooms or 100, (args.minutes or 2) * 60)
            _say("scale", result, args.out)
            if result["broken"]:
                raise BenchError("\n".join(result["broken"]))
        case _:
            async with _staged(admission.PEER, args.server) as staged:
                _say("admission", await admission.admission(staged), args.out)


async def _compare(args: argparse.Namespace) -> None:
    plan = QUICK if args.quick else Plan()
    if args.rounds:
        plan = plan.with_rounds(args.rounds)
    done = await run.run([PEERS[name] for name in args.peers.split(",")], plan, args.server)
    figures = medians(done.rounds)
    subject = SUBJECT if SUBJECT in figures else next(reversed(figures))
    report.write(done, subject, args.out / "bench.json")
    plot.comparison(figures, subject, args.out / "bench.svg")
    _print(f"{done.server}, {len(done.rounds)} rounds, {done.seconds:.0f} s\n")
    _print(report.table(done.rounds, subject))
    if args.quick:
        _print(
            f"\n{plan.rooms} rooms, asked once: whether a row holds, only the whole run can say."
        )
    _print(f"\n{report.held(done.rounds, subject)}\n\n{args.out}/bench.json, bench.svg")


async def _curves(args: argparse.Namespace) -> None:
    async with _staged(curves.PEER, args.server) as staged:
        rooms = await curves.over_rooms(staged)
        _say("rooms", rooms, args.out)
    async with _staged(curves.PEER, args.server) as staged:
        messages = await curves.over_messages(staged)
        _say("messages", messages, args.out)
    lines = {key: [(p["rooms"], p[key]) for p in rooms] for key in ("overheadP50", "tokenLagP99")}
    plot.curves(lines, "rooms of one process, 20 tokens/s each", "ms", args.out / "rooms.svg")
    lines = {key: [(p["messages"], p[key]) for p in messages] for key in ("overheadP50", "chatCpu")}
    plot.curves(lines, "messages of history", "ms", args.out / "messages.svg")


@contextlib.asynccontextmanager
async def _staged(peer: Peer, server: str) -> AsyncGenerator[Stage]:
    logs = Path(tempfile.mkdtemp(prefix="bench-"))
    async with (
        room_server.opened(server, logs) as rooms,
        stage.model(logs) as model_url,
        stage.set_up(peer, rooms, model_url, logs) as staged,
    ):
        yield staged


def _say(name: str, result: list[dict[str, Any]] | dict[str, Any], out: Path) -> None:
    (out / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    _print(name)
    for line in result if isinstance(result, list) else [result]:
        _print("  " + json.dumps(line, default=str))


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as error:
        sys.exit(str(error))
