"""Packages of opkg (.ipk): OpenWrt up to and including 24.10.

A gzipped tar of ./debian-binary, ./data.tar.gz and ./control.tar.gz, in this order, as OpenWrt's build writes it.
"""

import gzip
import io
import tarfile

from recipe import Entry, Package

def script(package: Package, before: str, action: str) -> str:
    """OpenWrt's own action, of its functions.sh, for the moment after the installation or before the removal.

    It finds the init script in opkg's list of the package's files. Where the package took another's place, opkg has removed that
    after it noted whose the files are now, and so has forgotten those that both have: they are put on the list again first.
    """
    return f"""#!/bin/sh
{before}{forgotten(package)}[ -s ${{IPKG_INSTROOT}}/lib/functions.sh ] || exit 0
. ${{IPKG_INSTROOT}}/lib/functions.sh
{action} $0 $@
"""


def forgotten(package: Package) -> str:
    """Puts the files on opkg's list of them, of a package that may take another's place."""
    if not package.conflicts:
        return ""
    files = " ".join("/" + entry.path for entry in package.entries if entry.content is not None)
    return f"""list=${{IPKG_INSTROOT}}/usr/lib/opkg/info/{package.name}.list
for file in {files}; do
	[ ! -e $list ] || grep -qxF $file $list || echo $file >>$list
done
"""


def postinst(package: Package) -> str:
    """Adds the account, enables and starts the service."""
    return script(package, '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n', "default_postinst")


def prerm(package: Package) -> str:
    """Stops and disables the service."""
    return script(package, "", "default_prerm")


def postrm(package: Package) -> str:
    """Removes what opkg does not know of any more, see `script`; conffiles are for opkg to judge."""
    conffiles = package.installed_conffiles()
    files = ["/" + entry.path for entry in package.entries if entry.content is not None]
    files = " ".join(f"${{IPKG_INSTROOT}}{file}" for file in files if file not in conffiles)
    return f"""#!/bin/sh
[ "$1" != remove ] || rm -f {files}
"""


def file_name(package: Package) -> str:
    """As OpenWrt's build names it."""
    return f"{package.name}_{package.version}_{package.architecture}.ipk"


def build(package: Package) -> bytes:
    """The package's bytes: the same for the same package."""
    data = tar(package.entries, package.time)
    conffiles = package.installed_conffiles()
    texts = {
        "conffiles": (0o644, "".join(path + "\n" for path in conffiles)),
        "control": (0o644, control(package, len(data))),
        "postinst": (0o755, postinst(package)),
        # What default_postinst runs.
        "postinst-pkg": (0o755, package.postinst + "\n" if package.postinst else ""),
        "postrm": (0o755, postrm(package) if package.conflicts else ""),
        "prerm": (0o755, prerm(package)),
    }
    members = [Entry(name, mode, text.encode()) for name, (mode, text) in texts.items() if text]
    outer = [
        Entry("debian-binary", 0o644, b"2.0\n"),
        Entry("data.tar.gz", 0o644, compress(data)),
        Entry("control.tar.gz", 0o644, compress(tar(members, package.time))),
    ]
    return compress(tar(outer, package.time, has_root=False))


def control(package: Package, installed_size: int) -> str:
    """The fields in the order of OpenWrt's build, which has no Replaces: it is what lets opkg take the C package's place in one go."""
    fields = [
        ("Package", package.name),
        ("Version", package.version),
        ("Depends", ", ".join(package.depends)),
        ("Conflicts", ", ".join(package.conflicts)),
        ("Replaces", ", ".join(package.conflicts)),
        ("Provides", ", ".join(package.provides)),
        ("SourceName", package.name),
        ("License", package.license),
        ("LicenseFiles", package.license_files),
        ("Section", package.section),
        ("Require-User", package.users),
        ("SourceDateEpoch", str(package.time)),
        ("URL", package.url),
        ("Maintainer", package.maintainer),
        ("Architecture", package.architecture),
        ("Installed-Size", str(installed_size)),
        ("Description", package.description),
    ]
    return "".join(f"{name}: {value}\n" for name, value in fields if value)


def tar(entries: list[Entry], time: int, has_root: bool = True) -> bytes:
    """A GNU tar, everything root's."""
    bytes_ = io.BytesIO()
    with tarfile.open(fileobj=bytes_, mode="w", format=tarfile.GNU_FORMAT) as archive:
        if has_root:
            archive.addfile(header(Entry(".", 0o755, None), time))
        for entry in entries:
            archive.addfile(header(entry, time), io.BytesIO(entry.content or b""))
    return bytes_.getvalue()


def header(entry: Entry, time: int) -> tarfile.TarInfo:
    """Of one member, its owner a number alone."""
    info = tarfile.TarInfo("." if entry.path == "." else f"./{entry.path}")
    info.mode, info.mtime = entry.mode, time
    if entry.content is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = len(entry.content)
    return info


def compress(data: bytes) -> bytes:
    """As `gzip -9n`: neither name nor time."""
    return gzip.compress(data, 9, mtime=0)
