import sitemap from '@astrojs/sitemap';
import { defineConfig } from 'astro/config';

// SITE_PUBLIC_URL is the address people type; it only reaches canonical links, the sitemap and Open Graph tags.
export default defineConfig({
  site: process.env['SITE_PUBLIC_URL'] ?? 'http://localhost:8080',
  trailingSlash: 'always',
  compressHTML: true,
  integrations: [sitemap()],
  devToolbar: { enabled: false },
  // The proxy sends a Content-Security-Policy that allows no inline script or style: everything is a file.
  build: { inlineStylesheets: 'never', concurrency: 2 },
  vite: { build: { assetsInlineLimit: 0 } },
});
