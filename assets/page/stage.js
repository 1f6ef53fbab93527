// One tab: its source, its session, and everything that shows what the session does.

import * as api from './api.js';
import { Conversation } from './conversation.js';
import { keepsPictures } from './memory.js';
import { Overlay } from './overlay.js';
import { openSource, Sender, SourceError } from './stream.js';
import { Timeline } from './timeline.js';
import { VoiceBar } from './voice.js';
import { clock, current, t } from './words.js';

const TYPING_MS = 900;
const DOTS = { idle: '○', watching: '●', listening: '◉', speaking: '▶', blind: '◌', paused: '❚❚', stopped: '■', error: '!', replay: '▤' };

export class Stage {
  constructor(scenario, { decider, voice }) {
    const find = (name) => document.getElementById(`${name}-${scenario.id}`);
    const root = find('stage');
    Object.assign(this, { scenario, page: decider, decider: decider.name, find, root, id: null, paused: false, source: 'sample', times: [] });
    this.video = root.querySelector('video');
    this.overlay = new Overlay(root.querySelector('.jv-picture'));
    this.conversation = new Conversation(find('conversation'), {
      send: (changes) => this.send(changes), picture: (second) => this.running && api.pictureAddress(this.id, second) });
    this.timeline = new Timeline(root.querySelector('.jv-timeline'), root.querySelector('.jv-why'),
      (second) => this.conversation.jumpTo(second));
    this.voice = new VoiceBar(root, voice, { send: (changes) => this.send(changes), tell: (text) => this.tell(text) });
    this.video.addEventListener('ended', () => this.clipEnded());
    this.state('idle');
    this.controls();
    this.deciders();
  }

  get running() { return this.id !== null; }

  // --- what the controls do ----------------------------------------------------------------------------------

  choose(kind) {
    this.source = kind;
    if (kind === 'upload') this.pickFile('video/*', (file) => {
      if (this.upload) URL.revokeObjectURL(this.upload);
      this.upload = URL.createObjectURL(file);
    });
  }

  async start() {
    if (this.running || this.starting) return;
    this.starting = true;
    this.controls();
    try {
      if (this.source === 'upload' && !this.upload) return this.choose('upload');
      this.clear();
      this.state(this.source === 'camera' || this.source === 'screen' ? 'asking' : 'connecting');
      const clip = this.source === 'upload' ? this.upload : `/joyvl/clips/${this.scenario.clip.file}`;
      const stream = this.opened = await openSource(this.source, this.video, clip); // a permission may take its time
      const seat = await this.openSession();
      this.opened = null;
      this.id = this.lastId = seat.id;
      this.epoch = seat.epoch;
      this.watchTracks(stream);
      this.events = api.follow(seat.id, this.listeners());
      this.sender = new Sender(seat.id, stream, this.video, {
        onMode: (mode) => this.mode(mode), onVoice: (track) => this.voice.play(track), microphone: this.voice.microphone.track });
      this.voice.join(this.sender);
    } catch (error) {
      this.fail(error);
    } finally {
      this.starting = false;
      this.controls();
    }
  }

  openSession() {
    return api.open({ scenario: this.scenario.id, instruction: this.typed('instruction'), language: current(),
      sensitivity: Number(this.find('sensitivity').querySelector('input').value), source: this.source, decider: this.find('decider').querySelector('select').value,
      pictures: keepsPictures(), ...this.voice.wishes() });
  }

  async pause() {
    if (!this.running) return;
    this.paused = !this.paused;
    if (this.sender) this.sender.hold(this.paused);
    if (!this.video.srcObject) { if (this.paused) this.video.pause(); else await this.video.play(); }
    await this.send({ action: this.paused ? 'pause' : 'resume' });
    this.controls();
  }

  async stop() {
    if (this.running) await this.send({ action: 'stop' });
    this.end();
  }

  clear() {
    this.conversation.clear();
    this.timeline.clear();
    this.caption('');
    this.find('understood').firstElementChild.textContent = '';
  }

