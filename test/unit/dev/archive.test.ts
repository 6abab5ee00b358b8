import { deflateRawSync, gzipSync } from 'node:zlib';
import { fileFromTarGz, fileFromZip } from '../../../dev/tools/archive';

const text = Buffer.from('the program, é\n'.repeat(100));

describe('zip', () => {
  test.each([0, 8])('takes one of several files, packed by method %i', (method) => {
    const zip = zipOf(
      [
        { name: 'first', content: Buffer.from('x') },
        { name: 'a/b', content: text },
      ],
      method,
    );
    expect(fileFromZip(zip, 'a/b').equals(text)).toBe(true);
  });

  test('names the file that is not there', () => {
    expect(() => fileFromZip(zipOf([], 0), 'a/b')).toThrow('no file a/b');
  });

  test('refuses what is no archive', () => {
    expect(() => fileFromZip(Buffer.from('<html>'), 'a/b')).toThrow('no zip archive');
  });
});

describe('tar.gz', () => {
  test('takes one of several files, whose length is no multiple of a block', () => {
    const archive = gzipSync(Buffer.concat([tarEntry('LICENSE', Buffer.from('x')), tarEntry('temporal', text), Buffer.alloc(1024)]));
    expect(fileFromTarGz(archive, 'temporal').equals(text)).toBe(true);
  });

  test('names the file that is not there', () => {
    expect(() => fileFromTarGz(gzipSync(Buffer.alloc(1024)), 'temporal')).toThrow('no file temporal');
  });
});

function zipOf(files: { name: string; content: Buffer }[], method: number): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of files) {
    const packed = method === 0 ? content : deflateRawSync(content);
    const sizes = Buffer.alloc(12);
    sizes.writeUInt32LE(packed.length, 4);
    sizes.writeUInt32LE(content.length, 8);
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04\x14\0\0\0', 'latin1'),
      word(method),
      Buffer.alloc(4),
      sizes,
      word(name.length),
      word(0),
      Buffer.from(name),
      packed,
    ]);
    const entry = [
      Buffer.from('PK\x01\x02\x14\0\x14\0\0\0', 'latin1'),
      word(method),
      Buffer.alloc(4),
      sizes,
      word(name.length),
      word(3),
      word(2),
      Buffer.alloc(8),
      long(offset),
    ];
    central.push(Buffer.concat([...entry, Buffer.from(name), Buffer.from('abc'), Buffer.from('de')]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.concat([
    Buffer.from('PK\x05\x06\0\0\0\0', 'latin1'),
    word(files.length),
    word(files.length),
    long(directory.length),
    long(offset),
    word(0),
  ]);
  return Buffer.concat([...locals, directory, end]);
}

function tarEntry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512);
  header.write(name);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function long(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
