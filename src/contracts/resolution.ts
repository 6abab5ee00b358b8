import { z } from 'zod';
import { resolutionTypes, type ResolutionType } from './command';

/** Longer than any code that a site sends, short enough that nobody parks a document here. */
const codeLengthMax = 64;
const userNameLengthMax = 320;
const passwordLengthMax = 256;

export const codeSchema = z.string().min(1).max(codeLengthMax);
export const userNameSchema = z.string().min(1).max(userNameLengthMax);
export const passwordSchema = z.string().min(1).max(passwordLengthMax);

/** What GH's worker reads as `resolution_data` (ghosthands §6.2). */
export type ResolutionData = { code: string } | { username: string; password: string };

export const resolutionDataSchema = z.object({
  code: codeSchema.optional(),
  username: userNameSchema.optional(),
  email: userNameSchema.optional(),
  password: passwordSchema.optional(),
});

/** How a resume is resolved in the words of GH and VALET, over HTTP and in a row alike. */
export const resolutionFields = {
  resolution_type: z.enum(resolutionTypes).nullish(),
  resolution_data: resolutionDataSchema.nullish(),
};
type Resolution = z.output<z.ZodObject<typeof resolutionFields>>;

/** A refinement: what its type needs is there. */
export const needResolutionData = (
  { resolution_type: type, resolution_data: data }: Resolution,
  context: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void => {
  const need = (name: string): void =>
    context.addIssue({ code: 'custom', path: ['resolution_data', name], message: `is needed for resolution_type ${type}` });
  if (type === 'code_entry' && data?.code === undefined) need('code');
  if (type !== 'credentials') return;
  if (data?.username === undefined && data?.email === undefined) need('username');
  if (data?.password === undefined) need('password');
};

/** What is there decides where no type is; what the type does not use is not kept. */
export const resolutionOf = ({
  resolution_type: type,
  resolution_data: data,
}: Resolution): { resolutionType: ResolutionType; data: ResolutionData | null } => {
  const code = data?.code;
  const username = data?.username ?? data?.email;
  const password = data?.password;
  const hasCredentials = username !== undefined && password !== undefined;
  const resolutionType = type ?? (code !== undefined ? 'code_entry' : hasCredentials ? 'credentials' : 'manual');
  if (resolutionType === 'code_entry' && code !== undefined) return { resolutionType, data: { code } };
  if (resolutionType === 'credentials' && hasCredentials) return { resolutionType, data: { username, password } };
  return { resolutionType, data: null };
};

const rowResolutionSchema = z.object(resolutionFields).superRefine(needResolutionData);

/**
 * What GH's API has left in a row. It writes `manual` where its caller named no type (ghosthands §1.4), so that beside data this word says nothing. Of what is
 * refused only the fields are named: their values may be a code.
 */
export const readRowResolution = ({
  type,
  data,
}: {
  type: unknown;
  data: unknown;
}): { kind: 'usable'; resolutionType: ResolutionType; data: ResolutionData | null } | { kind: 'unusable'; fields: string[] } => {
  const hasData = data !== null && data !== undefined;
  const parsed = rowResolutionSchema.safeParse({ resolution_type: type === 'manual' && hasData ? null : type, resolution_data: data });
  if (parsed.success) return { kind: 'usable', ...resolutionOf(parsed.data) };
  return { kind: 'unusable', fields: [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))] };
};
