import type { RequestHandler } from 'express';
import { docsPage, docsStyle } from '../docs-page';
import { answer } from '../endpoint';
import { endpoints } from '../endpoints';
import { makeOpenApiDocument } from '../openapi';

/** The API described: for programs, and for people. Made once, since nothing in it changes while the process lives. */
export const createDocumentRoutes = ({ publicUrl }: { publicUrl: string }): Record<'openapi' | 'docs' | 'docsStyle', RequestHandler> => {
  const document = makeOpenApiDocument(publicUrl);
  const page = docsPage(document);
  return {
    openapi: answer(endpoints.openapi, () => ({ status: 200, body: document })),
    docs: answer(endpoints.docs, () => ({ status: 200, body: page })),
    docsStyle: answer(endpoints.docsStyle, () => ({ status: 200, body: docsStyle })),
  };
};
