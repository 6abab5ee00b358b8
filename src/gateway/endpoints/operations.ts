import type { Endpoint } from '../endpoint';
import { auditPageSchema, auditQuerySchema } from '../schemas/audit';
import { liveAnswerSchema, openApiSchema, readyAnswerSchema } from '../schemas/operations';

/** What an operator and a monitor look at, and the documents about it all. */
export const operationsEndpoints = {
  listAudit: {
    method: 'get',
    path: '/v1/audit',
    roles: ['operator'],
    dialect: 'native',
    tag: 'Audit',
    summary: 'Who did what',
    description: 'Newest first. A command has two entries: when it came, and, as `<kind>_ended`, its route and outcome.',
    query: auditQuerySchema,
    answers: { 200: { description: 'One page.', schema: auditPageSchema } },
  },
  livez: {
    method: 'get',
    path: '/livez',
    roles: 'public',
    dialect: 'native',
    tag: 'Health',
    summary: 'Does the process live?',
    answers: { 200: { description: 'It does.', schema: liveAnswerSchema } },
  },
  readyz: {
    method: 'get',
    path: '/readyz',
    roles: 'public',
    dialect: 'native',
    tag: 'Health',
    summary: 'Can it keep what it is given?',
    description: 'Postgres takes writes, and the process does not end. The parts are shown beside it, checked once a second at most.',
    answers: {
      200: { description: 'Ready.', schema: readyAnswerSchema },
      503: { description: 'What is missing, or that the process ends.', schema: readyAnswerSchema },
    },
  },
  openapi: {
    method: 'get',
    path: '/openapi.json',
    roles: 'public',
    dialect: 'native',
    tag: 'Documents',
    summary: 'This document',
    answers: { 200: { description: 'OpenAPI 3.1.', schema: openApiSchema } },
  },
  docs: {
    method: 'get',
    path: '/docs',
    roles: 'public',
    dialect: 'native',
    tag: 'Documents',
    summary: 'This document for people',
    answers: { 200: { description: 'A page without scripts.', contentType: 'text/html' } },
  },
  docsStyle: {
    method: 'get',
    path: '/docs.css',
    roles: 'public',
    dialect: 'native',
    tag: 'Documents',
    summary: 'How that page looks',
    answers: { 200: { description: 'A style sheet.', contentType: 'text/css' } },
  },
} as const satisfies Record<string, Endpoint>;
