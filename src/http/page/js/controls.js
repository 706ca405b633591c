// Everything that can be set: one row a control, made of what /controls says.
const controls = (() => {
  const GROUPS = {
    exposure: ['ExposureTime', 'AnalogueGain', 'ExposureValue', 'AeEnable', 'AeExposureMode', 'AeMeteringMode', 'AeFlickerPeriod'],
    colour: ['AwbEnable', 'AwbMode', 'ColourTemperature', 'ColourGains'],
    autofocus: ['LensPosition', 'AfMode', 'AfRange', 'AfSpeed', 'AfMetering', 'AfWindows'],
  };
  // Plainer than the names.
  const LABELS = {
    AnalogueGain: 'Gain', ExposureValue: 'Brighter or darker', AeEnable: 'Automatic exposure', AeExposureMode: 'Exposures',
    AeMeteringMode: 'Light measured', AeFlickerPeriod: 'Lamps', AwbEnable: 'Automatic white balance', AwbMode: 'Light',
    ColourTemperature: 'Colour of the light', ColourGains: 'Red and blue', AfMode: 'Autofocus', AfRange: 'Distances',
    AfSpeed: 'Speed', AfMetering: 'Where it looks', AfWindows: 'Window', HdrMode: 'HDR', NoiseReductionMode: 'Noise reduction',
  };
  // What sliders reach, if the camera allows it; inputs take all values. Ratios where each step is to look the same.
  const REACH = {
    ExposureTime: [20, 1e6, 'ratio'], AnalogueGain: [1, 16, 'ratio'], ColourTemperature: [2000, 10000, 'ratio'],
    ExposureValue: [-4, 4], Contrast: [0, 4], Saturation: [0, 4], Sharpness: [0, 8], LensPosition: [0, 15], ColourGains: [0, 8],
  };
  // What leaves the picture as it comes.
  const USUAL = { ExposureValue: 0, Brightness: 0, Contrast: 1, Saturation: 1, Sharpness: 1 };
  const exposureIsFixed = (now) => now.AeEnable === false || (now.ExposureTime !== null && now.AnalogueGain !== null);
  const IDLE = [
    ['ExposureValue AeExposureMode AeMeteringMode AeFlickerPeriod', exposureIsFixed, 'exposure time and gain are fixed'],
    ['AwbMode', (now) => now.AwbEnable === false, 'the white balance is fixed'],
    ['AfRange AfSpeed AfMetering AfWindows', (now) => now.AfMode === 'manual', 'the lens is held'],
  ];

  const made = new Map(); // name → what updates its row
  const queue = new Map(); // name → value that is to be sent
  const wishes = new Map(); // name → value that was asked for since the list was loaded
  let rows = {};
  let keeps = false; // whether this picam tells tries from what is saved
  let sending = false;
  let sets = 0;
  let listener = () => {};

  // One request at a time; of each control the last value wins.
  async function set(name, value) {
    queue.set(name, value);
    wishes.set(name, value);
    sets++;
    if (sending) return;
    sending = true;
    while (queue.size) {
      const [[next, wanted]] = queue;
      queue.delete(next);
      try {
        await net.post('set', { [next]: wanted, save: keeps ? 0 : null });
      } catch (error) {
        wishes.delete(next);
        dom.fail(error);
      }
    }
    sending = false;
    await load();
  }

  async function load() {
    const before = sets;
    const list = await net.json('controls').catch(() => null);
    if (!list || sending || sets !== before) return;
    wishes.clear();
    rows = Object.fromEntries(list.map((row) => [row.name, row]));
    keeps = list.some((row) => 'saved' in row);
    for (const row of list) {
      if (!made.has(row.name)) made.set(row.name, make(row));
      made.get(row.name)(row);
    }
    sum();
    listener(rows);
  }

  const differs = (row) => 'saved' in row && JSON.stringify(row.saved) !== JSON.stringify(row.requested);

  function words(row, value) {
    if (value === null || value === undefined) return 'left to the camera';
    if (Array.isArray(value)) return value.map((part) => Number(part.toFixed(3))).join(', ');
    if (typeof value === 'boolean') return value ? 'on' : 'off';
    if (typeof value !== 'number') return String(value);
    if (row.name === 'LensPosition') return dom.focus(value);
    const number = String(Number(value.toFixed(3)));
    if (row.name === 'ExposureTime') return `${number} µs, ${exposure(value)}`;
    return ['ratio', ''].includes(row.unit) ? number : `${number} ${row.unit}`;
  }
  const exposure = (time) => (time < 300000 ? `1/${Math.round(1e6 / time)} s` : `${(time / 1e6).toFixed(1)} s`);
  const label = ({ name }) => LABELS[name] ?? name.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

  // ---- rows
  function make(row) {
    const id = `set-${row.name}`;
    const [saved, why] = [dom.make('small', { class: 'saved' }), dom.make('small', { class: 'why', id: `${id}-why` })];
    const widget = (WIDGETS[row.type] ?? WIDGETS.text)(row, id);
    const unit = row.unit !== 'ratio' && row.unit;
    const name = dom.make('small', {}, [label(row) !== row.name && row.name, unit].filter(Boolean).join(', '));
    const title = widget.labels
      ? dom.make('label', { htmlFor: id }, label(row), name)
      : dom.make('span', { class: 'label' }, label(row), name);
    const head = dom.make('div', { class: 'head' }, title, ...widget.head);
    const help = dom.make('small', { id: `${id}-help` }, row.help);
    const box = dom.make('div', { class: 'control' }, head, ...(widget.below ?? []), saved, why, help);
    for (const input of widget.inputs) input.setAttribute('aria-describedby', `${id}-help ${id}-why`);
    const group = Object.keys(GROUPS).find((name) => GROUPS[name].includes(row.name)) ?? 'image';
    dom.get(group).querySelector('.inside').append(box);

    return (now) => {
      const all = Object.fromEntries(Object.values(rows).map(({ name, requested }) => [name, requested]));
      const idle = IDLE.find(([names, applies]) => names.split(' ').includes(now.name) && applies(all));
      const reason = now.unavailable ?? (idle ? `no effect now: ${idle[2]}` : '');
      dom.write(why, reason);
      why.hidden = !reason;
      saved.hidden = !differs(now);
      dom.write(saved, `saved: ${words(now, now.saved)}`);
      for (const input of widget.inputs) input.disabled = Boolean(now.unavailable);
      widget.update(now, wishes.has(now.name) ? wishes.get(now.name) : now.requested);
    };
  }

  const WIDGETS = {
    boolean(row, id) {
      const input = dom.make('input', { type: 'checkbox', id, onchange: () => set(row.name, input.checked) });
      const update = (now, value) => {
        input.checked = Boolean(value);
        input.indeterminate = value === null;
      };
      return { head: [input], inputs: [input], labels: true, update };
    },

    choice(row, id) {
      const options = row.choices.map((word) => dom.make('option', { value: word }, word));
      const none = dom.make('option', { value: '', disabled: true }, 'left to the camera');
      const input = dom.make('select', { id, onchange: () => set(row.name, input.value) }, none, ...options);
      const update = (now, value) => {
        none.hidden = value !== null;
        dom.put(input, value ?? '');
      };
      return { head: [input], inputs: [input], labels: true, update };
    },

    text(row, id) {
      const input = dom.make('input', { type: 'text', class: 'long', id, autocomplete: 'off', onchange: () => set(row.name, input.value.replaceAll(' ', '')) });
      const update = (now, value) => dom.put(input, Array.isArray(value) ? value.map((part) => Number(part.toFixed(3))).join(',') : value ?? '');
      return { head: [input], inputs: [input], labels: true, update };
    },

    number(row, id) {
      const scale = scaled(row);
      const whole = row.type === 'integer';
      const ask = (value) => set(row.name, scale.tidy(value, whole));
      const input = dom.make('input', { type: 'text', inputMode: 'decimal', id, autocomplete: 'off', placeholder: USUAL[row.name] ?? '', onchange: () => set(row.name, input.value.trim()) });
      const slider = dom.make('input', { type: 'range', min: 0, max: 1000, step: 1, 'aria-label': label(row), oninput: () => ask(scale.value(slider.value)) });
      const mark = dom.make('i', { hidden: true });
      const by = (sign) => () => ask(scale.step(Number(input.value) || scale.value(slider.value), sign));
      const less = dom.make('button', { class: 'icon', 'aria-label': `less: ${label(row)}`, onclick: by(-1) }, '−');
      const more = dom.make('button', { class: 'icon', 'aria-label': `more: ${label(row)}`, onclick: by(1) }, '+');
      const inputs = [input, slider, less, more];
      const head = [input];
      let auto = null;
      if (row.auto) {
        auto = dom.make('input', { type: 'checkbox', onchange: () => set(row.name, auto.checked ? 'auto' : input.value || scale.tidy(scale.value(slider.value), whole)) });
        head.unshift(dom.make('label', { class: 'check' }, auto, 'auto'));
        inputs.push(auto);
      }
      const update = (now, wanted) => {
        scale.fit(now);
        const wish = wanted === 'auto' ? null : wanted;
        const value = wish ?? now.actual;
        if (auto) auto.checked = wish === null;
        mark.hidden = typeof now.actual !== 'number';
        if (!mark.hidden) mark.style.left = `calc(16px + (100% - 32px) * ${scale.place(now.actual) / 1000})`;
        const shown = typeof value === 'number' ? Number(value.toFixed(3)) : '';
        dom.put(input, shown);
        dom.put(slider, scale.place(value ?? USUAL[row.name] ?? 0));
        slider.setAttribute('aria-valuetext', words(now, typeof value === 'number' ? value : null));
      };
      const drive = dom.make('div', { class: 'drive' }, less, dom.make('div', { class: 'slider' }, mark, slider), more);
      return { head, below: [drive], inputs, labels: true, update };
    },

    pair(row, id) {
      const names = ['red', 'blue'];
      let half = false; // typed: the other half is about to come
      const send = () => {
        const typed = inputs.map((input) => input.value.trim());
        half = typed.filter(Boolean).length === 1;
        if (typed.every(Boolean)) set(row.name, typed.join(','));
      };
      const field = (name) => dom.make('input', { type: 'text', inputMode: 'decimal', autocomplete: 'off', placeholder: name, 'aria-label': `${label(row)}: ${name}`, onchange: send });
      const inputs = names.map(field);
      const update = (now, value) => {
        if (half) return;
        const numbers = typeof value === 'string' ? value.split(',') : value ?? [];
        inputs.forEach((input, index) => dom.put(input, numbers[index] ?? ''));
      };
      return { head: inputs, inputs, update };
    },
  };
  WIDGETS.integer = WIDGETS.number;

  // Places on a slider from 0 to 1000 and the values there.
  function scaled(row) {
    let [least, most] = [0, 1];
    const ratio = REACH[row.name]?.[2];
    return {
      fit({ min, max }) {
        const [low, high] = REACH[row.name] ?? [min ?? 0, max ?? 1];
        least = Math.max(low, min ?? low);
        most = Math.max(least + 1e-6, Math.min(high, max ?? high));
      },
      place(value) {
        const part = ratio ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least);
        return Math.round(1000 * dom.clamp(part, 0, 1));
      },
      value(place) {
        return ratio ? least * (most / least) ** (place / 1000) : least + (most - least) * place / 1000;
      },
      // A third of a stop, or a tenth.
      step: (value, sign) => dom.clamp(ratio ? Number((value * 2 ** (sign / 3)).toPrecision(2)) : value + sign * 0.1, least, most),
      tidy: (value, whole) => dom.clamp(whole ? Math.round(Number(value.toPrecision(3))) : Number(value.toFixed(Math.abs(value) < 10 ? 2 : 1)), least, most),
    };
  }

  // ---- the groups' heads
  function sum() {
    const [time, gain] = ['ExposureTime', 'AnalogueGain'].map((name) => rows[name]?.actual ?? rows[name]?.requested);
    const seen = [time ? exposure(time) : '', gain ? `gain ${Number(gain.toFixed(1))}` : ''].filter(Boolean);
    const now = (name) => rows[name]?.requested ?? null;
    const fixed = ['ExposureTime', 'AnalogueGain'].filter((name) => now(name) !== null).length;
    const how = ['automatic', 'half automatic', 'fixed'][now('AeEnable') === false ? 2 : fixed];
    const kelvin = now('ColourTemperature');
    const image = Object.values(rows).filter(({ name, requested }) => requested !== null && !Object.values(GROUPS).flat().includes(name));
    const heads = {
      exposure: [...seen, how].join(', '),
      colour: now('AwbEnable') !== false ? 'automatic' : kelvin ? `${kelvin} K` : 'fixed',
      image: image.length ? `${image.length} set` : 'as it comes',
      autofocus: { manual: 'off', auto: 'once' }[now('AfMode')] ?? 'continuous',
    };
    for (const [group, said] of Object.entries(heads)) dom.write(dom.get(group).querySelector('summary span'), said);
  }

  return {
    set,
    load,
    differs,
    get keeps() { return keeps; },
    // What was asked for and is not in the list yet.
    wish: (name) => (typeof wishes.get(name) === 'number' ? wishes.get(name) : null),
    // What came with a picture.
    read(head) {
      const seen = { ExposureTime: head['x-exposure'], AnalogueGain: head['x-gain'], LensPosition: head['x-lens'] };
      for (const [name, value] of Object.entries(seen)) {
        if (value === undefined || !rows[name]) continue;
        rows[name].actual = Number(value);
        made.get(name)(rows[name]);
      }
      sum();
    },
    onload(to) { listener = to; },
  };
})();
