/* What a traced program says about itself: one line per birth or death, printed at the end.
 *
 *   + CALL FD     a descriptor made by CALL        - CALL FD   one ended by CALL
 * Lines of other words are the program's own. Kept in memory so that telling makes no handle call. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char ledger[1 << 20];
static size_t ledger_used;
static pthread_mutex_t ledger_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...) {
    pthread_mutex_lock(&ledger_lock);
    va_list args;
    va_start(args, format);
    ledger_used += vsnprintf(ledger + ledger_used, sizeof ledger - ledger_used, format, args);
    va_end(args);
    ledger[ledger_used++] = '\n';
    pthread_mutex_unlock(&ledger_lock);
}

static void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    _exit(99);
}

static long made(const char *call, long fd) {
    if (fd < 0) die(call);
    tell("+ %s %ld", call, fd);
    return fd;
}

static void ended(const char *call, long result, int fd) {
    if (result < 0) die(call);
    tell("- %s %d", call, fd);
}

static void say(const char *line) {
    if (write(1, line, strlen(line)) < 0) _exit(98);
}

/* Says "ready" and waits for a line: the tracer attaches meanwhile. */
static void await_tracer(void) {
    char byte;
    say("ready\n");
    while (read(0, &byte, 1) < 0 && errno == EINTR) {}
}

/* Prints the ledger and "done", and waits for the tracer to let the program end. */
static void finish(void) {
    char byte;
    size_t sent = 0;
    while (sent < ledger_used) {
        ssize_t n = write(1, ledger + sent, ledger_used - sent);
        if (n < 0) _exit(98);
        sent += n;
    }
    say("done\n");
    while (read(0, &byte, 1) < 0 && errno == EINTR) {}
}
