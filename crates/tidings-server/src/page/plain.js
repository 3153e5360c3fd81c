// Two chat windows on Direct Line 3.0, and the job log. No build, no dependency: what `cargo run` alone can serve.
const base = '/v3/directline';
// Another tab took the conversation over; it comes back when this one is looked at again.
const COLLISION = 1008;

class Chat {
  constructor(section) {
    this.user = { id: `dl_${section.dataset.user}`, name: section.dataset.name };
    this.key = `tidings.${this.user.id}`;
    this.list = section.querySelector('ol');
    this.title = section.querySelector('h2 code');
    this.seen = new Set();
    this.input = section.querySelector('input');
    section.querySelector('form').addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.input.value.trim();
      if (text) this.say(text);
      this.input.value = '';
    });
    this.connect();
  }

  async call(path, options = {}) {
    const response = await fetch(base + path, {
      ...options,
      headers: { 'content-type': 'application/json', ...(this.token && { authorization: `Bearer ${this.token}` }) },
    });
    if (!response.ok) throw Object.assign(new Error(`${response.status} at ${path}`), { status: response.status });
    return response.json();
  }

  async open() {
    const kept = JSON.parse(localStorage.getItem(this.key) ?? 'null');
    if (kept) {
      this.token = kept.token;
      try {
        return await this.call(`/conversations/${encodeURIComponent(kept.id)}`);
      } catch (error) {
        if (!error.status || error.status >= 500) throw error; // the server is away: the conversation is not lost
      }
    }
    this.token = undefined;
    this.token = (await this.call('/tokens/generate', { method: 'POST', body: JSON.stringify({ user: this.user }) })).token;
    return this.call('/conversations', { method: 'POST', body: JSON.stringify({ user: this.user }) });
  }

  async connect() {
    try {
      const { conversationId, token, streamUrl } = await this.open();
      this.id = conversationId;
      this.token = token ?? this.token;
      this.title.textContent = conversationId;
      localStorage.setItem(this.key, JSON.stringify({ id: this.id, token: this.token }));
      this.show((await this.call(`/conversations/${encodeURIComponent(this.id)}/activities`)).activities);
      const socket = new WebSocket(streamUrl);
      socket.onmessage = ({ data }) => data && this.show(JSON.parse(data).activities ?? []);
      socket.onclose = ({ code }) => {
        if (code === COLLISION) window.addEventListener('focus', () => this.connect(), { once: true });
        else setTimeout(() => this.connect(), 1000);
      };
    } catch {
      setTimeout(() => this.connect(), 2000);
    }
  }

  async say(text) {
    const activity = { type: 'message', text, from: this.user, locale: navigator.language };
    try {
      await this.call(`/conversations/${encodeURIComponent(this.id)}/activities`, { method: 'POST', body: JSON.stringify(activity) });
    } catch {
      const item = this.add({ text: `${text}\n(not sent)` }, true);
      item.classList.add('failed');
    }
  }

  show(activities) {
    for (const activity of activities) {
      if (activity.type !== 'message' || this.seen.has(activity.id)) continue;
      this.seen.add(activity.id);
      this.add(activity, activity.from?.role === 'user' || activity.from?.id === this.user.id);
    }
  }

  add(activity, mine) {
    const item = document.createElement('li');
    item.classList.toggle('mine', mine);
    item.append(...render(activity.text ?? '(no text)'));
    this.list.append(item);
    this.list.scrollTop = this.list.scrollHeight;
    return item;
  }
}

// Text as it is, but for Markdown tables, which `show` answers with.
function render(text) {
  const lines = text.replaceAll('&nbsp;', ' ').split('\n');
  const cells = (line) => line.trim().replace(/^\||\|$/g, '').split('|').map((cell) => cell.trim());
  const start = lines.findIndex((line, at) => line.includes('|') && /^[\s|:-]*-[\s|:-]*$/.test(lines[at + 1] ?? ''));
  if (start < 0) return [text];
  let end = start + 2;
  while (end < lines.length && lines[end].includes('|')) end += 1;
  const table = document.createElement('table');
  for (const [at, line] of lines.slice(start, end).entries()) {
    if (at === 1) continue;
    row(table, cells(line), at === 0 ? 'th' : 'td');
  }
  return [lines.slice(0, start).join('\n'), table, lines.slice(end).join('\n').trim()].filter((part) => part !== '');
}

function row(table, cells, kind = 'td') {
  const line = document.createElement('tr');
  line.append(...cells.map((text) => Object.assign(document.createElement(kind), { textContent: text })));
  table.append(line);
}

const body = document.querySelector('#jobs tbody');
const note = document.querySelector('#jobs p');
const { authenticated, localChannel } = await (await fetch('/api/v1/server')).json();

if (authenticated) {
  note.textContent = 'This server asks for an API key, and the plain page has no way to sign in: build the console.';
} else {
  new EventSource('/api/v1/jobs/events').addEventListener('jobs', ({ data }) => {
    const { jobs, older, total } = JSON.parse(data);
    body.replaceChildren();
    for (const job of jobs) row(body, [job.number, job.conversationId, job.state, job.notice ?? '']);
    note.textContent = total === 0 ? 'No jobs yet.' : older > 0 ? `${older} older jobs are not shown.` : '';
  });
}

if (localChannel) {
  for (const section of document.querySelectorAll('.chat')) new Chat(section);
} else {
  document.querySelector('main').textContent = 'The local channel is off, so there are no chat windows here.';
}
