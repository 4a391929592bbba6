/*
 * libp2pxfer: two hosts that cannot reach each other meet at a relay, and files, or any stream of
 * bytes, cross it.
 *
 *     p2pxfer *handle;
 *     p2pxfer_new(&handle);
 *     p2pxfer_set_user_id(handle, "alice");
 *     p2pxfer_set_host(handle, "relay.example");
 *     p2pxfer_set_port(handle, 9000);
 *     p2pxfer_set_secret(handle, (const uint8_t *)"lusab-babad", 11);
 *     if (p2pxfer_send_file(handle, "photo.jpg") != P2PXFER_OK)
 *         ...
 *     p2pxfer_free(handle);
 *
 * Errors: a p2pxfer_status is P2PXFER_OK or negative. p2pxfer_last_error() has the details.
 * NULL where nothing says that it is fine is P2PXFER_BAD_ARGUMENT, never a crash.
 *
 * Handles: made by p2pxfer_new(), given back to p2pxfer_free(). A handle serves any number of
 * transfers, one after the other, and keeps its settings between them. It may move between
 * threads, but serves one call at a time: a call while another one runs, also from inside a
 * callback, is P2PXFER_BUSY and changes nothing. p2pxfer_cancel() alone may run beside
 * another call. Different handles have nothing to do with each other.
 *
 * Callbacks: functions that the library is given must return: no exception and no longjmp may
 * leave them.
 *
 * Strings: they end with a NUL, and are copied: the caller keeps what it passes in and owns the
 * buffers that are filled. A path is bytes as the system takes them; on Windows it is UTF-8. What
 * the library says is UTF-8, on one line, and safe to print: what came from the net is escaped.
 *
 * Buffers: `buffer` has room for `size` bytes, the NUL included; it may be NULL when `size` is 0.
 * It holds a string after the call, unless that was P2PXFER_BUSY or got a NULL: then it is as before.
 *
 * The process: no signal handler and no exit; SIGPIPE is not raised, whatever the peer does.
 */


#ifndef P2PXFER_H
#define P2PXFER_H

/* Made from ffi/ by cbindgen; changes belong there. */

#include <stddef.h>
#include <stdint.h>

/**
 * As a time: never, or without an end.
 */
#define P2PXFER_FOREVER 4294967295

/**
 * Longest secret, in bytes.
 */
#define P2PXFER_SECRET_MAX 1024

/**
 * The first number of this header's version. A library of another one is no replacement.
 */
#define P2PXFER_VERSION_MAJOR 0

/**
 * The second number of this header's version. It grows when functions are added.
 */
#define P2PXFER_VERSION_MINOR 10

/**
 * The third number of this header's version.
 */
#define P2PXFER_VERSION_PATCH 0

/**
 * This header's version as 0xXXYYZZ: a byte each for major, minor and patch.
 */
#define P2PXFER_VERSION (((P2PXFER_VERSION_MAJOR << 16) | (P2PXFER_VERSION_MINOR << 8)) | P2PXFER_VERSION_PATCH)

/**
 * Numbers that an offer has, for p2pxfer_offer_get().
 */
enum p2pxfer_offer_number
#ifdef __cplusplus
  : uint32_t
#endif // __cplusplus
 {
  /**
   * The items.
   */
  P2PXFER_OFFER_ITEMS = 1,
  /**
   * The files in all of them, as far as the sender has counted.
   */
  P2PXFER_OFFER_FILES = 2,
  /**
   * The length of all of it, in bytes; UINT64_MAX when the sender has not counted to the end.
   */
  P2PXFER_OFFER_BYTES = 3,
  /**
   * The items that are folders.
   */
  P2PXFER_OFFER_FOLDERS = 4,
  /**
   * 1 when the sender proved that it knows the secret, else 0.
   */
  P2PXFER_OFFER_VERIFIED = 5,
};
#ifndef __cplusplus
typedef uint32_t p2pxfer_offer_number;
#endif // __cplusplus

/**
 * Numbers that a relay has, for p2pxfer_relay_get(). Those that count begin at 0 with the relay.
 */
enum p2pxfer_relay_number
#ifdef __cplusplus
  : uint32_t
#endif // __cplusplus
 {
  /**
   * Connections that are open.
   */
  P2PXFER_RELAY_CONNECTIONS = 1,
  /**
   * Listeners that wait.
   */
  P2PXFER_RELAY_LISTENERS = 2,
  /**
   * Pairs that run.
   */
  P2PXFER_RELAY_PAIRS = 3,
  /**
   * Connections that came, so far.
   */
  P2PXFER_RELAY_ACCEPTED = 4,
  /**
   * Connections that were refused, so far: nobody waited, it was no hello, or there were too many.
   */
  P2PXFER_RELAY_REFUSED = 5,
  /**
   * Callers that found a listener, so far.
   */
  P2PXFER_RELAY_MATCHES = 6,
  /**
   * Bytes from listeners that were given to callers, so far.
   */
  P2PXFER_RELAY_LISTENER_BYTES = 7,
  /**
   * Bytes from callers that were given to listeners, so far.
   */
  P2PXFER_RELAY_CALLER_BYTES = 8,
};
#ifndef __cplusplus
typedef uint32_t p2pxfer_relay_number;
#endif // __cplusplus

