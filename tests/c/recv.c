/* Waits under a user id for a file and puts it into a folder: recv FOLDER USERID HOST PORT */
#include <p2pxfer.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    p2pxfer *handle;
    p2pxfer_status status;
    char path[4096];

    if (argc != 5) {
        fprintf(stderr, "usage: recv FOLDER USERID HOST PORT\n");
        return 2;
    }
    status = p2pxfer_new(&handle);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_output_folder(handle, argv[1]);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_user_id(handle, argv[2]);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_host(handle, argv[3]);
    if (status == P2PXFER_OK)
        status = p2pxfer_set_port(handle, (uint32_t)strtoul(argv[4], NULL, 10));
    if (status == P2PXFER_OK)
        status = p2pxfer_recv_file(handle, path, sizeof path);

    if (status == P2PXFER_OK) {
        printf("received %s\n", path);
    } else {
        char details[512] = "";
        p2pxfer_last_error(handle, details, sizeof details);
        fprintf(stderr, "recv: %s: %s\n", p2pxfer_strerror(status), details);
    }
    p2pxfer_free(handle);
    return -status;
}
