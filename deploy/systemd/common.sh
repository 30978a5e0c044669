# shellcheck shell=bash
# What install.sh and uninstall.sh share: options, and what is known of installed files.

prefix=/opt/oneiric
dry_run=

# usage TEXT: print what the script does and its options.
usage() {
    printf '%s\n' "$1"
}

# fail TEXT: say what is wrong in one line and end with 2.
fail() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit 2
}

# run COMMAND...: run it, or with --dry-run show it.
run() {
    if [ -n "$dry_run" ]; then
        printf 'would run: %s\n' "$*"
    else
        "$@"
    fi
}

# checked_prefix: the directory must be one that can be removed as a whole, and that a unit file can name.
checked_prefix() {
    [[ $prefix =~ ^/[A-Za-z0-9._/-]+$ && $prefix != *..* ]] || fail "--prefix $prefix: an absolute path of letters, digits, ., _ and - is needed"
    case ${prefix%/} in
    / | /usr | /usr/local | /etc | /var | /opt | /home | /root | /srv) fail "--prefix $prefix: name a directory of its own, such as /opt/oneiric" ;;
    esac
    prefix=${prefix%/}
}

# needs_root: only root may go on, unless nothing is changed.
needs_root() {
    [ -n "$dry_run" ] || [ "$(id -u)" = 0 ] || fail "must be run as root; --dry-run shows what would be done"
}

# sum_of FILE: its SHA-256.
sum_of() {
    sha256sum "$1" | cut -d ' ' -f 1
}

# recorded FILE: the SHA-256 of the content that an installation gave FILE last, or nothing.
recorded() {
    if [ -f "$prefix/installed" ]; then
        awk -v path="$1" 'substr($0, 67) == path { sum = $1 } END { print sum }' "$prefix/installed"
    fi
}
