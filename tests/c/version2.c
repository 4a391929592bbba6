/* What only version 2 can: secrets, several files and folders, texts, offers that are judged; and that
 * a peer that speaks version 1 alone is found out. */
#include "check.h"

static uint64_t number(p2pxfer *handle, p2pxfer_report_number which)
{
    uint64_t value = 0;
    MUST(p2pxfer_report_get(handle, which, &value));
    return value;
}

static void set_secret(p2pxfer *handle, const char *secret)
{
    MUST(p2pxfer_set_secret(handle, (const uint8_t *)secret, secret != NULL ? strlen(secret) : 0));
}

/* Both sides of a transfer. */
struct pair {
    struct job receive;
    struct job send;
    char path[512];
};

static void make_pair(const struct setup *setup, struct pair *pair, const char *folder)
{
    static int count;
    char user[32], into[512];
    memset(pair, 0, sizeof *pair);
    snprintf(user, sizeof user, "version2-%d", count++);
    pair->receive.handle = handle_for(setup, user);
    pair->send.handle = handle_for(setup, user);
    pair->receive.buffer = pair->path;
    pair->receive.size = sizeof pair->path;
    CHECK((size_t)snprintf(into, sizeof into, "%s/%s", setup->folder, folder) < sizeof into);
    CHECK(mkdir(into, 0700) == 0);
    MUST(p2pxfer_set_output_folder(pair->receive.handle, into));
}

/* For whoever reads why a check failed. */
static void tell_details(const p2pxfer *handle)
{
    char text[512];
    if (p2pxfer_last_error(handle, text, sizeof text) > 0)
        fprintf(stderr, "%s\n", text);
}

static void run_pair(struct pair *pair)
{
    start(&pair->receive);
    start(&pair->send);
    finish(&pair->send);
    finish(&pair->receive);
    tell_details(pair->send.handle);
    tell_details(pair->receive.handle);
}

static void free_pair(struct pair *pair)
{
    MUST(p2pxfer_free(pair->receive.handle));
    MUST(p2pxfer_free(pair->send.handle));
}

static void a_secret_is_proved(const struct setup *setup)
{
    char file[512];
    struct pair pair;

    make_file(setup, "one.bin", 3000000, file, sizeof file);
    make_pair(setup, &pair, "proved");
    set_secret(pair.receive.handle, "lusab-babad");
    set_secret(pair.send.handle, "lusab-babad");
    MUST(p2pxfer_set_require_secret(pair.send.handle, 1));
    pair.send.file = file;
    run_pair(&pair);
    MUST(pair.send.status);
    MUST(pair.receive.status);
    CHECK(same_content(file, pair.path));
    CHECK(number(pair.send.handle, P2PXFER_REPORT_VERSION) == 2);
    CHECK(number(pair.send.handle, P2PXFER_REPORT_VERIFIED) == 1);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_VERIFIED) == 1);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_BYTES) == 3000000);
    CHECK(number(pair.send.handle, P2PXFER_REPORT_ITEMS) == 0);

    /* The same again: it is there. */
    run_pair(&pair);
    MUST(pair.send.status);
    MUST(pair.receive.status);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_ALREADY) == 1);

    set_secret(pair.send.handle, "another");
    run_pair(&pair);
    CHECK_STATUS(pair.send.status, P2PXFER_WRONG_SECRET);
    CHECK_STATUS(pair.receive.status, P2PXFER_WRONG_SECRET);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_FILES) == 0);

    MUST(p2pxfer_set_require_secret(pair.send.handle, 0));
    set_secret(pair.send.handle, NULL);
    run_pair(&pair);
    CHECK_STATUS(pair.send.status, P2PXFER_WRONG_SECRET);
    CHECK_STATUS(pair.receive.status, P2PXFER_WRONG_SECRET);
    free_pair(&pair);
}

