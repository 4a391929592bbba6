/* Each way that a transfer fails has its status, which is the exit status of send_r and recv_r in the
 * same situation with a minus. The relay and the peer behind it are played here; the programs are those
 * in BIN, from the environment. */
#include "peer.h"

#include <spawn.h>
#include <sys/wait.h>

#define HEADER 48 /* bytes: 32 of the file's name, 16 of its length */
#define CHECKSUM 16

extern char **environ;

static const char DATA[] = "abc"; /* the file, whose checksum is 294 */
#define LENGTH (sizeof DATA - 1)

struct situation {
    const char *what;
    p2pxfer_status wanted;
    const char *answers;     /* to a sender: of the relay, to the header, to the checksum */
    const char *header[2];   /* to a receiver: the name and the length, or NULL for no sender at all */
    const char *checksum;    /* after the data, or NULL to leave in the middle of the data */
};

static const struct situation SENDING[] = {
    {"the receiver has it", P2PXFER_OK, "OOO", {NULL, NULL}, NULL},
    {"nobody waits", P2PXFER_NOBODY_WAITS, "X", {NULL, NULL}, NULL},
    {"the relay leaves", P2PXFER_CONNECTION_LOST, "", {NULL, NULL}, NULL},
    {"the receiver leaves at the header", P2PXFER_CONNECTION_LOST, "O", {NULL, NULL}, NULL},
    {"the receiver leaves at the checksum", P2PXFER_CONNECTION_LOST, "OO", {NULL, NULL}, NULL},
    {"the receiver refuses", P2PXFER_REFUSED, "OX", {NULL, NULL}, NULL},
    {"the receiver does not keep it", P2PXFER_CHECKSUM, "OOX", {NULL, NULL}, NULL},
    {"no relay is there", P2PXFER_PROTOCOL, "?", {NULL, NULL}, NULL},
    {"the receiver babbles", P2PXFER_PROTOCOL, "O?", {NULL, NULL}, NULL},
};

static const struct situation RECEIVING[] = {
    {"all is well", P2PXFER_OK, NULL, {"a.bin", "3"}, "294"},
    {"no sender comes", P2PXFER_NOBODY_WAITS, NULL, {NULL, NULL}, NULL},
    {"the sender leaves", P2PXFER_CONNECTION_LOST, NULL, {"b.bin", "3"}, NULL},
    {"the data is damaged", P2PXFER_CHECKSUM, NULL, {"c.bin", "3"}, "295"},
    {"the length is none", P2PXFER_PROTOCOL, NULL, {"d.bin", "3x"}, "294"},
    {"the name leads elsewhere", P2PXFER_UNSAFE_NAME, NULL, {"../e.bin", "3"}, "294"},
};

struct peer {
    const struct situation *situation;
    int listener;
};

static void receive(const char *answers, int stream)
{
    char bytes[LENGTH + CHECKSUM + HEADER];
    const size_t after[] = {HEADER, LENGTH + CHECKSUM, 0};
    size_t at;
    for (at = 0; answers[at] != '\0'; at++) {
        write_fully(stream, &answers[at], 1);
        if (answers[at] != 'O')
            return;
        read_fully(stream, bytes, after[at]);
    }
}

static void send_to(const struct situation *situation, int stream)
{
    char header[HEADER] = {0}, checksum[CHECKSUM] = {0}, answer;
    if (situation->header[0] == NULL)
        return;
    strcpy(header, situation->header[0]);
    strcpy(header + 32, situation->header[1]);
    write_fully(stream, header, sizeof header);
    if (read(stream, &answer, 1) != 1 || answer != 'O')
        return;
    if (situation->checksum == NULL) {
        write_fully(stream, DATA, LENGTH - 1);
        return;
    }
    write_fully(stream, DATA, LENGTH);
    strcpy(checksum, situation->checksum);
    write_fully(stream, checksum, sizeof checksum);
}

