/** Lights up what a model is made from and what is made from it, and shows its facts. */
import { reach } from '../lib/lineage.ts';

const root = document.querySelector<HTMLElement>('[data-lineage]')!;
const detail = root.querySelector<HTMLElement>('[data-detail]')!;
const hint = detail.innerHTML;
const nodes = [...root.querySelectorAll<SVGAElement>('.node')];
const paths = [...root.querySelectorAll<SVGPathElement>('.edge')];
const edges = paths.map(({ dataset }) => ({ from: dataset['from']!, to: dataset['to']! }));

function trace(node: SVGAElement): void {
  const id = node.dataset['id']!;
  const above = reach(id, edges, 'ancestors');
  const below = reach(id, edges, 'descendants');
  const isLit = (other: string) => other === id || above.has(other) || below.has(other);
  const isOnPath = (from: string, to: string) =>
    (above.has(from) && (above.has(to) || to === id)) || ((below.has(from) || from === id) && below.has(to));
  root.classList.add('tracing');
  for (const other of nodes) {
    other.classList.toggle('lit', isLit(other.dataset['id']!));
    other.classList.toggle('chosen', other === node);
  }
  paths.forEach((path, at) => path.classList.toggle('lit', isOnPath(edges[at]!.from, edges[at]!.to)));
  describe(node, above.size, below.size);
}

function describe({ dataset }: SVGAElement, above: number, below: number): void {
  const title = document.createElement('h3');
  title.textContent = dataset['name']!;
  const facts = document.createElement('p');
  facts.className = 'small soft';
  facts.textContent = `${dataset['layer']} · ${dataset['what']} · ${dataset['tests']} · ${above} upstream, ${below} downstream`;
  const about = document.createElement('p');
  about.className = 'small';
  about.textContent = dataset['about']!;
  detail.replaceChildren(title, facts, about);
}

function clear(): void {
  root.classList.remove('tracing');
  for (const element of [...nodes, ...paths]) element.classList.remove('lit', 'chosen');
  detail.innerHTML = hint;
}

for (const node of nodes) {
  node.addEventListener('pointerenter', () => trace(node));
  node.addEventListener('focus', () => trace(node));
}
root.addEventListener('pointerleave', clear);
root.addEventListener('focusout', (event) => {
  if (!root.contains(event.relatedTarget as Node | null)) clear();
});
root.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') clear();
});
