// The Rate page: choose a study, agree, watch two sides, answer three questions, and so on until the thank-you.

import * as api from './rating_api.js';
import { alarm, element } from './card.js';
import { Form } from './rate_form.js';
import { Players } from './players.js';
import { whenSeen } from './seen.js';
import { current, keep, kept, t } from './words.js';

const AGAIN = 1500; // milliseconds until the starter study is asked for again

export class Rating {
  constructor(root) {
    this.root = root;
    this.study = null;
    this.screen = '';
    document.addEventListener('keydown', (event) => this.key(event));
    addEventListener('pageshow', (event) => { if (event.persisted && this.item) this.go(); }); // the back button's old page
    whenSeen(root, () => this.choose());
  }

  // --- screens

  async choose() {
    this.leave();
    this.screen = 'choose';
    const page = await this.asked(() => api.page());
    if (this.screen !== 'choose') return; // somebody has gone on meanwhile
    if (!page || page.starter === 'preparing') this.timer = setTimeout(() => this.screen === 'choose' && this.choose(), AGAIN);
    if (!page) return;
    const wanted = new URLSearchParams(location.search).get('rate');
    const chosen = page.studies.find((study) => study.id === wanted && study.open);
    if (chosen && !this.arrived) { this.arrived = true; this.enter(chosen); return; }
    this.show('choose', element('h2', '', t('rate_title')), element('p', 'jv-lead', t('rate_lead')), ...this.told(page), this.list(page));
  }

  told(page) {
    const lines = [];
    if (page.refused) lines.push(alarm(page.refused));
    if (page.starter === 'preparing') lines.push(status(t('rate_preparing')));
    else if (page.starter && page.starter !== 'ready') lines.push(alarm(page.starter));
    else if (!page.studies.length && !page.refused) lines.push(status(t('rate_none')));
    return lines;
  }

  list(page) {
    const list = element('ul', 'jv-studies');
    for (const study of page.refused ? [] : page.studies) {
      const line = element('li');
      const about = element('p', 'jv-study-about', t('rate_about', { total: study.total - study.done, minutes: minutes(study.minutes) }));
      line.append(element('h3', 'jv-words', words(study.title)), study.completion ? this.code(study.completion) : about);
      if (!study.blind) about.append(` ${t('rate_not_blind')}`);
      if (!study.open) about.textContent = t('rate_closed');
      else line.append(button(t(study.completion ? 'rate_look' : study.joined ? 'rate_go_on' : 'rate_take_part'), () => this.enter(study), 'jv-primary'));
      list.append(line);
    }
    return list;
  }

  code(completion) {
    const line = element('p', 'jv-study-about', `${t('rate_completion')}: `);
    line.append(element('b', 'jv-words', completion));
    return line;
  }

  enter(study) {
    clearTimeout(this.timer);
    this.study = study;
    if (study.joined) this.go(); else this.agree();
  }

  agree(before = { agreed: false, code: new URLSearchParams(location.search).get('code') || '' }) {
    const { study } = this;
    const form = element('form', 'jv-agree');
    const agreed = Object.assign(element('input'), { type: 'checkbox', required: true, checked: before.agreed });
    const label = element('label', 'jv-check');
    label.append(agreed, ` ${t('rate_agree')}`);
    const code = Object.assign(element('input'), { type: 'text', maxLength: 64, required: study.code, autocomplete: 'off', value: before.code });
    form.append(element('h2', 'jv-words', words(study.title)), element('h3', '', t('rate_guide_title')),
      ...(study.blind ? [] : [element('p', 'jv-alert', t('rate_not_blind'))]), element('p', 'jv-words', study.guide ? words(study.guide) : t('rate_guide')), element('p', '', t('rate_keys')),
      element('h3', '', t('rate_consent_title')), element('p', 'jv-words', study.consent ? words(study.consent) : t('rate_consent')), label);
    if (study.code) { const asked = element('label', 'jv-code', `${t('rate_code')} `); asked.append(code); form.append(asked); }
    this.error = alarm('');
    form.append(Object.assign(button(t('rate_begin'), null, 'jv-primary'), { type: 'submit' }), button(t('rate_leave'), () => this.choose()), this.error);
    form.onsubmit = async (event) => {
      event.preventDefault();
      if (await this.asked(() => api.join(study.id, code.value))) this.go();
    };
    this.show('agree', form);
    this.entered = () => ({ agreed: agreed.checked, code: code.value });
    agreed.focus();
  }