/**
 * What can be set about a relay, for p2pxfer_relay_start_with(). Times are in milliseconds, or P2PXFER_FOREVER for
 * never. 0 stands for no limit, or for never, where nothing else is said. A source is an IPv4 address or an IPv6 /56.
 */
enum p2pxfer_relay_option
#ifdef __cplusplus
  : uint32_t
#endif // __cplusplus
 {
  /**
   * How long a connection may take to say what it wants: 10,000 unless set, at least 1 and not P2PXFER_FOREVER.
   */
  P2PXFER_RELAY_SET_HELLO_TIMEOUT = 1,
  /**
   * After how long a silence a pair is ended: 0 unless set.
   */
  P2PXFER_RELAY_SET_IDLE_TIMEOUT = 2,
  /**
   * After how long a silence, once one side has ended, the other one is ended: 30,000 unless set, at least 1 and
   * not P2PXFER_FOREVER.
   */
  P2PXFER_RELAY_SET_HALF_CLOSE = 3,
  /**
   * Connections at once: 1,000 unless set; more wait in the kernel.
   */
  P2PXFER_RELAY_SET_CONNECTIONS = 4,
  /**
   * Connections at once from one source: 250 unless set.
   */
  P2PXFER_RELAY_SET_SOURCE_CONNECTIONS = 5,
  /**
   * Listeners of one source that wait at once: 250 unless set.
   */
  P2PXFER_RELAY_SET_SOURCE_LISTENERS = 6,
  /**
   * New connections a second from one source, after a burst of four times as many: 1,000 unless set.
   */
  P2PXFER_RELAY_SET_SOURCE_RATE = 7,
  /**
   * Bytes a second that one source may send: 0 unless set.
   */
  P2PXFER_RELAY_SET_SOURCE_BYTES = 8,
  /**
   * Bytes a second of one pair: 0 unless set.
   */
  P2PXFER_RELAY_SET_PAIR_BYTES = 9,
  /**
   * 1 for two threads a pair, as where there is nothing better; 0, as it is unless set, for the best that this system
   * has.
   */
  P2PXFER_RELAY_SET_THREADS = 10,
};
#ifndef __cplusplus
typedef uint32_t p2pxfer_relay_option;
#endif // __cplusplus

/**
 * Numbers that a transfer comes to, for p2pxfer_report_get().
 */
enum p2pxfer_report_number
#ifdef __cplusplus
  : uint32_t
#endif // __cplusplus
 {
  /**
   * The version of the protocol that was spoken: 1 or 2; 0 when it did not come to that.
   */
  P2PXFER_REPORT_VERSION = 1,
  /**
   * 1 when both sides proved that they know the same secret, else 0.
   */
  P2PXFER_REPORT_VERIFIED = 2,
  /**
   * Files and texts that the receiver has, those included that it had before.
   */
  P2PXFER_REPORT_FILES = 3,
  /**
   * Folders that the receiver has.
   */
  P2PXFER_REPORT_FOLDERS = 4,
  /**
   * The length of those files, in bytes.
   */
  P2PXFER_REPORT_BYTES = 5,
  /**
   * Files that the receiver had before, whole and equal.
   */
  P2PXFER_REPORT_ALREADY = 6,
  /**
   * Bytes that did not have to cross because an earlier attempt, or a lost connection, had brought
   * them.
   */
  P2PXFER_REPORT_RESUMED = 7,
  /**
   * How often the connection was lost and made anew.
   */
  P2PXFER_REPORT_RECONNECTS = 8,
  /**
   * Symbolic links and devices in the sender's folders, which are never sent.
   */
  P2PXFER_REPORT_LEFT_OUT = 9,
  /**
   * Files that did not cross while others did; then the transfer's status is not P2PXFER_OK.
   */
  P2PXFER_REPORT_SKIPPED = 10,
  /**
   * Items that p2pxfer_received_item() has the paths of; 0 for a sender.
   */
  P2PXFER_REPORT_ITEMS = 11,
};
#ifndef __cplusplus
typedef uint32_t p2pxfer_report_number;
#endif // __cplusplus

/**
 * How a call ended. The numbers never change, and more may come. -1 to -9 mean what the exit
 * statuses 1 to 9 of send_r and recv_r mean, and -14 to -19 what 11 to 16 mean; the others are of
 * this library alone.
 */
