// One cell a second and the p(act) curve. Shape carries the meaning: a low grey mark is quiet, a full bar spoke,
// a diamond delegated, a gap was skipped, a bar to the top is an alert. Drawn on one canvas the width of the view.

import { clock, t } from './words.js';

const VIEW_SECONDS = 120;
const LEAST_CELL = 4;

export class Timeline {
  constructor(element, why, onPick) {
    Object.assign(this, { element, why, onPick, cells: [], cursor: null });
    this.scroll = element.querySelector('.jv-scroll');
    this.length = element.querySelector('.jv-length');
    this.canvas = element.querySelector('canvas');
    this.scroll.addEventListener('scroll', () => this.draw(), { passive: true });
    this.canvas.addEventListener('pointermove', (event) => this.point(event, false));
    this.canvas.addEventListener('click', (event) => this.point(event, true));
    element.addEventListener('keydown', (event) => this.key(event));
    new ResizeObserver(() => this.layOut()).observe(element);
  }

  clear() { this.cells = []; this.cursor = null; this.why.textContent = t('timeline_empty'); this.layOut(); }

  add(event) {
    const second = Math.floor(event.t + 0.001);
    for (let back = 1; back <= event.skipped; back += 1) this.cells[second - back] ??= { t: second - back, skipped: true };
    const before = this.cells[second];
    const louder = !before || before.skipped || before.action === 'silence' || event.action !== 'silence';
    if (louder) this.cells[second] = kept(event);
    this.layOut();
  }

  layOut() {
    const follows = this.scroll.scrollLeft + this.scroll.clientWidth >= this.scroll.scrollWidth - 8;
    this.cell = Math.max(LEAST_CELL, this.scroll.clientWidth / VIEW_SECONDS);
    this.length.style.width = `${Math.max(this.scroll.clientWidth, this.cells.length * this.cell)}px`;
    if (follows) this.scroll.scrollLeft = this.scroll.scrollWidth;
    this.draw();
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [this.scroll.clientWidth, this.scroll.clientHeight];
    Object.assign(this.canvas, { width: width * ratio, height: height * ratio });
    Object.assign(this.canvas.style, { width: `${width}px`, height: `${height}px` });
    const pen = this.canvas.getContext('2d');
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.element);
    const colour = (name) => style.getPropertyValue(`--jv-${name}`).trim();
    const first = Math.floor(this.scroll.scrollLeft / this.cell);
    const last = Math.min(this.cells.length, first + Math.ceil(width / this.cell) + 1);
    for (let second = first; second < last; second += 1) {
      const cell = this.cells[second];
      const x = second * this.cell - this.scroll.scrollLeft;
      if (second % 30 === 0) label(pen, x, height, second, colour('quiet-text'));
      if (cell) drawCell(pen, cell, x, this.cell, height - 14, colour, second === this.cursor);
    }
    this.drawCurve(pen, first, last, height - 14, colour('curve'));
  }

  drawCurve(pen, first, last, height, colour) {
    pen.beginPath();
    let down = false;
    for (let second = first; second < last; second += 1) {
      const cell = this.cells[second];
      if (!cell || cell.p_act === undefined) { down = false; continue; }
      const x = (second + 0.5) * this.cell - this.scroll.scrollLeft;
      const y = (1 - cell.p_act) * (height - 4) + 2;
      if (down) pen.lineTo(x, y); else pen.moveTo(x, y);
      down = true;
    }
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.stroke();
  }

  point(event, pick) {
    const x = event.clientX - this.canvas.getBoundingClientRect().left + this.scroll.scrollLeft;
    this.moveTo(Math.floor(x / this.cell), pick);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === 'Enter' && this.cursor !== null) this.moveTo(this.cursor, true);
    if (step === undefined) return;
    event.preventDefault();
    const from = this.cursor ?? this.cells.length;
    this.moveTo(Math.max(0, Math.min(this.cells.length - 1, from + step)), false);
    this.scroll.scrollLeft = Math.min(Math.max(this.scroll.scrollLeft, (this.cursor + 1) * this.cell - this.scroll.clientWidth), this.cursor * this.cell);
  }

  moveTo(second, pick) {
    const cell = this.cells[second];
    if (!cell) return;
    this.cursor = second;
    this.why.textContent = explain(cell);
    this.draw();
    if (pick) this.onPick(cell.t);
  }
}

// What a cell needs for a day: not the boxes, only their summary.
function kept({ t: at, action, text, p_act, urgent, decision_ms, evidence }) {
  return { t: at, action, text, p_act, urgent, decision_ms, seen: summary(evidence.boxes), texts: evidence.texts.slice(0, 3) };
}

function drawCell(pen, cell, x, wide, height, colour, chosen) {
  const gap = wide > 5 ? 1 : 0.5;
  if (chosen) { pen.fillStyle = colour('chosen'); pen.fillRect(x, 0, wide, height); }
  if (cell.skipped === true) return;
  if (cell.action === 'delegate') { diamond(pen, x + wide / 2, height - 8, Math.max(4, wide / 1.4), colour('brain')); return; }
  const tall = cell.action === 'silence' ? 4 : cell.urgent ? height : height * 0.55;
  pen.fillStyle = colour(cell.action === 'silence' ? 'quiet' : cell.urgent ? 'alert' : 'accent');
  pen.fillRect(x + gap / 2, height - tall, wide - gap, tall);
}

function diamond(pen, x, y, r, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.moveTo(x, y - r); pen.lineTo(x + r, y); pen.lineTo(x, y + r); pen.lineTo(x - r, y);
  pen.fill();
}

function label(pen, x, height, second, colour) {
  pen.fillStyle = colour;
  pen.font = '10px system-ui, sans-serif';
  pen.fillText(clock(second), x + 1, height - 2);
}

function explain(cell) {
  if (cell.skipped === true) return `${clock(cell.t)} · ${t('skipped')}`;
  const parts = [`${clock(cell.t)} · ${t(cell.urgent ? 'alert' : cell.action)}`];
  if (cell.text) parts.push(`“${cell.text}”`);
  parts.push(`${t('p_act')} ${cell.p_act.toFixed(2)}`);
  if (cell.seen) parts.push(`${t('saw')} ${cell.seen}`);
  if (cell.texts.length) parts.push(`${t('read')} ${cell.texts.join(' / ')}`);
  parts.push(`${Math.round(cell.decision_ms)} ms`);
  return parts.join(' · ');
}

function summary(boxes) {
  const best = new Map();
  for (const box of boxes) {
    if (box.label === 'text') continue;
    const known = best.get(box.label) || { count: 0, score: 0 };
    best.set(box.label, { count: known.count + 1, score: Math.max(known.score, box.score) });
  }
  return [...best].map(([name, { count, score }]) => `${count > 1 ? `${count} × ` : ''}${name} ${score.toFixed(2)}`).join(', ');
}
