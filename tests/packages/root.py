"""A router's root directory for tests, and what opkg and apk do to it with a package, as far as a package can tell."""

import gzip
import io
import pathlib
import subprocess
import tarfile

import adb

# OpenWrt's functions.sh, as far as packages call it: what it does is written down, an account is added.
FUNCTIONS = """\
add_group_and_user() {
	local control=$IPKG_INSTROOT/usr/lib/opkg/info/${1:-$pkgname}.control users
	users=$(cat "$IPKG_INSTROOT/lib/apk/packages/$pkgname.rusers" 2>/dev/null || sed -n 's/^Require-User: //p' "$control" 2>/dev/null)
	[ -n "$users" ] || return 0
	grep -q "^${users%%:*}:" "$IPKG_INSTROOT/etc/passwd" || echo "${users%%:*}:x:32768:32768::/:/bin/false" >>"$IPKG_INSTROOT/etc/passwd"
}
list_of() {
	echo "$IPKG_INSTROOT/usr/lib/opkg/info/$1.list $IPKG_INSTROOT/lib/apk/packages/$1.list"
}
default_postinst() {
	local name=${1##*/}
	name=${name%.*}
	[ -z "$1" ] || add_group_and_user "$name"
	for script in $(cat $(list_of "${name:-$pkgname}") 2>/dev/null | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || echo "enable $script" >>"$IPKG_INSTROOT/calls"
		echo "start $script" >>"$IPKG_INSTROOT/calls"
	done
}
default_prerm() {
	local name=${1##*/}
	name=${name%.*}
	for script in $(cat $(list_of "${name:-$pkgname}") 2>/dev/null | grep '^/etc/init.d/'); do
		[ "$PKG_UPGRADE" = 1 ] || echo "disable $script" >>"$IPKG_INSTROOT/calls"
		echo "stop $script" >>"$IPKG_INSTROOT/calls"
	done
}
"""


def unpack(ipk: bytes) -> dict:
    """`data` and `control`, by path, and the outer members' names in their order."""
    outer = tar(gunzip(ipk))
    assert outer["./debian-binary"].content == b"2.0\n"
    return {"names": list(outer), "outer": outer, **{part: tar(gunzip(outer[f"./{part}.tar.gz"].content)) for part in ("data", "control")}}


def gunzip(data: bytes) -> bytes:
    """Checks that neither a name nor a time is in it."""
    assert data[3] == 0 and data[4:8] == bytes(4), "name or time"
    return gzip.decompress(data)


class Member:
    """Of a tar."""

    def __init__(self, info: tarfile.TarInfo, content: bytes | None) -> None:
        self.info, self.content = info, content


def tar(data: bytes) -> dict[str, Member]:
    """By name, in their order."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {info.name: Member(info, archive.extractfile(info).read() if info.isreg() else None) for info in archive}


class Root:
    """The directory."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        for directory in ("etc", "lib/apk/packages", "usr/lib/opkg/info"):
            (path / directory).mkdir(parents=True)
        (path / "lib/functions.sh").write_text(FUNCTIONS)
        (path / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/ash\n")

    def run(self, script: pathlib.Path, *arguments: str, **variables: str) -> None:
        """As opkg and apk do."""
        environment = {"IPKG_INSTROOT": str(self.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | variables
        subprocess.run(["sh", script, *arguments], env=environment, check=True)

    def calls(self) -> list[str]:
        """What the scripts have done since the last time."""
        file = self.path / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def put(self, path: str, mode: int, content: bytes | None, conffiles: list[str], suffix: str) -> None:
        """A directory or a file. A conffile that is there and differs stays, and the new one is put beside it."""
        place = self.path / path
        if content is None:
            place.mkdir(exist_ok=True)
        else:
            if "/" + path in conffiles and place.exists() and place.read_bytes() != content:
                place = place.with_name(place.name + suffix)
            place.write_bytes(content)
        place.chmod(mode)

    def opkg_install(self, name: str, ipk: bytes, replaced: tuple[str, ...] = (), **variables: str) -> None:
        """`replaced` are files of a package that it takes the place of: opkg forgets that they are ours."""
        package, info = unpack(ipk), self.path / "usr/lib/opkg/info"
        conffiles = package["control"]["./conffiles"].content.decode().split() if "./conffiles" in package["control"] else []
        for path, member in package["data"].items():
            self.put(path.removeprefix("./"), member.info.mode, member.content, conffiles, "-opkg")
        for path, member in package["control"].items():
            if member.content is not None:
                (info / f"{name}.{path.removeprefix('./')}").write_bytes(member.content)
        files = [path.removeprefix(".") for path, member in package["data"].items() if member.content is not None]
        (info / f"{name}.list").write_text("".join(f"{path}\n" for path in files if path not in replaced))
        self.run(info / f"{name}.postinst", "configure", **variables)

    def opkg_remove(self, name: str) -> None:
        """All that is on the list, but for conffiles that were changed, which here are all."""
        info = self.path / "usr/lib/opkg/info"
        files = (info / f"{name}.list").read_text().split()
        conffiles = (info / f"{name}.conffiles").read_text().split()
        self.run(info / f"{name}.prerm", "remove")
        for path in set(files) - set(conffiles):
            (self.path / path[1:]).unlink()
        self.run(info / f"{name}.postrm", "remove")
        for file in info.glob(f"{name}.*"):
            file.unlink()

    def apk_install(self, apk: bytes, moment: str) -> None:
        """`moment` is the script to run."""
        package = adb.read(apk)
        conffiles = [f"/{path}" for path in package["paths"] if path.startswith("etc/")]
        for path, entry in package["paths"].items():
            if path:
                self.put(path, entry["mode"], entry["content"], conffiles, ".apk-new")
        script = self.path / "script"
        script.write_text(package["scripts"][moment])
        self.run(script)
        script.unlink()
