/* What is no file: bytes in memory, functions that give and take, a file of a given name; and the words that a
 * transfer says. */
#include "check.h"

#include <time.h>

#define LENGTH 5000000

static uint8_t byte_at(size_t at) { return (uint8_t)(at * 11 % 253); }

/* Both sides of a transfer, each in a thread of its own. */
struct side {
    p2pxfer *handle;
    /* To send: bytes, or a reader; to receive: room, a writer, or a file of the handle's. */
    const uint8_t *bytes;
    p2pxfer_read read;
    uint8_t *room;
    size_t length;
    p2pxfer_write write;
    void *user;
    const char *name;
    p2pxfer_status status;
    pthread_t thread, self;
};

static void *run_side(void *argument)
{
    struct side *side = (struct side *)argument;
    side->self = pthread_self();
    if (side->bytes != NULL)
        side->status = p2pxfer_send_buffer(side->handle, side->name, side->bytes, side->length);
    else if (side->read != NULL)
        side->status = p2pxfer_send_stream(side->handle, side->name, side->read, side->user);
    else if (side->room != NULL)
        side->status = p2pxfer_recv_buffer(side->handle, side->room, side->length, &side->length);
    else if (side->write != NULL)
        side->status = p2pxfer_recv_stream(side->handle, side->write, side->user);
    else
        side->status = p2pxfer_recv_file(side->handle, NULL, 0);
    return NULL;
}

static void begin(struct side *side, const struct setup *setup, const char *user_id)
{
    memset(side, 0, sizeof *side);
    side->handle = handle_for(setup, user_id);
    side->name = "memory.bin";
}

static void go(struct side *side)
{
    CHECK(pthread_create(&side->thread, NULL, run_side, side) == 0);
}

static p2pxfer_status done(struct side *side)
{
    CHECK(pthread_join(side->thread, NULL) == 0);
    return side->status;
}

static void end(struct side *side) { MUST(p2pxfer_free(side->handle)); }

/* A writer's and a reader's state. */
struct flow {
    p2pxfer *handle;
    const struct side *side; /* of a writer */
    size_t at;
    size_t stop; /* there it gives up */
};

static int64_t give(void *user, uint8_t *buffer, size_t size)
{
    struct flow *flow = (struct flow *)user;
    size_t count;
    CHECK(size > 0);
    CHECK_STATUS(p2pxfer_set_overwrite(flow->handle, 1), P2PXFER_BUSY);
    if (flow->at == flow->stop)
        return -1;
    /* Odd amounts, so that nothing fits a record by luck. */
    for (count = 0; count < size && count < 4999 && flow->at < LENGTH && flow->at < flow->stop; count++)
        buffer[count] = byte_at(flow->at++);
    return (int64_t)count;
}

static int take(void *user, const uint8_t *bytes, size_t length)
{
    struct flow *flow = (struct flow *)user;
    size_t index;
    CHECK(length > 0);
    CHECK(pthread_equal(pthread_self(), flow->side->self));
    if (flow->at >= flow->stop)
        return 1;
    for (index = 0; index < length; index++)
        CHECK(bytes[index] == byte_at(flow->at++));
    return 0;
}

static uint8_t *make_bytes(void)
{
    uint8_t *bytes = (uint8_t *)malloc(LENGTH);
    size_t at;
    CHECK(bytes != NULL);
    for (at = 0; at < LENGTH; at++)
        bytes[at] = byte_at(at);
    return bytes;
}

static void memory_goes_to_memory(const struct setup *setup)
{
    struct side from, to;
    uint8_t *bytes = make_bytes(), *room = (uint8_t *)malloc(LENGTH);
    uint64_t value;
    char path[8];
    CHECK(room != NULL);
    begin(&from, setup, "memory");
    begin(&to, setup, "memory");
    from.bytes = bytes;
    from.length = LENGTH;
    to.room = room;
    to.length = LENGTH;
    go(&to);
    go(&from);
    MUST(done(&from));
    MUST(done(&to));
    CHECK(to.length == LENGTH && memcmp(bytes, room, LENGTH) == 0);
    MUST(p2pxfer_report_get(to.handle, P2PXFER_REPORT_BYTES, &value));
    CHECK(value == LENGTH);
    CHECK_STATUS(p2pxfer_received_path(to.handle, path, sizeof path), 0);

    /* One byte less is too little, and both are told. */
    to.length = LENGTH - 1;
    go(&to);
    go(&from);
    CHECK_STATUS(done(&from), P2PXFER_NO_SPACE);
    CHECK_STATUS(done(&to), P2PXFER_NO_SPACE);

    /* Nothing is something, too. */
    from.length = to.length = 0;
    go(&to);
    go(&from);
    MUST(done(&from));
    MUST(done(&to));
    CHECK(to.length == 0);
    end(&from);
    end(&to);
    free(bytes);
    free(room);
}

