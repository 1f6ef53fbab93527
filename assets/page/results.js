// The Results page: the password, the table with its bars, who was left out, each rater, each item, and the votes behind a number.

import * as api from './rating_api.js';
import { bars } from './results_bars.js';
import { alarm, element } from './card.js';
import { whenSeen } from './seen.js';
import { current, t } from './words.js';

const ASKED = { overall: 'rate_overall', quality: 'rate_quality', timing: 'rate_timing' };
const OUTCOMES = { win: 'results_win', tie: 'results_tie', both_bad: 'results_both_bad', loss: 'results_loss' };
const STATES = { open: 'results_open', closed: 'results_closed' };

export class Results {
  constructor(root) {
    Object.assign(this, { root, question: 'overall', flagged: false, study: '' });
    whenSeen(root, () => this.open());
  }

  async open() {
    try { this.studies = await api.studies(); } catch (fault) { this.ask(fault.status === 401 ? '' : fault.message); return; }
    this.study = this.study || this.studies[0]?.id || '';
    await this.load();
  }

  ask(told) {
    const form = element('form', 'jv-password');
    const password = Object.assign(element('input'), { type: 'password', autocomplete: 'current-password', required: true });
    const label = element('label', '', `${t('results_password')} `);
    label.append(password);
    const enter = Object.assign(element('button', 'jv-icon jv-primary', t('results_enter')), { type: 'submit' });
    this.error = alarm(told);
    form.append(label, enter, this.error);
    form.onsubmit = async (event) => {
      event.preventDefault();
      try { await api.enter(password.value); await this.open(); } catch (fault) { this.error.textContent = fault.message || t('rate_server'); }
    };
    this.root.replaceChildren(form);
  }

  async load() {
    if (!this.study) { this.root.replaceChildren(element('p', '', t('rate_none'))); return; }
    const { study, flagged } = this;
    let told;
    try { told = await api.results(study, flagged); } catch (fault) {
      if (fault.status === 401) this.ask(''); else this.root.append(alarm(fault.message || t('rate_server')));
      return;
    }
    if (study !== this.study || flagged !== this.flagged) return; // something else was chosen meanwhile
    this.told = told;
    this.draw();
  }

  relabel() { if (this.told) this.draw(); else if (this.error) this.ask(''); }

  draw() {
    const { told } = this;
    this.behind = element('section', 'jv-behind');
    this.behind.setAttribute('aria-live', 'polite');
    const cells = told.cells.filter((cell) => cell.question === this.question);
    const parts = [this.controls(), element('h2', 'jv-words', told.title[current()] || told.title.en), this.summary()];
    if (cells.length) parts.push(this.bars(cells), this.table(cells)); else parts.push(element('p', '', t('results_none')));
    parts.push(this.behind, this.excluded(), this.panel(), this.items());
    this.root.replaceChildren(...parts);
  }

  controls() {
    const bar = element('div', 'jv-results-controls');
    const studies = select(this.studies.map(({ id }) => [id, id]), this.study, (id) => { this.study = id; this.load(); });
    const questions = select(Object.entries(ASKED).map(([id, key]) => [id, t(key)]), this.question, (id) => { this.question = id; this.draw(); });
    const flagged = Object.assign(element('input'), { type: 'checkbox', checked: this.flagged, onchange: () => { this.flagged = flagged.checked; this.load(); } });
    bar.append(labelled(t('results_study'), studies), labelled(t('results_question'), questions), labelled(t('results_flagged'), flagged));
    for (const [names, key] of [[false, 'results_export_hidden'], [true, 'results_export_shown']]) {
      bar.append(Object.assign(element('a', 'jv-icon', t(key)), { href: api.exportAddress(this.study, names), download: '' }));
    }
    return bar;
  }

  summary() {
    const { told } = this;
    const line = element('p', 'jv-told', t('results_summary', { ...told, state: t(STATES[told.state]) }));
    if (told.raters < told.least_raters) line.append(` ${t('results_few', { least: told.least_raters })}`);
    if (!told.blind) line.append(' ', element('strong', 'jv-alert', t('results_not_blind')));
    return line;
  }

  bars(cells) {
    const figure = element('figure', 'jv-bars');
    figure.append(element('figcaption', '', t('results_bars')), bars(cells));
    return figure;
  }

  table(cells) {
    const others = [...new Set(this.told.paper.map((cell) => cell.opponent))];
    const heads = ['results_aspect', 'results_against', ...Object.values(OUTCOMES), 'results_share', 'results_bootstrap', 'results_sign', 'results_alpha', 'results_items', 'results_raters'].map((key) => t(key));
    const rows = cells.map((cell) => {
      const counts = Object.keys(OUTCOMES).map((outcome) => this.number(cell.counts[outcome], { aspect: cell.aspect === 'overall' ? '' : cell.aspect, opponent: cell.opponent, outcome }));
      const items = Object.keys(OUTCOMES).map((outcome) => cell.by_item[outcome]).join('–');
      const paper = others.map((opponent) => published(this.told.paper.find((one) => one.aspect === cell.aspect && one.opponent === opponent)));
      return [cell.aspect === 'overall' ? t('results_overall') : cell.aspect, cell.opponent, ...counts, `${percent(cell.win_share)} ${interval(cell.wilson)}`, interval(cell.bootstrap), p(cell.sign_p), figure(cell.alpha), items, `${cell.raters}`, ...paper];
    });
    return table([...heads, ...others.map((opponent) => t('results_paper', { opponent }))], rows, cells.map((cell) => cell.aspect === 'overall'));
  }

