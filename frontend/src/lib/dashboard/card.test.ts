import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readFileSync } from 'node:fs';
import type { Card } from '../../generated/dashboards.d.ts';
import { cardBody, picture, seriesOf } from './card.ts';
import type { CardView, Row } from './card.ts';
import { written } from './format.ts';
import type { Theme } from './format.ts';
import { variantFor } from './variant.ts';

const { about: _about, ...theme } = JSON.parse(
  readFileSync(new URL('../../../../theme.json', import.meta.url), 'utf8'),
) as Theme & { about: string };

const view = (
  chart: Card['chart'],
  columns: [string, string][],
  rows: Row[],
  series?: Card['series'],
): CardView => ({
  card: {
    key: 'card',
    title: 'Requests',
    question: 'How many?',
    chart,
    columns: columns.map(([name, format]) => ({ name, title: name.toUpperCase(), format })),
    ...(series ? { series } : {}),
    filters: [],
    data: 'x.json',
  },
  columns: columns.map(([name]) => name),
  rows,
  theme,
  height: 200,
});

describe('written', () => {
  it('follows theme.json', () => {
    const cases: [Parameters<typeof written>[0], string, string][] = [
      [1234567, 'integer', '1,234,567'],
      [0.0312, 'ratio', '3.1%'],
      [1234.5, 'usd', '$1,234.50'],
      [-0.5, 'usd_fine', '-$0.5000'],
      [665, 'ms', '665 ms'],
      ['2025-03-05', 'date', '5 Mar, 2025'],
      ['2025-03-01', 'month', 'Mar 2025'],
      ['2025-03-05T12:30:00Z', 'datetime', '5 Mar, 2025, 12:30'],
      [null, 'usd', '–'],
      ['free', 'text', 'free'],
      [true, 'text', 'yes'],
    ];
    for (const [value, format, expected] of cases) assert.equal(written(value, format, theme), expected);
  });
});

