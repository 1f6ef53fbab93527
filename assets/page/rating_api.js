// The rating server, as functions. A refusal becomes a Refused whose message is meant for people; `status` tells which.

export class Refused extends Error {
  constructor(message, status) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(`/rating${path}`, { credentials: 'same-origin', cache: 'no-store', ...options });
  } catch {
    throw new Refused('', 0);
  }
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  const told = await reply.json().catch(() => ({}));
  throw new Refused(told.error || '', reply.status);
}

const post = (path, body = {}) =>
  ask(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

const of = (study) => `/studies/${encodeURIComponent(study)}`;

export const page = () => ask('/page');
export const join = (study, code) => post(`${of(study)}/join`, { consent: true, code });
export const next = (study) => post(`${of(study)}/next`);
export const item = (study, number) => ask(`${of(study)}/items/${number}`);
export const vote = (study, ballot) => post(`${of(study)}/votes`, ballot);
export const skip = (study, assignment) => post(`${of(study)}/skip`, { assignment });

export const enter = (password) => post('/results/enter', { password });
export const studies = () => ask('/results/studies');
export const results = (study, flagged) => ask(`/results/${encodeURIComponent(study)}?with_flagged=${flagged}`);
export const votes = (study, wanted) => ask(`/results/${encodeURIComponent(study)}/votes?${new URLSearchParams(wanted)}`);
export const exportAddress = (study, names) => `/rating/results/${encodeURIComponent(study)}/export.zip?names=${names}`;
