"""Our transfer beside magic-wormhole's, and small files beside tar, in one run, taking turns.

usage: peers.py BIN OUT [WORMHOLE]

BIN has p2p-relay, send_r and recv_r; OUT is a folder for the figures; WORMHOLE is the bin folder of an
environment with magic-wormhole, its mailbox server and its transit relay. A rival that is missing is
skipped by name. Times are from the sender's start until both sides have ended.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SIZE = int(os.environ.get("SIZE", "1000000000"))
FILES = 10_000
FILE_SIZE = 4096
MEMORY_LIMIT = 32 << 10  # KiB
SECRET = "lusab-babad-gutih-tugad"


class Side:
    """A program that is waited for, with its time of processor and its memory."""

    def __init__(self, command, **options):
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        self.child = subprocess.Popen(command, **options)

    def end(self, what):
        said = self.child.stderr.read().decode(errors="replace") if self.child.stderr else ""
        _, status, usage = os.wait4(self.child.pid, 0)
        self.child.returncode = os.waitstatus_to_exitcode(status)
        if self.child.returncode != 0:
            sys.exit(f"{what} ended with {self.child.returncode}: {said}")
        return usage


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


class Relay:
    """Our relay; says when a receiver waits."""

    def __init__(self, binaries):
        self.child = subprocess.Popen(
            [f"{binaries}/p2p-relay", "--bind", "127.0.0.1", "0"], stderr=subprocess.PIPE, text=True
        )
        self.port = self.child.stderr.readline().rsplit(":", 1)[1].strip()

    def await_listener(self):
        while not self.child.stderr.readline().startswith("registered"):
            pass

    def cpu(self):
        fields = open(f"/proc/{self.child.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(binaries, relay, secret):
    """Runs our two programs over some paths; seconds, the sides' and the relay's processor time, memory."""

    def run(paths, inbox):
        environment = dict(os.environ)
        environment.pop("P2PXFER_SECRET", None)
        if secret:
            environment["P2PXFER_SECRET"] = SECRET
        before = relay.cpu()
        meeting = ["bench", "127.0.0.1", relay.port]
        receiver = Side([f"{binaries}/recv_r", "-q", "-y", "-o", inbox, "-", *meeting], env=environment)
        relay.await_listener()
        begun = time.monotonic()
        sender = Side([f"{binaries}/send_r", "-q", *paths, *meeting], env=environment)
        sent, received = sender.end("send_r"), receiver.end("recv_r")
        return figures(begun, sent, received) | {"relay_cpu": relay.cpu() - before}

    return run


def wormhole(environment, servers):
    mailbox, transit = servers
    count = 0

    def run(paths, inbox):
        nonlocal count
        count += 1
        # Nobody listens, so that the bytes go through the relay, as ours do.
        common = [
            f"{environment}/wormhole",
            "--relay-url", f"ws://127.0.0.1:{mailbox}/v1",
            "--transit-helper", f"tcp:127.0.0.1:{transit}",
        ]
        code = f"{count}-bench-mark"
        begun = time.monotonic()
        sender = Side([*common, "send", "--no-listen", "--hide-progress", "--code", code, *paths])
        receiver = Side(
            [*common, "receive", "--no-listen", "--hide-progress", "--accept-file", code],
            cwd=inbox,
        )
        return figures(begun, sender.end("wormhole send"), receiver.end("wormhole receive"))

    return run


def tar(relay, scripts):
    def script(name, lines):
        path = os.path.join(scripts, name)
        with open(path, "w") as file:
            file.write("#!/bin/sh\n" + lines)
        os.chmod(path, 0o755)
        return path

    def run(paths, inbox):
        parent, name = os.path.split(paths[0])
        # The relay's answer to the caller goes to the archiver's standard input, which it does not read.
        out = script("out", f"printf 'Ctar$'\nexec tar c -C '{parent}' '{name}'\n")
        into = script("into", f"printf 'Ttar$'\nexec tar x -C '{inbox}'\n")
        ends = ["socat", "-t", "600", f"TCP:127.0.0.1:{relay.port}"]
        receiver = Side([*ends, f"EXEC:{into}"])
        relay.await_listener()
        begun = time.monotonic()
        sender = Side([*ends, f"EXEC:{out}"])
        return figures(begun, sender.end("tar c"), receiver.end("tar x"))

    return run


def figures(begun, sent, received):
    cpu = [usage.ru_utime + usage.ru_stime for usage in (sent, received)]
    memory = max(sent.ru_maxrss, received.ru_maxrss)
    return {"seconds": time.monotonic() - begun, "cpu": sum(cpu), "memory": memory}


def same(one, other):
    return subprocess.run(["diff", "-r", one, other], stdout=subprocess.DEVNULL).returncode == 0


def contest(rivals, path, place):
    """Lets the rivals take turns; the medians of each."""
    results = {name: [] for name in rivals}
    for turn in range(ROUNDS):
        order = list(rivals) if turn % 2 == 0 else list(reversed(rivals))
        for name in order:
            inbox = os.path.join(place, "inbox")
            os.mkdir(inbox)
            results[name].append(rivals[name]([path], inbox))
            if not same(path, os.path.join(inbox, os.path.basename(path))):
                sys.exit(f"{name}: what arrived is not what was sent")
            shutil.rmtree(inbox)
    return {
        name: {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        for name, turns in results.items()
    }


def show(title, medians, size):
    print(f"\n{title}, median of {ROUNDS}")
    for name, row in medians.items():
        rate = f"{size / row['seconds'] / 1e9:5.2f} GB/s" if size else f"{row['seconds']:5.2f} s   "
        relay = f", relay {row['relay_cpu']:.2f} s" if "relay_cpu" in row else ""
        print(f"  {name:<24}{rate}   CPU {row['cpu']:5.2f} s{relay}, memory {row['memory'] / 1024:5.1f} MiB")


def goal(what, value, limit, at_least):
    met = value >= limit if at_least else value <= limit
    word = "at least" if at_least else "at most"
    print(f"{'PASS' if met else 'MISS'}  {what:<52}{value:8.2f}  ({word} {limit:g})")
    return met


def main():
    binaries, out = sys.argv[1:3]
    environment = sys.argv[3] if len(sys.argv) > 3 else ""
    servers, children = None, []
    if os.path.exists(f"{environment}/wormhole"):
        servers = free_port(), free_port()
        state = tempfile.mkdtemp()
        for what, port in zip(("wormhole-mailbox", "transitrelay"), servers):
            command = [f"{environment}/twist", what, f"--port=tcp:{port}:interface=127.0.0.1"]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": state}
            children.append(subprocess.Popen(command, **quiet))
        for port in servers:
            await_port(port)
    else:
        print("SKIP peers/wormhole: magic-wormhole not installed")
    relay = Relay(binaries)
    all_met, written = True, {}
    try:
        for where, parent in (("memory", "/dev/shm"), ("disk", out)):
            with tempfile.TemporaryDirectory(dir=parent, prefix="p2pxfer-peers-") as place:
                source = os.path.join(place, "source.bin")
                with open(source, "wb") as file:
                    for _ in range(0, SIZE, 1_000_000):
                        file.write(os.urandom(1_000_000))
                rivals = {
                    "ours, a secret": ours(binaries, relay, True),
                    "ours, no secret": ours(binaries, relay, False),
                }
                if servers:
                    rivals["magic-wormhole"] = wormhole(environment, servers)
                medians = contest(rivals, source, place)
                written[f"1 GB, {where}"] = medians
                show(f"{SIZE / 1e9:g} GB, {where} to {where}", medians, SIZE)
                mine = medians["ours, a secret"]
                all_met &= goal(f"rate, {where}, GB/s", SIZE / mine["seconds"] / 1e9, 0.5, True)
                all_met &= goal("memory of the larger side, MiB", mine["memory"] / 1024, MEMORY_LIMIT / 1024, False)
                if servers:
                    ratio = medians["magic-wormhole"]["seconds"] / mine["seconds"]
                    all_met &= goal("times as fast as magic-wormhole", ratio, 4, True)
        with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="p2pxfer-peers-") as place:
            folder = os.path.join(place, "folder")
            for index in range(FILES):
                path = os.path.join(folder, f"{index // 100:03}")
                os.makedirs(path, exist_ok=True)
                with open(os.path.join(path, f"{index:05}"), "wb") as file:
                    file.write(os.urandom(FILE_SIZE))
            rivals = {"ours, a secret": ours(binaries, relay, True)}
            if shutil.which("socat"):
                rivals["tar, socat, tar"] = tar(relay, place)
            else:
                print("SKIP peers/tar: socat not installed")
            medians = contest(rivals, folder, place)
            written["small files"] = medians
            show(f"{FILES} files of {FILE_SIZE} bytes", medians, 0)
            if len(medians) > 1:
                first, second = (row["seconds"] for row in medians.values())
                all_met &= goal("time, of that of tar", first / second, 2, False)
    finally:
        for child in [relay.child, *children]:
            child.kill()
            child.wait()
    with open(os.path.join(out, "peers.json"), "w") as file:
        json.dump(written, file, indent=1)
    print(f"\nwritten to {out}/peers.json")
    return 0 if all_met or "--check" not in os.environ.get("BENCH_ARGS", "") else 1


if __name__ == "__main__":
    sys.exit(main())
