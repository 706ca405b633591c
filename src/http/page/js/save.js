// What differs from what is saved, and what is done about it.
const save = (() => {
  const [bar, words, button, undo, reset] = ['saving', 'unsaved', 'save', 'undo', 'reset'].map(dom.get);
  let changes = [];
  let doing = '';
  let done = '';
  let really = 0;

  function show() {
    bar.hidden = !changes.length && !doing && !done;
    const count = changes.length === 1 ? '1 change' : `${changes.length} changes`;
    dom.write(words, doing || done || `${count} not saved`);
    words.className = doing ? '' : done ? 'kept' : 'differs';
    words.title = changes.map(({ name }) => name).join(', ');
    button.disabled = undo.disabled = Boolean(doing) || !changes.length;
  }

  async function run(path, while_, after) {
    if (doing) return;
    doing = while_;
    show();
    try {
      await net.post(path);
      done = after();
      dom.say(done);
      setTimeout(() => {
        done = '';
        show();
      }, 6000);
    } catch (error) {
      dom.fail(error);
    }
    doing = '';
    show();
    controls.load();
  }

  const time = () => new Date().toTimeString().slice(0, 5);
  const keep = () => changes.length && run('save', 'saving…', () => `saved ${time()}`);
  button.onclick = keep;
  undo.onclick = () => run('undo', 'going back…', () => 'as it was saved');
  reset.onclick = () => {
    if (Date.now() < really) return run('reset', 'forgetting…', () => 'as the files say');
    really = Date.now() + 5000;
    dom.write(reset, 'Really? Tap again');
    setTimeout(() => dom.write(reset, 'Forget what is saved'), 5000);
  };

  return {
    update(rows) {
      const before = changes.length;
      changes = Object.values(rows).filter(controls.differs);
      if (changes.length && changes.length !== before) done = '';
      dom.get('forget').hidden = !controls.keeps;
      show();
    },
    keep,
  };
})();
