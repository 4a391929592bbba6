/*
 * An imitation of the relay of 2013, written from what is known of its behaviour, not from its code:
 * the baseline of the bench, and an oracle. Never part of what is shipped.
 *
 * One thread, epoll (level-triggered), at most 100 channels, recv() of at most 2047 bytes, then send()
 * until all of it is gone. Faults are kept: it spins while a peer does not read, drops what follows the
 * '$' of a hello, and closes both sides when either closes.
 *
 * Usage: seed_relay PORT     (0: any free port; the first line on stderr says which; loopback only)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNELS 100
#define CHUNK 2048
#define ID_MAX 18

struct channel {
    int fd;
    int listening;
    struct channel *peer;
    char id[ID_MAX + 1];
};

static struct channel channels[CHANNELS];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void drop(struct channel *c)
{
    close(c->fd);
    c->fd = -1;
    c->listening = 0;
    c->peer = NULL;
}

static void end(struct channel *c)
{
    struct channel *peer = c->peer;

    drop(c);
    if (peer != NULL)
        drop(peer);
}

static int send_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent >= 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static struct channel *listener(const char *id)
{
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *c = &channels[i];

        if (c->fd >= 0 && c->listening && c->peer == NULL && strcmp(c->id, id) == 0)
            return c;
    }
    return NULL;
}

/* A hello is one packet: 'T' or 'C', the id, '$'. */
static void hello(struct channel *c, char *bytes, size_t length)
{
    char *stop = memchr(bytes, '$', length);
    struct channel *waiting;

    if (stop == NULL || (bytes[0] != 'T' && bytes[0] != 'C')) {
        end(c);
        return;
    }
    *stop = '\0';
    if (bytes[0] == 'T') {
        snprintf(c->id, sizeof c->id, "%.*s", ID_MAX, bytes + 1);
        c->listening = 1;
        return;
    }
    bytes[1 + ID_MAX] = '\0';
    waiting = listener(bytes + 1);
    if (waiting == NULL) {
        send_all(c->fd, "X", 1);
        return;
    }
    c->peer = waiting;
    waiting->peer = c;
    send_all(c->fd, "O", 1);
}

static void serve(struct channel *c)
{
    char bytes[CHUNK];
    ssize_t length;

    /* Its peer may have closed it in the same round. */
    if (c->fd < 0)
        return;
    length = recv(c->fd, bytes, sizeof bytes - 1, 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        end(c);
    else if (c->peer == NULL)
        hello(c, bytes, (size_t)length);
    else if (send_all(c->peer->fd, bytes, (size_t)length) != 0)
        end(c);
}

static void welcome(int listening, int poll)
{
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);

    if (fd < 0)
        return;
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *c = &channels[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};

        if (c->fd >= 0)
            continue;
        c->fd = fd;
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0)
            drop(c);
        return;
    }
    close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    struct epoll_event events[CHANNELS], event = {.events = EPOLLIN, .data.ptr = NULL};
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int poll = epoll_create1(0), yes = 1;

    if (argc != 2) {
        fputs("usage: seed_relay PORT\n", stderr);
        return 2;
    }
    for (int i = 0; i < CHANNELS; i++)
        channels[i].fd = -1;
    at.sin_port = htons((unsigned short)atoi(argv[1]));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (listening < 0 || poll < 0)
        die("socket");
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (struct sockaddr *)&at, size) != 0 || listen(listening, CHANNELS) != 0)
        die("listen");
    if (getsockname(listening, (struct sockaddr *)&at, &size) != 0)
        die("getsockname");
    if (epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event) != 0)
        die("epoll_ctl");
    fprintf(stderr, "listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    for (;;) {
        int ready = epoll_wait(poll, events, CHANNELS, -1);

        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == NULL)
                welcome(listening, poll);
            else
                serve(events[i].data.ptr);
        }
    }
}
