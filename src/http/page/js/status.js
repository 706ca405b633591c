// How it goes: the state of the picture in words, what the camera says of itself, and how others connect to it.
const status = (() => {
  const [state, over, stage, now] = ['state', 'over', 'stage', 'now'].map(dom.get);
  let report = {}; // the last /status
  let reported = 0; // when that came
  let picture = null; // the last one: { frame, time, at }
  let dark = false; // it is a "no signal" picture
  let fresh = 0; // when the last frame came that was none
  let off = null; // { why, until }
  let shown = '';
  const times = [];

  const interval = () => stream.share / (report.rate_hz || 8);

  function said() {
    if (off) {
      const wait = Math.ceil((off.until - Date.now()) / 1000);
      return ['off', `${off.why}, trying again${wait > 0 ? ` in ${wait} s` : '…'}`];
    }
    if (!picture) return ['wait', 'connecting…'];
    const signal = performance.now() - reported < 8000 ? report.signal : null;
    if (signal === 'starting') return ['dark', 'the camera starts: no frame from it yet'];
    if (signal === 'not encoded') return ['dark', 'no picture: the encoder fails, picam starts it again'];
    if (dark) {
      const silence = signal === 'lost' ? report.silence_seconds + (performance.now() - reported) / 1000 : (performance.now() - fresh) / 1000;
      return ['dark', `no signal from the camera for ${dom.span(silence)}, picam is restarting it`];
    }
    const age = net.age(picture.time);
    const old = age ?? (performance.now() - picture.at) / 1000;
    if (old > 1 + 2 * interval()) return ['stale', `picture is ${dom.span(old)} old`];
    return ['live', age === null ? 'live' : `live ${picture.age.toFixed(1)} s`];
  }

  const ALOUD = { live: 'live', stale: 'the picture is old', dark: 'no signal from the camera', off: 'no connection to the camera' };

  function show() {
    const [kind, words] = said();
    const rate = times.length > 2 ? (times.length - 1) / (times.at(-1) - times[0]) * 1000 : 0;
    dom.write('words', kind === 'live' && rate ? `${words} · ${rate.toFixed(1)} Hz` : words);
    dom.write(over, words);
    over.hidden = kind === 'live' || kind === 'wait';
    now.hidden = kind !== 'off';
    state.dataset.state = stage.dataset.state = kind;
    if (kind === shown) return;
    if (ALOUD[kind]) dom.say(ALOUD[kind]);
    shown = kind;
    document.title = kind === 'live' ? name() : `${name()}: ${ALOUD[kind] ?? 'connecting'}`;
  }

  const name = () => report.name ?? location.hostname;

  // Names and values of everything in an object, parts under dotted names.
  function flat(value, path = []) {
    if (value === null || typeof value !== 'object') return [[path.join(' '), value]];
    return Object.entries(value).flatMap(([key, part]) => flat(part, [...path, key]));
  }

  const HERE = ['version', 'name', 'source', 'uptime_seconds', 'healthy', 'signal', 'silence_seconds', 'rate_hz', 'quality', 'frame',
    'streams', 'events', 'encode_quality', 'encode_threads', 'still', 'connections', 'camera', 'controls', 'counters', 'update', 'sandbox', 'process', 'focus'];

  function describe() {
    const { frame, camera, update, process, counters, focus } = report;
    const checked = update && update.result !== 'none' ? `, ${dom.span(update.age_seconds)} ago` : '';
    const updates = { none: 'not looked for yet', ok: 'up to date', refused: 'there is one that this camera does not take', failed: 'could not be looked for' };
    const lines = [
      ['Address', net.base],
      ['Version', `picam ${report.version}`],
      ['Source', report.source],
      ['Picture', frame && `${frame.width} × ${frame.height}, ${report.rate_hz} Hz, quality ${report.encode_quality}, ${Math.round(frame.jpeg_bytes / 1000)} KB`],
      ['Running for', dom.span(report.uptime_seconds)],
      ['Camera', camera && `${camera.phase}; restarted ${camera.restarts}, reopened ${camera.reopens} times`],
      ['Saved focus', focus && (focus.warning ?? `${Math.round(100 * focus.sharpness / focus.saved_sharpness)} % as sharp as when it was saved`)],
      ['Frames', counters && `${counters.frames_captured} captured, ${counters.frames_lost} lost; ${counters.stalls} stalls`],
      ['Clients', `${report.streams} streams, ${report.connections} connections`],
      ['Update', update && `${updates[update.result] ?? update.result}${checked}`],
      ['Memory', process && `${Math.round(process.rss_bytes / 1e6)} MB`],
      ...flat(Object.fromEntries(Object.entries(report).filter(([key]) => !HERE.includes(key))))
        .map(([key, value]) => [key.replaceAll('_', ' '), value === null ? '–' : String(value)]),
    ].filter(([, value]) => value);
    const pause = { switch: ' The picture pauses for about a second.', always: '' }[report.still];
    dom.get('stills').hidden = pause === undefined;
    dom.write(dom.get('pause'), pause ?? '');
    // Written into what is there: a selection or a reader's place is not lost.
    const about = dom.get('about');
    while (about.children.length > 2 * lines.length) about.lastChild.remove();
    while (about.children.length < 2 * lines.length) about.append(dom.make('dt'), dom.make('dd'));
    lines.flat().forEach((text, index) => dom.write(about.children[index], String(text)));
  }

  function degrees() {
    const found = flat(report).find(([key, value]) => /temperature/i.test(key) && !/colour/i.test(key) && typeof value === 'number');
    return found ? `${Math.round(found[1])} °C` : '';
  }

  // ---- how others connect
  const BASE = net.base.replace(/\/$/, '');
  const SNIPPETS = () => [
    ['Home Assistant, integration “MJPEG IP Camera”', [`MJPEG URL: ${BASE}/stream`, `Still image URL: ${BASE}/jpg`]],
    ['OctoPrint, Webcam & Timelapse', [`Stream URL: ${BASE}/?action=stream`, `Snapshot URL: ${BASE}/?action=snapshot`]],
    ['Moonraker, moonraker.conf', ['[webcam picam]', 'service: mjpegstreamer', `target_fps: ${Math.round(report.rate_hz || 8)}`, `stream_url: ${BASE}/stream`, `snapshot_url: ${BASE}/jpg`]],
    ['ROS 2', [`ros2 run image_publisher image_publisher_node ${BASE}/stream --ros-args -p publish_rate:=${(report.rate_hz || 8).toFixed(1)}`]],
    ['ffmpeg', [`ffmpeg -f mpjpeg -r ${report.rate_hz || 8} -i ${BASE}/stream -c copy out.mkv`]],
    ['curl', [`curl -o now.jpg '${BASE}/jpg?fresh=1'`]],
    ['A web page', [`<img src="${BASE}/stream">`]],
  ];

  // Pages at an address of the local network have no clipboard.
  function copy(text, button) {
    const area = dom.make('textarea', { value: text });
    document.body.append(area);
    area.select();
    const copied = document.execCommand('copy');
    area.remove();
    button.focus();
    dom.write(button, copied ? 'Copied' : 'Not copied');
    dom.say(button.textContent);
    setTimeout(() => dom.write(button, 'Copy'), 2000);
  }

  dom.get('connect').ontoggle = ({ target }) => {
    if (!target.open) return;
    const shown = SNIPPETS().flatMap(([title, lines]) => {
      const button = dom.make('button', { 'aria-label': `copy for ${title}`, onclick: () => copy(lines.join('\n'), button) }, 'Copy');
      return [dom.make('h3', {}, title), dom.make('div', {}, dom.make('pre', {}, lines.join('\n')), button)];
    });
    target.querySelector('.inside').replaceChildren(...shown);
  };
  now.onclick = stream.now;
  setInterval(show, 250);

  return {
    update(found) {
      report = found;
      reported = performance.now();
      if (report.rate_hz) stream.rate = report.rate_hz;
      dom.write('name', name());
      dom.write('facts', degrees());
      describe();
      show();
    },
    // A picture was drawn; tells whether it is the first after an interruption.
    drawn(head) {
      const [frame, time, at] = [Number(head['x-frame']), Number(head['x-timestamp']), performance.now()];
      dark = 'x-signal' in head;
      if (!dark) fresh = at;
      const first = !picture || Boolean(off);
      picture = { frame, time, at, age: net.age(time) ?? 0 };
      off = null;
      times.push(at);
      while (times.length > 40 || at - times[0] > 4000) times.shift();
      if (first) show();
      return first;
    },
    off(why, until) {
      off = { why, until };
      times.length = 0;
      show();
    },
    get uneasy() { return shown !== 'live'; },
  };
})();
