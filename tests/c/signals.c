/* The host's signals stay as they were, and a peer that leaves in the middle of the data does not
 * raise SIGPIPE, which would end this program. */
#include "peer.h"

#include <signal.h>

#define LAST_SIGNAL 64

static void dispositions(struct sigaction *actions)
{
    int number;
    memset(actions, 0, sizeof *actions * (LAST_SIGNAL + 1));
    for (number = 1; number <= LAST_SIGNAL; number++)
        sigaction(number, NULL, &actions[number]); /* two of them are the C library's: stay zero */
}

struct peer {
    int listener;
    int says_so; /* ends its own side first, which turns the sender's error into EPIPE */
};

/* A relay and a receiver in one, which takes the header and a little data, then leaves. */
static void *leave_in_the_middle(void *argument)
{
    const struct peer *peer = (const struct peer *)argument;
    const struct linger at_once = {1, 0};
    char bytes[4096];
    int stream = greet(peer->listener, 'C');
    write_fully(stream, "O", 1);
    read_fully(stream, bytes, 48);
    write_fully(stream, "O", 1);
    read_fully(stream, bytes, sizeof bytes);
    if (peer->says_so)
        CHECK(shutdown(stream, SHUT_WR) == 0);
    CHECK(setsockopt(stream, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(stream);
    return NULL;
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    struct sigaction before[LAST_SIGNAL + 1], after[LAST_SIGNAL + 1];
    struct peer peer;
    pthread_t thread;
    p2pxfer *handle;
    char file[512];
    int round;

    setup.host = "127.0.0.1";
    peer.listener = bind_somewhere(&setup.port);
    CHECK(listen(peer.listener, 1) == 0);
    make_file(&setup, "signals.bin", 20000000, file, sizeof file);

    dispositions(before);
    CHECK(before[SIGPIPE].sa_handler == SIG_DFL);
    handle = handle_for(&setup, "signals");
    for (round = 0; round < 5; round++) {
        peer.says_so = round % 2;
        CHECK(pthread_create(&thread, NULL, leave_in_the_middle, &peer) == 0);
        CHECK_STATUS(p2pxfer_send_file(handle, file), P2PXFER_CONNECTION_LOST);
        CHECK(pthread_join(thread, NULL) == 0);
    }
    MUST(p2pxfer_free(handle));
    dispositions(after);
    for (round = 1; round <= LAST_SIGNAL; round++)
        CHECK(before[round].sa_handler == after[round].sa_handler);
    close(peer.listener);
    return 0;
}
