// Build the site beside the one being served and swap the folders at the end: a build that fails changes nothing.
import { rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { build } from 'astro';
import { precompress } from './precompress.ts';
import './theme.ts';

const out = process.env['SITE_OUT_DIR'] ?? 'dist';
const [fresh, old] = [`${out}.new`, `${out}.old`];
const remove = (folder: string) => rm(folder, { recursive: true, force: true });

await remove(fresh);
try {
  await build({ outDir: fresh });
  await precompress(fresh);
} catch (error) {
  // Astro has named the page already; a second trace helps nobody.
  console.error(`site: ${(error as Error).message}`);
  // Pages under way still write; nothing does once the process ends.
  process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
  process.exit(1);
}
await remove(old);
await rename(out, old).catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error;
});
await rename(fresh, out);
await remove(old);
