// What was said, by whom and when. It scrolls by itself only while the reader is at its end.

import { clock, t } from './words.js';

const MOST = 500;
const NEAR = 24; // pixels from the end that still count as the end

export class Conversation {
  constructor(section, onCancel) {
    this.list = section.querySelector('.jv-turns');
    this.empty = section.querySelector('.jv-empty');
    this.onCancel = onCancel;
    this.cards = new Map();
    this.following = true;
    this.list.addEventListener('scroll', () => {
      this.following = this.list.scrollTop + this.list.clientHeight >= this.list.scrollHeight - NEAR;
    }, { passive: true });
  }

  toEnd() { if (this.following) this.list.scrollTop = this.list.scrollHeight; }

  clear() { this.list.replaceChildren(); this.cards.clear(); this.sounding = null; this.empty.hidden = false; }

  // It begins to sound: it stands here at once, not when it is over.
  saying(event) { this.sounding = { key: keyOf(event), item: this.add(event.decision_t, '▶', event.text, 'spoken') }; }

  // What was interrupted stays legible: said, then what was left unsaid.
  spoken(event) {
    const known = this.sounding && this.sounding.key === keyOf(event) ? this.sounding.item : null;
    const item = known || this.add(event.decision_t, '▶', event.text, 'spoken');
    this.sounding = null;
    if (!event.cut) return;
    item.classList.replace('jv-spoken', 'jv-cut');
    if (!event.unsaid) return;
    const said = event.text.endsWith(event.unsaid) ? event.text.slice(0, event.text.length - event.unsaid.length) : '';
    const line = item.querySelector('span');
    line.replaceChildren(said, element('s', '', said ? event.unsaid : event.text));
  }

  heard(event) {
    const item = this.add(event.t, event.role === 'user' ? t('you') : '♪', event.text, 'heard');
    if (event.intent) item.append(element('span', 'jv-intent', t(`intent_${event.intent}`))); // what it was taken for
    this.toEnd();
  }

  notice(event) { this.add(event.t, '·', event.detail, 'notice'); }

  delegation(event) {
    const card = this.cards.get(event.id) || this.newCard(event);
    const running = event.state === 'submitted' || event.state === 'running';
    card.running = running;
    if (event.state === 'running' && event.detail) card.step.textContent = event.detail;
    card.cancel.hidden = !running;
    if (running) this.tick(card); else card.state.textContent = t(`delegation_${event.state}`);
    this.toEnd();
  }

  // The session has ended: what was still being looked into stays unanswered.
  settle() {
    for (const card of this.cards.values()) {
      if (card.running) { card.running = false; card.cancel.hidden = true; card.state.textContent = t('delegation_cancelled'); }
    }
  }

  answer(event) {
    const card = this.cards.get(event.id);
    if (card && event.card) card.body.textContent = event.card;
    this.toEnd();
  }

  newCard(event) {
    const item = this.add(event.t, '◇', event.question, 'delegation');
    const card = { t0: performance.now(), state: element('span', 'jv-card-state'), step: element('span', 'jv-card-step'),
      body: element('div', 'jv-card-body'), cancel: element('button', 'jv-card-cancel', t('cancel')) };
    card.cancel.type = 'button';
    card.cancel.onclick = () => this.onCancel(event.id);
    const line = element('div', 'jv-card-line');
    line.append(card.state, card.step, card.cancel);
    item.append(line, card.body);
    this.cards.set(event.id, card);
    if (this.cards.size > MOST) this.cards.delete(this.cards.keys().next().value);
    return card;
  }

  tick(card) {
    card.state.textContent = t('delegation_running', { seconds: Math.round((performance.now() - card.t0) / 1000) });
    clearTimeout(card.timer);
    card.timer = setTimeout(() => card.running && this.tick(card), 1000);
  }

  add(seconds, mark, text, kind) {
    const item = element('li', `jv-turn jv-${kind}`);
    item.dataset.t = seconds;
    item.append(element('time', '', clock(seconds)), element('b', '', mark), element('span', '', text));
    this.list.append(item);
    while (this.list.childElementCount > MOST) this.list.firstElementChild.remove();
    this.empty.hidden = true;
    this.toEnd();
    return item;
  }

  jumpTo(seconds) {
    const items = [...this.list.children];
    const near = items.reduce((best, item) =>
      (!best || Math.abs(item.dataset.t - seconds) < Math.abs(best.dataset.t - seconds) ? item : best), null);
    if (!near) return;
    this.list.scrollTop = near.offsetTop - this.list.offsetTop - this.list.clientHeight / 3;
    items.forEach((item) => item.classList.toggle('jv-chosen', item === near));
  }
}

const keyOf = (event) => `${event.decision_t} ${event.text}`;

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text; // never HTML: what was seen or heard is data
  return made;
}
