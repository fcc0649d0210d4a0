/** Text as outlines, so that pictures look the same on a machine without our fonts. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { create } from 'fontkitten';
import type { Font } from 'fontkitten';

const require = createRequire(import.meta.url);

function open(weight: 400 | 600): Font {
  const path = require.resolve(
    `@fontsource/instrument-sans/files/instrument-sans-latin-${weight}-normal.woff2`,
  );
  const font = create(readFileSync(path));
  if (font.isCollection) throw new Error(`lettering: expected one font, found a collection in ${path}`);
  return font;
}

const fonts = { 400: open(400), 600: open(600) };

interface Style {
  weight: 400 | 600;
  size: number;
  /** Extra space between letters as a share of the size. */
  tracking: number;
}

function advances(
  text: string,
  { weight, size, tracking }: Style,
): { glyph: ReturnType<Font['glyphsForString']>[number]; width: number }[] {
  const font = fonts[weight];
  return font
    .glyphsForString(text)
    .map((glyph) => ({ glyph, width: (glyph.advanceWidth / font.unitsPerEm + tracking) * size }));
}

export function textWidth(text: string, style: Style): number {
  return advances(text, style).reduce((sum, { width }) => sum + width, 0);
}

/** Break `text` at spaces so that no line is wider than `width`. */
export function wrapped(text: string, width: number, style: Style): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines[lines.length - 1];
    const longer = last === undefined ? word : `${last} ${word}`;
    if (last === undefined || textWidth(longer, style) > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/** Path elements of one line with its baseline at (x, y). */
export function outlined(text: string, x: number, y: number, fill: string, style: Style): string {
  const scale = style.size / fonts[style.weight].unitsPerEm;
  let pen = x;
  const paths = advances(text, style).map(({ glyph, width }) => {
    const d = glyph.path.scale(scale, -scale).translate(pen, y).toSVG();
    pen += width;
    return d;
  });
  return `<path fill="${fill}" d="${paths.join('')}"/>`;
}
