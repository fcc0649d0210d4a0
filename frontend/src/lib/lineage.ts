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

/** A lane is where the edges of one node cross a column on their way to a later one, so that none hides behind a box. */
const LANE_HEIGHT = 0.34;
const lane = (id: string, column: number) => `${id}\n${column}`;
const isLane = (id: string) => id.includes('\n');

/** Edges cut at every column they cross; those of one node share its lanes. */
function cutEdges(edges: readonly Edge[], columns: Map<string, number>): Edge[] {
  const cut = new Map<string, Edge>();
  const add = (from: string, to: string) => cut.set(`${from}\t${to}`, { from, to });
  for (const { from, to } of edges) {
    let last = from;
    for (let column = columns.get(from)! + 1; column < columns.get(to)!; column += 1) {
      add(last, lane(from, column));
      last = lane(from, column);
    }
    add(last, to);
  }
  return [...cut.values()];
}

export interface Layout {
  nodes: Placed[];
  /** Rows at which each edge leaves, crosses every column between, and arrives. */
  routes: { from: string; to: string; rows: number[] }[];
}

/** Place every node; within a column the order follows the mean row of its neighbours (barycentre sweeps). */
export function layout(ids: readonly string[], edges: readonly Edge[]): Layout {
  const columns = columnsOf(ids, edges);
  const pieces = cutEdges(edges, columns);
  const lanes = [...new Set(pieces.map(({ to }) => to).filter(isLane))];
  for (const id of lanes) columns.set(id, Number(id.split('\n')[1]));
  const all = [...ids, ...lanes].sort();
  const grid: string[][] = Array.from({ length: Math.max(0, ...columns.values()) + 1 }, () => []);
  for (const id of all) grid[columns.get(id)!]!.push(id);
  const rows = new Map<string, number>();
  grid.forEach((column) => renumber(column, rows));
  const before = neighbours(all, pieces, 'to', 'from');
  const after = neighbours(all, pieces, 'from', 'to');
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    for (const column of isForward ? grid : [...grid].reverse()) {
      const near = isForward ? before : after;
      const mean = (id: string) => average(near.get(id)!.map((other) => rows.get(other)!)) ?? rows.get(id)!;
      const means = new Map(column.map((id) => [id, mean(id)]));
      column.sort((a, b) => means.get(a)! - means.get(b)! || a.localeCompare(b));
      renumber(column, rows);
    }
  }
  const routes = edges.map(({ from, to }) => {
    const between = Array.from(
      { length: columns.get(to)! - columns.get(from)! - 1 },
      (_, at) => columns.get(from)! + 1 + at,
    );
    const stops = [from, ...between.map((column) => lane(from, column)), to];
    return { from, to, rows: stops.map((id) => rows.get(id)!) };
  });
  return { nodes: ids.map((id) => ({ id, column: columns.get(id)!, row: rows.get(id)! })), routes };
}

/** Set the centres of a column from top to bottom, the whole column centred on zero. */
function renumber(column: readonly string[], rows: Map<string, number>): void {
  const heights = column.map((id) => (isLane(id) ? LANE_HEIGHT : 1));
  let top = -heights.reduce((sum, height) => sum + height, 0) / 2;
  column.forEach((id, at) => {
    rows.set(id, top + heights[at]! / 2);
    top += heights[at]!;
  });
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
