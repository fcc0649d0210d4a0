/** What the simulator shows, as HTML: used once at build for the first paint and again by the page's script. */
import { bytes, count, dollars, duration, percent, whole } from '../format.ts';
import { element, escape, percentOf } from '../chart/svg.ts';
import { LAYER_NAMES, OPTIONS } from './choices.ts';
import type { LayerName } from './choices.ts';
import type { Component } from './components.ts';
import { RANGES } from './inputs.ts';
import type { InputName } from './inputs.ts';
import type { NextSwitch, Simulation } from './simulate.ts';

/** A slider's value as people say it. */
export function inputText(name: InputName, value: number): string {
  if (name === 'freshnessS') return duration(value);
  if (name === 'availabilityRatio') return percent(value);
  return name === 'eventsPerDay' ? count(value) : whole(value);
}

const COST_PARTS = [
  { key: 'compute', name: 'Machines', color: 'green' },
  { key: 'storage', name: 'Storage', color: 'blue' },
  { key: 'network', name: 'Network', color: 'cyan' },
  { key: 'operations', name: 'People on operations', color: 'amber' },
] as const;

/** The four outcomes of one configuration: latency, cost with its parts, reliability, complexity. */
export function outcomes(result: Simulation): string {
  const { latency, cost, availabilityRatio, complexity, inputs } = result;
  const minutesDown = (1 - availabilityRatio) * 730 * 60;
  const isMet = availabilityRatio >= inputs.availabilityRatio;
  return [
    outcome(
      'Latency',
      duration(latency.dataAgeS),
      `oldest number on a dashboard; a month of raw events is read in ${duration(latency.queryS)}`,
    ),
    outcome('Cost per month', dollars(cost.total), costBar(result), true),
    outcome(
      'Reliability',
      percent(availabilityRatio),
      `${duration(minutesDown * 60)} down a month; ${isMet ? 'enough' : 'not enough'} for the ${percent(inputs.availabilityRatio)} asked for`,
      false,
      isMet ? 'good' : 'bad',
    ),
    outcome(
      'Complexity',
      whole(complexity.technologies.length),
      complexityText(result),
      false,
      complexity.isSustainable ? 'good' : 'bad',
    ),
  ].join('');
}

function outcome(name: string, value: string, detail: string, isMarkup = false, state = ''): string {
  const body = isMarkup ? detail : `<p>${escape(detail)}</p>`;
  return `<div class="outcome ${state}"><h3>${name}</h3><p class="outcome-value">${escape(value)}</p>${body}</div>`;
}

function costBar({ cost }: Simulation): string {
  let from = 0;
  const marks = COST_PARTS.map(({ key, color }) => {
    const share = cost[key] / cost.total;
    const mark = element('rect', {
      class: `bar c-${color}`,
      x: percentOf(from),
      width: percentOf(share),
      y: 0,
      height: 10,
    });
    from += share;
    return mark;
  });
  const items = COST_PARTS.map(
    ({ key, name, color }) =>
      `<li><span class="swatch c-${color}"></span>${name}<span class="number">${dollars(cost[key])}</span></li>`,
  );
  return `${element('svg', { class: 'cost-bar', width: '100%', height: 10, 'aria-hidden': 'true' }, ...marks)}<ul class="cost-parts">${items.join('')}</ul>`;
}

function complexityText({ complexity, inputs }: Simulation): string {
  const { instances, operationsH, teamShare, onCallShare } = complexity;
  const work = `technologies to know, ${instances} processes, ${duration(operationsH * 3600)} of operations a month: ${percent(teamShare)} of a team of ${inputs.teamSize}`;
  if (onCallShare === 0) return `${work}, nobody on call.`;
  const limit =
    onCallShare > 0.25 ? '; more than a quarter wears people out, eight engineers would share it' : '';
  return `${work}, each on call ${percent(onCallShare)} of the time${limit}.`;
}

const LAYER_TITLES: Record<LayerName | 'serving', string> = {
  processing: 'Processing',
  storage: 'Storage',
  modelling: 'Modelling',
  serving: 'Serving',
  deployment: 'Deployment',
  monitoring: 'Monitoring',
};

/** The architecture as layers of boxes, data flowing downwards; the deployment frames them, monitoring stands beside. */
export function diagram(result: Simulation, other?: Simulation): string {
  const flow = (['processing', 'storage', 'modelling', 'serving'] as const).map((layer) =>
    layerBox(result, layer, other),
  );
  const { deployment } = result.choices;
  const changed = other && other.choices.deployment.name !== deployment.name ? ' changed' : '';
  const sources = `<li class="layer sources"><span class="layer-name">Sources</span><div class="parts"><span class="part">${whole(result.inputs.dataSources)} ${result.inputs.dataSources === 1 ? 'source' : 'sources'}, ${count(result.inputs.eventsPerDay)} events a day</span></div></li>`;
  return `<div class="frame${changed}"><p class="frame-name"><span class="layer-name">Deployment</span> ${escape(deployment.name)}</p><ol class="layers">${sources}${flow.join('')}</ol><ol class="layers side">${layerBox(result, 'monitoring', other)}</ol></div>`;
}