  instruct(text) {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.running && this.send({ instruction: text }), TYPING_MS);
  }

  // A preset fills the box: in place of the scenario's own text, after what the user wrote. It takes effect like typing.
  preset(number, text) {
    const words = this.scenario.presets[number].text[current()];
    const own = Object.values(this.scenario.instruction).includes(text.trim()) || !text.trim();
    const filled = own ? words : text.includes(words) ? text : `${text.trim()}\n${words}`;
    this.instruct(filled);
    return filled;
  }

  async say(text) {
    if (!text.trim()) return text;
    if (!this.running || this.paused) { this.tell(t(this.paused ? 'ask_paused' : 'ask_idle')); return text; }
    try { await api.say(this.id, text); return ''; } catch (error) { this.fail(error, false); return text; }
  }

  lean(value) { if (this.running) this.send({ sensitivity: Number(value) }); }

  hush() { this.voice.hush(); if (this.running) this.send({ action: 'interrupt' }); }

  download() {
    if (!this.lastId) return;
    const link = document.createElement('a');
    link.href = api.logAddress(this.lastId);
    link.download = '';
    link.click();
  }

  // A log rebuilds the page: the same events through the same functions.
  replay() {
    this.pickFile('.jsonl,application/json', async (file) => {
      const lines = (await file.text()).split('\n').filter((line) => line.trim());
      try {
        const events = lines.map((line) => JSON.parse(line));
        if (events[0].type !== 'header') throw new Error('no header');
        await this.stop();
        this.clear();
        events.forEach((event) => this.take(event));
        this.state('replay', file.name);
      } catch { this.state('error', t('error_log')); }
    });
  }

  async send(changes) {
    if (!this.running) return;
    try { await api.change(this.id, changes); return true; } catch (error) { this.fail(error, false); return false; }
  }

  // Which deciders there are, and why this one was taken; another may take over at any time.
  deciders() {
    const select = this.find('decider').querySelector('select');
    select.replaceChildren(...this.page.offered.map((name) => new Option(name, name)));
    select.value = this.decider;
    select.disabled = this.page.offered.length < 2;
    select.onchange = async () => {
      if (!this.running) return this.decidedBy(select.value);
      if (!(await this.send({ decider: select.value }))) select.value = this.decider; // refused: the present one goes on
    };
    this.why();
  }

  decidedBy(name, detail = '') {
    this.decider = name;
    this.find('decider').querySelector('select').value = name;
    this.why(detail);
    this.pulse(name);
  }

  why(detail = '') {
    const { name, reason, values } = this.page;
    this.find('decider').querySelector('.jv-decider-why').textContent = detail || (this.decider === name ? t(`why_${reason}`, values) : t('why_user'));
  }

  // --- what the session does -----------------------------------------------------------------------------------

  listeners() {
    return {
      onEvent: (event) => this.take(event),
      onLost: (forGood) => (forGood ? this.fail(new Error('server')) : this.state('reconnecting')),
      onBack: () => this.state(this.lastState || 'watching'),
      onEnd: () => this.end(),
    };
  }

  take(event) {
    if (event.type === 'decision') this.decision(event);
    else if (event.type === 'spoken') this.spoken(event);
    else if (event.type === 'heard') this.conversation.heard(event);
    else if (event.type === 'instruction') this.instruction(event);
    else if (event.type === 'delegation') this.conversation.delegation(event);
    else if (event.type === 'answer') this.conversation.answer(event);
    else if (event.type === 'permission') this.conversation.permission(event);
    else if (event.type === 'state') this.told(event);
    else if (event.type === 'saying') this.saying(event);
    else if (event.type === 'hearing') this.voice.caption(event.text);
    else if (event.type === 'adjusted') this.adjusted(event);
    else if (event.type === 'draft') { this.drafted = true; this.caption(event.text); }
    else if (event.type === 'decider') this.decidedBy(event.name, event.detail);
  }

  decision(event) {
    this.timeline.add(event);
    if (this.drafted && event.action === 'silence') this.caption(''); // what was being written was taken back
    this.drafted = false;
    this.overlay.show(event.evidence.boxes, event.t, (event.age_ms || 0) / 1000);
    this.times.push(event.t);
    if (this.times.length > 10) this.times.shift();
    const span = this.times.at(-1) - this.times[0];
    const rate = span > 0 ? (this.times.length - 1) / span : 1;
    const age = `${t('age')} ${((event.age_ms || 0) / 1000).toFixed(1)} s`; // from the picture's capture to its decision
    this.pulse(`${this.decider} · ${Math.round(event.decision_ms)} ms · ${age} · ${rate.toFixed(1)}/s`);
    if (this.epoch) this.pageDelay = Date.now() / 1000 - this.epoch - event.t - event.decision_ms / 1000;
    this.urgent = event.urgent ? event.text : '';
  }

  // It begins to sound: the caption does not wait for the end of it.
  saying(event) {
    this.drafted = false;
    this.caption(event.text, clock(event.decision_t));
    this.conversation.saying(event);
    this.announce(event);
    this.voice.saying(event);
  }

  spoken(event) {
    this.conversation.spoken(event);
    if (event.unsaid !== event.text) this.caption(event.text, clock(event.decision_t));
    if (event.cut) this.voice.hush();
    this.announce(event);
  }

  // For screen readers; the same words in the same place are not announced twice.
  announce(event) {
    const line = this.root.querySelector(event.text === this.urgent ? '.jv-alert' : '.jv-said');
    if (line.textContent !== event.text) line.textContent = event.text;
  }

  adjusted(event) {
    this.find('sensitivity').querySelectorAll('input').forEach((input) => write(input, event.sensitivity));
    this.voice.adjusted(event);
    this.tell(t('adjusted', { sensitivity: event.sensitivity, volume: Math.round(event.volume * 100), speed: event.speed }));
  }

  instruction(event) {
    const box = this.find('instruction').querySelector('textarea');
    if (box.value.trim() !== event.text && document.activeElement !== box) write(box, event.text);
    this.tell(t('takes_effect', { time: clock(Math.ceil(event.t)) }));
  }

  told(event) {
    if (event.name === 'notice') {
      if (/^(Watching for|正在留意)/.test(event.detail)) this.tell(`${this.find('understood').innerText.split('\n')[0]}\n${event.detail}`);
      else this.conversation.notice(event);
      return;
    }
    if (event.name === 'stopped' && !this.running) return;
    this.lastState = event.name;
    if (event.name === 'blind') this.blindSince = performance.now();
    this.state(event.name, event.name === 'error' ? event.detail : '');
  }

  mode(mode) {
    this.voice.connected(mode);
    if (mode === 'pictures') this.conversation.notice({ t: this.timeline.cells.length, detail: t('pictures_only') });
    if (mode === 'reconnecting') this.state('reconnecting');
    else if (this.lastState) this.state(this.lastState);
    this.root.dataset.mode = mode;
  }

  watchTracks(stream) {
    const track = stream.getVideoTracks()[0];
    if (this.video.srcObject && track) track.addEventListener('ended', () => this.running && this.stop().then(() => this.state('error', t('error_lost'))));
  }

  async clipEnded() {
    if (!this.running || this.video.srcObject) return;
    await new Promise((done) => { setTimeout(done, 1200); }); // the last second is still being decided
    if (!this.running) return;
    await this.stop();
    this.state('stopped', t('clip_ended'));
  }

  end() {
    this.voice.leave();
    if (this.sender) this.sender.close();
    else if (this.opened && this.video.srcObject) this.opened.getTracks().forEach((track) => track.stop());
    this.opened = null;
    if (this.events) this.events.close();
    Object.assign(this, { id: null, sender: null, events: null, paused: false, lastState: null });
    this.conversation.settle();
    if (!this.video.srcObject) this.video.pause();
    this.overlay.show([]);
    if (this.shown !== 'error') this.state('stopped');
    this.controls();
  }

  fail(error, ends = true) {
    const words = error instanceof SourceError ? t(error.message) : error instanceof api.Refused ? error.message : t('error_server');
    if (ends) { this.shown = 'error'; this.end(); this.state('error', words); } else this.tell(words);
  }

  // --- showing ---------------------------------------------------------------------------------------------------

  state(name, detail = '') {
    this.shown = name;
    clearInterval(this.counting);
    this.root.dataset.state = name;
    this.root.querySelector('.jv-dot').textContent = DOTS[name] || '◐';
    this.root.querySelector('.jv-state-name').textContent = t(`state_${name}`);
    const line = this.root.querySelector('.jv-state-detail');
    line.textContent = detail;
    const seconds = this.root.querySelector('.jv-seconds'); // outside the live region: it changes every second
    seconds.textContent = '';
    if (name === 'blind') {
      const count = () => { seconds.textContent = t('blind_since', { seconds: Math.round(3 + (performance.now() - this.blindSince) / 1000) }); };
      count();
      this.counting = setInterval(count, 1000);
    }
    if (name === 'idle' || name === 'stopped') this.pulse(this.decider);
  }

  relabel() {
    this.send({ language: current() });
    this.state(this.shown, ''); this.controls(); this.why(); this.voice.label(); this.timeline.draw();
  }

  pulse(text) { this.root.querySelector('.jv-pulse').textContent = text; }

  caption(text, at = '') {
    const line = this.root.querySelector('.jv-caption');
    line.textContent = text;
    if (at) line.dataset.time = at; else delete line.dataset.time;
  }

  tell(text) { this.find('understood').querySelector('.jv-understood').textContent = text; }

  typed(name) { return this.find(name).querySelector('textarea').value; }

  controls() {
    const busy = this.running || this.starting;
    enable(this.find('start'), !busy);
    enable(this.find('pause'), this.running);
    enable(this.find('stop'), this.running);
    enable(this.find('download'), Boolean(this.lastId));
    this.find('pause').textContent = t(this.paused ? 'resume' : 'pause');
  }

  pickFile(accept, use) {
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', accept });
    input.onchange = () => input.files.length && use(input.files[0]);
    input.click();
  }
}

function enable(button, yes) {
  button.disabled = !yes;
  button.classList.toggle('jv-off', !yes);
}

// Setting a Svelte-bound field: its own input event tells Gradio, but must not come back to us as typing.
function write(box, text) {
  box.value = text;
  box.dispatchEvent(new Event('input', { bubbles: true }));
}
