/* Four threads open and close the same few numbers as fast as they can. */
#include "ledger.h"

#define ROUNDS 1500

static void *work(void *unused) {
    (void)unused;
    tell("+ thread %ld", syscall(SYS_gettid));
    for (int i = 0; i < ROUNDS; i++) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || close(fd)) die("open or close");
    }
    tell("- thread %ld", syscall(SYS_gettid));
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    await_tracer();
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, NULL);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    finish();
}
