/** Rows by what `keyOf` says of them, in their order; a row of `null` is in no group. A list of a whole fleet is read once, not once for each host. */
export const groupBy = <Row>(rows: Iterable<Row>, keyOf: (row: Row) => string | null): ReadonlyMap<string, Row[]> => {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = key === null ? undefined : groups.get(key);
    if (group !== undefined) group.push(row);
    else if (key !== null) groups.set(key, [row]);
  }
  return groups;
};
