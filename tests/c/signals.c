/* The host's signals stay as they were, and a peer that leaves in the middle of the data does not
 * raise SIGPIPE, which would end this program. */
#include "check.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAST_SIGNAL 64

static void dispositions(struct sigaction *actions)
{
    int number;
    memset(actions, 0, sizeof *actions * (LAST_SIGNAL + 1));
    for (number = 1; number <= LAST_SIGNAL; number++)
        sigaction(number, NULL, &actions[number]); /* two of them are the C library's: stay zero */
}

static void read_fully(int stream, char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = read(stream, bytes, length);
        CHECK(count > 0);
        bytes += count;
        length -= (size_t)count;
    }
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
    int stream = accept(peer->listener, NULL, NULL);
    CHECK(stream >= 0);
    do
        read_fully(stream, bytes, 1);
    while (bytes[0] != '$');
    CHECK(write(stream, "O", 1) == 1);
    read_fully(stream, bytes, 48);
    CHECK(write(stream, "O", 1) == 1);
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
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    struct peer peer;
    pthread_t thread;
    p2pxfer *handle;
    char file[512];
    int round;

    peer.listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(peer.listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(peer.listener, 1) == 0);
    CHECK(getsockname(peer.listener, (struct sockaddr *)&address, &length) == 0);
    make_file(&setup, "signals.bin", 20000000, file, sizeof file);

    dispositions(before);
    CHECK(before[SIGPIPE].sa_handler == SIG_DFL);
    setup.host = "127.0.0.1";
    setup.port = ntohs(address.sin_port);
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
