/* Sends a file to whoever waits under a user id: send FILE USERID HOST PORT */
#include <p2pxfer.h>
#include <stdio.h>
#include <stdlib.h>

static int show(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    if (total > 0 && done == total)
        fprintf(stderr, "%lu bytes are on their way\n", (unsigned long)total);
    return 0; /* anything else ends the transfer */
}

int main(int argc, char **argv)
{
    p2pxfer *handle;
    p2pxfer_status status;

    if (argc != 5) {
        fprintf(stderr, "usage: send FILE USERID HOST PORT\n");
        return 2;
    }
    status = p2pxfer_new(&handle);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_user_id(handle, argv[2]);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_host(handle, argv[3]);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_port(handle, (uint32_t)strtoul(argv[4], NULL, 10));
    if (status == P2PXFER_OK)
        status = p2pxfer_set_progress(handle, show, NULL);
    if (status == P2PXFER_OK)
        status = p2pxfer_send_file(handle, argv[1]);

    if (status == P2PXFER_OK) {
        printf("sent %s\n", argv[1]);
    } else {
        char details[512] = "";
        p2pxfer_last_error(handle, details, sizeof details);
        fprintf(stderr, "send: %s: %s\n", p2pxfer_strerror(status), details);
    }
    p2pxfer_free(handle);
    return -status;
}
