// The page comes alive: words, stages, keys. Gradio's controls call window.joyvl.act(scenario, action, ...values).

import * as api from './api.js';
import * as label from './label.js';
import * as memory from './memory.js';
import * as rating from './rate_main.js';
import { Stage } from './stage.js';
import * as words from './words.js';

const stages = new Map();
let rate = null;
let labels = null;

window.joyvl = {
  stages,
  act(scenario, action, ...values) {
    const stage = stages.get(scenario);
    const result = stage ? stage[action](...values) : undefined;
    return result === undefined ? values.at(-1) : result;
  },
};

boot();

async function boot() {
  const page = await askUntilAnswered();
  const extra = Object.values(page.scenarios).flatMap((scenario) =>
    [scenario.title, scenario.clip.alt, ...scenario.presets.map((preset) => preset.label)]);
  words.load(page.text, extra);
  words.switchTo(words.preferred());
  await Promise.all(Object.values(page.scenarios).map((scenario) => settle(scenario, page)));
  header();
  memory.open(page, stages);
  rate = await rating.open();
  labels = await label.open();
  document.addEventListener('keydown', keys);
  document.addEventListener('keyup', released);
  addEventListener('pagehide', () => stages.forEach((stage) => stage.running && api.leave(stage.id)));
  document.body.dataset.joyvl = 'ready';
}

async function askUntilAnswered() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try { return await api.page(); } catch { await new Promise((done) => { setTimeout(done, wait); }); }
  }
}

// Gradio mounts a tab when it likes; its stage is made as soon as all its parts are there.
async function settle(scenario, page) {
  const parts = ['stage', 'decider', 'conversation', 'instruction', 'start', 'pause', 'stop', 'download', 'understood', 'ask'];
  while (!parts.every((name) => document.getElementById(`${name}-${scenario.id}`))) {
    await new Promise((done) => { requestAnimationFrame(done); });
  }
  stages.set(scenario.id, new Stage(scenario, page));
  words.exchange(document.body);
  localise(scenario);
}

// The scenario's own instruction follows the language until the user has written another.
function localise(scenario) {
  const box = document.querySelector(`#instruction-${scenario.id} textarea`);
  if (Object.values(scenario.instruction).includes(box.value.trim())) {
    box.value = scenario.instruction[words.current()];
    box.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

function header() {
  const button = (name) => document.getElementById(`jv-${name}`);
  button('boxes').setAttribute('aria-pressed', 'true');
  button('boxes').onclick = toggleBoxes;
  button('dark').onclick = () => { document.body.classList.toggle('dark'); theme(button('dark')); };
  button('language').onclick = () => {
    words.switchTo(words.current() === 'zh' ? 'en' : 'zh');
    stages.forEach((stage) => { stage.relabel(); localise(stage.scenario); });
    memory.relabel();
    rate?.relabel();
    labels?.relabel();
    theme(button('dark'));
  };
  button('help').onclick = () => {
    const keysLine = document.getElementById('jv-keys');
    keysLine.hidden = !keysLine.hidden;
    button('help').setAttribute('aria-pressed', String(!keysLine.hidden));
  };
  theme(button('dark'));
}

function theme(button) {
  const dark = document.body.classList.contains('dark');
  button.textContent = words.t(dark ? 'light' : 'dark');
  button.setAttribute('aria-pressed', String(dark));
  stages.forEach((stage) => stage.timeline.draw());
}

function toggleBoxes() {
  const off = document.body.classList.toggle('jv-no-boxes');
  document.getElementById('jv-boxes').setAttribute('aria-pressed', String(!off));
  stages.forEach((stage) => stage.overlay.draw());
}

function visibleStage() {
  return [...stages.values()].find((stage) => stage.root.offsetParent !== null);
}

function keys(event) {
  const stage = visibleStage();
  if (!stage || event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && !/^(checkbox|range)$/.test(event.target.type);
  if (event.key === 'Escape') { stage.hush(); event.target.blur(); }
  if (typing) return;
  const onButton = /^(BUTTON|A|SUMMARY|INPUT)$/.test(event.target.tagName) || event.target.getAttribute('role') === 'tab';
  if (event.key === ' ' && !onButton) { event.preventDefault(); if (stage.running) stage.pause(); else stage.start(); }
  if (event.key === '/') { event.preventDefault(); document.querySelector(`#ask-${stage.scenario.id} textarea`).focus(); }
  if (event.key === 'b') toggleBoxes();
  if (event.repeat) return;
  if (event.key === 'm') stage.voice.mute();
  if (event.key === 'v') stage.voice.microphone.toggle();
  if (event.code === 'KeyT') stage.voice.microphone.talk(true);
}

function released(event) {
  if (event.code === 'KeyT') stages.forEach((stage) => stage.voice.microphone.talk(false));
}
