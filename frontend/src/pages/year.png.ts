import type { APIRoute } from 'astro';
import { data } from '../lib/data.ts';
import { yearPicture } from '../lib/year.ts';

/** The year in white, a mask: the page paints it in the accent colour of its theme. */
export const GET: APIRoute = async () =>
  new Response(new Uint8Array(await yearPicture(data('traffic'), [255, 255, 255])));
