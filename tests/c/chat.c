/* Says what is typed to the other side, and shows what that says, over a stream that a secret seals:
 * chat listen|dial SECRET USERID HOST PORT
 * Writing blocks: a program whose two sides both pour writes in a thread of its own. */
#include <p2pxfer.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Passes on what one side has said; 0 at its end, negative when something is wrong. */
static int typed(p2pxfer_stream *stream)
{
    char text[4096];
    const ssize_t count = read(STDIN_FILENO, text, sizeof text);
    if (count <= 0)
        return p2pxfer_stream_finish(stream) == P2PXFER_OK ? 0 : -1;
    return p2pxfer_stream_write(stream, text, (size_t)count) == P2PXFER_OK ? 1 : -1;
}

static int heard(p2pxfer_stream *stream)
{
    char text[4096];
    const int32_t count = p2pxfer_stream_read(stream, text, sizeof text);
    if (count < 0)
        fprintf(stderr, "chat: %s\n", p2pxfer_strerror(count));
    if (count > 0 && (fwrite(text, 1, (size_t)count, stdout) != (size_t)count || fflush(stdout) != 0))
        return -1;
    return count;
}

static int talk(p2pxfer_stream *stream)
{
    struct pollfd ends[2];
    int typing = 1, hearing = 1;

    ends[0].fd = STDIN_FILENO;
    ends[0].events = ends[1].events = POLLIN;
    if (p2pxfer_stream_socket(stream, &ends[1].fd) != P2PXFER_OK)
        return 1;
    while (typing || hearing) {
        ends[0].revents = ends[1].revents = 0;
        /* What is opened already is not in the socket any more. */
        if (p2pxfer_stream_pending(stream) > 0)
            ends[1].revents = POLLIN;
        else if (poll(ends, 2, -1) < 0)
            return 1;
        if (ends[0].revents != 0) {
            const int more = typed(stream);
            if (more < 0)
                return 1;
            if (more == 0) {
                ends[0].fd = -1; /* the other side may have more to say */
                typing = 0;
            }
        }
        if (ends[1].revents != 0) {
            const int more = heard(stream);
            if (more < 0)
                return 1;
            if (more == 0) {
                ends[1].fd = -1; /* and so may this one */
                hearing = 0;
            }
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    p2pxfer *handle = NULL;
    p2pxfer_stream *stream = NULL;
    p2pxfer_status status;
    int failed = 1;

    if (argc != 6 || (strcmp(argv[1], "listen") != 0 && strcmp(argv[1], "dial") != 0)) {
        fprintf(stderr, "usage: chat listen|dial SECRET USERID HOST PORT\n");
        return 2;
    }
    /* A NULL handle is an error of every call, and the last one tells. */
    p2pxfer_new(&handle);
    p2pxfer_set_secret(handle, (const uint8_t *)argv[2], strlen(argv[2]));
    p2pxfer_set_user_id(handle, argv[3]);
    p2pxfer_set_host(handle, argv[4]);
    p2pxfer_set_port(handle, (uint32_t)strtoul(argv[5], NULL, 10));
    if (argv[1][0] == 'l')
        status = p2pxfer_listen_sealed(handle, &stream);
    else
        status = p2pxfer_dial_sealed(handle, &stream);
    if (status == P2PXFER_OK) {
        failed = talk(stream);
    } else {
        char details[512] = "";
        p2pxfer_last_error(handle, details, sizeof details);
        fprintf(stderr, "chat: %s: %s\n", p2pxfer_strerror(status), details);
    }
    p2pxfer_stream_free(stream);
    p2pxfer_free(handle);
    return failed;
}
