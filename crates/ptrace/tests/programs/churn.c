/* Makes threads and processes without end, in four threads, until it is killed. Its children do the same work. */
#include "ledger.h"

static void *brief(void *unused) {
    (void)unused;
    close(open("/dev/null", O_RDONLY));
    return NULL;
}

static void *work(void *unused) {
    for (;;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, brief, NULL) == 0) pthread_join(thread, NULL);
        pid_t pid = fork();
        if (pid == 0) {
            brief(unused);
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

int main(void) {
    pthread_t thread;
    for (int i = 0; i < 3; i++) pthread_create(&thread, NULL, work, NULL);
    say("ready\n");
    work(NULL);
}
