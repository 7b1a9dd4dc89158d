#!/usr/bin/env bash
# Sets up the bridge on a machine of its own (Ubuntu 22.04 or 24.04, Debian 12 or newer; amd64 or arm64), and upgrades it. Lies beside
# what `npm run package` makes. Run again it changes only what is not as it should be. --help says how.
set -euo pipefail

OPENCLAW_VERSION=2026.9.6
WHATSAPP_VERSION=2026.9.6
NODE_MAJOR=24
NODE_LEAST_MINOR=16
# OpenClaw takes 1.1 GiB after its start and 1.7 GiB at its most; the sidecar 0.15 GiB; the system 0.3 GB: README.md.
LEAST_MEMORY_MB=1700
LEAST_MEMORY_AND_SWAP_MB=2700
LEAST_DISK_MB=4000
# systemd 247 was the first with LoadCredential=.
LEAST_SYSTEMD=247

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
umask 022

usage() {
  cat <<'END'
Usage: sudo ./install.sh [options]

Installs the Hot Bags bridge from the files beside this script, or upgrades it. It asks for what is not given.

  --hotbags-url URL     the backend, https://…                     (or HOTBAGS_BASE_URL in the environment)
  --token-file FILE     the file with its token, never the token   (or HOTBAGS_BEARER_TOKEN in the environment)
  --allow NUMBERS       who may write, E.164 with commas between, or '*' for everybody   (or HOTBAGS_ALLOW)
  --node FILE           node-v24….tar.gz for this machine, where NodeSource can't be reached
  --health-timeout S    an upgrade is taken back when it is not healthy after so many seconds (default 180)
  --no-os-updates       leave the system's own security updates as they are; else unattended-upgrades installs them every night
  --yes                 ask nothing: what is missing is an error
  --dry-run             say what would be done, and do nothing
  --uninstall           remove it all but the data (/etc/hotbags, /var/lib/hotbags, /var/lib/openclaw)
  --purge               with --uninstall: the data too. Messages that wait and the WhatsApp session are gone then
  --root DIR            install into this folder instead of /, without Node, OpenClaw and a running systemd: for images and tests
  --help

Exit code: 0 it is done and well; 1 refused, or taken back; 3 installed, but not well (a phone that is not linked yet counts as well).
END
}

# A terminal that has gone away must not end this half-way.
say() { printf '%s\n' "$*" || true; }
step() { say "· $*"; }
refuse() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

url=${HOTBAGS_BASE_URL:-} token=${HOTBAGS_BEARER_TOKEN:-} allow=${HOTBAGS_ALLOW:-}
# Not for the programs that this starts.
unset HOTBAGS_BEARER_TOKEN
token_file='' node_tarball='' root='' health_timeout=180 os_updates=true
yes=false dry_run=false uninstall=false purge=false

value() { [ $# -ge 2 ] || refuse "$1 needs a value; see --help"; }
while [ $# -gt 0 ]; do
  case $1 in
    --hotbags-url) value "$@" && url=$2 && shift ;;
    --token-file) value "$@" && token_file=$2 && shift ;;
    --allow) value "$@" && allow=$2 && shift ;;
    --node) value "$@" && node_tarball=$2 && shift ;;
    --health-timeout) value "$@" && health_timeout=$2 && shift ;;
    --root) value "$@" && root=${2%/} && shift ;;
    --no-os-updates) os_updates=false ;;
    --yes) yes=true ;;
    --dry-run) dry_run=true ;;
    --uninstall) uninstall=true ;;
    --purge) purge=true ;;
    --help | -h) usage && exit 0 ;;
    --token | --token=*) refuse "a token on the command line can be read by every user: use --token-file" ;;
    *) refuse "$1 is no option; see --help" ;;
  esac
  shift
done
# Not 08, which is no number to the shell, nor one that it can't hold: it would find out in the midst of an upgrade.
[[ $health_timeout =~ ^(0|[1-9][0-9]{0,5})$ ]] || refuse "--health-timeout is a number of seconds, such as 300"
if $purge && ! $uninstall; then refuse "--purge goes with --uninstall: nothing was done"; fi
# Whether this is the machine that it will run on.
live() { [ -z "$root" ]; }
# As the units have it: a Node that only root's own PATH has is of no use to them.
if live; then export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; fi

