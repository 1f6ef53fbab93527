// Diverging bars: what was lost to the left, what was won to the right, the undecided around the middle.

import { t } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 900, NAMES = 300, SHARES = 110, ROW = 30, BAR = 18;
const MIDDLE = NAMES + (WIDTH - NAMES - SHARES) / 2;
const HALF = (WIDTH - NAMES - SHARES) / 2;
const PARTS = [['loss', 'results_loss'], ['both_bad', 'results_both_bad'], ['tie', 'results_tie'], ['win', 'results_win']];

export function bars(cells) {
  const height = cells.length * ROW + 30;
  const picture = make('svg', { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', class: 'jv-bar-chart' });
  picture.append(make('title', {}, cells.map((cell) => `${cell.aspect}: ${PARTS.map(([name, key]) => `${t(key)} ${cell.counts[name]}`).join(', ')}`).join('; ')));
  legend(picture);
  cells.forEach((cell, number) => bar(picture, cell, 30 + number * ROW));
  picture.append(make('line', { x1: MIDDLE, x2: MIDDLE, y1: 24, y2: height, class: 'jv-zero' }));
  return picture;
}

function bar(picture, cell, top) {
  const scale = HALF / cell.votes; // a bar of all votes is half as wide as the field, so that any split of them fits
  const { counts } = cell;
  const name = `${cell.aspect === 'overall' ? t('results_overall') : cell.aspect} · ${cell.opponent}`;
  picture.append(make('text', { x: NAMES - 10, y: top + 14, 'text-anchor': 'end', class: cell.aspect === 'overall' ? 'jv-bar-whole' : '' }, clipped(name)));
  let x = MIDDLE - scale * (counts.loss + (counts.both_bad + counts.tie) / 2);
  for (const [part, key] of PARTS) {
    const width = scale * counts[part];
    if (!width) continue;
    const piece = make('rect', { x, y: top, width, height: BAR, class: `jv-bar-${part}` });
    piece.append(make('title', {}, `${t(key)}: ${counts[part]}`));
    picture.append(piece);
    if (width > 18) picture.append(make('text', { x: x + width / 2, y: top + 13, 'text-anchor': 'middle', class: `jv-bar-count jv-on-${part}` }, String(counts[part])));
    x += width;
  }
  whisker(picture, cell, top + BAR / 2);
}

// The share that was won, with its interval, on a small scale of its own from 0 to 100%.
function whisker(picture, cell, y) {
  const at = (share) => WIDTH - SHARES + 12 + share * (SHARES - 24);
  picture.append(make('line', { x1: at(0), x2: at(1), y1: y, y2: y, class: 'jv-scale' }), make('line', { x1: at(0.5), x2: at(0.5), y1: y - 7, y2: y + 7, class: 'jv-scale' }));
  const [wilson, resampled] = [cell.wilson, cell.bootstrap || cell.wilson]; // the wider: resampling 10 of 10 says 100% to 100%
  const bounds = [Math.min(wilson[0], resampled[0]), Math.max(wilson[1], resampled[1])];
  picture.append(make('line', { x1: at(bounds[0]), x2: at(bounds[1]), y1: y, y2: y, class: 'jv-whisker' }), make('circle', { cx: at(cell.win_share), cy: y, r: 4, class: 'jv-whisker' }));
}

function legend(picture) {
  let x = NAMES;
  for (const [part, key] of PARTS) {
    picture.append(make('rect', { x, y: 4, width: 12, height: 12, class: `jv-bar-${part}` }), make('text', { x: x + 17, y: 15 }, t(key)));
    x += 110;
  }
  picture.append(make('text', { x: WIDTH - SHARES + 12, y: 15 }, '0'), make('text', { x: WIDTH - 12, y: 15, 'text-anchor': 'end' }, '100%'));
}

const clipped = (text) => (text.length > 46 ? `${text.slice(0, 45)}…` : text);

function make(tag, attributes, text = '') {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== '') made.setAttribute(name, value);
  if (text) made.textContent = text;
  return made;
}
