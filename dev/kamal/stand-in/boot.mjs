// A version is put in the place of another, on every host and role.
import { randomBytes } from 'node:crypto';
import { requireSecrets } from './config.mjs';
import { change, containerName, portTaken, rolesOf, setState } from './containers.mjs';
import { runHook } from './hooks.mjs';
import { KamalError } from './misbehaviour.mjs';
import { pause } from './output.mjs';
import { pull } from './pull.mjs';

/** An image that does not live is seen at the second check. */
const readinessDelayMs = 50;

export async function deploy(run) {
  await timed(run, async () => {
    requireSecrets(run.config);
    run.output.say('Pull app image...');
    await pull(run);
    await run.withLock(async () => {
      if (!run.skipsHooks) await runHook(run, 'pre-deploy');
      run.output.say('Ensure kamal-proxy is running...');
      await run.onHosts(run.hosts, async (machine) => await run.remote(machine, 'docker network create kamal'));
      run.output.say('Detect stale containers...');
      await boot(run);
      await run.misbehaviour.reach('prune');
      run.output.say('Prune old containers and images...');
      await run.onHosts(run.hosts, async (machine) => await prune(run, machine));
    });
    if (!run.skipsHooks) await runHook(run, 'post-deploy');
  });
}

export async function rollback(run) {
  await timed(run, async () => {
    await run.withLock(async () => {
      const [version] = run.args;
      const found = await run
        .onHosts(run.hosts, async (machine) => {
          for (const role of rolesOf(run, machine)) {
            const name = containerName(run, role, version);
            await run.remote(machine, `docker container ls --all --filter 'name=^${name}$' --quiet`);
            if (!machine.containers().some((container) => container.name === name))
              throw new KamalError('RuntimeError', 'Container not found');
          }
        })
        .catch((error) => {
          if (!error.message.includes('Container not found')) throw error;
          run.output.say(`Error looking for container version ${version}: ${error.message.trimEnd()}`);
          return null;
        });
      // It says so, and the exit code says nothing (kamal §2).
      if (found === null)
        run.output.say(`The app version '${version}' is not available as a container (use 'kamal app containers' for available versions)`);
      else await boot(run);
    });
  });
}

async function timed(run, act) {
  const startedAt = performance.now();
  try {
    await act();
  } finally {
    run.output.say(`  Finished all in ${((performance.now() - startedAt) / 1000).toFixed(1)} seconds`);
  }
}

/** The primary role on all its hosts first; the others wait for its first healthy container. */
async function boot(run) {
  const { version } = run.config;
  run.output.say(`Start container with version ${version} (or reboot if already running)...`);
  await run.misbehaviour.reach('boot');
  for (const role of run.roles) {
    await run.onHosts(role.hosts, async (machine) => await bootRole(run, machine, role.name), { elseFail: unhealthy('Halted at barrier') });
  }
  await run.misbehaviour.reach('booted');
  await run.onHosts(run.hosts, async (machine) => {
    await run.remote(machine, `docker tag ${run.image(version)} ${run.image(`latest-${run.config.destination}`)}`);
    run.audit(machine, `Tagging ${run.image(version)} as the latest image`);
  });
}

const unhealthy = (message) => new KamalError('Kamal::Cli::Healthcheck::Error', message);

async function bootRole(run, machine, role) {
  const { version, destination } = run.config;
  const name = containerName(run, role, version);
  await run.remote(machine, `docker container ls --all --filter 'name=^${name}$' --quiet`);
  if (machine.containers().some((container) => container.name === name)) {
    const renamed = `${name}_replaced_${randomBytes(8).toString('hex')}`;
    run.output.info(`Renaming container ${version} to ${renamed.slice(name.length - version.length)} as already deployed on ${machine.ip}`);
    await run.remote(machine, `docker rename ${name} ${renamed}`, () =>
      change(run, machine, (containers) => {
        for (const container of containers) if (container.name === name) container.name = renamed;
      }),
    );
  }
  const image = machine.images()[version] ?? run.findImage(version);
  const fail = async () => {
    run.output.write(` ERROR Failed to boot ${role} on ${machine.ip}\n`);
    await setState(run, machine, name, 'exited', `docker container ls --all --filter 'name=^${name}$' --quiet | xargs docker stop -t 30`);
  };
  const isTaken = machine.containers().some((container) => container.role === role && container.state === 'running');
  // Written before it is true.
  run.audit(machine, `Booted app version ${version}`, role);
  try {
    await run.remote(machine, `docker run --detach --restart unless-stopped --name ${name} ${run.image(version)}`, () => {
      change(run, machine, (containers) =>
        containers.push({ id: randomBytes(6).toString('hex'), name, role, destination, version, state: isTaken ? 'created' : 'running' }),
      );
      return isTaken ? { status: 125, stderr: portTaken(role, 'docker: ') } : randomBytes(32).toString('hex');
    });
    if (image?.broken !== 'exits' && !run.misbehaviour.hasNoEffect) await run.drive(machine.ip, role, 'start', version);
    run.output.info('Container is running, waiting for readiness delay of 1 seconds');
    await pause(run.world, readinessDelayMs);
    if (image?.broken === 'exits') throw unhealthy('container not ready after 5 seconds (restarting)');
    run.output.info('Container is healthy!');
  } catch (error) {
    await fail();
    throw error;
  }
}

/** Keeps five that do not run, as Kamal does over all roles, and the images of those that are left. */
async function prune(run, machine) {
  await run.remote(machine, 'docker image prune --force --filter label=service=' + run.config.service);
  change(run, machine, (containers) => {
    const stopped = containers.filter(({ state }) => state !== 'running').toReversed();
    for (const old of stopped.slice(run.config.raw.retain_containers ?? 5)) containers.splice(containers.indexOf(old), 1);
  });
  const used = new Set(machine.containers().map(({ version }) => version));
  if (!run.misbehaviour.hasNoEffect)
    machine.saveImages(Object.fromEntries(Object.entries(machine.images()).filter(([tag]) => used.has(tag))));
  run.audit(machine, 'Pruned containers');
  run.audit(machine, 'Pruned images');
}
