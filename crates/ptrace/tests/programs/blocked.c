/* Is inside accept and inside open (of a fifo) when the tracer comes; both then return descriptors. */
#include "ledger.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

static int listener;
static char fifo[64];

static void *in_accept(void *unused) {
    (void)unused;
    int fd = made("accept4", accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    ended("close", close(fd), fd);
    return NULL;
}

static void *in_open(void *unused) {
    (void)unused;
    int fd = made("openat", open(fifo, O_RDONLY));
    ended("close", close(fd), fd);
    return NULL;
}

int main(void) {
    pthread_t accepts, opens;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof address;
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, sizeof address.sun_family) || listen(listener, 1)) die("listen");
    getsockname(listener, (void *)&address, &length);
    snprintf(fifo, sizeof fifo, "/tmp/fdscope-blocked-%d", getpid());
    if (mkfifo(fifo, 0600)) die("mkfifo");
    pthread_create(&accepts, NULL, in_accept, NULL);
    pthread_create(&opens, NULL, in_open, NULL);
    struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&moment, NULL);
    await_tracer();

    int client = made("socket", socket(AF_UNIX, SOCK_STREAM, 0));
    if (connect(client, (void *)&address, length)) die("connect");
    pthread_join(accepts, NULL);
    ended("close", close(client), client);
    int writer = made("openat", open(fifo, O_WRONLY));
    pthread_join(opens, NULL);
    ended("close", close(writer), writer);
    unlink(fifo);
    finish();
}
