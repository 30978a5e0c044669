#!/usr/bin/env bash
# Install Oneiric as a service of systemd, or upgrade it. The guide is docs/deployment/SYSTEMD_DEPLOYMENT.md.
set -euo pipefail
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=common.sh
. "$here/common.sh"
python=python3
packages=()
instances=()
kept=3 # environments: the current one, and two to go back to

help='usage: install.sh [--package PACKAGE]... [--instance NAME]... [--prefix DIR] [--python PROGRAM] [--dry-run]

Installs the package into an environment of its own, and the units oneiric.service and oneiric@.service with what
belongs to them. Run it again to upgrade: where nothing is new, nothing is done. Files that somebody changed stay as
they are, and the new ones lie beside them as FILE.new. Nothing is started or restarted.

  --package PACKAGE  what pip is to install, such as a wheel; again for each further package.
                     The default is the directory that this script is in a clone of.
  --instance NAME    also write settings for oneiric@NAME.service
  --prefix DIR       where environments are kept (default: /opt/oneiric)
  --python PROGRAM   the interpreter, of Python 3.11 or newer (default: python3)
  --dry-run          show what would be done, and do nothing'

parse() {
    while [ $# -gt 0 ]; do
        case $1 in
        --package | --instance | --prefix | --python) [ $# -gt 1 ] || fail "$1 needs a value; --help shows which" ;;
        esac
        case $1 in
        --package) packages+=("$2") && shift 2 ;;
        --instance) instances+=("$2") && shift 2 ;;
        --prefix) prefix=$2 && shift 2 ;;
        --python) python=$2 && shift 2 ;;
        --dry-run) dry_run=yes && shift ;;
        --help) usage "$help" && exit 0 ;;
        *) fail "unknown option $1; --help shows the options" ;;
        esac
    done
    for name in "${instances[@]}"; do
        [[ $name =~ ^[a-z][a-z0-9_-]*$ && $name != oneiric ]] || fail "--instance $name: lower-case letters, digits, _ and - are needed, and another name than oneiric"
    done
    [ ${#packages[@]} -gt 0 ] || packages=("$(cd "$here/../.." && pwd)")
}

# fingerprint: what is to be installed, as text that differs where it does; a directory always differs.
fingerprint() {
    local package
    "$python" --version
    for package in "${packages[@]}"; do
        if [ -f "$package" ]; then
            printf '%s %s\n' "$(sum_of "$package")" "${package##*/}"
        elif [ -d "$package" ]; then
            printf '%s %s\n' "$(date +%s.%N)" "$package"
        else
            printf '%s\n' "$package"
        fi
    done
}

# install_package: make a new environment, and make it the current one once it is complete. What runs stays in its own.
install_package() {
    local wanted release
    wanted=$(fingerprint)
    if [ "$(cat "$prefix/current/packages" 2>/dev/null || true)" = "$wanted" ]; then
        echo "the packages are installed already: $prefix/current"
        return
    fi
    release=$prefix/releases/$(date -u +%Y%m%dT%H%M%S.%N)
    if [ -n "$dry_run" ]; then
        echo "would install ${packages[*]} into $release, and make it $prefix/current"
        return
    fi
    mkdir -p "$prefix/releases"
    "$python" -m venv "$release" || fail "$python cannot make an environment; install python3-venv, or name another with --python"
    if ! "$release/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "${packages[@]}"; then
        rm -rf "$release"
        fail "${packages[*]}: not installed, see above; nothing was changed"
    fi
    printf '%s\n' "$wanted" >"$release/packages"
    ln -sfn "$release" "$prefix/current.new"
    mv -T "$prefix/current.new" "$prefix/current"
    find "$prefix/releases" -mindepth 1 -maxdepth 1 -type d | sort | head -n "-$kept" | xargs -r rm -rf
    echo "installed $("$prefix/current/bin/oneiric" --version | head -n 1) in $release"
}

# put FILE TARGET MODE: write it, and say so.
put() {
    if [ -n "$dry_run" ]; then
        echo "would install $2"
    else
        install -D -m "$3" "$1" "$2"
        echo "installed $2"
    fi
}

# place SOURCE TARGET MODE [NAME]: install a file, unless somebody changed the one that is there.
place() {
    local new last
    new=$(mktemp)
    sed -e "s|/opt/oneiric/|$prefix/|g" -e "s|NAME|${4:-NAME}|g" "$here/$1" >"$new"
    last=$(recorded "$2")
    if [ ! -e "$2" ] || { [ "$(sum_of "$2")" = "$last" ] && ! cmp -s "$new" "$2"; }; then
        put "$new" "$2" "$3"
    elif ! cmp -s "$new" "$2" && [ "$(sum_of "$new")" != "$last" ]; then
        put "$new" "$2.new" "$3"
        echo "kept $2, which was changed"
    fi
    if [ -z "$dry_run" ] && [ "$(sum_of "$new")" != "$last" ]; then
        printf '%s  %s\n' "$(sum_of "$new")" "$2" >>"$prefix/installed"
    fi
    rm -f "$new"
}

place_files() {
    local name
    place sysusers.conf /etc/sysusers.d/oneiric.conf 644
    place oneiric.service /etc/systemd/system/oneiric.service 644
    place oneiric@.service /etc/systemd/system/oneiric@.service 644
    place logrotate.conf /etc/logrotate.d/oneiric 644
    place oneiric.sh /usr/local/bin/oneiric 755
    place oneiric.yaml "/etc/oneiric/oneiric.yaml" 644
    place oneiric.env "/etc/oneiric/oneiric.env" 600
    for name in "${instances[@]}"; do
        place instance.yaml "/etc/oneiric/$name.yaml" 644 "$name"
    done
}

parse "$@"
checked_prefix
needs_root
command -v "$python" >/dev/null || fail "--python $python: no such program; Python 3.11 or newer is needed"
install_package
run mkdir -p "/etc/oneiric"
place_files
run install -d -m 700 "/etc/oneiric/credentials"
run systemd-sysusers /etc/sysusers.d/oneiric.conf
run systemctl daemon-reload
echo "next: oneiric settings check, and systemctl enable --now oneiric; after an upgrade systemctl restart oneiric"
