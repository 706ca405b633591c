// Focus: how sharp it is, where the lens is, and what moves it.
const focus = (() => {
  const [slider, meter, sharp, tone, svg] = ['slider', 'meter', 'sharp', 'tone', 'curve'].map(dom.get);
  const ways = ['once', 'always', 'sweep', 'hold'].map(dom.get);
  const SVG = 'http://www.w3.org/2000/svg';
  let lens = null; // where it is, dioptres
  let state = null; // what autofocus does
  let rows = {}; // the controls by name
  let score = null;
  let peak = 0;
  let busy = null; // what of the long ones runs: { stop }
  let points = []; // [dioptres, sharpness] of the sweep that runs
  let sound = null;

  // ---- how sharp
  function measured(value) {
    score = value;
    peak = Math.max(peak, value);
    const good = value >= 0.97 * peak;
    meter.hidden = false;
    meter.classList.toggle('good', good);
    dom.get('fill').style.transform = `scaleX(${value / (peak * 1.03 || 1)})`;
    dom.get('peak').style.left = `${100 / 1.03}%`;
    dom.write('score', dom.brief(value));
    dom.write('best', `best ${dom.brief(peak)}`);
    const now = { valuenow: value, valuemax: peak || 1, valuetext: `${dom.brief(value)}, best ${dom.brief(peak)}` };
    for (const [name, said] of Object.entries(now)) sharp.setAttribute(`aria-${name}`, said);
    if (sound) sound.pitch.frequency.setTargetAtTime(220 + 660 * (value / (peak || 1)), sound.context.currentTime, 0.05);
  }

  function forget() {
    peak = 0;
    if (score !== null) measured(score);
  }

  // Browsers let a page sound only after a tap.
  function sing() {
    if (sound) {
      sound.context.close();
      sound = null;
    } else {
      const context = new AudioContext();
      const [pitch, volume] = [context.createOscillator(), context.createGain()];
      volume.gain.value = 0.15;
      pitch.connect(volume).connect(context.destination);
      pitch.start();
      sound = { context, pitch };
    }
    dom.press(tone, sound);
  }

  // ---- where the lens is
  const ends = () => [Number(slider.min), Number(slider.max)];
  const share = (dioptres) => dom.clamp((dioptres - slider.min) / (slider.max - slider.min), 0, 1);
  const requested = (name) => rows[name]?.requested ?? null;
  const fixed = () => requested('AfMode') === 'manual' && requested('LensPosition') !== null;

  // The thumb is what was asked for, the mark what the lens does; without a wish, and in a sweep, the thumb goes with it.
  function show() {
    const wish = controls.wish('LensPosition') ?? (fixed() && !busy ? requested('LensPosition') : lens);
    if (wish !== null) dom.put(slider, wish);
    const value = wish === null ? null : Number(slider.value);
    dom.write('dioptres', value === null ? '–' : dom.focus(value));
    slider.setAttribute('aria-valuetext', value === null ? 'not known' : dom.spoken(value));
    const mark = dom.get('at');
    mark.hidden = lens === null;
    if (lens !== null) mark.style.left = `calc(16px + (100% - 32px) * ${share(lens)})`;
    const missing = rows.LensPosition?.unavailable;
    const mode = requested('AfMode');
    const moves = { scanning: ' searches…', failed: ' finds nothing sharp' }[state] ?? '';
    const how = mode === 'manual' ? 'held' : `autofocus${moves}`;
    dom.write('mode', missing ?? busy?.words ?? how);
    dom.press(dom.get('always'), mode === 'continuous' && !busy);
    dom.press(dom.get('hold'), mode === 'manual' && !busy);
    for (const button of [slider, dom.get('less'), dom.get('more'), ...ways]) button.disabled = Boolean(missing);
    if (busy) for (const button of ways) button.disabled = button !== busy.button;
  }

  function drive(dioptres) {
    const to = dom.clamp(Math.round(dioptres * 100) / 100, ...ends());
    slider.value = to;
    controls.set('LensPosition', to);
    show();
  }
  const nudge = (by) => rows.LensPosition?.unavailable || drive(Number(slider.value) + by);

  // ---- what takes seconds
  async function long(button, words, path, query, done) {
    if (busy) return;
    const stop = new AbortController();
    busy = { button, words, stop };
    show();
    try {
      const answer = JSON.parse(await net.post(path, query, { seconds: 90, signal: stop.signal }));
      done(answer);
    } catch (error) {
      if (!stop.signal.aborted) dom.fail(error);
      done(null, stop.signal.aborted);
    }
    busy = null;
    show();
    controls.load();
  }

  const place = () => view.window.join(',');

  function once() {
    long(dom.get('once'), 'autofocus searches…', 'focus/auto', { window: place() }, (answer) => {
      if (!answer) return;
      const found = answer.result === 'focused';
      dom.say(found ? `focused at ${dom.spoken(answer.lens)}` : 'autofocus found nothing sharp');
      state = answer.result;
      lens = answer.lens;
    });
  }

  async function hold() {
    try {
      const answer = JSON.parse(await net.post('focus/hold'));
      lens = answer.lens;
      dom.say(`held at ${dom.spoken(lens)}`);
    } catch (error) {
      dom.fail(error);
    }
    controls.load();
  }

  // ---- the sweep
  let before = null; // what to go back to

  function sweep() {
    if (busy) return busy.stop.abort();
    before = fixed() ? ['LensPosition', requested('LensPosition')] : ['AfMode', requested('AfMode') ?? 'continuous'];
    points = [];
    dom.get('result').hidden = false;
    dom.get('choices').replaceChildren();
    dom.write('sweep', 'Stop');
    grown();
    dom.say('sweep');
    long(dom.get('sweep'), 'sweeping…', 'focus/sweep', { window: place() }, swept);
  }

  // While it runs: the curve as far as the stream's readings tell it.
  function grown() {
    const most = ends()[1];
    const reached = Math.max(0, ...points.map(([dioptres]) => dioptres));
    const again = reached > 0.9 * most && lens < 0.8 * reached;
    dom.write('found', again ? `sweep: closer at ${lens.toFixed(1)} D` : `sweep: ${reached.toFixed(1)} of ${dom.brief(most)} D`);
    plot([...points].sort(([one], [other]) => one - other));
  }

  function swept(answer, stopped) {
    dom.write('sweep', 'Sweep');
    if (!answer) {
      dom.write('found', stopped ? 'stopped; the lens goes back to where it was' : 'the sweep did not come to its end');
      dom.say(dom.get('found').textContent);
      return;
    }
    lens = answer.lens ?? lens;
    const peaks = answer.peaks ?? [];
    const { best } = answer;
    const words = {
      sharp: `sharpest at ${best?.toFixed(2)} D (≈ ${dom.metres(best ?? 0)}), verified ${Math.round(answer.verified * 100)}\u00a0%`,
      'two peaks': `two peaks, ${peaks.map((peak) => Number(peak.toFixed(2))).join(' and ')} D: glass in front?`,
      'too little detail': 'too little detail, choose a larger window',
    }[answer.result] ?? answer.result;
    dom.write('found', words);
    dom.say(words.replaceAll(' D', ' dioptres').replace('≈', 'about'));
    const isSharp = answer.result === 'sharp';
    plot(answer.curve, isSharp ? [best] : peaks);
    const choice = (words, does, ends) => dom.make('button', { onclick: () => {
      does();
      if (ends) dom.get('choices').replaceChildren();
    } }, words);
    const chances = isSharp
      ? [choice('Hold', hold, true), choice('Undo the sweep', () => controls.set(...before), true)]
      : peaks.map((peak) => choice(dom.focus(peak), () => drive(peak)));
    dom.get('choices').replaceChildren(...chances);
  }

  function plot(curve, best = []) {
    const [least, most] = ends();
    const scores = curve.map(([, value]) => value);
    const [low, high] = [Math.min(...scores, Infinity), Math.max(...scores, 0)];
    const x = (dioptres) => ((dioptres - least) / (most - least) * 476 + 2).toFixed(1);
    const y = (value) => (150 - (value - low) / (high - low || 1) * 140).toFixed(1);
    const draw = (tag, name, where) => {
      const shape = document.createElementNS(SVG, tag);
      for (const [key, value] of Object.entries({ class: name, ...where })) shape.setAttribute(key, value);
      return shape;
    };
    const upright = (name, dioptres) => draw('line', name, { x1: x(dioptres), x2: x(dioptres), y1: 0, y2: 158 });
    const shapes = [draw('line', 'base', { x1: 0, x2: 480, y1: 159, y2: 159 })];
    if (busy && lens !== null) shapes.push(upright('lens', lens));
    shapes.push(...best.map((dioptres) => upright('best', dioptres)));
    if (curve.length) shapes.push(draw('polyline', 'line', { points: curve.map(([dioptres, value]) => `${x(dioptres)},${y(value)}`).join(' ') }));
    svg.replaceChildren(...shapes);
    const parts = [3, 5, 4].find((count) => (most - least) % count === 0) ?? 3;
    const marks = Array.from({ length: parts + 1 }, (_, part) => least + (most - least) * part / parts);
    dom.get('scale').replaceChildren(...marks.map((mark) => dom.make('span', {}, `${Number(mark.toFixed(1))} D`)));
    svg.setAttribute('aria-label', `sharpness over focus${best.length ? `, sharpest at ${best.map(dom.spoken).join(' and ')}` : ''}`);
  }

  // ---- hands
  slider.oninput = () => drive(Number(slider.value));
  slider.onkeydown = (event) => {
    const by = { ArrowLeft: -0.1, ArrowDown: -0.1, ArrowRight: 0.1, ArrowUp: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    nudge(by);
  };
  dom.get('less').onclick = () => nudge(-0.1);
  dom.get('more').onclick = () => nudge(0.1);
  dom.get('best').onclick = forget;
  tone.onclick = sing;
  const does = { once, sweep, hold, always: () => controls.set('AfMode', 'continuous') };
  for (const [id, doing] of Object.entries(does)) dom.get(id).onclick = doing;

  return {
    // What came with a picture.
    read(head) {
      lens = 'x-lens' in head ? Number(head['x-lens']) : lens;
      state = head['x-afstate'] ?? state;
      if ('x-sharpness' in head) measured(Number(head['x-sharpness']));
      if (busy?.button.id === 'sweep' && 'x-lens' in head && 'x-sharpness' in head) {
        points.push([lens, score]);
        grown();
      }
      show();
    },
    // What the controls are now.
    update(now) {
      rows = now;
      const { min, max } = rows.LensPosition ?? {};
      [slider.min, slider.max] = [min ?? 0, max ?? 15];
      lens = rows.LensPosition?.actual ?? lens;
      show();
    },
    // The window is another one: what was best there says nothing here.
    moved() {
      score = null;
      forget();
    },
    nudge,
    stop: () => busy?.stop.abort(),
    press: (id) => dom.get(id).disabled || dom.get(id).click(),
  };
})();
