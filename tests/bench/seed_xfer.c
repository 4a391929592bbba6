/*
 * An imitation of the file programs of 2013, written from what is known of their behaviour, not from
 * their code: the baseline of the bench, and an oracle. Never part of what is shipped.
 *
 * Blocking calls, 2048 bytes at a time, through stdio on the file's side; the checksum adds one byte
 * after the other.
 *
 * Usage: seed_xfer send FILE   USERID PORT       (the relay is on loopback)
 *        seed_xfer recv FOLDER USERID PORT
 * Exit status: 0 done, 1 failed, 2 usage, 3 nobody waits under that name.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 2048
#define NAME 32
#define NUMBER 16

static void fail(const char *what)
{
    fprintf(stderr, "seed_xfer: %s\n", what);
    exit(1);
}

static int dial(const char *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_port = htons((unsigned short)atoi(port));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0)
        fail("cannot reach the relay");
    return fd;
}

static void send_all(int fd, const void *from, size_t length)
{
    const char *bytes = from;

    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

        if (sent <= 0)
            fail("connection lost while sending");
        bytes += sent;
        length -= (size_t)sent;
    }
}

static void recv_exact(int fd, void *to, size_t length)
{
    if (recv(fd, to, length, MSG_WAITALL) != (ssize_t)length)
        fail("connection lost while receiving");
}

static char answer(int fd)
{
    char letter;

    recv_exact(fd, &letter, 1);
    return letter;
}

static uint32_t sum(uint32_t sum, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        sum += bytes[i];
    return sum;
}

static void say_hello(int fd, char what, const char *id)
{
    char hello[300];

    send_all(fd, hello, (size_t)snprintf(hello, sizeof hello, "%c%.255s$", what, id));
}

static int send_file(const char *path, const char *id, const char *port)
{
    unsigned char bytes[CHUNK];
    char header[NAME + NUMBER] = {0}, number[NUMBER] = {0};
    const char *slash = strrchr(path, '/');
    FILE *file = fopen(path, "rb");
    struct stat about;
    uint32_t total = 0;
    size_t length;
    int fd;

    if (file == NULL || stat(path, &about) != 0)
        fail("cannot open the file");
    fd = dial(port);
    say_hello(fd, 'C', id);
    if (answer(fd) != 'O')
        return 3;
    snprintf(header, NAME, "%s", slash != NULL ? slash + 1 : path);
    snprintf(header + NAME, NUMBER, "%lld", (long long)about.st_size);
    send_all(fd, header, sizeof header);
    if (answer(fd) != 'O')
        fail("the receiver refused the file");
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0) {
        total = sum(total, bytes, length);
        send_all(fd, bytes, length);
    }
    snprintf(number, sizeof number, "%d", (int)total);
    send_all(fd, number, sizeof number);
    if (answer(fd) != 'O')
        fail("the receiver saw another checksum");
    return 0;
}

static int recv_file(const char *folder, const char *id, const char *port)
{
    unsigned char bytes[CHUNK];
    char header[NAME + NUMBER], number[NUMBER];
    int fd = dial(port);
    uint32_t total = 0;
    long long left;
    FILE *file;

    say_hello(fd, 'T', id);
    recv_exact(fd, header, sizeof header);
    header[NAME - 1] = header[NAME + NUMBER - 1] = '\0';
    left = atoll(header + NAME);
    /* The one fault that is not imitated: the original writes wherever the name says. */
    if (left <= 0 || header[0] == '\0' || header[0] == '.' || strchr(header, '/') != NULL
        || chdir(folder) != 0 || (file = fopen(header, "wb")) == NULL) {
        send_all(fd, "X", 1);
        fail("cannot take the file");
    }
    send_all(fd, "O", 1);
    while (left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t got = recv(fd, bytes, want, 0);

        if (got <= 0)
            fail("connection lost while receiving");
        total = sum(total, bytes, (size_t)got);
        if (fwrite(bytes, 1, (size_t)got, file) != (size_t)got)
            fail("cannot write the file");
        left -= got;
    }
    recv_exact(fd, number, sizeof number);
    number[NUMBER - 1] = '\0';
    if (fclose(file) != 0 || atoi(number) != (int)total) {
        send_all(fd, "X", 1);
        fail("the checksum is wrong");
    }
    send_all(fd, "O", 1);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "send") == 0)
        return send_file(argv[2], argv[3], argv[4]);
    if (argc == 5 && strcmp(argv[1], "recv") == 0)
        return recv_file(argv[2], argv[3], argv[4]);
    fputs("usage: seed_xfer send FILE USERID PORT | seed_xfer recv FOLDER USERID PORT\n", stderr);
    return 2;
}
