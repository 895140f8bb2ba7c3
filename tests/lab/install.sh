#!/bin/sh
# Installs the Debian packages that the lab, the demo and the benchmark need, and the PJSUA2 module for Python, which Debian
# does not have; quick where nothing is missing.
# No package's own service is started, and none stays enabled to start by itself.
set -eu

packages="baresip-core busybox conntrack curl iproute2 kamailio kamailio-extra-modules kamailio-presence-modules netcat-openbsd nftables
          procps python3 python3-pip python3-pytest python3-pytest-xdist rtpengine-daemon shellcheck sip-tester sipsak socat strace tcpdump zsh"
policy=/usr/sbin/policy-rc.d
# A ready-made module of the PJSIP project's library; it stays beside what is built, as tests/lab/lab/pjsua.py looks for it.
pjsua2="pjsua2-python==2.15.1.post1"
pjsua2_dir="${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/lab/pjsua2"

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Without it only the tests that use it fail, and say so.
install_pjsua2() {
    [ ! -e "$pjsua2_dir/pjsua2/__init__.py" ] || return 0
    echo "Installing $pjsua2"
    rm -rf "$pjsua2_dir" "$pjsua2_dir.new"
    # Into place only when it is whole.
    timeout 300 /usr/bin/python3 -m pip install --quiet --no-deps --only-binary :all: --disable-pip-version-check \
        --root-user-action ignore --target "$pjsua2_dir.new" "$pjsua2" &&
        mv "$pjsua2_dir.new" "$pjsua2_dir" ||
        echo "$pjsua2 could not be installed: the tests of transfers and busy lamps will fail." >&2
}

missing=
for package in $packages; do
    installed "$package" || missing="$missing $package"
done
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
if [ -z "$missing" ]; then
    install_pjsua2
    exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
    echo "To install$missing, this needs root." >&2
    exit 1
fi

# What Debian asks before a service is started (/usr/share/doc/init-system-helpers/README.policy-rc.d.gz):
# 101 is "no". Whatever stood there comes back afterwards.
kept=
restore() {
    rm -f "$policy"
    if [ -n "$kept" ]; then
        mv "$kept" "$policy"
    fi
}
trap restore EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$policy" ] || [ -L "$policy" ]; then
    mv "$policy" "$policy.siproxd-lab"
    kept="$policy.siproxd-lab"
fi
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
echo "Installing$missing"
apt-get update -qq
# shellcheck disable=SC2086
apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $missing >/dev/null

# A service that was never started here shall not come up at the next boot either.
for service in kamailio rtpengine-daemon ngcp-rtpengine-daemon; do
    case " $missing " in
    *" ${service#ngcp-} "*) [ ! -d /run/systemd/system ] || systemctl disable --quiet "$service" 2>/dev/null || true ;;
    esac
done

install_pjsua2