static void a_reader_feeds_a_writer(const struct setup *setup)
{
    struct side from, to;
    struct flow given, taken;
    begin(&from, setup, "flow");
    begin(&to, setup, "flow");
    memset(&given, 0, sizeof given);
    memset(&taken, 0, sizeof taken);
    given.handle = from.handle;
    taken.handle = to.handle;
    taken.side = &to;
    given.stop = taken.stop = SIZE_MAX;
    from.read = give;
    from.user = &given;
    to.write = take;
    to.user = &taken;
    go(&to);
    go(&from);
    MUST(done(&from));
    MUST(done(&to));
    CHECK(given.at == LENGTH && taken.at == LENGTH);

    given.at = taken.at = 0;
    given.stop = LENGTH / 2;
    go(&to);
    go(&from);
    CHECK_STATUS(done(&from), P2PXFER_FILE);
    CHECK_STATUS(done(&to), P2PXFER_FILE);
    CHECK(given.at == LENGTH / 2);

    given.at = taken.at = 0;
    given.stop = SIZE_MAX;
    taken.stop = 1;
    go(&to);
    go(&from);
    CHECK(done(&from) != P2PXFER_OK);
    CHECK_STATUS(done(&to), P2PXFER_FILE);
    end(&from);
    end(&to);
}

/* Somebody who waits inside a reader until the transfer is cancelled, and then a while longer. */
struct sleeper {
    p2pxfer *handle;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int entered, cancelled, returned;
};

static int64_t slowly(void *user, uint8_t *buffer, size_t size)
{
    struct sleeper *sleeper = (struct sleeper *)user;
    const struct timespec while_longer = {0, 50000000};
    CHECK(size > 0);
    CHECK(pthread_mutex_lock(&sleeper->lock) == 0);
    sleeper->entered = 1;
    CHECK(pthread_cond_broadcast(&sleeper->changed) == 0);
    while (!sleeper->cancelled)
        CHECK(pthread_cond_wait(&sleeper->changed, &sleeper->lock) == 0);
    CHECK(pthread_mutex_unlock(&sleeper->lock) == 0);
    CHECK(nanosleep(&while_longer, NULL) == 0);
    /* Its call has not returned. */
    CHECK_STATUS(p2pxfer_set_overwrite(sleeper->handle, 1), P2PXFER_BUSY);
    sleeper->returned = 1;
    buffer[0] = 'x';
    return 1;
}

/* However it ends, the reader is not called any more: `sleeper` is gone then, which valgrind and ASan would tell. */
static void a_cancel_leaves_no_reader_behind(const struct setup *setup)
{
    struct side from, to;
    struct sleeper *sleeper = (struct sleeper *)calloc(1, sizeof *sleeper);
    CHECK(sleeper != NULL);
    begin(&from, setup, "left");
    begin(&to, setup, "left");
    sleeper->handle = from.handle;
    CHECK(pthread_mutex_init(&sleeper->lock, NULL) == 0);
    CHECK(pthread_cond_init(&sleeper->changed, NULL) == 0);
    from.read = slowly;
    from.user = sleeper;
    to.room = (uint8_t *)malloc(LENGTH);
    to.length = LENGTH;
    CHECK(to.room != NULL);
    go(&to);
    go(&from);
    CHECK(pthread_mutex_lock(&sleeper->lock) == 0);
    while (!sleeper->entered)
        CHECK(pthread_cond_wait(&sleeper->changed, &sleeper->lock) == 0);
    MUST(p2pxfer_cancel(from.handle));
    sleeper->cancelled = 1;
    CHECK(pthread_cond_broadcast(&sleeper->changed) == 0);
    CHECK(pthread_mutex_unlock(&sleeper->lock) == 0);
    CHECK_STATUS(done(&from), P2PXFER_CANCELLED);
    CHECK(sleeper->returned);
    free(sleeper);
    /* It may have been too early for anybody to hear of it. */
    p2pxfer_cancel(to.handle);
    CHECK(done(&to) != P2PXFER_OK);
    free(to.room);
    end(&from);
    end(&to);
}