static void version_1_is_found_out_and_never_gets_a_secret(const struct setup *setup)
{
    char file[512];
    struct pair pair;
    int side;

    make_file(setup, "old.bin", 300000, file, sizeof file);
    for (side = 0; side < 2; side++) {
        make_pair(setup, &pair, side ? "old-receiver" : "old-sender");
        pair.send.file = file;
        MUST(p2pxfer_set_version1_only(side ? pair.receive.handle : pair.send.handle, 1));
        run_pair(&pair);
        MUST(pair.send.status);
        MUST(pair.receive.status);
        CHECK(same_content(file, pair.path));
        CHECK(number(pair.send.handle, P2PXFER_REPORT_VERSION) == 1);
        CHECK(number(pair.receive.handle, P2PXFER_REPORT_VERSION) == 1);
        set_secret(side ? pair.send.handle : pair.receive.handle, "lusab-babad");
        run_pair(&pair);
        CHECK(pair.send.status != P2PXFER_OK && pair.receive.status != P2PXFER_OK);
        CHECK(number(pair.receive.handle, P2PXFER_REPORT_FILES) == 0);
        free_pair(&pair);
    }
}

static void make_tree(const struct setup *setup, char *folder, size_t size)
{
    char path[512];
    CHECK((size_t)snprintf(folder, size, "%s/tree", setup->folder) < size);
    CHECK(mkdir(folder, 0700) == 0);
    make_file(setup, "tree/a.bin", 100000, path, sizeof path);
    make_file(setup, "tree/empty", 0, path, sizeof path);
}

/* What the accept callback saw, and what it is to answer. */
struct judge {
    int answer;
    int calls;
    int cancel;
    p2pxfer *handle;
    uint64_t items, files, bytes, folders, verified;
    char name[64];
};

static int judge(void *user, const p2pxfer_offer *offer)
{
    struct judge *judge = (struct judge *)user;
    uint64_t untouched = 7;
    char buffer[4];
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    judge->calls++;
    MUST(p2pxfer_offer_get(offer, P2PXFER_OFFER_ITEMS, &judge->items));
    MUST(p2pxfer_offer_get(offer, P2PXFER_OFFER_FILES, &judge->files));
    MUST(p2pxfer_offer_get(offer, P2PXFER_OFFER_BYTES, &judge->bytes));
    MUST(p2pxfer_offer_get(offer, P2PXFER_OFFER_FOLDERS, &judge->folders));
    MUST(p2pxfer_offer_get(offer, P2PXFER_OFFER_VERIFIED, &judge->verified));
    CHECK(p2pxfer_offer_name(offer, 0, judge->name, sizeof judge->name) > 0);
    CHECK(p2pxfer_offer_name(offer, 0, buffer, sizeof buffer) == (int32_t)strlen(judge->name));
    CHECK(strlen(buffer) <= 3 && strncmp(buffer, judge->name, strlen(buffer)) == 0);
    CHECK_STATUS(p2pxfer_offer_get(offer, 0, &untouched), bad);
    CHECK_STATUS(p2pxfer_offer_get(offer, P2PXFER_OFFER_VERIFIED + 1, &untouched), bad);
    CHECK_STATUS(p2pxfer_offer_get(offer, P2PXFER_OFFER_ITEMS, NULL), bad);
    CHECK_STATUS(p2pxfer_offer_name(offer, SIZE_MAX, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_offer_name(offer, 0, NULL, 1), bad);
    CHECK(untouched == 7);
    CHECK_STATUS(p2pxfer_set_accept(judge->handle, NULL, NULL), P2PXFER_BUSY);
    CHECK_STATUS(p2pxfer_free(judge->handle), P2PXFER_BUSY);
    if (judge->cancel)
        MUST(p2pxfer_cancel(judge->handle));
    return judge->answer;
}

static void files_and_folders_cross_together(const struct setup *setup)
{
    char file[512], other[512], folder[512], path[512], wanted[600];
    const char *paths[3], *name;
    struct judge judging = {0};
    struct pair pair;
    int32_t length;
    size_t at;
    int seen = 0;

    make_file(setup, "first.bin", 70000, file, sizeof file);
    make_file(setup, "second.bin", 0, other, sizeof other);
    make_tree(setup, folder, sizeof folder);
    make_pair(setup, &pair, "several");
    paths[0] = file;
    paths[1] = folder;
    paths[2] = other;
    pair.send.files = paths;
    pair.send.count = 3;
    judging.answer = 1;
    judging.handle = pair.receive.handle;
    MUST(p2pxfer_set_accept(pair.receive.handle, judge, &judging));
    run_pair(&pair);
    MUST(pair.send.status);
    MUST(pair.receive.status);
    CHECK(judging.calls == 1 && judging.items == 3 && judging.folders == 1);
    CHECK(judging.files == 4 && judging.bytes == 170000 && judging.verified == 0);
    CHECK(strcmp(judging.name, "first.bin") == 0);
    CHECK(number(pair.send.handle, P2PXFER_REPORT_FILES) == 4);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_FILES) == 4);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_FOLDERS) == 1);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_SKIPPED) == 0);
    CHECK(number(pair.receive.handle, P2PXFER_REPORT_ITEMS) == 3);
    for (at = 0; at < 3; at++) {
        CHECK(p2pxfer_received_item(pair.receive.handle, at, path, sizeof path) > 0);
        name = strrchr(path, '/');
        CHECK(name != NULL);
        if (strcmp(name, "/first.bin") == 0)
            seen += same_content(file, path);
        else if (strcmp(name, "/second.bin") == 0)
            seen += 10 * same_content(other, path);
        else if (strcmp(name, "/tree") == 0)
            seen += 100;
        length = p2pxfer_received_item(pair.receive.handle, at, wanted, strlen(path));
        CHECK((size_t)length == strlen(path) && wanted[0] == '\0');
    }
    CHECK(seen == 111);
    CHECK(p2pxfer_received_item(pair.receive.handle, 0, path, sizeof path) > 0);
    CHECK(strcmp(path, pair.path) == 0);
    CHECK_STATUS(p2pxfer_received_item(pair.receive.handle, 3, path, sizeof path),
                 P2PXFER_BAD_ARGUMENT);
    snprintf(path, sizeof path, "%s/several/tree/a.bin", setup->folder);
    snprintf(wanted, sizeof wanted, "%s/a.bin", folder);
    CHECK(same_content(path, wanted));
    free_pair(&pair);
}

