// Brings the tabs Rate and Results to life, in the app or alone; a page without them has none.

import { Rating } from './rate.js';
import { Results } from './results.js';
import { everywhere } from './words.js';

export async function open() {
  const root = await found('jv-rate');
  if (!root) return { relabel() {} };
  const rating = new Rating(root);
  const place = document.getElementById('jv-results');
  const results = place && new Results(place);
  const shortcut = document.getElementById('jv-go-rate');
  if (shortcut) shortcut.onclick = () => turnTo('rate');
  if (new URLSearchParams(location.search).has('rate')) turnTo('rate');
  return { rating, results, relabel() { rating.relabel(); results?.relabel(); } };
}

// On a narrow page Gradio folds tabs into a menu, where they have no names but their texts.
function turnTo(tab) {
  const folded = [...document.querySelectorAll('.overflow-menu button')];
  const button = document.getElementById(`tab-${tab}-button`) || folded.find((one) => everywhere(tab).includes(one.textContent.trim()));
  button?.click();
}

// Gradio mounts a tab when it likes.
async function found(id) {
  if (!document.querySelector('link[href$="rate.css"]')) return null;
  while (!document.getElementById(id)) await new Promise((done) => { requestAnimationFrame(done); });
  return document.getElementById(id);
}
