// node dev/kamal/testbed/janitor.mjs <directory of a test bed>
// Takes everything of a test bed away: at its start, what a killed one left; at SIGTERM (dev/tools/keeper.mjs sends it when the owner ends, however it
// ends), all of it with the directory. Containers outlive everybody who started them, so somebody has to be left who knows them.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const dir = process.argv[2];
const hosts = path.join(dir, 'hosts');

await clean();
console.log('clean');
setInterval(() => undefined, 60_000);
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => void end());

async function end() {
  await clean();
  rmSync(dir, { recursive: true, force: true });
  process.exit(0);
}

async function clean() {
  // Nobody may start anything while it is being taken away. Commands of a host that start others meanwhile are found by the next round.
  for (let round = 0; round < 3; round++) {
    killAll((pid) => isServer(pid) || (isMarked(pid) && !isOfContainer(pid)));
    await delay(50);
  }
  for (const folder of foldersWithStores()) removeContainers(folder);
  killAll(isMarked);
  unmountAll();
  if (existsSync(path.join(dir, 'run'))) rmSync(realpathSync(path.join(dir, 'run')), { recursive: true, force: true });
  for (const name of readdirSync(dir)) if (name !== 'kept') rmSync(path.join(dir, name), { recursive: true, force: true });
}

function foldersWithStores() {
  const names = existsSync(hosts) ? readdirSync(hosts).map((name) => path.join(hosts, name)) : [];
  return [...names, path.join(dir, 'builder')].filter((folder) => existsSync(path.join(folder, 'store/root')));
}

/** By podman, so that mounts and cgroups go too; by runc where podman has lost a container, whose state is not in our directory. */
function removeContainers(folder) {
  const store = path.join(folder, 'store');
  const env = { ...process.env, CONTAINERS_CONF: path.join(dir, 'podman/containers.conf') };
  const runroot = realpathSync(path.join(dir, 'run'));
  const args = [
    '--root',
    path.join(store, 'root'),
    '--runroot',
    path.join(runroot, path.basename(folder)),
    '--tmpdir',
    path.join(store, 'tmp'),
  ];
  const run = (program, ...words) => {
    try {
      return execFileSync(program, words, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 });
    } catch (error) {
      console.log(`${folder}: ${error.message}`);
      return '';
    }
  };
  const ids = run('podman', ...args, 'ps', '--all', '--quiet', '--no-trunc')
    .split('\n')
    .filter(Boolean);
  run('podman', ...args, 'rm', '--force', '--all', '--time', '0');
  for (const id of ids) if (existsSync(`/run/runc/${id}`)) run('runc', 'delete', '--force', id);
}

function unmountAll() {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const runFolder = existsSync(path.join(dir, 'run')) ? realpathSync(path.join(dir, 'run')) : dir;
  const ours = mounts.map((line) => line.split(' ')[1] ?? '').filter((at) => at.startsWith(`${dir}/`) || at.startsWith(`${runFolder}/`));
  for (const at of ours.toReversed()) {
    try {
      execFileSync('umount', ['--lazy', at], { stdio: 'ignore' });
    } catch {
      // Gone with the mount above it.
    }
  }
}

/** sshd and registry, which do not carry the mark: they are known by their command lines. */
function isServer(pid) {
  const line = read(`/proc/${pid}/cmdline`);
  return line.includes(`${dir}/hosts/`) || line.includes(`${dir}/registry/`);
}

function isMarked(pid) {
  return read(`/proc/${pid}/environ`).includes(`KAMAL_TESTBED=${dir}\0`);
}

/** The container's own processes, and the one that watches it: they end with it. */
function isOfContainer(pid) {
  return read(`/proc/${pid}/comm`).trim() === 'conmon' || read(`/proc/${pid}/cgroup`).includes('libpod');
}

function killAll(isOurs) {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid || Number(pid) === process.ppid || !isOurs(pid)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

function read(file) {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // The process has ended.
    return '';
  }
}
