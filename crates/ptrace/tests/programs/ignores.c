/* Ignores SIGCHLD, so that the kernel reaps its children, and makes many of them. */
#include "ledger.h"

int main(void) {
    signal(SIGCHLD, SIG_IGN);
    await_tracer();
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork();
        if (pid < 0) die("fork");
        if (pid == 0) _exit(0);
        /* Fails when no child is left: the kernel has reaped this one. */
        while (waitpid(pid, NULL, 0) == 0) {}
    }
    finish();
}