static void *play(void *argument)
{
    const struct peer *peer = (const struct peer *)argument;
    const struct situation *situation = peer->situation;
    const int to_sender = situation->answers != NULL;
    const int silent = !to_sender && situation->header[0] == NULL;
    int stream = greet(peer->listener, to_sender ? 'C' : 'T');
    char byte;
    if (to_sender)
        receive(situation->answers, stream);
    else
        send_to(situation, stream);
    if (!silent)
        CHECK(shutdown(stream, SHUT_WR) == 0);
    /* To close over an unread byte would be another situation: a reset. */
    while (read(stream, &byte, 1) == 1)
        continue;
    close(stream);
    return NULL;
}

/* The exit status of a program. */
static int run(char **words)
{
    char program[512];
    const char *folder = getenv("BIN");
    pid_t pid;
    int status;
    CHECK(folder != NULL);
    CHECK((size_t)snprintf(program, sizeof program, "%s/%s", folder, words[0]) < sizeof program);
    CHECK(posix_spawn(&pid, program, NULL, NULL, words, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int32_t program(const struct setup *setup, const char *file, const char *folder)
{
    char port[16], path[512], receive_into[512];
    char *sender[] = {"send_r", path, "alice", "127.0.0.1", port, NULL};
    char *receiver[] = {"recv_r", "--wait=1", "-o", receive_into, "-", "alice", "127.0.0.1", port, NULL};
    snprintf(port, sizeof port, "%lu", (unsigned long)setup->port);
    snprintf(path, sizeof path, "%s", file != NULL ? file : "");
    snprintf(receive_into, sizeof receive_into, "%s/", folder);
    return -run(file != NULL ? sender : receiver);
}

static int32_t library(const struct setup *setup, const char *file, const char *folder)
{
    char text[256];
    int32_t status;
    p2pxfer *handle = handle_for(setup, "alice");
    MUST(p2pxfer_set_wait(handle, file != NULL ? 0 : 1000));
    MUST(p2pxfer_set_output_folder(handle, folder));
    status = file != NULL ? p2pxfer_send_file(handle, file) : p2pxfer_recv_file(handle, NULL, 0);
    CHECK((p2pxfer_last_error(handle, text, sizeof text) > 0) == (status != P2PXFER_OK));
    MUST(p2pxfer_free(handle));
    return status;
}

typedef int32_t transfer(const struct setup *, const char *file, const char *folder);

static void expect(const char *what, int32_t got, p2pxfer_status wanted)
{
    if (got != wanted)
        fprintf(stderr, "when %s: %ld (%s)\n", what, (long)got, p2pxfer_strerror(got));
    CHECK_STATUS(got, wanted);
}

static void meet(const struct setup *setup, struct peer *peer, const struct situation *situation,
                 const char *file, transfer *transfer)
{
    pthread_t thread;
    int32_t status;
    peer->situation = situation;
    CHECK(pthread_create(&thread, NULL, play, peer) == 0);
    status = transfer(setup, file, setup->folder);
    CHECK(pthread_join(thread, NULL) == 0);
    expect(situation->what, status, situation->wanted);
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    transfer *const both[] = {library, program};
    struct peer peer = {0};
    char file[512], missing[512];
    size_t way, at;
    FILE *stream;

    snprintf(missing, sizeof missing, "%s/missing", setup.folder);
    snprintf(file, sizeof file, "%s/sent.bin", setup.folder);
    stream = fopen(file, "wb");
    CHECK(stream != NULL && fputs(DATA, stream) >= 0 && fclose(stream) == 0);
    setup.host = "127.0.0.1";
    peer.listener = bind_somewhere(&setup.port);

    for (way = 0; way < 2; way++)
        expect("nobody listens", both[way](&setup, file, setup.folder), P2PXFER_CONNECTION_LOST);
    CHECK(listen(peer.listener, 1) == 0);
    for (way = 0; way < 2; way++) {
        for (at = 0; at < sizeof SENDING / sizeof *SENDING; at++)
            meet(&setup, &peer, &SENDING[at], file, both[way]);
        for (at = 0; at < sizeof RECEIVING / sizeof *RECEIVING; at++)
            meet(&setup, &peer, &RECEIVING[at], NULL, both[way]);
        expect("there is no file", both[way](&setup, missing, setup.folder), P2PXFER_FILE);
        expect("there is no folder", both[way](&setup, NULL, missing), P2PXFER_FILE);
    }
    close(peer.listener);
    return 0;
}
