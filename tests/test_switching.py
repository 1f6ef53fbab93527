"""The page's choice of a decider, in a real Chromium over the real app with a real, tiny model."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from joyvl_app.bench.served import CHROMIUM, CHROMIUM_FLAGS, served
from joyvl_app.bench.tiny import write_tiny


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = write_tiny(tmp_path_factory.mktemp("tiny"), actions=False)
    with served(decider="auto", model=str(folder), model_device="cpu", reply_tokens="8") as (url, _):
        yield url


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector("body[data-joyvl=ready]", timeout=30_000)
        yield page
        browser.close()
    assert faults == []


def test_the_page_names_its_decider_and_another_takes_over_while_it_runs(page: Page) -> None:
    chosen, pulse = page.locator("#decider-security"), page.locator("#stage-security .jv-pulse")
    expect(chosen.locator("select")).to_have_value("embedded")
    expect(chosen).to_contain_text("No GPU was found")
    page.click("#start-security")
    expect(pulse).to_contain_text("embedded ·", timeout=15_000)
    chosen.locator("select").select_option("vlm")
    expect(page.locator("#conversation-security")).to_contain_text("Loading vlm; embedded goes on meanwhile.", timeout=10_000)
    expect(pulse).to_contain_text("vlm ·", timeout=60_000)
    expect(chosen).to_contain_text("not trained to decide when to speak")
    chosen.locator("select").select_option("embedded")
    expect(pulse).to_contain_text("embedded ·", timeout=15_000)
    expect(page.locator("#stage-security .jv-state-name")).to_have_text(re.compile("Watching|Speaking"))
    page.click("#stop-security")


def test_a_session_may_begin_with_another_decider(page: Page) -> None:
    page.locator("#decider-lecture select").evaluate("select => { select.value = 'vlm'; select.onchange(); }")
    page.get_by_role("tab", name="Lecture").click()
    expect(page.locator("#decider-lecture")).to_contain_text("You chose it for this page.")
    page.click("#start-lecture")
    expect(page.locator("#stage-lecture .jv-pulse")).to_contain_text("vlm ·", timeout=60_000)
    page.click("#stop-lecture")
