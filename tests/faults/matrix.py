#!/usr/bin/env python3
"""`make faults`: each process of a transfer is ended, stopped, or refused a system call, at each of its calls.

strace counts the calls of each kind that a transfer makes, then brings one fault about at one of them, a
cell of the matrix at a time: {sender, relay, receiver} x {KILL, TERM, STOP for a while, STOP for good} and, for
sender and receiver, {EIO, ENOSPC, EMFILE, ENOMEM, EAGAIN, EINTR, ECONNRESET} x each call x {version 1, version 2}.

What has to hold in every cell, after doc/protocol.md, section 4.6:
- a final name is absent or complete;
- who says success has it: the receiver's success means that it is there, the sender's that it is there and
  that the receiver did not say failure; a receiver that says failure does not have the file;
- every process that is not stopped ends in time, with a status of its own, and says so without a panic;
- the same commands again bring it there, once, with nothing beside it.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HOST = "127.0.0.1"
# Seconds: what a program may take to be ready, what it may take in all, and a stop that ends.
READY = 30
PATIENCE = 60
PAUSE = 3
# What the programs are told: seconds of silence until they give up.
TIMEOUT = 5
# The statuses that the programs have, beside those of signals. 11 is there because a line that is lost between
# the two tags may have been a guess (section 4.9).
STATUSES = {0, 1, 3, 4, 5, 6, 7, 8, 11, 13, 14, 15, 16}

NETWORK = ["connect", "sendto", "recvfrom", "shutdown", "setsockopt"]
DISK = ["openat", "openat2", "read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "syncfs", "ftruncate",
        "fallocate", "renameat2", "unlinkat", "mkdirat", "utimensat", "fchmod", "close"]
CALLS = {
    "sender": NETWORK + DISK,
    "receiver": NETWORK + DISK,
    "relay": ["accept4", "epoll_wait", "epoll_ctl", "recvfrom", "sendto", "splice", "read", "write", "shutdown", "close"],
}
ERRORS = {
    "EIO": ["read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "syncfs", "renameat2", "ftruncate", "fchmod",
            "unlinkat"],
    "ENOSPC": ["write", "pwrite64", "openat", "openat2", "fsync", "fdatasync", "syncfs", "mkdirat", "ftruncate", "fallocate"],
    "EMFILE": ["openat", "openat2", "socket"],
    "ENOMEM": ["openat", "openat2"],
    "EAGAIN": ["clone3"],
    "EINTR": ["read", "pread64", "write", "pwrite64", "recvfrom", "sendto"],
    "ECONNRESET": ["recvfrom", "sendto"],
}
SIGNALS = ["KILL", "TERM", "STOP+CONT", "STOP"]

Cell = collections.namedtuple("Cell", "version role call number fault")


def read(path):
    return path.read_text(errors="replace") if path.exists() else ""


def await_text(path, text, process, seconds=READY):
    """Waits until the file has the text; False when the process ended before."""
    until = time.monotonic() + seconds
    while text not in read(path):
        if process.poll() is not None:
            return text in read(path)
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def is_stopped(pid):
    """Whether a process has been standing still; a traced one also does so for a moment at each call."""
    for _ in range(3):
        try:
            state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state not in ("t", "T"):
            return False
        time.sleep(0.05)
    return True


class Stage:
    """A source, the programs, and one version's way to call them."""

    def __init__(self, programs, version, source, secret):
        self.programs, self.version, self.source, self.secret = programs, version, source, secret

    def options(self):
        if self.version == 1:
            return ["--v1", "--timeout", str(TIMEOUT)]
        return ["--secret-file", str(self.secret), "--timeout", str(TIMEOUT), "--reconnect=0"]

    def commands(self, place, port):
        target = ["alice", HOST, str(port)]
        again = ["--overwrite"] if self.version == 1 else []
        send, receive = [str(self.programs / name) for name in ("send_r", "recv_r")]
        return {
            "receiver": [receive, *self.options(), *again, "--wait=15", "-v", "-o", str(place), "-", *target],
            "sender": [send, *self.options(), "-v", str(self.source), *target],
        }

    def arrived(self, place):
        """None: nothing under a final name. True: all of it. False: something else, which must never be."""
        names = [name for name in os.listdir(place) if not is_part(name)]
        if not names:
            return None
        if names != [self.source.name]:
            return False
        if self.source.is_file():
            return (place / self.source.name).read_bytes() == self.source.read_bytes()
        for folder, _, files in os.walk(place / self.source.name):
            for name in files:
                path = pathlib.Path(folder) / name
                ours = self.source / path.relative_to(place / self.source.name)
                if not is_part(name) and (not ours.exists() or path.read_bytes() != ours.read_bytes()):
                    return False
        missing = [path for path in self.source.rglob("*") if not (place / path.relative_to(self.source.parent)).exists()]
        return None if missing else True

    def clean(self, place):
        """What stands beside the final names."""
        return [str(path.relative_to(place)) for path in place.rglob("*") if is_part(path.name)]


