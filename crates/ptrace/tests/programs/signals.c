/* Is stopped and continued, gets real-time signals with values, and waits in calls that the kernel restarts. */
#include "ledger.h"
#include <poll.h>
#include <time.h>

static volatile int sum, count;

static void take(int signal, siginfo_t *info, void *unused) {
    (void)signal;
    (void)unused;
    sum += info->si_value.sival_int;
    count++;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = take, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN + 3, &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 3);
    await_tracer();

    /* Five queued real-time signals, each with its value, in one go. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 5; i++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i});
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (count != 5 || sum != 15) die("real-time signals");

    /* A handler interrupts a sleep: EINTR, and the rest is slept. */
    struct timespec rest = {.tv_nsec = 300 * 1000 * 1000};
    pid_t pid = getpid();
    if (fork() == 0) {
        struct timespec brief = {.tv_nsec = 50 * 1000 * 1000};
        nanosleep(&brief, NULL);
        sigqueue(pid, SIGRTMIN + 3, (union sigval){.sival_int = 100});
        _exit(0);
    }
    if (nanosleep(&rest, &rest) != -1 || errno != EINTR || sum != 115) die("nanosleep");
    wait(NULL);

    /* The tracer's test stops and continues the program while it waits here: no error must come of it. */
    say("stop me\n");
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (poll(&input, 1, -1) != 1) die("poll");
    char byte;
    if (read(0, &byte, 1) != 1) die("read");
    int fd = made("openat", open("/dev/null", O_RDONLY));
    ended("close", close(fd), fd);
    finish();
}
