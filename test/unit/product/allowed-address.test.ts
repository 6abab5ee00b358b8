import { findAddressProblem } from '../../../src/product/allowed-address';

const problem = (address: string, allowPrivate = false): string | null => findAddressProblem(address, { allowPrivate });

it.each(['93.184.216.34', '8.8.8.8', '2606:2800:220:1::1', '::ffff:8.8.8.8'])('connects to %s', (address) => {
  expect(problem(address)).toBeNull();
});

it.each([
  '127.0.0.1',
  '127.8.9.1',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '100.64.0.1',
  '::1',
  'fd12::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
])('connects to the private %s only when private addresses are allowed', (address) => {
  expect(problem(address)).not.toBeNull();
  expect(problem(address, true)).toBeNull();
});

it.each([
  ['the unspecified address', '0.0.0.0'],
  ['the unspecified address of IPv6', '::'],
  ['a metadata service', '169.254.169.254'],
  ['a metadata service as mapped IPv6', '::ffff:169.254.169.254'],
  ['a metadata service in a private range', 'fd00:ec2::254'],
  ['a metadata service in a shared range', '100.100.100.200'],
  ['link-local IPv6', 'fe80::1'],
  ['link-local IPv6 with its zone', 'fe80::1%eth0'],
  ['multicast', '224.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['a reserved block', '240.0.0.1'],
  ['IPv4 behind NAT64', '64:ff9b::7f00:1'],
  ['IPv4 behind 6to4', '2002:7f00:1::'],
  ['IPv4-compatible IPv6', '::7f00:1'],
  ['site-local IPv6', 'fec0::1'],
  ['documentation', '2001:db8::1'],
])('never connects to %s', (_what, address) => {
  expect(problem(address)).not.toBeNull();
  expect(problem(address, true)).not.toBeNull();
});
