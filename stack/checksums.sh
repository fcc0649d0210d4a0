#!/usr/bin/env bash
# SHA-256 sums with the program the system has: Linux and busybox have sha256sum, macOS shasum, both openssl.
#
# Usage: source stack/checksums.sh

# Prints `<sum>  <name>` for each file, as sha256sum does.
sha256_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum "$@"
    elif command -v shasum >/dev/null; then
        shasum -a 256 "$@"
    else
        openssl dgst -sha256 -r "$@" | sed 's/ \*/  /'
    fi
}

# Whether every file that SHA256SUMS of a folder lists is as it says; names those that are not. The programs' own --check
# is of no use: busybox and openssl lack its options.
sha256_holds() (
    cd "$1" || return 1
    count=0 damaged=0
    while read -r sum name; do
        count=$((count + 1))
        [ "$(sha256_of "$name" 2>/dev/null | cut -d ' ' -f 1)" = "$sum" ] && continue
        echo "  $1/$name is not the file that SHA256SUMS lists" >&2
        damaged=$((damaged + 1))
    done <SHA256SUMS
    [ "$count" -gt 0 ] && [ "$damaged" = 0 ]
)
