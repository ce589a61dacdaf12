/* Opens and closes a file all the time in two threads; for each line read, says that both still do. */
#include "ledger.h"
#include <stdatomic.h>

static atomic_long rounds[2];

static void *work(void *which) {
    for (;;) {
        int fd = open("/dev/null", O_RDONLY);
        if (fd < 0 || close(fd)) die("open or close");
        atomic_fetch_add((atomic_long *)which, 1);
    }
}

int main(void) {
    char byte;
    pthread_t thread;
    for (int i = 0; i < 2; i++) pthread_create(&thread, NULL, work, &rounds[i]);
    say("ready\n");
    while (read(0, &byte, 1) == 1) {
        for (int i = 0; i < 2; i++) {
            long before = atomic_load(&rounds[i]);
            while (atomic_load(&rounds[i]) < before + 10) sched_yield();
        }
        say("alive\n");
    }
    return 0;
}