function layerBox(result: Simulation, layer: LayerName | 'serving', other?: Simulation): string {
  const parts = result.components.filter((part) => part.layer === layer);
  const known = other
    ? other.components.filter((part) => part.layer === layer).map((part) => part.technology)
    : null;
  const boxes = parts.map((part) => partBox(part, known !== null && !known.includes(part.technology)));
  const title =
    layer === 'serving' ? '' : `<span class="choice">${escape(result.choices[layer].name)}</span>`;
  const empty = layer === 'monitoring' ? 'Exit codes and a log file' : 'Views in the warehouse';
  return `<li class="layer ${layer}"><span class="layer-name">${LAYER_TITLES[layer]}</span>${title}<div class="parts">${boxes.join('') || `<span class="part quiet">${empty}</span>`}</div></li>`;
}

function partBox({ technology, instances, cores, diskGb, objectGb }: Component, isNew: boolean): string {
  const times = instances > 1 ? `<b>${instances} x</b> ` : '';
  const gigabytes = diskGb + objectGb;
  const size = [
    cores > 0 ? `${whole(Math.ceil(cores))} CPU` : '',
    gigabytes >= 1 ? bytes(gigabytes * 1e9) : '',
  ]
    .filter(Boolean)
    .join(', ');
  return `<span class="part${isNew ? ' new' : ''}">${times}${escape(technology)}${size ? ` <small>${size}</small>` : ''}</span>`;
}

/** Why each layer is what it is, and what would change it. */
export function reasons(result: Simulation, switches: readonly NextSwitch[]): string {
  const items = LAYER_NAMES.map((layer) => {
    const { level, because } = result.choices[layer];
    const next = switches.find((one) => one.layer === layer);
    const steps = OPTIONS[layer].map(
      (name, at) => `<li${at === level ? ' aria-current="true"' : ''}>${escape(name)}</li>`,
    );
    const change = next
      ? `Next: <b>${escape(next.to)}</b>, once ${escape(RANGES[next.input].label.toLowerCase())} ${next.input === 'freshnessS' ? 'falls to' : 'reaches'} ${escape(inputText(next.input, next.at))}.`
      : 'No single slider changes this further.';
    return `<li><h3>${LAYER_TITLES[layer]}</h3><ol class="ladder">${steps.join('')}</ol><p>${escape(because)}</p><p class="next">${change}</p></li>`;
  });
  return `<ul class="reasons-list">${items.join('')}</ul>`;
}

interface Difference {
  name: string;
  a: string;
  b: string;
}

/** A table of two configurations: what they ask for, what they choose, what comes of it. */
export function comparison(a: Simulation, b: Simulation): string {
  const rows: Difference[] = [
    ...(Object.keys(RANGES) as InputName[]).map((name) => ({
      name: RANGES[name].label,
      a: inputText(name, a.inputs[name]),
      b: inputText(name, b.inputs[name]),
    })),
    ...LAYER_NAMES.map((layer) => ({
      name: LAYER_TITLES[layer],
      a: a.choices[layer].name,
      b: b.choices[layer].name,
    })),
    { name: 'Oldest number', a: duration(a.latency.dataAgeS), b: duration(b.latency.dataAgeS) },
    { name: 'Cost per month', a: dollars(a.cost.total), b: dollars(b.cost.total) },
    { name: 'Availability', a: percent(a.availabilityRatio), b: percent(b.availabilityRatio) },
    {
      name: 'Technologies',
      a: whole(a.complexity.technologies.length),
      b: whole(b.complexity.technologies.length),
    },
    {
      name: 'Operations per month',
      a: duration(a.complexity.operationsH * 3600),
      b: duration(b.complexity.operationsH * 3600),
    },
  ];
  const lines = rows.map(
    ({ name, a: left, b: right }) =>
      `<tr${left === right ? '' : ' class="differs"'}><th scope="row">${escape(name)}</th><td>${escape(left)}</td><td>${escape(right)}</td></tr>`,
  );
  const factor = b.cost.total / a.cost.total;
  const sentence = `B costs ${factor >= 1 ? `${factor.toFixed(1)} times` : `${percent(factor)} of`} what A does and shows numbers ${duration(b.latency.dataAgeS)} old instead of ${duration(a.latency.dataAgeS)}.`;
  return `<p class="lead">${escape(sentence)}</p><div class="table-frame"><table class="table"><thead><tr><td></td><th scope="col">A</th><th scope="col">B</th></tr></thead><tbody>${lines.join('')}</tbody></table></div>`;
}
