// The few expressions of ERB that tests write into deploy.yml, as Ruby evaluates them.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { KamalError } from './misbehaviour.mjs';
import { pause } from './output.mjs';

const forEverMs = 2 ** 31 - 1;

export async function evaluate(text, world) {
  const { env } = world;
  const fetch = (name) => {
    if (env[name] === undefined) throw new KamalError('KeyError', `key not found: "${name}"`);
    return env[name];
  };
  const expressions = [
    [/^ENV\["(\w+)"\]$/, (name) => env[name] ?? ''],
    [/^ENV\.fetch\("(\w+)"\)$/, fetch],
    [
      /^raise "(.*)"$/,
      (message) =>
        Promise.reject(
          new KamalError(
            'RuntimeError',
            message.replaceAll(/#\{ENV\["(\w+)"\]\}/g, (_, name) => env[name] ?? ''),
          ),
        ),
    ],
    [/^sleep$/, async () => await pause(world, forEverMs)],
    [
      /^File\.write\(File\.join\(ENV\.fetch\("(\w+)"\), "(\w+)"\), _erbout\)$/,
      (name, file) => writeFileSync(path.join(fetch(name), file), out),
    ],
  ];
  let out = '';
  let at = 0;
  for (const tag of text.matchAll(/<%%|<%(=?)([\s\S]*?)-?%>/g)) {
    out += text.slice(at, tag.index);
    at = tag.index + tag[0].length;
    if (tag[0] === '<%%') {
      out += '<%';
      continue;
    }
    const code = tag[2].trim();
    const [pattern, act] = expressions.find(([known]) => known.test(code)) ?? [];
    if (!act) throw new KamalError('NameError', `undefined local variable or method '${code}' for main:Object`);
    const value = await act(...pattern.exec(code).slice(1));
    if (tag[1] === '=') out += value;
  }
  return out + text.slice(at);
}
