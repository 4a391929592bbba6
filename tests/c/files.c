/* Where received files go, and how a transfer that cannot be is refused. */
#include "peer.h"

/* Sends `file`, receives it with `receiver` into a buffer, and frees the sender. */
static void cross(const struct setup *setup, p2pxfer *receiver, const char *file, char *buffer,
                  size_t size)
{
    struct job receive = {0}, send = {0};
    receive.handle = receiver;
    receive.buffer = buffer;
    receive.size = size;
    send.handle = handle_for(setup, "files");
    send.file = file;
    start(&receive);
    start(&send);
    MUST(finish(&send));
    MUST(finish(&receive));
    MUST(p2pxfer_free(send.handle));
}

static void a_path_that_does_not_fit_is_asked_for_again(const struct setup *setup)
{
    char file[512], wanted[512], path[512], folder[256], small[16];
    int32_t length;
    p2pxfer *receiver = handle_for(setup, "files");

    make_file(setup, "photo.jpg", 300000, file, sizeof file);
    /* A path is bytes, and these are no UTF-8. */
    snprintf(folder, sizeof folder, "%s/in-\xff", setup->folder);
    CHECK(mkdir(folder, 0700) == 0);
    snprintf(wanted, sizeof wanted, "%s/photo.jpg", folder);
    MUST(p2pxfer_set_output_folder(receiver, folder));

    memset(small, 'x', sizeof small);
    CHECK_STATUS(p2pxfer_received_path(receiver, path, sizeof path), 0);
    cross(setup, receiver, file, small, sizeof small);
    CHECK(small[0] == '\0');
    length = p2pxfer_received_path(receiver, small, sizeof small);
    CHECK((size_t)length == strlen(wanted) && small[0] == '\0');
    CHECK(p2pxfer_received_path(receiver, path, (size_t)length) == length && path[0] == '\0');
    CHECK(p2pxfer_received_path(receiver, path, (size_t)length + 1) == length);
    CHECK(strcmp(path, wanted) == 0);
    CHECK(same_content(file, path));

    /* The handle serves again, takes what is there for received, and keeps what differs. */
    cross(setup, receiver, file, path, sizeof path);
    CHECK(strcmp(path, wanted) == 0);
    make_file(setup, "photo.jpg", 300001, file, sizeof file);
    cross(setup, receiver, file, path, sizeof path);
    snprintf(wanted, sizeof wanted, "%s/photo (1).jpg", folder);
    CHECK(strcmp(path, wanted) == 0);
    MUST(p2pxfer_set_overwrite(receiver, 1));
    cross(setup, receiver, file, NULL, 0);
    CHECK(p2pxfer_received_path(receiver, path, sizeof path) > 0);
    snprintf(wanted, sizeof wanted, "%s/photo.jpg", folder);
    CHECK(strcmp(path, wanted) == 0);
    MUST(p2pxfer_free(receiver));
}

static void a_folder_must_be_one(const struct setup *setup)
{
    char path[512], buffer[64] = "x";
    p2pxfer *receiver = handle_for(setup, "nowhere");

    snprintf(path, sizeof path, "%s/missing", setup->folder);
    MUST(p2pxfer_set_output_folder(receiver, path));
    CHECK_STATUS(p2pxfer_recv_file(receiver, buffer, sizeof buffer), P2PXFER_FILE);
    CHECK(buffer[0] == '\0');
    CHECK_STATUS(p2pxfer_received_path(receiver, buffer, sizeof buffer), 0);
    CHECK(p2pxfer_last_error(receiver, path, sizeof path) > 0 && strstr(path, "missing"));

    make_file(setup, "a-file", 1, path, sizeof path);
    MUST(p2pxfer_set_output_folder(receiver, path));
    CHECK_STATUS(p2pxfer_recv_file(receiver, buffer, sizeof buffer), P2PXFER_FILE);

    snprintf(path, sizeof path, "%s/a-fifo", setup->folder);
    CHECK(mkfifo(path, 0600) == 0);
    MUST(p2pxfer_set_output_folder(receiver, path));
    CHECK_STATUS(p2pxfer_recv_file(receiver, buffer, sizeof buffer), P2PXFER_FILE);
    MUST(p2pxfer_free(receiver));
}

static void what_cannot_be_sent_is_refused(const struct setup *setup)
{
    char path[512];
    uint32_t port;
    int silent = bind_somewhere(&port);
    p2pxfer *sender = handle_for(setup, "nobody at all");

    snprintf(path, sizeof path, "%s/not there", setup->folder);
    CHECK_STATUS(p2pxfer_send_file(sender, path), P2PXFER_FILE);
    CHECK_STATUS(p2pxfer_send_file(sender, ""), P2PXFER_BAD_ARGUMENT);
    MUST(p2pxfer_set_version1_only(sender, 1));
    CHECK_STATUS(p2pxfer_send_file(sender, path), P2PXFER_FILE);
    CHECK_STATUS(p2pxfer_send_file(sender, setup->folder), P2PXFER_NEEDS_VERSION_2);
    CHECK_STATUS(p2pxfer_send_text(sender, "text"), P2PXFER_NEEDS_VERSION_2);
    make_file(setup, "empty", 0, path, sizeof path);
    CHECK_STATUS(p2pxfer_send_file(sender, path), P2PXFER_FILE);
    MUST(p2pxfer_set_version1_only(sender, 0));

    make_file(setup, "full", 1, path, sizeof path);
    MUST(p2pxfer_set_wait(sender, 0));
    CHECK_STATUS(p2pxfer_send_file(sender, path), P2PXFER_NOBODY_WAITS);
    MUST(p2pxfer_set_wait(sender, 50));
    CHECK_STATUS(p2pxfer_recv_file(sender, NULL, 0), P2PXFER_NOBODY_WAITS);
    MUST(p2pxfer_set_host(sender, "127.0.0.1"));
    MUST(p2pxfer_set_port(sender, port));
    CHECK_STATUS(p2pxfer_send_file(sender, path), P2PXFER_CONNECTION_LOST);
    close(silent);
    MUST(p2pxfer_free(sender));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    a_path_that_does_not_fit_is_asked_for_again(&setup);
    a_folder_must_be_one(&setup);
    what_cannot_be_sent_is_refused(&setup);
    return 0;
}