  number(value, wanted) {
    if (!value) return '0';
    return Object.assign(element('button', 'jv-number', String(value)), { type: 'button', onclick: () => this.list({ question: this.question, with_flagged: this.flagged, ...wanted }) });
  }

  async list(wanted) {
    let found;
    try { found = await api.votes(this.study, Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''))); } catch (fault) { this.behind.replaceChildren(alarm(fault.message || t('rate_server'))); return; }
    const heads = ['results_item', 'results_against', 'results_rater', 'results_answers', 'results_left_side', 'results_seconds', 'results_comment'];
    const names = { system: this.told.subject, side: '' };
    const rows = found.votes.map((vote) => {
      const said = Object.keys(ASKED).sort((a, b) => 'quality timing overall'.indexOf(a) - 'quality timing overall'.indexOf(b)).map((question) => (vote.outcomes[question] ? t(OUTCOMES[vote.outcomes[question]]) : vote.answers[question])).join(', ');
      const kind = vote.kind === 'rated' ? '' : ` (${vote.kind})`;
      return [`${vote.item}${kind}`, vote.opponent, `${vote.rater}`, said + (vote.revision ? ` (${t('results_corrected')} ${vote.revision})` : ''), t(vote.swapped ? 'rate_right' : 'rate_left'), vote.spent.toFixed(0), vote.comment];
    });
    this.behind.replaceChildren(element('h3', '', t('results_behind', { shown: found.votes.length, all: found.all })), table(heads.map((key) => t(key, names).trim()), rows));
    this.behind.scrollIntoView({ block: 'nearest' });
  }

  excluded() {
    const part = section('results_excluded');
    const { excluded } = this.told;
    part.append(excluded.length ? table([t('results_rater'), t('results_wrong')], excluded.map((one) => [this.number(one.rater, { rater: one.rater }), one.why])) : element('p', '', t('results_excluded_none')));
    return part;
  }

  panel() {
    const heads = ['results_rater', 'results_votes', 'results_seconds', 'results_left', 'results_same', 'results_checks', 'results_golds', 'results_corrected', 'results_skipped', 'results_device', 'results_completion'];
    const rows = this.told.panel.map((one) => [
      `${one.rater}`, this.number(one.votes, { rater: one.rater }), figure(one.seconds, 0), percent(one.left_share), percent(one.same_share),
      `${one.traps.join('/')}`, `${one.golds.join('/')}`, `${one.corrected}`, `${one.skipped}`, one.device, one.completion,
    ]);
    return details('results_panel', table(heads.map((key) => t(key)), rows, this.told.panel.map((one) => Boolean(one.flagged))));
  }

  items() {
    const heads = ['results_item', 'results_aspect', 'results_against', ...Object.values(OUTCOMES), 'results_agreement', 'results_seconds'];
    const rows = this.told.items.map((one) => [
      one.item, one.aspect, one.opponent, ...Object.keys(OUTCOMES).map((outcome) => this.number(one.counts[outcome], { comparison: one.comparison, outcome, question: 'overall' })),
      percent(one.agreement), figure(one.seconds, 0),
    ]);
    return details('results_each_item', table(heads.map((key) => t(key)), rows));
  }
}

const percent = (share) => (share === null ? '–' : `${Math.round(100 * share)}%`);
const interval = (pair) => (pair ? `${percent(pair[0])}–${percent(pair[1])}` : '–');
const figure = (value, digits = 2) => (value === null ? '–' : value.toFixed(digits));
const p = (value) => (value === null ? '–' : value < 0.001 ? '< 0.001' : value.toFixed(3));
const published = (cell) => (cell ? `${cell.win}/${cell.tie}/${cell.loss} (${interval(cell.wilson)})` : '–');

function table(heads, rows, marked = []) {
  const made = element('table');
  const head = element('thead');
  const line = element('tr');
  line.append(...heads.map((text) => Object.assign(element('th', '', text), { scope: 'col' })));
  head.append(line);
  const body = element('tbody');
  rows.forEach((cells, number) => {
    const row = element('tr', marked[number] ? 'jv-whole' : '');
    row.append(...cells.map((cell) => { const place = element('td', 'jv-words'); place.append(cell); return place; }));
    body.append(row);
  });
  made.append(head, body);
  const frame = element('div', 'jv-table');
  frame.tabIndex = 0;
  frame.append(made);
  return frame;
}

function select(options, chosen, onChange) {
  const box = element('select');
  box.append(...options.map(([value, text]) => Object.assign(element('option', 'jv-words', text), { value, selected: value === chosen })));
  box.onchange = () => onChange(box.value);
  return box;
}

function labelled(text, input) {
  const label = element('label', '', `${text} `);
  if (input.type === 'checkbox') label.prepend(input); else label.append(input);
  return label;
}

function section(key) {
  const part = element('section');
  part.append(element('h3', '', t(key)));
  return part;
}

function details(key, content) {
  const part = element('details', 'jv-more');
  part.append(element('summary', '', t(key)), content);
  return part;
}
