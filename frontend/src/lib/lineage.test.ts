import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { columnsOf, layout, reach } from './lineage.ts';

const edges = [
  { from: 'raw', to: 'stage' },
  { from: 'stage', to: 'fact' },
  { from: 'dimension', to: 'fact' },
  { from: 'stage', to: 'dimension' },
  { from: 'fact', to: 'mart' },
  { from: 'seed', to: 'mart' },
];
const ids = ['raw', 'stage', 'dimension', 'fact', 'mart', 'seed'];

describe('columnsOf', () => {
  it('puts every node after all of its parents', () => {
    const columns = columnsOf(ids, edges);
    for (const { from, to } of edges) assert.ok(columns.get(from)! < columns.get(to)!, `${from} -> ${to}`);
  });

  it('puts a seed right before its reader', () => {
    const columns = columnsOf(ids, edges);
    assert.equal(columns.get('seed'), columns.get('mart')! - 1);
  });

  it('refuses a cycle by naming it', () => {
    assert.throws(
      () =>
        columnsOf(
          ['a', 'b'],
          [
            { from: 'a', to: 'b' },
            { from: 'b', to: 'a' },
          ],
        ),
      /a -> b -> a/,
    );
  });
});

describe('layout', () => {
  it('gives every node a place of its own', () => {
    const places = layout(ids, edges).nodes.map(({ column, row }) => `${column}/${row}`);
    assert.equal(new Set(places).size, ids.length);
  });

  it('uncrosses edges that need not cross', () => {
    const pairs = [
      { from: 'a1', to: 'b3' },
      { from: 'a2', to: 'b2' },
      { from: 'a3', to: 'b1' },
    ];
    const placed = new Map(
      layout(['a1', 'a2', 'a3', 'b1', 'b2', 'b3'], pairs).nodes.map((one) => [one.id, one.row]),
    );
    for (const { from, to } of pairs) assert.equal(placed.get(from), placed.get(to));
  });
});

describe('routes', () => {
  const { nodes, routes } = layout(ids, edges);
  const place = new Map(nodes.map((node) => [node.id, node]));

  it('begin and end at their nodes and stop at every column between', () => {
    for (const { from, to, rows } of routes) {
      assert.equal(rows[0], place.get(from)!.row);
      assert.equal(rows.at(-1), place.get(to)!.row);
      assert.equal(rows.length, place.get(to)!.column - place.get(from)!.column + 1);
    }
  });

  it('cross a column beside its nodes, never behind one', () => {
    for (const { from, rows } of routes) {
      rows.slice(1, -1).forEach((row, at) => {
        const column = place.get(from)!.column + 1 + at;
        for (const node of nodes)
          if (node.column === column) assert.ok(Math.abs(node.row - row) > 0.5, `${from} ${node.id}`);
      });
    }
  });
});

describe('reach', () => {
  it('finds everything upstream and downstream, not the node itself', () => {
    assert.deepEqual([...reach('fact', edges, 'ancestors')].sort(), ['dimension', 'raw', 'stage']);
    assert.deepEqual([...reach('stage', edges, 'descendants')].sort(), ['dimension', 'fact', 'mart']);
    assert.equal(reach('mart', edges, 'descendants').size, 0);
  });
});
