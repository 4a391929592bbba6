/* The header, the library and its text are of one version. */
#include "check.h"

int main(int argc, char **argv)
{
    char text[32];
    struct setup setup = setup_from(argc, argv);
    (void)setup;

    CHECK(p2pxfer_version() == P2PXFER_VERSION);
    CHECK(P2PXFER_VERSION >> 16 == P2PXFER_VERSION_MAJOR);
    CHECK((P2PXFER_VERSION >> 8 & 0xff) == P2PXFER_VERSION_MINOR);
    CHECK((P2PXFER_VERSION & 0xff) == P2PXFER_VERSION_PATCH);
    snprintf(text, sizeof text, "%d.%d.%d", P2PXFER_VERSION_MAJOR, P2PXFER_VERSION_MINOR,
             P2PXFER_VERSION_PATCH);
    CHECK(strcmp(p2pxfer_version_string(), text) == 0);
    return 0;
}
