import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { startSimulator } from './simulator';

/** `--config` takes a JSON file or the JSON itself: the options of startSimulator. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (!values.config) throw new Error('Say which fleet to play: --config <file or JSON>');
  const isInline = values.config.trimStart().startsWith('{');
  const options = JSON.parse(isInline ? values.config : readFileSync(values.config, 'utf8'));
  const simulator = await startSimulator({ controlPort: 3199, ...options, say: (line) => console.error(line) });

  // Our own end is the end of all machines: nothing is released, as if the power went.
  const stop = (): void => void simulator.stop().then(() => process.exit(0));
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  // Whoever started us with a channel may be gone; nobody would stop us then.
  process.on('disconnect', stop);

  const hosts = simulator.hosts.map((host) => ({ ip: host.ip, workerId: host.workerId, ...host.ports }));
  console.log(JSON.stringify({ ready: true, controlPort: simulator.controlPort, hosts }));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