describe('cardBody', () => {
  it('shows a scalar in its format', () => {
    assert.match(
      cardBody(view({ type: 'scalar', y: 'spend_usd' }, [['spend_usd', 'usd']], [[565.4]])),
      /\$565\.40/,
    );
  });

  it('shows where a trend went and whether that is good', () => {
    const columns: [string, string][] = [
      ['month', 'month'],
      ['errors', 'integer'],
    ];
    const rows: Row[] = [
      ['2025-01-01', 100],
      ['2025-02-01', 110],
    ];
    const up = cardBody(view({ type: 'trend', x: 'month', y: 'errors' }, columns, rows));
    assert.match(up, /class="good">up 10\.0%/);
    const down = cardBody(view({ type: 'trend', x: 'month', y: 'errors', good: 'down' }, columns, rows));
    assert.match(down, /class="bad">up 10\.0%/);
    assert.match(down, /Jan 2025/);
  });

  it('splits one column into series in the order and colours of the definition', () => {
    const split = view(
      { type: 'line', x: 'day', y: ['n'], series: 'tier', values: ['pro', 'free'] },
      [
        ['day', 'date'],
        ['tier', 'text'],
        ['n', 'integer'],
      ],
      [
        ['2025-01-02', 'pro', 3],
        ['2025-01-01', 'free', 1],
        ['2025-01-01', 'pro', 2],
      ],
      [
        { name: 'pro', title: 'pro', color: 'green' },
        { name: 'free', title: 'free', color: 'slate' },
      ],
    );
    const { series } = seriesOf(split);
    assert.deepEqual(
      series.map(({ name, values }) => [name, values]),
      [
        ['pro', [2, 3]],
        ['free', [1, null]],
      ],
    );
    const body = cardBody(split);
    assert.match(body, /<th scope="row">2 Jan, 2025<\/th><td>3<\/td><td>–<\/td>/);
    assert.match(body, /role="img" aria-label="Requests: How many\?"/);
  });

  it('draws every type and says so when there is nothing to draw', () => {
    const columns: [string, string][] = [
      ['a', 'text'],
      ['b', 'text'],
      ['n', 'integer'],
    ];
    const rows: Row[] = [
      ['x', 'p', 4],
      ['y', 'q', 2],
    ];
    const series = [{ name: 'n', title: 'N', color: 'green' }];
    const charts: Card['chart'][] = [
      { type: 'bar', x: 'a', y: ['n'] },
      { type: 'area', x: 'a', y: ['n'], stack: 'percent' },
      { type: 'row', x: 'a', y: ['n'] },
      { type: 'funnel', x: 'a', y: 'n' },
      { type: 'table', columns: ['a', 'n'] },
      { type: 'matrix', x: 'a', series: 'b', y: 'n' },
    ];
    for (const chart of charts) {
      const body = cardBody(view(chart, columns, rows, series));
      assert.doesNotMatch(body, /NaN|undefined| style=/, chart.type);
      assert.match(body, /4/, chart.type);
      const empty = view(chart, columns, [], series);
      assert.match(cardBody(empty), /Nothing to list/, chart.type);
      assert.match(cardBody({ ...empty, card: { ...empty.card, filters: ['tier'] } }), /No rows for this/);
    }
    assert.match(cardBody(view(charts[3]!, columns, rows)), /50\.0% of the step before/);
    assert.match(cardBody(view(charts[5]!, columns, rows)), /heat-5">4<\/td><td class="numeric">–/);
  });

  it('says that all is zero instead of drawing an empty frame', () => {
    const columns: [string, string][] = [
      ['month', 'month'],
      ['errors', 'integer'],
    ];
    const chart = { type: 'bar', x: 'month', y: ['errors'] } as const;
    const series = [{ name: 'errors', title: 'Errors', color: 'red' }];
    const body = cardBody(view({ ...chart, y: ['errors'] }, columns, [['2025-01-01', 0]], series));
    assert.match(body, /Zero throughout/);
    const unknown = view({ ...chart, y: ['errors'] }, columns, [['2025-01-01', null]], series);
    assert.match(cardBody(unknown), /Not known/);
    unknown.card.empty = 'No log says <this>.';
    assert.match(cardBody(unknown), /No log says &lt;this&gt;\./);
    assert.match(cardBody({ ...unknown, rows: [] }), /No log says/);
    assert.doesNotMatch(body, /<svg/);
    assert.match(body, /<table/);
    assert.equal(picture(view({ ...chart, y: ['errors'] }, columns, [['2025-01-01', 0]], series)), null);
  });

  it('names only the parts that occur', () => {
    const columns: [string, string][] = [
      ['month', 'month'],
      ['a', 'integer'],
      ['b', 'integer'],
    ];
    const series = ['a', 'b'].map((name) => ({ name, title: name.toUpperCase(), color: 'blue' }));
    const { series: drawn } = seriesOf(
      view({ type: 'bar', x: 'month', y: ['a', 'b'] }, columns, [['2025-01-01', 3, 0]], series),
    );
    assert.deepEqual(
      drawn.map(({ name }) => name),
      ['A'],
    );
  });
});

describe('variantFor', () => {
  const card = {
    dashboard: 'd',
    card: 'c',
    columns: [{ name: 'n', type: 'number' as const }] as [{ name: string; type: 'number' }],
    default: 0,
    variants: [
      { values: { tier: null }, rows: [[3]] },
      { values: { tier: 'pro' }, rows: [[1]] },
    ] as [
      { values: { tier: string | null }; rows: number[][] },
      ...{ values: { tier: string | null }; rows: number[][] }[],
    ],
  };

  it('finds the rows of a choice, ignoring filters the card does not have', () => {
    assert.deepEqual(variantFor(card, { tier: 'pro', other: 1 })?.rows, [[1]]);
    assert.deepEqual(variantFor(card, {})?.rows, [[3]]);
  });

  it('is undefined where nothing was computed', () => {
    assert.equal(variantFor(card, { tier: 'free' }), undefined);
  });
});
