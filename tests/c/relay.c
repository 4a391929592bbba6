/* A relay in the process: it serves, counts, and ends; and a peer that leaves in the middle of the data
 * raises no SIGPIPE there, which would end this program. */
#include "peer.h"

static uint64_t number(const p2pxfer_relay *relay, p2pxfer_relay_number which)
{
    uint64_t value = 0;
    MUST(p2pxfer_relay_get(relay, which, &value));
    return value;
}

static void a_file_crosses_the_relay_in_the_process(const struct setup *given)
{
    struct setup setup = *given;
    struct job receive = {0}, send = {0};
    char file[512], path[512];
    p2pxfer_relay *relay = NULL, *second = NULL;

    MUST(p2pxfer_relay_start("127.0.0.1", 0, &relay));
    setup.host = "127.0.0.1";
    setup.port = (uint32_t)p2pxfer_relay_port(relay);
    CHECK(setup.port > 0 && setup.port < 65536);
    CHECK_STATUS(p2pxfer_relay_start("127.0.0.1", setup.port, &second), P2PXFER_FAILED);
    CHECK(second == NULL);
    make_file(&setup, "relay.bin", 2000000, file, sizeof file);
    receive.handle = handle_for(&setup, "inside");
    receive.buffer = path;
    receive.size = sizeof path;
    send.handle = handle_for(&setup, "inside");
    send.file = file;
    start(&receive);
    start(&send);
    MUST(finish(&send));
    MUST(finish(&receive));
    CHECK(same_content(file, path));
    CHECK(number(relay, P2PXFER_RELAY_MATCHES) == 1);
    CHECK(number(relay, P2PXFER_RELAY_CALLER_BYTES) > 2000000);
    CHECK(number(relay, P2PXFER_RELAY_LISTENER_BYTES) > 0);
    CHECK(number(relay, P2PXFER_RELAY_ACCEPTED) >= 2);
    MUST(p2pxfer_set_wait(send.handle, 0));
    CHECK_STATUS(p2pxfer_send_file(send.handle, file), P2PXFER_NOBODY_WAITS);
    CHECK(number(relay, P2PXFER_RELAY_REFUSED) >= 1);
    MUST(p2pxfer_relay_stop(relay));
    CHECK_STATUS(p2pxfer_send_file(send.handle, file), P2PXFER_CONNECTION_LOST);
    MUST(p2pxfer_free(receive.handle));
    MUST(p2pxfer_free(send.handle));
}

