/* A thread that is not the leader runs another program, while other threads are at work. */
#include "ledger.h"

static void *spin(void *unused) {
    (void)unused;
    for (;;) close(open("/dev/null", O_RDONLY));
}

static void *run(void *unused) {
    (void)unused;
    execl("/proc/self/exe", "second", "second", NULL);
    die("execl");
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    if (argc > 1) {
        int fd = made("openat", open("/dev/null", O_RDONLY));
        ended("close", close(fd), fd);
        finish();
        return 0;
    }
    await_tracer();
    for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, spin, NULL);
    pthread_create(&thread, NULL, run, NULL);
    pthread_join(thread, NULL);
}
