import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LAYER_NAMES } from './choices.ts';
import { coefficientsFrom } from './coefficients.ts';
import { fromQuery, INPUT_NAMES, nearestStop, PRESETS, RANGES, toQuery } from './inputs.ts';
import type { InputName, Inputs } from './inputs.ts';
import { nextSwitches, simulate } from './simulate.ts';

// Round figures near what the warehouse measures; the tests below hold for any of them.
const coefficients = coefficientsFrom({
  bytes_per_event: 280,
  transform_rows_per_s: 200_000,
  scan_rows_per_s: 6_000_000,
  batch_fixed_s: 8,
  peak_to_mean_ratio: 3,
  rows_measured: 500_000,
});

const run = (inputs: Inputs) => simulate(inputs, coefficients);

/** Every combination of a few stops of each slider. */
function* grid(): Generator<Inputs> {
  const some = (name: InputName) => RANGES[name].stops.filter((_, at) => at % 3 === 0);
  for (const eventsPerDay of some('eventsPerDay'))
    for (const experimentsPerMonth of [0, 20, 200])
      for (const dataSources of some('dataSources'))
        for (const freshnessS of some('freshnessS'))
          for (const availabilityRatio of some('availabilityRatio'))
            for (const teamSize of [1, 8, 50])
              yield {
                eventsPerDay,
                experimentsPerMonth,
                dataSources,
                freshnessS,
                availabilityRatio,
                teamSize,
              };
}

/** Call `check` with the results of each two neighbouring stops of one slider, in the demanding direction. */
function alongSlider(
  name: InputName,
  check: (before: ReturnType<typeof run>, after: ReturnType<typeof run>) => void,
) {
  for (const inputs of grid()) {
    if (inputs[name] !== RANGES[name].stops[0]) continue;
    const results = RANGES[name].stops.map((stop) => run({ ...inputs, [name]: stop }));
    for (let at = 1; at < results.length; at += 1) check(results[at - 1]!, results[at]!);
  }
}

const story = (a: ReturnType<typeof run>, b: ReturnType<typeof run>) =>
  JSON.stringify({ from: a.inputs, to: b.inputs });

