// A delegated question as a card: its state, its steps, leave to act, its answer as Markdown with pictures.

import { clock, t } from './words.js';

const MOST_STEPS = 40;

export class Card {
  // `item` is the card's place in the conversation; `send` tells the session, `picture` gives a second's address or nothing.
  constructor(item, event, { send, picture, grew }) {
    Object.assign(this, { id: event.id, send, picture, grew, t0: performance.now(), running: true, requests: new Map() });
    this.state = element('span', 'jv-card-state');
    this.step = element('span', 'jv-card-step');
    this.cancel = button('jv-card-button', t('cancel'), () => send({ cancel: event.id }));
    this.steps = element('ol');
    this.history = element('details', 'jv-card-steps');
    this.history.append(element('summary', '', t('card_steps')), this.steps);
    this.history.hidden = true;
    this.asking = element('div', 'jv-card-asking');
    this.asking.setAttribute('aria-live', 'assertive');
    this.tell = button('jv-card-button', t('card_tell'), () => { send({ tell: event.id }); this.tell.hidden = true; });
    this.tell.hidden = true;
    this.body = element('div', 'jv-card-body');
    const line = element('div', 'jv-card-line');
    line.append(this.state, this.step, this.cancel, this.tell);
    item.append(line, this.asking, this.body, this.history);
  }

  changed(event) {
    this.running = event.state === 'submitted' || event.state === 'running';
    if (event.state === 'running' && event.detail) this.noteStep(event.detail);
    this.cancel.hidden = !this.running;
    if (this.running) { this.tick(); return; }
    this.step.textContent = '';
    this.state.textContent = t(`delegation_${event.state}`);
    this.asking.replaceChildren();
  }

  noteStep(step) {
    this.step.textContent = step;
    if (this.steps.childElementCount >= MOST_STEPS) return;
    this.steps.append(element('li', '', step));
    this.history.hidden = false;
  }

  answered(event) {
    if (event.state === 'spoken') { this.state.textContent = t('delegation_spoken'); this.tell.hidden = true; return; }
    this.tell.hidden = !event.offered;
    if (event.card) show(this.body, event.card);
    for (const at of event.frames || []) this.addPicture(at);
  }

  addPicture(at) {
    const address = this.picture(at);
    if (!address) return;
    const picture = element('img', 'jv-card-picture');
    picture.alt = t('card_picture', { time: clock(at) });
    picture.title = picture.alt;
    picture.loading = 'lazy';
    picture.onerror = () => picture.remove(); // gone from the memory meanwhile
    picture.onload = this.grew; // it had no height before
    picture.src = address;
    this.body.append(picture);
  }

  permission(event) {
    this.requests.get(event.request)?.remove();
    this.requests.delete(event.request);
    const action = event.action.replaceAll('_', ' ');
    if (event.state !== 'asked') { this.noteStep(t(`permission_${event.state}`, { action })); return; }
    const asked = element('div', 'jv-permission');
    const say = (granted) => () => this.send({ allow: { id: event.id, request: event.request, granted } });
    asked.append(element('p', '', t('permission_asks', { action })), element('pre', '', event.details),
      button('jv-card-button', t('permission_allow'), say(true)), button('jv-card-button', t('permission_refuse'), say(false)),
      element('span', 'jv-card-step', `${Math.round(event.seconds)} s`));
    this.requests.set(event.request, asked);
    this.asking.append(asked);
  }

  settle() { // the session has ended: what was still being looked into stays unanswered
    if (this.running) this.changed({ state: 'cancelled' });
    this.tell.hidden = true;
  }

  tick() {
    this.state.textContent = t('delegation_running', { seconds: Math.round((performance.now() - this.t0) / 1000) });
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.running && this.tick(), 1000);
  }
}

// Markdown without HTML and without pictures of other servers; links lead away, so they say where and tell nothing of this page.
let markdown = null;
function show(place, text) {
  if (!markdown && window.markdownit) {
    markdown = window.markdownit({ html: false, linkify: false, breaks: true }).disable(['image']);
    markdown.validateLink = (address) => /^https?:/i.test(address);
    markdown.renderer.rules.link_open = (tokens, index, options, env, self) => {
      tokens[index].attrSet('target', '_blank');
      tokens[index].attrSet('rel', 'noopener noreferrer nofollow');
      tokens[index].attrSet('title', tokens[index].attrGet('href'));
      return self.renderToken(tokens, index, options);
    };
  }
  if (markdown) place.innerHTML = markdown.render(text); else place.textContent = text;
}

function button(className, text, onClick) {
  const made = element('button', className, text);
  made.type = 'button';
  made.onclick = onClick;
  return made;
}

export function element(tag, className, text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text; // never HTML: what was seen or heard is data
  return made;
}

// What went wrong, said at once by a screen reader.
export function alarm(text) {
  const line = element('p', 'jv-alert', text);
  line.setAttribute('role', 'alert');
  return line;
}
