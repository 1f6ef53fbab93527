// The server, as functions. A refusal becomes an Error whose message is meant for people.

export class Refused extends Error {}

async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(`/joyvl${path}`, { credentials: 'same-origin', ...options });
  } catch {
    throw new Error('server');
  }
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  const told = await reply.json().catch(() => ({}));
  throw told.error ? new Refused(told.error) : new Error('server');
}

const post = (path, body) =>
  ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

export const page = () => ask('/page');
export const relay = () => ask('/relay');
export const open = (opening) => post('/sessions', opening);
export const offer = (id, connection, sdp) => post(`/sessions/${id}/offer`, { connection, sdp });
export const say = (id, text) => post(`/sessions/${id}/say`, { text });
export const change = (id, changes) => post(`/sessions/${id}/change`, changes);
export const picture = (id, blob) => ask(`/sessions/${id}/frame`, { method: 'POST', body: blob });
export const logAddress = (id) => `/joyvl/sessions/${id}/log`;

export const pictureAddress = (id, t) => `/joyvl/sessions/${id}/picture?t=${t}`;

export const recall = (asked) => ask(`/memory/search?${new URLSearchParams(asked)}`);
export const sessions = () => ask('/memory/sessions');
export const around = (id, t) => ask(`/memory/sessions/${id}/around?t=${t}`);
export const forget = (id) => ask(`/memory/sessions/${id}`, { method: 'DELETE' });
export const forgetMe = () => ask('/memory/mine', { method: 'DELETE' });
export const keptPicture = (id, t) => `/joyvl/memory/sessions/${id}/picture?t=${t}`;
export const keptLog = (id) => `/joyvl/memory/sessions/${id}/log`;

export function leave(id) { // while the page is being closed: the answer does not matter
  const body = new Blob([JSON.stringify({ action: 'stop' })], { type: 'application/json' });
  navigator.sendBeacon(`/joyvl/sessions/${id}/change`, body);
}

// Calls onEvent(event) for each event of the session, from the first on, across reconnections.
export function follow(id, { onEvent, onLost, onBack, onEnd }) {
  const source = new EventSource(`/joyvl/sessions/${id}/events`);
  let lost = false;
  source.onmessage = (message) => onEvent(JSON.parse(message.data));
  source.onopen = () => { if (lost) onBack(); lost = false; };
  source.onerror = () => { lost = true; onLost(source.readyState === EventSource.CLOSED); };
  source.addEventListener('end', () => { source.close(); onEnd(); });
  return source;
}
