/* A stream carries any bytes both ways at once, with an end of its own on each side; who makes one can
 * wait, poll, or be stopped. */
#include "peer.h"

#include <poll.h>

#define LENGTH 10000000 /* bytes each way */

typedef p2pxfer_status connector(p2pxfer *, p2pxfer_socket *);

struct end {
    p2pxfer *handle;
    connector *connect;
    p2pxfer_status status;
    p2pxfer_socket stream;
    pthread_t thread;
};

static void *run_end(void *argument)
{
    struct end *end = (struct end *)argument;
    end->status = end->connect(end->handle, &end->stream);
    return NULL;
}

static void begin(struct end *end, const struct setup *setup, const char *user, connector *connect)
{
    end->handle = handle_for(setup, user);
    end->connect = connect;
    end->stream = -1;
    CHECK(pthread_create(&end->thread, NULL, run_end, end) == 0);
}

static p2pxfer_status ended(struct end *end)
{
    CHECK(pthread_join(end->thread, NULL) == 0);
    return end->status;
}

static char byte_at(size_t at) { return (char)(at * 13 % 251); }

static void *pour(void *argument)
{
    const p2pxfer_socket stream = *(const p2pxfer_socket *)argument;
    char bytes[8192];
    size_t at = 0, index;
    while (at < LENGTH) {
        size_t count = LENGTH - at < sizeof bytes ? LENGTH - at : sizeof bytes;
        for (index = 0; index < count; index++)
            bytes[index] = byte_at(at + index);
        write_fully(stream, bytes, count);
        at += count;
    }
    CHECK(shutdown(stream, SHUT_WR) == 0);
    return NULL;
}

/* Knows nothing of the library: gives back what comes, until its end. */
static void *echo(void *argument)
{
    const p2pxfer_socket stream = *(const p2pxfer_socket *)argument;
    char bytes[8192];
    ssize_t count;
    while ((count = read(stream, bytes, sizeof bytes)) > 0)
        write_fully(stream, bytes, (size_t)count);
    CHECK(count == 0);
    CHECK(close(stream) == 0);
    return NULL;
}

static void ten_million_bytes_come_back_from_an_echo(const struct setup *setup)
{
    struct end listener, caller;
    pthread_t pouring, echoing;
    char bytes[8192];
    size_t at = 0;
    ssize_t count, index;

    begin(&listener, setup, "echo", p2pxfer_listen);
    begin(&caller, setup, "echo", p2pxfer_dial);
    MUST(ended(&caller));
    CHECK(pthread_create(&pouring, NULL, pour, &caller.stream) == 0);
    MUST(ended(&listener));
    /* The sockets do not need the handles any more. */
    MUST(p2pxfer_free(caller.handle));
    MUST(p2pxfer_free(listener.handle));
    CHECK(pthread_create(&echoing, NULL, echo, &listener.stream) == 0);
    while ((count = read(caller.stream, bytes, sizeof bytes)) > 0)
        for (index = 0; index < count; index++)
            CHECK(bytes[index] == byte_at(at++));
    CHECK(count == 0 && at == LENGTH);
    CHECK(pthread_join(pouring, NULL) == 0);
    CHECK(pthread_join(echoing, NULL) == 0);
    CHECK(close(caller.stream) == 0);
}

/* As an SMTP server does, which cannot wait for p2pxfer_listen(). */
static void one_who_registers_speaks_first_and_polls(const struct setup *setup)
{
    p2pxfer *handle = handle_for(setup, "registered");
    p2pxfer_socket stream = -1;
    struct end caller;
    struct pollfd wait;
    char bytes[4];

    MUST(p2pxfer_register(handle, &stream));
    CHECK_STATUS(p2pxfer_cancel(handle), P2PXFER_IDLE);
    write_fully(stream, "220", 3);
    wait.fd = stream;
    wait.events = POLLIN;
    CHECK(poll(&wait, 1, 0) == 0);
    begin(&caller, setup, "registered", p2pxfer_dial);
    MUST(ended(&caller));
    read_fully(caller.stream, bytes, 3);
    CHECK(memcmp(bytes, "220", 3) == 0);
    write_fully(caller.stream, "EHLO", 4);
    CHECK(poll(&wait, 1, 20000) == 1);
    read_fully(stream, bytes, 4);
    CHECK(memcmp(bytes, "EHLO", 4) == 0);
    CHECK(close(stream) == 0);
    CHECK(read(caller.stream, bytes, 1) == 0);
    CHECK(close(caller.stream) == 0);
    MUST(p2pxfer_free(caller.handle));
    MUST(p2pxfer_free(handle));
}

static void one_who_waits_is_stopped(const struct setup *setup)
{
    connector *const both[] = {p2pxfer_listen, p2pxfer_dial};
    struct end end;
    size_t at;
    for (at = 0; at < 2; at++) {
        begin(&end, setup, "nobody comes", both[at]);
        cancel_running(end.handle);
        CHECK_STATUS(ended(&end), P2PXFER_CANCELLED);
        CHECK(end.stream == -1);
        MUST(p2pxfer_free(end.handle));
    }
}

static void what_cannot_be_is_an_error(const struct setup *setup)
{
    connector *const all[] = {p2pxfer_listen, p2pxfer_dial, p2pxfer_register};
    static const uint8_t secret[] = {1};
    p2pxfer *handle;
    p2pxfer_socket stream = -7;
    size_t at;
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    for (at = 0; at < 3; at++) {
        CHECK_STATUS(all[at](NULL, &stream), bad);
        MUST(p2pxfer_new(&handle));
        CHECK_STATUS(all[at](handle, &stream), bad);
        MUST(p2pxfer_free(handle));
        handle = handle_for(setup, "nobody");
        CHECK_STATUS(all[at](handle, NULL), bad);
        MUST(p2pxfer_set_secret(handle, secret, sizeof secret));
        CHECK_STATUS(all[at](handle, &stream), bad);
        MUST(p2pxfer_set_secret(handle, NULL, 0));
        MUST(p2pxfer_set_require_secret(handle, 1));
        CHECK_STATUS(all[at](handle, &stream), bad);
        MUST(p2pxfer_free(handle));
    }
    handle = handle_for(setup, "nobody");
    MUST(p2pxfer_set_wait(handle, 0));
    CHECK_STATUS(p2pxfer_dial(handle, &stream), P2PXFER_NOBODY_WAITS);
    MUST(p2pxfer_set_wait(handle, 50));
    CHECK_STATUS(p2pxfer_listen(handle, &stream), P2PXFER_NOBODY_WAITS);
    CHECK(stream == -7);
    MUST(p2pxfer_free(handle));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    ten_million_bytes_come_back_from_an_echo(&setup);
    one_who_registers_speaks_first_and_polls(&setup);
    one_who_waits_is_stopped(&setup);
    what_cannot_be_is_an_error(&setup);
    return 0;
}
