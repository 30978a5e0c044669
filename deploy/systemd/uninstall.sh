#!/usr/bin/env bash
# Remove what install.sh installed. State, logs and changed settings stay, without --purge.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
purge=

help='usage: uninstall.sh [--prefix DIR] [--purge] [--dry-run]

Stops the service and its instances, and removes the units, the environments and the cache. What cannot be had again
stays: the state, the logs, the secrets, and files that somebody changed.

  --prefix DIR  where environments are kept (default: /opt/oneiric)
  --purge       remove these, too, and the user
  --dry-run     show what would be done, and do nothing'

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --prefix) [ $# -gt 1 ] || fail "$1 needs a value; --help shows which" ;;
        esac
        case $1 in
        --prefix) prefix=$2 && shift 2 ;;
        --purge) purge=yes && shift ;;
        --dry-run) dry_run=yes && shift ;;
        --help) usage "$help" && exit 0 ;;
        *) fail "unknown option $1; --help shows the options" ;;
        esac
    done
}

stop_units() {
    local unit
    for unit in $(systemctl list-units --all --plain --no-legend 'oneiric.service' 'oneiric@*.service' | cut -d ' ' -f 1); do
        run systemctl disable --quiet --now "$unit"
    done
}

# remove_files: remove each file that is as it was installed, and with --purge the others, too.
remove_files() {
    local file files=()
    [ ! -f "$prefix/installed" ] || mapfile -t files < <(cut -c 67- "$prefix/installed" | sort -u)
    for file in "${files[@]}"; do
        if [ ! -e "$file" ]; then
            continue
        elif [ -n "$purge" ] || [ "$(sum_of "$file")" = "$(recorded "$file")" ]; then
            run rm -f "$file" "$file.new"
        else
            echo "kept $file, which was changed"
        fi
    done
}

parse "$@"
checked_prefix
needs_root
stop_units
remove_files
run rm -rf "$prefix/releases" "$prefix/current" "$prefix/installed" /var/cache/oneiric /var/cache/oneiric@*
[ ! -d "$prefix" ] || run rmdir --ignore-fail-on-non-empty "$prefix"
if [ -n "$purge" ]; then
    run rm -rf "/etc/oneiric" /etc/systemd/system/oneiric.service.d /etc/systemd/system/oneiric@*.service.d \
        /etc/systemd/system.control/oneiric.service.d /etc/systemd/system.control/oneiric@*.service.d \
        /var/lib/oneiric /var/lib/oneiric@* /var/lib/oneiric-witness /var/log/oneiric /var/log/oneiric@*
    if id oneiric >/dev/null 2>&1; then
        run userdel oneiric
    fi
else
    for directory in "/etc/oneiric/credentials" "/etc/oneiric"; do
        [ ! -d "$directory" ] || run rmdir --ignore-fail-on-non-empty "$directory"
    done
fi
run systemctl daemon-reload
[ -n "$purge" ] || echo "what cannot be had again stays: see /etc/oneiric, /var/lib/oneiric, /var/log/oneiric"