enum p2pxfer_status
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
  /**
   * Done. For a transfer: the receiver has all of it under its final name.
   */
  P2PXFER_OK = 0,
  /**
   * Failed in a way that has no number of its own.
   */
  P2PXFER_FAILED = -1,
  /**
   * An argument is NULL, malformed or out of range, or a setting is missing.
   */
  P2PXFER_BAD_ARGUMENT = -2,
  /**
   * Nobody waits under that user id; for a receiver: no sender came in time.
   */
  P2PXFER_NOBODY_WAITS = -3,
  /**
   * The connection was lost, nothing moved for too long, or the relay cannot be reached or
   * refused us.
   */
  P2PXFER_CONNECTION_LOST = -4,
  /**
   * The receiver refused the transfer, or the accept callback did.
   */
  P2PXFER_REFUSED = -5,
  /**
   * The checksum differed; for a sender also: the receiver could not keep the file.
   */
  P2PXFER_CHECKSUM = -6,
  /**
   * A local file or folder: missing, not permitted; empty or too large for version 1.
   */
  P2PXFER_FILE = -7,
  /**
   * The peer broke the protocol.
   */
  P2PXFER_PROTOCOL = -8,
  /**
   * The name that the sender gave its file is not safe to use.
   */
  P2PXFER_UNSAFE_NAME = -9,
  /**
   * Ended by p2pxfer_cancel() or by the progress callback.
   */
  P2PXFER_CANCELLED = -10,
  /**
   * Another call on this handle runs, maybe the one that this one was made from the inside of.
   */
  P2PXFER_BUSY = -11,
  /**
   * A fault in the library, caught. The handle can be used on.
   */
  P2PXFER_INTERNAL = -12,
  /**
   * There is nothing to cancel: nothing runs on this handle.
   */
  P2PXFER_IDLE = -13,
  /**
   * The secrets differ, or only one side has one.
   */
  P2PXFER_WRONG_SECRET = -14,
  /**
   * It needs version 2 of the protocol, which one side cannot or must not speak.
   */
  P2PXFER_NEEDS_VERSION_2 = -15,
  /**
   * A file changed while it was sent.
   */
  P2PXFER_CHANGED = -16,
  /**
   * All was sent, but the receiver did not confirm that it has it, or its disk that it stays.
   */
  P2PXFER_NOT_CONFIRMED = -17,
  /**
   * The receiver's disk is full.
   */
  P2PXFER_NO_SPACE = -18,
  /**
   * The transfer ended before its end; what is complete is kept.
   */
  P2PXFER_TRUNCATED = -19,
};
#ifndef __cplusplus
typedef int32_t p2pxfer_status;
#endif // __cplusplus

/**
 * Settings for transfers and streams, and the result of the last transfer.
 */
typedef struct p2pxfer p2pxfer;

/**
 * What a sender offers: one item for each path that it was given. Lives inside the accept callback.
 */
typedef struct p2pxfer_offer p2pxfer_offer;

/**
 * A relay that runs in threads of its own.
 */
typedef struct p2pxfer_relay p2pxfer_relay;

/**
 * A stream that a secret seals: whoever is between the two sides can read and change nothing, and each side is sure
 * of the other. One thread may read and another one write at the same time.
 *
 * Reads and writes wait without an end: p2pxfer_set_idle_timeout() is for transfers, and there is no other timeout. A
 * write waits while the other side does not read, so two sides that both write much before they read wait for each
 * other for ever. Leave the flags and timeouts of its socket alone: a read or write that it ends early loses its place,
 * and the stream is of no more use.
 */
typedef struct p2pxfer_stream p2pxfer_stream;

/**
 * Gives what is to be sent: puts 1 to `size` bytes into `buffer` and returns how many; 0 at the end, and anything
 * negative when it cannot go on, which ends the transfer with P2PXFER_FILE. It is called in a thread of the library,
 * some megabytes ahead of what the receiver has, and never after the call that it was given to has returned. It may
 * wait for more as long as it likes, but however the transfer ends, also by p2pxfer_cancel(), p2pxfer_send_stream()
 * returns only when this has: close what it reads from to end it. What it may call is what p2pxfer_progress may.
 */
typedef int64_t (*p2pxfer_read)(void *user, uint8_t *buffer, size_t size);

/**
 * Takes what is received: `length` bytes, at least one, behind those before. Returns 0, or anything else when it
 * cannot take them, which ends the transfer with P2PXFER_FILE. It is called in the thread that called
 * p2pxfer_recv_stream(). One that takes longer than 30 seconds may cost the connection, and longer than the sender goes
 * on trying to reconnect the transfer. That all of it is right, and the end, only that call's P2PXFER_OK says. What it
 * may call is what p2pxfer_progress may.
 */
