/* What the test programs need that play the relay and the peer behind it themselves. */
#ifndef PEER_H
#define PEER_H

#include "check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket on a free port of this machine, which nobody can connect to before listen(). */
static inline int bind_somewhere(uint32_t *port)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(stream >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(stream, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(stream, (struct sockaddr *)&address, &length) == 0);
    *port = ntohs(address.sin_port);
    return stream;
}

/* A connection to that port of this machine. */
static inline int connect_to(uint32_t port)
{
    struct sockaddr_in address;
    int stream = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(stream >= 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(stream, (struct sockaddr *)&address, sizeof address) == 0);
    return stream;
}

static inline void read_fully(int stream, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = read(stream, bytes, length);
        CHECK(count > 0);
        bytes += count;
        length -= (size_t)count;
    }
}

static inline void write_fully(int stream, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(stream, bytes, length);
        CHECK(count > 0);
        bytes += count;
        length -= (size_t)count;
    }
}

/* Accepts a client and takes its hello: 'C' for a sender, 'T' for a receiver. */
static inline int greet(int listener, char role)
{
    char byte;
    int stream = accept(listener, NULL, NULL);
    CHECK(stream >= 0);
    read_fully(stream, &byte, 1);
    CHECK(byte == role);
    do
        read_fully(stream, &byte, 1);
    while (byte != '$');
    return stream;
}

#endif
