"""The Gradio page: a header, one tab for each scenario."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import gradio as gr

from joyvl_app.scenario import Scenario
from joyvl_app.ui.tab import build_tab
from joyvl_app.ui.text import PAGE, text
from joyvl_app.ui.wing import Wing

# System fonts: the page must look right without the internet.
_FONTS: dict[str, Any] = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
_VIEW = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/joyvl/static/icon.svg">
"""
_BUTTONS = ("memory", "boxes", "dark", "language", "help")
_HEAD = """
<script src="/joyvl/static/markdown-it.min.js" defer></script>
<script type="module" src="/joyvl/static/main.js"></script>
"""


def build_blocks(scenarios: dict[str, Scenario], wings: Sequence[Wing] = ()) -> gr.Blocks:
    """The page of these scenarios, and of the wings' tabs after them."""
    with page(_HEAD, *(wing.head for wing in wings)) as blocks:
        gr.HTML(_header((*(f"go-{wing.entry}" for wing in wings), *_BUTTONS)), padding=False, elem_id="jv-header")
        gr.HTML(_memory(scenarios), padding=False, elem_id="jv-memory-panel")
        with gr.Tabs(elem_id="jv-tabs"):
            for scenario in scenarios.values():
                with gr.Tab(scenario.title.en, id=scenario.id, elem_id=f"tab-{scenario.id}", render_children=True):
                    build_tab(scenario)
            for wing in wings:
                wing.tabs()
            with gr.Tab(text("label"), id="label", elem_id="tab-label", render_children=True):
                gr.HTML(f'<section id="jv-label" aria-label="{text("label_title")}"></section>', padding=False)
    return blocks


def build_lone_blocks(wing: Wing) -> gr.Blocks:
    """A page of one wing alone."""
    with page(wing.head) as blocks:
        gr.HTML(_header(("dark", "language")), padding=False, elem_id="jv-header")
        with gr.Tabs(elem_id="jv-tabs"):
            wing.tabs()
    return blocks


def page(*heads: str) -> gr.Blocks:
    """An empty page in our look, with these additions to its head."""
    theme = gr.themes.Default(primary_hue="teal", neutral_hue="slate", **_FONTS)
    css = (PAGE / "page.css").read_text(encoding="utf-8")
    head = "".join((_VIEW, *heads))
    return gr.Blocks(title=text("title"), theme=theme, css=css, head=head, analytics_enabled=False, fill_width=True)


def _header(names: Sequence[str]) -> str:
    buttons = "".join(_button(name) for name in names)
    return f"""
<header class="jv-header">
  <h1>{text("title")}</h1><p>{text("tagline")}</p>
  <nav aria-label="Page">{buttons}</nav>
  <p id="jv-keys" hidden>{text("keys")}</p>
</header>"""


def _button(name: str) -> str:
    """A switch, or with "go-" the way to a tab: on a phone tabs are folded away."""
    pressed = "" if name.startswith("go-") else ' aria-pressed="false"'
    return f'<button type="button" class="jv-icon" id="jv-{name}"{pressed}>{text(name.removeprefix("go-"))}</button>'


def _memory(scenarios: dict[str, Scenario]) -> str:
    """The panel of what is remembered; assets/page/memory.js brings it to life."""
    options = "".join(f'<option value="{key}">{escape(scenario.title.en)}</option>' for key, scenario in scenarios.items())
    spans = "".join(f'<option value="{hours}">{text(f"memory_span_{hours}")}</option>' for hours in (0, 1, 24, 168))
    return f"""
<section id="jv-recall" hidden aria-label="{text("memory")}">
  <form class="jv-recall-form" role="search">
    <label>{text("memory_search")} <input type="search" maxlength="300" placeholder="{text("memory_hint")}"></label>
    <label>{text("memory_scenario")}
      <select name="scenario"><option value="">{text("memory_all")}</option>{options}</select></label>
    <label>{text("memory_when")} <select name="span">{spans}</select></label>
    <button type="submit" class="jv-icon">{text("memory_find")}</button>
  </form>
  <p class="jv-recall-told" role="status"></p>
  <ol class="jv-found"></ol>
  <details class="jv-sessions"><summary>{text("memory_sessions")}</summary><ol></ol></details>
  <p class="jv-recall-end">
    <label><input type="checkbox" class="jv-keep"> <span>{text("memory_pictures")}</span></label>
    <button type="button" class="jv-icon jv-forget">{text("memory_forget")}</button>
  </p>
</section>"""