typedef int (*p2pxfer_write)(void *user, const uint8_t *bytes, size_t length);

/**
 * Hears how a transfer goes, in the thread that runs it. `done` of `total` bytes were received, or,
 * for a sender, handed to the system to be sent; what the receiver had before counts as done. That all
 * were says nothing about what the receiver has, only P2PXFER_OK does. `total` is 0 while it is not
 * known, because a folder is not read to its end yet. Both are 0 before data moves; those calls come
 * before the relay's name is looked up, when a receiver begins to wait, when the peer is there, and
 * about once a second while a sender waits. Anything but 0 ends the transfer with P2PXFER_CANCELLED.
 * It may call p2pxfer_cancel() and the functions that take no handle; all others are P2PXFER_BUSY on
 * this handle.
 */
typedef int (*p2pxfer_progress)(void *user, uint64_t done, uint64_t total);

/**
 * Hears in words what happens, in the thread that runs the call: one line for each step, without an end of line, as
 * `send_r -v` says it. The line lives until this returns; its words may change with each version. What it may call is
 * what p2pxfer_progress may.
 */
typedef void (*p2pxfer_log)(void *user, const char *line);

/**
 * Judges what a sender offers, before any of it moves and in the thread that receives: anything but 0
 * takes it, with 0 the transfer ends with P2PXFER_REFUSED on both sides. It may take its time, and the
 * connection is kept alive meanwhile when the sender speaks version 2. The offer lives until it
 * returns. It is asked once for a transfer, not again when a lost connection is made anew. What it may
 * call is what p2pxfer_progress may, and p2pxfer_offer_...().
 */
typedef int (*p2pxfer_accept)(void *user, const struct p2pxfer_offer *offer);

/**
 * A setting of a relay: one of p2pxfer_relay_option, and its value.
 */
typedef struct p2pxfer_relay_setting {
  /**
   * Which.
   */
  uint32_t option;
  /**
   * Its value.
   */
  uint64_t value;
} p2pxfer_relay_setting;

#if !defined(_WIN32)
/**
 * A socket of the system's.
 */
typedef int p2pxfer_socket;
#endif

#if defined(_WIN32)
/**
 * A socket of the system's: a SOCKET.
 */
typedef ptrdiff_t p2pxfer_socket;
#endif

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Sends `length` bytes of memory as a file called `name`, which must be one that a receiver takes: no path, no
 * control characters. `bytes` may be NULL when `length` is 0. They are copied first. Needs version 2.
 */
p2pxfer_status p2pxfer_send_buffer(struct p2pxfer *handle,
                                   const char *name,
                                   const uint8_t *bytes,
                                   size_t length);

/**
 * Sends what `read` gives until its end, which it gets `user` for, as a file called `name`: as for
 * p2pxfer_send_buffer(). Nobody knows its length before, so the progress has no total. A connection that is lost is
 * made anew, but what an earlier call has sent is sent again. Needs version 2.
 */
p2pxfer_status p2pxfer_send_stream(struct p2pxfer *handle,
                                   const char *name,
                                   p2pxfer_read read,
                                   void *user);

/**
 * Waits under the user id for a sender and puts the file that it sends, no folder and not several, into `bytes`,
 * which has room for `size`; its length goes into `*length`. P2PXFER_NO_SPACE on both sides when it does not fit.
 * Unless this is P2PXFER_OK, what is in `bytes` is nothing that was sent.
 */
p2pxfer_status p2pxfer_recv_buffer(struct p2pxfer *handle,
                                   uint8_t *bytes,
                                   size_t size,
                                   size_t *length);

/**
 * Waits under the user id for a sender and lets `write`, which gets `user`, have the file or stream that it sends, no
 * folder and not several.
 */
p2pxfer_status p2pxfer_recv_stream(struct p2pxfer *handle,
                                   p2pxfer_write write,
                                   void *user);

/**
 * Makes a handle and puts it into `*out`, to be given back to p2pxfer_free(). NULL is put there
 * when this fails.
 */
p2pxfer_status p2pxfer_new(struct p2pxfer **out);

/**
 * Frees a handle, which must not be used after that; NULL is fine. While a call on the handle runs,
 * it is P2PXFER_BUSY and nothing is freed. No other thread may be inside p2pxfer_cancel().
 */
p2pxfer_status p2pxfer_free(struct p2pxfer *handle);

/**
 * Sets the name under which the two hosts meet: 1 to 255 bytes, no '$', no control characters.
 * Needed before a transfer.
 */
p2pxfer_status p2pxfer_set_user_id(struct p2pxfer *handle, const char *user_id);

