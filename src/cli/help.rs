//! What `send_r --help` and `recv_r --help` print.

/// How they are called.
pub(super) const USAGE: &str = "\
usage: send_r [options] FILE... USERID HOST PORT [v]
       recv_r [options] - USERID HOST PORT [v]
";

/// What they do, and with which options; the exit statuses follow.
pub(super) const HELP: &str = "\
Sends files and folders to whoever waits under USERID at the relay on HOST and PORT, or,
when FILE is '-', waits there for them. Start the receiver first. All is encrypted from
end to end; a secret that both sides have makes sure who the other one is.

  recv_r - alice relay.example 9000 --new-secret   prints the line for the other host
  send_r photos alice relay.example 9000           without a secret: not verified
  recv_r -o - - alice relay.example 9000 | tar x   what 'tar c . | send_r --stdin ...' sends

HOST may name several relays, as in a.example,b.example:9001. The user id decides which
one serves, and the next takes over when that is down: name the same ones on both hosts.
A sender asks each of them; a receiver whose relay goes waits on at the next.

options, anywhere on the line ('--' ends them):
  -v, --verbose      say every step; so does a 'v' as the last word
  -q, --quiet        say nothing but errors
      --json         tell what happens in JSON, an object a line, on standard output
                     (with -o - on standard error)

secret, never as an argument; at most one of these, or P2PXFER_SECRET in the environment:
      --secret-file FILE  what is in FILE, which others must not be able to read
      --secret-fd N  the first line that descriptor N gives
      --ask-secret   ask at the terminal, without showing it
      --new-secret   recv_r: make one, and print the line to run on the other host
      --require-secret  end with an error when there is none

times:
      --wait[=SECS]  send_r: call all relays about once a second until a receiver is
                     there, also while a relay is restarted; recv_r: wait for a
                     sender no longer than SECS seconds in all
      --timeout SECS give up when nothing moves for SECS seconds (default 60,
                     0 for never); ten times as long for the receiver's verdict in
                     version 1, behind data that may still be on its way; a relay has
                     at most 30 seconds (10 of several) to accept a connection and
                     to answer
      --reconnect[=SECS]  after a lost connection call or wait again for SECS seconds,
                     and go on where it stopped (default 60, 0 for never)

what and where:
  -o, --output PLACE recv_r: a folder, a file, or '-' for standard output
                     (default: the current folder)
      --overwrite    recv_r: replace existing files; without it a new one becomes
                     'NAME (1).EXT'
  -y, --yes          recv_r: take what comes without asking; it asks only at a terminal,
                     and only when no secret verified the sender
      --stdin[=NAME] send_r: send standard input until its end, in place of FILE
      --text TEXT    send_r: send a text that the receiver shows, in place of FILE;
                     '-' reads it from standard input
      --v1           speak only version 1, the protocol of 2013: not encrypted, a single
                     file of 1 byte to 2047 MiB, a name of at most 31 bytes
      --version      show the version
      --help         show this

A receiver's last lines, on standard output, are the paths of what it received.

exit status:
";
