#!/usr/bin/python3
"""What procd makes of a message: shows it, a member a line, and says of each instance whether it is started, started anew, or left alone.

`procd.py STATE set|add|delete`: STATE is a file that keeps what it has been told; the message is read from stdin, and for `delete` it is
the name of an instance, or empty.
"""

import json
import sys
from hashlib import md5
from pathlib import Path


def shown(value: object, indent: str = "") -> str:
    """Objects over several lines, and what has none in it on one."""
    if isinstance(value, dict) and value:
        inner = indent + "  "
        members = [f"{inner}{name}: {shown(value[name], inner)}" for name in sorted(value)]
        return "{\n" + "\n".join(members) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        if indent == "  ":
            return "[\n" + "\n".join(f"{indent}  {json.dumps(one)}" for one in value) + f"\n{indent}]"
        return "[" + ", ".join(shown(one, indent) for one in value) + "]"
    return json.dumps(value)


def told(instance: dict[str, object]) -> str:
    """All that makes procd start an instance anew when it is another: `data` does not, what is in a `file` does."""
    files = instance.get("file", [])
    content = [Path(name).read_bytes() if Path(name).exists() else b"" for name in files] if isinstance(files, list) else []
    rest = {name: value for name, value in instance.items() if name != "data"}
    return json.dumps(rest, sort_keys=True) + "".join(md5(one).hexdigest() for one in content)


def main() -> None:
    """Takes one message."""
    state_file, method = Path(sys.argv[1]), sys.argv[2]
    state = json.loads(state_file.read_text()) if state_file.exists() else {"message": "", "running": {}}
    running: dict[str, str] = state["running"]
    if method == "delete":
        name = sys.stdin.read().strip()
        for one in [one for one in running if name in ("", one)]:
            print(f"procd ends {one}")
            del running[one]
        state["message"] = ""
    else:
        message = json.load(sys.stdin)
        text = shown(message)
        print(f"service {method} " + ("as before" if text == state["message"] else text))
        state["message"] = text
        instances: dict[str, dict[str, object]] = message["instances"]
        for name, instance in instances.items():
            now = told(instance)
            what = "starts" if name not in running else "leaves alone" if running[name] == now else "starts anew"
            print(f"procd {what} {name}")
            running[name] = now
        for name in [name for name in running if method == "set" and name not in instances]:
            print(f"procd ends {name}")
            del running[name]
    state_file.write_text(json.dumps(state))


main()
