// Lighthouse on every page of the built site, in Debian's Chromium; prints one line a page and fails below 95.
//
// Usage: npm.sh run lighthouse [-- ADDRESS]   ADDRESS: a running site such as http://localhost:8080; without one, dist/
// is served by this script, compressed as the proxy would.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { createBrotliCompress } from 'node:zlib';
import { launch } from 'chrome-launcher';
import lighthouse from 'lighthouse';

const LEAST = 95;
const CATEGORIES = ['performance', 'accessibility', 'best-practices', 'seo'] as const;
const FLAGS = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain',
  '.xml': 'application/xml',
  '.woff2': 'font/woff2',
};

/** Serve dist/ on a free port; answers are compressed, named files may be kept for a year. */
async function serve(): Promise<{ address: string; close: () => void }> {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://site').pathname));
    let file = join('dist', path);
    if (existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    const isFound = existsSync(file);
    if (!isFound) file = join('dist', '404.html');
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    const isText = !/image\/png|font|icon/.test(type);
    response.writeHead(isFound ? 200 : 404, {
      'content-type': type,
      'cache-control': path.startsWith('/_astro/') ? 'public, max-age=31536000, immutable' : 'no-cache',
      ...(isText ? { 'content-encoding': 'br' } : {}),
    });
    const stream = createReadStream(file);
    (isText ? stream.pipe(createBrotliCompress()) : stream).pipe(response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close(),
  };
}

/** The paths that the built sitemap names. */
function pages(): string[] {
  const sitemap = readFileSync('dist/sitemap-0.xml', 'utf8');
  return [...sitemap.matchAll(/<loc>([^<]+)<\/loc>/g)].map(([, address]) => new URL(address!).pathname);
}

if (!existsSync('dist/sitemap-0.xml')) {
  console.error("lighthouse: expected a built site in frontend/dist, found none; run 'make site'");
  process.exit(1);
}
const given = process.argv[2];
const site = given ? { address: given.replace(/\/$/, ''), close: () => {} } : await serve();
const chromePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const chrome = await launch({ chromePath, chromeFlags: FLAGS, logLevel: 'silent' });
let isGood = true;
console.log(`${'page'.padEnd(40)}${CATEGORIES.map((name) => name.padStart(16)).join('')}`);
for (const path of pages()) {
  const result = await lighthouse(site.address + path, {
    port: chrome.port,
    output: 'json',
    logLevel: 'silent',
  });
  const scores = CATEGORIES.map((name) => Math.round((result?.lhr.categories[name]?.score ?? 0) * 100));
  console.log(`${path.padEnd(40)}${scores.map((score) => String(score).padStart(16)).join('')}`);
  const audits = Object.values(result?.lhr.audits ?? {});
  if (scores.some((score) => score < LEAST)) {
    isGood = false;
    for (const { id, score, title } of audits)
      if (score !== null && score < 0.9) console.log(`    ${id} ${score}: ${title}`);
  }
}
chrome.kill();
site.close();
process.exit(isGood ? 0 : 1);
