'use strict';
const element = (id) => document.getElementById(id);
const at = (path) => new URL(path, location.origin);
const wanted = new URLSearchParams(location.search);
const only = [...wanted].length === 1 ? [...wanted.keys()][0] : null;

function show() {
  element('what').textContent = [...wanted].map(([name, value]) => `${name} = ${value}`).join(', ');
}

// About a tenth, but as round as people type it: 2.35 goes by 0.1, 20000 by 1000.
function step(by) {
  const value = Number(wanted.get(only));
  const size = Math.max(0.1, 10 ** (Math.floor(Math.log10(Math.abs(value) || 1)) - 1));
  wanted.set(only, Number((value + by * size).toFixed(6)));
  show();
  return set();
}

// The token that the page at / was given.
function recall() {
  try { return localStorage.getItem('token'); } catch { return null; }
}

async function set() {
  try {
    const token = recall();
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(at(`/set?${wanted}`), { method: 'POST', headers, signal: AbortSignal.timeout(8000) });
    const line = (await answer.text()).trim();
    element('result').textContent = answer.ok ? `Set: ${element('what').textContent}` : line;
  } catch (error) {
    element('result').textContent = `No answer from the camera: ${error.message}`;
  }
}

show();
element('set').onclick = set;
if (only && wanted.get(only).trim() !== '' && Number.isFinite(Number(wanted.get(only)))) {
  for (const [id, by] of [['less', -1], ['more', 1]]) {
    element(id).hidden = false;
    element(id).onclick = () => step(by);
  }
}
element('picture').src = at('/stream?fps=4');
