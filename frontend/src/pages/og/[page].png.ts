import type { APIRoute, GetStaticPaths } from 'astro';
import sharp from 'sharp';
import { data } from '../../lib/data.ts';
import { count, dollars } from '../../lib/format.ts';
import { outlined, wrapped } from '../../lib/lettering.ts';
import { PICTURES } from '../../lib/pictures.ts';
import { YEAR_HEIGHT, yearPicture } from '../../lib/year.ts';

const [WIDTH, HEIGHT, MARGIN] = [1200, 630, 72];
const STRIP_TOP = 36;
const COLORS = { paper: '#0c100f', ink: '#e8eeeb', soft: '#b4beba', accent: '#5cdba3' };
const MARK = 'M8 18v-3M12 21v-9M16 24V8M20 20v-7M24 17.5v-2';

export const getStaticPaths: GetStaticPaths = () =>
  Object.keys(PICTURES).map((page) => ({ params: { page } }));

/** The picture a link to the page is shown with: its claim, the warehouse in figures, the year of traffic below. */
export const GET: APIRoute = async ({ params }) => {
  const title = { weight: 600, size: 78, tracking: -0.035 } as const;
  const { headline } = data('site');
  const facts = `${count(headline.requests)} requests · ${count(headline.tokens)} tokens · ${dollars(headline.cost_usd)}`;
  const lines = wrapped(PICTURES[params['page']!]!, WIDTH - 2 * MARGIN, title);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
    <rect width="100%" height="100%" fill="${COLORS.paper}"/>
    <g transform="translate(${MARGIN} 60) scale(1.5)" fill="none" stroke-linecap="round">
      <circle cx="16" cy="16" r="14" stroke="${COLORS.ink}" stroke-width="2"/>
      <path d="${MARK}" stroke="${COLORS.accent}" stroke-width="2.5"/>
    </g>
    ${outlined('Tokenscope', MARGIN + 64, 96, COLORS.ink, { weight: 600, size: 34, tracking: -0.02 })}
    ${lines.map((line, at) => outlined(line, MARGIN, 228 + at * 86, COLORS.ink, title)).join('')}
    ${outlined(facts, MARGIN, 396, COLORS.soft, { weight: 400, size: 30, tracking: 0 })}
  </svg>`;
  const strip = sharp(await yearPicture(data('traffic'), [92, 219, 163]));
  const { width } = await strip.metadata();
  // The latest weeks that fit, without the dead hours after midnight.
  const [shown, below] = [Math.min(width, WIDTH), YEAR_HEIGHT - STRIP_TOP];
  const year = await strip
    .extract({ left: width - shown, top: STRIP_TOP, width: shown, height: below })
    .toBuffer();
  const picture = sharp(Buffer.from(svg)).composite([{ input: year, left: 0, top: HEIGHT - below - 12 }]);
  return new Response(new Uint8Array(await picture.png({ palette: true, effort: 10 }).toBuffer()));
};
