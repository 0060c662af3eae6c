"""How much of the page is rendered while an answer streams."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from devserver.model import DemoModel, Reply

if TYPE_CHECKING:
    from tests.web.page_person import PagePerson

# React tells this hook of each commit, in production as well. A row was rendered if its element was
# created again: a row that React skipped has the very same properties.
_COUNT_ROWS = """
window.rows = new Map();
const visit = (fiber) => {
  const former = fiber.alternate;
  if (fiber.type === 'article' && former && fiber.memoizedProps !== former.memoizedProps) {
    window.rows.set(fiber.stateNode, (window.rows.get(fiber.stateNode) ?? 0) + 1);
  }
  if (former && fiber.child === former.child) return;
  for (let child = fiber.child; child; child = child.sibling) visit(child);
};
window.__REACT_DEVTOOLS_GLOBAL_HOOK__ = {
  supportsFiber: true,
  inject: () => 1,
  onCommitFiberRoot: (_id, root) => visit(root.current),
  onCommitFiberUnmount: () => undefined,
};
"""

_RENDERS = """
[...document.querySelectorAll('article.message')].map((row) => window.rows.get(row) ?? 0)
"""


async def test_the_pieces_of_an_answer_render_its_row_alone(
    alice: PagePerson, model: DemoModel
) -> None:
    for number in range(4):
        model.script(Reply(f"Answer {number}."))
        await alice.writes(f"Question {number}")
        await alice.sees(f"Answer {number}.")
    await alice.page.add_init_script(_COUNT_ROWS)
    await alice.page.reload()
    await alice.sees("Answer 0.")

    gate = asyncio.Event()
    words = [f"word{number} " for number in range(30)]
    model.script(Reply(tokens=["Begun. ", *words, "Done."], after=1, pause=gate, token_delay=0.05))
    await alice.writes("Go on")
    await alice.sees("Begun.")
    await alice.page.evaluate("window.rows.clear()")
    gate.set()
    await alice.sees("Done.")

    *others, answer = await alice.page.evaluate(_RENDERS)
    assert len(others) == 9
    assert answer > 0
    assert others == [0] * 9
