import { readFileSync } from 'node:fs';
import type { APIRoute } from 'astro';
import sharp from 'sharp';

const SIZE = 32;

/** favicon.svg as an ICO file for browsers that ask for one: a header, one entry, a PNG. */
export const GET: APIRoute = async () => {
  const png = await sharp(readFileSync('public/favicon.svg'), { density: 144 })
    .resize(SIZE, SIZE)
    .png()
    .toBuffer();
  const header = Buffer.alloc(22);
  header.writeUInt16LE(1, 2);
  header.writeUInt16LE(1, 4);
  header.writeUInt8(SIZE, 6);
  header.writeUInt8(SIZE, 7);
  header.writeUInt16LE(1, 10);
  header.writeUInt16LE(32, 12);
  header.writeUInt32LE(png.length, 14);
  header.writeUInt32LE(header.length, 18);
  return new Response(new Uint8Array(Buffer.concat([header, png])));
};
