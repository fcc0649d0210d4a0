/** Connects the simulator's sliders, presets, comparison and address bar to the pure model. */
import { coefficientsFrom } from '../lib/simulator/coefficients.ts';
import type { Calibration } from '../lib/simulator/coefficients.ts';
import { fromQuery, INPUT_NAMES, nearestStop, PRESETS, RANGES, toQuery } from '../lib/simulator/inputs.ts';
import type { InputName, Inputs } from '../lib/simulator/inputs.ts';
import { nextSwitches, simulate } from '../lib/simulator/simulate.ts';
import { comparison, diagram, inputText, outcomes, reasons } from '../lib/simulator/view.ts';

const root = document.querySelector<HTMLElement>('[data-simulator]')!;
const find = (selector: string) => root.querySelector<HTMLElement>(selector)!;
const coefficients = coefficientsFrom(JSON.parse(root.dataset['calibration']!) as Calibration);

type Side = 'a' | 'b';
const start = new URLSearchParams(location.search);
const isSecondGiven = INPUT_NAMES.some((name) => start.has(`${RANGES[name].key}2`));
const state = {
  side: 'a' as Side,
  isComparing: isSecondGiven,
  a: fromQuery(start, PRESETS[1]!.inputs),
  b: fromQuery(start, PRESETS[2]!.inputs, '2'),
};

const sliders = new Map(
  [...root.querySelectorAll<HTMLInputElement>('input[type=range]')].map((slider) => [
    slider.name as InputName,
    slider,
  ]),
);

function show(): void {
  const inputs = state[state.side];
  const result = simulate(inputs, coefficients);
  const other = state.isComparing ? simulate(state[state.side === 'a' ? 'b' : 'a'], coefficients) : undefined;
  for (const [name, slider] of sliders) {
    slider.value = String(nearestStop(name, inputs[name]));
    const text = inputText(name, inputs[name]);
    slider.setAttribute('aria-valuetext', text);
    find(`output[for="${slider.id}"]`).textContent = text;
  }
  find('[data-outcomes]').innerHTML = outcomes(result);
  find('[data-diagram]').innerHTML = diagram(result, other);
  find('[data-reasons]').innerHTML = reasons(result, nextSwitches(inputs, coefficients));
  find('[data-comparison]').innerHTML = state.isComparing
    ? comparison(simulate(state.a, coefficients), simulate(state.b, coefficients))
    : '';
  showControls(inputs);
}

function showControls(inputs: Inputs): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>('[data-preset]')) {
    const preset = PRESETS.find(({ name }) => name === button.dataset['preset'])!;
    const isChosen = INPUT_NAMES.every((name) => preset.inputs[name] === inputs[name]);
    button.setAttribute('aria-pressed', String(isChosen));
  }
  find('[data-compare]').setAttribute('aria-pressed', String(state.isComparing));
  find('[data-sides]').hidden = !state.isComparing;
  find('[data-comparison-section]').hidden = !state.isComparing;
  for (const button of root.querySelectorAll<HTMLButtonElement>('[data-side]')) {
    button.setAttribute('aria-pressed', String(button.dataset['side'] === state.side));
  }
}

function remember(): void {
  const query = toQuery(state.a);
  if (state.isComparing) for (const [key, value] of toQuery(state.b, '2')) query.set(key, value);
  history.replaceState(null, '', `${location.pathname}?${query}`);
}

function change(inputs: Inputs): void {
  state[state.side] = inputs;
  remember();
  show();
}

for (const [name, slider] of sliders) {
  slider.addEventListener('input', () =>
    change({ ...state[state.side], [name]: RANGES[name].stops[Number(slider.value)]! }),
  );
}

root.addEventListener('click', (event) => {
  const button = (event.target as Element).closest('button');
  if (!button) return;
  const { preset, side } = button.dataset;
  if (preset) change(PRESETS.find(({ name }) => name === preset)!.inputs);
  else if (side) {
    state.side = side as Side;
    show();
  } else if ('compare' in button.dataset) {
    state.isComparing = !state.isComparing;
    state.side = state.isComparing ? 'b' : 'a';
    remember();
    show();
  }
});

show();