static void a_file_gets_the_name_that_the_receiver_wants(const struct setup *setup)
{
    struct side from, to;
    uint8_t *bytes = make_bytes();
    char path[600], sent[512];
    FILE *file;
    begin(&from, setup, "named");
    begin(&to, setup, "named");
    CHECK_STATUS(p2pxfer_set_output_file(to.handle, setup->received), P2PXFER_BAD_ARGUMENT);
    snprintf(path, sizeof path, "%s/wanted", setup->received);
    MUST(p2pxfer_set_output_file(to.handle, path));
    from.bytes = bytes;
    from.length = 5;
    go(&to);
    go(&from);
    MUST(done(&from));
    MUST(done(&to));
    CHECK((size_t)snprintf(sent, sizeof sent, "%s/sent", setup->folder) < sizeof sent);
    file = fopen(sent, "wb");
    CHECK(file != NULL && fwrite(bytes, 1, 5, file) == 5 && fclose(file) == 0);
    CHECK(same_content(sent, path));
    {
        char got[600];
        CHECK(p2pxfer_received_path(to.handle, got, sizeof got) > 0 && strcmp(got, path) == 0);
    }
    end(&from);
    end(&to);
    free(bytes);
}

/* Two lines are enough: that it matched, and what came of the secret. */
static void hear(void *user, const char *line)
{
    unsigned *heard = (unsigned *)user;
    CHECK(strchr(line, '\n') == NULL);
    if (strcmp(line, "matched") == 0)
        *heard |= 1;
    if (strstr(line, "verified by the secret") != NULL)
        *heard |= 2;
    if (strstr(line, "memory.bin") != NULL)
        *heard |= 4;
}

static void the_log_hears_every_step(const struct setup *setup)
{
    struct side from, to;
    unsigned sender = 0, receiver = 0;
    uint8_t room[8];
    begin(&from, setup, "log");
    begin(&to, setup, "log");
    MUST(p2pxfer_set_secret(from.handle, (const uint8_t *)"s", 1));
    MUST(p2pxfer_set_secret(to.handle, (const uint8_t *)"s", 1));
    MUST(p2pxfer_set_log(from.handle, hear, &sender));
    MUST(p2pxfer_set_log(to.handle, hear, &receiver));
    from.bytes = (const uint8_t *)"hello";
    from.length = 5;
    to.room = room;
    to.length = sizeof room;
    go(&to);
    go(&from);
    MUST(done(&from));
    MUST(done(&to));
    CHECK(to.length == 5 && memcmp(room, "hello", 5) == 0);
    CHECK(sender == 7 && receiver == 7);
    end(&from);
    end(&to);
}

static void what_cannot_be_sent_is_refused_at_once(const struct setup *setup)
{
    static const char *const names[] = {NULL, "", ".", "..", "a/b", "a\nb", "\xff\xfe", "con"};
    const int32_t bad = P2PXFER_BAD_ARGUMENT;
    p2pxfer *handle = handle_for(setup, "nobody");
    uint8_t byte = 0;
    size_t at, length = 7;
    for (at = 0; at < sizeof names / sizeof names[0]; at++) {
        CHECK_STATUS(p2pxfer_send_buffer(handle, names[at], &byte, 1), bad);
        CHECK_STATUS(p2pxfer_send_stream(handle, names[at], slowly, NULL), bad);
    }
    CHECK_STATUS(p2pxfer_send_buffer(handle, "a", NULL, 1), bad);
    CHECK_STATUS(p2pxfer_send_buffer(handle, "a", &byte, SIZE_MAX), bad);
    CHECK_STATUS(p2pxfer_send_buffer(NULL, "a", &byte, 1), bad);
    CHECK_STATUS(p2pxfer_send_stream(handle, "a", NULL, NULL), bad);
    CHECK_STATUS(p2pxfer_send_stream(NULL, "a", slowly, NULL), bad);
    CHECK_STATUS(p2pxfer_recv_buffer(handle, NULL, 1, &length), bad);
    CHECK_STATUS(p2pxfer_recv_buffer(handle, &byte, 1, NULL), bad);
    CHECK_STATUS(p2pxfer_recv_buffer(NULL, &byte, 1, &length), bad);
    CHECK_STATUS(p2pxfer_recv_stream(handle, NULL, NULL), bad);
    CHECK_STATUS(p2pxfer_recv_stream(NULL, take, NULL), bad);
    CHECK_STATUS(p2pxfer_set_log(NULL, hear, NULL), bad);
    CHECK_STATUS(p2pxfer_set_output_file(NULL, "a"), bad);
    CHECK_STATUS(p2pxfer_set_output_file(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_set_output_file(handle, ""), bad);
    MUST(p2pxfer_set_log(handle, NULL, NULL));
    MUST(p2pxfer_free(handle));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    what_cannot_be_sent_is_refused_at_once(&setup);
    memory_goes_to_memory(&setup);
    a_reader_feeds_a_writer(&setup);
    a_cancel_leaves_no_reader_behind(&setup);
    a_file_gets_the_name_that_the_receiver_wants(&setup);
    the_log_hears_every_step(&setup);
    return 0;
}
