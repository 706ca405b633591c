// The picture, the window on it, and the loupe.
const view = (() => {
  // Smaller windows measure noise.
  const LEAST = 0.125;
  const [stage, canvas, frame, glass] = ['stage', 'picture', 'window', 'glass'].map(dom.get);
  const drawing = canvas.getContext('2d', { alpha: false });
  let window = [0.4, 0.4, 0.2, 0.2];
  // Of the whole picture, pixels: a guess until the first part of it is there.
  let size = [2304, 1296];
  let moved = () => {};
  let drag = null;
  let sending = 0;

  // Draws a JPEG; resolves when it is drawn.
  async function draw(jpeg) {
    const bitmap = await createImageBitmap(jpeg);
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      stage.style.setProperty('--ratio', bitmap.width / bitmap.height);
    }
    drawing.drawImage(bitmap, 0, 0);
    bitmap.close();
    if (frame.hidden) show(window);
  }

  function show([x, y, w, h]) {
    frame.hidden = false;
    const places = { left: x, top: y, width: w, height: h };
    for (const [name, part] of Object.entries(places)) frame.style[name] = `${part * 100}%`;
  }

  // So that a part of this length ends a hair before the picture does: picam takes no sum of more than 1.
  const within = (start, length) => dom.clamp(start, 0, Math.max(0, 0.9999 - length));

  // A window of at least the least size that lies within the picture.
  function inside(x, y, w, h) {
    const [width, height] = [dom.clamp(w, LEAST, 1), dom.clamp(h, LEAST, 1)];
    const [left, top] = [within(x - (width - w) / 2, width), within(y - (height - h) / 2, height)];
    return [left, top, width, height].map((part) => Number(part.toFixed(4)));
  }

  function commit(to) {
    sending = 0;
    window = to;
    show(window);
    const [x, y, w, h] = window.map((part) => Math.round(part * 100));
    dom.say(`window from ${x} to ${x + w} % across, ${y} to ${y + h} % down`);
    moved(window);
  }

  const at = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [(event.clientX - left) / width, (event.clientY - top) / height];
  };

  function dragged(event) {
    const [x, y] = at(event);
    const far = Math.hypot(event.clientX - drag.clientX, event.clientY - drag.clientY) > 12;
    const [, , w, h] = window;
    if (!far) return inside(x - w / 2, y - h / 2, w, h);
    return inside(Math.min(x, drag.x), Math.min(y, drag.y), Math.abs(x - drag.x), Math.abs(y - drag.y));
  }

  canvas.onpointerdown = (event) => {
    if (!event.isPrimary || event.button) return;
    const [x, y] = at(event);
    drag = { x, y, clientX: event.clientX, clientY: event.clientY };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => drag && show(dragged(event));
  canvas.onpointerup = (event) => {
    if (!drag) return;
    const to = dragged(event);
    drag = null;
    commit(to);
  };
  canvas.onpointercancel = () => {
    drag = null;
    show(window);
  };

  // Moves the window, and sends it once the keys rest.
  canvas.onkeydown = (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [across, down] = steps[event.key] ?? [0, 0];
    const grow = { '+': 1.1, '=': 1.1, '-': 1 / 1.1 }[event.key];
    if ((!grow && !across && !down) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const [x, y, w, h] = window;
    const by = grow ?? 1;
    window = inside(x + across * 0.02 - (w * by - w) / 2, y + down * 0.02 - (h * by - h) / 2, w * by, h * by);
    show(window);
    clearTimeout(sending);
    sending = setTimeout(() => commit(window), 400);
  };

  // The loupe: the middle of the window, one pixel of the camera for one of the page, twice a second.
  const loupe = dom.get('loupe');
  let looking = false;

  async function look() {
    if (looking) return;
    looking = true;
    while (loupe.open && !document.hidden) {
      try { await magnify(); } catch { /* the state says why there is no picture */ }
      await new Promise((done) => setTimeout(done, 400));
    }
    looking = false;
  }

  async function magnify() {
    const wide = Math.min(glass.clientWidth || 320, size[0]) & ~1;
    const high = Math.min(wide * 9 >> 4, size[1]) & ~1;
    const [x, y, w, h] = window;
    const [cw, ch] = [wide / size[0], high / size[1]];
    const crop = [within(x + (w - cw) / 2, cw), within(y + (h - ch) / 2, ch), cw, ch];
    const bitmap = await createImageBitmap(await net.ask('jpg', { crop: crop.map((part) => part.toFixed(5)).join(',') }));
    size = [bitmap.width / cw, bitmap.height / ch].map(Math.round);
    [glass.width, glass.height] = [wide, high];
    glass.getContext('2d', { alpha: false }).drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  loupe.ontoggle = look;
  document.addEventListener('visibilitychange', look);

  return {
    draw,
    get window() { return window; },
    // The window as the camera has it; the one that is being moved stays.
    set window(now) {
      if (drag || sending || now.join() === window.join()) return;
      window = now;
      show(window);
      moved(window, true);
    },
    // Pixels that the picture fills on this screen, as far as an eye needs them.
    get pixels() { return canvas.clientWidth * Math.min(devicePixelRatio, 2); },
    onmove(listener) { moved = listener; },
  };
})();
