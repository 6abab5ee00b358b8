import * as fc from 'fast-check';

/** Each machine's name, with other spellings of it. */
export const machineNames: readonly (readonly [string, ...string[]])[] = [
  [
    '10.0.0.5',
    '010.000.000.005',
    '10.0.0.05',
    '::ffff:10.0.0.5',
    '::FFFF:10.0.0.5',
    '0:0:0:0:0:ffff:0a00:0005',
    '::ffff:a00:5',
    '::ffff:010.0.0.5',
  ],
  ['10.0.0.50', '010.0.0.050'],
  ['0.0.0.0', '000.000.000.000', '::ffff:0.0.0.0', '::ffff:0:0'],
  ['255.255.255.255', '::ffff:ffff:ffff'],
  ['fd00::5', 'FD00::5', 'fd00:0:0:0:0:0:0:5', 'fd00:0000:0000:0000:0000:0000:0000:0005', 'fd00::0.0.0.5'],
  ['fd00:0:0:1::5', 'fd00::1:0:0:0:5'],
  ['fd00::1:0:0:5:6', 'fd00:0:0:1:0:0:5:6'],
  ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7::'],
  ['0:2:3:4:5:6:7:8', '::2:3:4:5:6:7:8'],
  ['1:2:3:4:5:6:102:304', '1:2:3:4:5:6:1.2.3.4'],
  ['::', '0:0:0:0:0:0:0:0', '::0'],
  ['::1', '0:0:0:0:0:0:0:1', '::0001'],
  // The old IPv4-compatible form, and NAT's, are other machines than the IPv4 address.
  ['::10.0.0.5', '::a00:5', '::10.0.0.05'],
  ['64:ff9b::a00:5', '64:FF9B::10.0.0.5'],
  ['i-0abc1234def567890', 'I-0ABC1234DEF567890', 'i-0ABC1234def567890'],
  ['worker.internal', 'Worker.Internal'],
  ['Box-A'],
  ['I-am-Groot'],
  ['box-a'],
  ['unknown'],
  ['256.0.0.1'],
  ['10.0.0'],
  ['10.0.0.0.5'],
  ['0x0a.0.0.5', '0X0A.0.0.5'],
  ['1:2:3:4:5:6:7'],
  ['1:2:3:4:5:6:7:8:9'],
  ['1::2::3'],
  [':::1'],
  ['::00001'],
  ['::1:2:3:4:5:6:1.2.3.4'],
  ['fe80::1%Eth0'],
  ['10.0.0.5 '],
  ['*'],
  [''],
  ['<Html>'],
  ['Ünknown'],
];

const anyCase = (text: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: text.length, maxLength: text.length }).map((isLarge) =>
    text
      .split('')
      .map((letter, index) => (isLarge[index] === true ? letter.toUpperCase() : letter))
      .join(''),
  );
const padded = (digits: number, text: string): fc.Arbitrary<string> =>
  fc.integer({ min: 0, max: digits }).map((width) => text.padStart(width, '0'));
const joined = (parts: fc.Arbitrary<string>[], between: string): fc.Arbitrary<string> => fc.tuple(...parts).map((all) => all.join(between));

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
/** As IPv6 has it, in full; `::` is what the table has. */
const words = (all: readonly number[]): fc.Arbitrary<string> =>
  joined(
    all.map((word) => padded(4, word.toString(16))),
    ':',
  ).chain(anyCase);

/** A machine as its bits, or as its id, in any spelling. */
export const spelledMachine: fc.Arbitrary<{ machine: string; spelling: string }> = fc.oneof(
  octets.chain((all) => {
    const [a = 0, b = 0, c = 0, d = 0] = all;
    const plain = joined(
      all.map((octet) => padded(3, String(octet))),
      '.',
    );
    const mapped = words([0, 0, 0, 0, 0, 0xffff, a * 256 + b, c * 256 + d]);
    return fc
      .oneof(
        plain,
        plain.chain((text) => anyCase(`::ffff:${text}`)),
        mapped,
      )
      .map((spelling) => ({ machine: `4:${all.join('.')}`, spelling }));
  }),
  fc
    .array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 })
    .filter((all) => !(all.slice(0, 5).every((word) => word === 0) && all[5] === 0xffff))
    .chain((all) => words(all).map((spelling) => ({ machine: `6:${all.join(':')}`, spelling }))),
  fc.stringMatching(/^i-[0-9a-f]{8,17}$/).chain((id) => anyCase(id).map((spelling) => ({ machine: id, spelling }))),
);
