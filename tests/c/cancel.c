/* A transfer ends when it is told to: by the callback's answer, from inside the callback, from another
 * thread; and the handle serves again after that. */
#include "check.h"

enum how { ANSWER, CALL };

struct stopper {
    p2pxfer *handle;
    enum how how;
    int stopped;
};

/* Stops the transfer in the middle of the data. */
static int stop(void *user, uint64_t done, uint64_t total)
{
    struct stopper *stopper = (struct stopper *)user;
    if (done == 0 || done == total)
        return 0;
    stopper->stopped = 1;
    if (stopper->how == ANSWER)
        return 1;
    MUST(p2pxfer_cancel(stopper->handle));
    return 0;
}

static void a_callback_stops_its_transfer(const struct setup *setup, enum how how, int sending)
{
    char file[512], path[512];
    struct stopper stopper = {0};
    struct job receive = {0}, send = {0};

    make_file(setup, "large.bin", 5000000, file, sizeof file);
    receive.handle = handle_for(setup, "stop");
    send.handle = handle_for(setup, "stop");
    send.file = file;
    stopper.handle = sending ? send.handle : receive.handle;
    stopper.how = how;
    MUST(p2pxfer_set_progress(stopper.handle, stop, &stopper));
    start(&receive);
    start(&send);
    finish(&send);
    finish(&receive);
    CHECK(stopper.stopped);
    CHECK_STATUS(sending ? send.status : receive.status, P2PXFER_CANCELLED);
    CHECK_STATUS(sending ? receive.status : send.status, P2PXFER_CONNECTION_LOST);
    CHECK_STATUS(p2pxfer_cancel(stopper.handle), P2PXFER_IDLE);

    MUST(p2pxfer_set_progress(stopper.handle, NULL, NULL));
    receive.buffer = path;
    receive.size = sizeof path;
    start(&receive);
    start(&send);
    MUST(finish(&send));
    MUST(finish(&receive));
    CHECK(same_content(file, path));
    CHECK(remove(path) == 0);
    MUST(p2pxfer_free(send.handle));
    MUST(p2pxfer_free(receive.handle));
}

static void another_thread_stops_one_that_waits(const struct setup *setup)
{
    char file[512];
    struct job receive = {0}, send = {0};

    make_file(setup, "never.bin", 1, file, sizeof file);
    receive.handle = handle_for(setup, "nobody comes");
    MUST(p2pxfer_set_wait(receive.handle, P2PXFER_FOREVER));
    start(&receive);
    cancel_running(receive.handle);
    CHECK_STATUS(finish(&receive), P2PXFER_CANCELLED);

    send.handle = handle_for(setup, "nobody is there");
    send.file = file;
    MUST(p2pxfer_set_wait(send.handle, P2PXFER_FOREVER));
    start(&send);
    cancel_running(send.handle);
    CHECK_STATUS(finish(&send), P2PXFER_CANCELLED);
    MUST(p2pxfer_free(receive.handle));
    MUST(p2pxfer_free(send.handle));
}

static int stop_at_once(void *user, uint64_t done, uint64_t total)
{
    CHECK(done == 0 && total == 0);
    ++*(int *)user;
    return -1;
}

static void a_callback_stops_one_that_has_not_met_its_peer(const struct setup *setup)
{
    int calls = 0;
    p2pxfer *handle = handle_for(setup, "nobody");
    MUST(p2pxfer_set_progress(handle, stop_at_once, &calls));
    CHECK_STATUS(p2pxfer_recv_file(handle, NULL, 0), P2PXFER_CANCELLED);
    CHECK(calls == 1);
    MUST(p2pxfer_free(handle));
}

/* What the header tells for a transfer that is about to begin: a flag, then p2pxfer_cancel(). */
struct flag {
    pthread_mutex_t lock;
    int set;
};

static int read_flag(void *user, uint64_t done, uint64_t total)
{
    struct flag *flag = (struct flag *)user;
    int set;
    (void)done;
    (void)total;
    CHECK(pthread_mutex_lock(&flag->lock) == 0);
    set = flag->set;
    CHECK(pthread_mutex_unlock(&flag->lock) == 0);
    return set;
}

static p2pxfer_status stop_by_flag(struct flag *flag, p2pxfer *handle)
{
    CHECK(pthread_mutex_lock(&flag->lock) == 0);
    flag->set = 1;
    CHECK(pthread_mutex_unlock(&flag->lock) == 0);
    return p2pxfer_cancel(handle);
}

static void a_flag_and_one_cancel_stop_a_transfer_whenever_it_begins(const struct setup *setup)
{
    struct flag flag = {PTHREAD_MUTEX_INITIALIZER, 0};
    struct job receive = {0};
    p2pxfer_status status;
    int round, turn;

    receive.handle = handle_for(setup, "flag");
    MUST(p2pxfer_set_wait(receive.handle, P2PXFER_FOREVER));
    MUST(p2pxfer_set_progress(receive.handle, read_flag, &flag));
    CHECK_STATUS(stop_by_flag(&flag, receive.handle), P2PXFER_IDLE);
    CHECK_STATUS(p2pxfer_recv_file(receive.handle, NULL, 0), P2PXFER_CANCELLED);

    for (round = 0; round < 100; round++) {
        flag.set = 0;
        start(&receive);
        for (turn = 0; turn < round; turn++)
            sched_yield();
        status = stop_by_flag(&flag, receive.handle);
        CHECK(status == P2PXFER_OK || status == P2PXFER_IDLE);
        CHECK_STATUS(finish(&receive), P2PXFER_CANCELLED);
    }
    MUST(p2pxfer_free(receive.handle));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    a_callback_stops_its_transfer(&setup, ANSWER, 1);
    a_callback_stops_its_transfer(&setup, CALL, 1);
    a_callback_stops_its_transfer(&setup, ANSWER, 0);
    a_callback_stops_its_transfer(&setup, CALL, 0);
    another_thread_stops_one_that_waits(&setup);
    a_callback_stops_one_that_has_not_met_its_peer(&setup);
    a_flag_and_one_cancel_stop_a_transfer_whenever_it_begins(&setup);
    return 0;
}
