/* A stream that the secret seals carries any bytes both ways at once; an end that nobody meant is told from one that
 * somebody did; who does not know the secret gets nothing; a transfer of files is no such stream. */
#include "peer.h"

#include <poll.h>
#include <time.h>

#define LENGTH 10000000 /* bytes each way */

typedef p2pxfer_status connector(p2pxfer *, p2pxfer_stream **);

struct end {
    p2pxfer *handle;
    connector *connect;
    p2pxfer_status status;
    p2pxfer_stream *stream;
    pthread_t thread;
};

static void *run_end(void *argument)
{
    struct end *end = (struct end *)argument;
    end->status = end->connect(end->handle, &end->stream);
    return NULL;
}

static void begin(struct end *end, const struct setup *setup, const char *user, const char *secret,
                  connector *connect)
{
    end->handle = handle_for(setup, user);
    MUST(p2pxfer_set_secret(end->handle, (const uint8_t *)secret, strlen(secret)));
    end->connect = connect;
    end->stream = NULL;
    CHECK(pthread_create(&end->thread, NULL, run_end, end) == 0);
}

static p2pxfer_status ended(struct end *end)
{
    CHECK(pthread_join(end->thread, NULL) == 0);
    MUST(p2pxfer_free(end->handle));
    CHECK((end->stream != NULL) == (end->status == P2PXFER_OK));
    return end->status;
}

static void meet(struct end *listener, struct end *caller, const struct setup *setup, const char *user)
{
    begin(listener, setup, user, "lusab-babad", p2pxfer_listen_sealed);
    begin(caller, setup, user, "lusab-babad", p2pxfer_dial_sealed);
    MUST(ended(caller));
    MUST(ended(listener));
}

static char byte_at(size_t at) { return (char)(at * 13 % 251); }

static void *pour(void *argument)
{
    p2pxfer_stream *stream = (p2pxfer_stream *)argument;
    static char bytes[100000];
    size_t at = 0, index;
    while (at < LENGTH) {
        size_t count = LENGTH - at < sizeof bytes ? LENGTH - at : sizeof bytes;
        for (index = 0; index < count; index++)
            bytes[index] = byte_at(at + index);
        MUST(p2pxfer_stream_write(stream, bytes, count));
        at += count;
    }
    MUST(p2pxfer_stream_finish(stream));
    return NULL;
}

static void *echo(void *argument)
{
    p2pxfer_stream *stream = (p2pxfer_stream *)argument;
    char bytes[8192];
    int32_t count;
    while ((count = p2pxfer_stream_read(stream, bytes, sizeof bytes)) > 0)
        MUST(p2pxfer_stream_write(stream, bytes, (size_t)count));
    MUST(count);
    MUST(p2pxfer_stream_finish(stream));
    MUST(p2pxfer_stream_finish(stream));
    CHECK_STATUS(p2pxfer_stream_write(stream, "x", 1), P2PXFER_CONNECTION_LOST);
    return NULL;
}

static void ten_million_bytes_come_back_from_an_echo(const struct setup *setup)
{
    struct end listener, caller;
    pthread_t pouring, echoing;
    char bytes[10000];
    size_t at = 0;
    int32_t count, index;

    meet(&listener, &caller, setup, "sealed-echo");
    CHECK(pthread_create(&echoing, NULL, echo, listener.stream) == 0);
    CHECK(pthread_create(&pouring, NULL, pour, caller.stream) == 0);
    while ((count = p2pxfer_stream_read(caller.stream, bytes, sizeof bytes)) > 0)
        for (index = 0; index < count; index++)
            CHECK(bytes[index] == byte_at(at++));
    MUST(count);
    CHECK(at == LENGTH);
    /* The end stays the end. */
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), 0);
    CHECK(pthread_join(pouring, NULL) == 0);
    CHECK(pthread_join(echoing, NULL) == 0);
    MUST(p2pxfer_stream_free(caller.stream));
    MUST(p2pxfer_stream_free(listener.stream));
}

static void the_listener_may_speak_first_and_the_caller_poll(const struct setup *setup)
{
    struct end listener, caller;
    struct pollfd readable;
    char bytes[8];
    meet(&listener, &caller, setup, "sealed-poll");
    CHECK_STATUS(p2pxfer_stream_pending(caller.stream), 0);
    MUST(p2pxfer_stream_socket(caller.stream, &readable.fd));
    readable.events = POLLIN;
    CHECK(poll(&readable, 1, 0) == 0);
    MUST(p2pxfer_stream_write(listener.stream, "hello", 5));
    CHECK(poll(&readable, 1, 20000) == 1);
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, 2), 2);
    CHECK(memcmp(bytes, "he", 2) == 0);
    /* The rest is not in the socket any more. */
    CHECK(poll(&readable, 1, 0) == 0);
    CHECK_STATUS(p2pxfer_stream_pending(caller.stream), 3);
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), 3);
    CHECK(memcmp(bytes, "llo", 3) == 0);
    CHECK_STATUS(p2pxfer_stream_pending(caller.stream), 0);

    /* Nobody said that this is the end. */
    MUST(p2pxfer_stream_free(listener.stream));
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), P2PXFER_TRUNCATED);
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), P2PXFER_TRUNCATED);
    MUST(p2pxfer_stream_free(caller.stream));
}

