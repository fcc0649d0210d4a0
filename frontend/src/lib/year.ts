/** A year of traffic as a picture: one column per day, one row per hour, opacity by requests, a gap between weeks. */
import sharp from 'sharp';

const CELL = { width: 2, height: 8, gap: 1 };
const WEEK_GAP = 4;
const STEPS = 24;

export const YEAR_HEIGHT = 24 * (CELL.height + CELL.gap);

/** Left edge of each day in pixels, and behind the last one the width of the picture; weeks begin on Monday. */
export function dayEdges(startOn: string, days: number): number[] {
  const firstDay = (new Date(startOn).getUTCDay() + 6) % 7;
  const edge = (day: number) => day * (CELL.width + CELL.gap) + Math.floor((day + firstDay) / 7) * WEEK_GAP;
  return Array.from({ length: days + 1 }, (_, day) => edge(day));
}

/**
 * Opacity of each cell, 0 to 255, row by row; square root, so that quiet hours stay visible.
 *
 * The busiest 0.5 % of cells are all full, so that one odd hour does not darken the year.
 */
export function opacities(days: readonly (readonly number[])[]): number[] {
  const sorted = days.flat().sort((a, b) => a - b);
  const full = sorted[Math.floor(sorted.length * 0.995)] || 1;
  const stepOf = (count: number) => Math.round(Math.sqrt(Math.min(1, count / full)) * STEPS);
  return Array.from({ length: 24 }, (_, hour) => hour).flatMap((hour) =>
    days.map((counts) => Math.round((stepOf(counts[hour]!) * 255) / STEPS)),
  );
}

interface Year {
  start_on: string;
  days: readonly (readonly number[])[];
}

/** A picture has a width: a warehouse without requests is drawn as one day without any. */
const withADay = ({ start_on, days }: { start_on: string | null; days: Year['days'] }): Year =>
  start_on === null || days.length === 0
    ? { start_on: '1970-01-01', days: [Array.from({ length: 24 }, () => 0)] }
    : { start_on, days };

/** PNG with the picture in `color`, each hour a cell with a hair of space around it; without a day one that shows nothing. */
export async function yearPicture(
  year: { start_on: string | null; days: Year['days'] },
  color: readonly [number, number, number],
): Promise<Buffer> {
  const { start_on, days } = withADay(year);
  const cells = opacities(days);
  const edges = dayEdges(start_on, days.length);
  const width = edges[days.length]!;
  const pixels = Buffer.alloc(width * YEAR_HEIGHT * 4);
  days.forEach((_, day) => {
    for (let y = 0; y < YEAR_HEIGHT; y += 1) {
      if (y % (CELL.height + CELL.gap) >= CELL.height) continue;
      const opacity = cells[Math.floor(y / (CELL.height + CELL.gap)) * days.length + day]!;
      for (let x = edges[day]!; x < edges[day]! + CELL.width; x += 1)
        pixels.set([...color, opacity], (y * width + x) * 4);
    }
  });
  return sharp(pixels, { raw: { width, height: YEAR_HEIGHT, channels: 4 } })
    .png({ palette: true, colours: STEPS + 2, effort: 10 })
    .toBuffer();
}