/**
 * Sets the host of the relay: a name, an IPv4 address, or an IPv6 address with or without brackets,
 * in UTF-8. Several are separated by commas, and each may have a port of its own, as in
 * "a.example,b.example:9001,[::1]:9000": the user id decides which one serves, and the next takes over
 * when that is down. Both sides have to name the same ones. Needed before a transfer.
 *
 * Each connection looks a name up with the system's resolver, in the thread of the transfer, and
 * tries its addresses one after the other. A look-up takes as long as the system lets it: no timeout
 * of ours and no p2pxfer_cancel() ends it. An address needs none.
 */
p2pxfer_status p2pxfer_set_host(struct p2pxfer *handle,
                                const char *host);

/**
 * Sets the TCP port of the relays that have none of their own, 1 to 65535. Needed before a transfer.
 */
p2pxfer_status p2pxfer_set_port(struct p2pxfer *handle,
                                uint32_t port);

/**
 * Sets how long each address of the relay may take to accept a connection, and the relay to
 * answer a sender: at least 1 millisecond, and not P2PXFER_FOREVER. 30,000 unless set; with several
 * relays at most 10,000.
 */
p2pxfer_status p2pxfer_set_connect_timeout(struct p2pxfer *handle, uint32_t milliseconds);

/**
 * Sets after how long a silence of the peer, during the transfer, the connection counts as lost: at
 * least 1 millisecond, or P2PXFER_FOREVER for never. 60,000 unless set. The peer has no more time than
 * that, 2,000 at least and 60,000 where it is never, to say who it is. Once a sender has handed all
 * of the file to the system, it waits ten times as long for the receiver's last answer: much of the
 * file may still be on its way, where nobody sees it move.
 */
p2pxfer_status p2pxfer_set_idle_timeout(struct p2pxfer *handle,
                                        uint32_t milliseconds);

/**
 * Sets how long to wait for the peer to come, in milliseconds, or P2PXFER_FOREVER. A sender that
 * waits calls about once a second; with 0 it calls once. A receiver's time begins when it has reached
 * the relay. Unless set, a sender calls once and a receiver waits without an end.
 */
p2pxfer_status p2pxfer_set_wait(struct p2pxfer *handle,
                                uint32_t milliseconds);

/**
 * Sets who hears how a transfer goes, and what it gets as `user`, which is only passed on. NULL for
 * nobody, as it is unless set.
 */
p2pxfer_status p2pxfer_set_progress(struct p2pxfer *handle, p2pxfer_progress progress, void *user);

/**
 * Sets who hears in words what happens, and what it gets as `user`, which is only passed on. NULL for nobody, as it is
 * unless set.
 */
p2pxfer_status p2pxfer_set_log(struct p2pxfer *handle,
                               p2pxfer_log log,
                               void *user);

/**
 * Sets the folder that received files are put in. It must exist when a transfer begins. The
 * current folder unless set.
 */
p2pxfer_status p2pxfer_set_output_folder(struct p2pxfer *handle, const char *folder);

/**
 * Sets the file that what is received is put into, whatever the sender calls it, in place of a folder: one file or
 * folder is taken then and not more. The folder that it is in must exist when a transfer begins. P2PXFER_BAD_ARGUMENT
 * when there is something of that name that is no file.
 */
p2pxfer_status p2pxfer_set_output_file(struct p2pxfer *handle,
                                       const char *file);

/**
 * Sets whether a received file replaces one of its name: 0 for no, as it is unless set; the new
 * one becomes "NAME (1).EXT" then.
 */
p2pxfer_status p2pxfer_set_overwrite(struct p2pxfer *handle, int overwrite);

/**
 * Fills `buffer` with what was wrong in the last setter or transfer on this handle, for a person to
 * read; empty when nothing was. What does not fit is cut off. Returns the length of the whole text
 * in bytes, without the NUL, or a negative p2pxfer_status.
 */
int32_t p2pxfer_last_error(const struct p2pxfer *handle, char *buffer, size_t size);

/**
 * Puts a number of the offer, one of p2pxfer_offer_number, into `*out`.
 */
p2pxfer_status p2pxfer_offer_get(const struct p2pxfer_offer *offer, uint32_t number, uint64_t *out);

/**
 * Fills `buffer` with the name of an item, counted from 0: the sender's words, with what is not safe
 * to show escaped. What does not fit is cut off. Returns the length of the whole name in bytes,
 * without the NUL, or a negative p2pxfer_status.
 */
int32_t p2pxfer_offer_name(const struct p2pxfer_offer *offer,
                           size_t index,
                           char *buffer,
                           size_t size);

/**
 * Sets what both sides know and nobody else: `length` bytes, 1 to P2PXFER_SECRET_MAX, copied, and
 * wiped from memory when another is set or the handle is freed. NULL and 0 remove it. With a secret
 * the transfer is encrypted and each side is sure of the other, or there is none: a peer that has no
 * secret, or a wrong one, or speaks only version 1, gets nothing. Without one, version 2 is encrypted
 * to whoever answers.
 */
