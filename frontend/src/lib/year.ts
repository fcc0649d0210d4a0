/** A year of traffic as a picture: one column per day, one row per hour, opacity by requests. */
import sharp from 'sharp';

const CELL = { width: 3, height: 8, gap: 1 };
const STEPS = 24;

/**
 * Opacity of each cell, 0 to 255, row by row; square root, so that quiet hours stay visible.
 *
 * The busiest 0.5 % of cells are all full, so that one odd hour does not darken the year.
 */
export function opacities(days: readonly (readonly number[])[]): number[] {
  const sorted = days.flat().sort((a, b) => a - b);
  const full = sorted[Math.floor(sorted.length * 0.995)] || 1;
  return Array.from({ length: 24 }, (_, hour) => hour).flatMap((hour) =>
    days.map((counts) =>
      Math.round(Math.round(Math.sqrt(Math.min(1, counts[hour]! / full)) * STEPS) * (255 / STEPS)),
    ),
  );
}

/** PNG with the picture in `color`, each hour a cell with a hair of space around it. */
export async function yearPicture(
  days: readonly (readonly number[])[],
  color: readonly [number, number, number],
): Promise<Buffer> {
  const cells = opacities(days);
  const width = days.length * (CELL.width + CELL.gap);
  const height = 24 * (CELL.height + CELL.gap);
  const pixels = Buffer.alloc(width * height * 4);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isGap = x % (CELL.width + CELL.gap) >= CELL.width || y % (CELL.height + CELL.gap) >= CELL.height;
      const cell =
        Math.floor(y / (CELL.height + CELL.gap)) * days.length + Math.floor(x / (CELL.width + CELL.gap));
      pixels.set([...color, isGap ? 0 : cells[cell]!], (y * width + x) * 4);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 4 } })
    .png({ palette: true, colours: STEPS + 2, effort: 10 })
    .toBuffer();
}
