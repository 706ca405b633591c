// Short requests, and the camera's clock.
const net = (() => {
  // Not location.href: a name and a password in it would make fetch refuse. A proxy may put the page into a folder.
  const base = location.origin + location.pathname.replace(/[^/]*$/, '');
  let clock = { error: Infinity, ahead: 0 };

  // What the camera reads may have a comma, which URLSearchParams would encode.
  function url(path, query = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
    const pairs = given.map(([name, value]) => `${name}=${encodeURIComponent(value).replaceAll('%2C', ',')}`);
    return base + path + (pairs.length ? `?${pairs.join('&')}` : '');
  }

  // A camera may want a token. Without the browser's own credentials, or it would ask for them by a dialog of its own.
  let token = dom.recall('token') ?? '';
  let unknown = () => {};
  async function get(path, query, how = {}) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(url(path, query), { ...how, credentials: 'omit', headers });
    if (answer.status === 401) unknown(Boolean(token), how.method === 'POST');
    return answer;
  }

  // The answer; what is refused is thrown, in the camera's words.
  async function ask(path, query, { method = 'GET', seconds = 8, signal } = {}) {
    const late = AbortSignal.timeout(seconds * 1000);
    let answer, body;
    try {
      answer = await get(path, query, { method, signal: signal ? AbortSignal.any([signal, late]) : late });
      body = answer.ok && answer.headers.get('Content-Type').startsWith('image/') ? await answer.blob() : await answer.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      if (late.aborted) throw new Error(`no answer for ${seconds} s: the camera is busy, or open in too many windows`);
      throw new Error('no connection to the camera');
    }
    if (answer.ok) return body;
    throw Object.assign(new Error(body.trim() || `the camera answers ${answer.status}`), { status: answer.status });
  }

  const json = async (path, query, how) => JSON.parse(await ask(path, query, how));
  const post = (path, query, how) => ask(path, query, { ...how, method: 'POST' });

  // The quickest answer tells the camera's time most exactly; each gets a little worse with time.
  async function status() {
    const asked = Date.now();
    const found = await json('status');
    const error = (Date.now() - asked) / 2;
    clock.error += 50;
    if (error <= clock.error) clock = { error, ahead: found.time * 1000 - asked - error };
    return found;
  }

  // Seconds since a moment of the camera's clock, if that is known.
  const age = (unix) => (clock.error < Infinity ? Math.max(0, (Date.now() + clock.ahead) / 1000 - unix) : null);

  return {
    base,
    get,
    ask,
    json,
    post,
    status,
    age,
    set token(text) {
      token = text;
      dom.remember('token', text);
    },
    // listener(wrong, byHand) is told that the camera does not know who asks: whether there was a token, and it is wrong;
    // whether somebody has changed something just now.
    onunknown(listener) { unknown = listener; },
  };
})();