p2pxfer_status p2pxfer_set_secret(struct p2pxfer *handle,
                                  const uint8_t *secret,
                                  size_t length);

/**
 * Sets whether a transfer without a secret is P2PXFER_BAD_ARGUMENT, before anybody is called: 0 for
 * no, as it is unless set.
 */
p2pxfer_status p2pxfer_set_require_secret(struct p2pxfer *handle, int require);

/**
 * Sets for how long a connection that is lost in the middle of a transfer is made anew, in
 * milliseconds, or P2PXFER_FOREVER; 0 for not at all. 60,000 unless set. What has crossed is not sent
 * again. Version 1 cannot do that.
 */
p2pxfer_status p2pxfer_set_reconnect(struct p2pxfer *handle,
                                     uint32_t milliseconds);

/**
 * Sets whether only version 1 is spoken, the protocol of 2013: single files of 1 byte to 2047 MiB,
 * in clear text, without a secret. 0 for no, as it is unless set: a peer that speaks only version 1
 * is found out by itself.
 */
p2pxfer_status p2pxfer_set_version1_only(struct p2pxfer *handle, int version1_only);

/**
 * Sets who judges what a sender offers, and what it gets as `user`, which is only passed on. NULL
 * takes everything, as it is unless set.
 */
p2pxfer_status p2pxfer_set_accept(struct p2pxfer *handle, p2pxfer_accept accept, void *user);

/**
 * Starts a relay that listens on `port`, 0 for a free one, of `address`, an IPv4 or IPv6 address of
 * this machine without brackets, or NULL for all of them; puts it into `*out`, to be given back to
 * p2pxfer_relay_stop(). It serves in threads of its own, in which no signal is handled, until then:
 * at most 1,000 connections at once, 250 of them from one source, an IPv4 address or an IPv6 /56.
 * P2PXFER_FAILED when the port is in use, the address is not this machine's, or there are no
 * descriptors or threads.
 */
p2pxfer_status p2pxfer_relay_start(const char *address, uint32_t port, struct p2pxfer_relay **out);

/**
 * As p2pxfer_relay_start(), with `count` settings; the last one of an option counts. `settings` may be NULL when `count`
 * is 0. P2PXFER_BAD_ARGUMENT when an option is unknown or has no such value, or there are more than 1,000 settings.
 */
p2pxfer_status p2pxfer_relay_start_with(const char *address,
                                        uint32_t port,
                                        const struct p2pxfer_relay_setting *settings,
                                        size_t count,
                                        struct p2pxfer_relay **out);

/**
 * The TCP port that the relay listens on, or a negative p2pxfer_status. From any thread.
 */
int32_t p2pxfer_relay_port(const struct p2pxfer_relay *relay);

/**
 * Puts a number of the relay, one of p2pxfer_relay_number, into `*out`. From any thread.
 */
p2pxfer_status p2pxfer_relay_get(const struct p2pxfer_relay *relay, uint32_t number, uint64_t *out);

/**
 * Has the relay take no new connection and close who waits there, lets the pairs that run go on for at most
 * `milliseconds`, or P2PXFER_FOREVER, then resets them, and returns when there is none left. Its numbers can still be
 * read; give it back to p2pxfer_relay_stop(). From any thread, also while another one is in this call: the time that
 * is said last counts for both, and 0 ends it. P2PXFER_FAILED as p2pxfer_relay_stop().
 */
p2pxfer_status p2pxfer_relay_drain(const struct p2pxfer_relay *relay,
                                   uint32_t milliseconds);

/**
 * Ends the relay, resets the pairs that run, waits until its threads are done, and frees it; NULL is
 * fine. P2PXFER_FAILED when it had ended before, because the machine left it no way to go on; it is
 * freed even so. No other thread may be inside a call on this relay.
 */
p2pxfer_status p2pxfer_relay_stop(struct p2pxfer_relay *relay);

/**
 * Puts a number of what the last transfer on this handle came to, one of p2pxfer_report_number, into
 * `*out`. All are 0 when that was not brought to its end.
 */
p2pxfer_status p2pxfer_report_get(const struct p2pxfer *handle,
                                  uint32_t number,
                                  uint64_t *out);

/**
 * Fills `buffer` with the path of the first item that the last transfer on this handle received;
 * empty when there is none. When it does not fit, the buffer holds the empty string.
 * Returns the length of the path in bytes, without the NUL, or a negative p2pxfer_status.
 */
int32_t p2pxfer_received_path(const struct p2pxfer *handle, char *buffer, size_t size);

