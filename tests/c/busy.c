/* A handle serves one call at a time, and says so: from inside the callback, and to a second thread. */
#include "check.h"

#include <semaphore.h>

static int nothing(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return 0;
}

static void everything_is_busy(p2pxfer *handle)
{
    const char *path = "x";
    uint64_t number = 7;
    char buffer[8] = "as is";
    const int32_t busy = P2PXFER_BUSY;
    CHECK_STATUS(p2pxfer_set_user_id(handle, "other"), busy);
    CHECK_STATUS(p2pxfer_set_host(handle, "other"), busy);
    CHECK_STATUS(p2pxfer_set_port(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_connect_timeout(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_idle_timeout(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_wait(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_progress(handle, nothing, NULL), busy);
    CHECK_STATUS(p2pxfer_set_output_folder(handle, "other"), busy);
    CHECK_STATUS(p2pxfer_set_overwrite(handle, 1), busy);
    CHECK_STATUS(p2pxfer_last_error(handle, buffer, sizeof buffer), busy);
    CHECK_STATUS(p2pxfer_received_path(handle, buffer, sizeof buffer), busy);
    CHECK_STATUS(p2pxfer_send_file(handle, "x"), busy);
    CHECK_STATUS(p2pxfer_recv_file(handle, buffer, sizeof buffer), busy);
    CHECK_STATUS(p2pxfer_set_secret(handle, NULL, 0), busy);
    CHECK_STATUS(p2pxfer_set_require_secret(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_reconnect(handle, 0), busy);
    CHECK_STATUS(p2pxfer_set_version1_only(handle, 1), busy);
    CHECK_STATUS(p2pxfer_set_accept(handle, NULL, NULL), busy);
    CHECK_STATUS(p2pxfer_send_files(handle, &path, 1), busy);
    CHECK_STATUS(p2pxfer_send_text(handle, "x"), busy);
    CHECK_STATUS(p2pxfer_received_item(handle, 0, buffer, sizeof buffer), busy);
    CHECK_STATUS(p2pxfer_received_text(handle, buffer, sizeof buffer), busy);
    CHECK_STATUS(p2pxfer_report_get(handle, P2PXFER_REPORT_FILES, &number), busy);
    CHECK_STATUS(p2pxfer_free(handle), busy);
    CHECK(strcmp(buffer, "as is") == 0 && number == 7);
}

struct nested {
    p2pxfer *handle;
    int calls;
};

static int call_back_in(void *user, uint64_t done, uint64_t total)
{
    struct nested *nested = (struct nested *)user;
    (void)done;
    (void)total;
    nested->calls++;
    everything_is_busy(nested->handle);
    CHECK(p2pxfer_version() == P2PXFER_VERSION);
    return 0;
}

static void a_callback_finds_its_handle_busy(const struct setup *setup)
{
    char file[512], path[512];
    struct nested sending = {0}, receiving = {0};
    struct job receive = {0}, send = {0};

    make_file(setup, "busy.bin", 1000000, file, sizeof file);
    receive.handle = receiving.handle = handle_for(setup, "busy");
    receive.buffer = path;
    receive.size = sizeof path;
    send.handle = sending.handle = handle_for(setup, "busy");
    send.file = file;
    MUST(p2pxfer_set_progress(receive.handle, call_back_in, &receiving));
    MUST(p2pxfer_set_progress(send.handle, call_back_in, &sending));
    start(&receive);
    start(&send);
    MUST(finish(&send));
    MUST(finish(&receive));
    CHECK(sending.calls > 0 && receiving.calls > 0);
    CHECK(same_content(file, path));
    MUST(p2pxfer_free(receive.handle));
    MUST(p2pxfer_free(send.handle));
}

static int tell_that_it_runs(void *user, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    CHECK(sem_post((sem_t *)user) == 0);
    return 0;
}

static void a_second_thread_finds_the_handle_busy(const struct setup *setup)
{
    sem_t runs;
    struct job receive = {0};
    receive.handle = handle_for(setup, "waits");
    CHECK(sem_init(&runs, 0, 0) == 0);
    MUST(p2pxfer_set_progress(receive.handle, tell_that_it_runs, &runs));
    start(&receive);
    CHECK(sem_wait(&runs) == 0);
    everything_is_busy(receive.handle);
    MUST(p2pxfer_cancel(receive.handle));
    CHECK_STATUS(finish(&receive), P2PXFER_CANCELLED);
    MUST(p2pxfer_free(receive.handle));
    CHECK(sem_destroy(&runs) == 0);
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    a_callback_finds_its_handle_busy(&setup);
    a_second_thread_finds_the_handle_busy(&setup);
    return 0;
}
