import { randomInt } from 'node:crypto';
import { claimPort } from '../../tools/ports';

const triesMax = 50;

/**
 * Addresses for that many hosts in a network of 127.0.0.0/8 that nobody listens in, so that every host can have GH's own ports. 127.0.x.x is
 * left alone, since people and other tests pick from there.
 */
export const claimAddresses = async (count: number, ports: readonly number[]): Promise<string[]> => {
  let problem: unknown;
  for (let tries = 0; tries < triesMax; tries++) {
    const network = `127.${randomInt(10, 250)}.${randomInt(1, 250)}`;
    const ips = Array.from({ length: count }, (_, index) => `${network}.${index + 1}`);
    try {
      for (const host of ips) for (const port of ports) await claimPort({ port, host, purpose: 'a host', changeWith: 'hosts' });
      return ips;
    } catch (error) {
      problem = error;
    }
  }
  throw new Error(`no network of 127.0.0.0/8 is free for ${count} hosts`, { cause: problem });
};
