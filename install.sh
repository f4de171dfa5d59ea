#!/bin/sh
# Installs weftctl for the current user: the program, its man pages, completions and licence.
# From a checkout it builds them; with --from it takes a release, whose signature and checksums
# must hold before anything is unpacked. All in functions, called on the last line, so that a
# script that arrives cut off does nothing.
set -eu

# The public key of the releases (PEM); .ci/release writes it into the copy that it ships.
pinned_key=''

usage() {
  cat <<'USAGE'
Install weftctl for the current user. No root is needed.

Usage: install.sh [--from URL|DIR] [--key FILE] [--version X.Y.Z] [--dir DIR]
       install.sh --uninstall [--dir DIR]

Without --from it installs the release whose folder it lies in, or builds the checkout.

  --from URL|DIR    take a release from there: https (http only from this machine), or a folder
  --key FILE        public key that the release must be signed with (default: the pinned one)
  --version X.Y.Z   the version to install, when there are several
  --dir DIR         where the program goes (default: ~/.local/bin); man pages and completions go
                    to ../share when DIR is called bin, otherwise to ~/.local/share
  --uninstall       remove the program and what came with it; your data stays
  --help            print this text

Exit codes: 0 done, 1 failed and nothing installed, 2 wrong arguments.
USAGE
}

say() { printf 'install.sh: %s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}
misused() {
  say "error: $*; see install.sh --help"
  exit 2
}

needs() { command -v "$1" >/dev/null 2>&1 || fail "$1 is missing; install it and try again"; }

# Sets from, key, version, bin, share and action.
parse() {
  from='' key='' version='' bin='' action=install
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --key | --version | --dir)
        [ -n "${2:-}" ] || misused "$1 needs a value"
        case $1 in
          --from) from=$2 ;;
          --key) key=$2 ;;
          --version) version=${2#v} ;;
          --dir) bin=$2 ;;
        esac
        shift
        ;;
      --uninstall) action=uninstall ;;
      -h | --help)
        usage
        exit 0
        ;;
      *) misused "unknown argument $1" ;;
    esac
    shift
  done
  case $version in
    *[!A-Za-z0-9.+-]* | .* | -*) misused "--version $version is no version" ;;
  esac
  [ "$action" = install ] || [ -z "$from$key$version" ] || misused "--uninstall takes only --dir"
  place
}

# Sets bin and share, both absolute.
place() {
  if [ -z "$bin" ] || [ "${bin##*/}" != bin ]; then
    [ -n "${HOME:-}" ] || misused "HOME is not set; give --dir PREFIX/bin"
    share=$HOME/.local/share
  fi
  bin=${bin:-$HOME/.local/bin}
  while [ "$bin" != / ] && [ "${bin%/}" != "$bin" ]; do bin=${bin%/}; done
  case $bin in
    /*) ;;
    *) bin=$(pwd)/$bin ;;
  esac
  [ "${bin##*/}" != bin ] || share=${bin%/bin}/share
}

# Sets here, the folder of this script; empty when it runs from a pipe.
locate() {
  here=
  case $0 in
    install.sh | */install.sh) [ ! -f "$0" ] || here=$(cd "$(dirname "$0")" && pwd) ;;
  esac
}

platform() {
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=macos ;;
    *) fail "there are no releases for $(uname -s); build from a checkout on a supported system" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=aarch64 ;;
    *) fail "there are no releases for $(uname -m); run install.sh from a checkout to build one" ;;
  esac
}

# --- Getting a release -----------------------------------------------------------------------

# Refuses a source that is neither https, nor http on this machine, nor a folder. Sets transport.
check_source() {
  case $from in
    https://*) transport=https ;;
    http://*)
      host=${from#http://}
      host=${host%%[/?#]*}
      case $host in
        *@* | *\\*) misused "$from is no plain address" ;;
        127.0.0.1 | 127.0.0.1:* | localhost | localhost:* | \[::1\] | \[::1\]:*) transport=http ;;
        *) misused "$from is not encrypted; use https" ;;
      esac
      ;;
    *://*) misused "$from is neither https nor a folder" ;;
    *)
      [ -d "$from" ] || misused "there is no folder $from"
      transport=copy
      ;;
  esac
  from=${from%/}
}

# fetch NAME [BLOCKS]: gets a file of the release into the scratch folder, at most BLOCKS of 512
# bytes (default 1 MiB). A redirect may lead from https to https only.
fetch() {
  (
    ulimit -f "${2:-2048}"
    case $transport in
      copy) cp -- "$from/$1" "$scratch/$1" ;;
      https) download "$from/$1" "$scratch/$1" ;;
      http) download_here "$from/$1" "$scratch/$1" ;;
    esac
  ) 2>"$scratch/why" || fail "cannot get $from/$1: $(why); check --from, then try again"
}

# The last words of a command that failed.
why() {
  reason=$(tail -n 1 "$scratch/why" | tr -cd '[:print:]')
  echo "${reason:-it was cut off}"
}

download() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto '=https' --proto-redir '=https' --max-redirs 5 --connect-timeout 20 \
      --speed-limit 1024 --speed-time 30 --max-time 1800 -o "$2" -- "$1"
  else
    # It cannot be told which redirects to follow, so it follows none.
    wget -nv --max-redirect=0 --timeout=30 --tries=1 -O "$2" -- "$1"
  fi
}

download_here() {
  if command -v curl >/dev/null 2>&1; then
    curl -fsSL --proto '=http' --max-redirs 0 --noproxy '*' --connect-timeout 20 \
      --speed-limit 1024 --speed-time 30 --max-time 1800 -o "$2" -- "$1"
  else
    wget -nv --max-redirect=0 --no-proxy --timeout=30 --tries=1 -O "$2" -- "$1"
  fi
}

choose_key() {
  if [ -n "$key" ]; then
    [ -f "$key" ] || misused "there is no key file $key"
    cp -- "$key" "$scratch/key.pem"
  elif [ -n "$pinned_key" ]; then
    printf '%s\n' "$pinned_key" >"$scratch/key.pem"
  else
    fail "no key to check the release with; give --key FILE, or use the install.sh of a release"
  fi
}

verify_signature() {
  if ! openssl base64 -d -A -in "$scratch/SHA256SUMS.sig" -out "$scratch/signature" 2>/dev/null ||
    ! openssl dgst -sha256 -verify "$scratch/key.pem" -signature "$scratch/signature" \
      "$scratch/SHA256SUMS" >/dev/null 2>&1; then
    fail "the signature of SHA256SUMS does not fit the key; the release was changed or signed by somebody else: get it elsewhere"
  fi
}

# Sets archive: the one for this machine that the signed list names.
choose_archive() {
  if [ -n "$version" ]; then
    archive=weftctl-$version-$arch-$os.tar.gz
    awk -v name="$archive" '$2 == name {found = 1} END {exit !found}' "$scratch/SHA256SUMS" ||
      fail "the release has no $archive; leave --version out, or take another --from"
    return
  fi
  archive=$(awk -v tail="-$arch-$os.tar.gz" '
    index($2, "weftctl-") == 1 && substr($2, length($2) - length(tail) + 1) == tail {print $2}' "$scratch/SHA256SUMS")
  case $archive in
    '') fail "the release has nothing for $arch-$os; run install.sh from a checkout to build it" ;;
    *[!A-Za-z0-9._+-]*) fail "the release has several versions; choose one with --version" ;;
  esac
}

verify_checksum() {
  expected=$(awk -v name="$archive" '$2 == name {print $1}' "$scratch/SHA256SUMS")
  found=$(openssl dgst -sha256 -r "$scratch/$archive" | cut -d' ' -f1)
  [ -n "$found" ] || fail "openssl cannot digest $archive; update openssl"
  [ "$found" = "$expected" ] ||
    fail "the checksum of $archive is wrong; the download is damaged: try again"
}

# Unpacks only what a release holds: plain files and folders below the folder of its name.
# Sets source.
unpack() {
  folder=${archive%.tar.gz}
  { tar -tzf "$scratch/$archive" >"$scratch/names" && tar -tvzf "$scratch/$archive" >"$scratch/entries"; } \
    2>"$scratch/why" || fail "cannot read $archive: $(why); try again"
  if ! awk -v folder="$folder/" '
    index($0, folder) != 1 || /[^A-Za-z0-9._\/+-]/ || /\/\.\.?(\/|$)/ {exit 1}' "$scratch/names" ||
    ! awk '!/^[-d]/ {exit 1}' "$scratch/entries"; then
    fail "$archive holds entries that do not belong there; do not use this release"
  fi
  mkdir "$scratch/unpacked"
  tar -xzof "$scratch/$archive" -C "$scratch/unpacked" 2>"$scratch/why" ||
    fail "cannot unpack $archive: $(why); make room in ${TMPDIR:-/tmp}"
  source=$scratch/unpacked/$folder
}

take_release() {
  check_source
  needs openssl
  needs tar
  [ "$transport" = copy ] || command -v curl >/dev/null 2>&1 || needs wget
  platform
  choose_key
  fetch SHA256SUMS
  fetch SHA256SUMS.sig
  verify_signature
  choose_archive
  fetch "$archive" 524288
  verify_checksum
  unpack
  binary=$source/weftctl
}

# --- Building a checkout ---------------------------------------------------------------------

take_checkout() {
  source=$here
  needs cargo
  [ -z "$key$version" ] || misused "--key and --version go with --from"
  target=${CARGO_TARGET_DIR:-$source/target}
  say "building; this takes some minutes"
  (
    cd "$source"
    if WEFT_COMMIT=$(git rev-parse HEAD 2>/dev/null); then
      WEFT_BUILD_DATE=$(git log -1 --format=%cs)
      export WEFT_COMMIT WEFT_BUILD_DATE
    fi
    cargo build --release --locked --bin weftctl --target-dir "$target"
  ) || fail "the build failed; its last lines say why"
  binary=$target/release/weftctl
}

# --- Placing the files -----------------------------------------------------------------------

