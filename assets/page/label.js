// The tab Label: what should be said when, written beside a clip, saved as training annotations. Nothing leaves the browser.

import { element } from './card.js';
import { clock, keep, kept, t } from './words.js';

const STORE = 'joyvl-labels';
const MOST_CLIPS = 200, MOST_LINES = 500, MOST_WORDS = 2000, MOST_BYTES = 20_000_000;
const KINDS = ['question', 'response'];

export class Labels {
  constructor(root) {
    this.root = root;
    this.clips = restored();
    this.now = null; // the clip that is open
    this.build();
    this.draw();
  }

  build() {
    this.video = element('video', 'jv-label-video');
    this.video.controls = true;
    this.video.hidden = true;
    this.video.playsInline = true;
    this.video.onerror = () => this.video.currentSrc && this.tell(t('label_broken'));
    this.file = input('file', 'video/*');
    this.file.onchange = () => this.open(this.file.files[0]);
    this.saved = input('file', '.json,application/json');
    this.saved.onchange = () => this.read(this.saved.files[0]);
    this.task = input('text');
    this.task.maxLength = 60;
    this.task.onchange = () => { if (this.now) { this.now.task_type = this.task.value.trim(); this.store(); } };
    this.quiet = input('checkbox');
    this.quiet.onchange = () => { if (this.now) { this.now.quiet = this.quiet.checked; this.store(); this.draw(); } };
    this.words = element('textarea');
    this.words.rows = 2;
    this.words.maxLength = MOST_WORDS;
    this.words.onkeydown = (event) => { if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); this.add('response'); } };
    this.told = element('p', 'jv-alert');
    this.told.setAttribute('role', 'status');
    this.lines = element('ol', 'jv-label-lines');
    this.counted = element('p', 'jv-told');
    this.heading = element('h2');
    this.lead = element('p', 'jv-lead');
    this.labels = { label_clip: this.file, label_saved: this.saved, label_task: this.task, label_words: this.words, label_quiet: this.quiet };
    this.tags = Object.fromEntries(Object.keys(this.labels).map((key) => [key, element('span')]));
    const fields = Object.entries(this.labels).map(([key, field]) => { const made = element('label'); made.append(this.tags[key], field); return made; });
    this.buttons = {
      label_back: () => this.step(-1), label_on: () => this.step(1),
      label_question: () => this.add('question'), label_response: () => this.add('response'),
      label_download: () => this.download(), label_clear: () => this.clear(),
    };
    this.pressed = Object.fromEntries(Object.entries(this.buttons).map(([key, act]) => [key, pressable(act)]));
    const rows = [['label_back', 'label_on', 'label_question', 'label_response'], ['label_download', 'label_clear']]
      .map((keys) => { const row = element('p', 'jv-label-row'); row.append(...keys.map((key) => this.pressed[key])); return row; });
    this.root.replaceChildren(this.heading, this.lead, fields[0], fields[1], this.video, fields[2], fields[3], rows[0], fields[4], this.told,
      this.lines, this.counted, rows[1]);
    this.relabel();
  }

  relabel() {
    this.heading.textContent = t('label_title');
    this.lead.textContent = t('label_lead');
    for (const [key, tag] of Object.entries(this.tags)) tag.textContent = t(key);
    for (const [key, button] of Object.entries(this.pressed)) button.textContent = t(key);
    this.draw();
  }

  open(file) {
    if (!file) return;
    if (this.video.src) URL.revokeObjectURL(this.video.src);
    this.tell('');
    this.video.src = URL.createObjectURL(file);
    this.video.hidden = false;
    this.now = this.clips.find((clip) => clip.video_name === file.name);
    if (!this.now) {
      if (this.clips.length >= MOST_CLIPS) { this.tell(t('label_many', { most: MOST_CLIPS })); return; }
      this.now = { video_name: file.name, video_path: file.name, task_type: '', source: 'labelled', quiet: false, question: [], response: [] };
      this.clips.push(this.now);
    }
    this.task.value = this.now.task_type;
    this.quiet.checked = this.now.quiet;
    this.draw();
  }

  step(seconds) {
    this.video.pause();
    this.video.currentTime = Math.max(0, Math.round(this.video.currentTime + seconds));
  }

  // A line at the second that the clip shows.
  add(kind) {
    const text = this.words.value.trim();
    const problem = this.refusal(kind, text, this.second);
    this.tell(problem);
    if (problem) return;
    this.now[kind].push({ content: text, time: String(this.second) });
    this.now[kind].sort((a, b) => a.time - b.time);
    this.words.value = '';
    this.store();
    this.draw();
  }

  get second() { return Math.round(this.video.currentTime * 10) / 10; }

  refusal(kind, text, second) {
    if (!this.now) return t('label_first');
    if (!text) return t('label_empty');
    if (this.now.question.length + this.now.response.length >= MOST_LINES) return t('label_full', { most: MOST_LINES });
    const same = this.now.response.some((line) => shownBy(line.time) === shownBy(second));
    return kind === 'response' && same ? t('label_twice') : '';
  }

  draw() {
    const lines = this.now ? KINDS.flatMap((kind) => this.now[kind].map((line) => ({ kind, line }))) : [];
    lines.sort((a, b) => a.line.time - b.line.time || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));
    this.lines.replaceChildren(...lines.map(({ kind, line }) => this.row(kind, line)));
    this.counted.textContent = t('label_count', { clips: this.finished.length, all: this.clips.length });
    this.pressed.label_download.disabled = !this.finished.length;
    this.pressed.label_clear.disabled = !this.clips.length;
  }

  row(kind, line) {
    const item = element('li');
    const go = pressable(() => { this.video.currentTime = Number(line.time); }, clock(Number(line.time)));
    go.title = t('label_go');
    const drop = pressable(() => { this.now[kind] = this.now[kind].filter((other) => other !== line); this.store(); this.draw(); }, '✕');
    drop.setAttribute('aria-label', `${t('label_drop')} ${line.content}`);
    item.append(go, element('b', '', t(`label_${kind}`)), element('span', 'jv-words', line.content), drop);
    return item;
  }

  // Clips that teach something: what to say, or that nothing is to be said.
  get finished() { return this.clips.filter((clip) => clip.response.length || (clip.quiet && clip.question.length)); }

  download() {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(this.finished, null, 1)}\n`], { type: 'application/json' }));
    link.download = 'annotations.json';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async read(file) {
    if (!file) return;
    try {
      const clips = file.size > MOST_BYTES ? null : JSON.parse(await file.text());
      if (!Array.isArray(clips) || !clips.every(whole)) throw new Error('no annotations');
      this.take(clips.map(filled));
    } catch { this.tell(t('label_unread')); }
  }

  take(clips) {
    const names = new Set(clips.map((clip) => clip.video_name));
    const all = [...this.clips.filter((clip) => !names.has(clip.video_name)), ...clips];
    if (all.length > MOST_CLIPS) { this.tell(t('label_many', { most: MOST_CLIPS })); return; }
    this.clips = all;
    if (this.now) this.now = this.clips.find((clip) => clip.video_name === this.now.video_name) || null;
    this.tell('');
    this.store();
    this.draw();
  }

  clear() {
    if (!confirm(t('label_sure'))) return;
    this.clips = [];
    this.now = null;
    this.store();
    this.draw();
  }

  store() {
    if (!keep(STORE, this.clips.length ? JSON.stringify(this.clips) : null)) this.tell(t('label_unkept'));
  }

  tell(text) { this.told.textContent = text; }
}

function restored() {
  try {
    const clips = JSON.parse(kept(STORE) || '[]');
    return Array.isArray(clips) ? clips.filter(whole).map(filled) : [];
  } catch { return []; }
}

// One entry of the released format.
function whole(clip) {
  const line = (one) => typeof one?.content === 'string' && Number.isFinite(Number(one.time));
  return typeof clip?.video_name === 'string' && KINDS.every((kind) => Array.isArray(clip[kind]) && clip[kind].every(line));
}

// The second whose picture shows a moment, as data convert counts.
const shownBy = (time) => Math.ceil(time - 0.06);
const filled = (clip) => ({ video_path: clip.video_name, task_type: '', source: 'labelled', quiet: false, ...clip });

function input(type, accept = '') {
  const made = element('input');
  made.type = type;
  if (accept) made.accept = accept;
  return made;
}

function pressable(act, text = '') {
  const made = element('button', 'jv-icon', text);
  made.type = 'button';
  made.onclick = act;
  return made;
}

// Gradio mounts a tab when it likes.
export async function open() {
  while (!document.getElementById('jv-label')) await new Promise((done) => { requestAnimationFrame(done); });
  return new Labels(document.getElementById('jv-label'));
}
