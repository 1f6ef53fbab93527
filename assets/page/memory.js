// The panel of what is remembered: search, the moment, its picture; delete a session, or everything.

import * as api from './api.js';
import { element } from './card.js';
import { clock, current, keep as store, kept as stored, t } from './words.js';

const KEPT = 'joyvl-pictures';
const HOUR = 3600;

let panel = null;
let stages = new Map();
let keeps = false;
let searches = 0;
let last = null; // what was shown, to show it again in another language

export const keepsPictures = () => keeps;

export function open(page, all) {
  stages = all;
  panel = document.getElementById('jv-recall');
  const toggle = document.getElementById('jv-memory');
  toggle.onclick = () => {
    panel.hidden = !panel.hidden;
    toggle.setAttribute('aria-pressed', String(!panel.hidden));
    if (!panel.hidden) { panel.querySelector('input[type=search]').focus(); look(); listSessions(); }
  };
  panel.addEventListener('keydown', (event) => { if (event.key === 'Escape') { toggle.click(); toggle.focus(); event.stopPropagation(); } });
  panel.querySelector('form').onsubmit = (event) => { event.preventDefault(); look(); };
  panel.querySelectorAll('select').forEach((select) => { select.onchange = look; });
  panel.querySelector('.jv-forget').onclick = forgetMe;
  keepPictures(page);
  if (!page.memory) { panel.replaceChildren(element('p', '', t('memory_off'))); toggle.onclick = () => { panel.hidden = !panel.hidden; }; }
}

export function relabel() {
  if (last && !panel.hidden) { last(); listSessions(); }
}

// Pictures are kept only if the user says so; on a Space, where the server is somebody else's, that has to be said each time.
function keepPictures(page) {
  const box = panel.querySelector('.jv-keep');
  keeps = box.checked = !page.space && stored(KEPT) === 'yes';
  box.onchange = () => {
    keeps = box.checked;
    store(KEPT, keeps ? 'yes' : 'no');
    stages.forEach((stage) => stage.send({ pictures: keeps }));
  };
}

async function look() {
  const form = panel.querySelector('form');
  const asked = { q: form.querySelector('input').value.trim() };
  if (form.scenario.value) asked.scenario = form.scenario.value;
  const hours = Number(form.span.value);
  if (hours) asked.since = Date.now() / 1000 - hours * HOUR;
  const mine = searches += 1;
  await tried(async () => {
    const { found, fault } = await api.recall(asked);
    if (mine !== searches) return; // a later search has been asked meanwhile
    last = () => show(found, fault);
    last();
  });
}

function show(found, fault = '') {
  told(fault || (found.length ? t('memory_count', { count: found.length }) : t('memory_none')));
  panel.querySelector('.jv-found').replaceChildren(...found.map(entry));
}

function entry(hit) {
  const item = element('li', 'jv-hit');
  const open = element('button', 'jv-hit-open');
  open.type = 'button';
  open.append(element('time', '', when(hit)), element('b', '', t(`memory_kind_${hit.kind}`)), element('span', '', shown(hit)));
  open.onclick = () => unfold(item, hit);
  open.setAttribute('aria-expanded', 'false');
  item.append(open);
  return item;
}

const shown = (hit) => (hit.text.length > 300 ? `${hit.text.slice(0, 299)}…` : hit.text);

function when(hit) {
  const day = new Date((hit.began + hit.t_start) * 1000).toLocaleString(current(), { dateStyle: 'short', timeStyle: 'short' });
  const until = hit.t_end - hit.t_start >= 1 ? `–${clock(hit.t_end)}` : '';
  return `${day} · ${clock(hit.t_start)}${until}`;
}

// The moment: its picture where one was kept, and what happened around it.
async function unfold(item, hit) {
  const known = item.querySelector('.jv-moment');
  item.firstElementChild.setAttribute('aria-expanded', String(!known));
  if (known) { known.remove(); return; }
  const moment = element('div', 'jv-moment');
  item.append(moment);
  const picture = element('img');
  picture.alt = t('card_picture', { time: clock(hit.t_start) });
  picture.onerror = () => picture.remove();
  picture.src = api.keptPicture(hit.session_id, (hit.t_start + Math.min(hit.t_end, hit.t_start + 4)) / 2);
  moment.append(picture);
  const stage = [...stages.values()].find((each) => each.epoch && Math.abs(each.epoch - hit.began) < 1 && each.timeline.cells.length);
  if (stage) moment.append(action(t('memory_jump'), () => jump(stage, hit.t_start)));
  await tried(async () => {
    const { found } = await api.around(hit.session_id, hit.t_start);
    const list = element('ol');
    list.append(...found.map((each) => {
      const line = element('li', '', `${clock(each.t_start)} ${t(`memory_kind_${each.kind}`)}: ${shown(each)}`);
      if (each.t_start === hit.t_start && each.text === hit.text) line.className = 'jv-chosen';
      return line;
    }));
    moment.append(element('h3', '', t('memory_around')), list);
  });
}

function jump(stage, second) {
  document.querySelector(`#tab-${stage.scenario.id}-button`)?.click();
  stage.timeline.moveTo(Math.floor(second), true);
  stage.root.querySelector('.jv-timeline').focus();
}

async function listSessions() {
  await tried(async () => {
    const { sessions } = await api.sessions();
    panel.querySelector('.jv-sessions ol').replaceChildren(...sessions.map(sessionLine));
  });
}

function sessionLine(session) {
  const item = element('li');
  const day = new Date(session.began * 1000).toLocaleString(current(), { dateStyle: 'medium', timeStyle: 'short' });
  const stage = stages.get(session.scenario);
  const title = stage ? stage.scenario.title[current()] : session.scenario;
  const log = element('a', 'jv-icon', t('memory_log'));
  log.href = api.keptLog(session.id);
  const gone = action(t('memory_delete'), () => tried(async () => { await api.forget(session.id); item.remove(); look(); }));
  gone.setAttribute('aria-label', `${t('memory_delete')}: ${day}`);
  item.append(element('span', '', `${day} · ${title} · ${t('memory_session_line', session)}`), log, gone);
  return item;
}

async function forgetMe() {
  if (!window.confirm(t('memory_forget_sure'))) return;
  await tried(async () => {
    const { forgotten } = await api.forgetMe();
    await look();
    await listSessions();
    told(t('memory_forgotten', { count: forgotten }));
  });
}

async function tried(work) {
  try { await work(); } catch (error) { told(error instanceof api.Refused ? error.message : t('error_server')); }
}

function told(text) { panel.querySelector('.jv-recall-told').textContent = text; }

function action(text, onClick) {
  const made = element('button', 'jv-icon', text);
  made.type = 'button';
  made.onclick = onClick;
  return made;
}
