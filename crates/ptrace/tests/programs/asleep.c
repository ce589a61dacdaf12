/* Its main thread sleeps where no signal reaches it: in vfork, until the child has waited for its input. */
#include "ledger.h"

int main(void) {
    if (vfork() == 0) {
        await_tracer();
        _exit(0);
    }
    int fd = made("openat", open("/dev/null", O_RDONLY));
    ended("close", close(fd), fd);
    finish();
}
