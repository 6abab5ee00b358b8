/** One deploy for a person with a browser: no framework, nothing from elsewhere, and no data before somebody has signed in. */
export const watchPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Deploy</title>
<link rel="stylesheet" href="/watch.css"><script src="/watch.js" defer></script></head>
<body>
<header><h1 id="title">Deploy</h1><p id="state" role="status">…</p></header>
<form id="sign-in" hidden><label>Key <input id="key" type="password" autocomplete="current-password" required></label> <button>Sign in</button></form>
<table id="hosts" hidden><thead><tr><th>Host</th><th>Batch</th><th>State</th><th>Before</th><th>Now</th></tr></thead><tbody></tbody></table>
<ol id="log" aria-label="Log"></ol>
</body>
</html>
`;

export const watchStyle = `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 1.5rem auto; padding: 0 1rem; }
header { position: sticky; top: 0; background: Canvas; padding: .5rem 0; display: flex; gap: 1.5rem; align-items: baseline; flex-wrap: wrap; }
h1 { font-size: 1.25rem; margin: 0; }
#state { margin: 0; font-weight: 600; }
#state[data-is="good"] { color: #187a3a; } #state[data-is="bad"] { color: #b3261e; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { text-align: left; padding: .15rem 1rem .15rem 0; }
#log { list-style: none; margin: 1rem 0; padding: 0; font: 13px/1.45 ui-monospace, monospace; }
#log li { white-space: pre-wrap; overflow-wrap: anywhere; }
#log .yardmaster { font-weight: 600; } #log .gap { font-style: italic; opacity: .7; }
@media (prefers-color-scheme: dark) { #state[data-is="good"] { color: #6fd08c; } #state[data-is="bad"] { color: #ff8a80; } }
`;

/** The numbers of events make the browser go on by itself where it stopped, in whichever gateway answers. */
export const watchScript = `'use strict';
const deployId = location.pathname.split('/').pop();
const at = (id) => document.getElementById(id);
const linesKept = 5000;

const say = (text, is) => { at('state').textContent = text; at('state').dataset.is = is ?? ''; };

/** False: there is nothing to follow, and the page says why. */
const showDeploy = async () => {
  const response = await fetch('/v1/deploys/' + deployId);
  if (!response.ok) {
    say((await response.json()).detail, 'bad');
    return false;
  }
  const deploy = await response.json();
  at('title').textContent = deploy.kind + ' of ' + deploy.service + ' on ' + deploy.destination + ': ' + (deploy.resolvedVersion ?? deploy.version);
  document.title = deploy.destination + ' ' + (deploy.outcome ?? deploy.phase);
  if (deploy.outcome === null) say(deploy.phase);
  else say(deploy.outcome + (deploy.detail === '' ? '' : ': ' + deploy.detail), ['succeeded', 'planned'].includes(deploy.outcome) ? 'good' : 'bad');
  at('hosts').hidden = deploy.hosts.length === 0;
  at('hosts').tBodies[0].replaceChildren(...deploy.hosts.map((host) => {
    const row = document.createElement('tr');
    for (const value of [host.host, host.batch, host.state, host.versionBefore ?? '–', host.versionNow ?? '–']) row.insertCell().textContent = value;
    return row;
  }));
  return true;
};

const addLine = (text, kind) => {
  const log = at('log');
  const isAtEnd = innerHeight + scrollY >= document.body.scrollHeight - 40;
  const item = document.createElement('li');
  item.className = kind;
  item.textContent = text;
  log.append(item);
  if (log.childElementCount > linesKept) log.firstElementChild.remove();
  if (isAtEnd) scrollTo(0, document.body.scrollHeight);
};

const follow = () => {
  const events = new EventSource('/v1/deploys/' + deployId + '/stream');
  events.onmessage = ({ data }) => {
    const { stream, line } = JSON.parse(data);
    addLine(line, stream);
    if (stream === 'yardmaster') void showDeploy();
  };
  events.addEventListener('gap', ({ data }) => { const { from, to } = JSON.parse(data); addLine('lines ' + from + ' to ' + to + ' are no longer kept', 'gap'); });
  events.addEventListener('end', () => { events.close(); document.body.dataset.ended = 'true'; void showDeploy(); });
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) say('The stream was refused; load the page again', 'bad'); };
};

const begin = async () => {
  const session = await fetch('/v1/session');
  at('sign-in').hidden = session.ok;
  if (!session.ok) return say('Sign in to see it');
  if (await showDeploy()) follow();
};

at('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const response = await fetch('/v1/session', { method: 'POST', headers: { 'X-API-Key': at('key').value, 'X-Requested-With': 'watch' } });
  at('key').value = '';
  if (response.ok) await begin(); else say('That key opens nothing', 'bad');
});

void begin();
`;
