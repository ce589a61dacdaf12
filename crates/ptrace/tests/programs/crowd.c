/* A thousand threads that wait, and then each open and close a file. */
#include "ledger.h"
#include <sys/resource.h>

#define CROWD 1000

static pthread_barrier_t begin;

static void *work(void *unused) {
    (void)unused;
    pthread_barrier_wait(&begin);
    int fd = open("/dev/null", O_RDONLY);
    if (fd < 0 || close(fd)) die("open or close");
    return NULL;
}

int main(void) {
    static pthread_t threads[CROWD];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&begin, NULL, CROWD + 1);
    for (int i = 0; i < CROWD; i++) {
        if (pthread_create(&threads[i], &small, work, NULL)) die("pthread_create");
    }
    await_tracer();
    pthread_barrier_wait(&begin);
    for (int i = 0; i < CROWD; i++) pthread_join(threads[i], NULL);
    finish();
}
