/** YAML as HTML, keys and comments marked. Enough for an excerpt of a compose file, no parser. */
import { escape } from './chart/svg.ts';

export function marked(text: string): string {
  return text.split('\n').map(line).join('\n');
}

function line(text: string): string {
  const [, indent, rest] = /^(\s*)(.*)$/.exec(text)!;
  if (rest!.startsWith('#')) return `${indent}<span class="comment">${escape(rest!)}</span>`;
  const [, key, value] = /^((?:- )?[\w.<-]+:)(?= |$)(.*)$/.exec(rest!) ?? [];
  return key === undefined
    ? indent + escape(rest!)
    : `${indent}<span class="key">${escape(key)}</span>${escape(value!)}`;
}
