// Two clips with one clock and one scrub bar, and how much of each has really been played.

import { element } from './card.js';
import { clock, t } from './words.js';

const SLOT = 0.25; // seconds: what counts as played is counted in these
const DRIFT = 0.015, APART = 0.2; // seconds: from here on the follower is nudged, or one waits for the other
const BEFORE_GAP = 0.5; // seconds before what has not been seen yet
const SHOWN = 3; // turns under a picture

export class Players {
  // `item` as the server gives it, `kept` the slots played before a reload; `changed` is called when more has been played.
  constructor(item, kept, { changed, broken }) {
    Object.assign(this, { item, changed, playing: false, held: new Set() });
    this.sides = item.sides.map((side, number) => new Side(side, number, kept?.[number], () => broken(this)));
    for (const side of this.sides) this.follow(side);
    this.seconds = Math.max(...this.sides.map((side) => side.seconds));
    this.leader = this.sides.reduce((longest, side) => (side.seconds > longest.seconds ? side : longest));
    this.root = element('div', 'jv-players');
    this.user = element('p', 'jv-user');
    this.root.append(...this.sides.map((side) => side.root));
    this.bar = this.makeBar();
    this.timer = setInterval(() => this.tick(), 100);
    this.hide = () => { if (document.hidden) this.pause(); };
    document.addEventListener('visibilitychange', this.hide);
  }

  get time() { return this.leader.video.currentTime; }

  get watched() { return this.sides.map((side) => side.watched); }

  get left() { return Math.max(...this.sides.map((side) => side.left)); }

  // A clip that has to wait for the network holds the other one.
  follow(side) {
    side.video.addEventListener('waiting', () => { this.held.add(side); this.arrange(); });
    for (const event of ['canplay', 'playing', 'seeked']) {
      side.video.addEventListener(event, () => { if (side.video.readyState > 2) { this.held.delete(side); this.arrange(); } });
    }
  }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  // From the end it begins again: at what has not been seen yet, else at the start.
  play() {
    if (this.sides.every((side) => side.over)) this.seek(Math.max(0, this.firstGap - BEFORE_GAP));
    this.playing = true;
    this.arrange();
  }

  get firstGap() { return this.left ? Math.min(...this.sides.map((side) => side.firstGap)) : 0; }

  pause() { this.playing = false; this.arrange(); }

  arrange() {
    for (const side of this.sides) {
      const wanted = this.playing && !this.held.size && side !== this.early && !side.over;
      if (wanted && side.video.paused) side.video.play().catch(() => {});
      if (!wanted && !side.video.paused && !this.held.has(side)) side.video.pause();
    }
    this.button.textContent = t(this.playing ? 'rate_stop' : 'rate_play');
    this.button.setAttribute('aria-pressed', String(this.playing));
  }

  seek(to) {
    const time = Math.min(Math.max(0, to), this.seconds);
    for (const side of this.sides) side.seek(time);
    this.early = null;
    this.draw();
  }

  hear(number) {
    this.sides.forEach((side, place) => side.hear(place === number && side.video.muted));
  }

  tick() {
    for (const side of this.sides) side.count();
    if (this.playing && !this.root.offsetParent) this.pause(); // another tab of the page is shown
    if (this.playing) this.align();
    if (this.playing && this.sides.every((side) => side.over)) this.pause();
    this.draw();
    this.changed();
  }

  // The follower runs a little faster or slower until both show the same moment; where they are far apart, the one that is
  // ahead waits. Neither is ever moved: what is skipped would not have been seen.
  align() {
    const follower = this.sides.find((side) => side !== this.leader);
    const drift = follower.over || this.leader.over ? 0 : follower.video.currentTime - this.time;
    follower.video.playbackRate = Math.abs(drift) > DRIFT ? 1 - Math.max(-0.1, Math.min(0.1, drift)) : 1;
    if (Math.abs(drift) > APART) this.early = drift > 0 ? follower : this.leader;
    else if (Math.abs(drift) < APART / 4) this.early = null;
    this.arrange();
  }

  draw() {
    const now = this.time;
    for (const side of this.sides) side.caption(now);
    if (document.activeElement !== this.scrub || this.playing) this.scrub.value = now;
    this.scrub.setAttribute('aria-valuetext', clock(now));
    this.clockText.textContent = `${clock(now)} / ${clock(this.seconds)}`;
    this.drawUnseen();
    const asked = this.item.asked.filter(([at]) => at <= now && now < at + 5).at(-1);
    this.user.textContent = asked ? `${t('rate_user')}: ${asked[1]}` : '';
  }

  // What has not been played yet, of either side, lies as a line under the marks.
  drawUnseen() {
    const gaps = this.left === 0 ? [] : this.gaps();
    const key = gaps.join();
    if (key === this.shownGaps) return;
    this.shownGaps = key;
    this.unseen.replaceChildren(...gaps.map(([from, to]) => {
      const gap = element('i');
      gap.style.left = `${(100 * from) / this.seconds}%`;
      gap.style.width = `${(100 * (to - from)) / this.seconds}%`;
      return gap;
    }));
  }

  gaps() {
    const gaps = [];
    for (let slot = 0; slot * SLOT < this.seconds; slot += 1) {
      if (this.sides.every((side) => slot >= side.slots.length || side.slots[slot])) continue;
      const last = gaps.at(-1);
      if (last && last[1] === slot * SLOT) last[1] += SLOT; else gaps.push([slot * SLOT, (slot + 1) * SLOT]);
    }
    return gaps;
  }

