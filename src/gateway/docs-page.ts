import { z } from 'zod';
import { pathTemplate, type Endpoint } from './endpoint';
import { endpointNames, endpoints, type EndpointName } from './endpoints';
import type { OpenApiDocument } from './openapi';

/** /openapi.json for people: one page of plain HTML, so that the strictest content policy fits and nothing is loaded from elsewhere. */
export const docsPage = (document: OpenApiDocument): string => {
  const tags = [...new Set(endpointNames.map((name) => endpoints[name].tag))];
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Yardmaster API</title><link rel="stylesheet" href="/docs.css"></head>
<body>
<header><h1>${escape(document.info.title)}</h1><p>${escape(document.info.description ?? '')}</p>
<p>Machine-readable: <a href="/openapi.json">/openapi.json</a>. Keys go into <code>X-API-Key</code> or <code>Authorization: Bearer</code>.</p></header>
<nav>${tags
    .map(
      (tag) =>
        `<h2>${escape(tag)}</h2><ul>${endpointNames
          .filter((name) => endpoints[name].tag === tag)
          .map(navLine)
          .join('')}</ul>`,
    )
    .join('')}</nav>
<main>${tags
    .map((tag) =>
      endpointNames
        .filter((name) => endpoints[name].tag === tag)
        .map((name) => section(name, document))
        .join(''),
    )
    .join('')}
<h2>Schemas</h2>${Object.entries(document.components?.schemas ?? {})
    .map(schemaSection)
    .join('')}</main>
</body>
</html>
`;
};

const navLine = (name: EndpointName): string =>
  `<li><a href="#${name}">${escape(endpoints[name].summary)}</a> <code>${endpoints[name].method.toUpperCase()} ${escape(endpoints[name].path)}</code></li>`;

const section = (name: EndpointName, { paths, servers, components }: OpenApiDocument): string => {
  const endpoint: Endpoint = endpoints[name];
  const operation = paths?.[pathTemplate(endpoint.path)]?.[endpoint.method];
  const parameters = (operation?.parameters ?? []).flatMap((parameter) => ('name' in parameter ? [parameter] : []));
  return `<section id="${name}"><h3>${escape(endpoint.summary)}</h3>
<p class="line"><code>${endpoint.method.toUpperCase()} ${escape(endpoint.path)}</code></p>
${paragraphs(operation?.description ?? '')}
${table(
  ['Parameter', 'In', 'Meaning'],
  parameters.map(({ name: parameter, in: where, required, description, schema }) => [
    code(parameter),
    escape(`${where}${required === true ? ', needed' : ''}`),
    escape(description ?? (schema !== undefined && 'description' in schema ? (schema.description ?? '') : '')),
  ]),
)}
${Object.entries(endpoint.bodyExamples ?? {})
  .map(([title, body]) => example(title, name, body, servers?.[0]?.url ?? ''))
  .join('')}
${table(
  ['Status', 'Meaning', 'Shape'],
  Object.entries(operation?.responses ?? {}).map(([status, response]) => [code(status), ...answerCells(response, components?.responses)]),
)}
</section>`;
};

/** Of a response only what the table shows; `$ref` is of one that many share. */
const responseSchema = z.object({
  $ref: z.string().optional(),
  description: z.string().default(''),
  content: z.record(z.string(), z.object({ schema: z.object({ $ref: z.string().optional() }).optional() })).default({}),
});

const answerCells = (response: unknown, shared: Readonly<Record<string, unknown>> = {}): string[] => {
  const { $ref: pointer, description, content } = responseSchema.parse(response);
  if (pointer !== undefined) return answerCells(shared[lastPart(pointer)]);
  const name = Object.values(content).flatMap(({ schema }) => (schema?.$ref === undefined ? [] : [lastPart(schema.$ref)]))[0];
  return [escape(description), name === undefined ? '' : `<a href="#schema-${escape(name)}">${escape(name)}</a>`];
};

const lastPart = (pointer: string): string => pointer.slice(pointer.lastIndexOf('/') + 1);

const example = (title: string, name: EndpointName, body: object, server: string): string => {
  const { method, path, dialect, roles }: Endpoint = endpoints[name];
  const url = `${server}${path.replaceAll(/:(\w+)/g, (_match, parameter: string) => `$${parameter}`)}`;
  // What VALET and GH's workers show is a key of theirs, which not every act among VALET's paths takes.
  const isService = roles !== 'public' && (roles.includes('worker') || (dialect === 'product' && roles.includes('product')));
  const header = isService ? 'X-GH-Service-Key: $GH_SERVICE_SECRET' : 'X-API-Key: $KEY';
  const json = JSON.stringify(body, null, 2).replaceAll("'", String.raw`'\''`);
  const command = `curl -X ${method.toUpperCase()} "${url}" -H "${header}" -H 'Content-Type: application/json' -d '${json}'`;
  return `<h4>Example: ${escape(title)}</h4><pre>${escape(command)}</pre>`;
};

const schemaSection = ([name, schema]: [string, unknown]): string =>
  `<details id="schema-${escape(name)}"><summary>${escape(name)}</summary><pre>${escape(JSON.stringify(schema, null, 2))}</pre></details>`;

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : `<table><thead><tr>${heads.map((head) => `<th>${escape(head)}</th>`).join('')}</tr></thead><tbody>${rows
        .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`)
        .join('')}</tbody></table>`;

const paragraphs = (text: string): string =>
  text
    .split('\n\n')
    .map((part) => `<p>${escape(part)}</p>`)
    .join('');

const code = (text: string): string => `<code>${escape(text)}</code>`;

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;');

export const docsStyle = `
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
body { display: grid; grid-template-columns: minmax(16rem, 22rem) minmax(0, 1fr); gap: 0 2rem; max-width: 80rem; margin: 0 auto; padding: 1rem }
header { grid-column: 1 / -1 }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; font-size: .9rem }
nav ul { list-style: none; padding: 0 } nav code { display: block; opacity: .7 }
nav h2 { font-size: 1rem; margin: 1rem 0 .25rem }
section { border-top: 1px solid #8884; padding: .5rem 0 1.5rem }
pre { overflow: auto; background: #8881; padding: .75rem; border-radius: .4rem }
table { border-collapse: collapse; width: 100%; margin: .75rem 0 }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8883 }
@media (max-width: 50rem) { body { display: block } nav { position: static; max-height: none } }
`;