static void *read_one(void *argument)
{
    char byte;
    CHECK_STATUS(p2pxfer_stream_read((p2pxfer_stream *)argument, &byte, 1), 1);
    return NULL;
}

/* Whether it had begun to read when it was asked makes no difference. */
static void what_is_pending_is_told_while_another_thread_waits_for_more(const struct setup *setup)
{
    const struct timespec while_longer = {0, 50000000};
    struct end listener, caller;
    pthread_t reading;
    meet(&listener, &caller, setup, "sealed-pending");
    CHECK(pthread_create(&reading, NULL, read_one, caller.stream) == 0);
    CHECK(nanosleep(&while_longer, NULL) == 0);
    CHECK_STATUS(p2pxfer_stream_pending(caller.stream), 0);
    MUST(p2pxfer_stream_write(listener.stream, "x", 1));
    CHECK(pthread_join(reading, NULL) == 0);
    MUST(p2pxfer_stream_free(caller.stream));
    MUST(p2pxfer_stream_free(listener.stream));
}

/* A relay gives a direction little time once the other one has ended on its sockets. */
static void a_side_that_has_finished_may_wait_for_an_answer_as_long_as_it_likes(const struct setup *setup)
{
    const p2pxfer_relay_setting soon = {P2PXFER_RELAY_SET_HALF_CLOSE, 50};
    const struct timespec later = {0, 500000000};
    struct setup own = *setup;
    struct end listener, caller;
    p2pxfer_relay *relay;
    char bytes[8];
    MUST(p2pxfer_relay_start_with("127.0.0.1", 0, &soon, 1, &relay));
    own.host = "127.0.0.1";
    own.port = (uint32_t)p2pxfer_relay_port(relay);
    meet(&listener, &caller, &own, "sealed-patient");
    MUST(p2pxfer_stream_finish(caller.stream));
    CHECK_STATUS(p2pxfer_stream_read(listener.stream, bytes, sizeof bytes), 0);
    CHECK(nanosleep(&later, NULL) == 0);
    MUST(p2pxfer_stream_write(listener.stream, "late", 4));
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), 4);
    MUST(p2pxfer_stream_finish(listener.stream));
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, sizeof bytes), 0);
    MUST(p2pxfer_stream_free(caller.stream));
    MUST(p2pxfer_stream_free(listener.stream));
    MUST(p2pxfer_relay_stop(relay));
}

static void *pour_and_free(void *argument)
{
    pour(argument);
    MUST(p2pxfer_stream_free((p2pxfer_stream *)argument));
    return NULL;
}

/* A socket that is closed while something is there to be read takes back what has not left yet. */
static void what_was_written_arrives_though_its_writer_has_not_read_all(const struct setup *setup)
{
    struct end listener, caller;
    struct pollfd readable;
    pthread_t pouring;
    char bytes[10000];
    size_t at = 0;
    int32_t count, index;
    meet(&listener, &caller, setup, "sealed-unread");
    MUST(p2pxfer_stream_write(caller.stream, "unread", 6));
    MUST(p2pxfer_stream_socket(listener.stream, &readable.fd));
    readable.events = POLLIN;
    CHECK(poll(&readable, 1, 20000) == 1);
    CHECK(pthread_create(&pouring, NULL, pour_and_free, listener.stream) == 0);
    while ((count = p2pxfer_stream_read(caller.stream, bytes, sizeof bytes)) > 0)
        for (index = 0; index < count; index++)
            CHECK(bytes[index] == byte_at(at++));
    MUST(count);
    CHECK(at == LENGTH);
    MUST(p2pxfer_stream_free(caller.stream));
    CHECK(pthread_join(pouring, NULL) == 0);
}

static void another_secret_opens_nothing(const struct setup *setup)
{
    struct end listener, caller;
    begin(&listener, setup, "sealed-guess", "right", p2pxfer_listen_sealed);
    begin(&caller, setup, "sealed-guess", "wrong", p2pxfer_dial_sealed);
    CHECK_STATUS(ended(&caller), P2PXFER_WRONG_SECRET);
    CHECK_STATUS(ended(&listener), P2PXFER_WRONG_SECRET);
}

/* It has spoken, so the wait for a caller is over, and no silence is too long. */
static void a_caller_that_dawdles_does_not_keep_a_listener_for_ever(const struct setup *setup)
{
    const struct timespec moment = {0, 20000000};
    struct end listener;
    int peer;
    char answer = 'X';
    listener.handle = handle_for(setup, "sealed-dawdle");
    MUST(p2pxfer_set_secret(listener.handle, (const uint8_t *)"s", 1));
    MUST(p2pxfer_set_wait(listener.handle, 2000));
    MUST(p2pxfer_set_idle_timeout(listener.handle, P2PXFER_FOREVER));
    listener.connect = p2pxfer_listen_sealed;
    listener.stream = NULL;
    CHECK(pthread_create(&listener.thread, NULL, run_end, &listener) == 0);
    for (;;) {
        peer = connect_to(setup->port);
        write_fully(peer, "Csealed-dawdle$", 15);
        read_fully(peer, &answer, 1);
        if (answer == 'O')
            break;
        CHECK(close(peer) == 0);
        CHECK(nanosleep(&moment, NULL) == 0);
    }
    write_fully(peer, "\0", 1);
    CHECK_STATUS(ended(&listener), P2PXFER_CONNECTION_LOST);
    CHECK(close(peer) == 0);
}

