/* What the test programs share: a check that ends the program with the line that did not hold, and
 * two transfers that run at once. Every program takes FOLDER HOST PORT: an empty folder and a relay. */
#ifndef CHECK_H
#define CHECK_H

#include <p2pxfer.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHECK(holds)                                                                             \
    do {                                                                                         \
        if (!(holds)) {                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds);           \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

/* Like CHECK for a status, and tells which one came. */
#define CHECK_STATUS(call, wanted)                                                               \
    do {                                                                                         \
        int32_t got_ = (call);                                                                   \
        if (got_ != (wanted)) {                                                                  \
            fprintf(stderr, "%s:%d: %s gave %ld (%s), not %s\n", __FILE__, __LINE__, #call,      \
                    (long)got_, p2pxfer_strerror(got_), #wanted);                                \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

#define MUST(call) CHECK_STATUS(call, P2PXFER_OK)

struct setup {
    const char *folder;
    char received[512]; /* a folder below that one: a file that is there already does not cross */
    const char *host;
    uint32_t port;
};

static struct setup setup_from(int argc, char **argv)
{
    struct setup setup;
    const size_t room = sizeof setup.received;
    CHECK(argc == 4);
    /* Whoever started this may have ignored SIGPIPE; most C programs get it as it comes. */
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    setup.folder = argv[1];
    CHECK((size_t)snprintf(setup.received, room, "%s/received", argv[1]) < room);
    CHECK(mkdir(setup.received, 0700) == 0);
    setup.host = argv[2];
    setup.port = (uint32_t)strtoul(argv[3], NULL, 10);
    return setup;
}

/* A handle that is ready to transfer; a sender waits up to 20 s for its receiver. */
static inline p2pxfer *handle_for(const struct setup *setup, const char *user_id)
{
    p2pxfer *handle = NULL;
    MUST(p2pxfer_new(&handle));
    MUST(p2pxfer_set_user_id(handle, user_id));
    MUST(p2pxfer_set_host(handle, setup->host));
    MUST(p2pxfer_set_port(handle, setup->port));
    MUST(p2pxfer_set_output_folder(handle, setup->received));
    MUST(p2pxfer_set_wait(handle, 20000));
    return handle;
}

/* Writes FOLDER/name, `length` bytes, and puts its path into `path`. */
static inline void make_file(const struct setup *setup, const char *name, size_t length, char *path,
                             size_t size)
{
    FILE *file;
    size_t at;
    CHECK((size_t)snprintf(path, size, "%s/%s", setup->folder, name) < size);
    file = fopen(path, "wb");
    CHECK(file != NULL);
    for (at = 0; at < length; at++)
        CHECK(putc((int)(at * 7 % 251), file) != EOF);
    CHECK(fclose(file) == 0);
}

static inline int same_content(const char *one, const char *other)
{
    FILE *a = fopen(one, "rb"), *b = fopen(other, "rb");
    int x, y;
    CHECK(a != NULL && b != NULL);
    do {
        x = getc(a);
        y = getc(b);
    } while (x == y && x != EOF);
    fclose(a);
    fclose(b);
    return x == y;
}

/* A transfer in a thread of its own. */
struct job {
    p2pxfer *handle;
    const char *file; /* what to send */
    const char *const *files; /* or several, `count` of them */
    size_t count;
    const char *text; /* or a text; without any of these it receives */
    char *buffer;     /* where the received path goes */
    size_t size;
    p2pxfer_status status;
    pthread_t thread;
};

static inline void *run_job(void *argument)
{
    struct job *job = (struct job *)argument;
    if (job->files != NULL)
        job->status = p2pxfer_send_files(job->handle, job->files, job->count);
    else if (job->text != NULL)
        job->status = p2pxfer_send_text(job->handle, job->text);
    else if (job->file != NULL)
        job->status = p2pxfer_send_file(job->handle, job->file);
    else
        job->status = p2pxfer_recv_file(job->handle, job->buffer, job->size);
    return NULL;
}

static inline void start(struct job *job)
{
    CHECK(pthread_create(&job->thread, NULL, run_job, job) == 0);
}

static inline p2pxfer_status finish(struct job *job)
{
    CHECK(pthread_join(job->thread, NULL) == 0);
    return job->status;
}

/* Cancels until the transfer in the other thread has begun. */
static inline void cancel_running(p2pxfer *handle)
{
    p2pxfer_status status;
    while ((status = p2pxfer_cancel(handle)) == P2PXFER_IDLE)
        sched_yield();
    MUST(status);
}

#endif
