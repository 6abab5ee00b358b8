import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Sensitive } from './domain/sensitive';

/** Keeps a text that only a holder of the key can read, and notices every changed byte (AES-256-GCM). */
export interface SecretBox {
  seal(text: string): Buffer;
  /** Throws when it was sealed with neither key, or was changed since. */
  open(sealed: Buffer): string;
}

/** Each 64 hexadecimal digits (SECRETS_KEY). */
export interface SecretBoxKeys {
  current: Sensitive<string>;
  previous: Sensitive<string> | null;
}

/** While the key is being changed, what the previous one sealed is still read; it seals nothing any more. */
export const createSecretBox = ({ current, previous }: SecretBoxKeys): SecretBox => {
  const present = readKey(current);
  const readable = previous === null ? [present] : [present, readKey(previous)];
  return {
    seal: (text) => sealWith(present, text),
    open(sealed) {
      for (const candidate of readable) {
        const text = openWith(candidate, sealed);
        if (text !== null) return text;
      }
      // Nothing of the content and nothing of the keys: this text reaches logs.
      throw new Error('a sealed secret cannot be opened: its key is neither SECRETS_KEY nor the previous one, or it was changed');
    },
  };
};

const format = 1;
const ivBytes = 12;
const tagBytes = 16;
const headBytes = 1 + ivBytes + tagBytes;

const readKey = (key: Sensitive<string>): Buffer => Buffer.from(key.unredacted(), 'hex');

const sealWith = (key: Buffer, text: string): Buffer => {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  const content = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(format), iv, cipher.getAuthTag(), content]);
};

const openWith = (key: Buffer, sealed: Buffer): string | null => {
  if (sealed.length < headBytes || sealed[0] !== format) return null;
  const iv = sealed.subarray(1, 1 + ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(1 + ivBytes, headBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(headBytes)), decipher.final()]).toString('utf8');
  } catch {
    // Another key sealed it, or somebody changed it: the tag does not tell which.
    return null;
  }
};