static void a_peer_that_leaves_ends_its_pair_alone(const struct setup *given)
{
    static char bytes[1 << 16];
    const struct linger at_once = {1, 0};
    struct setup setup = *given;
    p2pxfer_relay *relay;
    p2pxfer *handle;
    p2pxfer_socket listener, caller;
    int round;

    MUST(p2pxfer_relay_start("127.0.0.1", 0, &relay));
    setup.host = "127.0.0.1";
    setup.port = (uint32_t)p2pxfer_relay_port(relay);
    handle = handle_for(&setup, "leaves");
    for (round = 0; round < 20; round++) {
        MUST(p2pxfer_register(handle, &listener));
        MUST(p2pxfer_dial(handle, &caller));
        while (number(relay, P2PXFER_RELAY_PAIRS) != 1)
            sched_yield();
        write_fully(caller, "go", 2);
        read_fully(listener, bytes, 2);
        if (round % 2) /* the relay sees an end first, which turns its error into EPIPE */
            CHECK(shutdown(listener, SHUT_WR) == 0);
        CHECK(setsockopt(listener, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        CHECK(close(listener) == 0);
        while (send(caller, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            continue;
        CHECK(close(caller) == 0);
        while (number(relay, P2PXFER_RELAY_CONNECTIONS) != 0)
            sched_yield();
    }
    MUST(p2pxfer_register(handle, &listener));
    while (number(relay, P2PXFER_RELAY_LISTENERS) != 1)
        sched_yield();
    MUST(p2pxfer_free(handle));
    MUST(p2pxfer_relay_stop(relay));
    CHECK(read(listener, bytes, 1) <= 0);
    CHECK(close(listener) == 0);
}

struct drain {
    p2pxfer_relay *relay;
    p2pxfer_status status;
    pthread_t thread;
};

static void *drain(void *argument)
{
    struct drain *it = argument;
    it->status = p2pxfer_relay_drain(it->relay, P2PXFER_FOREVER);
    return NULL;
}

/* A relay with a pair and one who waits, which drains until it is empty. */
static p2pxfer *draining(const struct setup *given, struct drain *drains, p2pxfer_socket ends[2])
{
    struct setup setup = *given;
    p2pxfer_socket waiting, found;
    p2pxfer *handle;
    char byte;

    MUST(p2pxfer_relay_start("127.0.0.1", 0, &drains->relay));
    setup.host = "127.0.0.1";
    setup.port = (uint32_t)p2pxfer_relay_port(drains->relay);
    handle = handle_for(&setup, "drains");
    MUST(p2pxfer_register(handle, &ends[0]));
    MUST(p2pxfer_dial(handle, &ends[1]));
    MUST(p2pxfer_set_wait(handle, 0));
    MUST(p2pxfer_register(handle, &waiting));
    while (number(drains->relay, P2PXFER_RELAY_PAIRS) != 1 || number(drains->relay, P2PXFER_RELAY_LISTENERS) != 1)
        sched_yield();
    CHECK(pthread_create(&drains->thread, NULL, drain, drains) == 0);
    /* Who waits is sent away, and nobody new is let in. */
    CHECK(read(waiting, &byte, 1) <= 0);
    CHECK(close(waiting) == 0);
    CHECK_STATUS(p2pxfer_dial(handle, &found), P2PXFER_CONNECTION_LOST);
    return handle;
}

static void a_relay_that_drains_lets_its_pair_go_on(const struct setup *setup)
{
    struct drain drains;
    p2pxfer_socket ends[2];
    p2pxfer *handle = draining(setup, &drains, ends);
    char bytes[4];

    write_fully(ends[0], "ping", 4);
    read_fully(ends[1], bytes, 4);
    write_fully(ends[1], "pong", 4);
    read_fully(ends[0], bytes, 4);
    CHECK(memcmp(bytes, "pong", 4) == 0);
    CHECK(number(drains.relay, P2PXFER_RELAY_PAIRS) == 1);
    CHECK(close(ends[0]) == 0);
    CHECK(close(ends[1]) == 0);
    CHECK(pthread_join(drains.thread, NULL) == 0);
    MUST(drains.status);
    CHECK(number(drains.relay, P2PXFER_RELAY_CONNECTIONS) == 0);
    CHECK(number(drains.relay, P2PXFER_RELAY_LISTENER_BYTES) == 4);
    MUST(p2pxfer_relay_drain(drains.relay, 0));
    MUST(p2pxfer_relay_stop(drains.relay));
    MUST(p2pxfer_free(handle));
}

static void a_drain_that_takes_too_long_is_ended_from_another_thread(const struct setup *setup)
{
    struct drain drains;
    p2pxfer_socket ends[2];
    p2pxfer *handle = draining(setup, &drains, ends);
    char byte;

    MUST(p2pxfer_relay_drain(drains.relay, 0));
    CHECK(pthread_join(drains.thread, NULL) == 0);
    MUST(drains.status);
    CHECK(read(ends[0], &byte, 1) <= 0);
    CHECK(read(ends[1], &byte, 1) <= 0);
    CHECK(close(ends[0]) == 0);
    CHECK(close(ends[1]) == 0);
    MUST(p2pxfer_relay_stop(drains.relay));
    MUST(p2pxfer_free(handle));
}

static void what_cannot_be_is_an_error(void)
{
    p2pxfer_relay *relay = NULL;
    uint64_t value = 7;
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    MUST(p2pxfer_relay_stop(NULL));
    CHECK_STATUS(p2pxfer_relay_port(NULL), bad);
    CHECK_STATUS(p2pxfer_relay_drain(NULL, 0), bad);
    CHECK_STATUS(p2pxfer_relay_get(NULL, P2PXFER_RELAY_PAIRS, &value), bad);
    CHECK_STATUS(p2pxfer_relay_start("127.0.0.1", 0, NULL), bad);
    CHECK_STATUS(p2pxfer_relay_start("127.0.0.1", 65536, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start("127.0.0.1", UINT32_MAX, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start("", 0, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start("localhost", 0, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start("\xff", 0, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start("192.0.2.1", 0, &relay), P2PXFER_FAILED);
    CHECK(relay == NULL);
    MUST(p2pxfer_relay_start(NULL, 0, &relay));
    CHECK_STATUS(p2pxfer_relay_get(relay, 0, &value), bad);
    CHECK_STATUS(p2pxfer_relay_get(relay, P2PXFER_RELAY_CALLER_BYTES + 1, &value), bad);
    CHECK_STATUS(p2pxfer_relay_get(relay, P2PXFER_RELAY_PAIRS, NULL), bad);
    CHECK(value == 7);
    MUST(p2pxfer_relay_stop(relay));
}

static void what_can_be_set_is_set(void)
{
    const p2pxfer_relay_setting usable[] = {
        {P2PXFER_RELAY_SET_HELLO_TIMEOUT, 100},    {P2PXFER_RELAY_SET_IDLE_TIMEOUT, P2PXFER_FOREVER},
        {P2PXFER_RELAY_SET_HALF_CLOSE, 1},         {P2PXFER_RELAY_SET_CONNECTIONS, UINT64_MAX},
        {P2PXFER_RELAY_SET_SOURCE_CONNECTIONS, 0}, {P2PXFER_RELAY_SET_SOURCE_LISTENERS, 1},
        {P2PXFER_RELAY_SET_SOURCE_RATE, 1},        {P2PXFER_RELAY_SET_SOURCE_BYTES, 1000000},
        {P2PXFER_RELAY_SET_PAIR_BYTES, 1000000},   {P2PXFER_RELAY_SET_THREADS, 0},
        {P2PXFER_RELAY_SET_THREADS, 1},
    };
    const p2pxfer_relay_setting unusable[] = {
        {0, 1},
        {P2PXFER_RELAY_SET_THREADS + 1, 1},
        {UINT32_MAX, 1},
        {P2PXFER_RELAY_SET_HELLO_TIMEOUT, 0},
        {P2PXFER_RELAY_SET_HELLO_TIMEOUT, P2PXFER_FOREVER},
        {P2PXFER_RELAY_SET_HELLO_TIMEOUT, UINT64_MAX},
        {P2PXFER_RELAY_SET_HALF_CLOSE, 0},
        {P2PXFER_RELAY_SET_HALF_CLOSE, P2PXFER_FOREVER},
        {P2PXFER_RELAY_SET_IDLE_TIMEOUT, UINT64_MAX},
        {P2PXFER_RELAY_SET_THREADS, 2},
    };
    const int32_t bad = P2PXFER_BAD_ARGUMENT;
    p2pxfer_relay *relay;
    uint64_t refused = 0;
    uint32_t port;
    int stream;
    size_t at;

    for (at = 0; at < sizeof unusable / sizeof unusable[0]; at++)
        CHECK_STATUS(p2pxfer_relay_start_with("127.0.0.1", 0, &unusable[at], 1, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start_with("127.0.0.1", 0, NULL, 1, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start_with("127.0.0.1", 0, usable, SIZE_MAX, &relay), bad);
    CHECK_STATUS(p2pxfer_relay_start_with("127.0.0.1", 0, usable, 1, NULL), bad);
    CHECK(relay == NULL);
    MUST(p2pxfer_relay_start_with("127.0.0.1", 0, usable, sizeof usable / sizeof usable[0], &relay));
    /* Who says nothing is sent away after a tenth of a second, not after ten. */
    port = (uint32_t)p2pxfer_relay_port(relay);
    stream = connect_to(port);
    while (refused == 0) {
        MUST(p2pxfer_relay_get(relay, P2PXFER_RELAY_REFUSED, &refused));
        sched_yield();
    }
    CHECK(close(stream) == 0);
    MUST(p2pxfer_relay_stop(relay));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    a_file_crosses_the_relay_in_the_process(&setup);
    a_peer_that_leaves_ends_its_pair_alone(&setup);
    a_relay_that_drains_lets_its_pair_go_on(&setup);
    a_drain_that_takes_too_long_is_ended_from_another_thread(&setup);
    what_cannot_be_is_an_error();
    what_can_be_set_is_set();
    return 0;
}
