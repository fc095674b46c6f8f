#!/bin/sh
# install.sh run|dev: makes .venv from the hashed lock where it is missing or the lock changed; says each step with its
# time and size; where it cannot, ends with one sentence and the exact command to type.
# POSIX sh; every path is relative or quoted, for folders with spaces and Chinese names.
set -eu
cd "$(dirname "$0")/.."
profile=${1:-run}
case $profile in
  run) lock=requirements.lock size='约 290 MB' ;;
  dev) lock=requirements-dev.lock size='约 560 MB' ;;
  *) echo "用法：.ci/install.sh run|dev" >&2; exit 2 ;;
esac
again="make install"
[ "$profile" = dev ] && again="make test"
log=var/install.log

say() { printf '%s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }
root() { [ "$(id -u)" = 0 ]; }
megabytes() { du -sm .venv 2>/dev/null | cut -f1; }

fit() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
find_python() {
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && fit "$candidate"; then printf '%s' "$candidate"; return; fi
  done
}

apt_install() {  # apt_install PACKAGE…: as root; says first what and how much
  began=$(date +%s)
  export DEBIAN_FRONTEND=noninteractive
  failed_apt="软件包 $* 没有装上（详见 $log）：请联网后运行 apt-get install $*，再运行 $again"
  apt-get -q update >>"$log" 2>&1 || stop "$failed_apt"
  sizes=$(LC_ALL=C apt-get -q --assume-no --no-install-recommends install "$@" 2>>"$log" \
    | sed -n 's/^After this operation, \(.*\) of additional.*/\1/p')
  say "将安装 Debian 软件包：$*（${sizes:-大小未知}）"
  apt-get -q -y --no-install-recommends install "$@" >>"$log" 2>&1 || stop "$failed_apt"
  say "  $*：$(($(date +%s) - began)) 秒，${sizes:-大小未知}"
}

need_packages() {  # need_packages WHAT PACKAGE…: installs them when root, else says what to type
  what=$1; shift
  if ! command -v apt-get >/dev/null 2>&1; then
    stop "$what：请用本机的软件包工具安装 Python 3.11 以上及其 venv，再运行 $again"
  fi
  root || stop "$what：请运行 sudo apt-get install $* ，再运行 $again"
  apt_install "$@"
}

has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

why_pip_failed() {
  if grep -q 'HASHES' "$log"; then
    echo "依赖与锁文件的校验值不符，没有安装：请检查软件源是否可信，再运行 $again"
  elif grep -qiE 'no space left' "$log"; then
    echo "磁盘已满，需要${size}：请腾出空间后运行 $again"
  elif grep -qiE 'NewConnectionError|name resolution|Network is unreachable|Connection refused|timed out|Max retries|ProxyError|from versions: none' "$log"; then
    echo "连不上软件源，依赖没有装上：请接通网络后运行 $again"
  else
    echo "依赖没有装上（详见 $log 末尾）：请排除后运行 $again"
  fi
}

mkdir -p var
: >"$log"
wanted="$(cksum <"$lock") $profile"
stamp=.venv/.mingluo
# A development environment holds all that running needs.
if [ "$profile" = run ] && [ "$(cat "$stamp-dev" 2>/dev/null)" = "$(cksum <requirements-dev.lock) dev" ] && fit .venv/bin/python; then
  exit 0
fi
if [ "$(cat "$stamp-$profile" 2>/dev/null)" = "$wanted" ] && fit .venv/bin/python; then exit 0; fi

if ! fit .venv/bin/python; then
  python=$(find_python)
  if [ -z "$python" ]; then
    need_packages "找不到 Python 3.11 以上" python3 python3-venv
    python=$(find_python)
    [ -n "$python" ] || stop "本机的 Python 太旧，需要 3.11 以上：请安装后运行 PYTHON=/路径/python3.11 $again"
  fi
  if ! has_venv "$python"; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package=python3-venv
    [ "$("$python" -c 'import sys; print(sys.executable)')" = /usr/bin/python3 ] || package="python$version-venv"
    need_packages "Python 缺少 venv" "$package"
    has_venv "$python" || stop "Python 仍缺少 venv：请安装 python$version-venv 后运行 $again"
  fi
  began=$(date +%s)
  rm -rf .venv
  "$python" -m venv .venv >>"$log" 2>&1 || stop "建不了 .venv（详见 $log）：请检查本文件夹是否可写，再运行 $again"
  say "  .venv：$(($(date +%s) - began)) 秒，$(megabytes) MB"
fi

began=$(date +%s)
say "安装依赖（$lock，$size，首次约一分钟）"
failed=var/install.failed
rm -f "$failed"
{
  PIP_USER=0 PIP_REQUIRE_VIRTUALENV=0 .venv/bin/python -m pip --disable-pip-version-check --no-input --retries 2 --timeout 15 \
    install --progress-bar off --require-hashes -r "$lock" 2>&1 || : >"$failed"
} | tee -a "$log" | while IFS= read -r line; do
  case $line in
    *Downloading*\(*\)* | *'Using cached'*\(*\)*)
      say "  $(printf '%s' "$line" | sed -E 's#^ *(Downloading|Using cached) *##; s#[a-z]+://[^ ]*/##; s#-(py|cp)[0-9][^ ]*[.]whl##')，$(($(date +%s) - began)) 秒" ;;
    'Installing collected'*) say "  写入 .venv …" ;;
  esac
done
if [ -e "$failed" ]; then rm -f "$failed"; stop "$(why_pip_failed)"; fi
printf '%s' "$wanted" >"$stamp-$profile"
say "  依赖装好：$(($(date +%s) - began)) 秒，.venv 共 $(megabytes) MB"
