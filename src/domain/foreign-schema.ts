import { foreignTables, type ColumnKind, type Severity, type TableNeed } from '../contracts/foreign-schema';

/** A table of the neighbours as the database describes it to our role. */
export interface ActualTable {
  columns: Readonly<Record<string, { type: string; lengthMax: number | null; isMandatory: boolean }>>;
  /** Of the values that we need, those that a CHECK refuses. */
  refused: Readonly<Record<string, readonly string[]>>;
  /** Columns of each unique index that covers all rows. */
  unique: readonly (readonly string[])[];
  triggers: readonly { event: 'insert' | 'update'; source: string }[];
  privileges: readonly string[];
  /** Row level security is on for our role, and no policy shows it every row. */
  isHiddenByPolicy: boolean;
}

export interface ActualSchema {
  tables: Readonly<Record<string, ActualTable | null>>;
  /** May our role see what backends of every other role do, and end them? */
  canReadAllQueries: boolean;
  canEndAllBackends: boolean;
}

export interface Finding {
  severity: Severity;
  /** What is not as we need it. */
  what: string;
  lost: string;
}

/** Every difference between the neighbours' tables and what we need, the worst first. */
export const compareForeignSchema = (seen: ActualSchema): Finding[] =>
  [
    ...Object.entries(foreignTables).flatMap(([table, need]) => compareTable(table, need, seen.tables[table] ?? null)),
    ...compareBackends(seen),
  ].toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));

const severities: readonly Severity[] = ['fatal', 'degraded', 'note'];

const kinds: Record<ColumnKind, readonly string[]> = {
  text: ['text', 'varchar', 'bpchar'],
  number: ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'],
  uuid: ['uuid'],
  jsonb: ['jsonb'],
  timestamptz: ['timestamptz'],
};

const compareTable = (table: string, need: TableNeed, seen: ActualTable | null): Finding[] => {
  if (seen === null) return [{ severity: need.severity, what: `table ${table} is missing`, lost: need.lost }];
  const hidden: Finding[] = seen.isHiddenByPolicy
    ? [{ severity: need.severity, what: `row level security hides rows of ${table} from our role`, lost: need.lost }]
    : [];
  return [...hidden, ...compareColumns(table, need, seen), ...compareLengths(table, need, seen), ...compareRules(table, need, seen)];
};

const compareColumns = (table: string, need: TableNeed, seen: ActualTable): Finding[] => {
  const wrong = need.columns.flatMap(({ names, kind, severity, lost }) =>
    names.flatMap((name): Finding[] => {
      const column = seen.columns[name];
      if (column === undefined) return [{ severity, what: `column ${table}.${name} is missing`, lost }];
      return kinds[kind].includes(column.type) ? [] : [{ severity, what: `column ${table}.${name} is ${column.type}, not ${kind}`, lost }];
    }),
  );
  // A column that a neighbour added since, and that our INSERT knows nothing of.
  const { inserted } = need;
  const unfilled =
    inserted === undefined
      ? []
      : Object.keys(seen.columns).filter((name) => seen.columns[name]?.isMandatory === true && !inserted.includes(name));
  return [
    ...wrong,
    ...unfilled.map((name): Finding => ({
      severity: 'fatal',
      what: `column ${table}.${name} is NOT NULL and has no default`,
      lost: need.lost,
    })),
  ];
};

const compareLengths = (table: string, need: TableNeed, seen: ActualTable): Finding[] =>
  Object.entries(need.lengths ?? {}).flatMap(([name, least]) => {
    const lengthMax = seen.columns[name]?.lengthMax ?? null;
    return lengthMax === null || lengthMax >= least
      ? []
      : [
          {
            severity: 'degraded',
            what: `column ${table}.${name} holds ${lengthMax} characters, not ${least}`,
            lost: 'Rows with a longer value are refused.',
          },
        ];
  });

const compareRules = (table: string, need: TableNeed, seen: ActualTable): Finding[] => [
  ...(need.values ?? []).flatMap(({ column, values, severity, lost }): Finding[] => {
    const refused = values.filter((value) => seen.refused[column]?.includes(value));
    return refused.length === 0 ? [] : [{ severity, what: `${table}.${column} does not allow ${refused.join(', ')}`, lost }];
  }),
  ...(need.triggers ?? [])
    .filter(({ event, mentions }) => !seen.triggers.some((trigger) => trigger.event === event && trigger.source.includes(mentions)))
    .map(({ event, mentions, severity, lost }) => ({ severity, what: `${table} has no trigger for ${mentions} on ${event}`, lost })),
  ...(need.unique ?? [])
    .filter(({ columns }) => !seen.unique.some((key) => isSame(key, columns)))
    .map(({ columns, severity, lost }) => ({ severity, what: `${table} (${columns.join(', ')}) is not unique`, lost })),
  ...unknownKeys(need, seen).map((key): Finding => ({
    severity: 'degraded',
    what: `${table} (${key.join(', ')}) is unique, which we do not expect`,
    lost: 'A job or an attempt with an equal value is refused.',
  })),
  ...need.privileges.flatMap(({ privileges, severity, lost }): Finding[] => {
    const missing = privileges.filter((privilege) => !seen.privileges.includes(privilege));
    return missing.length === 0 ? [] : [{ severity, what: `our role may not ${missing.join(', ')} on ${table}`, lost }];
  }),
];

/** Matters only where we insert; a key that contains one that we know forbids nothing more. */
const unknownKeys = ({ inserted, unique = [] }: TableNeed, seen: ActualTable): readonly (readonly string[])[] =>
  inserted === undefined ? [] : seen.unique.filter((key) => !unique.some(({ columns }) => columns.every((column) => key.includes(column))));

const isSame = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every((item) => b.includes(item));

const compareBackends = ({ canReadAllQueries, canEndAllBackends }: ActualSchema): Finding[] => [
  ...(canReadAllQueries
    ? []
    : [
        {
          severity: 'degraded' as const,
          what: 'our role may not read the queries of other roles (pg_read_all_stats)',
          lost: 'A worker that connects under another role can never be proven dead, so its lost attempts become uncertain (ghosthands §7.2).',
        },
      ]),
  ...(canEndAllBackends
    ? []
    : [
        {
          severity: 'degraded' as const,
          what: 'our role may not end the backends of other roles (pg_signal_backend)',
          lost: 'A running attempt of a worker that connects under another role is stopped by recycling its machine only (ghosthands §7.2).',
        },
      ]),
];
