#!/usr/bin/python3
"""aborted.py PROGRAM EMULATOR...: aborts siproxd while it waits, and finds by PROGRAM.debug in which function that was.

PROGRAM is for 32-bit MIPS; EMULATOR is qemu with its options, which writes a core file for who is emulated. It runs in a network namespace
that the caller makes.
"""

import pathlib
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

# Seconds until siproxd waits, on a machine that does other things.
START_TIMEOUT = 60
PT_LOAD, PT_NOTE, NT_PRSTATUS, NT_GNU_BUILD_ID = 1, 4, 1, 3
# Of `struct elf_prstatus` on 32-bit MIPS: where the registers are, and which of them is the program counter.
REGISTERS, COUNT, RETURN_ADDRESS, PROGRAM_COUNTER = 72, 45, 37, 40
# Where musl waits for the kernel, and what called that.
WAITS_IN = ["sccp", "__syscall_cp"]


def core_of(command: list[str], directory: pathlib.Path) -> bytes:
    """Starts siproxd, aborts it as soon as it is ready, and returns its core file."""
    config, log = directory / "siproxd.conf", directory / "siproxd.log"
    config.write_text("if_inbound = lo\nif_outbound = lo\ndebug_level = -1\n")
    unlimited = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with log.open("wb") as output:
        daemon = subprocess.Popen([*command, "-c", config], stdout=output, stderr=output, cwd=directory, preexec_fn=unlimited)
    end = time.monotonic() + START_TIMEOUT
    while not is_waiting(daemon.pid, log):
        if daemon.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"siproxd is not ready:\n{log.read_text(errors='replace')}")
        time.sleep(0.1)
    daemon.send_signal(signal.SIGABRT)
    if daemon.wait(START_TIMEOUT) != -signal.SIGABRT:
        raise SystemExit(f"siproxd ended with {daemon.returncode}")
    cores = list(directory.glob("*.core"))
    if len(cores) != 1:
        raise SystemExit(f"qemu has written {cores}")
    return cores[0].read_bytes()


def is_waiting(pid: int, log: pathlib.Path) -> bool:
    """Whether it has said that it serves, and sleeps."""
    state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "listening" in log.read_text(errors="replace") and state == "S"


class Core:
    """A core file of 32 bits."""

    def __init__(self, data: bytes) -> None:
        assert data[:5] == b"\x7fELF\x01", "no ELF of 32 bits"
        self.data, self.order = data, ">" if data[5] == 2 else "<"
        offset, count = self.words("I", 28)[0], self.words("H", 44)[0]
        self.segments = [self.words("8I", offset + 32 * number) for number in range(count)]

    def words(self, form: str, place: int, data: bytes | None = None) -> tuple[int, ...]:
        return struct.unpack_from(self.order + form, self.data if data is None else data, place)

    def registers(self) -> tuple[int, ...]:
        """Of the thread that was aborted."""
        for kind, offset, _, _, size, *_ in self.segments:
            place = offset
            while kind == PT_NOTE and place < offset + size:
                name_size, length, note = self.words("III", place)
                content = place + 12 + -(-name_size // 4) * 4
                if note == NT_PRSTATUS:
                    return self.words(f"{COUNT}I", content + REGISTERS)
                place = content + -(-length // 4) * 4
        raise SystemExit("the core file has no registers")

    def build_id(self) -> str:
        """Of the program that was in memory."""
        head = struct.pack(self.order + "III4s", 4, 20, NT_GNU_BUILD_ID, b"GNU\0")
        for kind, offset, _, _, size, *_ in self.segments:
            place = self.data.find(head, offset, offset + size)
            if kind == PT_LOAD and place >= 0:
                return self.data[place + len(head) :][:20].hex()
        raise SystemExit("the core file has no build id")


def main() -> None:
    """Exits with an error if the function is not found, or is another one than that in which siproxd waits."""
    program = str(pathlib.Path(sys.argv[1]).resolve())
    symbols = f"{program}.debug"
    with tempfile.TemporaryDirectory() as scratch:
        core = Core(core_of([*sys.argv[2:], program], pathlib.Path(scratch)))
    notes = subprocess.run(["readelf", "-n", symbols], check=True, capture_output=True, text=True).stdout
    if core.build_id() not in notes:
        raise SystemExit(f"the program has the build id {core.build_id()}, its symbols have another:\n{notes}")
    registers = core.registers()
    # A return address is behind the call and what MIPS does in its delay slot.
    addresses = [hex(registers[PROGRAM_COUNTER]), hex(registers[RETURN_ADDRESS] - 8)]
    command = ["addr2line", "-f", "-e", symbols, *addresses]
    functions = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[::2]
    if functions != WAITS_IN:
        raise SystemExit(f"{addresses} are in {functions}, and not in {WAITS_IN}")
    print(f"aborted at {addresses[0]}, which is in {functions[0]}, called by {functions[1]}; build id {core.build_id()}")


main()
