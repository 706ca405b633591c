'use strict';
// Elements, words for numbers, and what this browser remembers.
const dom = (() => {
  const get = (id) => document.getElementById(id);

  // Features that an element has are set as such, others as attributes.
  function make(tag, features = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(features)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  // Leaves alone what is right already: neither a screen reader nor a selection is to be disturbed.
  function write(where, text) {
    const element = where.nodeType ? where : get(where);
    if (element.textContent !== text) element.textContent = text;
  }

  // Gives an input its value, unless a hand is on it.
  let held = null;
  document.addEventListener('pointerdown', ({ target }) => { held = target.type === 'range' ? target : null; }, true);
  for (const end of ['pointerup', 'pointercancel']) document.addEventListener(end, () => { held = null; }, true);
  function put(input, value) {
    const typing = input.type === 'text' && input === document.activeElement;
    if (!typing && input !== held && input.value !== String(value)) input.value = value;
  }

  const press = (button, on) => button.setAttribute('aria-pressed', String(Boolean(on)));
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  // Two or three digits that matter: 0.034, 2.1, 82, 12345.
  const brief = (value) => (Math.abs(value) >= 10 || value === 0 ? String(Math.round(value)) : String(Number(value.toPrecision(2))));

  function metres(dioptres, long) {
    if (dioptres < 0.01) return long ? 'infinity' : '∞';
    const far = 1 / dioptres;
    if (far < 1) return `${Math.round(far * 100)} ${long ? 'centimetres' : 'cm'}`;
    return `${far < 10 ? far.toFixed(1) : Math.round(far)} ${long ? 'metres' : 'm'}`;
  }
  const focus = (dioptres) => `${dioptres.toFixed(2)} D ≈ ${metres(dioptres)}`;
  const spoken = (dioptres) => `${dioptres.toFixed(2)} dioptres, about ${metres(dioptres, true)}`;

  function span(seconds) {
    if (seconds < 60) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
  }

  // Private windows may refuse to remember.
  function recall(key) {
    try { return localStorage.getItem(key); } catch { return null; }
  }
  function remember(key, value) {
    try { localStorage.setItem(key, value); } catch { /* until the page is closed, then */ }
  }

  // A screen reader says this once.
  const say = (text) => write('told', text);

  // Errors stay until they are dismissed, in the camera's own words. A missing token has a dialog of its own.
  function fail(error) {
    if (error.status === 401) return;
    write(get('error').firstElementChild, error.message);
    get('error').hidden = false;
  }

  return { get, make, write, put, press, clamp, brief, metres, focus, spoken, span, recall, remember, say, fail };
})();
