// One run of one command: which hosts it is about, how something is done on them, and Kamal's lock around it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createMachine, drive, findImage, readJson } from './machine.mjs';
import { KamalError } from './misbehaviour.mjs';
import { pause } from './output.mjs';

export function createRun({ world, config, options, args, output, misbehaviour }) {
  const { dir, env } = world;
  const { stepMs = 10 } = readJson(path.join(dir, 'state.json'), {});
  const roles = chooseRoles(config, options);
  const hosts = [...new Set(roles.flatMap((role) => role.hosts))];
  // With a filter the primary is the first of what it leaves: such a run has another lock (kamal §4).
  const primary = roles[0].hosts[0];
  const machines = new Map(hosts.map((ip) => [ip, createMachine(dir, ip, config.raw.ssh?.port ?? 22)]));
  const lock = `${config.service}-${config.destination}`;
  const performer = gitConfig(env, 'email') || env.USER || 'root';

  const run = {
    world,
    config,
    options,
    args,
    output,
    misbehaviour,
    roles,
    hosts,
    image: (tag) => `${config.repository}:${tag}`,
    findImage: (tag) => findImage(dir, tag),

    /** All hosts at once, to the end on each: nobody's failure stops the others. `elseFail`: what those say who had no failure of their own. */
    async onHosts(chosen, act, { elseFail } = {}) {
      const settled = await Promise.allSettled(chosen.map(async (ip) => await act(machines.get(ip))));
      if (settled.every(({ status }) => status === 'fulfilled')) return settled.map(({ value }) => value);
      const failures = settled.flatMap(({ reason = elseFail }, index) => (reason ? [{ ip: chosen[index], reason }] : []));
      const ours = failures.find(({ reason }) => !(reason instanceof KamalError));
      if (ours) throw ours.reason;
      const messages = failures.map(({ ip, reason }) => `Exception while executing on host ${ip}: ${reason.message}`);
      if (failures.length === 1) throw new KamalError(failures[0].reason.kind, messages[0]);
      throw new KamalError(failures[0].reason.kind, `Exceptions on ${failures.length} hosts:\n${messages.join('\n')}`);
    },

    /** One command on one host. `act` answers its output, or `{status, stderr}` of a command that failed. */
    async remote(machine, command, act = () => '', how = {}) {
      machine.requireReachable();
      const done = await output.around(
        machine.ip,
        command,
        async () => {
          await pause(world, stepMs);
          const answer = act() ?? '';
          return typeof answer === 'string' ? { status: 0, stdout: answer } : answer;
        },
        { isQuietAlways: how.isSilent },
      );
      if (done.status !== 0 && !how.mayFail) {
        const program = command.split(' ')[0];
        const text = (what) => what?.trim() || 'Nothing written';
        throw new KamalError(
          'SSHKit::Command::Failed',
          `${program} exit status: ${done.status}\n${program} stdout: ${text(done.stdout)}\n${program} stderr: ${text(done.stderr)}\n`,
        );
      }
      return done.stdout ?? '';
    },

    drive: async (ip, role, action, version) => await drive(world, ip, role, action, version),

    audit: (machine, text, role) =>
      misbehaviour.hasNoEffect || machine.audit(`[${now()}] [${performer}] [${config.destination}] ${role ? `[${role}] ` : ''}${text}`),

    lock: {
      read: () => (machines.get(primary).requireReachable(), machines.get(primary).readLock(lock)),
      drop: () => machines.get(primary).dropLock(lock),
      /** False when somebody holds it. */
      async take(message) {
        await run.onHosts(hosts, async (machine) => await run.remote(machine, '/usr/bin/env mkdir -p .kamal'));
        const details = [
          `Locked by: ${gitConfig(env, 'name') || performer} at ${now()}`,
          `Version: ${config.version}`,
          `Message: ${message}`,
        ];
        return machines.get(primary).takeLock(lock, `${details.join('\n')}\n`);
      },
      refuse() {
        output.say('Deploy lock already in place!');
        output.print(run.lock.read() ?? '');
        throw new KamalError('Kamal::Cli::LockError', "Deploy lock found. Run 'kamal lock help' for more information");
      },
    },

    /** An error of Kamal's releases it, a signal does not; whoever says KAMAL_LOCK=true holds it already (kamal §4). */
    async withLock(act) {
      if (env.KAMAL_LOCK === 'true') return await act();
      const isTaken = await run.lock.take('Automatic deploy lock').then((taken) => {
        output.say('Acquiring the deploy lock...');
        return taken;
      });
      if (!isTaken) run.lock.refuse();
      try {
        await misbehaviour.reach('lock');
        await act();
      } finally {
        await misbehaviour.reach('unlock');
        output.say('Releasing the deploy lock...');
        run.lock.drop();
      }
    },
  };
  return run;
}

function chooseRoles(config, options) {
  const wanted = (list, name) =>
    list === undefined ||
    list.split(',').some((pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(name));
  const roles = config.roles
    .filter((role) => wanted(options.roles, role.name))
    .map((role) => ({
      ...role,
      hosts: role.hosts.filter((host) => wanted(options.hosts, host) && (!options.primary || host === config.primaryHost)),
    }))
    .filter((role) => role.hosts.length > 0);
  if (roles.length > 0) return roles;
  const [kind, value] = options.hosts === undefined ? ['roles', options.roles] : ['hosts', options.hosts];
  throw new KamalError('ArgumentError', `No --${kind} match for ${value}`);
}

const now = () => `${new Date().toISOString().slice(0, 19)}Z`;

/** Kamal asks git, which reads this file among others; a test bed writes no other one (../testbed/run-kamal.ts). */
function gitConfig({ HOME = '' }, name) {
  try {
    return new RegExp(`^\\s*${name} = (.*)$`, 'm').exec(readFileSync(path.join(HOME, '.gitconfig'), 'utf8'))?.[1] ?? '';
  } catch {
    // Somebody without one.
    return '';
  }
}