# Which of the two have to be started anew, as something that they run on was changed by this run or by one that was cut off. Not over a
# boot: that starts them anew.
both=(hotbags-sidecar.service openclaw-gateway.service)
changed=/run/hotbags-install.changed
note_change() {
  if live && ! $dry_run; then printf '%s\n' "$@" >>"$changed"; fi
}
# A restart of the gateway costs customers' messages where it takes too long: not for a file that it does not run on.
note_file() {
  case $1 in
    # The two tokens are both ends'.
    /etc/hotbags/gateway.env | /etc/hotbags/secrets/*) note_change "${both[@]}" ;;
    /etc/systemd/system/hotbags-sidecar.service* | /etc/hotbags/sidecar.env) note_change hotbags-sidecar.service ;;
    /etc/systemd/system/openclaw-gateway.service* | */openclaw.json) note_change openclaw-gateway.service ;;
  esac
}
restart_changed() {
  [ -e "$changed" ] || return 0
  local which
  mapfile -t which < <(sort -u "$changed")
  # What an earlier install.sh left names none.
  [ ${#which[@]} -gt 0 ] || which=("${both[@]}")
  act systemctl restart --no-block "${which[@]}"
}

# Runs what changes something, or says it.
act() {
  if $dry_run; then
    printf '  would run: %s\n' "$*"
  else
    "$@"
  fi
}
act_quietly() {
  if $dry_run; then act "$@"; else "$@" >/dev/null; fi
}

# What follows also runs in the trap that takes an upgrade back. A bare `return` there gives the status from before the trap, and `set -e`
# is off: each says itself how it ended.

# put MODE OWNER PATH: writes standard input there, at once or not at all, and says so if that changes something.
put() {
  local mode=$1 owner=$2 path=$root$3 new
  if $dry_run; then
    cmp -s - "$path" || printf '  would write: %s (%s, %s)\n' "$path" "$mode" "$owner"
    # Whoever writes it is not to be cut off.
    cat >/dev/null
    return 0
  fi
  mkdir -p "${path%/*}" && new=$(mktemp "$path.XXXXXX") || return 1
  if ! cat >"$new"; then
    rm -f "$new"
    return 1
  fi
  if cmp -s "$new" "$path"; then
    rm "$new"
    # Not unless it is needed: who looks for changes would find one.
    [ "$(stat -c %a "$path")" = "$mode" ] || chmod "$mode" "$path" || return 1
    if live && [ "$(stat -c %U:%G "$path")" != "$owner" ]; then chown "$owner" "$path" || return 1; fi
    return 0
  fi
  chmod "$mode" "$new" || return 1
  if live; then chown "$owner" "$new" && sync "$new" || return 1; fi
  note_file "$3"
  mv "$new" "$path" || return 1
  say "  wrote $path"
}

# point PATH TO: makes the link, at once or not at all, unless it is there.
point() {
  [ "$(readlink "$root$1" || true)" != "$2" ] || return 0
  if [ "$1" = /opt/hotbags ]; then note_change "${both[@]}"; fi
  act ln -sfn "$2" "$root$1.new" && act mv -T "$root$1.new" "$root$1"
}

# ---------------------------------------------------------------------------------------------------------------------------------------

timers=(hotbags-backup.timer hotbags-release-check.timer)
units=(hotbags-sidecar.service openclaw-gateway.service hotbags.target 'hotbags-alert@.service')
units+=(hotbags-backup.service hotbags-release-check.service "${timers[@]}")

# Two of them at once, such as cloud-init's and yours, would take each other's files away.
lock() {
  if $dry_run; then return 0; fi
  umask 077
  exec 9>/run/hotbags-install.lock
  umask 022
  flock --nonblock 9 || refuse "another install.sh runs on this machine: wait until it has ended"
}

# A person or another OpenClaw of these names would have the bridge's secrets in reach, and lose what is theirs to --purge.
refuse_others() {
  local user home
  for user in hotbags openclaw; do
    home=$(getent passwd "$user" | cut -d: -f6) || continue
    [ "$home" = "/var/lib/$user" ] ||
      refuse "there is a user $user already, with the home $home, whom this script did not make: use a machine of its own for the bridge, or rename that user (usermod --login …)"
  done
}

if $uninstall; then
  if live && ! $dry_run; then
    [ "$(id -u)" = 0 ] || refuse "run it as root: sudo $0 --uninstall"
    lock
  fi
  if live && $purge; then refuse_others; fi
  if $purge && ! $yes && ! $dry_run; then
    read -r -p "Delete the queue, the settings and the WhatsApp session? They can't be had back. Type: delete > " answer
    [ "$answer" = delete ] || refuse "nothing was removed"
  fi
  step "stop and remove the units"
  if live; then
    act systemctl disable --now hotbags.target "${units[@]:0:2}" 2>/dev/null || true
    act systemctl disable --now "${timers[@]}" 2>/dev/null || true
    # What a timer has started runs on without it.
    act systemctl stop "${timers[@]/%timer/service}" 2>/dev/null || true
  fi
  for unit in "${units[@]}"; do act rm -rf "$root/etc/systemd/system/$unit" "$root/etc/systemd/system/$unit.d"; done
  act rm -f "$root/etc/systemd/system/multi-user.target.wants/hotbags.target"
  act rm -rf "$root/etc/systemd/system/hotbags.target.wants"
  for timer in "${timers[@]}"; do
    act rm -f "$root/etc/systemd/system/timers.target.wants/$timer" "$root/var/lib/systemd/timers/stamp-$timer"
  done
  act rm -f "$root/etc/apt/apt.conf.d/52hotbags"
  act rm -f "$root/usr/lib/sysusers.d/hotbags.conf" "$root/usr/lib/tmpfiles.d/hotbags.conf"
  act rm -f "$root/etc/systemd/journald.conf.d/hotbags.conf" "$root/usr/local/bin/hotbags" "$root/usr/local/bin/hotbags-openclaw"
  act rm -rf "$root/opt/hotbags" "$root/opt/hotbags-releases"
  if live; then act systemctl daemon-reload; fi
  if $purge; then
    step "remove the data and the users"
    act rm -rf "$root/etc/hotbags" "$root/var/lib/hotbags" "$root/var/lib/hotbags.before-upgrade" "$root/var/lib/openclaw"
    if live; then
      for user in hotbags openclaw; do act userdel "$user" || true; done
      act groupdel hotbags-bridge || true
    fi
    if [ -e "$root/var/backups/hotbags" ]; then say "The backups are still there: rm -rf $root/var/backups/hotbags"; fi
  else
    say "The data is still there: /etc/hotbags, /var/lib/hotbags, /var/lib/openclaw. Node and openclaw are too."
    if [ -e "$root/var/lib/hotbags.before-upgrade" ]; then
      say "So is the copy of before the last upgrade, with customers' words in it: $root/var/lib/hotbags.before-upgrade"
    fi
  fi
  exit 0
fi

# ---------------------------------------------------------------------------------------------------------------------------------------

step "look at this machine"
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) refuse "this is a $(uname -m); the release is for x86_64 and aarch64" ;;
esac
[ "$(uname -s)" = Linux ] || refuse "this is $(uname -s); the bridge runs on Linux"

shopt -s nullglob
sidecars=("$HERE"/hotbags-sidecar-*.tgz) plugins=("$HERE"/hotbags-openclaw-plugin-*.tgz)
shopt -u nullglob
[ "${#sidecars[@]} ${#plugins[@]}" = "1 1" ] ||
  refuse "hotbags-sidecar-….tgz and hotbags-openclaw-plugin-….tgz of one release must lie beside this script: \`npm run package\` makes them"
sidecar_tarball=${sidecars[0]} plugin_tarball=${plugins[0]}
version=${sidecar_tarball##*/hotbags-sidecar-} version=${version%.tgz}
[ "${plugin_tarball##*/}" = "hotbags-openclaw-plugin-$version.tgz" ] || refuse "the plugin beside this script is of another release than the sidecar"
(cd "$HERE" && sha256sum --quiet --strict -c SHA256SUMS) ||
  refuse "a file beside this script is not as it was packed (SHA256SUMS): copy them again"

if live; then
  [ "$(id -u)" = 0 ] || $dry_run || refuse "run it as root: sudo $0"
  [ -d /run/systemd/system ] || refuse "systemd does not run this machine (a container?), so nothing would start the bridge"
  systemd=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
  [ "${systemd:-0}" -ge $LEAST_SYSTEMD ] || refuse "systemd $systemd is too old: $LEAST_SYSTEMD (Ubuntu 22.04) is the oldest that can hand over secrets"
  command -v systemd-notify >/dev/null || refuse "systemd-notify is missing; it is part of systemd"
  command -v setpriv >/dev/null || refuse "setpriv is missing: install util-linux"
  lock
  refuse_others
  # Two gateways can't share a port, nor a WhatsApp session.
  if [ ! -e /opt/hotbags ] && (exec 3<>/dev/tcp/127.0.0.1/18789) 2>/dev/null; then
    refuse "something listens on 127.0.0.1:18789 already, which is the OpenClaw gateway's port: stop the one that runs (openclaw gateway stop, as its user) and have nothing start it again"
  fi
  megabytes() { awk -v name="$1:" '$1 == name { print int($2 / 1024) }' /proc/meminfo; }
  memory=$(megabytes MemTotal) swap=$(megabytes SwapTotal)
  [ "$memory" -ge $LEAST_MEMORY_MB ] ||
    refuse "this machine has $memory MB of memory, and OpenClaw alone takes up to 1700 MB: use one with 2 GB and swap, better 4 GB. Of Oracle's always-free shapes that is VM.Standard.A1.Flex; VM.Standard.E2.1.Micro has 1 GB"
  [ $((memory + swap)) -ge $LEAST_MEMORY_AND_SWAP_MB ] ||
    refuse "$memory MB of memory need swap beside them: fallocate -l 2G /swapfile && chmod 600 /swapfile && mkswap /swapfile && swapon /swapfile && echo '/swapfile none swap sw 0 0' >>/etc/fstab"
fi
if [ -e "$root/opt/hotbags" ] && [ ! -L "$root/opt/hotbags" ]; then
  refuse "$root/opt/hotbags is there, and this script did not make it: move it away (mv /opt/hotbags /opt/hotbags.old). Settings and data are elsewhere"
fi

# ---------------------------------------------------------------------------------------------------------------------------------------

etc=$root/etc/hotbags
openclaw_state=$root/var/lib/openclaw/.openclaw
openclaw_config=$openclaw_state/openclaw.json
# Kept as it is, another one's would start its agents on the shop's phone.
if [ -e "$openclaw_config" ] && [ ! -e "$etc/sidecar.env" ] && ! grep -q hotbags "$openclaw_config"; then
  refuse "$openclaw_config is there, of an OpenClaw without the bridge: use a machine of its own, or move that folder away (mv ${openclaw_state%/*} ${openclaw_state%/*}.old)"
fi

# ask VARIABLE QUESTION FAULT_OF [hidden]: what is not given is asked for; FAULT_OF says what is wrong with a value.
ask() {
  local variable=$1 question=$2 fault_of=$3 hidden=${4:-} fault tries
  if [ -n "${!variable}" ]; then
    fault=$($fault_of)
    [ -z "$fault" ] || refuse "$fault"
    return 0
  fi
  if $dry_run; then
    say "  would ask: $question"
    return 0
  fi
  $yes && refuse "$question: not given; see --help"
  [ -t 0 ] || refuse "$question: not given, and there is nobody to ask; see --help"
  for tries in 2 1 0; do
    # shellcheck disable=SC2229 # the variable's name is in the variable
    read -r ${hidden:+-s} -p "$question: " "$variable" || refuse "$question: nothing was given"
    [ -z "$hidden" ] || echo
    fault=$($fault_of)
    [ -n "$fault" ] || return 0
    [ $tries = 0 ] || say "  $fault"
  done
  refuse "$fault"
}
fault_of_url() {
  # In sidecar.env they would end the value, or be taken for something else.
  if [[ $url == *[\#\"\'\`\\]* ]]; then
    echo "the URL of Hot Bags can't have # or quotes or a backslash in it: leave out what begins with #"
  elif ! [[ $url =~ ^https://[^[:space:]]+$ || $url =~ ^http://(127\.0\.0\.1|localhost)(:[0-9]+)?/?$ ]]; then
    echo "$url is no https:// address"
  fi
}
fault_of_token() {
  [[ $token =~ ^[[:graph:]]+$ ]] || echo "the token must be visible characters without a space"
}
fault_of_allow() {
  local number='\+[1-9][0-9]{6,14}'
  [[ ${allow//[[:space:]]/} == '*' || ${allow//[[:space:]]/} =~ ^$number(,$number)*$ ]] ||
    echo "$allow are no numbers in E.164 with commas between, such as +15550001001,+15550001002"
}

if [ ! -e "$etc/sidecar.env" ]; then ask url "URL of Hot Bags (https://…)" fault_of_url; fi
if [ ! -e "$etc/secrets/HOTBAGS_BEARER_TOKEN" ]; then
  if [ -n "$token_file" ]; then token=$(cat "$token_file") || refuse "$token_file can't be read"; fi
  ask token "Token of Hot Bags (HOTBAGS_BEARER_TOKEN there; it is not shown)" fault_of_token hidden
fi
if [ ! -e "$openclaw_config" ]; then
  ask allow "Numbers that may write to the shop, such as +15550001001,+15550001002, or * for everybody" fault_of_allow
  allow=${allow//[[:space:]]/}
fi

# ---------------------------------------------------------------------------------------------------------------------------------------

node_is_fit() {
  command -v node >/dev/null || return 1
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit((major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26 ? 0 : 1)'
}

# At a machine's first boot it is often busy with the system's own updates; and needrestart must ask nobody.
apt=(env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l apt-get -o DPkg::Lock::Timeout=600 -qq)

install_node() {
  if [ -n "$node_tarball" ]; then
    [[ $node_tarball == *linux-$arch* ]] || refuse "$node_tarball is not for this machine (linux-$arch)"
    [[ $node_tarball != *.xz ]] || command -v xz >/dev/null || refuse "there is no xz here: apt-get install xz-utils, or give the .tar.gz"
    act tar -xf "$node_tarball" -C /usr/local --strip-components=1 --no-same-owner --exclude='*.md' --exclude='*/LICENSE'
    return 0
  fi
  command -v apt-get >/dev/null || refuse "there is no apt-get here: give Node by --node node-v$NODE_MAJOR….tar.gz (nodejs.org)"
  local key=/etc/apt/keyrings/nodesource.asc source=https://deb.nodesource.com
  act_quietly "${apt[@]}" install -y ca-certificates curl || true
  act mkdir -p /etc/apt/keyrings
  act curl -fsSL --retry 3 --max-time 60 -o "$key" "$source/gpgkey/nodesource-repo.gpg.key" ||
    refuse "NodeSource can't be reached: fetch node-v$NODE_MAJOR….tar.gz from nodejs.org elsewhere, and give it by --node"
  echo "deb [signed-by=$key] $source/node_$NODE_MAJOR.x nodistro main" | put 644 root:root /etc/apt/sources.list.d/nodesource.list
  act "${apt[@]}" update
  act_quietly "${apt[@]}" install -y nodejs
}

# Between blanks: 2026.9.6 is in 2026.9.60 and 2026.9.6-beta.1 too.
has_openclaw() { [[ " $(openclaw --version 2>/dev/null) " == *" $1 "* ]]; }

install_openclaw() {
  ! has_openclaw "$1" || return 0
  note_change openclaw-gateway.service
  # Nothing of it needs its install scripts here.
  act npm install --global --ignore-scripts --no-fund --no-audit --no-update-notifier --loglevel=error "openclaw@$1" || return 1
  # Its first run completes its installation, in its own folder: as root, or the gateway's user can't run it.
  act_quietly openclaw --version
}

# Not by the copies that gateways make of their plugins, and leave when they are killed, nor by an installation that was cut off.
has_whatsapp() {
  find "$openclaw_state/npm" -path '*/.openclaw-install-stage-*' -prune -o -path '*/@openclaw/whatsapp/package.json' -exec grep -l "\"version\": \"$1\"" {} + 2>/dev/null | grep -q .
}

install_whatsapp() {
  ! has_whatsapp "$1" || return 0
  note_change openclaw-gateway.service
  # With a configuration of its own: the install writes into it, and ours has comments.
  local scratch=/var/lib/openclaw/install.json
  echo '{ "gateway": { "mode": "local" } }' | put 600 openclaw:openclaw $scratch
  act runuser -u openclaw -- env -C /var/lib/openclaw HOME=/var/lib/openclaw \
    OPENCLAW_STATE_DIR=/var/lib/openclaw/.openclaw OPENCLAW_CONFIG_PATH=$scratch OPENCLAW_NO_AUTO_UPDATE=1 \
    openclaw plugins install "npm:@openclaw/whatsapp@$1" --force || return 1
  act rm -f "$scratch" "$scratch.bak"
}

# A release is a folder of its own, named by what is in it, and /opt/hotbags points to the one that runs: to go back is to point back.
digest=$(cat "$sidecar_tarball" "$plugin_tarball" | sha256sum | cut -c1-8)
release=/opt/hotbags-releases/$version-$digest

# is_unpacked TARBALL FOLDER: whether all of it is there, as it was packed. Owners, modes and times are ours.
is_unpacked() {
  local differences
  [ -d "$2" ] || return 1
  differences=$(LC_ALL=C tar -dzf "$1" -C "$2" --strip-components=1 2>&1 | grep -E ' differs?$|^tar: [^:]' | grep -vE '(Mode|Uid|Gid|Mod time) differs$') || true
  [ -z "$differences" ]
}
is_whole() { is_unpacked "$sidecar_tarball" "$root$release" && is_unpacked "$plugin_tarball" "$root$release/plugin"; }
whole=false
if is_whole; then whole=true; fi

if live && ! { $whole && node_is_fit && has_openclaw $OPENCLAW_VERSION && has_whatsapp $WHATSAPP_VERSION; }; then
  for folder in /opt /var/lib; do
    free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge $LEAST_DISK_MB ] || refuse "$folder has $free MB left; $LEAST_DISK_MB are needed"
  done
fi

if live; then
  step "Node $NODE_MAJOR.$NODE_LEAST_MINOR or newer"
  node_is_fit || install_node
  $dry_run || node_is_fit || refuse "$(command -v node || echo node) is $(node --version 2>/dev/null || echo not there), and $NODE_MAJOR.$NODE_LEAST_MINOR or newer is needed: it may be hidden by another one in $PATH"
fi

# ---------------------------------------------------------------------------------------------------------------------------------------

step "the bridge $version in $root$release"
if ! $whole; then
  act rm -rf "$root$release.new"
  act mkdir -p "$root$release.new/plugin"
  act tar -xzf "$sidecar_tarball" -C "$root$release.new" --strip-components=1 --no-same-owner
  act tar -xzf "$plugin_tarball" -C "$root$release.new/plugin" --strip-components=1 --no-same-owner
  # OpenClaw loads no plugin that others can write.
  act chmod -R u+rwX,go+rX,go-w "$root$release.new"
  # Under its name it is taken for whole, also after a cut of the power.
  if live; then act sync --file-system "$root$release.new"; fi
  if [ -e "$root$release" ]; then
    say "  it was damaged, and is made anew"
    note_change "${both[@]}"
    act rm -rf "$root$release.damaged"
    act mv "$root$release" "$root$release.damaged"
  fi
  act mv "$root$release.new" "$root$release"
  act rm -rf "$root$release.damaged"
fi
# What is installed from: the release itself, but for a dry run, which has not unpacked it.
from=$root$release
if [ ! -d "$from" ]; then from=$(mktemp -d) && trap 'rm -rf "$from"' EXIT && tar -xzf "$sidecar_tarball" -C "$from" --strip-components=1; fi

step "users and folders"
put 644 root:root /usr/lib/sysusers.d/hotbags.conf <"$from/systemd/sysusers.conf"
put 644 root:root /usr/lib/tmpfiles.d/hotbags.conf <"$from/systemd/tmpfiles.conf"
if live; then
  act systemd-sysusers hotbags.conf
  act systemd-tmpfiles --create hotbags.conf
else
  act mkdir -p "$etc/secrets" "$root/var/lib/hotbags" "$root/var/lib/openclaw"
  act chmod 700 "$etc/secrets" "$root/var/lib/hotbags" "$root/var/lib/openclaw"
fi

step "settings and secrets"
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
# A secret is made once, and kept.
keep_secret() {
  if [ -e "$etc/secrets/$1" ]; then cat >/dev/null; else put 600 root:root "/etc/hotbags/secrets/$1"; fi
}
printf '%s' "$token" | keep_secret HOTBAGS_BEARER_TOKEN
random | keep_secret OPENCLAW_GATEWAY_TOKEN
random | keep_secret BRIDGE_TOKEN
[ -e "$etc/backup.env" ] || put 600 hotbags:hotbags-bridge /etc/hotbags/backup.env <"$from/systemd/backup.env"
[ -e "$etc/sidecar.env" ] || put 600 hotbags:hotbags-bridge /etc/hotbags/sidecar.env <<END
# Settings of the sidecar, NAME=value: /opt/hotbags/docs/configuration.md has them. Then: systemctl restart hotbags-sidecar
# A secret goes into a file of its name in /etc/hotbags/secrets, and then: install.sh again.
HOTBAGS_BASE_URL=$url
BRIDGE_LISTEN=unix:/run/hotbags/bridge.sock
END
if $dry_run && [ ! -r "$etc/secrets/OPENCLAW_GATEWAY_TOKEN" ]; then
  say "  would write: $etc/gateway.env (600, root:root)"
else
  # OpenClaw takes them from its environment.
  for name in OPENCLAW_GATEWAY_TOKEN BRIDGE_TOKEN; do
    printf '%s=%s\n' "$name" "$(cat "$etc/secrets/$name")"
  done | put 600 root:root /etc/hotbags/gateway.env
fi
if [ ! -e "$openclaw_config" ]; then
  if $dry_run; then
    say "  would write: $openclaw_config (600, openclaw:openclaw)"
  else
    mkdir -p "$openclaw_state"
    chmod 700 "$openclaw_state"
    if live; then chown openclaw:openclaw "$openclaw_state"; fi
    # First all of it: half a configuration would be taken for one that is there, the next time.
    config=$(node "$from/systemd/make-openclaw-config.mjs" "$from/openclaw.json.example" "$allow")
    put 600 openclaw:openclaw /var/lib/openclaw/.openclaw/openclaw.json <<<"$config"
  fi
fi

secrets_of() {
  local unit=$1 name
  echo "# Made by install.sh of what is in /etc/hotbags/secrets."
  echo "[Service]"
  for file in "$etc"/secrets/*; do
    name=${file##*/}
    [[ $name =~ ^(HOTBAGS|BRIDGE|OPENCLAW|ALERT)_[A-Z_]+$ ]] || continue
    if [ "$unit" = hotbags-sidecar.service ] || [[ $name == ALERT_* ]]; then
      echo "LoadCredential=$name:/etc/hotbags/secrets/$name"
    fi
  done
}
# One that the release has not, which is gone back to, is taken away.
units_of() {
  local unit
  for unit in "${units[@]}"; do
    if [ -e "$1/systemd/$unit" ]; then
      put 644 root:root "/etc/systemd/system/$unit" <"$1/systemd/$unit" || return 1
    else
      act rm -f "$root/etc/systemd/system/$unit" "$root/etc/systemd/system/timers.target.wants/$unit" || return 1
    fi
  done
}
step "secrets of the units, and the system's settings"
for unit in hotbags-sidecar.service 'hotbags-alert@.service' hotbags-release-check.service; do
  secrets_of "$unit" | put 644 root:root "/etc/systemd/system/$unit.d/secrets.conf"
done
journald=$root/etc/systemd/journald.conf.d/hotbags.conf
if ! cmp -s "$from/systemd/journald.conf" "$journald"; then
  put 644 root:root /etc/systemd/journald.conf.d/hotbags.conf <"$from/systemd/journald.conf"
  # It reads its limits at its start alone. Nothing that is written meanwhile is lost.
  if live; then act systemctl restart systemd-journald; fi
fi
if $os_updates; then
  put 644 root:root /etc/apt/apt.conf.d/52hotbags <"$from/systemd/unattended-upgrades.conf"
  if live && command -v apt-get >/dev/null && ! command -v unattended-upgrade >/dev/null; then
    act_quietly "${apt[@]}" install -y unattended-upgrades ||
      say "  unattended-upgrades can't be installed now: install it later, or keep the system up to date yourself"
  fi
fi
act mkdir -p "$root/usr/local/bin"
for name in hotbags hotbags-openclaw; do point "/usr/local/bin/$name" "/opt/hotbags/systemd/$name"; done

# ---------------------------------------------------------------------------------------------------------------------------------------

before=$(readlink "$root/opt/hotbags" || true)
if ! live; then
  step "units"
  units_of "$from"
  point /opt/hotbags "$release"
  act systemctl --root="$root" enable hotbags.target hotbags-sidecar.service openclaw-gateway.service "${timers[@]}"
  if $dry_run; then say "Nothing was done." && exit 0; fi
  say "Installed into $root. At its first boot systemd makes the users; run install.sh there once more, for Node and OpenClaw."
  exit 0
fi

# What a release needs around it; in an upgrade that is taken back too.
surround() {
  step "OpenClaw $OPENCLAW_VERSION, and its WhatsApp plugin $WHATSAPP_VERSION"
  install_openclaw $OPENCLAW_VERSION
  install_whatsapp $WHATSAPP_VERSION
  step "units"
  units_of "$from"
  act systemctl daemon-reload
  act systemctl enable -q hotbags.target "${both[@]}" "${timers[@]}"
}

# The checks of /health, one a line: "+ plugin" is well, "- plugin" is not. "- sidecar" where nobody answers.
checks() {
  local status
  status=$(systemctl is-active -q hotbags-sidecar && hotbags status --json 2>/dev/null) || [ $? = 1 ] || { echo "- sidecar"; return 0; }
  node -e 'for (const { name, account, ok } of JSON.parse(process.argv[1]).checks)
    console.log([ok ? "+" : "-", name, account].join(" ").trim())' "$status" 2>/dev/null || echo "- sidecar"
}

# as_well_as WAS NOW, as `checks` says it. What was well must be so again; where something was not (Hot Bags was away, and what waits for
# it waits longer), that goes for the links alone. What the release before did not look at does not count.
as_well_as() {
  local lost
  if grep -qxF -e "- sidecar" <<<"$2"; then return 1; fi
  lost=$(sed -n 's/^- /+ /p' <<<"$2" | grep -xF -f <(grep '^+ ' <<<"$1")) || true
  if grep -q '^- ' <<<"$1"; then lost=$(grep -E '^\+ (plugin|gateway|session_connected|store)( |$)' <<<"$lost") || true; fi
  [ -z "$lost" ]
}

# The same a moment later, with the same processes: one that crashes after a while is up now and then.
is_well() {
  local pids
  pids=$(main_pids)
  as_well_as "$was" "$(checks)" && sleep 5 && [ "$pids" = "$(main_pids)" ] && as_well_as "$was" "$(checks)"
}
main_pids() { systemctl show --value -p MainPID hotbags-sidecar openclaw-gateway; }

state=/var/lib/hotbags
outbox=$openclaw_state/hotbags
kept=$state.before-upgrade

# While it is not known whether a release stays: the one that ran before it, and how well it was. What is cut off then (the power, kill -9)
# is gone on with by the next run. Once /opt/hotbags points to the former one again, there is nothing to go on with; how well that was
# still counts, for it may not run now.
unjudged=/opt/hotbags-releases/.unjudged
cut_off=false was=''
former=$(head -n 1 "$unjudged" 2>/dev/null || true)
if [ -n "$former" ] && [ -e "$former" ]; then
  was=$(tail -n +2 "$unjudged")
  if [ "$former" != "$before" ]; then cut_off=true before=$former; fi
fi

# The databases of both ends, once neither writes: the plugin changes the form of its outbox at its start.
copy_databases() {
  rm -rf "$kept"
  mkdir -m 700 "$kept" "$kept/outbox"
  find "$state" -maxdepth 1 -name 'bridge.sqlite*' -exec cp -a -t "$kept" '{}' +
  # The sidecar's can take a while, and the gateway is to be away as shortly as may be.
  systemctl stop openclaw-gateway.service
  [ ! -e "$outbox" ] || find "$outbox" -maxdepth 1 -name 'outbox.sqlite*' -exec cp -a -t "$kept/outbox" '{}' +
}

may_go_back() { node --disable-warning=ExperimentalWarning "$from/systemd/may-go-back.mjs" "$@"; }

# Gives the former release the databases that it can read: 1 where that would lose messages, 2 where there is no room for them, 3 where it
# can't be told. Neither end may run.
put_back() {
  local queue waiting
  queue=$(may_go_back queue "$state/bridge.sqlite" "$kept/bridge.sqlite") || return 3
  waiting=$(may_go_back outbox "$outbox/outbox.sqlite" "$kept/outbox/outbox.sqlite") || return 3
  if [ "$queue" = not-at-all ] || [ "$waiting" = not-at-all ]; then return 1; fi
  if [ "$queue" = with-the-copy ]; then take_copy bridge.sqlite "$kept" "$state" || return 2; fi
  if [ "$waiting" = with-the-copy ]; then take_copy outbox.sqlite "$kept/outbox" "$outbox" || return 2; fi
}

# take_copy NAME COPIES FOLDER: the database of this name, as it is in the one folder, into the other.
take_copy() {
  local name=$1 copies=$2 folder=$3 file
  # Beside the one that is there first: were it gone when this is cut off, an empty one would be begun.
  rm -rf "$folder/back"
  mkdir "$folder/back" || return 1
  if ! find "$copies" -maxdepth 1 -name "$name*" -exec cp -a -t "$folder/back" '{}' +; then
    rm -rf "$folder/back"
    return 1
  fi
  rm -f "$folder/$name-wal" "$folder/$name-shm"
  # The release before had none.
  [ -e "$folder/back/$name" ] || rm -f "$folder/$name"
  for file in "$folder/back/$name"*; do
    [ ! -e "$file" ] || mv "$file" "$folder" || return 1
  done
  rmdir "$folder/back"
}

# As well as before, within this time; else 1.
becomes_well() {
  local end=$((SECONDS + health_timeout))
  say "  wait until it is as well as before, $health_timeout s at most"
  until is_well; do
    [ $SECONDS -lt $end ] || return 1
    sleep 2
  done
}

# Back to the release that ran before; ends this run.
go_back() {
  unfinished=false
  trap '' INT TERM
  # What fails here (on a full disk) is not to keep the rest from being done: something must run.
  set +e
  local why=0 whole=true openclaw whatsapp
  step "go back to ${before##*/}"
  if [ "$(readlink /opt/hotbags)" != "$before" ]; then
    systemctl stop "${both[@]}"
    put_back
    why=$?
    if [ $why != 0 ]; then
      rm -f "$unjudged"
      systemctl start --no-block "${both[@]}"
      case $why in
        1) why="a database is the new release's, and has taken messages that the copy of before has not: going back would lose them" ;;
        2) why="there is no room to take the databases of before back" ;;
        *) why="a database or its copy can't be read, so it can't be told whether going back would lose messages" ;;
      esac
      refuse "$why. So the new release stays. The copy is in $kept"
    fi
    point /opt/hotbags "$before" || whole=false
    units_of "$before" || whole=false
    systemctl daemon-reload
    # Both are about to start anew.
    rm -f "$changed"
  else
    units_of "$before" || whole=false
    systemctl daemon-reload
  fi
  # Before what may need the network: customers wait for it.
  systemctl start --no-block "${both[@]}"
  openclaw=$(sed -n 's/^OPENCLAW_VERSION=//p' "$before/systemd/install.sh")
  whatsapp=$(sed -n 's/^WHATSAPP_VERSION=//p' "$before/systemd/install.sh")
  if ! { install_openclaw "$openclaw" && install_whatsapp "$whatsapp"; }; then
    say "  OpenClaw $openclaw and its WhatsApp plugin $whatsapp can't be had now: run install.sh of ${before##*/} when npm's registry can be reached"
  fi
  restart_changed
  rm -f "$changed"
  $whole || refuse "the upgrade to $version failed, and could not be taken back wholly (is the disk full?): make room, and run install.sh of ${before##*/}"
  trap 'exit 130' INT TERM
  if ! becomes_well; then
    rm -f "$unjudged"
    refuse "the upgrade to $version was taken back; ${before##*/} runs again, but is NOT as well as before: sudo hotbags doctor"
  fi
  rm -f "$unjudged"
  refuse "the upgrade to $version was taken back; ${before##*/} runs again, as well as before"
}

# From $before to $release; goes back where that is not as well as before.
upgrade() {
  local old now
  if ! $cut_off; then
    now=$(checks)
    # Where it does not run, after an upgrade that was cut off, what counts is how well it was before that.
    [ -n "$was" ] && [ "$now" = "- sidecar" ] || was=$now
  fi
  # Whatever ends it from here on: npm's registry, a copy that finds no room, an impatient Ctrl-C. A connection that was lost ends nothing,
  # nor does a reader of what it says (`| tee`) that has gone away with it.
  unfinished=true
  trap 'if $unfinished; then go_back; fi' EXIT
  trap 'exit 130' INT TERM
  trap '' HUP PIPE
  if ! $cut_off; then
    printf '%s\n' "$before" "$was" >"$unjudged.new"
    sync "$unjudged.new"
    mv "$unjudged.new" "$unjudged"
  fi
  surround
  # The plugin keeps what comes meanwhile.
  systemctl stop hotbags-sidecar.service
  # What was cut off once /opt/hotbags pointed here has made the copies; the databases may be the new release's since.
  if $cut_off; then systemctl stop openclaw-gateway.service; else copy_databases; fi
  point /opt/hotbags "$release"
  systemctl start --no-block "${both[@]}"
  rm -f "$changed"
  if ! becomes_well; then
    say "  it is not:"
    hotbags status || true
    journalctl -u hotbags-sidecar -n 20 --no-pager || true
    go_back
  fi
  unfinished=false
  rm -f "$unjudged"
  # The two that count are kept: the one that runs, and the one before.
  for old in /opt/hotbags-releases/*; do
    [ "$old" = "$release" ] || [ "$old" = "$before" ] || rm -rf "$old"
  done
}

upgraded=false what_now="The bridge $version is installed."
if $cut_off && [ "$before" = "$release" ] && ! $dry_run; then
  step "go back to $version, from an upgrade that was cut off"
  systemctl stop "${both[@]}"
  put_back || say "  a database is the later release's, and $version can't have it without losing messages: the copy of before is in $kept"
fi
if [ "$before" = "$release" ] || [ -z "$before" ] || [ ! -e "$before" ]; then
  if [ "$(readlink /opt/hotbags || true)" = "$release" ]; then
    what_now="The bridge $version was installed already: there was nothing to upgrade."
  fi
  surround
  step "start"
  point /opt/hotbags "$release"
  if ! $dry_run; then rm -f "$unjudged"; fi
  # Not waited for: it may wait for a disk or a network itself. A restart costs customers' messages where it takes OpenClaw too long.
  restart_changed
  act systemctl start --no-block hotbags.target "${both[@]}"
elif $dry_run; then
  step "upgrade from ${before##*/}"
  surround
  say "  would stop both, copy their databases to $kept, start $release, and go back if it is not well in $health_timeout s"
else
  step "upgrade from ${before##*/}$(if $cut_off; then echo ', which was cut off'; fi)"
  upgrade
  upgraded=true what_now="The bridge $version is installed, in place of ${before##*/}."
fi

# Not before the release is the one that stays: they run its code.
act systemctl start --no-block "${timers[@]}"

if $dry_run; then
  say "Nothing was done."
  exit 0
fi
rm -f "$changed"

step "wait for the gateway, which takes half a minute to start, and look whether all is well"
end=$((SECONDS + health_timeout))
while checks | grep -qxE -e '- (sidecar|plugin|gateway)' && [ $SECONDS -lt $end ]; do sleep 2; done
found=$(hotbags doctor 2>&1) || true
say "$found"

# What is not well of what was installed, in a sentence; nothing where all is. $1: what `checks` says, $2: what `hotbags doctor` does.
fault_in() {
  local fails
  if grep -qx -e '- sidecar' <<<"$1"; then
    echo "the sidecar does not answer: journalctl -u hotbags-sidecar -n 50, then sudo hotbags doctor"
  elif grep -qxE -e '- (plugin|gateway)' <<<"$1"; then
    echo "the gateway is starting still: sudo hotbags doctor in a minute; if that fails, journalctl -u openclaw-gateway -n 50"
  elif ! $upgraded; then
    # An upgrade was judged by what was before: Hot Bags may have been away then, too. A phone that is not linked is what comes next.
    fails=$(grep '^fail ' <<<"$2") || true
    if [[ $2 == *"hotbags relink"* ]]; then fails=$(grep -v '^fail  *WhatsApp ' <<<"$fails") || true; fi
    [ -z "$fails" ] || echo "not all is well: do what stands below \"fail\", and then: sudo hotbags doctor"
  fi
}
fault=$(fault_in "$(checks)" "$found")

cat <<END

$what_now From now on:

  sudo hotbags doctor         is everything set up?
  sudo hotbags relink --qr    link the phone: scan the code with WhatsApp on the shop's phone
  sudo hotbags status         are customers being answered?

Logs: journalctl -u hotbags-sidecar -u openclaw-gateway -f. Who may write, and from which groups: /var/lib/openclaw/.openclaw/openclaw.json
END
if [ -n "$fault" ]; then
  printf 'install.sh: %s\n' "$fault" >&2
  exit 3
fi
# A phone that is not linked is what there is to do, and a person is there to do it.
if [[ $found == *"hotbags relink"* ]] && ! $yes && [ -t 0 ] && [ -t 1 ]; then hotbags relink --qr || true; fi