  async go() {
    const told = await this.asked(() => api.next(this.study.id));
    if (!told) return;
    this.newest = told.item ? told.item.number : told.given;
    if (told.item) this.rate(told); else this.thank(told);
  }

  async back() {
    const number = (this.item ? this.item.number : this.newest) - 1;
    if (number < 0) return;
    const told = await this.asked(() => api.item(this.study.id, number));
    if (told) this.rate(told);
  }

  rate(told, draft = null) {
    this.leave();
    const { item } = told;
    this.item = item;
    this.draft = draft || load(item);
    this.players = new Players(item, this.draft.slots, { changed: () => this.played(), broken: () => this.broken() });
    this.form = new Form(item, this.draft, { submit: () => this.submit(), changed: () => this.keep() });
    this.error = alarm('');
    const head = element('header', 'jv-rate-head');
    const asked = element('div', 'jv-asked');
    asked.append(element('h2', '', t('rate_asked')), element('p', 'jv-instruction jv-words', item.instruction), this.players.user);
    head.append(asked, this.progress(told));
    if (item.practice) asked.append(element('p', 'jv-practice', t('rate_practice')));
    this.show('rate', head, this.players.root, this.players.bar, this.form.root, this.error, this.foot(item));
    this.looked = performance.now();
    this.played();
    this.players.button.focus({ preventScroll: true });
    this.root.scrollIntoView({ block: 'nearest' });
  }

  // Skipped items have numbers of their own, so the present one is counted by what is done.
  progress({ item, done, total, minutes: left }) {
    const values = { number: item.vote ? Math.min(item.number + 1, total) : done + 1, total, minutes: minutes(left) };
    const box = element('div', 'jv-progress');
    const bar = Object.assign(element('progress'), { max: total, value: done });
    bar.setAttribute('aria-label', t('rate_progress', values));
    box.append(element('span', '', t('rate_progress', values)), bar);
    return box;
  }

  foot(item) {
    const foot = element('footer', 'jv-rate-foot');
    foot.append(Object.assign(button(t('rate_back'), () => this.back()), { disabled: item.number < 1 }));
    if (item.number !== this.newest) foot.append(button(t('rate_forward'), () => this.go()));
    foot.append(button(t('rate_leave'), () => this.choose()), element('p', '', `${t('rate_keys')} ${t('rate_later')}`));
    return foot;
  }

  thank(told) {
    this.leave();
    const parts = [element('h2', '', t('rate_thanks'))];
    if (told.completion) {
      parts.push(element('p', '', t('rate_completion')), element('output', 'jv-completion jv-words', told.completion),
        button(t('rate_copy'), () => navigator.clipboard?.writeText(told.completion)));
    } else parts.push(element('p', '', t('rate_not_whole', { done: told.done, total: told.total })));
    this.show('thank', ...parts, button(t('rate_back'), () => this.back()), button(t('rate_leave'), () => this.choose()));
    parts[0].tabIndex = -1;
    parts[0].focus();
  }

  // --- while an item is open

  played() {
    const now = performance.now();
    if (!document.hidden) this.draft.spent = (this.draft.spent || 0) + Math.min(2, (now - this.looked) / 1000);
    this.looked = now;
    const { left } = this.players;
    const unlocked = left === 0 || Boolean(this.item.vote);
    this.form.unlock(unlocked, unlocked ? 0 : Math.ceil(left));
    if (this.players.playing) this.keep();
  }

  // What has been entered and played outlives a reload; of what is being corrected, nothing: the vote itself is the draft.
  keep() {
    Object.assign(this.draft, this.form.values, { slots: this.players.sides.map((side) => side.kept) });
    if (this.item.vote) return;
    keep(place(this.item), JSON.stringify(this.draft));
  }

  async submit() {
    if (this.sending || !this.form.complete) return;
    this.sending = true;
    this.form.busy(true);
    const { item } = this;
    const ballot = {
      ...this.form.values, assignment: item.assignment, submission: this.draft.submission, spent: this.draft.spent, device: device(),
      watched: this.players.watched, replaces: item.vote ? item.vote.revision : null,
    };
    const stored = await this.asked(() => api.vote(this.study.id, ballot), true);
    this.sending = false;
    if (stored) { keep(place(item), null); await this.go(); } else this.form.busy(false);
  }

