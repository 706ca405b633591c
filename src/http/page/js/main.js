// Puts the parts together: what a picture brings, what keys do, how bright the page is.
(() => {
  const sleep = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
  let polling = false;

  async function poll() {
    if (polling || document.hidden) return;
    polling = true;
    try {
      status.update(await net.status());
      await controls.load();
    } catch { /* the stream says it */ }
    polling = false;
  }

  async function watch() {
    for (;;) {
      await poll();
      await sleep(status.uneasy ? 1 : 5);
    }
  }

  const told = {
    async picture(jpeg, head) {
      // A picture that came broken is left out.
      if (!await view.draw(jpeg).then(() => true, () => false)) return;
      const first = status.drawn(head);
      focus.read(head);
      controls.read(head);
      if (first) poll();
    },
    off: status.off,
    slow(words) {
      if (dom.get('slow').textContent === words) return;
      dom.write('slow', words);
      dom.get('slow').hidden = !words;
      dom.say(words || 'the connection is quick again');
    },
  };

  view.onmove((window, known) => {
    focus.moved();
    stream.look(window);
    if (!known) controls.set('AfWindows', window.join(','));
  });
  controls.onload((rows) => {
    focus.update(rows);
    save.update(rows);
    if (rows.AfWindows?.requested) view.window = rows.AfWindows.requested;
  });

  // ---- keys
  const letters = dom.get('letters');
  const KEYS = [
    ['← →', 'focus by 0.1 dioptres'], ['Page up, down', 'on the slider: by 1 dioptre'], ['F', 'focus once'], ['S', 'sweep'], ['H', 'hold'],
    ['L', 'loupe'], ['Ctrl S', 'save'], ['Esc', 'stop'], ['← → ↑ ↓', 'on the picture: move the window'], ['+ −', 'on the picture: its size'],
    ['●', 'live'], ['▲', 'the picture is old'], ['■', 'no signal from the camera'], ['✕', 'no connection'], ['◆', 'not saved'], ['▼', 'slow connection'],
  ];
  const DOES = { f: () => focus.press('once'), s: () => focus.press('sweep'), h: () => focus.press('hold'), l: () => { dom.get('loupe').open = !dom.get('loupe').open; } };

  document.onkeydown = (event) => {
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === 's') {
      event.preventDefault();
      save.keep();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (key === 'escape') focus.stop();
    if (event.target.closest('input, select') || event.defaultPrevented) return;
    if (key === 'arrowleft' || key === 'arrowright') focus.nudge(key === 'arrowleft' ? -0.1 : 0.1);
    else if (letters.checked) DOES[key]?.();
  };

  dom.get('keys').append(...KEYS.flatMap(([key, does]) => [dom.make('dt', {}, key), dom.make('dd', {}, does)]));
  letters.checked = dom.recall('letters') !== 'no';
  letters.onchange = () => dom.remember('letters', letters.checked ? 'yes' : 'no');
  dom.get('ask').onclick = () => dom.get('help').showModal();
  dom.get('close').onclick = () => dom.get('help').close();

  // ---- the token; who has closed the dialog is asked again once they change something
  const [who, secret] = ['who', 'token'].map(dom.get);
  let closed = false;
  net.onunknown((wrong, byHand) => {
    if (who.open || (closed && !byHand)) return;
    dom.write('why', wrong ? 'That token is wrong.' : 'This camera wants its token.');
    secret.value = who.returnValue = '';
    who.showModal();
  });
  who.onclose = () => {
    closed = who.returnValue !== 'use';
    if (closed) return;
    net.token = secret.value;
    stream.now();
    poll();
  };

  // ---- the rest
  const sun = dom.get('sun');
  function shine(on) {
    document.documentElement.classList.toggle('sun', on);
    dom.press(sun, on);
    dom.remember('sun', on ? 'yes' : 'no');
  }
  sun.onclick = () => shine(sun.getAttribute('aria-pressed') !== 'true');
  shine(dom.recall('sun') === 'yes');

  dom.get('error').lastElementChild.onclick = () => { dom.get('error').hidden = true; };
  // By a request: a link sends no token, and saves a refusal as if it were a picture.
  async function load(event) {
    event.preventDefault();
    const name = `picam-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.jpg`;
    const link = event.currentTarget;
    link.setAttribute('aria-busy', 'true');
    try {
      const href = URL.createObjectURL(await net.ask(link.getAttribute('href'), {}, { seconds: 60 }));
      dom.make('a', { href, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60000);
    } catch (error) {
      dom.fail(error);
    }
    link.removeAttribute('aria-busy');
  }
  dom.get('download').onclick = dom.get('take').onclick = load;

  // Where there is room beside the picture, curve and loupe are there; the order of the keys follows.
  const wide = matchMedia('(min-width: 800px)');
  function place() {
    const parts = [dom.get('result'), dom.get('loupe')];
    if (wide.matches) dom.get('left').append(...parts);
    else dom.get('focus').after(...parts);
  }
  wide.onchange = place;
  place();
  dom.get('loupe').open = matchMedia('(min-width: 800px) and (min-height: 700px)').matches;

  new ResizeObserver(() => stream.fit(view.pixels)).observe(dom.get('picture'));
  stream.look(view.window);
  stream.start((kind, ...what) => told[kind](...what));
  watch();
})();
