// Three questions with four answers each; locked until both sides have played.

import { element } from './card.js';
import { t } from './words.js';

const ASKED = { quality: 'rate_quality', timing: 'rate_timing', overall: 'rate_overall' };
const TOLD = { left: 'rate_left', right: 'rate_right', tie: 'rate_tie', both_bad: 'rate_both_bad' };
const QUESTIONS = Object.keys(ASKED);
const ANSWERS = Object.keys(TOLD);

export class Form {
  constructor(item, draft, { submit, changed }) {
    this.item = item;
    this.chosen = Object.fromEntries(QUESTIONS.map((name) => [name, draft[name] || '']));
    this.changed = changed;
    this.root = element('form', 'jv-questions');
    this.told = element('p', 'jv-told');
    this.status = element('p', 'jv-hidden-text'); // for screen readers: what changed, not every second of the countdown
    this.status.setAttribute('role', 'status');
    this.sets = QUESTIONS.map((name) => this.question(name));
    this.comment = Object.assign(element('textarea'), { maxLength: 1000, rows: 1, value: draft.comment || '', oninput: changed });
    const label = element('label', 'jv-comment', t('rate_comment'));
    label.append(this.comment);
    this.button = Object.assign(element('button', 'jv-icon jv-primary', t(item.vote ? 'rate_change' : 'rate_submit')), { type: 'submit' });
    this.root.append(this.told, this.status, ...this.sets, label, this.button);
    this.root.onsubmit = (event) => { event.preventDefault(); submit(); };
  }

  get values() { return { ...this.chosen, comment: this.comment.value }; }

  get complete() { return this.unlocked && QUESTIONS.every((name) => this.chosen[name]); }

  question(name) {
    const set = Object.assign(element('fieldset', 'jv-question'), { disabled: true });
    set.append(element('legend', '', t(ASKED[name])));
    ANSWERS.forEach((answer, number) => {
      const radio = Object.assign(element('input'), { type: 'radio', name: `${name}-${this.item.assignment}`, value: answer });
      radio.checked = this.chosen[name] === answer;
      radio.onchange = () => this.choose(name, answer);
      const label = element('label', 'jv-answer');
      label.append(radio, element('kbd', '', String(number + 1)), element('span', '', t(TOLD[answer])));
      set.append(label);
    });
    return set;
  }

  unlock(on, seconds) {
    const state = on ? `open ${this.complete}` : seconds;
    if (state === this.state) return;
    this.state = state;
    this.unlocked = on;
    for (const set of this.sets) set.disabled = !on;
    this.button.disabled = !this.complete;
    this.told.textContent = on ? t(this.complete ? 'rate_ready' : 'rate_open') : t('rate_locked', { seconds });
    if (on && this.status.textContent !== this.told.textContent) this.status.textContent = this.told.textContent;
    this.here();
  }

  // The keys answer the question at hand: the one in focus, else the first that has no answer, else the last.
  answer(number) {
    if (!this.unlocked) return;
    const focused = this.sets.findIndex((set) => set.contains(document.activeElement));
    const open = QUESTIONS.findIndex((name) => !this.chosen[name]);
    const place = focused >= 0 ? focused : open >= 0 ? open : this.last ?? QUESTIONS.length - 1;
    this.choose(QUESTIONS[place], ANSWERS[number]);
    this.sets[place].querySelectorAll('input')[number].checked = true;
    this.last = place;
    const next = this.sets[place + 1];
    if (focused >= 0 && next) next.querySelector('input').focus();
  }

  choose(name, answer) {
    this.chosen[name] = answer;
    this.state = null;
    this.unlock(true, 0);
    this.changed(); // a draft is kept
  }

  here() {
    const open = QUESTIONS.findIndex((name) => !this.chosen[name]);
    this.sets.forEach((set, place) => set.classList.toggle('jv-here', this.unlocked && place === open));
  }

  busy(on) {
    this.button.disabled = on || !this.complete;
    this.button.textContent = on ? t('rate_sending') : t(this.item.vote ? 'rate_change' : 'rate_submit');
  }
}
