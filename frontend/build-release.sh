#!/usr/bin/env bash
# Builds the site into a new folder of /site and turns /site/current over to it when it is whole: readers see the old
# site or the new one. Does nothing when data, sources and address are those of the current site.
set -euo pipefail
# Set by tests only; the image has these folders.
app=${APP_ROOT:-/app} site=${SITE_ROOT:-/site}
releases=$site/releases
hasher=(sha256sum)
command -v sha256sum >/dev/null || hasher=(shasum -a 256)
links=${METABASE_LINKS_FILE:-}
fingerprint=$({
    echo "$SITE_PUBLIC_URL"
    find "$app/frontend" "$app/theme.json" "$SITE_DATA_DIR" ${links:+"$links"} -name node_modules -prune -o -type f -print0 | sort -z |
        xargs -0 "${hasher[@]}"
} | "${hasher[@]}" | cut -c1-16)

if [ "$(readlink "$site/current" || true)" = "releases/$fingerprint" ] && [ -f "$site/current/index.html" ]; then
    echo "site-build: skipped: the current site is of these data and sources" >&2
    exit 0
fi

# Astro writes beside its sources, and those are read-only here.
work=$(mktemp -d)
cp -R "$app/theme.json" "$work/"
mkdir "$work/frontend"
find "$app/frontend" -mindepth 1 -maxdepth 1 ! -name node_modules -exec cp -R {} "$work/frontend/" \;
mkdir "$work/frontend/node_modules" # a folder of links: Vite keeps its cache in it
find "$app/frontend/node_modules" -mindepth 1 -maxdepth 1 -exec sh -c 'ln -s "$@" "$0"' "$work/frontend/node_modules" {} +
cd "$work/frontend"
npm run build >&2

mkdir -p "$releases"
staging=$(mktemp -d "$releases/.new-XXXXXX")
cp -R dist/. "$staging/"
chmod 755 "$staging"
rm -rf "${releases:?}/$fingerprint"
mv "$staging" "$releases/$fingerprint"
# The rename of the system, which replaces the link itself: `mv` would follow it, and its option against that is GNU's own.
rm -f "$site/.current"
ln -s "releases/$fingerprint" "$site/.current"
node -e 'require("node:fs").renameSync(process.argv[1], process.argv[2])' "$site/.current" "$site/current"
find "$releases" -mindepth 1 -maxdepth 1 ! -name "$fingerprint" -exec rm -rf {} +
echo "site-build: release $fingerprint with $(($(find "$releases/$fingerprint" -type f | wc -l))) files is current" >&2
