/* Calls whoever waits under a user id, says what standard input gives, and writes to standard output what
 * comes back, both at once: pump USERID HOST PORT */
#include <p2pxfer.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[65536];

/* One piece; 0 at the end, negative when it cannot be. */
static ssize_t pass(int from, int to)
{
    const ssize_t count = read(from, bytes, sizeof bytes);
    ssize_t at, wrote;
    for (at = 0; at < count; at += wrote)
        if ((wrote = write(to, bytes + at, (size_t)(count - at))) < 0)
            return -1;
    return count;
}

int main(int argc, char **argv)
{
    p2pxfer_socket stream;
    p2pxfer *handle;
    ssize_t went = 1;
    pid_t child = 0;
    (void)argc;
    p2pxfer_new(&handle);
    p2pxfer_set_user_id(handle, argv[1]);
    p2pxfer_set_host(handle, argv[2]);
    p2pxfer_set_port(handle, (uint32_t)strtoul(argv[3], NULL, 10));
    if (p2pxfer_dial(handle, &stream) != P2PXFER_OK || (child = fork()) < 0)
        return 1;
    p2pxfer_free(handle);
    while (went > 0)
        went = child == 0 ? pass(STDIN_FILENO, stream) : pass(stream, STDOUT_FILENO);
    if (child == 0 && shutdown(stream, SHUT_WR) != 0)
        return 1;
    return went != 0;
}