  async broken() {
    const { item } = this;
    if (this.fault === item) return; // of the other side
    this.fault = item;
    const missing = await this.lost(item);
    if (this.item !== item) return;
    const line = alarm(missing || t('rate_broken'));
    const again = button(t('rate_retry'), () => this.go());
    const past = button(t('rate_skip'), async () => { if (await this.asked(() => api.skip(this.study.id, item.assignment).then(() => true))) this.go(); });
    line.append(' ', again, ...(item.vote ? [] : [past]));
    this.error.before(line);
  }

  // What the server says of the item's clips: nothing, when they are there.
  async lost(item) {
    for (const side of item.sides) {
      const reply = await fetch(side.media, { headers: { Range: 'bytes=0-1' } }).catch(() => null);
      if (!reply) return t('rate_server');
      if (!reply.ok) return (await reply.json().catch(() => ({}))).error || t('rate_server');
    }
    return '';
  }

  // Only what is typed on this page and into no field is a command; a focused button keeps its own keys.
  key(event) {
    const { target } = event;
    const here = target === document.body || this.root.contains(target) || target.getAttribute?.('role') === 'tab';
    if (!this.players || !this.root.offsetParent || !here || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(TEXTAREA|SELECT)$/.test(target.tagName) || (target.tagName === 'INPUT' && !/^(radio|range)$/.test(target.type))) return;
    const onButton = target.tagName === 'BUTTON';
    const onSlider = target === this.players.scrub || target.type === 'radio' || target.getAttribute?.('role') === 'tab';
    if (event.key === ' ' && !onButton) { event.preventDefault(); if (!event.repeat) this.players.toggle(); }
    if (event.key === 'ArrowLeft' && !onSlider) { event.preventDefault(); this.players.seek(this.players.time - 2); }
    if (event.key === 'ArrowRight' && !onSlider) { event.preventDefault(); this.players.seek(this.players.time + 2); }
    if (/^[1-4]$/.test(event.key)) { event.preventDefault(); this.form.answer(Number(event.key) - 1); }
    const submits = event.key === 'Enter' && this.form.complete && (!onButton || target === this.players.button);
    if (submits) { event.preventDefault(); if (!event.repeat) this.submit(); }
    if (event.key === 'a') this.players.hear(0);
    if (event.key === 'd') this.players.hear(1);
  }

  // --- helpers

  // What the server answers; its refusal stands in the page, and nothing that was entered is lost. A vote that was given in
  // another tab meanwhile ends this item.
  async asked(question, voting = false) {
    try {
      return await question();
    } catch (fault) {
      const message = fault.message || t('rate_server');
      if (voting && fault.status === 409) { await this.go(); this.say(message); return null; }
      this.say(message);
      return null;
    }
  }

  say(message) {
    if (!this.error || !this.error.isConnected) { this.error = alarm(''); this.root.append(this.error); }
    this.error.textContent = message;
  }

  show(screen, ...parts) {
    this.screen = screen;
    this.root.replaceChildren(...parts);
  }

  relabel() {
    if (this.screen === 'agree') this.agree(this.entered());
    else if (this.screen === 'thank') this.go();
    else if (this.screen === 'rate') this.redraw();
    else if (this.screen) this.choose();
  }

  async redraw() {
    this.keep();
    const { draft, item } = this;
    const told = await this.asked(() => (item.vote ? api.item(this.study.id, item.number) : api.next(this.study.id)));
    if (told?.item) this.rate(told, told.item.assignment === item.assignment ? draft : null);
    else if (told) this.thank(told);
  }

  leave() {
    clearTimeout(this.timer);
    this.players?.close();
    this.players = this.item = null;
  }
}

const place = (item) => `joyvl-rate-${item.assignment}`;
const minutes = (value) => Math.max(1, Math.round(value));
const words = (text) => text[current()] || text.en;
const status = (text) => { const line = element('p', 'jv-told', text); line.setAttribute('role', 'status'); return line; };

// What was begun before a reload. A vote keeps its form until it is stored; a correction is a form of its own.
function load(item) {
  let before = null;
  try { before = item.vote ? null : JSON.parse(kept(place(item))); } catch { /* a draft of another make */ }
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const submission = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return { submission, spent: 0, ...item.vote, ...before };
}

function device() {
  if (!matchMedia('(pointer: coarse)').matches) return 'desktop';
  return Math.min(screen.width, screen.height) < 600 ? 'phone' : 'tablet';
}

function button(label, onClick, kind = '') {
  return Object.assign(element('button', `jv-icon ${kind}`.trim(), label), { type: 'button', onclick: onClick });
}
