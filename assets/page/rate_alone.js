// The rating page without the rest of the app.

import * as api from './rating_api.js';
import { open } from './rate_main.js';
import * as words from './words.js';

boot();

async function boot() {
  let page = null;
  for (let wait = 500; !page; wait = Math.min(wait * 2, 8000)) {
    page = await api.page().catch(() => new Promise((done) => { setTimeout(done, wait); }));
  }
  words.load(page.text, []);
  words.switchTo(words.preferred());
  const button = (name) => document.getElementById(`jv-${name}`);
  while (!button('language')) await new Promise((done) => { requestAnimationFrame(done); });
  const rating = await open();
  const dark = button('dark');
  const relabel = () => { dark.textContent = words.t(document.body.classList.contains('dark') ? 'light' : 'dark'); };
  button('language').onclick = () => { words.switchTo(words.current() === 'zh' ? 'en' : 'zh'); rating.relabel(); relabel(); };
  dark.onclick = () => { document.body.classList.toggle('dark'); relabel(); };
  words.exchange(document.body);
  relabel();
  document.body.dataset.joyvl = 'ready';
}
