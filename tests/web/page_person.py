"""Somebody who uses the page of `dev` in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Locator, Page

WITHIN: Final = 20.0
"""Seconds that the page has for anything, on a busy machine."""

# Kept for the test: what the page's policy forbade.
_WATCH_POLICY: Final = """
window.forbidden = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.forbidden.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""


class PagePerson:
    """A person at the page.

    Attributes:
        page: Playwright's.
        errors: exceptions that nobody caught.
        requests: addresses that the browser asked for.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        self._context = context
        page.set_default_timeout(WITHIN * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    @classmethod
    async def open(cls, context: BrowserContext, url: str) -> PagePerson:
        """Opens the page; returns when the agent can be written to."""
        await context.add_init_script(_WATCH_POLICY)
        person = cls(context, await context.new_page())
        await person.page.goto(url)
        await person.sees_agent("listening")
        return person

    async def aclose(self) -> None:
        forbidden = await self.forbidden()
        await self._context.close()
        assert self.errors == [], self.errors
        assert forbidden == [], forbidden

    async def forbidden(self) -> list[str]:
        """Violations of the page's policy since the last call."""
        return await self.page.evaluate("window.forbidden.splice(0)")

    async def sees_agent(self, state: str) -> None:
        await expect(self.page.locator(".agent-state")).to_contain_text(state, timeout=WITHIN * 1e3)

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("textbox", name="Message to")

    async def writes(self, text: str, *, privately: bool = False) -> None:
        switch = self.page.get_by_role("switch", name="Private")
        if (await switch.get_attribute("aria-checked") == "true") != privately:
            await switch.click()
        await self.box.fill(text)
        await self.box.press("Enter")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def message(self, text: str) -> Locator:
        return self.page.locator("article.message").filter(has_text=text)

    async def sees(self, text: str) -> Locator:
        """The one message that has this text, once it is shown."""
        message = self.message(text)
        await expect(message).to_be_visible(timeout=WITHIN * 1000)
        return message

    async def texts(self) -> list[str]:
        """The shown messages, from top to bottom."""
        return await self.page.locator("article .bubble, article .markdown").all_inner_texts()
