#!/bin/sh
# Install what the tests of the web page and of napari need beside Python: a browser, a screen in
# memory, the libraries of Qt. Where that cannot be done those tests skip, and this says so.
packages="chromium xvfb libgl1-mesa-dri libegl1 libxcb-cursor0 libxcb-icccm4 libxcb-image0
libxcb-keysyms1 libxcb-render-util0 libxcb-xkb1 libxkbcommon-x11-0"

if command -v dpkg-query >/dev/null 2>&1; then
    missing=
    for package in $packages; do
        state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)
        [ "$state" = "install ok installed" ] || missing="$missing $package"
    done
    [ -z "$missing" ] && exit 0
else
    command -v chromium >/dev/null 2>&1 && command -v Xvfb >/dev/null 2>&1 && exit 0
    missing=" chromium xvfb"
fi

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the tests of the web page and napari:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >/dev/null 2>&1
    # shellcheck disable=SC2086  # a list of names
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 && exit 0
fi
echo "the tests of the web page and napari skip without:$missing (as root: apt-get install)"
