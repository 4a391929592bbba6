/* No argument that C can write down crashes the library: NULL, too small, too large, malformed. */
#include "check.h"

#include <limits.h>

static int nothing(void *user, uint64_t done, uint64_t total)
{
    (void)user;
    (void)done;
    (void)total;
    return 0;
}

static int take_all(void *user, const p2pxfer_offer *offer)
{
    (void)user;
    (void)offer;
    return 1;
}

static void every_code_has_a_text_of_its_own(void)
{
    const char *unknown = p2pxfer_strerror(1);
    int32_t code, other;
    for (code = P2PXFER_OK; code >= P2PXFER_TRUNCATED; code--) {
        CHECK(p2pxfer_strerror(code)[0] != '\0');
        CHECK(strcmp(p2pxfer_strerror(code), unknown) != 0);
        for (other = P2PXFER_OK; other > code; other--)
            CHECK(strcmp(p2pxfer_strerror(code), p2pxfer_strerror(other)) != 0);
    }
    CHECK(strcmp(p2pxfer_strerror(P2PXFER_TRUNCATED - 1), unknown) == 0);
    CHECK(strcmp(p2pxfer_strerror(INT32_MIN), unknown) == 0);
    CHECK(strcmp(p2pxfer_strerror(INT32_MAX), unknown) == 0);
}

