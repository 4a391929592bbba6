"""Runs a program on a terminal of its own: pty.py STEP... -- PROGRAM ARG...

Steps, in order: 'expect TEXT' waits until the terminal has shown it, 'type TEXT' types it, 'key C' presses
Ctrl-C, 'signal NAME' sends a signal, 'state hidden' and 'state shown' look whether the terminal echoes.
Prints what the terminal showed, and then, as the last line, the program's exit status and whether the
terminal is as it was before.
"""

import fcntl
import os
import select
import signal
import sys
import termios
import time

DEADLINE = time.monotonic() + 30

split = sys.argv.index("--")
steps, command = sys.argv[1:split], sys.argv[split + 1 :]
master, slave = os.openpty()
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    os.close(master)
    try:
        os.execvp(command[0], command)
    finally:
        os._exit(127)

shown = b""


def look(seconds):
    global shown
    if select.select([master], [], [], seconds)[0]:
        shown += os.read(master, 65536)


def end(text):
    os.kill(child, signal.SIGKILL)
    sys.stdout.write(shown.decode(errors="replace"))
    sys.exit(f"{text}: {shown!r}")


at = 0
for step in steps:
    verb, _, what = step.partition(" ")
    if verb == "expect":
        while what.encode() not in shown[at:]:
            if time.monotonic() > DEADLINE:
                end(f"not shown: {what}")
            look(0.05)
        at = shown.index(what.encode(), at) + len(what.encode())
    elif verb == "type":
        os.write(master, what.encode() + b"\n")
    elif verb == "key":
        os.write(master, bytes([ord(what) & 0x1F]))
    elif verb == "signal":
        os.kill(child, getattr(signal, "SIG" + what))
    elif verb == "state":
        hidden = not termios.tcgetattr(slave)[3] & termios.ECHO
        if hidden != (what == "hidden"):
            end(f"the terminal is not {what}")

while True:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    if time.monotonic() > DEADLINE:
        end("it does not end")
    look(0.02)
while select.select([master], [], [], 0)[0]:
    look(0)
after = termios.tcgetattr(slave)
sys.stdout.write(shown.decode(errors="replace"))
code = os.waitstatus_to_exitcode(status)
print(f"\nstatus {code} terminal {'same' if before == after else 'changed'}")