def is_part(name):
    """Of version 2, or of version 1."""
    return name.endswith((".p2pxfer-part", ".p2pxfer-journal", ".part"))


class Run:
    """One transfer, with a fault in at most one of its processes."""

    def __init__(self, stage, work, place, cell=None, count=None):
        self.stage, self.work, self.place, self.cell, self.count = stage, work, place, cell, count
        self.processes, self.over = {}, threading.Event()

    def traced(self, role, command):
        if self.count == role:
            trace = ",".join(CALLS[role] + ["socket", "clone3"])
            return ["strace", "-D", "-f", "-qq", "-o", str(self.work / "trace"), "-e", f"trace={trace}", *command]
        if self.cell is None or self.cell.role != role:
            return command
        kind = f"error={self.cell.fault}"
        if self.cell.fault in SIGNALS:
            kind = f"signal={self.cell.fault.partition('+')[0]}"
        call = self.cell.call
        return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:{kind}:when={self.cell.number}", *command]

    def start(self, role, command):
        log = open(self.work / f"{role}.log", "wb")
        process = subprocess.Popen(self.traced(role, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self.processes[role] = process
        return process

    def log(self, role):
        return read(self.work / f"{role}.log")

    def go(self):
        """The statuses, None for one that was still there when its time was over."""
        try:
            relay = self.start("relay", [str(self.stage.programs / "p2p-relay"), "--bind", HOST, "--log-ids", "--drain", "2", "0"])
            resumer = threading.Thread(target=self.resume)
            resumer.start()
            try:
                return self.transfer(relay)
            finally:
                self.over.set()
                resumer.join()
        finally:
            for process in self.processes.values():
                if process.poll() is None:
                    process.kill()
                process.wait()

    def resume(self):
        """Lets whoever is stopped for a while go on, as often as one of its threads makes the call."""
        if self.cell is None or self.cell.fault != "STOP+CONT":
            return
        while not self.over.wait(0.05):
            process = self.processes.get(self.cell.role)
            if process is not None and process.poll() is None and is_stopped(process.pid):
                if self.over.wait(PAUSE):
                    return
                process.send_signal(signal.SIGCONT)

    def transfer(self, relay):
        log = self.work / "relay.log"
        if not await_text(log, "listening on ", relay):
            return {"relay": relay.poll()}
        port = int(self.log("relay").split("listening on ", 1)[1].split("\n", 1)[0].rpartition(":")[2])
        commands = self.stage.commands(self.place, port)
        receiver = self.start("receiver", commands["receiver"])
        until = time.monotonic() + READY
        while "registered" not in read(log) and receiver.poll() is None and relay.poll() is None:
            if time.monotonic() > until or is_stopped(receiver.pid) or is_stopped(relay.pid):
                break
            time.sleep(0.01)
        sender = self.start("sender", commands["sender"])
        statuses = {}
        deadline = time.monotonic() + PATIENCE
        for role, process in (("sender", sender), ("receiver", receiver)):
            statuses[role] = self.end(process, deadline)
        statuses["relay"] = relay.poll()
        return statuses

    def end(self, process, deadline):
        while process.poll() is None and time.monotonic() < deadline:
            others = (other for role, other in self.processes.items() if role != "relay" and other is not process)
            for_good = self.cell is not None and self.cell.fault == "STOP" and process is self.processes[self.cell.role]
            if for_good and all(other.poll() is not None for other in others) and is_stopped(process.pid):
                return None
            time.sleep(0.01)
        return process.poll()


def judge(stage, cell, run, place, statuses):
    """What is wrong with a cell, as sentences."""
    wrong = []
    signals = {"KILL": -9, "TERM": 143}
    sender, receiver = statuses.get("sender"), statuses.get("receiver")
    there = stage.arrived(place)
    if there is False:
        wrong.append("something that is not the source stands under a final name")
    if receiver == 0 and there is not True:
        wrong.append("the receiver says success and does not have it")
    if sender == 0 and there is not True:
        wrong.append("the sender says success and the receiver does not have it")
    if sender == 0 and receiver not in (0, None, -9):
        wrong.append(f"the sender says success and the receiver {receiver}")
    # Of a folder all may be there before its end is heard, or before it is known that it is on the disk.
    hit = stage.version == 2 or cell.role == "receiver" and cell.fault in SIGNALS
    if receiver is not None and receiver > 0 and there is True and not hit:
        wrong.append(f"the receiver says {receiver} and has it")
    for role in ("sender", "receiver"):
        status = statuses.get(role)
        faulty = role == cell.role
        if role not in statuses:
            continue
        if status is None:
            if not (faulty and cell.fault == "STOP"):
                wrong.append(f"the {role} did not end within {PATIENCE} s")
        elif faulty and cell.fault in signals and status in (signals[cell.fault], -15, 0):
            pass
        elif faulty and cell.fault in ("EMFILE", "ENOMEM", "EIO", "ENOSPC", "EINTR") and status == 127:
            # The loader, before the program's first instruction.
            pass
        elif status not in STATUSES:
            wrong.append(f"the {role} ended with {status}")
        if "panicked" in run.log(role):
            wrong.append(f"the {role} panicked")
    if "panicked" in run.log("relay"):
        wrong.append("the relay panicked")
    return wrong


def work_on(stage, cell, keep):
    work = pathlib.Path(tempfile.mkdtemp(prefix="p2pxfer-faults."))
    place = work / "place"
    place.mkdir()
    wrong, again = ["it did not come to an end"], None
    try:
        run = Run(stage, work, place, cell)
        statuses = run.go()
        wrong = judge(stage, cell, run, place, statuses)
        again = Run(stage, work / "again", place)
        (work / "again").mkdir()
        second = again.go()
        if (second.get("sender"), second.get("receiver")) != (0, 0):
            wrong.append(f"the same commands again end with {second}")
        elif stage.arrived(place) is not True:
            wrong.append("the same commands again do not bring it there")
        elif stage.version == 2 and cell.call != "unlinkat" and stage.clean(place):
            # A part of version 1 has a name of its own each time, and stays after an end by force.
            wrong.append(f"the same commands again leave {stage.clean(place)}")
        return cell, statuses, wrong
    finally:
        if wrong and keep:
            (pathlib.Path(keep)).mkdir(parents=True, exist_ok=True)
            name = "-".join(map(str, cell))
            shutil.copytree(work, pathlib.Path(keep) / name, dirs_exist_ok=True)
        shutil.rmtree(work)


def counted(stage, role):
    """How many calls of each kind the busiest thread of a program makes in a transfer."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="p2pxfer-faults."))
    try:
        (work / "place").mkdir()
        statuses = Run(stage, work, work / "place", count=role).go()
        if (statuses.get("sender"), statuses.get("receiver")) != (0, 0):
            sys.exit(f"a transfer without a fault ended with {statuses}")
        # The tracer writes on for a moment.
        deadline = time.monotonic() + READY
        text, before = read(work / "trace"), None
        while text != before and time.monotonic() < deadline:
            time.sleep(0.2)
            text, before = read(work / "trace"), text
        threads = collections.Counter()
        for line in text.splitlines():
            pid, _, rest = line.partition(" ")
            call = rest.strip().partition("(")[0]
            if call.isidentifier():
                threads[(pid, call)] += 1
        counts = collections.Counter()
        for (_, call), number in threads.items():
            counts[call] = max(counts[call], number)
        return counts
    finally:
        shutil.rmtree(work)


def cells(stages, most):
    """Every cell; of a call that is made more often than `most`, the first, the last, and some between."""
    for stage in stages:
        for role in ("sender", "relay", "receiver"):
            counts = counted(stage, role)

            def numbers(call):
                count = counts.get(call, 0)
                if count <= most:
                    return range(1, count + 1)
                step = (count - 1) / (most - 1)
                return sorted({1 + round(index * step) for index in range(most)})

            for fault in SIGNALS:
                for call in CALLS[role]:
                    for number in numbers(call):
                        yield stage, Cell(stage.version, role, call, number, fault)
            if role == "relay":
                continue
            for fault, calls in ERRORS.items():
                for call in calls:
                    for number in numbers(call):
                        yield stage, Cell(stage.version, role, call, number, fault)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=pathlib.Path, help="the folder of p2p-relay, send_r and recv_r")
    parser.add_argument("--most", type=int, default=6, help="calls of one kind that are tried (6)")
    parser.add_argument("--cells", type=int, help="so many cells, by chance")
    parser.add_argument("--seed", type=int, default=1, help="of that chance (1)")
    parser.add_argument("--only", help="cells with this text in VERSION-ROLE-CALL-NUMBER-FAULT")
    parser.add_argument("--jobs", type=int, default=8, help="cells at once (8): most of them wait")
    parser.add_argument("--keep", help="a folder for the logs of cells that fail")
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        print("SKIP faults: strace not installed")
        return 0
    programs = arguments.programs.resolve()
    with tempfile.TemporaryDirectory(prefix="p2pxfer-faults.") as folder:
        root = pathlib.Path(folder)
        content = random.Random(1)
        single = root / "file.bin"
        single.write_bytes(content.randbytes(300_000))
        tree = root / "tree"
        (tree / "inner").mkdir(parents=True)
        (tree / "large").write_bytes(content.randbytes(1_500_000))
        (tree / "inner" / "small").write_bytes(content.randbytes(100))
        (tree / "empty").touch()
        secret = root / "secret"
        secret.touch(mode=0o600)
        secret.write_text("correct horse battery staple\n")
        stages = [Stage(programs, 1, single, secret), Stage(programs, 2, tree, secret)]
        matrix = list(cells(stages, arguments.most))
        if arguments.only:
            matrix = [each for each in matrix if arguments.only in "-".join(map(str, each[1]))]
        if arguments.cells is not None and arguments.cells < len(matrix):
            matrix = random.Random(arguments.seed).sample(matrix, arguments.cells)
        print(f"{len(matrix)} cells", flush=True)
        failed, ends = 0, collections.defaultdict(collections.Counter)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            tasks = [pool.submit(work_on, stage, cell, arguments.keep) for stage, cell in matrix]
            for task in concurrent.futures.as_completed(tasks):
                cell, statuses, wrong = task.result()
                ends[(cell.version, cell.role, cell.fault)][(statuses.get("sender"), statuses.get("receiver"))] += 1
                if wrong:
                    failed += 1
                    print(f"FAIL {'-'.join(map(str, cell))}: {'; '.join(wrong)} {statuses}", flush=True)
        for (version, role, fault), counts in sorted(ends.items()):
            told = ", ".join(f"{sender}/{receiver} x{count}" for (sender, receiver), count in counts.most_common())
            print(f"version {version}, {role}, {fault}: {told}")
        print(f"{len(matrix) - failed} passed, {failed} failed")
        return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