static void null_is_an_error_everywhere(void)
{
    static const uint8_t secret[] = {'a', 0, 'b'};
    const char *paths[] = {"x", NULL};
    char buffer[8] = "as is";
    uint64_t number = 7;
    p2pxfer *handle;
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    MUST(p2pxfer_free(NULL));
    CHECK_STATUS(p2pxfer_new(NULL), bad);
    CHECK_STATUS(p2pxfer_set_user_id(NULL, "alice"), bad);
    CHECK_STATUS(p2pxfer_set_host(NULL, "localhost"), bad);
    CHECK_STATUS(p2pxfer_set_port(NULL, 9000), bad);
    CHECK_STATUS(p2pxfer_set_connect_timeout(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_idle_timeout(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_wait(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_progress(NULL, nothing, NULL), bad);
    CHECK_STATUS(p2pxfer_set_output_folder(NULL, "."), bad);
    CHECK_STATUS(p2pxfer_set_overwrite(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_last_error(NULL, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_send_file(NULL, "x"), bad);
    CHECK_STATUS(p2pxfer_recv_file(NULL, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_received_path(NULL, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_cancel(NULL), bad);
    CHECK_STATUS(p2pxfer_set_secret(NULL, secret, sizeof secret), bad);
    CHECK_STATUS(p2pxfer_set_require_secret(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_reconnect(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_version1_only(NULL, 1), bad);
    CHECK_STATUS(p2pxfer_set_accept(NULL, take_all, NULL), bad);
    CHECK_STATUS(p2pxfer_send_files(NULL, paths, 1), bad);
    CHECK_STATUS(p2pxfer_send_text(NULL, "x"), bad);
    CHECK_STATUS(p2pxfer_received_item(NULL, 0, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_received_text(NULL, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_report_get(NULL, P2PXFER_REPORT_FILES, &number), bad);
    CHECK_STATUS(p2pxfer_offer_get(NULL, P2PXFER_OFFER_FILES, &number), bad);
    CHECK_STATUS(p2pxfer_offer_name(NULL, 0, buffer, sizeof buffer), bad);
    CHECK(strcmp(buffer, "as is") == 0 && number == 7);

    MUST(p2pxfer_new(&handle));
    CHECK_STATUS(p2pxfer_set_user_id(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_set_host(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_set_output_folder(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_last_error(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_recv_file(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_received_path(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_send_file(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_send_files(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_send_files(handle, paths, 0), bad);
    CHECK_STATUS(p2pxfer_send_files(handle, paths, 2), bad);
    /* No pointer behind the NULL is looked at. */
    CHECK_STATUS(p2pxfer_send_files(handle, paths, SIZE_MAX), bad);
    CHECK_STATUS(p2pxfer_send_text(handle, NULL), bad);
    CHECK_STATUS(p2pxfer_send_text(handle, ""), bad);
    CHECK_STATUS(p2pxfer_send_text(handle, "\xff"), bad);
    CHECK_STATUS(p2pxfer_set_secret(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_received_item(handle, 0, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_received_text(handle, NULL, 1), bad);
    CHECK_STATUS(p2pxfer_report_get(handle, P2PXFER_REPORT_FILES, NULL), bad);
    MUST(p2pxfer_set_progress(handle, NULL, NULL));
    MUST(p2pxfer_set_accept(handle, NULL, NULL));
    MUST(p2pxfer_set_secret(handle, NULL, 0));
    MUST(p2pxfer_free(handle));
}

static void settings_are_checked_when_they_are_set(void)
{
    static uint8_t secret[P2PXFER_SECRET_MAX];
    char id[257];
    p2pxfer *handle;
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    MUST(p2pxfer_new(&handle));
    memset(id, 'a', sizeof id);
    id[256] = '\0';
    CHECK_STATUS(p2pxfer_set_user_id(handle, id), bad);
    id[255] = '\0';
    MUST(p2pxfer_set_user_id(handle, id));
    CHECK_STATUS(p2pxfer_set_user_id(handle, ""), bad);
    CHECK_STATUS(p2pxfer_set_user_id(handle, "a$"), bad);
    CHECK_STATUS(p2pxfer_set_user_id(handle, "a\n"), bad);
    MUST(p2pxfer_set_user_id(handle, "\xff"));
    CHECK_STATUS(p2pxfer_set_host(handle, ""), bad);
    CHECK_STATUS(p2pxfer_set_host(handle, "\xff"), bad);
    CHECK_STATUS(p2pxfer_set_host(handle, "a.example,"), bad);
    CHECK_STATUS(p2pxfer_set_host(handle, "a.example:0"), bad);
    MUST(p2pxfer_set_host(handle, "a.example,b.example:9001,[::1]:9000"));
    CHECK_STATUS(p2pxfer_set_port(handle, 0), bad);
    CHECK_STATUS(p2pxfer_set_port(handle, 65536), bad);
    CHECK_STATUS(p2pxfer_set_port(handle, UINT32_MAX), bad);
    MUST(p2pxfer_set_port(handle, 65535));
    CHECK_STATUS(p2pxfer_set_connect_timeout(handle, 0), bad);
    CHECK_STATUS(p2pxfer_set_connect_timeout(handle, P2PXFER_FOREVER), bad);
    MUST(p2pxfer_set_connect_timeout(handle, 1));
    CHECK_STATUS(p2pxfer_set_idle_timeout(handle, 0), bad);
    MUST(p2pxfer_set_idle_timeout(handle, P2PXFER_FOREVER));
    MUST(p2pxfer_set_wait(handle, 0));
    MUST(p2pxfer_set_wait(handle, P2PXFER_FOREVER));
    CHECK_STATUS(p2pxfer_set_output_folder(handle, ""), bad);
    MUST(p2pxfer_set_overwrite(handle, -1));
    MUST(p2pxfer_set_reconnect(handle, 0));
    MUST(p2pxfer_set_reconnect(handle, P2PXFER_FOREVER));
    MUST(p2pxfer_set_version1_only(handle, -1));
    MUST(p2pxfer_set_require_secret(handle, -1));
    CHECK_STATUS(p2pxfer_set_secret(handle, secret, 0), bad);
    CHECK_STATUS(p2pxfer_set_secret(handle, secret, P2PXFER_SECRET_MAX + 1), bad);
    CHECK_STATUS(p2pxfer_set_secret(handle, secret, SIZE_MAX), bad);
    MUST(p2pxfer_set_secret(handle, secret, P2PXFER_SECRET_MAX));
    CHECK_STATUS(p2pxfer_cancel(handle), P2PXFER_IDLE);
    MUST(p2pxfer_free(handle));
}

static void what_never_was_is_no_number(void)
{
    char buffer[8] = "as is";
    uint64_t value = 7;
    uint32_t number;
    p2pxfer *handle;
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    MUST(p2pxfer_new(&handle));
    for (number = P2PXFER_REPORT_VERSION; number <= P2PXFER_REPORT_ITEMS; number++) {
        value = 7;
        MUST(p2pxfer_report_get(handle, number, &value));
        CHECK(value == 0);
    }
    value = 7;
    CHECK_STATUS(p2pxfer_report_get(handle, 0, &value), bad);
    CHECK_STATUS(p2pxfer_report_get(handle, P2PXFER_REPORT_ITEMS + 1, &value), bad);
    CHECK_STATUS(p2pxfer_report_get(handle, UINT32_MAX, &value), bad);
    CHECK_STATUS(p2pxfer_received_item(handle, 0, buffer, sizeof buffer), bad);
    CHECK_STATUS(p2pxfer_received_item(handle, SIZE_MAX, buffer, sizeof buffer), bad);
    CHECK(value == 7 && strcmp(buffer, "as is") == 0);
    CHECK_STATUS(p2pxfer_received_text(handle, buffer, sizeof buffer), 0);
    CHECK(buffer[0] == '\0');
    MUST(p2pxfer_free(handle));
}

static void a_secret_is_missed_before_anybody_is_called(const struct setup *setup)
{
    static const uint8_t secret[] = {1};
    char file[512], text[256];
    p2pxfer *handle = handle_for(setup, "nobody");
    const int32_t bad = P2PXFER_BAD_ARGUMENT;

    make_file(setup, "secret.bin", 1, file, sizeof file);
    MUST(p2pxfer_set_require_secret(handle, 1));
    CHECK_STATUS(p2pxfer_send_file(handle, file), bad);
    CHECK_STATUS(p2pxfer_recv_file(handle, NULL, 0), bad);
    CHECK(p2pxfer_last_error(handle, text, sizeof text) > 0 && strstr(text, "secret"));
    MUST(p2pxfer_set_secret(handle, secret, sizeof secret));
    MUST(p2pxfer_set_version1_only(handle, 1));
    CHECK_STATUS(p2pxfer_send_file(handle, file), bad);
    CHECK_STATUS(p2pxfer_recv_file(handle, NULL, 0), bad);
    CHECK(p2pxfer_last_error(handle, text, sizeof text) > 0 && strstr(text, "version 1"));
    MUST(p2pxfer_free(handle));
}

static void a_missing_setting_is_named(const struct setup *setup)
{
    char file[512], text[256];
    p2pxfer *handle;

    make_file(setup, "arguments.bin", 1, file, sizeof file);
    MUST(p2pxfer_new(&handle));
    CHECK_STATUS(p2pxfer_send_file(handle, file), P2PXFER_BAD_ARGUMENT);
    CHECK(p2pxfer_last_error(handle, text, sizeof text) > 0 && strstr(text, "user id"));
    MUST(p2pxfer_set_user_id(handle, "alice"));
    CHECK_STATUS(p2pxfer_recv_file(handle, text, sizeof text), P2PXFER_BAD_ARGUMENT);
    CHECK(text[0] == '\0');
    CHECK(p2pxfer_last_error(handle, text, sizeof text) > 0 && strstr(text, "host"));
    MUST(p2pxfer_set_host(handle, setup->host));
    CHECK_STATUS(p2pxfer_send_file(handle, file), P2PXFER_BAD_ARGUMENT);
    CHECK(p2pxfer_last_error(handle, text, sizeof text) > 0 && strstr(text, "port"));
    MUST(p2pxfer_set_port(handle, setup->port));
    CHECK_STATUS(p2pxfer_last_error(handle, text, sizeof text), 0);
    MUST(p2pxfer_free(handle));
}

static void the_last_error_fits_any_buffer(void)
{
    char whole[256], part[8], one = 'x', untouched = 'x';
    int32_t length;
    p2pxfer *handle;

    MUST(p2pxfer_new(&handle));
    CHECK(p2pxfer_last_error(handle, whole, sizeof whole) == 0 && whole[0] == '\0');
    CHECK_STATUS(p2pxfer_set_port(handle, 0), P2PXFER_BAD_ARGUMENT);
    length = p2pxfer_last_error(handle, whole, sizeof whole);
    CHECK(length > 8 && (size_t)length == strlen(whole));
    CHECK(p2pxfer_last_error(handle, NULL, 0) == length);
    CHECK(p2pxfer_last_error(handle, &untouched, 0) == length && untouched == 'x');
    CHECK(p2pxfer_last_error(handle, &one, 1) == length && one == '\0');
    CHECK(p2pxfer_last_error(handle, part, sizeof part) == length);
    CHECK(strlen(part) == sizeof part - 1 && strncmp(part, whole, sizeof part - 1) == 0);
    MUST(p2pxfer_free(handle));
}

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    every_code_has_a_text_of_its_own();
    null_is_an_error_everywhere();
    settings_are_checked_when_they_are_set();
    what_never_was_is_no_number();
    a_secret_is_missed_before_anybody_is_called(&setup);
    a_missing_setting_is_named(&setup);
    the_last_error_fits_any_buffer();
    return 0;
}
