// The one long connection: pictures with what was measured in them. It comes back by itself, rests while nobody sees the
// page, and takes smaller and fewer pictures where the network or the phone cannot keep up.
const stream = (() => {
  // Width, and which share of the rate: one in so many.
  const STEPS = [[1440, 1], [960, 1], [480, 1], [480, 2], [480, 4], [480, 8]];
  const FIRST = 2;
  const WAITS = [0.5, 1, 2, 4];
  const SILENCE = 5;
  const AGAIN = 'again';
  const text = new TextDecoder('latin1');

  let tell = () => {};
  let rate = 8;
  let place = null;
  let tries = 0;
  let step = FIRST;
  let best = FIRST;
  let plain = false;
  let controller = new AbortController();
  let wake = () => {};
  // How well it goes: slow pictures in a row, since when all were quick, how long that is not trusted, the last step up.
  let slow = 0;
  let quick = 0;
  let patience = 1;
  let raised = 0;
  let slowed = false;

  function query() {
    const [width, share] = STEPS[step];
    const asked = { raw: 1, readings: 1, window: place?.map((part) => part.toFixed(4)).join(',') };
    return plain ? { raw: 1 } : { ...asked, width, fps: share > 1 ? (rate / share).toFixed(3) : null };
  }

  // Ends what waits for the camera when nothing comes for too long: a cable that is out sends no end.
  async function soon(promise) {
    const longest = Math.max(SILENCE, 2.5 * STEPS[step][1] / rate) * 1000;
    const timer = setTimeout(() => controller.abort(new Error('nothing comes')), longest);
    try { return await promise; } finally { clearTimeout(timer); }
  }

  async function connect() {
    const { signal } = controller;
    const answer = await soon(net.get('stream', query(), { signal }));
    if (!answer.ok) throw Object.assign(new Error((await soon(answer.text())).trim()), { status: answer.status });
    const reader = answer.body.getReader();
    let bytes = new Uint8Array(1 << 18);
    let length = 0;
    const more = async () => {
      const { value, done } = await soon(reader.read());
      if (done) throw new Error('the camera ended the stream');
      if (length + value.length > bytes.length) {
        const larger = new Uint8Array(Math.max(2 * bytes.length, length + value.length));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
    };
    for (;;) {
      let end;
      while ((end = text.decode(bytes.subarray(0, Math.min(length, 4096))).indexOf('\r\n\r\n', 2)) < 0) await more();
      const began = performance.now();
      const head = part(text.decode(bytes.subarray(0, end)));
      const from = end + 4;
      const size = Number(head['content-length']);
      if (!size) throw new Error('the camera ended the stream');
      while (length < from + size) await more();
      const jpeg = new Blob([bytes.slice(from, from + size)], { type: 'image/jpeg' });
      bytes.copyWithin(0, from + size, length);
      length -= from + size;
      // Nothing is read while a picture is drawn: so picam notices that it need not hurry.
      await tell('picture', jpeg, head);
      signal.throwIfAborted();
      tries = 0;
      judge((performance.now() - began) / 1000);
    }
  }

  // The header lines of a part, by their names in lower case.
  function part(lines) {
    const pairs = lines.split('\r\n').map((line) => line.split(': '));
    return Object.fromEntries(pairs.filter(([, value]) => value).map(([name, value]) => [name.toLowerCase(), value]));
  }

  // Steps down after three pictures that took too long, up after ten seconds of quick ones; later where a step up was a
  // mistake.
  function judge(cost) {
    const interval = STEPS[step][1] / rate;
    const now = performance.now() / 1000;
    quick = quick && cost < interval / 2 ? quick : now;
    slow = cost > 1.5 * interval ? slow + 1 : 0;
    if (slow >= 3 && step < STEPS.length - 1) {
      slowed = true;
      patience = now - raised < 30 ? Math.min(2 * patience, 120) : 10;
      move(1);
    } else if (step > best && now - quick > patience) {
      raised = slowed ? now : raised;
      move(-1);
    }
  }

  function move(by) {
    step += by;
    slow = 0;
    quick = 0;
    if (step <= best) slowed = false;
    tell('slow', note());
    again();
  }

  function note() {
    const [width, share] = STEPS[step];
    const hertz = Number((rate / share).toPrecision(2));
    return slowed && step > best ? `slow connection: smaller pictures, ${width} wide${share > 1 ? `, ${hertz} a second` : ''}` : '';
  }

  const again = () => controller.abort(AGAIN);

  // Pauses for so many seconds, or until something says that it may work now.
  const pause = (seconds) => new Promise((done) => {
    const timer = setTimeout(done, seconds * 1000);
    wake = () => {
      clearTimeout(timer);
      done();
    };
  });

  async function run() {
    for (;;) {
      while (document.hidden) await pause(60);
      controller = new AbortController();
      let failure;
      try { await connect(); } catch (error) { failure = error; }
      if (controller.signal.reason === AGAIN || document.hidden) continue;
      if (failure.status === 400 && !plain) { // a picam that knows no widths, or a window that it does not take
        plain = true;
        continue;
      }
      const wait = WAITS[Math.min(tries++, WAITS.length - 1)];
      tell('off', failure.status ? failure.message : 'no connection', Date.now() + wait * 1000);
      await pause(wait);
    }
  }

  document.addEventListener('visibilitychange', () => (document.hidden ? again() : wake()));
  addEventListener('online', () => wake());
  addEventListener('pagehide', again);

  // The smallest width that fills so many pixels.
  function fit(pixels) {
    const widths = STEPS.slice(0, FIRST + 1).map(([width]) => width);
    const enough = widths.filter((width) => width >= pixels);
    best = enough.length ? enough.length - 1 : 0;
    if (step < best) move(best - step);
  }

  function look(at) {
    place = at;
    plain = false;
    again();
  }

  return {
    // listener(kind, …) is told 'picture' (JPEG, header lines), 'off' (why, until when) and 'slow' (in words, or nothing).
    start(listener) {
      tell = listener;
      run();
    },
    fit,
    look,
    now: () => wake(),
    set rate(hertz) { rate = hertz; },
    get share() { return STEPS[step][1]; },
  };
})();
