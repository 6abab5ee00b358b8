import { everyone } from '../role';
import { z } from 'zod';
import type { Endpoint } from '../endpoint';
import { deployParamsSchema } from '../schemas/deploys';
import { instantSchema } from '../schemas/values';

const sessionSchema = z
  .strictObject({ name: z.string().meta({ description: 'Name of the key.' }), role: z.string(), expiresAt: instantSchema.nullable() })
  .meta({ id: 'Session' });

const signedOutSchema = z.strictObject({ isSignedIn: z.literal(false) }).meta({ id: 'SignedOut' });

/** Signing in with a browser, and the page that it then shows. */
export const sessionEndpoints = {
  signIn: {
    method: 'post',
    path: '/v1/session',
    roles: everyone,
    dialect: 'native',
    tag: 'Session',
    summary: 'Sign in with a key',
    description:
      'For browsers, whose EventSource cannot send a header: send the key as always, and get a cookie (HttpOnly, SameSite=Strict) that stands for it for 12 hours. It reads; it acts only from pages of this gateway. It ends with its key.',
    answers: { 201: { description: 'Signed in.', schema: sessionSchema, headers: ['Set-Cookie'] } },
  },
  getSession: {
    method: 'get',
    path: '/v1/session',
    roles: everyone,
    dialect: 'native',
    tag: 'Session',
    summary: 'Who am I?',
    answers: { 200: { description: 'Whose key, or whose session; `expiresAt` is null for a key.', schema: sessionSchema } },
  },
  signOut: {
    method: 'delete',
    path: '/v1/session',
    roles: 'public',
    dialect: 'native',
    tag: 'Session',
    summary: 'Sign out',
    description:
      'Ends the session of the cookie at every gateway, for copies of it too, and the streams that it reads; takes the cookie back.',
    answers: { 200: { description: 'The session is over.', schema: signedOutSchema, headers: ['Set-Cookie'] } },
  },
  watchDeploy: {
    method: 'get',
    path: '/watch/:deployId',
    roles: 'public',
    dialect: 'native',
    tag: 'Session',
    summary: 'Watch a deploy in a browser',
    description: 'A page that asks for a key where there is no session, and shows the deploy with its log. It holds no data itself.',
    params: deployParamsSchema,
    answers: { 200: { description: 'A page.', contentType: 'text/html' } },
  },
  watchScript: {
    method: 'get',
    path: '/watch.js',
    roles: 'public',
    dialect: 'native',
    tag: 'Session',
    summary: 'What that page does',
    answers: { 200: { description: 'A script.', contentType: 'text/javascript' } },
  },
  watchStyle: {
    method: 'get',
    path: '/watch.css',
    roles: 'public',
    dialect: 'native',
    tag: 'Session',
    summary: 'How it looks',
    answers: { 200: { description: 'A style sheet.', contentType: 'text/css' } },
  },
} as const satisfies Record<string, Endpoint>;