# stage FILE FOLDER NAME [MODE]: copies a file next to where it will be, under a hidden name.
stage() {
  [ -f "$1" ] || fail "there is no ${1##*/} to install; nothing was installed: take another release"
  [ ! -d "$2/$3" ] || fail "$2/$3 is a folder; nothing was installed: move it away"
  echo "$2/.$3.$$" >>"$scratch/staged"
  { mkdir -p "$2" && cp "$1" "$2/.$3.$$" && chmod "${4:-644}" "$2/.$3.$$"; } 2>"$scratch/why" ||
    fail "cannot write $2/$3: $(why); nothing was installed: choose another --dir"
}

stage_all() {
  : >"$scratch/staged"
  for file in "$source"/man/weftctl.1 "$source"/man/weftctl-*.1; do
    stage "$file" "$man" "${file##*/}"
  done
  for file in "$source"/completions/*; do
    case ${file##*/} in
      *.bash) stage "$file" "$share/bash-completion/completions" weftctl ;;
      _weftctl | *.zsh) stage "$file" "$share/zsh/site-functions" _weftctl ;;
      *.fish) stage "$file" "$share/fish/vendor_completions.d" weftctl.fish ;;
      *.elv) stage "$file" "$share/elvish/lib" weftctl.elv ;;
      *.ps1) stage "$file" "$share/powershell/completions" weftctl.ps1 ;;
      *) fail "the release has an unknown completion ${file##*/}; nothing was installed" ;;
    esac
  done
  stage "$source/LICENSE" "$share/doc/weftctl" LICENSE
  stage "$source/README.md" "$share/doc/weftctl" README.md
  # The program last: what it needs is there when it appears.
  stage "$binary" "$bin" weftctl 755
  env WEFT_HOME="$scratch/home" "$bin/.weftctl.$$" version -o 'jsonpath=weftctl {.client.version}' \
    >"$scratch/version" 2>&1 ||
    fail "the program does not run on this machine; build it from a checkout"
}

# Renames everything staged, then removes man pages of commands that are no more.
settle() {
  while IFS= read -r staged; do
    name=${staged##*/.}
    mv -f "$staged" "${staged%/*}/${name%."$$"}" || fail "cannot rename $staged; run install.sh again"
  done <"$scratch/staged"
  for page in "$man"/weftctl-*.1; do
    [ -f "$source/man/${page##*/}" ] || rm -f "$page"
  done
}

install_all() {
  scratch=
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  scratch=$(mktemp -d)
  : >"$scratch/staged"
  locate
  if [ -z "$from" ] && [ -f "$here/SHA256SUMS" ]; then
    from=$here
  fi
  if [ -n "$from" ]; then
    take_release
  elif [ -n "$here" ] && [ -f "$here/Cargo.toml" ]; then
    take_checkout
  else
    misused "nothing to install; give --from URL|DIR, or run install.sh in a checkout"
  fi
  stage_all
  settle
  say "installed $(head -n 1 "$scratch/version") as $bin/weftctl"
  case :${PATH:-}: in
    *:"$bin":*) ;;
    *) say "$bin is not on PATH; add to your profile: export PATH=\"$bin:\$PATH\"" ;;
  esac
}

clean_up() {
  [ -n "$scratch" ] || return 0
  while IFS= read -r staged; do rm -f "$staged"; done <"$scratch/staged"
  rm -rf "$scratch"
}

uninstall() {
  removed=
  for file in "$bin/weftctl" "$man/weftctl.1" "$man"/weftctl-*.1 \
    "$share/bash-completion/completions/weftctl" "$share/zsh/site-functions/_weftctl" \
    "$share/fish/vendor_completions.d/weftctl.fish" "$share/elvish/lib/weftctl.elv" \
    "$share/powershell/completions/weftctl.ps1" \
    "$share/doc/weftctl/LICENSE" "$share/doc/weftctl/README.md"; do
    [ -f "$file" ] || continue
    rm -f "$file" || fail "cannot remove $file"
    removed=yes
  done
  rmdir "$share/doc/weftctl" 2>/dev/null || true
  if [ -n "$removed" ]; then
    say "removed $bin/weftctl and what came with it"
  else
    say "weftctl is not installed in $bin; nothing to remove"
  fi
  say "your data stays: $(data_folders)"
}

# Where the program keeps what belongs to its user.
data_folders() {
  if [ -n "${WEFT_HOME:-}" ]; then
    echo "$WEFT_HOME"
  elif [ "$(uname -s)" = Darwin ]; then
    echo "${HOME:-~}/Library/Application Support/weft, ${HOME:-~}/Library/Caches/weft"
  else
    echo "${XDG_CONFIG_HOME:-${HOME:-~}/.config}/weft, ${XDG_DATA_HOME:-${HOME:-~}/.local/share}/weft," \
      "${XDG_STATE_HOME:-${HOME:-~}/.local/state}/weft, ${XDG_CACHE_HOME:-${HOME:-~}/.cache}/weft"
  fi
}

main() {
  umask 022
  parse "$@"
  man=$share/man/man1
  case $action in
    install) install_all ;;
    uninstall) uninstall ;;
  esac
}

main "$@"
