// Put a gzip copy beside every text file of a built site. Servers send it as it is: compressing a page again for each
// visitor costs the proxy more memory than it has.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';

const TEXT = new Set(['.css', '.html', '.js', '.json', '.svg', '.txt', '.xml']);
// A smaller answer fits into the first packet either way.
const SMALLEST_BYTES = 1024;
const compressed = promisify(gzip);

/** Write `<file>.gz` for every text file below `folder`. */
export async function precompress(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && TEXT.has(extname(entry.name)));
  for (const { parentPath, name } of files) {
    const path = join(parentPath, name);
    const content = await readFile(path);
    if (content.length < SMALLEST_BYTES) continue;
    await writeFile(`${path}.gz`, await compressed(content, { level: constants.Z_BEST_COMPRESSION }));
  }
}
