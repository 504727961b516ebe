# Sourced by the scripts beside it: where things are, and how they speak.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Big things that are made once: the Linux of the virtual machine, Debian root file systems, disk images.
cache=${RUNSC_CACHE:-${XDG_CACHE_HOME:-/var/cache}/runsc-build}
mkdir -p "$cache"

# Compiler results serve a fresh clone in another folder too.
export CCACHE_NOHASHDIR=1

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# once KEY COMMAND...: runs COMMAND unless KEY exists in the cache, alone even when several scripts ask at once.
# COMMAND gets the name of a temporary path to make as its last argument; the path becomes KEY when it succeeds.
# Call it as a plain command: behind `if` or `||` bash would not stop at the first failing line of COMMAND.
once() {
  local once_kept=$cache/$1
  shift
  [ -e "$once_kept" ] && return 0
  (
    flock 9
    [ -e "$once_kept" ] && exit 0
    once_fresh=$once_kept.$$.new
    trap 'rm -rf "$once_fresh"' EXIT
    rm -rf "$once_fresh"
    "$@" "$once_fresh"
    mv "$once_fresh" "$once_kept"
  ) 9>"$once_kept.lock"
}

# fetch_deb NAME: downloads a Debian package into the current folder. The lists may be missing, or from before the
# last point release and name a file that is gone: they are refreshed once.
fetch_deb() {
  local get=(apt-get download -qq -o APT::Sandbox::User=root "$1")
  "${get[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${get[@]}" >&2; }
}
