// node dev/gh/recycle-simulated-worker.mjs <control URL> <worker id>
// The recycle command of the demo: what `docker restart -t 0` is on a true host. It ends when the new process answers, with 1 when there is none.
const [controlUrl, workerId] = process.argv.slice(2);

try {
  const response = await fetch(`${controlUrl}/hosts/${encodeURIComponent(workerId)}/restart`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  if (answer.state.worker === null) throw new Error(`${workerId} did not come back`);
  console.log(`${workerId} restarted`);
} catch (error) {
  console.error(error.cause?.message ?? error.message);
  process.exitCode = 1;
}
