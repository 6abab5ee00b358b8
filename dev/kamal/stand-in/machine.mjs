// The hosts and the registry, as files of the state directory: what survives a killed run is what survives one of the real Kamal.
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { KamalError } from './misbehaviour.mjs';

/** A published image, or null: `{digest, service, broken}`. A moving tag is a file with the digest of another. */
export const findImage = (dir, tag) => readJson(path.join(dir, 'registry', `${tag}.json`), null);

export function createMachine(dir, ip, sshPort) {
  const folder = path.join(dir, 'hosts', ip);
  const file = (name) => path.join(folder, name);
  const lockFolder = (lock) => file(`home/.kamal/lock-${lock}`);

  return {
    ip,
    requireReachable() {
      if (!existsSync(folder)) throw new KamalError('SocketError', `getaddrinfo: Name or service not known - ${ip}`);
      if (existsSync(file('ssh-down'))) throw new KamalError('Errno::ECONNREFUSED', `Connection refused - connect(2) for ${ip}:${sshPort}`);
    },
    containers: () => readJson(file('containers.json'), []),
    saveContainers: (containers) => writeJson(file('containers.json'), containers),
    /** Tag → image, as pulled. */
    images: () => readJson(file('images.json'), {}),
    saveImages: (images) => writeJson(file('images.json'), images),
    /** `mkdir` decides between two who come at once, as on a true host. */
    takeLock(lock, details) {
      try {
        mkdirSync(path.dirname(lockFolder(lock)), { recursive: true });
        mkdirSync(lockFolder(lock));
      } catch (error) {
        if (error.code === 'EEXIST') return false;
        throw error;
      }
      writeFileSync(path.join(lockFolder(lock), 'details'), Buffer.from(details).toString('base64'));
      return true;
    },
    readLock(lock) {
      try {
        return Buffer.from(readFileSync(path.join(lockFolder(lock), 'details'), 'utf8'), 'base64').toString('utf8');
      } catch {
        // Free; or taken a moment ago, and the details are not written yet.
        return existsSync(lockFolder(lock)) ? '' : null;
      }
    },
    dropLock: (lock) => rmSync(lockFolder(lock), { recursive: true, force: true }),
    audit(line) {
      mkdirSync(file('home/.kamal'), { recursive: true });
      appendFileSync(file('home/.kamal/audit.log'), `${line}\n`);
    },
    readAudit: () =>
      existsSync(file('home/.kamal/audit.log'))
        ? readFileSync(file('home/.kamal/audit.log'), 'utf8').split('\n').filter(Boolean).slice(-50)
        : [],
  };
}

/** Where a simulator plays GH on these hosts, a started container is a started worker, with its version in /health/version. */
export async function drive(world, ip, role, action, version) {
  const { simulatorUrl = null } = readJson(path.join(world.dir, 'state.json'), {});
  if (simulatorUrl === null) return;
  const act = async (name, body = {}) => {
    const { status, text } = await world.wait(post(`${simulatorUrl}/hosts/${ip}/${name}`, body, world.ended));
    if (status !== 200) throw new Error(`the simulator answers ${status} to ${name} of ${ip}: ${text}`);
  };
  if (action === 'stop') await act(role === 'web' ? 'api-down' : 'term', role === 'web' ? {} : { graceMs: 1_000 });
  else {
    await act('image', { imageTag: version });
    await act(role === 'web' ? 'api-up' : 'worker-up');
  }
}

export function readJson(file, otherwise) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    // Nothing was written yet.
    if (error.code === 'ENOENT') return otherwise;
    throw error;
  }
}

async function post(url, body, signal) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
  return { status: response.status, text: await response.text() };
}

/** Renamed into its place: a kill between two writes leaves the old or the new one. */
export function writeJson(file, value) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(`${file}.${process.pid}`, JSON.stringify(value, null, 1));
  renameSync(`${file}.${process.pid}`, file);
}
