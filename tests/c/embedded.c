/* A relay in the process, and a receiver who waits there: embedded FOLDER USERID. Says the port, for
 * send_r FILE USERID 127.0.0.1 PORT. */
#include <p2pxfer.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const p2pxfer_relay_setting settings[] = {
        {P2PXFER_RELAY_SET_CONNECTIONS, 10},
        {P2PXFER_RELAY_SET_IDLE_TIMEOUT, 60000},
    };
    p2pxfer_relay *relay = NULL;
    p2pxfer *handle = NULL;
    p2pxfer_status status;
    char path[4096];
    uint64_t bytes = 0;

    if (argc != 3) {
        fprintf(stderr, "usage: embedded FOLDER USERID\n");
        return 2;
    }
    if (p2pxfer_relay_start_with("127.0.0.1", 0, settings, 2, &relay) != P2PXFER_OK) {
        fprintf(stderr, "embedded: no relay can be started\n");
        return 1;
    }
    printf("port %ld\n", (long)p2pxfer_relay_port(relay));
    fflush(stdout);

    p2pxfer_new(&handle);
    p2pxfer_set_user_id(handle, argv[2]);
    p2pxfer_set_host(handle, "127.0.0.1");
    p2pxfer_set_port(handle, (uint32_t)p2pxfer_relay_port(relay));
    p2pxfer_set_output_folder(handle, argv[1]);
    status = p2pxfer_recv_file(handle, path, sizeof path);
    if (status == P2PXFER_OK) {
        p2pxfer_relay_get(relay, P2PXFER_RELAY_CALLER_BYTES, &bytes);
        printf("received %s, %lu bytes crossed the relay\n", path, (unsigned long)bytes);
    } else {
        char details[512] = "";
        p2pxfer_last_error(handle, details, sizeof details);
        fprintf(stderr, "embedded: %s: %s\n", p2pxfer_strerror(status), details);
    }
    p2pxfer_free(handle);
    p2pxfer_relay_stop(relay);
    return -status;
}
