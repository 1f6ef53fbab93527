"""The memory panel and the brain's cards in a real Chromium: leave to act, Markdown, search, pictures, forgetting."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from tests.minds import Message, Mind, call
from tests.servers import running
from tests.support import ROOT

OUT = ROOT / "tests" / "out"
MAIL = call("desk_send_mail", to="Ann", text="hello")
CARD = """Sent to Ann.

| who | what |
|---|---|
| Ann | **hello** |

<script>window.hacked = 1</script> <img src=x onerror="window.hacked = 2">
[a link](https://example.org/x) [bad](javascript:window.hacked=3) ![beacon](https://eve.example.org/x.png)
"""


def think(messages: list[Message]) -> Message | str:
    return CARD if any(message["role"] == "tool" for message in messages) else MAIL


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk") / "sent.txt"


@pytest.fixture(scope="module")
def page(sent: Path) -> Iterator[Page]:
    """A visitor of an app whose brain is an agent with a mail desk; nothing may fail, and nobody else may be asked."""
    OUT.mkdir(exist_ok=True)
    servers = sent.with_name("mcp.json")
    desk = {"command": sys.executable, "args": [str(ROOT / "tests" / "mcp_desk.py"), str(sent)]}
    servers.write_text(json.dumps({"mcpServers": {"desk": desk}}))
    faults: list[str] = []
    with running(Mind("desk_send_mail", think).app) as brain, sync_playwright() as playwright:
        with served(decider="embedded", brain_url=brain, brain_model="mind", mcp_file=str(servers)) as (address, _):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.on("pageerror", lambda error: faults.append(str(error)))
            known = (address, "blob:", "data:")
            page.on("request", lambda request: None if request.url.startswith(known) else faults.append(request.url))
            page.goto(address)
            page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
            yield page
            browser.close()
    assert faults == []


def ask(page: Page, words: str) -> None:
    page.locator("#ask-lecture textarea").fill(words)
    page.keyboard.press("Enter")


def test_what_the_brain_wants_to_do_is_asked_in_the_page_and_its_card_is_only_text(page: Page, sent: Path) -> None:
    page.get_by_role("tab", name="Lecture").click()
    page.locator("#jv-memory").click()
    page.locator(".jv-keep").check()
    page.locator("#jv-memory").click()
    page.locator("#start-lecture").click()
    expect(page.locator("#conversation-lecture")).to_contain_text("New slide", timeout=20_000)
    ask(page, "Why not send a mail to Ann saying hello?")
    asked = page.locator(".jv-permission")
    expect(asked).to_contain_text("desk send mail", timeout=20_000)
    expect(asked).to_contain_text('"to": "Ann"')
    page.screenshot(path=OUT / "permission.png", full_page=True)
    assert not sent.exists()
    asked.get_by_role("button", name="Refuse").click()
    expect(page.locator(".jv-card-steps").last).to_contain_text("You refused", timeout=10_000)
    ask(page, "Why not send a mail to Ann saying hello now?")
    page.locator(".jv-permission").get_by_role("button", name="Allow once").click(timeout=20_000)
    body = page.locator(".jv-card-body").last
    expect(body.locator("td strong")).to_have_text("hello", timeout=20_000)
    assert sent.read_text() == "Ann: hello\n"
    assert page.evaluate("window.hacked") is None and body.locator("script, img[onerror]").count() == 0
    links = [(link.get_attribute("href"), link.get_attribute("rel")) for link in body.locator("a").all()]
    private = "noopener noreferrer nofollow"
    assert links == [("https://example.org/x", private), ("https://eve.example.org/x.png", private)]  # to be clicked, not fetched
    page.screenshot(path=OUT / "card.png", full_page=True)


def test_the_memory_is_searched_shows_its_moment_and_forgets(page: Page) -> None:
    page.locator("#jv-memory").click()
    page.locator("#jv-recall input[type=search]").fill("universe")
    page.locator("#jv-recall button[type=submit]").click()
    hit = page.locator(".jv-hit").filter(has_text="Seeing the Universe").last
    expect(hit).to_be_visible(timeout=10_000)
    hit.locator(".jv-hit-open").click()
    expect(hit.locator(".jv-moment li").first).to_be_visible(timeout=10_000)
    page.wait_for_function("(image) => image.naturalWidth > 0", arg=hit.locator(".jv-moment img").element_handle())
    page.screenshot(path=OUT / "memory.png", full_page=True)
    hit.get_by_role("button", name="Show in this session").click()
    expect(page.locator("#stage-lecture .jv-why")).to_contain_text("0:0")
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".jv-forget").click()
    expect(page.locator(".jv-recall-told")).to_contain_text("Forgotten: 1", timeout=10_000)
    expect(page.locator(".jv-hit")).to_have_count(0)
    expect(page.locator("#stage-lecture .jv-state-name")).not_to_have_text("Error")  # it watches on
    page.locator("#stop-lecture").click()
    page.locator("#jv-recall button[type=submit]").click()
    expect(page.locator(".jv-recall-told")).to_contain_text("Nothing was found", timeout=10_000)