describe('simulate', () => {
  it('meets freshness, patience and availability everywhere, or says that it cannot', () => {
    for (const inputs of grid()) {
      const { latency, availabilityRatio, choices } = run(inputs);
      assert.ok(
        latency.dataAgeS <= inputs.freshnessS,
        `data is ${latency.dataAgeS} s old in ${JSON.stringify(inputs)}`,
      );
      assert.ok(
        latency.queryS <= coefficients.patienceS.value + 1e-9,
        `query takes ${latency.queryS} s in ${JSON.stringify(inputs)}`,
      );
      if (availabilityRatio < inputs.availabilityRatio) {
        assert.equal(choices.deployment.level, 3);
        assert.match(choices.deployment.because, /not enough|one host|scheduler|majority/);
      }
    }
  });

  for (const name of ['eventsPerDay', 'dataSources', 'freshnessS', 'availabilityRatio'] as const) {
    it(`never gets cheaper or simpler in deployment when ${name} gets harder`, () => {
      alongSlider(name, (before, after) => {
        assert.ok(
          after.cost.total >= before.cost.total - 1e-6,
          `${before.cost.total} -> ${after.cost.total} ${story(before, after)}`,
        );
        assert.ok(after.choices.deployment.level >= before.choices.deployment.level, story(before, after));
      });
    });
  }

  it('never moves any layer back when there are more events', () => {
    alongSlider('eventsPerDay', (before, after) => {
      for (const layer of LAYER_NAMES) {
        assert.ok(
          after.choices[layer].level >= before.choices[layer].level,
          `${layer} ${story(before, after)}`,
        );
      }
    });
  });

  it('never shows older numbers when fresher ones are asked for', () => {
    alongSlider('freshnessS', (before, after) => {
      assert.ok(after.latency.dataAgeS <= before.latency.dataAgeS + 1e-9, story(before, after));
    });
  });

  it('never costs less when more experiments are read out', () => {
    alongSlider('experimentsPerMonth', (before, after) => {
      assert.ok(after.cost.total >= before.cost.total - 1e-6, story(before, after));
    });
  });

  it('shares the same work among more people', () => {
    const small = run({ ...PRESETS[1]!.inputs, teamSize: 2 });
    const large = run({ ...PRESETS[1]!.inputs, teamSize: 12 });
    assert.ok(large.complexity.teamShare < small.complexity.teamShare);
    assert.equal(small.complexity.isSustainable, false);
    assert.equal(large.complexity.isSustainable, true);
  });

  it('leaves PostgreSQL exactly where a month no longer fits the memory of its largest node', () => {
    const limit = (8 * coefficients.memoryBytesPerVcpu.value) / (30 * coefficients.bytes_per_event.value);
    const at = (eventsPerDay: number) => run({ ...PRESETS[0]!.inputs, eventsPerDay }).choices.storage.level;
    assert.equal(at(limit * 0.999), 1);
    assert.equal(at(limit * 1.001), 2);
  });

  it('leaves PostgreSQL for the patience of a reader where memory is not the limit', () => {
    const slow = { ...coefficients, scan_rows_per_s: { ...coefficients.scan_rows_per_s, value: 100_000 } };
    const limit = (slow.patienceS.value * 100_000 * 8) / 30;
    const at = (eventsPerDay: number) =>
      simulate({ ...PRESETS[0]!.inputs, eventsPerDay }, slow).choices.storage.level;
    assert.equal(at(limit * 0.999), 1);
    assert.equal(at(limit * 1.001), 2);
  });

  it('leaves cron exactly where the serial batch no longer fits half of the freshness', () => {
    const at = (dataSources: number) =>
      run({ ...PRESETS[0]!.inputs, freshnessS: 160, dataSources }).choices.processing.level;
    assert.equal(at(9), 0);
    assert.equal(at(10), 1);
  });

  it('adds the breakdown up to the total', () => {
    for (const { inputs } of PRESETS) {
      const { compute, storage, network, operations, total } = run(inputs).cost;
      assert.equal(compute + storage + network + operations, total);
    }
  });

  it('goes from PostgreSQL and cron to Kafka and Kubernetes over the presets', () => {
    const [startup, growth, enterprise] = PRESETS.map(({ inputs }) => run(inputs).choices);
    assert.equal(startup!.processing.name, 'cron and SQL');
    assert.equal(startup!.storage.name, 'PostgreSQL');
    assert.equal(growth!.processing.level, 1);
    assert.match(enterprise!.processing.name, /Kafka/);
    assert.match(enterprise!.deployment.name, /Kubernetes/);
  });
});

describe('nextSwitches', () => {
  it('names a stop at which the layer really changes', () => {
    const { inputs } = PRESETS[0]!;
    const switches = nextSwitches(inputs, coefficients);
    assert.ok(switches.length >= 3);
    for (const { layer, input, at, to } of switches) {
      assert.notEqual(run(inputs).choices[layer].name, to);
      assert.equal(run({ ...inputs, [input]: at }).choices[layer].name, to);
    }
  });
});

describe('address parameters', () => {
  it('survive a round trip, two configurations side by side', () => {
    const [, a, b] = PRESETS.map(({ inputs }) => inputs);
    const query = new URLSearchParams([...toQuery(a!), ...toQuery(b!, '2')]);
    assert.deepEqual(fromQuery(query, PRESETS[0]!.inputs), a);
    assert.deepEqual(fromQuery(query, PRESETS[0]!.inputs, '2'), b);
  });

  it('fall back on nonsense and stay in range', () => {
    const inputs = fromQuery(new URLSearchParams('e=abc&f=-5&a=7&s=&t=1e9'), PRESETS[0]!.inputs);
    assert.equal(inputs.eventsPerDay, PRESETS[0]!.inputs.eventsPerDay);
    assert.equal(inputs.dataSources, PRESETS[0]!.inputs.dataSources);
    assert.equal(inputs.freshnessS, 1);
    assert.equal(inputs.availabilityRatio, 0.9999);
    assert.equal(inputs.teamSize, 200);
  });

  it('find every preset on its slider', () => {
    for (const { inputs } of PRESETS) {
      for (const name of INPUT_NAMES)
        assert.equal(RANGES[name].stops[nearestStop(name, inputs[name])], inputs[name]);
    }
  });
});
