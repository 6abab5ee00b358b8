// The baseline of bench/measures/log-streams.ts: better-sse with a channel, and lines that it makes itself. No database, no replay, no numbers that
// anybody could come back with. `node better-sse-server.mjs <port> <lines a second>`; the lines begin when a POST comes.
import { createServer } from 'node:http';
import { createChannel, createSession } from 'better-sse';

const [port, linesPerSecond] = process.argv.slice(2).map(Number);
const channel = createChannel();
const everyMs = 20;

createServer(async (request, response) => {
  if (request.method === 'POST') {
    let seq = 0;
    const total = Number(new URL(request.url, 'http://x').searchParams.get('lines'));
    const perTurn = (linesPerSecond * everyMs) / 1000;
    const timer = setInterval(() => {
      for (let n = 0; n < perTurn && seq < total; n++) {
        seq++;
        const line = `${process.hrtime.bigint()} ${'x'.repeat(100)}`;
        channel.broadcast({ seq, at: new Date().toISOString(), stream: 'stdout', line }, 'message', { eventId: String(seq) });
      }
      if (seq < total) return;
      clearInterval(timer);
      channel.broadcast({}, 'end');
    }, everyMs);
    response.end();
    return;
  }
  channel.register(await createSession(request, response));
}).listen(port, '127.0.0.1', () => console.log('ready'));