/**
 * Fills `buffer` with the path of an item that was received, a file or a folder, counted from 0 in
 * the order in which they were complete, up to P2PXFER_REPORT_ITEMS, which counts 1,000 at most; empty
 * for a text. When it does not fit, the
 * buffer holds the empty string. Returns the length of the path in bytes, without the NUL, or a
 * negative p2pxfer_status.
 */
int32_t p2pxfer_received_item(const struct p2pxfer *handle,
                              size_t index,
                              char *buffer,
                              size_t size);

/**
 * Fills `buffer` with the text that came, in the sender's bytes: nothing in it is escaped, so show it
 * with care. Empty when the last transfer brought none. What does not fit is cut off. Returns the
 * length of the whole text in bytes, without the NUL, or a negative p2pxfer_status.
 */
int32_t p2pxfer_received_text(const struct p2pxfer *handle,
                              char *buffer,
                              size_t size);

/**
 * Calls whoever waits under the user id with p2pxfer_listen_sealed() and the same secret, as long as
 * p2pxfer_set_wait() says, and puts a stream into `*out`, to be given back to p2pxfer_stream_free(); NULL is put
 * there when this fails. The handle must have a secret; P2PXFER_WRONG_SECRET when the other side has another one. One that
 * begins to answer has 30 seconds to prove that it knows it. The stream has nothing to do with the handle any more.
 */
p2pxfer_status p2pxfer_dial_sealed(struct p2pxfer *handle,
                                   struct p2pxfer_stream **out);

/**
 * Waits under the user id until a caller has proved that it knows the secret, as long as p2pxfer_set_wait() says, and
 * puts a stream into `*out`: as that of p2pxfer_dial_sealed(). Whoever calls and does not prove it ends the wait, with
 * P2PXFER_WRONG_SECRET, P2PXFER_PROTOCOL, P2PXFER_CONNECTION_LOST or whatever it is: call this again. Who tries another
 * secret does so after a pause of a second, and learns no more than that it was another one. Who says nothing more has
 * 30 seconds, or what is left of the wait when that is less.
 */
p2pxfer_status p2pxfer_listen_sealed(struct p2pxfer *handle,
                                     struct p2pxfer_stream **out);

/**
 * Reads 1 to `size` bytes into `buffer` and returns how many; waits until there are any. 0 at the end, when the other
 * side has finished. Negative: P2PXFER_TRUNCATED when the connection ended before that, P2PXFER_PROTOCOL when
 * something was changed on the way or the other side is no such stream, P2PXFER_CONNECTION_LOST otherwise. After
 * one of those nothing more comes, and each later call returns the same.
 */
int32_t p2pxfer_stream_read(struct p2pxfer_stream *stream,
                            void *buffer,
                            size_t size);

/**
 * Writes `length` bytes, all of them. P2PXFER_CONNECTION_LOST when the connection is lost, or this side has finished.
 * `bytes` may be NULL when `length` is 0.
 */
p2pxfer_status p2pxfer_stream_write(struct p2pxfer_stream *stream,
                                    const void *bytes,
                                    size_t length);

/**
 * Says that this side writes no more: the other side reads 0 once it has read all. The other direction goes on, and
 * may be silent for as long as it likes.
 */
p2pxfer_status p2pxfer_stream_finish(struct p2pxfer_stream *stream);

/**
 * Puts the stream's socket into `*out`, for poll(): it stays the stream's. When it is readable, something is about to
 * come, and p2pxfer_stream_read() waits no longer than the other side takes to say it whole; while
 * p2pxfer_stream_pending() is not 0, read without asking the socket. shutdown() of both directions ends a read or
 * write that waits in another thread.
 */
p2pxfer_status p2pxfer_stream_socket(const struct p2pxfer_stream *stream,
                                     p2pxfer_socket *out);

/**
 * How many bytes can be read at once, whatever the socket says, or a negative p2pxfer_status. It does not wait: 0 while
 * another thread reads.
 */
int32_t p2pxfer_stream_pending(const struct p2pxfer_stream *stream);

/**
 * Ends the connection and frees the stream; NULL is fine. Where p2pxfer_stream_finish() was not called before, the
 * other side finds P2PXFER_TRUNCATED or P2PXFER_CONNECTION_LOST, and may lose what was written last. Where it was, and
 * the other side's end was not read, this throws away what still comes until the other side has freed its stream, for
 * 3 seconds at most: a connection that is closed while something is there to be read takes back what is on its way.
 * Only the other side's answer, or its end when it finishes behind all that it reads, says that it has everything. No
 * other thread may be inside a call on this stream.
 */
p2pxfer_status p2pxfer_stream_free(struct p2pxfer_stream *stream);

/**
 * What a status means, in a few words. Never NULL, also for numbers that are no status; the string
 * lives for ever. From any thread, at any time.
 */
const char *p2pxfer_strerror(int32_t status);

