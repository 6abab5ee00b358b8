import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { z } from 'zod';

/** A published image, as the stand-in reads it too (machine.mjs). */
export const imageSchema = z.object({ digest: z.string(), service: z.string(), broken: z.string().nullable() });
export type StandInImage = z.infer<typeof imageSchema>;

export const digestOf = (name: string): string => `sha256:${createHash('sha256').update(name).digest('hex')}`;

export const readImage = (folder: string, tag: string): StandInImage | null => {
  try {
    return imageSchema.parse(JSON.parse(readFileSync(path.join(folder, `${path.basename(tag)}.json`), 'utf8')));
  } catch {
    // No such tag.
    return null;
  }
};

/** What a registry answers to somebody who looks tags up, with the login of the real one's test bed; nothing can be pulled from it. */
export const startStandInRegistry = async (
  folder: string,
  login: { username: string; password: string },
): Promise<{ server: string; stop(): Promise<void> }> => {
  const expected = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
  const server = createServer((request, response) => {
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (request.headers.authorization !== expected) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="testbed"', 'content-type': 'application/json' });
      return response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}');
    }
    if (request.url === '/v2/') return response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    if (/^\/v2\/[\w./-]+\/tags\/list(?:\?.*)?$/.test(request.url ?? '')) {
      const tags = readdirSync(folder).flatMap((name) => (name.endsWith('.json') ? [path.basename(name, '.json')] : []));
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ tags }));
    }
    const reference = /^\/v2\/[\w./-]+\/manifests\/([\w.:-]+)$/.exec(request.url ?? '')?.[1];
    const image = reference === undefined ? null : readImage(folder, reference);
    if (image === null) {
      response.writeHead(404, { 'content-type': 'application/json' });
      return response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
    }
    response.writeHead(200, { 'docker-content-digest': image.digest, 'content-type': 'application/vnd.oci.image.manifest.v1+json' });
    response.end(request.method === 'HEAD' ? undefined : JSON.stringify({ schemaVersion: 2, annotations: { digest: image.digest } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
