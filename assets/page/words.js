// The page's words in its languages. Static texts are exchanged in place; moving ones ask t().

let catalogue = {};
let language = 'en';
const DATA = 'pre, textarea, .jv-turn > span:not([class]), .jv-card-body, .jv-card-step, .jv-hit-open > span, .jv-moment li, .jv-words'; // what was seen or said
const keyOf = new Map(); // any language's text → key

export const current = () => language;

export function load(text, extra) {
  catalogue = { ...text };
  extra.forEach((words, number) => { catalogue[`extra_${number}`] = words; });
  for (const [key, words] of Object.entries(catalogue)) {
    for (const word of Object.values(words)) if (!word.includes('{')) keyOf.set(word, key);
  }
}

export function preferred() {
  return kept('joyvl-language') || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
}

export function t(key, values = {}) {
  const words = catalogue[key];
  let text = words ? words[language] || words.en : key;
  for (const [name, value] of Object.entries(values)) text = text.replace(`{${name}}`, value);
  return text;
}

// One text in all languages.
export const everywhere = (key) => Object.values(catalogue[key] || {});

export function switchTo(next, root = document.body) {
  language = next;
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  keep('joyvl-language', next);
  exchange(root);
}

// Every text node and label that equals a catalogue text, in whatever language, becomes the present language's.
export function exchange(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.parentElement.closest(DATA)) continue;
    const key = keyOf.get(node.nodeValue.trim());
    if (key) { const word = t(key); if (node.nodeValue.trim() !== word) node.nodeValue = word; }
  }
  for (const element of root.querySelectorAll('[placeholder],[aria-label],[title]')) {
    for (const name of ['placeholder', 'aria-label', 'title']) {
      const key = keyOf.get((element.getAttribute(name) || '').trim());
      if (key) element.setAttribute(name, t(key));
    }
  }
  for (const input of root.querySelectorAll('input[role="listbox"]')) { // a dropdown shows its choice as a value
    const key = keyOf.get(input.value.trim());
    if (key) input.value = t(key);
  }
}

// Some browsers refuse to store anything, by throwing: then nothing outlives the page.
export function kept(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

export function keep(name, value) {
  try { if (value === null) localStorage.removeItem(name); else localStorage.setItem(name, value); return true; } catch { return false; }
}

export const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
