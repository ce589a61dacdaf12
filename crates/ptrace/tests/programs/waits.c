/* Waits in calls that fail with EINTR when a tracer stops them carelessly (signal(7)), each in a thread.
 * Every wait must end by its own time limit, not by an error. */
#include "ledger.h"
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>

static pthread_barrier_t begin;
static const struct timespec two = {.tv_sec = 2};

static void *in_epoll(void *unused) {
    (void)unused;
    struct epoll_event event;
    int fd = epoll_create1(0);
    pthread_barrier_wait(&begin);
    if (epoll_wait(fd, &event, 1, 2000) != 0) die("epoll_wait");
    return NULL;
}

static void *in_sigtimedwait(void *unused) {
    (void)unused;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_barrier_wait(&begin);
    if (sigtimedwait(&set, NULL, &two) != -1 || errno != EAGAIN) die("sigtimedwait");
    return NULL;
}

static void *in_semtimedop(void *unused) {
    (void)unused;
    struct sembuf take = {.sem_op = -1};
    int id = semget(IPC_PRIVATE, 1, 0600);
    pthread_barrier_wait(&begin);
    int result = semtimedop(id, &take, 1, &two);
    int why = errno;
    semctl(id, 0, IPC_RMID);
    errno = why;
    if (result != -1 || why != EAGAIN) die("semtimedop");
    return NULL;
}

static void *in_recv(void *unused) {
    (void)unused;
    char byte;
    int ends[2];
    struct timeval limit = {.tv_sec = 2};
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends)) die("socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    pthread_barrier_wait(&begin);
    if (recv(ends[0], &byte, 1, 0) != -1 || errno != EAGAIN) die("recv");
    return NULL;
}

static void *in_sleep(void *unused) {
    (void)unused;
    pthread_barrier_wait(&begin);
    if (nanosleep(&two, NULL)) die("nanosleep");
    return NULL;
}

int main(void) {
    void *(*waits[])(void *) = {in_epoll, in_sigtimedwait, in_semtimedop, in_recv, in_sleep};
    pthread_t threads[5];
    pthread_barrier_init(&begin, NULL, 6);
    for (int i = 0; i < 5; i++) pthread_create(&threads[i], NULL, waits[i], NULL);
    pthread_barrier_wait(&begin);
    struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&moment, NULL);
    await_tracer();
    for (int i = 0; i < 5; i++) pthread_join(threads[i], NULL);
    finish();
}