  makeBar() {
    const bar = element('div', 'jv-shared');
    this.button = element('button', 'jv-icon jv-play', t('rate_play'));
    this.button.type = 'button';
    this.button.onclick = () => this.toggle();
    this.clockText = element('span', 'jv-clock');
    this.scrub = element('input', 'jv-scrub');
    Object.assign(this.scrub, { type: 'range', min: 0, max: this.seconds, step: 0.05, value: 0 });
    this.scrub.setAttribute('aria-label', t('rate_scrub'));
    this.scrub.oninput = () => this.seek(Number(this.scrub.value));
    const marks = element('div', 'jv-marks');
    this.unseen = element('div', 'jv-unseen');
    marks.append(...this.sides.map((side) => this.row(side)), this.unseen);
    const middle = element('div', 'jv-middle');
    middle.append(marks, this.scrub);
    const buttons = element('div', 'jv-hear');
    buttons.append(...this.sides.map((side, number) => side.hearButton(() => this.hear(number))));
    bar.append(this.button, middle, this.clockText, buttons);
    return bar;
  }

  row(side) {
    const row = element('div', 'jv-mark-row');
    row.append(element('b', '', t(side.name)));
    const line = element('div', 'jv-mark-line');
    for (const [at, end, text] of side.turns) {
      const mark = element('button', 'jv-mark');
      mark.type = 'button';
      mark.tabIndex = -1;
      mark.title = `${clock(at)} ${text}`;
      mark.setAttribute('aria-label', mark.title);
      mark.style.left = `${(100 * at) / this.seconds}%`;
      mark.style.width = `max(5px, ${(100 * Math.min(end - at, this.seconds - at)) / this.seconds}%)`;
      mark.onclick = () => this.seek(at);
      line.append(mark);
    }
    for (const [at, text] of this.item.asked) {
      const mark = element('i', 'jv-asked-mark');
      mark.title = text;
      mark.style.left = `${(100 * at) / this.seconds}%`;
      line.append(mark);
    }
    row.append(line);
    return row;
  }

  close() {
    clearInterval(this.timer);
    document.removeEventListener('visibilitychange', this.hide);
    for (const side of this.sides) side.close();
  }
}

class Side {
  constructor({ media, seconds, turns, sound }, number, kept, broken) {
    Object.assign(this, { seconds, turns, sound, media, name: number ? 'rate_right' : 'rate_left' });
    this.slots = new Uint8Array(Math.max(1, Math.floor(seconds / SLOT)));
    if (kept) [...kept].forEach((played, place) => { if (place < this.slots.length) this.slots[place] = Number(played === '1'); });
    this.video = element('video');
    Object.assign(this.video, { muted: true, playsInline: true, preload: 'auto', src: media, disablePictureInPicture: true });
    this.video.setAttribute('aria-label', t(this.name));
    this.video.onerror = broken;
    this.root = element('section', 'jv-side');
    this.root.setAttribute('aria-label', t(this.name));
    this.said = element('ol', 'jv-said');
    this.root.append(element('h3', '', t(this.name)), this.video, this.said);
    this.caption(0);
  }

  get watched() { return Math.min(this.seconds, SLOT * this.slots.reduce((sum, played) => sum + played, 0) + (this.slots.every(Boolean) ? SLOT : 0)); }

  get left() { return SLOT * this.slots.reduce((sum, played) => sum + 1 - played, 0); }

  get kept() { return this.slots.join(''); }

  get over() { return this.video.ended || this.video.currentTime >= this.seconds - 0.04; }

  get firstGap() { const slot = this.slots.indexOf(0); return slot < 0 ? Infinity : slot * SLOT; }

  // The browser itself keeps what was really played; a slot is, when its middle was.
  count() {
    const { played } = this.video;
    for (let range = 0; range < played.length; range += 1) {
      const [from, to] = [played.start(range), played.end(range)];
      const first = Math.max(0, Math.ceil(from / SLOT - 0.5));
      for (let slot = first; (slot + 0.5) * SLOT <= to && slot < this.slots.length; slot += 1) this.slots[slot] = 1;
    }
  }

  seek(time) {
    this.video.currentTime = Math.min(time, Math.max(0, this.seconds - 0.03));
  }

  caption(now) {
    const said = this.turns.filter(([at]) => at <= now).slice(-SHOWN);
    const key = said.map(([at]) => at).join();
    if (key === this.shown) return;
    this.shown = key;
    this.said.replaceChildren(...said.map(([at, , text]) => {
      const line = element('li');
      line.append(element('time', '', clock(at)), element('span', 'jv-words', text));
      return line;
    }));
    if (!said.length) this.said.append(element('li', 'jv-nothing', t('rate_said_nothing')));
  }

  hearButton(onClick) {
    this.button = element('button', 'jv-icon', t(this.name === 'rate_left' ? 'rate_hear_left' : 'rate_hear_right'));
    Object.assign(this.button, { type: 'button', onclick: onClick, disabled: !this.sound });
    this.button.setAttribute('aria-pressed', 'false');
    return this.button;
  }

  hear(on) {
    this.video.muted = !(on && this.sound);
    this.button.setAttribute('aria-pressed', String(!this.video.muted));
  }

  close() {
    this.video.onerror = null;
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
  }
}
