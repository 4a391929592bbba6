/* libp2pxfer.a and another static library in Rust work in one program. */
#include "check.h"

int other_archive(void);

int main(int argc, char **argv)
{
    struct setup setup = setup_from(argc, argv);
    p2pxfer *handle = handle_for(&setup, "nobody");
    MUST(p2pxfer_set_wait(handle, 50));
    CHECK(other_archive() == 42);
    CHECK_STATUS(p2pxfer_recv_file(handle, NULL, 0), P2PXFER_NOBODY_WAITS);
    MUST(p2pxfer_free(handle));
    return 0;
}
