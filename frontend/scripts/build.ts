// Build the site beside the one being served and swap the folders at the end: a build that fails changes nothing.
import { rename, rm } from 'node:fs/promises';
import { build } from 'astro';
import './generate.ts';

await rm('.building', { recursive: true, force: true });
try {
  await build({ outDir: '.building/new' });
} catch (error) {
  // Astro has named the page already; a second trace helps nobody.
  console.error(`site: ${(error as Error).message}`);
  process.exit(1);
}
await rename('dist', '.building/old').catch((error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error;
});
await rename('.building/new', 'dist');
await rm('.building', { recursive: true, force: true });
