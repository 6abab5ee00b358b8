// Images come to the hosts before anything else is touched.
import { requireSecrets } from './config.mjs';

export const loginCommand = ({ config }) => `docker login ${config.raw.registry?.server ?? ''} -u [REDACTED] -p [REDACTED]`;

export async function pull(run) {
  const { hosts, config } = run;
  const tag = config.version;
  const name = run.image(tag);
  requireSecrets(config);
  await run.misbehaviour.reach('pull');
  await run.onHosts(hosts, async (machine) => await run.remote(machine, loginCommand(run)));
  // With two hosts or more it asks whether a registry mirror is known; nobody has one.
  if (hosts.length > 1) {
    const mirrors = `docker info --format '{{index .RegistryConfig.Mirrors 0}}'`;
    await run.onHosts(hosts, async (machine) => await run.remote(machine, mirrors, () => ({ status: 1 }), { mayFail: true }));
  }
  await run.onHosts(hosts, async (machine) => {
    run.audit(machine, `Pulled image with version ${tag}`);
    // The local tag goes first, so that a moving one is fetched anew, and a failed pull leaves none.
    const images = machine.images();
    const isThere = Object.hasOwn(images, tag);
    if (!run.misbehaviour.hasNoEffect) {
      delete images[tag];
      machine.saveImages(images);
    }
    await run.remote(machine, `docker image rm --force ${name}`, () => ({ status: isThere ? 0 : 125 }), { mayFail: true });
    const found = run.findImage(tag);
    await run.remote(machine, `docker pull ${name}`, () => {
      if (found === null) {
        return {
          status: 125,
          stderr: `Trying to pull ${name}...\nError: initializing source docker://${name}: reading manifest ${tag} in ${config.repository}: manifest unknown: manifest unknown`,
        };
      }
      if (!run.misbehaviour.hasNoEffect) machine.saveImages({ ...machine.images(), [tag]: found });
      return found.digest;
    });
    const missing = `Image ${name} is missing the 'service' label`;
    await run.remote(
      machine,
      `docker inspect -f '{{ .Config.Labels.service }}' ${name} | grep -x ${config.service} || (echo "${missing}" && exit 1)`,
      () => (found.service === config.service ? found.service : { status: 1, stdout: missing }),
    );
  });
}
