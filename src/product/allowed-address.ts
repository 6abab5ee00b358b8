import { lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The address of a callback is none that we may connect to. Trying again would not help. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed';
}

/** Of all IPv6 only this is the Internet; the rest is special, and some of it (NAT64, 6to4, IPv4-compatible) hides IPv4 addresses. */
const globalIpv6 = ipaddr.parseCIDR('2000::/3');

/** Ranges of a private network. Link-local is never one of them: it is where clouds keep the credentials of their machines. */
const privateRanges = new Set<string>(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat']);

/** Metadata services that lie in private ranges: Amazon's over IPv6, Alibaba's. */
const metadataAddresses = new Set(['fd00:ec2::254', '100.100.100.200']);

/** Why we do not connect to this IP address, or null. IPv4-mapped IPv6 counts as the IPv4 address that it reaches. */
export function findAddressProblem(address: string, { allowPrivate }: { allowPrivate: boolean }): string | null {
  // The zone of a scoped address (fe80::1%eth0) says nothing about its range.
  const parsed = ipaddr.process(address.replace(/%.*$/, ''));
  if (metadataAddresses.has(parsed.toString())) return `${address} is a metadata service`;
  const range = parsed.range();
  if (privateRanges.has(range)) return allowPrivate ? null : `${address} is ${range}`;
  const isPublic = range === 'unicast' && (!(parsed instanceof ipaddr.IPv6) || parsed.match(globalIpv6));
  return isPublic ? null : `${address} is ${range}`;
}

/**
 * Resolves a name to its allowed addresses only. The connection is made to what this answers, so a name that resolves differently a moment
 * later (DNS rebinding) changes nothing. Node does not call it for a literal address: check that one before.
 */
export function createCheckedLookup(options: { allowPrivate: boolean }): LookupFunction {
  return (hostname, { family, hints, all }, callback) => {
    lookup(hostname, { family, hints, all: true }, (error, found) => {
      if (error !== null) return callback(error, '', 0);
      const allowed = found.filter(({ address }) => findAddressProblem(address, options) === null);
      const [first] = allowed;
      if (first === undefined) return callback(new AddressNotAllowed(`${hostname} has no allowed address`), '', 0);
      if (all === true) return callback(null, allowed);
      return callback(null, first.address, first.family);
    });
  };
}
