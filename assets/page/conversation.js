// What was said, by whom and when. It scrolls by itself only while the reader is at its end.

import { Card, element } from './card.js';
import { clock, t } from './words.js';

const MOST = 500;
const NEAR = 24; // pixels from the end that still count as the end

export class Conversation {
  constructor(section, session) {
    this.list = section.querySelector('.jv-turns');
    this.empty = section.querySelector('.jv-empty');
    this.session = session; // how a card reaches it
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

  delegation(event) { this.card(event).changed(event); this.toEnd(); }

  permission(event) { this.cards.get(event.id)?.permission(event); this.toEnd(); }

  answer(event) { this.cards.get(event.id)?.answered(event); this.toEnd(); }

  settle() { this.cards.forEach((card) => card.settle()); }

  card(event) {
    const known = this.cards.get(event.id);
    if (known) return known;
    const card = new Card(this.add(event.t, '◇', event.question, 'delegation'), event, { ...this.session, grew: () => this.toEnd() });
    this.cards.set(event.id, card);
    if (this.cards.size > MOST) this.cards.delete(this.cards.keys().next().value);
    return card;
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