static void an_offer_is_refused_or_ended(const struct setup *setup)
{
    char file[512], text[256];
    struct judge judging = {0};
    struct pair pair;
    int version1;

    make_file(setup, "unwanted.bin", 1000, file, sizeof file);
    make_pair(setup, &pair, "unwanted");
    pair.send.file = file;
    judging.handle = pair.receive.handle;
    MUST(p2pxfer_set_accept(pair.receive.handle, judge, &judging));
    for (version1 = 0; version1 < 2; version1++) {
        MUST(p2pxfer_set_version1_only(pair.send.handle, version1));
        run_pair(&pair);
        CHECK_STATUS(pair.send.status, P2PXFER_REFUSED);
        CHECK_STATUS(pair.receive.status, P2PXFER_REFUSED);
        CHECK(judging.calls == version1 + 1 && judging.files == 1 && judging.bytes == 1000);
    }
    judging.cancel = 1;
    judging.answer = 1;
    MUST(p2pxfer_set_version1_only(pair.send.handle, 0));
    run_pair(&pair);
    CHECK_STATUS(pair.receive.status, P2PXFER_CANCELLED);
    CHECK_STATUS(pair.send.status, P2PXFER_CONNECTION_LOST);
    CHECK(p2pxfer_last_error(pair.send.handle, text, sizeof text) > 0);
    free_pair(&pair);
}

static void a_text_crosses(const struct setup *setup)
{
    char text[64];
    struct pair pair;

    make_pair(setup, &pair, "text");
    pair.send.text = "see you at the relay \xea\xb0\x80";
    run_pair(&pair);
    MUST(pair.send.status);
    MUST(pair.receive.status);
    CHECK(p2pxfer_received_text(pair.receive.handle, text, sizeof text) == 24);
    CHECK(strcmp(text, pair.send.text) == 0);
    CHECK(pair.path[0] == '\0');
    CHECK(p2pxfer_received_text(pair.receive.handle, text, 24) == 24 && strlen(text) == 21);
    free_pair(&pair);
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    a_secret_is_proved(&setup);
    version_1_is_found_out_and_never_gets_a_secret(&setup);
    files_and_folders_cross_together(&setup);
    an_offer_is_refused_or_ended(&setup);
    a_text_crosses(&setup);
    return 0;
}
