/*
 * libp2pxfer: two hosts that cannot reach each other meet at a relay, and a file crosses it.
 *
 *     p2pxfer *handle;
 *     p2pxfer_new(&handle);
 *     p2pxfer_set_user_id(handle, "alice");
 *     p2pxfer_set_host(handle, "relay.example");
 *     p2pxfer_set_port(handle, 9000);
 *     if (p2pxfer_send_file(handle, "photo.jpg") != P2PXFER_OK)
 *         ...
 *     p2pxfer_free(handle);
 *
 * Errors: a p2pxfer_status is P2PXFER_OK or negative. p2pxfer_last_error() has the details.
 * NULL where nothing says that it is fine is P2PXFER_BAD_ARGUMENT, never a crash.
 *
 * Handles: made by p2pxfer_new(), given back to p2pxfer_free(). A handle serves any number of
 * transfers, one after the other, and keeps its settings between them. It may move between
 * threads, but serves one call at a time: a call while another one runs, also from inside the
 * progress callback, is P2PXFER_BUSY and changes nothing. p2pxfer_cancel() alone may run beside
 * another call. Different handles have nothing to do with each other.
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
 * How a call ended. The numbers never change, and more may come. -1 to -9 mean what the exit
 * statuses 1 to 9 of send_r and recv_r mean.
 */
enum p2pxfer_status
#ifdef __cplusplus
  : int32_t
#endif // __cplusplus
 {
  /**
   * Done. For a transfer: the receiver has the whole file under its final name.
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
   * The receiver refused the file.
   */
  P2PXFER_REFUSED = -5,
  /**
   * The checksum differed; for a sender also: the receiver could not keep the file.
   */
  P2PXFER_CHECKSUM = -6,
  /**
   * A local file or folder: missing, empty, too large, no space, not permitted.
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
   * There is nothing to cancel: no transfer runs on this handle.
   */
  P2PXFER_IDLE = -13,
};
#ifndef __cplusplus
typedef int32_t p2pxfer_status;
#endif // __cplusplus

/**
 * Settings for transfers, and the result of the last one.
 */
typedef struct p2pxfer p2pxfer;

/**
 * Hears how a transfer goes, in the thread that runs it. `done` of `total` bytes of the file were
 * received, or, for a sender, handed to the system to be sent: that all were says nothing about what
 * the receiver has, only P2PXFER_OK does. Both are 0 until the length is known; those calls come
 * before the relay's name is looked up, when a receiver begins to wait, when the peer is there, and
 * about once a second while a sender waits. Anything but 0 ends the transfer with P2PXFER_CANCELLED.
 * It may call p2pxfer_cancel() and the functions that take no handle; all others are P2PXFER_BUSY on
 * this handle. It must return: no exception and no longjmp may leave it.
 */
typedef int (*p2pxfer_progress)(void *user, uint64_t done, uint64_t total);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

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
 * least 1 millisecond, or P2PXFER_FOREVER for never. 60,000 unless set. Once a sender has handed all
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
 * Sets the folder that received files are put in. It must exist when a transfer begins. The
 * current folder unless set.
 */
p2pxfer_status p2pxfer_set_output_folder(struct p2pxfer *handle, const char *folder);

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
 * What a status means, in a few words. Never NULL, also for numbers that are no status; the string
 * lives for ever. From any thread, at any time.
 */
const char *p2pxfer_strerror(int32_t status);

/**
 * Sends the file at `path`, of 1 byte to 2047 MiB, to whoever waits under the user id. Blocks until
 * the receiver has it or something went wrong.
 */
p2pxfer_status p2pxfer_send_file(struct p2pxfer *handle, const char *path);

/**
 * Waits under the user id for a sender and puts its file into the output folder. Blocks until the
 * file is there or something went wrong; then nothing is left of it.
 *
 * Fills `buffer` with the path of the file. A path is never cut: when it does not fit, the buffer
 * holds the empty string, the file is there all the same, this is P2PXFER_OK, and
 * p2pxfer_received_path() has the path.
 */
p2pxfer_status p2pxfer_recv_file(struct p2pxfer *handle, char *buffer, size_t size);

/**
 * Fills `buffer` with the path of the file that the last p2pxfer_recv_file() on this handle
 * received; empty when there is none. When it does not fit, the buffer holds the empty string.
 * Returns the length of the path in bytes, without the NUL, or a negative p2pxfer_status.
 */
int32_t p2pxfer_received_path(const struct p2pxfer *handle, char *buffer, size_t size);

/**
 * Ends the transfer that runs on the handle: it returns P2PXFER_CANCELLED soon, at the latest when
 * the look-up of the host's name is done, unless it was over already. From any thread, and from
 * inside the progress callback. P2PXFER_IDLE when no transfer runs: one that begins later is not
 * affected. Must not run beside p2pxfer_free().
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