static void a_transfer_of_files_is_no_such_stream(const struct setup *setup)
{
    struct end end;
    struct job job;
    char file[512], bytes[8];
    make_file(setup, "no-stream.bin", 1000, file, sizeof file);
    memset(&job, 0, sizeof job);
    job.handle = handle_for(setup, "sealed-files");
    MUST(p2pxfer_set_secret(job.handle, (const uint8_t *)"s", 1));
    MUST(p2pxfer_set_reconnect(job.handle, 0));
    job.file = file;
    begin(&end, setup, "sealed-files", "s", p2pxfer_listen_sealed);
    start(&job);
    MUST(ended(&end));
    CHECK_STATUS(p2pxfer_stream_read(end.stream, bytes, sizeof bytes), P2PXFER_PROTOCOL);
    CHECK_STATUS(p2pxfer_stream_read(end.stream, bytes, sizeof bytes), P2PXFER_PROTOCOL);
    MUST(p2pxfer_stream_write(end.stream, "x", 1));
    CHECK(finish(&job) != P2PXFER_OK);
    MUST(p2pxfer_stream_free(end.stream));
    MUST(p2pxfer_free(job.handle));
}

static void no_argument_crashes_it(const struct setup *setup)
{
    const int32_t bad = P2PXFER_BAD_ARGUMENT;
    struct end listener, caller;
    p2pxfer *handle = handle_for(setup, "sealed-bad");
    p2pxfer_stream *stream = (p2pxfer_stream *)&stream;
    p2pxfer_socket fd;
    char bytes[8] = "";

    CHECK_STATUS(p2pxfer_dial_sealed(handle, &stream), bad); /* no secret */
    CHECK(stream == NULL);
    CHECK_STATUS(p2pxfer_listen_sealed(handle, &stream), bad);
    CHECK_STATUS(p2pxfer_dial_sealed(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_dial_sealed(NULL, &stream), bad);
    CHECK_STATUS(p2pxfer_listen_sealed(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_listen_sealed(NULL, &stream), bad);
    MUST(p2pxfer_set_secret(handle, (const uint8_t *)"s", 1));
    MUST(p2pxfer_set_version1_only(handle, 1));
    CHECK_STATUS(p2pxfer_dial_sealed(handle, &stream), bad);
    MUST(p2pxfer_set_version1_only(handle, 0));
    MUST(p2pxfer_set_wait(handle, 0));
    CHECK_STATUS(p2pxfer_dial_sealed(handle, &stream), P2PXFER_NOBODY_WAITS);
    MUST(p2pxfer_free(handle));

    CHECK_STATUS(p2pxfer_stream_read(NULL, bytes, 1), bad);
    CHECK_STATUS(p2pxfer_stream_write(NULL, bytes, 1), bad);
    CHECK_STATUS(p2pxfer_stream_finish(NULL), bad);
    CHECK_STATUS(p2pxfer_stream_socket(NULL, &fd), bad);
    CHECK_STATUS(p2pxfer_stream_pending(NULL), bad);
    MUST(p2pxfer_stream_free(NULL));

    meet(&listener, &caller, setup, "sealed-garbage");
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_stream_read(caller.stream, bytes, 0), bad);
    CHECK_STATUS(p2pxfer_stream_write(caller.stream, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_stream_write(caller.stream, bytes, SIZE_MAX), bad);
    CHECK_STATUS(p2pxfer_stream_socket(caller.stream, NULL), bad);
    MUST(p2pxfer_stream_write(caller.stream, NULL, 0));
    MUST(p2pxfer_stream_free(caller.stream));
    /* SIGPIPE has its default: a write to who is gone must not raise it. */
    while (p2pxfer_stream_write(listener.stream, bytes, sizeof bytes) == P2PXFER_OK)
        sched_yield();
    MUST(p2pxfer_stream_free(listener.stream));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    no_argument_crashes_it(&setup);
    ten_million_bytes_come_back_from_an_echo(&setup);
    the_listener_may_speak_first_and_the_caller_poll(&setup);
    what_is_pending_is_told_while_another_thread_waits_for_more(&setup);
    a_side_that_has_finished_may_wait_for_an_answer_as_long_as_it_likes(&setup);
    what_was_written_arrives_though_its_writer_has_not_read_all(&setup);
    another_secret_opens_nothing(&setup);
    a_caller_that_dawdles_does_not_keep_a_listener_for_ever(&setup);
    a_transfer_of_files_is_no_such_stream(&setup);
    return 0;
}
