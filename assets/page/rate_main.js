// Brings the tabs Rate and Results to life, in the app or alone; a page without them has none.

import { Rating } from './rate.js';
import { Results } from './results.js';

export async function open() {
  const root = await found('jv-rate');
  if (!root) return { relabel() {} };
  const rating = new Rating(root);
  const place = document.getElementById('jv-results') || (document.getElementById('tab-results-button') && await found('jv-results'));
  const results = place && new Results(place);
  if (new URLSearchParams(location.search).has('rate')) document.getElementById('tab-rate-button')?.click();
  return { rating, results, relabel() { rating.relabel(); results?.relabel(); } };
}

// Gradio mounts a tab when it likes.
async function found(id) {
  if (!document.querySelector('link[href$="rate.css"]')) return null;
  while (!document.getElementById(id)) await new Promise((done) => { requestAnimationFrame(done); });
  return document.getElementById(id);
}
