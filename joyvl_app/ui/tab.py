"""One scenario's tab: Gradio lays out the controls, assets/page brings them to life."""

from __future__ import annotations

from html import escape

import gradio as gr

from joyvl_app.scenario import Scenario
from joyvl_app.ui.text import text

_SOURCES = ("sample", "camera", "screen", "upload")


def build_tab(scenario: Scenario) -> None:
    """Components get the element ids that the page's modules look for: `NAME-SCENARIO`."""
    with gr.Row(elem_classes="jv-columns", equal_height=False):
        with gr.Column(scale=7, min_width=300, elem_classes="jv-left"):
            gr.HTML(_stage(scenario), elem_id=f"stage-{scenario.id}", padding=False)
            _controls(scenario)
            gr.HTML(_decider(), elem_id=f"decider-{scenario.id}", padding=False)
        with gr.Column(scale=5, min_width=280, elem_classes="jv-right"):
            _instruction(scenario)
            gr.HTML(_conversation(scenario), elem_id=f"conversation-{scenario.id}", padding=False)
            _question(scenario)


def _instruction(scenario: Scenario) -> None:
    box = gr.Textbox(
        value=scenario.instruction.en,
        label=text("what_for"),
        placeholder=text("what_for_hint"),
        lines=3,
        max_lines=8,
        elem_id=f"instruction-{scenario.id}",
    )
    box.input(None, box, None, js=_call(scenario, "instruct"), queue=False, show_api=False)
    with gr.Row(elem_classes="jv-presets"):
        for number, preset in enumerate(scenario.presets):
            chip = gr.Button(preset.label.en, size="sm", variant="secondary", elem_classes="jv-chip")
            chip.click(None, box, box, js=_ask(scenario, "preset", number), queue=False, show_api=False)
    gr.HTML('<p class="jv-understood" role="status"></p>', elem_id=f"understood-{scenario.id}", padding=False)


def _controls(scenario: Scenario) -> None:
    with gr.Row(elem_classes="jv-controls"):
        source = gr.Dropdown(
            [(text(f"source_{name}"), name) for name in _SOURCES],
            value="sample",
            label=text("source"),
            filterable=False,
            elem_id=f"source-{scenario.id}",
            min_width=150,
            scale=2,
        )
        source.input(None, source, None, js=_call(scenario, "choose"), queue=False, show_api=False)
        for name, variant in (("start", "primary"), ("pause", "secondary"), ("stop", "secondary")):
            button = gr.Button(text(name), variant=variant, elem_id=f"{name}-{scenario.id}", min_width=90, scale=1)
            button.click(None, None, None, js=_call(scenario, name), queue=False, show_api=False)
    with gr.Row(elem_classes="jv-controls jv-minor"):
        slider = gr.Slider(
            -3,
            3,
            value=scenario.sensitivity,
            step=0.1,
            label=text("sensitivity"),
            elem_id=f"sensitivity-{scenario.id}",
            min_width=220,
            scale=3,
        )
        slider.input(None, slider, None, js=_call(scenario, "lean"), queue=False, show_api=False)
        for name in ("clear", "download", "replay"):
            button = gr.Button(text(name), size="sm", elem_id=f"{name}-{scenario.id}", min_width=90, scale=1)
            button.click(None, None, None, js=_call(scenario, name), queue=False, show_api=False)


def _question(scenario: Scenario) -> None:
    with gr.Row(elem_classes="jv-ask"):
        box = gr.Textbox(
            label=text("ask"), placeholder=text("ask_hint"), lines=1, max_lines=3, elem_id=f"ask-{scenario.id}", scale=5
        )
        send = gr.Button(text("send"), min_width=70, scale=1, elem_id=f"send-{scenario.id}")
    for happening in (box.submit, send.click):
        happening(None, box, box, js=_ask(scenario, "say"), queue=False, show_api=False)


def _call(scenario: Scenario, action: str) -> str:
    """JavaScript that tells the page's module of a control; nothing comes back into Gradio."""
    return f"(...values) => {{ window.joyvl.act('{scenario.id}', '{action}', ...values); return []; }}"


def _ask(scenario: Scenario, action: str, *arguments: int) -> str:
    """JavaScript whose result becomes the control's new value."""
    fixed = "".join(f", {argument}" for argument in arguments)
    return f"(...values) => window.joyvl.act('{scenario.id}', '{action}'{fixed}, ...values)"


def _stage(scenario: Scenario) -> str:
    alt = escape(scenario.clip.alt.en)
    return f"""
<section class="jv-stage" data-scenario="{scenario.id}">
  <p class="jv-state"><span class="jv-dot" aria-hidden="true">○</span>
    <span role="status"><b class="jv-state-name">{text("state_idle")}</b> <span class="jv-state-detail"></span></span>
    <span class="jv-seconds"></span>
    <span class="jv-pulse" title="decider · decision time · age of the picture when decided · decisions a second"></span>
    <button type="button" class="jv-icon jv-mute" aria-pressed="false">{text("mute")}</button></p>
  <div class="jv-picture">
    <video playsinline muted disablepictureinpicture preload="metadata"
      src="/joyvl/clips/{scenario.clip.file}" aria-label="{alt}"></video>
    <canvas aria-hidden="true"></canvas>
  </div>
  <p class="jv-caption"></p>
  <div class="jv-voice" role="group" aria-label="{text("voice_bar")}">
    <button type="button" class="jv-icon jv-mic" aria-pressed="false">{text("mic_on")}</button>
    <span class="jv-meter" role="meter" aria-label="{text("meter")}"
      aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></span>
    <button type="button" class="jv-icon jv-talk" hidden>{text("talk")}</button>
    <label class="jv-hold"><input type="checkbox"> <span>{text("hold")}</span></label>
    <label>{text("voice")} <select class="jv-voices"></select></label>
    <label>{text("speed")} <select class="jv-speed"></select></label>
    <audio autoplay></audio>
    <p class="jv-hearing" aria-live="off"></p>
  </div>
  <p class="jv-said jv-hidden-text" aria-live="polite"></p>
  <p class="jv-alert jv-hidden-text" aria-live="assertive"></p>
  <div class="jv-timeline" tabindex="0" role="group" aria-label="{text("timeline")}. {text("timeline_help")}">
    <div class="jv-scroll"><div class="jv-length"><canvas aria-hidden="true"></canvas></div></div>
  </div>
  <p class="jv-why">{text("timeline_empty")}</p>
</section>"""


def _decider() -> str:
    return f"""
<p class="jv-decider"><label>{text("decided_by")} <select></select></label> <span class="jv-decider-why"></span></p>"""


def _conversation(scenario: Scenario) -> str:
    return f"""
<section class="jv-conversation" aria-label="{text("conversation")}">
  <h2>{text("conversation")}</h2>
  <ol class="jv-turns" tabindex="0" aria-label="{text("conversation")}"></ol>
  <p class="jv-empty">{text("conversation_empty")}</p>
</section>"""
