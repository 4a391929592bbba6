/* As a program with windows does it: the transfer has a thread of its own, the main loop looks now and then how far
 * it is, and may end it: polling FILE USERID HOST PORT. A line on standard input, as a click on "Cancel", ends it. */
#include <p2pxfer.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What the two threads share. */
struct transfer {
    pthread_mutex_t lock;
    uint64_t done, total;
    int wanted; /* 0 once the user has enough of it */
    int over;
    p2pxfer_status status;
    p2pxfer *handle;
    const char *file;
};

/* In the transfer's thread: leaves word, and does not wait for anybody. */
static int note(void *user, uint64_t done, uint64_t total)
{
    struct transfer *transfer = (struct transfer *)user;
    int wanted;
    pthread_mutex_lock(&transfer->lock);
    transfer->done = done;
    transfer->total = total;
    wanted = transfer->wanted;
    pthread_mutex_unlock(&transfer->lock);
    return !wanted;
}

static void *run(void *user)
{
    struct transfer *transfer = (struct transfer *)user;
    const p2pxfer_status status = p2pxfer_send_file(transfer->handle, transfer->file);
    pthread_mutex_lock(&transfer->lock);
    transfer->status = status;
    transfer->over = 1;
    pthread_mutex_unlock(&transfer->lock);
    return NULL;
}

/* The main loop: 20 times a second it draws, and looks whether anybody clicked. */
static void loop(struct transfer *transfer)
{
    struct pollfd clicks;
    int over = 0;
    clicks.fd = STDIN_FILENO;
    clicks.events = POLLIN;
    while (!over) {
        uint64_t done, total;
        char click[64];
        const int clicked = poll(&clicks, 1, 50) > 0;
        if (clicked && read(clicks.fd, click, sizeof click) <= 0)
            clicks.fd = -1; /* nobody there: go on without */
        pthread_mutex_lock(&transfer->lock);
        if (clicked && clicks.fd >= 0)
            transfer->wanted = 0;
        done = transfer->done;
        total = transfer->total;
        over = transfer->over;
        pthread_mutex_unlock(&transfer->lock);
        if (clicked && clicks.fd >= 0)
            p2pxfer_cancel(transfer->handle); /* it may wait where no progress is made */
        if (total > 0)
            printf("\r%3d %%", (int)(done * 100 / total));
        fflush(stdout);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    struct transfer transfer = {PTHREAD_MUTEX_INITIALIZER, 0, 0, 1, 0, P2PXFER_FAILED, NULL, NULL};
    pthread_t thread;

    if (argc != 5) {
        fprintf(stderr, "usage: polling FILE USERID HOST PORT\n");
        return 2;
    }
    transfer.file = argv[1];
    p2pxfer_new(&transfer.handle);
    p2pxfer_set_user_id(transfer.handle, argv[2]);
    p2pxfer_set_host(transfer.handle, argv[3]);
    p2pxfer_set_port(transfer.handle, (uint32_t)strtoul(argv[4], NULL, 10));
    p2pxfer_set_wait(transfer.handle, P2PXFER_FOREVER);
    p2pxfer_set_progress(transfer.handle, note, &transfer);
    if (pthread_create(&thread, NULL, run, &transfer) != 0)
        return 1;
    loop(&transfer);
    pthread_join(thread, NULL);
    if (transfer.status != P2PXFER_OK) {
        char details[512] = "";
        p2pxfer_last_error(transfer.handle, details, sizeof details);
        fprintf(stderr, "polling: %s: %s\n", p2pxfer_strerror(transfer.status), details);
    }
    p2pxfer_free(transfer.handle);
    return -transfer.status;
}
