/** Layout of the lineage graph: columns follow the flow of data, rows keep edges short. Pure, computed at build. */

export interface Edge {
  from: string;
  to: string;
}

export interface Placed {
  id: string;
  column: number;
  /** Centre in row units; columns of different length are centred on each other. */
  row: number;
}

const SWEEPS = 12;

/** Column of each node: one after the latest of its parents. Nodes in a cycle would never settle, so there is none. */
export function columnsOf(ids: readonly string[], edges: readonly Edge[]): Map<string, number> {
  const parents = neighbours(ids, edges, 'to', 'from');
  const columns = new Map<string, number>();
  const visit = (id: string, path: readonly string[]): number => {
    if (path.includes(id)) throw new Error(`lineage: expected no cycle, found ${[...path, id].join(' -> ')}`);
    const known = columns.get(id);
    if (known !== undefined) return known;
    const column = Math.max(-1, ...parents.get(id)!.map((parent) => visit(parent, [...path, id]))) + 1;
    columns.set(id, column);
    return column;
  };
  for (const id of ids) visit(id, []);
  // A source or seed without parents stands right before its first reader, not at the far left.
  const children = neighbours(ids, edges, 'from', 'to');
  for (const id of ids) {
    const readers = children.get(id)!.map((child) => columns.get(child)!);
    if (parents.get(id)!.length === 0 && readers.length > 0) columns.set(id, Math.min(...readers) - 1);
  }
  return columns;
}

/** Place every node; within a column the order follows the mean row of its neighbours (barycentre sweeps). */
export function layout(ids: readonly string[], edges: readonly Edge[]): Placed[] {
  const columns = columnsOf(ids, edges);
  const width = Math.max(0, ...columns.values()) + 1;
  const grid: string[][] = Array.from({ length: width }, () => []);
  for (const id of [...ids].sort()) grid[columns.get(id)!]!.push(id);
  const rows = new Map<string, number>();
  grid.forEach((column) => renumber(column, rows));
  const before = neighbours(ids, edges, 'to', 'from');
  const after = neighbours(ids, edges, 'from', 'to');
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    const order = isForward ? grid : [...grid].reverse();
    for (const column of order) {
      const near = isForward ? before : after;
      const mean = (id: string) => average(near.get(id)!.map((other) => rows.get(other)!)) ?? rows.get(id)!;
      const means = new Map(column.map((id) => [id, mean(id)]));
      column.sort((a, b) => means.get(a)! - means.get(b)! || a.localeCompare(b));
      renumber(column, rows);
    }
  }
  return grid.flatMap((column, at) => column.map((id) => ({ id, column: at, row: rows.get(id)! })));
}

function renumber(column: readonly string[], rows: Map<string, number>): void {
  column.forEach((id, at) => rows.set(id, at - (column.length - 1) / 2));
}

function neighbours(
  ids: readonly string[],
  edges: readonly Edge[],
  at: keyof Edge,
  other: keyof Edge,
): Map<string, string[]> {
  const found = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const edge of edges) found.get(edge[at])?.push(edge[other]);
  return found;
}

const average = (values: readonly number[]) =>
  values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;

/** Every node from which `id` is reached (or which `id` reaches), itself left out. */
export function reach(
  id: string,
  edges: readonly Edge[],
  direction: 'ancestors' | 'descendants',
): Set<string> {
  const [at, other] = direction === 'ancestors' ? (['to', 'from'] as const) : (['from', 'to'] as const);
  const found = new Set<string>();
  const open = [id];
  while (open.length) {
    const current = open.pop()!;
    for (const edge of edges) {
      if (edge[at] !== current || found.has(edge[other])) continue;
      found.add(edge[other]);
      open.push(edge[other]);
    }
  }
  found.delete(id);
  return found;
}
