# `make demo` and `make test` work on a fresh Debian 12 with the Rust toolchain, as root; they install what they need.

PYTHON = /usr/bin/python3
# The tests of the lab to run, e.g. `make lab LAB="-k hold"`.
LAB =
# What to build for, e.g. `make cross TARGET=mips-unknown-linux-musl`; all of them if it is not said.
TARGET = $(shell sed -n 's/^\([^\# ][^ ]*\) .*/\1/p' cross/targets)

# Seconds that each fuzz target runs, e.g. `make fuzz TIME=3600`.
TIME = 60

# What `make cross-container` builds for; all of `make cross` is possible.
CONTAINER = mipsel-unknown-linux-musl armv7-unknown-linux-musleabihf

# The tests of the LuCI app to run, e.g. `make luci LUCI="-k overview"`.
LUCI =

.PHONY: program demo test lint unit lab luci screenshots fuzz bench openwrt cross cross-try cross-test cross-container packages packages-test install root

# The program and, apart, its symbols: what a crash report is read with (docs/troubleshooting.md).
program:
	cargo --config profile.release.strip=false --config 'profile.release.debug="line-tables-only"' build --release --locked
	! readelf -S target/release/siproxd | grep -q '\.symtab' || \
		{ objcopy --only-keep-debug target/release/siproxd target/release/siproxd.debug && objcopy --strip-all target/release/siproxd; }

demo: root install
	@cargo build --release --locked --quiet
	@$(PYTHON) -B tests/lab/demo.py

test: root install unit lab luci openwrt

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	@command -v mandoc >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y -q mandoc
	@! mandoc -T lint docs/siproxd.8 docs/siproxd.conf.5 | grep -v "referenced manual not found: Xr siproxd"

unit:
	cargo test --locked --quiet

lab: root install
	cargo build --release --locked --quiet
	cd tests/lab && PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q -n 2 --dist loadfile --durations=10 $(LAB)

# In Debian's Chromium, with the real daemon.
luci: root install
	@tests/luci/install.sh
	cargo build --release --locked --quiet
	shellcheck tests/luci/*.sh
	tests/luci/lint.sh
	@# More of them than processors: they wait most of the time, for a page to ask again.
	cd tests/luci && PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -p no:cacheprovider -q -n 4 --dist loadfile --durations=5 $(LUCI)

# By hand: the pictures of the LuCI app's pages in docs/img.
screenshots: root install
	@tests/luci/install.sh
	@{ command -v optipng && command -v pngquant; } >/dev/null || apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends optipng pngquant
	cargo build --release --locked --quiet
	$(PYTHON) -B tests/luci/screenshots.py

bench: root install
	cargo build --release --locked --bins --examples
	$(PYTHON) benches/run.py --write docs/performance.md

# There is no unsafe code for a sanitizer to watch. RUSTC_BOOTSTRAP: coverage for libFuzzer without a nightly toolchain.
fuzz:
	@command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
	@for target in $$(ls fuzz/corpus); do \
		mkdir -p fuzz/found/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none $$target fuzz/found/$$target fuzz/corpus/$$target -- \
			-dict=fuzz/sip.dict -max_total_time=$(TIME) -max_len=16384 -print_final_stats=1 || exit 1; \
	done

openwrt: install packages-test
	shellcheck -s dash -e SC3043 openwrt/siproxd/files/siproxd.init openwrt/siproxd/files/translate.sh openwrt/siproxd/files/check.sh
	shellcheck -s dash -e SC3043 tests/openwrt/root/etc/rc.common tests/openwrt/root/lib/functions.sh tests/openwrt/root/lib/functions/*.sh
	shellcheck cross/*.sh tests/lab/lab/jail.sh tests/openwrt/*.sh tests/openwrt/root/usr/sbin/siproxd
	cargo build --release --locked --quiet
	tests/openwrt/run.sh
	tests/openwrt/compare_uci.sh

# What the packages are is tested with this machine's program, without a cross build.
packages-test:
	cargo build --release --locked --quiet
	$(PYTHON) -B tests/packages/test_packages.py
	$(PYTHON) -B tests/packages/test_luci.py

cross:
	@cross/build.sh $(TARGET)

packages: cross
	@$(PYTHON) -B openwrt/pack/pack.py target/packages

cross-try: root install cross
	@cross/try.sh $(TARGET)

# Builds all of them, compares sizes with `cross/sizes`, and runs the tests and a call under emulation.
cross-test: root install cross
	@cross/test.sh

# By hand: builds with `cross` in containers of podman, and compares with the programs of `make cross`.
cross-container: root install
	@cross/container.sh $(CONTAINER)

install:
	@tests/lab/install.sh

root:
	@[ "$$(id -u)" -eq 0 ] || { echo "This makes network namespaces, and so needs root: run it as root, or with sudo."; exit 1; }
