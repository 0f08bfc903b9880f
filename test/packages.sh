#!/usr/bin/env bash
# Installs the programs that the end-to-end tests talk to, if any is missing.
set -euo pipefail

packages=(
  ffmpeg
  rtmpdump
  gstreamer1.0-tools
  gstreamer1.0-plugins-base
  gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly
  gstreamer1.0-libav
  redis-server
  iproute2
  openssl
  nftables
  strace
  nginx
  libnginx-mod-rtmp
  haproxy
  vlc-bin
  vlc-plugin-base
  prometheus
  chromium
  fonts-inter
)

# Node.js need not come from Debian.
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
  # Debian starts it as a service, of which the tests want the programs only.
  if [[ " ${missing[*]} " == *" prometheus "* ]]; then
    "${sudo[@]}" systemctl --quiet disable prometheus
    [ ! -d /run/systemd/system ] || "${sudo[@]}" systemctl stop prometheus
  fi
fi

# from_npm installs the packages of a folder of tests, exactly as they are locked. Their
# install scripts would fetch programs that nothing here needs.
from_npm() {
  cd "$1"
  if ! cmp -s package-lock.json node_modules/.installed; then
    echo "installing: $2 (npm)"
    npm ci --silent --ignore-scripts
    cp package-lock.json node_modules/.installed
  fi
}

cd "$(dirname "$0")"
(from_npm ffmpeg8 "FFmpeg 8.1") # which no stable Debian has: a prebuilt library
(from_npm browser "playwright-core and axe-core")