/**
 * Calls whoever waits under the user id and puts a connected socket into `*out`, for any protocol.
 * Blocks until somebody is there, as p2pxfer_set_wait() says. Whatever goes into the socket comes out
 * of the other side's, and nothing else does. After shutdown() of one direction the other goes on,
 * until it ends too or is silent for the relay's half-close time: 30 seconds unless its operator has
 * set another one.
 *
 * The socket is the caller's, to be closed with close(), or closesocket() on Windows; the handle and
 * the library have forgotten it. It blocks, has no timeout, TCP_NODELAY set, and is not inherited by
 * programs that are started. Nothing on the way encrypts it, so a handle that has a secret, or
 * requires one, gets P2PXFER_BAD_ARGUMENT: take p2pxfer_dial_sealed(), or run a protocol over it that
 * sees to that. Writing to it
 * when the other side is gone raises SIGPIPE, unless it is done by send() with MSG_NOSIGNAL.
 */
p2pxfer_status p2pxfer_dial(struct p2pxfer *handle,
                            p2pxfer_socket *out);

/**
 * Waits under the user id until a caller has come and spoken, as long as p2pxfer_set_wait() says, and
 * puts a connected socket into `*out`, from which what the caller said is still to be read. The relay
 * does not tell when a caller comes: where the protocol has the listener speak first and its caller
 * wait for that, take p2pxfer_register(). The socket is as that of p2pxfer_dial().
 */
p2pxfer_status p2pxfer_listen(struct p2pxfer *handle,
                              p2pxfer_socket *out);

/**
 * Registers with the relay as the one who waits under the user id, and puts the socket into `*out`
 * without waiting for a caller: for poll(). It is readable when a caller has spoken, or when the relay
 * ended it; what is written before is kept for the caller. A relay that refuses says "X" and ends the
 * stream. The socket is as that of p2pxfer_dial().
 */
p2pxfer_status p2pxfer_register(struct p2pxfer *handle,
                                p2pxfer_socket *out);

/**
 * Sends the file, or the folder with all that is in it, at `path` to whoever waits under the user
 * id, in version 2 of the protocol, or in version 1 when the receiver speaks no other. That carries
 * a single file of 1 byte to 2047 MiB only, in clear text, and never follows where a secret is set.
 * Blocks until the receiver has it or something went wrong.
 */
p2pxfer_status p2pxfer_send_file(struct p2pxfer *handle, const char *path);

/**
 * Sends several files and folders in one transfer: `count` paths, at least one. More than one needs
 * version 2. When some files could not be read or were not taken, and all others are there, this is
 * the status of the first of them, and P2PXFER_REPORT_SKIPPED counts them.
 */
p2pxfer_status p2pxfer_send_files(struct p2pxfer *handle, const char *const *paths, size_t count);

/**
 * Sends a text of 1 to 65,536 bytes of UTF-8, for a person to read. Needs version 2. The receiver has
 * it as p2pxfer_received_text().
 */
p2pxfer_status p2pxfer_send_text(struct p2pxfer *handle,
                                 const char *text);

/**
 * Waits under the user id for a sender and puts what it sends, files and folders, into the output
 * folder. Blocks until all is there or something went wrong. What was complete by then is kept; of a
 * file that was not, version 2 keeps a part beside it, from which the next transfer goes on, and
 * version 1 nothing. When some files could not be read or kept, and all others are there, this is the
 * status of the first of them.
 *
 * Fills `buffer` with the path of the file or folder that was complete first. A path is never cut: when it does not
 * fit, the buffer holds the empty string, the file is there all the same, and p2pxfer_received_path()
 * has the path. p2pxfer_received_item() has those of the others.
 */
p2pxfer_status p2pxfer_recv_file(struct p2pxfer *handle,
                                 char *buffer,
                                 size_t size);

/**
 * Ends what runs on the handle: it returns P2PXFER_CANCELLED soon, at the latest when the look-up of
 * the host's name is done, unless it was over already. From any thread, and from inside the
 * callbacks. P2PXFER_IDLE when nothing runs: what begins later is not affected. Must not run beside
 * p2pxfer_free().
 *
 * To end a transfer that another thread is about to begin, have a flag of your own, atomic or under
 * a lock, that the progress callback returns. Set the flag, then call this, and take P2PXFER_IDLE
 * for success: a transfer that this came too early for asks the callback before it calls anybody.
 */
p2pxfer_status p2pxfer_cancel(struct p2pxfer *handle);

/**
 * The version of the library that the program runs with, to compare with P2PXFER_VERSION. From any
 * thread, at any time.
 */
uint32_t p2pxfer_version(void);

/**
 * The same as "MAJOR.MINOR.PATCH". The string lives for ever.
 */
const char *p2pxfer_version_string(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* P2PXFER_H */
